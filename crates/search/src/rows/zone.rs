//! Serializes time zones as text: the IANA name, or the offset from UTC in seconds.

use jiff::tz::{Offset, TimeZone};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

/// Returns the zone's text form. A zone without a name is assumed to have one fixed offset.
#[must_use]
pub(crate) fn name(zone: &TimeZone) -> String {
    zone.iana_name().map_or_else(
        || zone.to_offset(jiff::Timestamp::UNIX_EPOCH).seconds().to_string(),
        str::to_owned,
    )
}

/// Returns the zone of a text form.
///
/// # Errors
/// Fails if no zone has this name, or the offset is out of range.
pub(crate) fn of(name: &str) -> Result<TimeZone, jiff::Error> {
    match name.parse() {
        Ok(seconds) => Offset::from_seconds(seconds).map(TimeZone::fixed),
        Err(_) => TimeZone::get(name),
    }
}

pub(crate) fn serialize<S: Serializer>(zone: &TimeZone, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&name(zone))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<TimeZone, D::Error> {
    of(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// The same for optional zones.
pub(crate) mod option {
    use jiff::tz::TimeZone;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        zone: &Option<TimeZone>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match zone {
            Some(zone) => super::serialize(zone, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<TimeZone>, D::Error> {
        let name = Option::<String>::deserialize(deserializer)?;
        name.map(|name| super::of(&name)).transpose().map_err(D::Error::custom)
    }
}
