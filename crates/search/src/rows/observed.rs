//! What was noticed of the rows of a search while it ran.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// What was noticed while a plan ran. Plain data, that comes back from wherever it ran.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// How many events the searches for events found.
    pub matched: u64,
    /// How many rows there are in all, where only the first are given.
    pub total: Option<u64>,
    /// For each `stats` with BY fields what it grouped.
    pub groups: Vec<GroupObserved>,
}

/// Which BY fields of a `stats` had values: a field that never has one makes every group vanish.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupObserved {
    /// Rows that came in.
    pub rows: u64,
    /// For each BY field the rows that had a value.
    pub present: IndexMap<String, u64>,
}
