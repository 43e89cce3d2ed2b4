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
    /// The counts of each `sort` with the default limit.
    pub sorted: Vec<CutObserved>,
    /// The counts of each command with lists that are cut.
    pub lists: Vec<CutObserved>,
}

/// How many rows a command got that may lose something to a limit, so that it is told: all rows of a
/// `sort`, or those with a list that is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CutObserved {
    /// The number of rows.
    pub rows: u64,
    /// The number of rows, or of values in a list, that are kept.
    pub limit: u64,
    /// The start and the end of the command's name in the search.
    pub at: (usize, usize),
}

/// How often the BY fields of a `stats` had values. A field without values means no groups.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupObserved {
    /// The number of input rows.
    pub rows: u64,
    /// The number of rows with a value, by BY field; empty if there are no BY fields.
    pub present: IndexMap<String, u64>,
}
