//! Numbers in JSON, to the last bit.
//!
//! JSON has no infinities and no NaN, and readers of it may round the last digit. So a number is
//! written as a text: the shortest that stands for just this number.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

/// Writes a number.
///
/// # Errors
/// As the serializer.
pub fn serialize<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{number:?}"))
}

/// Reads a number.
///
/// # Errors
/// Fails at anything but the text of a number.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
    parsed(&text)
}

fn parsed<E: Error>(text: &str) -> Result<f64, E> {
    text.parse().map_err(|_| E::custom(format!("`{text}` is no number")))
}

/// Numbers that may be absent.
pub mod option {
    use super::{Deserialize, Deserializer, Serializer};

    /// Writes a number, or null.
    ///
    /// # Errors
    /// As the serializer.
    pub fn serialize<S: Serializer>(
        number: &Option<f64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match number {
            Some(number) => super::serialize(number, serializer),
            None => serializer.serialize_none(),
        }
    }

    /// Reads a number, or null.
    ///
    /// # Errors
    /// Fails at anything else.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<f64>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| super::parsed(&text)).transpose()
    }
}
