//! An object that a message names, and the order of what happens to it.

/// An object in S3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRef {
    /// The bucket.
    pub bucket: String,
    /// The key, decoded.
    pub key: String,
    /// How many bytes the object has; `None` if the sender does not say.
    pub size: Option<u64>,
    /// The tag of its content, without quotes; `None` if the sender does not say.
    pub etag: Option<String>,
    /// The place of this content among those of the same key; `None` if the sender does not say.
    pub sequencer: Option<Sequencer>,
}

/// The place of an event among the events of the same key.
///
/// S3 writes it in hexadecimal digits, of different lengths. The shorter of two counts as if zeros
/// followed; therefore zeros at the end are dropped, and the rest is in the order of texts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequencer(String);

/// The most digits of a sequencer. S3 writes up to 18.
const MOST_DIGITS: usize = 64;

impl Sequencer {
    /// Reads a sequencer; returns `None` unless it has hexadecimal digits only.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_number = (1..=MOST_DIGITS).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_number.then(|| Self(text.to_ascii_uppercase().trim_end_matches('0').to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use super::*;

    #[test]
    fn sequencers_are_padded_on_the_right() {
        for (a, b, expected) in [
            ("0055AED6DCD90281E5", "0055AED6DCD90281E6", Ordering::Less),
            ("0055AED6DCD9", "0055AED6DCD90281E5", Ordering::Less),
            ("0055AED6DD", "0055AED6DCD90281E5", Ordering::Greater),
            ("5A", "5a000", Ordering::Equal),
            ("0", "000", Ordering::Equal),
        ] {
            let (a, b) = (Sequencer::parse(a).unwrap(), Sequencer::parse(b).unwrap());
            assert_eq!(a.cmp(&b), expected, "{a:?} {b:?}");
        }
        for text in ["", "xyz", "12 34", "-1", &"0".repeat(65)] {
            assert_eq!(Sequencer::parse(text), None, "{text}");
        }
    }
}
