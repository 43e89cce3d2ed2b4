//! Recognizes rows that look like CloudTrail events and are none: what is left of events after a query
//! that kept a few of their members, or a tool that renamed them.
//!
//! No detection can match such rows. Whoever put them beside logs expects that they are looked at.

use crate::json::{for_each_element, for_each_member, unescape, value_end};
use crate::split::about::{is_about_events, value_after};
use crate::split::grid::Grid;
use crate::split::is_call;

/// Number of rows of a file that are looked at; the rows of one file have the same members.
pub(crate) const LOOKED_AT: u64 = 16;

/// The names of two members of CloudTrail records, in lower case. As values of a row, they are the
/// header of a table or the keys of a record that was taken apart.
const NAMES: [&str; 2] = ["eventname", "useridentity"];

/// How deep the rows of other products are looked at, and how many elements of their lists.
const MAX_DEPTH: usize = 6;
const MAX_ELEMENTS: usize = 2;

/// The bytes within which an object that stands for the name of a call has it.
const NEAR: usize = 256;

/// What other products call the kind of a row that was an event of CloudTrail, as the value of a member.
const KINDS: [&str; 3] = ["aws.cloudtrail", "aws:cloudtrail", "cloudtrail"];

/// Returns true if the name of a member, given by its letters in lower case, tells who did something,
/// where, or from where.
fn is_telling(letters: &str) -> bool {
    ["user", "account", "identity", "principal", "resource"]
        .iter()
        .any(|part| letters.contains(part))
        || ["arn", "region", "address", "srcip", "sourceip", "clientip"]
            .iter()
            .any(|end| letters.ends_with(end))
        || matches!(letters, "actor" | "caller" | "role" | "ip" | "src")
}

/// Returns true for a row with the name of an event and what else is known of it, however they are
/// spelled, with the names of such members as values, or with what another product made of an event.
pub(crate) fn looks_like_event(row: &str) -> bool {
    !is_about_events(row.as_bytes(), "") && has_event_in_other_form(row)
}

/// Returns true for what [`looks_like_event`] finds, in a row that is known not to be about events.
pub(crate) fn has_event_in_other_form(row: &str) -> bool {
    has_members(row)
        || has_rows(row)
        || names_members(row)
        || is_table(row)
        || Made::of(row).is_event()
}

/// Texts and lists that are no rows, as far as they have been looked at: queries may print the values
/// of events without their names.
#[derive(Debug, Default)]
pub(crate) struct Values {
    /// The number of bytes that were looked at.
    length: usize,
    /// The number of calls, and that of lists with one.
    calls: u64,
    rows: u64,
    /// A list has several calls.
    has_choice: bool,
    others: u64,
    names: [bool; NAMES.len()],
    /// A value is the host of a service, or the ARN of a caller.
    has_known: bool,
    is_event: bool,
}

impl Values {
    /// The most bytes that are looked at; the lists of one file are alike.
    const MOST: usize = 64 * 1024;

    /// Looks at a text or list, given as valid JSON.
    pub(crate) fn see(&mut self, value: &[u8]) {
        if self.length >= Self::MOST || self.is_event {
            return;
        }
        let piece = &value[..value.len().min(Self::MOST)];
        self.length += piece.len();
        let (mut calls, mut has_more) = (0, false);
        // Between two quotes is a text, or what separates texts.
        for text in String::from_utf8_lossy(piece).split('"').skip(1) {
            if is_call(text.as_bytes()) {
                calls += 1;
            } else if text.bytes().any(|byte| byte.is_ascii_alphanumeric()) {
                self.others += 1;
                self.has_known |= is_service(text) || is_caller(text);
                has_more |= is_time(text);
            }
            see_name(text, &mut self.names);
        }
        self.calls += calls;
        // A list of calls is what somebody looks for. Queries write a list for each event.
        let is_list = value.first() == Some(&b'[');
        self.rows += u64::from(is_list && calls == 1);
        self.has_choice |= is_list && calls > 1;
        self.is_event |= calls > 0 && has_more;
    }

    /// Returns true if the values are those of events: a call with its time or service, rows of one
    /// call, or names of members.
    pub(crate) fn look_like_events(&self) -> bool {
        // Some names of calls begin with no verb.
        let are_calls = self.rows > 1 && !self.has_choice && self.calls >= self.others;
        let are_events = self.is_event || (self.calls > 0 && self.has_known);
        are_events || are_calls || self.names.iter().all(|found| *found)
    }
}

/// Returns true for a text such as `2026-03-17T10:00:00Z`.
fn is_time(text: &str) -> bool {
    let is_digit = |at: usize| text.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
    [0, 1, 2, 3, 5, 6, 8, 9].into_iter().all(is_digit)
        && matches!(text.as_bytes().get(4), Some(b'-'))
}

