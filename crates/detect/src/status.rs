//! The status of a detection after its run.

use std::fmt;

use serde::{Deserialize, Serialize};
use spilltrail_search::analysis::Need;

/// The status of a detection after its run.
///
/// It is serialized as an object: `status` is the name, and `missing_fields` with `missing_in`,
/// `empty_lookups` and `needs` are present only in the statuses that have them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Record", try_from = "Record")]
pub enum Status {
    /// The detection has findings.
    Fired,
    /// The first search matched events, but the detection returned no rows that have an event
    /// behind them.
    Clean,
    /// The first search matched no event.
    NoSuchEvents,
    /// A subsearch returned no rows, so the first search had nothing to look for.
    EmptySubsearch,
    /// The first search matched events, but those that the detection groups lack the fields by which
    /// it groups.
    CannotFire(Missing),
    /// These lookups of known values are empty, so the rows of the detection are meaningless.
    NoBaseline(Vec<String>),
    /// The detection was not run, because no event of these logs can be what it looks for.
    NeedsSource(Need),
    /// The detection uses SPL that is not supported yet.
    Unsupported,
    /// The search is invalid, or it failed.
    Failed,
}

/// Fields that none of the events have which a detection groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The names of the fields.
    pub fields: Vec<String>,
    /// The number of these events, or of the rows made from them.
    pub rows: u64,
}

impl Status {
    /// Returns true if this version cannot run the detection over any logs.
    #[must_use]
    pub fn is_unsupported(&self) -> bool {
        matches!(self, Self::Unsupported)
    }

    /// Returns the name of the status in the output.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Fired => "fired",
            Self::Clean => "clean",
            Self::NoSuchEvents => "no such events",
            Self::EmptySubsearch => "empty subsearch",
            Self::CannotFire(_) => "cannot fire",
            Self::NoBaseline(_) => "no baseline",
            Self::NeedsSource(_) => "needs another source",
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    missing_in: Option<u64>,
    #[serde(default, skip_serializing_if = "<[String]>::is_empty")]
    empty_lookups: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    needs: Option<Need>,
}

impl From<Status> for Record {
    fn from(status: Status) -> Self {
        let mut record = Self { status: status.name().to_owned(), ..Self::default() };
        match status {
            Status::CannotFire(missing) => {
                record.missing_fields = missing.fields;
                record.missing_in = Some(missing.rows);
            }
            Status::NoBaseline(lookups) => record.empty_lookups = lookups,
            Status::NeedsSource(need) => record.needs = Some(need),
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
            "empty subsearch" => Self::EmptySubsearch,
            "cannot fire" => Self::CannotFire(Missing {
                fields: record.missing_fields,
                rows: record.missing_in.unwrap_or_default(),
            }),
            "needs another source" => {
                Self::NeedsSource(record.needs.ok_or("a status without its `needs`")?)
            }
            "no baseline" => Self::NoBaseline(record.empty_lookups),
            "unsupported" => Self::Unsupported,
            "failed" => Self::Failed,
            other => return Err(format!("`{other}` is not a status of a detection")),
        })
    }
}
