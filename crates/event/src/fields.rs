//! Defines field names, field kinds, and the set of fields that a search reads.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::pattern::wildcard_match;
use crate::predicate::Predicate;

/// The time of the event, in epoch seconds with a fraction.
pub const TIME: &str = "_time";
/// The text of the event.
pub const RAW: &str = "_raw";
/// The index that contains the event.
pub const INDEX: &str = "index";
/// The host that the event comes from.
pub const HOST: &str = "host";
/// The file or stream that the event comes from.
pub const SOURCE: &str = "source";
/// The format of the event.
pub const SOURCETYPE: &str = "sourcetype";

/// Fields that CloudTrail and Security Lake do not write, and by which searches pick the events of
/// other products: those that Splunk adds to events, and those of Windows events.
///
/// Any event may have them all the same: another tool may have added a member `tag`.
pub const OF_OTHER_PRODUCTS: &[&str] = &["eventtype", "tag", "Channel", "EventCode", "EventID"];

/// The text of an event as it was read, whatever the event says its `_raw` is. Events are kept with
/// it, [`EVENT_SOURCE`] and [`EVENT_FORMAT`] if their fields are to be extracted later.
pub const EVENT_TEXT: &str = "_event(text)";
/// The file or stream that an event was read from, whatever the event says its `source` is.
pub const EVENT_SOURCE: &str = "_event(source)";
/// The format in which an event was recognized, whatever the event says its `sourcetype` is.
pub const EVENT_FORMAT: &str = "_event(format)";

/// Returns the name of the field that holds the part of `_raw` at these keys.
///
/// The part is a document that holds only the value at these keys. `spath` reads it instead of a
/// text that is about twenty times as long.
#[must_use]
pub fn part_of_raw(keys: &[&str]) -> String {
    format!("_raw({})", keys.join("."))
}

/// Returns the keys of a field named by [`part_of_raw`].
#[must_use]
pub fn keys_of_part(name: &str) -> Option<Vec<&str>> {
    let path = name.strip_prefix("_raw(")?.strip_suffix(')')?;
    Some(path.split('.').collect())
}

/// The representation of a field's values in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// `Float64`; the planner knows that every value is a number.
    Number,
    /// `Utf8View`; numbers are stored as text.
    Text,
    /// `List<Utf8View>`; a single value is a list of one.
    Multi,
}

impl Kind {
    /// Returns the narrowest kind that can represent the values of both.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        self.max(other)
    }
}

/// A field's name and kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Field {
    /// The name; case-sensitive.
    pub name: String,
    /// The kind.
    pub kind: Kind,
}

impl Field {
    /// Returns a field.
    pub fn new(name: impl Into<String>, kind: Kind) -> Self {
        Self { name: name.into(), kind }
    }
}

/// The set of fields that a search may read, found by walking its pipeline backwards.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Demand {
    /// Exact names.
    pub names: BTreeSet<String>,
    /// Names with `*`; a pattern covers internal fields only if it begins with `_`.
    pub patterns: BTreeSet<String>,
}

impl Demand {
    /// Returns the demand for every field, including internal ones.
    #[must_use]
    pub fn all() -> Self {
        let mut demand = Self::default();
        demand.patterns.insert("*".to_owned());
        demand.patterns.insert("_*".to_owned());
        demand
    }

    /// Returns the demand for these names and patterns.
    pub fn of<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Self {
        let mut demand = Self::default();
        for name in names {
            demand.add(name.as_ref());
        }
        demand
    }

    /// Adds a name, or a pattern if it contains a `*`.
    pub fn add(&mut self, name: &str) {
        let set = if name.contains('*') { &mut self.patterns } else { &mut self.names };
        set.insert(name.to_owned());
    }

    /// Adds all names and patterns of `other`.
    pub fn extend(&mut self, other: &Self) {
        self.names.extend(other.names.iter().cloned());
        self.patterns.extend(other.patterns.iter().cloned());
    }

    /// Returns true if the demand covers the field.
    #[must_use]
    pub fn wants(&self, name: &str) -> bool {
        self.names.contains(name) || self.patterns.iter().any(|p| covers(p, name))
    }

    /// Returns true if a pattern covers the field, so that the events show whether it occurs. Internal
    /// fields such as `_time` are there without an event that shows them.
    #[must_use]
    pub fn is_matched(&self, name: &str) -> bool {
        !name.starts_with('_') && self.patterns.iter().any(|pattern| covers(pattern, name))
    }

    /// Returns true if the field names must be collected from the events.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.patterns.is_empty()
    }
}

/// Returns true if the wildcard `pattern` covers the field `name`; `*` does not cover `_time`.
#[must_use]
pub fn covers(pattern: &str, name: &str) -> bool {
    (!name.starts_with('_') || pattern.starts_with('_')) && wildcard_match(pattern, name)
}

/// The events and fields that a leading search requests from a source.
///
/// This is plain data, so that it can be sent with a distributed plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScanRequest {
    /// The condition on events, which the source applies exactly.
    pub predicate: Predicate,
    /// The wanted fields, in the order of the columns.
    pub fields: Vec<Field>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn star_does_not_cover_internal_fields() {
        let demand = Demand::of(["*", "_time"]);
        assert!(demand.wants("user_arn") && demand.wants("_time") && !demand.wants("_raw"));
        assert!(Demand::all().wants("_raw"));
    }
}
