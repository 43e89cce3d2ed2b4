//! Counts of rows that a search collects while it runs.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// Counts collected while a plan ran, as plain data that a remote run can send back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// The number of events that matched, over all event searches of the plan.
    pub matched: u64,
    /// The total number of rows, if only the first rows are returned.
    pub total: Option<u64>,
    /// The counts of each `stats`.
    pub groups: Vec<GroupObserved>,
}

/// How often the BY fields of a `stats` had values. A field without values means no groups.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupObserved {
    /// The number of input rows.
    pub rows: u64,
    /// The number of rows with a value, by BY field; empty if there are no BY fields.
    pub present: IndexMap<String, u64>,
}
