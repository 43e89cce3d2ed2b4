//! Event types: named searches, with the tags of their events.

use spilltrail_spl::SearchExpr;

/// A named search. Every event that it matches is of the type, and has its tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventType {
    /// The name. Empty for tags that a file gives to a value of a field, without an event type.
    pub name: String,
    /// The search that picks the events. Event types that it names are resolved when it is used.
    pub search: SearchExpr,
    /// The tags.
    pub tags: Vec<String>,
}
