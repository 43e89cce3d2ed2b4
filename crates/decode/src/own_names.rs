//! Finds the members by which an event itself says what it is: those of other products, and those
//! that replace what is known from the file of a row.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde::{Deserialize, Serialize};
use spilltrail_event::fields;

use crate::given::GivenFields;
use crate::json::{for_each_member, unescape, value_end};
use crate::record::Format;

/// The names that are looked for. Each has a bit in [`OwnNames`].
const NAMES: [&str; 8] = [
    fields::INDEX,
    fields::SOURCE,
    fields::SOURCETYPE,
    fields::OF_OTHER_PRODUCTS[0],
    fields::OF_OTHER_PRODUCTS[1],
    fields::OF_OTHER_PRODUCTS[2],
    fields::OF_OTHER_PRODUCTS[3],
    fields::OF_OTHER_PRODUCTS[4],
];

/// The number of names that count only in rows: the members of other events do not replace these.
const OF_ROWS: usize = 3;

const _: () = assert!(NAMES.len() == OF_ROWS + fields::OF_OTHER_PRODUCTS.len());

/// Searchers for the names in quotes.
static FINDERS: LazyLock<[Finder<'static>; NAMES.len()]> =
    LazyLock::new(|| NAMES.map(|name| Finder::new(&format!("\"{name}\"")).into_owned()));

/// Finds the start of an escape that could hide a name.
static ESCAPE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\\u"));

/// A set of outermost members, such as `sourcetype` or `EventCode`, that events have and by which
/// searches pick the events of a product.
///
/// `index`, `source` and `sourcetype` count only in rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OwnNames(u8);

impl OwnNames {
    /// Returns true if no event has any of these members.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the names of the members.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let has = move |(bit, name)| (self.0 >> bit & 1 == 1).then_some(name);
        NAMES.into_iter().enumerate().filter_map(has)
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Adds a member of an event that is no row, by its key as written.
    #[inline]
    pub(crate) fn see_key(&mut self, key: &[u8]) {
        // The keys of CloudTrail's own members seldom have these lengths.
        if matches!(key.len(), 3 | 7 | 9) {
            self.see_name(key, OF_ROWS);
        }
    }

    /// Adds the fields that are given beside an event.
    pub(crate) fn see_given(&mut self, fields: &GivenFields) {
        fields.iter().for_each(|(name, _)| self.see_name(name.as_bytes(), OF_ROWS));
    }

    /// Adds a name if it is one of those from `first` on.
    fn see_name(&mut self, name: &[u8], first: usize) {
        if let Some(place) = NAMES[first..].iter().position(|known| known.as_bytes() == name) {
            self.0 |= 1 << (first + place);
        }
    }

    /// Adds the members of an event.
    pub(crate) fn see(&mut self, event: &str, format: Format) {
        let is_row = format.has_own_names();
        let first = if is_row { 0 } else { OF_ROWS };
        let bytes = event.as_bytes();
        let is_unknown = |bit: &usize| self.0 >> bit & 1 == 0;
        let mut unknown = (first..NAMES.len()).filter(is_unknown).peekable();
        if unknown.peek().is_none() {
            return;
        }
        // The text has a name far more often than the event has the member.
        let may_have = unknown.any(|bit| FINDERS[bit].find(bytes).is_some());
        if !may_have && ESCAPE.find(bytes).is_none() {
            return;
        }
        for_each_member(bytes, |key, value| {
            let key = event.get(key).unwrap_or_default();
            self.see_name(unescape(key).as_bytes(), first);
            Some(value_end(bytes, value))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outermost_members_that_say_what_an_event_is() {
        let all = "index source sourcetype eventtype tag Channel EventCode EventID";
        let members: Vec<String> = all.split(' ').map(|name| format!("\"{name}\":\"x\"")).collect();
        let event = format!("{{{}}}", members.join(","));
        let others = fields::OF_OTHER_PRODUCTS.join(" ");
        for (event, format, expected) in [
            (&*event, Format::Json, all),
            (&*event, Format::Csv, all),
            (&*event, Format::CloudTrail, &*others),
            (&*event, Format::Lake, &*others),
            (r#"{"a":{"tag":1},"b":["sourcetype"]}"#, Format::Json, ""),
            (r#"{"a":"\u0041","t\u0061g":1}"#, Format::CloudTrail, "tag"),
            (r#"{ "EventID" : 4 }"#, Format::Json, "EventID"),
            (r#"{"eventID":"4"}"#, Format::CloudTrail, ""),
        ] {
            let mut found = OwnNames::default();
            found.see(event, format);
            assert_eq!(found.names().collect::<Vec<_>>().join(" "), expected, "{event}");
            assert_eq!(found.is_empty(), expected.is_empty());
        }
        let given = GivenFields::read(r#"{"tag":["a","b"],"source":"x","other":1}"#).unwrap();
        let mut found = OwnNames::default();
        found.see_given(&given);
        assert_eq!(found.names().collect::<Vec<_>>(), ["tag"]);
        for name in fields::OF_OTHER_PRODUCTS {
            let mut found = OwnNames::default();
            found.see_key(name.as_bytes());
            assert_eq!(found.names().collect::<Vec<_>>(), [*name]);
        }
    }
}