/// Returns true for a table whose columns have the names of a row that looks like an event.
fn is_table(row: &str) -> bool {
    let Some(grid) = Grid::of(row.as_bytes()) else { return false };
    let mut seen = SeenNames::default();
    grid.names().iter().for_each(|name| seen.see(name));
    seen.are_of_event()
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
    /// A value is the ARN of a caller.
    has_caller: bool,
    /// A member below, or in a list, has CloudTrail's name as that of a product.
    is_product: bool,
    /// A value below, or in a list, is the name of an API call.
    has_deep_call: bool,
}

impl Made {
    /// Looks at the members of a row, and at those of the objects in it.
    fn of(row: &str) -> Self {
        let mut made = Self::default();
        made.see(row, 2);
        made.see_deep("", row, MAX_DEPTH);
        made
    }

    fn is_event(&self) -> bool {
        self.is_named
            || (self.has_call && (self.has_service || self.has_caller))
            || (self.is_product && self.has_deep_call)
    }

    /// Looks for the name of a product and of a call anywhere in a value; of lists, only the first
    /// elements are looked at.
    fn see_deep(&mut self, key: &str, value: &str, levels: usize) {
        let bytes = value.as_bytes();
        let inner = |start: usize| value.get(start..value_end(bytes, start)).unwrap_or_default();
        match bytes.first() {
            Some(b'"') => {
                let text = value.trim_matches('"');
                let is_product = key.to_ascii_lowercase().contains("product");
                self.is_product |= is_product && text.eq_ignore_ascii_case("aws cloudtrail");
                self.has_deep_call |= is_call(text.as_bytes());
            }
            Some(b'{') if levels > 0 => for_each_member(bytes, |key, start| {
                let key = value.get(key).unwrap_or_default();
                self.see_deep(key, inner(start), levels - 1);
                Some(value_end(bytes, start))
            }),
            Some(b'[') if levels > 0 => {
                let mut count = 0;
                for_each_element(bytes, |start| {
                    self.see_deep(key, inner(start), levels - 1);
                    count += 1;
                    if count < MAX_ELEMENTS { value_end(bytes, start) } else { bytes.len() }
                });
            }
            _ => {}
        }
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
        self.has_service |= is_service(text);
        self.has_caller |= is_caller(text);
        self.has_call |= is_call(text.as_bytes());
    }
}

/// Returns true for the host of an AWS service.
fn is_service(text: &str) -> bool {
    let service = text.strip_suffix(".amazonaws.com").unwrap_or_default();
    !service.is_empty() && service.bytes().all(is_of_host)
}

/// Returns true for the ARN of a user or session.
fn is_caller(text: &str) -> bool {
    let mut parts = text.split(':');
    parts.next() == Some("arn")
        && parts.next().is_some_and(|partition| partition.starts_with("aws"))
        && matches!(parts.next(), Some("iam" | "sts"))
        && parts.nth(2).is_some_and(|name| {
            let kinds = ["user/", "assumed-role/", "federated-user/"];
            name == "root" || kinds.iter().any(|kind| name.starts_with(kind))
        })
}

fn is_of_host(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.')
}

/// Returns true if the row's texts contain the names of members of CloudTrail records, whole and in
/// quotes.
fn names_members(row: &str) -> bool {
    let mut found = [false; NAMES.len()];
    let mut at = 0;
    for text in row.split('"') {
        at += text.len();
        let mut names = [false; NAMES.len()];
        see_name(text.trim_end_matches('\\'), &mut names);
        names[0] = names[0] && may_have_value(row.get(at..).unwrap_or_default());
        found.iter_mut().zip(names).for_each(|(found, name)| *found |= name);
        at += 1;
    }
    found.iter().all(|found| *found)
}

/// Returns false for the name of an event that patterns and schemas describe: its value is a list, or an object
/// without the name of a call.
fn may_have_value(rest: &str) -> bool {
    match value_after(rest.as_bytes()) {
        Some(value) => !is_description(&String::from_utf8_lossy(&value[..value.len().min(NEAR)])),
        None => true,
    }
}

/// Returns true if the value of a name begins as a list, or as an object that holds no call.
fn is_description(value: &str) -> bool {
    match value.as_bytes().first() {
        Some(b'[') => true,
        Some(b'{') => {
            let object = value.split('}').next().unwrap_or_default();
            !object.split('"').any(|text| is_call(text.trim_end_matches('\\').as_bytes()))
        }
        _ => false,
    }
}

/// Notes which of the names a text is.
fn see_name(text: &str, found: &mut [bool; NAMES.len()]) {
    if text.len() > "user_identity".len() {
        return;
    }
    let letters: String = text.chars().filter(char::is_ascii_alphabetic).collect();
    for (name, found) in NAMES.iter().zip(found) {
        *found |= letters.eq_ignore_ascii_case(name);
    }
}

