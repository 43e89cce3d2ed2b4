//! What became of a detection.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What became of a detection.
///
/// Serialized, it is an object: `status` is its name, `missing_fields` and `empty_lookups` are what it
/// names, left out where there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Record", try_from = "Record")]
pub enum Status {
    /// It has findings.
    Fired,
    /// There were events to look at, and nothing to find.
    Clean,
    /// Its first search matched no event.
    NoSuchEvents,
    /// Its first search matched events, but none has these fields, which it groups by.
    CannotFire(Vec<String>),
    /// It compares with these lookups, which are empty: its rows mean nothing.
    NoBaseline(Vec<String>),
    /// It uses SPL that is not there yet.
    Unsupported,
    /// Its search is wrong, or failed.
    Failed,
}

impl Status {
    /// Returns its name, as output has it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Fired => "fired",
            Self::Clean => "clean",
            Self::NoSuchEvents => "no such events",
            Self::CannotFire(_) => "cannot fire",
            Self::NoBaseline(_) => "no baseline",
            Self::Unsupported => "unsupported",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A status as it is written down.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Record {
    status: String,
    #[serde(default, skip_serializing_if = "<[String]>::is_empty")]
    missing_fields: Vec<String>,
    #[serde(default, skip_serializing_if = "<[String]>::is_empty")]
    empty_lookups: Vec<String>,
}

impl From<Status> for Record {
    fn from(status: Status) -> Self {
        let mut record = Self { status: status.name().to_owned(), ..Self::default() };
        match status {
            Status::CannotFire(fields) => record.missing_fields = fields,
            Status::NoBaseline(lookups) => record.empty_lookups = lookups,
            _ => {}
        }
        record
    }
}

impl TryFrom<Record> for Status {
    type Error = String;

    fn try_from(record: Record) -> Result<Self, String> {
        Ok(match record.status.as_str() {
            "fired" => Self::Fired,
            "clean" => Self::Clean,
            "no such events" => Self::NoSuchEvents,
            "cannot fire" => Self::CannotFire(record.missing_fields),
            "no baseline" => Self::NoBaseline(record.empty_lookups),
            "unsupported" => Self::Unsupported,
            "failed" => Self::Failed,
            other => return Err(format!("`{other}` is not a status of a detection")),
        })
    }
}
