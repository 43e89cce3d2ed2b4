//! Recognizes rows that look like CloudTrail events and are none: what is left of events after a query
//! that kept a few of their members, or a tool that renamed them.
//!
//! No detection can match such rows. Whoever put them beside logs expects that they are looked at.

use crate::json::{for_each_member, unescape, value_end};

/// Number of rows of a file that are looked at; the rows of one file have the same members.
pub(crate) const LOOKED_AT: u64 = 16;

/// Returns true for a row with the name of an event and its time or source, however they are spelled.
pub(crate) fn looks_like_event(row: &str) -> bool {
    let (mut is_named, mut has_more) = (false, false);
    for_each_member(row.as_bytes(), |key, value| {
        let key = unescape(row.get(key).unwrap_or_default());
        let letters = key.chars().filter(|c| c.is_alphanumeric());
        match letters.flat_map(char::to_lowercase).collect::<String>().as_str() {
            "eventname" => is_named = true,
            "eventtime" | "eventsource" => has_more = true,
            _ => {}
        }
        Some(value_end(row.as_bytes(), value))
    });
    is_named && has_more
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_look_like_events() {
        for (row, is_alike) in [
            (r#"{"EventName":"A","EventTime":"t","Username":"u"}"#, true),
            (r#"{"event_time":"t","event_name":"A","user":"u"}"#, true),
            (r#"{"Event name":"A","Event source":"s"}"#, true),
            (r#"{"event\u004eame":"A","eventTime":"t"}"#, true),
            (r#"{"eventName":"A","count":"5"}"#, false),
            (r#"{"EventTime":"t","EventID":"4624"}"#, false),
            (r#"{"detail":{"eventName":"A","eventTime":"t"}}"#, false),
            (r#"{"user":"ann"}"#, false),
        ] {
            assert_eq!(looks_like_event(row), is_alike, "{row}");
        }
    }
}