/// What the names of a row's members show.
#[derive(Debug, Default)]
struct SeenNames {
    count: usize,
    is_named: bool,
    has_more: bool,
    is_telling: bool,
    /// A member is about the alert of a product, which has the name of an event for its own reasons.
    is_alert: bool,
}

impl SeenNames {
    fn see(&mut self, name: &str) {
        let letters = name.chars().filter(|c| c.is_alphanumeric());
        let letters: String = letters.flat_map(char::to_lowercase).collect();
        self.count += 1;
        match letters.as_str() {
            "eventname" => self.is_named = true,
            "eventtime" | "eventsource" => self.has_more = true,
            "rule" | "rulename" | "ruleid" | "alert" | "alertname" | "alertid" => {
                self.is_alert = true;
            }
            letters => self.is_telling |= is_telling(letters),
        }
    }

    /// Returns true for the name of an event and more than its count.
    fn are_of_event(&self) -> bool {
        self.is_named && (self.has_more || (self.is_telling && !self.is_alert))
    }
}

/// Returns true for an object whose members are rows by their numbers, or that has a list of rows, if
/// the first one looks like an event.
fn has_rows(object: &str) -> bool {
    let bytes = object.as_bytes();
    let mut found = false;
    for_each_member(bytes, |key, start| {
        let end = value_end(bytes, start);
        let is_number = bytes[key].iter().all(u8::is_ascii_digit);
        match bytes.get(start) {
            Some(b'{') if is_number => {
                found = has_members(object.get(start..end).unwrap_or_default());
            }
            Some(b'[') => for_each_element(&bytes[start..end], |at| {
                let element = object.get(start + at..end).unwrap_or_default();
                let row = element.get(..value_end(element.as_bytes(), 0)).unwrap_or_default();
                found |= row.starts_with('{') && has_members(row);
                // The rows of a list are alike.
                end - start
            }),
            _ => {}
        }
        (!found).then_some(end)
    });
    found
}

