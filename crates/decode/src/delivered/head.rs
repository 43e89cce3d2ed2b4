//! Reads the few members of a record that decide how it is handled.

use std::ops::Range;

use super::marks::Marks;
use super::records::{Piece, wide};
use crate::json::{is_number, skip_space, value_end, word_end};
use crate::left_out::{Manner, Member, MemberSet};
use crate::own_names::OwnNames;
use crate::split::dress::{is_list, is_other_key, is_placeholder, is_text_of_object};
use crate::split::look::{is_no_name, may_hold_event};

/// The byte ranges of a record's first members, as offsets in the whole text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Head {
    /// The text of `eventName`; `None` unless exactly one member has the name, with a string
    /// without escapes as its value.
    pub(crate) name: Option<Range<u32>>,
    /// The text of the first `eventTime` whose value is a string without escapes.
    pub(crate) time: Option<Range<u32>>,
    /// The members by which the record itself says what it is.
    pub(crate) own_names: OwnNames,
    /// The members that sources may leave out and that this record has.
    pub(crate) members: MemberSet,
    /// What the record says of itself that decides which members it must have.
    pub(crate) manner: Manner,
}

/// Returns the head of a record, or `None` if the record is not a CloudTrail record or its
/// outermost members are not valid JSON.
///
/// `is_plain` means that the record contains no escapes.
pub(super) fn head(text: &[u8], marks: &Marks, pieces: &[Piece], is_plain: bool) -> Option<Head> {
    let quick = if is_plain { quickly(text, marks, pieces) } else { None };
    let members = quick.or_else(|| carefully(text, marks, pieces))?;
    members.head(text)
}

/// The members relevant to the head, while they are collected.
#[derive(Debug, Default, PartialEq)]
struct Members {
    head: Head,
    has_version: bool,
    source: Option<Range<usize>>,
    /// True if another program may have written the record.
    is_dressed: bool,
    /// The number of keys that may be `eventName`.
    names: usize,
}

impl Members {
    /// Records a member; `plain` is the range of its value if that is a string without escapes.
    #[inline]
    fn see(&mut self, key: &[u8], value: Range<usize>, plain: Option<Range<u32>>, text: &[u8]) {
        match key {
            b"eventName" => {
                self.names += 1;
                // Anything but a text is no name: a table has a list of them.
                self.is_dressed |= plain.is_none() && is_no_name(key, &text[first(text, &value)..]);
                self.head.name = plain;
                self.has(Member::EventName);
            }
            b"eventTime" if self.head.time.is_none() => self.head.time = plain,
            b"eventSource" if self.source.is_none() => {
                self.source = Some(value);
                self.has(Member::EventSource);
            }
            b"eventVersion" => self.has_version = true,
            b"eventType" => {
                self.head.manner.see_type(&text[value]);
                self.has(Member::EventType);
            }
            b"awsRegion" => self.has(Member::AwsRegion),
            b"sourceIPAddress" => self.has(Member::SourceIpAddress),
            b"userAgent" => self.has(Member::UserAgent),
            b"recipientAccountId" => self.has(Member::RecipientAccountId),
            b"errorCode" => self.has(Member::ErrorCode),
            b"errorMessage" => self.has(Member::ErrorMessage),
            b"readOnly" => self.head.manner.see_read_only(&text[value]),
            b"requestID"
            | b"eventID"
            | b"managementEvent"
            | b"eventCategory"
            | b"apiVersion"
            | b"sharedEventID"
            | b"vpcEndpointId"
            | b"sessionCredentialFromConsole" => {}
            b"userIdentity"
            | b"requestParameters"
            | b"responseElements"
            | b"additionalEventData"
            | b"resources"
            | b"tlsDetails"
            | b"serviceEventDetails"
            | b"insightDetails"
            | b"edgeDeviceDetails"
            | b"eventContext"
            | b"addendum" => {
                match key {
                    b"userIdentity" => self.has(Member::UserIdentity),
                    b"requestParameters" => self.has(Member::RequestParameters),
                    b"responseElements" => self.has(Member::ResponseElements),
                    b"additionalEventData" => self.has(Member::AdditionalEventData),
                    _ => {}
                }
                // A string that begins like an object stands for one.
                self.is_dressed |=
                    plain.is_some() && matches!(text.get(value.start), Some(b'{' | b'['));
                self.is_dressed |= plain.is_some()
                    && key == b"requestParameters"
                    && is_placeholder(text.get(value.clone()).unwrap_or_default());
                self.is_dressed |= is_list(key, text.get(value.start..).unwrap_or_default());
            }
            _ => {
                self.head.own_names.see_key(key);
                let start = first(text, &value);
                self.is_dressed |=
                    is_other_key(key) || may_hold_event(key, &text[start..value_end(text, start)]);
            }
        }
    }

    fn has(&mut self, member: Member) {
        self.head.members.insert(member);
    }

    fn head(self, text: &[u8]) -> Option<Head> {
        let Self { mut head, has_version, source, names, is_dressed } = self;
        let known =
            usize::from(names > 0) + usize::from(source.is_some()) + usize::from(has_version);
        if known < 2 || is_dressed || source.is_some_and(|source| text[source] == *b"aws:s3") {
            return None;
        }
        if names != 1 {
            head.name = None;
        }
        Some(head)
    }
}

