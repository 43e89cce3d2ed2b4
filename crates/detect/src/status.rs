//! The status of a detection after its run.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The status of a detection after its run.
///
/// It is serialized as an object: `status` is the name, and `missing_fields` and `empty_lookups`
/// are present only in the statuses that have them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Record", try_from = "Record")]
pub enum Status {
    /// The detection has findings.
    Fired,
    /// The first search matched events, but the detection returned no rows.
    Clean,
    /// The first search matched no event.
    NoSuchEvents,
    /// The first search matched events, but none has these fields, by which the detection groups.
    CannotFire(Vec<String>),
    /// These lookups of known values are empty, so the rows of the detection are meaningless.
    NoBaseline(Vec<String>),
    /// The detection uses SPL that is not supported yet.
    Unsupported,
    /// The search is invalid, or it failed.
    Failed,
}

impl Status {
    /// Returns the name of the status in the output.
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

/// The serialized form of a status.
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
