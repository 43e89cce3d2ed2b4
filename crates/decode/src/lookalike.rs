//! Recognizes rows that look like CloudTrail events and are none: what is left of events after a query
//! that kept a few of their members, or a tool that renamed them.
//!
//! No detection can match such rows. Whoever put them beside logs expects that they are looked at.

use crate::json::{for_each_member, unescape, value_end};

/// Number of rows of a file that are looked at; the rows of one file have the same members.
pub(crate) const LOOKED_AT: u64 = 16;

/// The names of two members of CloudTrail records, in lower case. As values of a row, they are the
/// header of a table or the keys of a record that was taken apart.
const NAMES: [&str; 2] = ["eventname", "useridentity"];

/// Returns true for a row with the name of an event and its time or source, however they are spelled,
/// or with the names of such members as values.
pub(crate) fn looks_like_event(row: &str) -> bool {
    has_members(row) || names_members(row)
}

/// Returns true if the row's texts contain the names of members of CloudTrail records, whole and in
/// quotes.
fn names_members(row: &str) -> bool {
    let mut found = [false; NAMES.len()];
    let texts = row.split('"').map(|text| text.trim_end_matches('\\'));
    for text in texts.filter(|text| text.len() <= "user_identity".len()) {
        let letters: String = text.chars().filter(char::is_ascii_alphabetic).collect();
        for (name, found) in NAMES.iter().zip(&mut found) {
            *found |= letters.eq_ignore_ascii_case(name);
        }
    }
    found.iter().all(|found| *found)
}

fn has_members(row: &str) -> bool {
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
            (
                r#"{"Rows":[{"Data":[{"VarCharValue":"eventname"},{"VarCharValue":"useridentity"}]}]}"#,
                true,
            ),
            (
                r#"{"list":[{"key":"eventName","value":"A"},{"key":"userIdentity","value":{}}]}"#,
                true,
            ),
            (r#"{"m":"[[\"eventName\",\"user_identity\"]]"}"#, true),
            (r#"{"note":"eventName and userIdentity"}"#, false),
            (r#"{"field":"eventName"}"#, false),
        ] {
            assert_eq!(looks_like_event(row), is_alike, "{row}");
        }
    }
}