fn has_members(row: &str) -> bool {
    let mut seen = SeenNames::default();
    let (mut is_call_alone, mut is_word, mut is_action) = (false, false, false);
    for_each_member(row.as_bytes(), |key, value| {
        let end = value_end(row.as_bytes(), value);
        // The Elastic Common Schema has the call as `event.action`.
        let value_text = row.get(value..end).unwrap_or_default().trim_matches('"');
        is_action |= row.get(key.clone()) == Some("event.action") && is_call(value_text.as_bytes());
        let was_named = seen.is_named;
        let key = unescape(row.get(key).unwrap_or_default());
        // A pattern or a schema has a list or a description in the place of the name.
        let is_name = key.len() > "event_name".len()
            || !is_description(row.get(value..end).unwrap_or_default());
        if is_name {
            seen.see(&key);
        }
        if seen.is_named && !was_named {
            is_call_alone = is_call(value_text.as_bytes());
            is_word = value_text.starts_with(|letter: char| letter.is_ascii_uppercase())
                && value_text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        }
        Some(end)
    });
    // Programs of all kinds count what their users do, and call it other than AWS does.
    (seen.are_of_event() && (seen.has_more || is_word))
        || (is_action && seen.is_telling)
        // Nothing but the name of a call is what is left of each event.
        || (seen.is_named && seen.count == 1 && is_call_alone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_look_like_those_of_events() {
        for (values, are_alike) in [
            (
                &[r#"["1.10",{"type":"Root"},"2026-03-17T10:00:00Z","s3.amazonaws.com","GetKey"]"#]
                    [..],
                true,
            ),
            (&[r#"["GetKey","2026-03-17T10:00:00Z","ann"]"#], true),
            (&[r#"["GetKey"]"#, r#"["ListKeys"]"#], true),
            (&[r#""GetKey""#, r#""ListKeys""#], false),
            (&[r#"["GetKey","ListKeys"]"#, r#"["ModifyKey"]"#, r#"["ListKeys"]"#], false),
            (
                &[
                    r#"[["Records",0,"eventName"],"A"]"#,
                    r#"[["Records",0,"userIdentity","arn"],"x"]"#,
                ],
                true,
            ),
            (&[r#""t""#, r#""GetKey""#, r#""arn:aws:sts::111122223333:assumed-role/r/s""#], true),
            (&[r#""s3.amazonaws.com""#, r#""GetKey""#, r#""eu-west-1""#], true),
            (&[r#"["GetKey"]"#, r#"["ConsoleLogin"]"#, r#"["ListKeys"]"#], true),
            (&[r#"["GetKey"]"#], false),
            (&[r#"["GetKey"]"#, r#"["a"]"#], false),
            (&[r#"["s3:GetKey"]"#, r#"["s3:ListKeys"]"#], false),
            (&[r#"["eventName","count"]"#], false),
            (&["[1,2]", "[]", "\"\""], false),
            (&[], false),
        ] {
            let mut seen = Values::default();
            values.iter().for_each(|value| seen.see(value.as_bytes()));
            assert_eq!(seen.look_like_events(), are_alike, "{values:?}");
        }
        let mut seen = Values::default();
        let long = format!("[\"{}\"]", "x".repeat(Values::MOST));
        seen.see(long.as_bytes());
        seen.see(br#"["GetKey","s3.amazonaws.com"]"#);
        assert!(!seen.look_like_events());
    }

    #[test]
    fn rows_that_look_like_events() {
        for (row, is_alike) in [
            (r#"{"EventName":"A","EventTime":"t","Username":"u"}"#, true),
            (r#"{"event_time":"t","event_name":"A","user":"u"}"#, true),
            (r#"{"Event name":"A","Event source":"s"}"#, true),
            (r#"{"event\u004eame":"A","eventTime":"t"}"#, true),
            (r#"{"eventName":"A","count":"5"}"#, false),
            (r#"{"eventName":"GetKey","_time":"t","count":"5"}"#, false),
            (r#"{"eventName":"GetKey"}"#, true),
            (r#"{"eventName":"page viewed"}"#, false),
            (r#"{"_time":"t","eventName":"A","user_arn":"u"}"#, true),
            (r#"{"event_name":"A","src_ip":"192.0.2.1"}"#, true),
            (r#"{"event_name":"page_view","user_id":"1","ip":"192.0.2.1"}"#, false),
            (r#"{"eventName":"A","warning":"w","zip":"1"}"#, false),
            (r#"{"EventName":"A","AccountId":"1"}"#, true),
            (r#"{"eventName":"A","region":"r"}"#, true),
            (r#"{"EventName":"GetKey","Resources":[]}"#, true),
            (r#"{"@timestamp":"t","event.action":"GetKey","source.ip":"192.0.2.1"}"#, true),
            (r#"{"@timestamp":"t","event.action":"login","source.ip":"192.0.2.1"}"#, false),
            (
                r#"{"0":{"eventName":"A","eventTime":"t"},"1":{"eventName":"B","eventTime":"t"}}"#,
                true,
            ),
            (r#"{"schema":{},"data":[{"eventName":"A","region":"r"},{}]}"#, true),
            (r#"{"data":[{"eventName":"A","count":1}],"list":[],"texts":["a"]}"#, false),
            (r#"{"columns":["eventName","user"],"data":[["A","u"]]}"#, true),
            (r#"{"columns":["eventName","count"],"data":[["A",5]]}"#, false),
            (r#"{"action":"ListKeys","who":"arn:aws:iam::111122223333:user/ann"}"#, true),
            (r#"{"action":"start","who":"arn:aws:iam::111122223333:user/ann"}"#, false),
            (r#"{"RoleName":"StartStop","Arn":"arn:aws:iam::111122223333:role/StartStop"}"#, false),
            (
                r#"{"events":[{"event":{"metadata":{"productEventType":"GetKey","productName":"AWS CloudTrail"}}}]}"#,
                true,
            ),
            (r#"{"product/ProductName":"AWS CloudTrail","cost":"1"}"#, false),
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
            // What speaks of events, or is kept about them.
            (r#"{"alerts":[{"rule":"CreateTask","eventName":"CreateTask","user":"x"}]}"#, false),
            (r#"{"rule":"r","eventName":"CreateTask","eventTime":"t"}"#, true),
            (
                r#"{"mappings":{"properties":{"eventName":{"type":"keyword"},"userIdentity":{"properties":{}}}}}"#,
                false,
            ),
            (r#"{"detail":{"eventName":["CreateUser"],"userIdentity":{"type":["Root"]}}}"#, false),
            (r#"{"eventName":["CreateUser"],"eventSource":["iam.amazonaws.com"]}"#, false),
            (
                r#"{"p":"{\"eventName\":[\"GetKey\"],\"userIdentity\":{\"type\":[\"Root\"]}}"}"#,
                false,
            ),
            (
                r#"{"type":"object","properties":{"eventName":{"type":"string"}},"required":["eventName","userIdentity"]}"#,
                false,
            ),
            (
                r#"{"schema_version":1,"run_id":"r","detection":{},"result":{"eventName":"GetKey","who":"arn:aws:iam::111122223333:user/ann"}}"#,
                false,
            ),
            // An object that stands for a text.
            (r#"{"eventName":{"S":"CreateUser"},"eventTime":{"S":"t"}}"#, true),
            (r#"{"Item":{"eventName":{"S":"CreateUser"},"userIdentity":{"M":{}}}}"#, true),
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
