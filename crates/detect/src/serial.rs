//! Serialization of values in findings whose types have no suitable one.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;
use spilltrail_search::rows::{Row, json};

/// Serializes a row as a JSON object.
pub(crate) mod row {
    use super::{Deserialize, Deserializer, Row, Serialize, Serializer, json};

    pub(crate) fn serialize<S: Serializer>(row: &Row, serializer: S) -> Result<S::Ok, S::Error> {
        json::object(row).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Row, D::Error> {
        serde_json::Map::deserialize(deserializer).map(json::row)
    }
}

/// Serializes seconds since the epoch, without a fraction if whole; null if the time is not known.
pub(crate) mod time {
    use super::{Deserialize, Deserializer, Json, Serialize, Serializer, json};

    #[expect(clippy::ref_option, reason = "serde hands out a reference to the field")]
    pub(crate) fn serialize<S: Serializer>(
        time: &Option<f64>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        time.map(json::number).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<f64>, D::Error> {
        Ok(match Json::deserialize(deserializer)? {
            Json::Number(number) => number.as_f64(),
            // Numbers that JSON would change are written as strings.
            Json::String(text) => spilltrail_event::parse_number(&text),
            _ => None,
        })
    }
}

/// Serializes a duration in seconds.
pub(crate) mod seconds {
    use std::time::Duration;

    use super::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        time: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        time.as_secs_f64().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        Duration::try_from_secs_f64(seconds).map_err(serde::de::Error::custom)
    }
}
