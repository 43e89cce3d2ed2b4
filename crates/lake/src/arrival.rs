//! When the events happened that came into the table.

/// The most arrivals that the log keeps; those before them are one of each index.
pub(crate) const MOST_ARRIVALS: u64 = 100_000;

/// Events of one index that came into the table together, and when they happened.
///
/// It tells who has looked at the events of some time whether more of them came afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// The number of the last of their batches.
    pub number: u64,
    /// Their index.
    pub index: String,
    /// Stretches of time that have all of their times: the first second, and the one after the last.
    pub spans: Vec<(i64, i64)>,
}
