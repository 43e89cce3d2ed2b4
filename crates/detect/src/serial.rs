//! How values of findings are written and read, where their types do not say.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;
use spilltrail_search::rows::{Row, json};

/// A row as a JSON object.
pub(crate) mod row {
    use super::{Deserialize, Deserializer, Row, Serialize, Serializer, json};

    pub(crate) fn serialize<S: Serializer>(row: &Row, serializer: S) -> Result<S::Ok, S::Error> {
        json::object(row).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Row, D::Error> {
        serde_json::Map::deserialize(deserializer).map(json::row)
    }
}

/// Epoch seconds, whole ones without a fraction; null if the time is not known.
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
            // A number that JSON would change is a text.
            Json::String(text) => spilltrail_event::parse_number(&text),
            _ => None,
        })
    }
}

/// A duration in seconds.
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
