//! Finds the traces that events leave in a text of any form: names of CloudTrail's members that are
//! followed by values such as they have, and rows of such values.
//!
//! A document that speaks of members has few values, and a detection has no time, id or address. So
//! neither is taken for events.

/// The most bytes over which the members of one event are spread.
const REACH: usize = 4096;
/// The number of different members with values that show an event.
const MEMBERS: usize = 4;
/// The most bytes between a name and its value, other than letters and digits.
const GAP: usize = 24;
/// The most bytes of a value that are looked at.
const LONGEST: usize = 256;
/// The number of rows that show events.
const ROWS: usize = 2;

/// A kind of value that a member has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    /// What tells one event from another: no rule names it.
    Time,
    Id,
    Address,
    Key,
    /// What many events share.
    Host,
    Action,
    Region,
    Version,
    Account,
    Type,
    Flag,
    Arn,
}

/// The members that are looked for, in lower case and without underscores.
const NAMES: [(&[u8], Value); 16] = [
    (b"eventtime", Value::Time),
    (b"eventid", Value::Id),
    (b"requestid", Value::Id),
    (b"sourceipaddress", Value::Address),
    (b"accesskeyid", Value::Key),
    (b"principalid", Value::Key),
    (b"eventsource", Value::Host),
    (b"eventname", Value::Action),
    (b"awsregion", Value::Region),
    (b"eventversion", Value::Version),
    (b"recipientaccountid", Value::Account),
    (b"accountid", Value::Account),
    (b"eventtype", Value::Type),
    (b"readonly", Value::Flag),
    (b"managementevent", Value::Flag),
    (b"arn", Value::Arn),
];

/// Words that programs put between a name and its value: the type of the value.
const TYPES: [&[u8]; 7] =
    [b"S", b"N", b"string", b"stringvalue", b"value", b"varcharvalue", b"bool"];

/// The first words of names of API calls.
const VERBS: [&[u8]; 46] = [
    b"Accept",
    b"Add",
    b"Allocate",
    b"Assume",
    b"Associate",
    b"Attach",
    b"Authorize",
    b"Batch",
    b"Cancel",
    b"Change",
    b"Check",
    b"Complete",
    b"Console",
    b"Copy",
    b"Create",
    b"Delete",
    b"Deregister",
    b"Describe",
    b"Detach",
    b"Disable",
    b"Disassociate",
    b"Enable",
    b"Execute",
    b"Generate",
    b"Get",
    b"Head",
    b"Import",
    b"Invoke",
    b"List",
    b"Lookup",
    b"Modify",
    b"Publish",
    b"Put",
    b"Reboot",
    b"Register",
    b"Remove",
    b"Restore",
    b"Revoke",
    b"Run",
    b"Send",
    b"Set",
    b"Share",
    b"Start",
    b"Stop",
    b"Terminate",
    b"Update",
];

/// Returns true if a text has traces of events.
pub(super) fn are_in(text: &[u8]) -> bool {
    has_members(text) || has_rows(text) || has_messages(text)
}

/// Returns true if different members with values of their kinds are near each other.
fn has_members(text: &[u8]) -> bool {
    let mut found: Vec<(usize, usize)> = Vec::new();
    for (start, end) in (Words { text, at: 0 }) {
        let Some((index, after)) = name_at(text, start, end) else { continue };
        if value_after(text, after).is_some_and(|value| fits(NAMES[index].1, value)) {
            found.push((start, index));
            let begin = found.partition_point(|(at, _)| at + REACH < start);
            if shows_event(&found[begin..]) {
                return true;
            }
        }
    }
    false
}

fn shows_event(found: &[(usize, usize)]) -> bool {
    let mut members = [false; NAMES.len()];
    found.iter().for_each(|(_, index)| members[*index] = true);
    let has = |wanted: &[Value]| {
        NAMES.iter().zip(members).any(|((_, value), is_there)| is_there && wanted.contains(value))
    };
    members.iter().filter(|is_there| **is_there).count() >= MEMBERS
        && has(&[Value::Host, Value::Action])
        && has(&[Value::Time, Value::Id, Value::Address, Value::Key])
}

/// The words of a text: letters, digits and underscores.
struct Words<'a> {
    text: &'a [u8],
    at: usize,
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

impl Iterator for Words<'_> {
    type Item = (usize, usize);

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.at + self.text[self.at..].iter().position(|byte| is_letter(*byte))?;
        let rest = &self.text[start..];
        let end = start + rest.iter().position(|byte| !is_letter(*byte)).unwrap_or(rest.len());
        self.at = end;
        Some((start, end))
    }
}

