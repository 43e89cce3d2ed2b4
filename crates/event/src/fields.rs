//! Field names, their kinds, and which fields somebody wants.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::pattern::wildcard_match;
use crate::predicate::Predicate;

/// Time of the event, epoch seconds with fraction.
pub const TIME: &str = "_time";
/// The event's own text.
pub const RAW: &str = "_raw";
/// The index the event is in.
pub const INDEX: &str = "index";
/// The host that the event is from.
pub const HOST: &str = "host";
/// The file or stream that the event is from.
pub const SOURCE: &str = "source";
/// The format of the event.
pub const SOURCETYPE: &str = "sourcetype";

/// Returns the name under which a source gives the part of `_raw` at these keys: a document with
/// nothing but them and the value there. `spath` reads it in place of a text twenty times as long.
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

/// How a field's values lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// `Float64`; the planner knows that every value is a number.
    Number,
    /// `Utf8View`; a number may stand in it as text.
    Text,
    /// `List<Utf8View>`; a single value is a list of one.
    Multi,
}

impl Kind {
    /// Returns the narrowest kind that holds both.
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

/// The fields that a search can ever read, found by walking its pipeline backwards.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Demand {
    /// Exact names.
    pub names: BTreeSet<String>,
    /// Names with `*`. A pattern that does not begin with `_` does not cover internal fields.
    pub patterns: BTreeSet<String>,
}

impl Demand {
    /// Returns the demand for every field, internal ones too.
    #[must_use]
    pub fn all() -> Self {
        let mut demand = Self::default();
        demand.patterns.insert("*".to_owned());
        demand.patterns.insert("_*".to_owned());
        demand
    }

    /// Returns the demand for these names or patterns.
    pub fn of<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Self {
        let mut demand = Self::default();
        for name in names {
            demand.add(name.as_ref());
        }
        demand
    }

    /// Adds a name, or a pattern if it has a `*`.
    pub fn add(&mut self, name: &str) {
        let set = if name.contains('*') { &mut self.patterns } else { &mut self.names };
        set.insert(name.to_owned());
    }

    /// Adds everything that `other` wants.
    pub fn extend(&mut self, other: &Self) {
        self.names.extend(other.names.iter().cloned());
        self.patterns.extend(other.patterns.iter().cloned());
    }

    /// Returns true if the field is wanted.
    #[must_use]
    pub fn wants(&self, name: &str) -> bool {
        self.names.contains(name) || self.patterns.iter().any(|p| covers(p, name))
    }

    /// Returns true if names have to be learnt from the events.
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

/// What a leading search asks of a source of events. Plain data: it travels with a distributed plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScanRequest {
    /// Which events; the source applies it exactly.
    pub predicate: Predicate,
    /// Which fields of them, in the order of the columns wanted.
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
