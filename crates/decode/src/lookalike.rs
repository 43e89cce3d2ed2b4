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

/// What other products call the kind of a row that was an event of CloudTrail, as the value of a member.
const KINDS: [&str; 3] = ["aws.cloudtrail", "aws:cloudtrail", "cloudtrail"];

/// Words that begin the names of API calls.
const VERBS: [&str; 35] = [
    "Accept",
    "Add",
    "Allocate",
    "Associate",
    "Assume",
    "Attach",
    "Authorize",
    "Batch",
    "Copy",
    "Create",
    "Decrypt",
    "Delete",
    "Deregister",
    "Describe",
    "Detach",
    "Disable",
    "Enable",
    "Generate",
    "Get",
    "Import",
    "Invoke",
    "List",
    "Lookup",
    "Modify",
    "Put",
    "Register",
    "Remove",
    "Replace",
    "Restore",
    "Revoke",
    "Run",
    "Set",
    "Start",
    "Stop",
    "Update",
];

/// Returns true for a row with the name of an event and its time or source, however they are spelled,
/// with the names of such members as values, or with what another product made of an event.
pub(crate) fn looks_like_event(row: &str) -> bool {
    has_members(row) || names_members(row) || Made::of(row).is_event()
}

/// What shows that a product put the values of an event under names of its own.
#[derive(Debug, Default)]
struct Made {
    /// A member has the product's name for CloudTrail, or its name is `cloudtrail` with members inside.
    is_named: bool,
    /// A value is the host of an AWS service.
    has_service: bool,
    /// A value is the name of an API call.
    has_call: bool,
}

impl Made {
    /// Looks at the members of a row, and at those of the objects in it.
    fn of(row: &str) -> Self {
        let mut made = Self::default();
        made.see(row, 2);
        made
    }

    fn is_event(&self) -> bool {
        self.is_named || (self.has_service && self.has_call)
    }

    fn see(&mut self, object: &str, levels: usize) {
        let bytes = object.as_bytes();
        for_each_member(bytes, |key, start| {
            let end = value_end(bytes, start);
            let key = object.get(key).unwrap_or_default();
            let value = object.get(start..end).unwrap_or_default();
            if let Some(text) = value.strip_prefix('"') {
                self.see_text(key, text.strip_suffix('"').unwrap_or(text));
            } else if value.starts_with('{') {
                self.is_named |= key.eq_ignore_ascii_case("cloudtrail");
                if levels > 1 {
                    self.see(value, levels - 1);
                }
            }
            self.is_named |= key.to_ascii_lowercase().contains("cloudtrail.");
            Some(end)
        });
    }

    fn see_text(&mut self, key: &str, text: &str) {
        let is_kind = KINDS.iter().any(|kind| text.eq_ignore_ascii_case(kind));
        // The service of this name is as good a value of other members.
        let tells_kind = ["type", "dataset", "module", "category", "product"];
        let key = key.to_ascii_lowercase();
        self.is_named |= is_kind && tells_kind.iter().any(|end| key.ends_with(end));
        let service = text.strip_suffix(".amazonaws.com").unwrap_or_default();
        self.has_service |= !service.is_empty() && service.bytes().all(is_of_host);
        self.has_call |= is_call(text);
    }
}

fn is_of_host(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.')
}

/// Returns true for the name of an API call, such as `ModifyImageAttribute`.
fn is_call(text: &str) -> bool {
    let rest = VERBS.iter().find_map(|verb| text.strip_prefix(verb)).unwrap_or_default();
    rest.starts_with(|letter: char| letter.is_ascii_uppercase())
        && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
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
            // What other products make of events.
            (r#"{"event":{"action":"ModifyKey","provider":"kms.amazonaws.com"}}"#, true),
            (r#"{"event.action":"ModifyKey","event.provider":"kms.amazonaws.com"}"#, true),
            (r#"{"event":{"dataset":"aws.cloudtrail"},"user":{"name":"ann"}}"#, true),
            (r#"{"aws":{"cloudtrail":{"event_type":"AwsApiCall"}}}"#, true),
            (r#"{"aws.cloudtrail.event_type":"AwsApiCall"}"#, true),
            (r#"{"p_log_type":"AWS.CloudTrail","p_any_ip_addresses":["192.0.2.1"]}"#, true),
            (
                r#"{"metadata":{"product_event_type":"GetKey"},"target":{"application":"kms.amazonaws.com"}}"#,
                true,
            ),
            (r#"{"Principal":{"Service":"kms.amazonaws.com"},"Action":"kms:GetKey"}"#, false),
            (
                r#"{"service":{"action":{"call":{"api":"ListKeys","host":"kms.amazonaws.com"}}}}"#,
                false,
            ),
            (r#"{"service":"cloudtrail","cost":"12"}"#, false),
            (r#"{"kind":"GetTogether","host":"example.com"}"#, false),
        ] {
            assert_eq!(looks_like_event(row), is_alike, "{row}");
        }
    }
}
