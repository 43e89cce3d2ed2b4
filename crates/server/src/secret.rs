//! Secrets that clients show, of which only a hash is kept.
//!
//! A new secret is a random GUID, which no one guesses, so that its hash needs neither salt nor many rounds.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The SHA-256 of a token, as 64 hexadecimal digits where it is written.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Hashes a token.
    #[must_use]
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// Compares in a time that does not depend on where the hashes differ.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash")
    }
}

impl From<TokenHash> for String {
    fn from(hash: TokenHash) -> Self {
        hash.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl TryFrom<String> for TokenHash {
    type Error = SecretError;

    fn try_from(text: String) -> Result<Self, SecretError> {
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return Err(SecretError::Hash) };
        let bytes: Option<Vec<u8>> = pairs
            .iter()
            .map(|[high, low]| Some((digit(*high)? << 4 | digit(*low)?) as u8))
            .collect();
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or(SecretError::Hash)
    }
}

/// Makes a new token from the randomness of the system. Show it once, and keep its [`TokenHash`].
///
/// # Errors
/// Fails if the system gives no randomness.
pub fn new_token() -> Result<String, SecretError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| SecretError::Randomness(error.to_string()))?;
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string())
}

/// Why there is no secret, or no hash of one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// A hash is not one.
    #[error("the hash of a token is not one; expected 64 hexadecimal digits")]
    Hash,
    /// The system gives no randomness.
    #[error("a token cannot be made: {0}")]
    Randomness(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_tokens_are_guids_and_differ() {
        let (one, two) = (new_token().unwrap(), new_token().unwrap());
        assert_ne!(one, two);
        let id = uuid::Uuid::parse_str(&one).unwrap();
        assert_eq!((one.len(), id.get_version_num()), (36, 4));
    }
}
