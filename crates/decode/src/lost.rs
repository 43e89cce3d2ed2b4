//! Counts what stands in the place of an event among the events of a text: an empty object, `null`
//! where the event's text belongs, a value in a list of events that is no object.
//!
//! Whoever wrote the text had an event there, and left it out or lost it.

use crate::json::{for_each_member, value_end};
use crate::report::{Damage, DamageKind};

/// The members under which programs put a whole event.
const HOLDERS: [&[u8]; 6] =
    [b"CloudTrailEvent", b"_source", b"_raw", b"MESSAGE", b"message", b"@message"];

/// The members of a row of an export that say when and where an event was, and nothing of the event.
const AROUND: [&[u8]; 12] = [
    b"_time",
    b"@timestamp",
    b"timestamp",
    b"host",
    b"source",
    b"sourcetype",
    b"index",
    b"_id",
    b"_index",
    b"_type",
    b"_score",
    b"__REALTIME_TIMESTAMP",
];

/// Returns true for a value that stands in the place of an event and has nothing of it.
pub(crate) fn is_empty_event(value: &[u8]) -> bool {
    if value.first() != Some(&b'{') {
        return value == b"null";
    }
    let (mut has_more, mut is_lost) = (false, false);
    let (mut is_entry, mut has_event) = (false, false);
    for_each_member(value, |name, start| {
        let end = value_end(value, start);
        let (key, inner) = (&value[name], &value[start..end]);
        has_more |= !AROUND.contains(&key);
        is_lost |= HOLDERS.contains(&key) && is_nothing(inner);
        is_entry |= key == b"EventId";
        has_event |= key == b"CloudTrailEvent";
        Some(end)
    });
    // An entry of `LookupEvents` has the event beside its id and name.
    !has_more || is_lost || (is_entry && !has_event)
}

/// Returns true for `null`, an empty text, and the marks that a spreadsheet shows for a long value.
fn is_nothing(value: &[u8]) -> bool {
    let text = value.strip_prefix(b"\"").and_then(|text| text.strip_suffix(b"\""));
    value == b"null"
        || value == b"{}"
        || text.is_some_and(|text| text.trim_ascii().iter().all(|byte| *byte == b'#'))
}

/// The places of lost events of one text.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    count: u64,
    /// The offset of the first one.
    first: u64,
    list: List,
}

/// What a list at the outermost level has had so far.
#[derive(Debug, Default)]
struct List {
    number: u64,
    events: u64,
    others: u64,
    first: u64,
}

impl Lost {
    /// Counts events; `list` is the number of the list around them, if they are in one.
    pub(crate) fn see_events(&mut self, list: Option<u64>, count: u64) {
        if let Some(number) = list {
            self.enter(number);
            self.list.events += count;
        }
    }

    /// Counts what stands in the place of an event.
    pub(crate) fn see_empty(&mut self, offset: u64) {
        if self.count == 0 {
            self.first = offset;
        }
        self.count += 1;
    }

    /// Counts a value in a list that is no object.
    pub(crate) fn see_scalar(&mut self, list: u64, offset: u64) {
        self.enter(list);
        if self.list.others == 0 {
            self.list.first = offset;
        }
        self.list.others += 1;
    }

    fn enter(&mut self, number: u64) {
        if self.list.number != number {
            self.leave();
            self.list = List { number, ..List::default() };
        }
    }

    /// Judges the last list. One event with values beside it is how some programs write a line, such
    /// as its tag and time; a list without an event is one event as cells.
    fn leave(&mut self) {
        let List { events, others, first, .. } = self.list;
        let lost = match events {
            0 => u64::from(others > 0),
            1 => 0,
            _ => others,
        };
        if lost > 0 {
            self.see_empty(first);
            self.count += lost - 1;
        }
    }

    /// Returns the damage of a text with CloudTrail events.
    pub(crate) fn damage(mut self) -> Option<Damage> {
        self.leave();
        let (is, values) = if self.count == 1 { ("is", "value") } else { ("are", "values") };
        (self.count > 0).then(|| Damage {
            offset: self.first,
            kind: DamageKind::LostEvent,
            message: format!(
                "{} {values} among the events {is} empty, or not an object, where an event belongs",
                self.count
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_without_an_event() {
        for (value, is_empty) in [
            ("null", true),
            ("{}", true),
            (r#"{"EventId":"1","CloudTrailEvent":null}"#, true),
            (r#"{"EventId":"1","EventName":"A"}"#, true),
            (r#"{"EventId":"1","CloudTrailEvent":"{}"}"#, false),
            (r#"{"_id":"1","_source":null}"#, true),
            (r#"{"_id":"1","_source":{}}"#, true),
            (r#"{"MESSAGE":null,"t":1}"#, true),
            (r#"{"_time":"1","_raw":""}"#, true),
            ("{\"_time\":\"1\",\"_raw\":\"#####\"}", true),
            (r#"{"_time":"1","_raw":"started"}"#, false),
            (r#"{"_time":"1","host":"a"}"#, true),
            (r#"{"_index":"ct","_id":"1"}"#, true),
            (r#"{"a":null}"#, false),
            ("12", false),
        ] {
            assert_eq!(is_empty_event(value.as_bytes()), is_empty, "{value}");
        }
    }
}