/// Returns the index of the member that a word names, alone or with the next word, and the end of
/// the name.
fn name_at(text: &[u8], start: usize, end: usize) -> Option<(usize, usize)> {
    if let Some(index) = index_of(&text[start..end]) {
        return Some((index, end));
    }
    // `Event name`, `event-name`.
    let is_first = [&b"event"[..], b"source", b"aws", b"request", b"read", b"account", b"access"]
        .iter()
        .any(|word| text[start..end].eq_ignore_ascii_case(word));
    if !is_first || !matches!(text.get(end), Some(b' ' | b'-')) {
        return None;
    }
    let rest = &text[end + 1..];
    let length = rest.iter().take_while(|byte| is_letter(**byte)).count();
    let index = index_of(&[&text[start..end], &rest[..length]].concat())?;
    Some((index, end + 1 + length))
}

fn index_of(word: &[u8]) -> Option<usize> {
    if word.len() > "recipient_account_id".len() {
        return None;
    }
    let letters = || word.iter().filter(|byte| **byte != b'_').map(u8::to_ascii_lowercase);
    NAMES.iter().position(|(name, _)| letters().eq(name.iter().copied()))
}

/// Returns the value that follows a name: the next word with all that belongs to it.
///
/// Spaces alone do not make it one: so a program prints what it found, and documents show that.
fn value_after(text: &[u8], mut at: usize) -> Option<&[u8]> {
    let (mut limit, mut is_tag, mut is_apart) = (at + GAP, false, false);
    loop {
        let byte = *text.get(at)?;
        is_apart |= !byte.is_ascii_alphanumeric() && byte != b' ';
        if byte == b'<' {
            is_tag = true;
        } else if byte == b'>' {
            is_tag = false;
        } else if !is_tag && byte.is_ascii_alphanumeric() {
            let rest = &text[at..text.len().min(at + LONGEST)];
            let is_part = |byte: &u8| is_letter(*byte) || b".:-/+".contains(byte);
            let length = rest.iter().take_while(|byte| is_part(byte)).count();
            let word = &rest[..length];
            if !TYPES.iter().any(|name| word.eq_ignore_ascii_case(name)) {
                return is_apart.then_some(word);
            }
            // The value comes after the name of its type.
            limit += length;
            at += length;
            continue;
        }
        at += 1;
        if at > limit {
            return None;
        }
    }
}

/// Returns true for a value such as members of this kind have.
fn fits(kind: Value, value: &[u8]) -> bool {
    let is_digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    match kind {
        Value::Time => is_time(value),
        Value::Id => {
            is_uuid(value) || (value.len() == 16 && value.iter().all(|byte| is_capital(*byte)))
        }
        Value::Address => is_address(value) || is_host(value),
        Value::Key => {
            value.len() >= 16
                && value.starts_with(b"A")
                && value[..16].iter().all(|byte| is_capital(*byte))
        }
        Value::Host => is_host(value),
        Value::Action => is_call(value) || (value.len() > 3 && is_title(value)),
        Value::Region => is_region(value),
        Value::Version => value.starts_with(b"1.") && is_digits(&value[2..]) && value.len() <= 4,
        Value::Account => value.len() == 12 && is_digits(value),
        Value::Type => value.starts_with(b"Aws"),
        Value::Flag => value.eq_ignore_ascii_case(b"true") || value.eq_ignore_ascii_case(b"false"),
        Value::Arn => value.starts_with(b"arn:aws"),
    }
}

