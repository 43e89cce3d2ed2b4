//! Looks at the members of an object that has the keys of a record: whether CloudTrail wrote it, and
//! whether it is a record at all.

use super::dress::{has_other_keys, is_list, is_other_key, is_struct, is_text_of_object};
use super::inside::may_hold_events;
use crate::csv::{member_named, place_of, plain};
use crate::json::{for_each_member, value_end};

/// What the members of an object show that has the keys of a record.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// CloudTrail itself would write the record in another way.
    pub(super) is_dressed: bool,
    /// The object is none, but a table, or statistics of its columns.
    pub(super) is_other: bool,
    /// Another member may hold the whole event.
    pub(super) has_more: bool,
}

impl Look {
    pub(super) fn at(record: &[u8]) -> Self {
        let mut look = Self::default();
        for_each_member(record, |name, value| {
            let end = value_end(record, value);
            let (key, value) = (&record[name], &record[value..end]);
            look.is_dressed = look.is_dressed
                || is_other_key(key)
                || is_text_of_object(key, value)
                || is_list(key, value)
                || (is_struct(key) && has_other_keys(key, value));
            look.is_other |= is_no_name(key, value);
            look.has_more = look.has_more || may_hold_event(key, value);
            Some(end)
        });
        look
    }
}

/// Returns true if a member of a record that is none of CloudTrail's may hold a whole event.
pub(crate) fn has_more(record: &[u8]) -> bool {
    let mut found = false;
    for_each_member(record, |name, value| {
        let end = value_end(record, value);
        found = may_hold_event(&record[name], &record[value..end]);
        (!found).then_some(end)
    });
    found
}

/// Returns true if the value of `eventName` is none: the name of a call is a text.
pub(crate) fn is_no_name(key: &[u8], value: &[u8]) -> bool {
    !matches!(value.first(), Some(b'"' | b'n')) && is_name(key)
}

/// Returns true for `eventName` in any spelling.
pub(super) fn is_name(key: &[u8]) -> bool {
    matches!((key.first(), key.len()), (Some(b'e' | b'E'), 9..=10))
        && std::str::from_utf8(key).is_ok_and(|key| plain(key) == "eventname")
}

/// Returns true if a member that is none of CloudTrail's may hold a whole event.
pub(crate) fn may_hold_event(key: &[u8], value: &[u8]) -> bool {
    /// The least length of an event in any form.
    const SHORTEST: usize = 64;
    value.len() >= SHORTEST
        && matches!(value.first(), Some(b'{' | b'[' | b'"'))
        && std::str::from_utf8(key)
            .is_ok_and(|key| member_named(key).is_none() && place_of(key).is_none())
        && may_hold_events(value)
}

/// Returns the number of members of CloudTrail that a record has, by their exact names.
pub(crate) fn count_members(record: &[u8]) -> usize {
    let mut count = 0;
    for_each_member(record, |name, value| {
        let key = std::str::from_utf8(&record[name]).unwrap_or_default();
        count += usize::from(member_named(key).is_some());
        Some(value_end(record, value))
    });
    count
}
