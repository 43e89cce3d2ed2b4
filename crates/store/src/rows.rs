//! Rows that are read up to a limit, with whether there are more.

use serde::{Deserialize, Serialize};

/// The first rows of a list, in its order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// Whether the list goes on after them.
    pub more: bool,
}

impl<T> Rows<T> {
    /// Cuts rows, of which one more than wanted was asked for.
    pub(crate) fn cut(mut rows: Vec<T>, most: usize) -> Self {
        let more = rows.len() > most;
        rows.truncate(most);
        Self { rows, more }
    }
}