fn is_capital(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

fn is_title(value: &[u8]) -> bool {
    value[0].is_ascii_uppercase()
        && value[1].is_ascii_lowercase()
        && value.iter().all(u8::is_ascii_alphanumeric)
}

/// Returns true for a date, with or without a time, and for seconds or milliseconds since the epoch.
fn is_time(value: &[u8]) -> bool {
    let Some(head) = value.first_chunk::<10>() else { return false };
    let is_epoch = head.iter().all(u8::is_ascii_digit) && head[0] == b'1';
    is_epoch || (head[4] == b'-' && head[7] == b'-' && head[..4].iter().all(u8::is_ascii_digit))
}

fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36
        && value.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn is_address(value: &[u8]) -> bool {
    std::str::from_utf8(value).is_ok_and(|text| text.parse::<std::net::IpAddr>().is_ok())
}

/// Returns true for the host of a service: `iam.amazonaws.com`.
fn is_host(value: &[u8]) -> bool {
    let Some(service) = value.strip_suffix(b".amazonaws.com") else { return false };
    let is_part = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
    !service.is_empty() && service.iter().all(is_part)
}

/// Returns true for the name of an API call: a verb and what it is about, in one word.
pub(crate) fn is_call(value: &[u8]) -> bool {
    let after = VERBS.iter().filter_map(|verb| value.strip_prefix(*verb));
    value.iter().all(u8::is_ascii_alphanumeric)
        && after.into_iter().any(|rest| rest.first().is_some_and(u8::is_ascii_uppercase))
}

fn is_region(value: &[u8]) -> bool {
    let mut parts = value.split(|byte| *byte == b'-');
    let first = parts.next().unwrap_or_default();
    let last = parts.next_back().unwrap_or_default();
    first.len() == 2
        && first.iter().all(u8::is_ascii_lowercase)
        && last.len() == 1
        && last[0].is_ascii_digit()
        && parts.next().is_some_and(|part| !part.is_empty())
}

/// Returns true if several lines have a time, a call and what was called or an id, and most lines of
/// the text are such rows.
///
/// A document may show a few of them, as a program's output.
fn has_rows(text: &[u8]) -> bool {
    let (mut rows, mut others) = (0, 0);
    for line in text.split(|byte| *byte == b'\n') {
        match line.iter().filter(|byte| byte.is_ascii_alphanumeric()).count() {
            0 => {}
            _ if is_row(line) => rows += 1,
            _ => others += 1,
        }
    }
    rows >= ROWS && rows > others
}

fn is_row(line: &[u8]) -> bool {
    let is_end = |byte: &u8| byte.is_ascii_whitespace() || b"|,;\"'()".contains(byte);
    let (mut has_time, mut has_call, mut has_host, mut has_id) = (false, false, false, false);
    for word in line.split(is_end).filter(|word| !word.is_empty()) {
        has_time = has_time || is_time(word);
        has_call = has_call || is_call(word);
        has_host = has_host || is_host(word);
        has_id = has_id || is_uuid(word);
    }
    has_time && has_call && (has_host || has_id)
}

/// Returns true if a line is a message of CEF or LEEF that comes from CloudTrail.
fn has_messages(text: &[u8]) -> bool {
    let is_message = |line: &[u8]| {
        let head = &line[..line.len().min(1024)].to_ascii_lowercase();
        let find = |text: &[u8]| memchr::memmem::find(head, text);
        let start = find(b"cef:").or_else(|| find(b"leef:"));
        let is_header = |at: usize| {
            let rest = &head[at..];
            let colon = rest.iter().position(|byte| *byte == b':').unwrap_or_default();
            rest.get(colon + 1).is_some_and(u8::is_ascii_digit)
                && rest[colon..].iter().take(6).any(|byte| *byte == b'|')
                && memchr::memchr_iter(b'|', rest).count() > 3
        };
        start.is_some_and(is_header)
            && (find(b"cloudtrail").is_some() || find(b".amazonaws.com").is_some())
    };
    text.split(|byte| *byte == b'\n').any(is_message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "1b0f4c5e-0d0a-4f0e-9a51-2f6f0b1c9d11";

    #[test]
    fn events_in_any_form() {
        for text in [
            // The dump of a map in Java, Go and Ruby.
            "{eventVersion=1.08, userIdentity={type=IAMUser, accountId=111122223333}, eventTime=2026-03-17T10:00:00Z, eventName=CreateUser}",
            "map[awsRegion:eu-west-1 eventName:CreateUser eventTime:2026-03-17T10:00:00Z readOnly:false]",
            "{:event_name=>\"CreateUser\", :event_source=>\"iam.amazonaws.com\", :aws_region=>\"us-east-1\", :source_ip_address=>\"203.0.113.7\"}",
            // TOML, a property list, XML, typed JSON.
            "eventName = \"CreateUser\"\neventTime = 2026-03-17T10:00:00Z\nawsRegion = \"us-east-1\"\nreadOnly = false\n",
            "<key>eventName</key>\n  <string>CreateUser</string>\n<key>eventTime</key><date>2026-03-17</date><key>readOnly</key><string>true</string><key>accountId</key>\n<string>111122223333</string>",
            "<eventName>Decrypt</eventName><eventSource>kms.amazonaws.com</eventSource><eventVersion>1.08</eventVersion><sourceIPAddress>2001:db8::1</sourceIPAddress>",
            "{\"eventName\":{\"S\":\"GetKey\"},\"eventTime\":{\"N\":\"1773741600\"},\"awsRegion\":{\"S\":\"us-east-1\"},\"eventType\":{\"S\":\"AwsApiCall\"}}",
            "json.Records[0].eventName = \"A\";\njson.Records[0].eventSource = \"s3.amazonaws.com\";\njson.Records[0].eventTime = \"2026-03-17T10:00:00Z\";\njson.Records[0].awsRegion = \"us-east-1\";\njson.Records[0].eventVersion = \"1.08\";",
            "Event name: CreateUser\nEvent time: 2026-03-17\nAWS region: us-east-1\nEvent source: iam.amazonaws.com\n",
            "CEF:0|AWS|CloudTrail|1|CreateUser|x|5|src=203.0.113.7",
            "<13>Mar 17 10:00:00 h LEEF:2.0|Amazon|AWS|1|CreateUser|src=iam.amazonaws.com",
        ] {
            assert!(are_in(text.as_bytes()), "{text}");
        }
        for row in [
            format!("EVENTS\t{ID}\tCreateUser\tiam.amazonaws.com\t1773741600.0\tfalse\tann\n"),
            format!("| {ID} | CreateUser | 2026-03-17T10:00:00Z | ann |\n"),
            format!("({ID:?}, 'CreateUser', '2026-03-17 10:00:00'),\n"),
        ] {
            assert!(are_in(row.repeat(2).as_bytes()), "{row}");
            assert!(!are_in(row.as_bytes()), "{row}");
            let document =
                format!("# Output\n\nThe call prints this.\n\n{}\nSee below.\n", row.repeat(2));
            assert!(!are_in(document.as_bytes()), "{document}");
        }
    }

    #[test]
    fn texts_about_events() {
        for text in [
            "",
            "The field eventName has the name of the call, eventTime its time, awsRegion its region.",
            "eventName=CreateUser eventSource=iam.amazonaws.com awsRegion=us-east-1 readOnly=false",
            "selection:\n  eventSource: iam.amazonaws.com\n  eventName: CreateUser\n  eventType: AwsApiCall\n  eventVersion: 1.08\n",
            "eventName eventTime eventSource awsRegion sourceIPAddress userAgent eventID",
            "\"eventTime\": {\"type\": \"string\"}, \"eventName\": {\"type\": \"string\"}, \"awsRegion\": {\"type\": \"string\"}",
            "eventName    CreateUser\neventTime    2026-03-17T10:00:00Z\nawsRegion    us-east-1\nreadOnly    false\n",
            "eventTime string, eventName string, eventSource string, readOnly string",
            "eventTime: 2026-03-17\neventID: none\neventName: none\n",
            "2026-03-17T10:00:00Z INFO GetUser took 3 ms\n2026-03-17T10:00:01Z INFO GetUser took 3 ms\n",
            "CEF:0|Vendor|Firewall|1|Block|x|5|src=203.0.113.7",
            "A CEF: this is a format, like CloudTrail's.",
        ] {
            assert!(!are_in(text.as_bytes()), "{text}");
        }
        // Members that are too far from each other.
        let far = "x ".repeat(REACH);
        let text = format!(
            "eventName=CreateUser eventTime=2026-03-17{far}awsRegion=us-east-1 readOnly=true"
        );
        assert!(!are_in(text.as_bytes()));
    }

    #[test]
    fn values_of_members() {
        for (kind, value, is_fit) in [
            (Value::Time, "2026-03-17T10:00:00Z", true),
            (Value::Time, "1773741600", true),
            (Value::Time, "string", false),
            (Value::Id, ID, true),
            (Value::Id, "4442587FB7D0A2F9", true),
            (Value::Id, "4624", false),
            (Value::Address, "203.0.113.7", true),
            (Value::Address, "cloudformation.amazonaws.com", true),
            (Value::Address, "any", false),
            (Value::Key, "AKIAIOSFODNN7EXAMPLE", true),
            (Value::Key, "AIDAEXAMPLE", false),
            (Value::Host, "s3.amazonaws.com", true),
            (Value::Host, "docs.aws.amazon.com", false),
            (Value::Host, "bucket.s3.amazonaws.com", false),
            (Value::Action, "Decrypt", true),
            (Value::Action, "GetObject", true),
            (Value::Action, "is", false),
            (Value::Region, "us-gov-west-1", true),
            (Value::Region, "region", false),
            (Value::Version, "1.08", true),
            (Value::Version, "1.08.3", false),
            (Value::Account, "111122223333", true),
            (Value::Type, "AwsServiceEvent", true),
            (Value::Flag, "False", true),
            (Value::Arn, "arn:aws-cn:iam::1:user/a", true),
        ] {
            assert_eq!(fits(kind, value.as_bytes()), is_fit, "{value}");
        }
    }
}