/// Returns the offset at which a value begins; the range of a text is without its quotes.
fn first(text: &[u8], value: &Range<usize>) -> usize {
    let before = value.start.saturating_sub(1);
    if text.get(before) == Some(&b'"') { before } else { value.start }
}

/// Reads the members of a record without escapes by jumping from quote to quote.
///
/// Returns `None` unless the members are written without white space, as CloudTrail writes them.
fn quickly(text: &[u8], marks: &Marks, pieces: &[Piece]) -> Option<Members> {
    let mut members = Members::default();
    let mut quotes = marks.quotes(pieces.first()?.start as usize);
    for (number, piece) in pieces.iter().enumerate() {
        let Range { start, end } = wide(piece);
        let is_last = number + 1 == pieces.len();
        if number > 0 {
            if is_last && start == end {
                break;
            }
            if text[start] != b',' {
                return None;
            }
            quotes.seek(start);
        }
        let mut at = start + 1;
        loop {
            if quotes.next()? != at {
                return None;
            }
            let key_end = quotes.next()?;
            let key = &text[at + 1..key_end];
            let value = key_end + 2;
            if value > end || text[key_end + 1] != b':' {
                return None;
            }
            if value == end {
                if is_last {
                    return None;
                }
                members.see(key, end..end, None, text);
                break;
            }
            if text[value] == b'"' {
                let (start, value_end) = (quotes.next()? + 1, quotes.next()?);
                members.see(key, start..value_end, Some(start as u32..value_end as u32), text);
                at = value_end + 1;
            } else {
                at = word_end(text, value);
                if !is_scalar(&text[value..at]) {
                    return None;
                }
                members.see(key, value..at, None, text);
            }
            // The closing brace follows the last member; any other piece ends with the key of a
            // nested value.
            match text[at] {
                b',' => at += 1,
                _ if at == end && is_last => break,
                _ => return None,
            }
        }
    }
    Some(members)
}

/// Works like [`quickly`] for members with any white space; returns `None` if they are not valid
/// JSON.
fn carefully(text: &[u8], marks: &Marks, pieces: &[Piece]) -> Option<Members> {
    let mut members = Members::default();
    for (number, piece) in pieces.iter().enumerate() {
        let Range { start, end } = wide(piece);
        let is_first = number == 0;
        let mut at = skip_space(text, if is_first { start + 1 } else { start });
        let mut needs_comma = !is_first;
        loop {
            if at >= end {
                // A nested value needs a key before it, and a comma needs another member after it.
                let is_whole = needs_comma || (is_first && pieces.len() == 1);
                if !is_whole {
                    return None;
                }
                break;
            }
            if needs_comma {
                if text[at] != b',' {
                    return None;
                }
                at = skip_space(text, at + 1);
            }
            if at >= end || text[at] != b'"' {
                return None;
            }
            let (key_end, is_escaped) = marks.string_end(at + 1)?;
            let key = &text[at + 1..key_end];
            members.is_dressed |= is_escaped;
            at = skip_space(text, key_end + 1);
            if text.get(at) != Some(&b':') {
                return None;
            }
            at = skip_space(text, at + 1);
            let is_nested = at >= end;
            let is_text = text.get(at) == Some(&b'"');
            let (value, after, has_escapes) = if is_nested {
                (end..end, end, false)
            } else if is_text {
                let (value_end, has_escapes) = marks.string_end(at + 1)?;
                if has_escapes && is_text_of_object(key, &text[at..value_end]) {
                    return None;
                }
                (at + 1..value_end, value_end + 1, has_escapes)
            } else {
                let value_end = word_end(text, at);
                if !is_scalar(&text[at..value_end]) {
                    return None;
                }
                (at..value_end, value_end, false)
            };
            at = skip_space(text, after);
            let plain = (is_text && !has_escapes).then_some(value.start as u32..value.end as u32);
            members.see(key, value, plain, text);
            if is_nested {
                if number + 1 == pieces.len() {
                    return None;
                }
                break;
            }
            needs_comma = true;
        }
    }
    Some(members)
}

fn is_scalar(text: &[u8]) -> bool {
    matches!(text, b"true" | b"false" | b"null") || is_number(text)
}

#[cfg(test)]
mod tests {
    use super::super::records::Records;

    #[test]
    fn names() {
        for (text, name) in [
            (r#"{"eventTime":"t","eventSource":"s","eventName":"A"}"#, Some("A")),
            (r#"{"eventName":"A","x":{"eventName":"B"},"eventSource":"s"}"#, Some("A")),
            (r#"{"eventVersion":"1","x":{"eventName":"B"},"eventSource":"s"}"#, None),
            (r#"{"eventName":"\u0041","eventSource":"s"}"#, None),
            (r#"{"eventName":null,"eventSource":"s"}"#, None),
            (r#"{"eventTime":"t","eventSource":"s","eventName":"A","eventName":"B"}"#, None),
            (r#"{"eventSource":"s","eventName":"A","x":[],"eventName":"B"}"#, None),
            (r#"{"eventSource":"s","eventName":"\u0041"}"#, None),
            (r#"{"eventSource":"s","eventName":null,"eventVersion":1}"#, None),
        ] {
            let mut records = Records::default();
            assert!(records.read(text.as_bytes()), "{text}");
            let found = records.iter(text).next().unwrap().head.name.clone();
            let found = found.map(|name| &text[name.start as usize..name.end as usize]);
            assert_eq!(found, name, "{text}");
        }
    }
}
