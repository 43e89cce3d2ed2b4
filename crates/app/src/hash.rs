//! Short hashes by which contents are told apart.

use sha2::{Digest, Sha256};

/// Returns the first 16 bytes of the SHA-256 of a text, as hexadecimal digits.
pub(crate) fn of(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_beginning_of_sha_256() {
        // `printf a | sha256sum` begins with these digits.
        assert_eq!(of("a"), "ca978112ca1bbdcafac231b39a23dc4d");
    }
}
