//! Recognizes CloudTrail records that another program has written its own way, and writes them as
//! CloudTrail does.
//!
//! Athena and Glue write keys in lower case, others in snake case, join the keys of nested objects
//! (`userIdentity_arn`), and many write nested objects as strings of JSON. Without this, the events
//! would be counted, and no detection would match them.

use std::borrow::Cow;

use super::inside::event_format;
use super::look::{Look, is_name};
use super::python;
use super::scan::is_valid;
use super::shape::{Shape, outer_keys, prefix_of_name, without_type};
use super::spelling::Style;
use crate::csv::{
    JOINTS, Kind, canonical, inner_value, is_object_member, is_usual, member_named, oddly_joined,
    place_of, struct_to_json,
};
use crate::event_view::EventTime;
use crate::json::{for_each_element, for_each_member, unescape, value_end};
use crate::members::{Members, quoted};
use crate::record::Format;
use crate::time;

/// The most members of a record that is rewritten; CloudTrail has a few dozen, and each member is
/// compared with all before it.
const MAX_MEMBERS: usize = 256;
/// The depth to which keys of structs are spelled anew.
const MAX_DEPTH: usize = 8;
/// How often a document may have been made a string.
const MAX_STRINGS: usize = 4;

/// An object that is an event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FoundEvent {
    pub(crate) format: Format,
    /// The record as CloudTrail writes it, if the object is written in another way.
    pub(crate) rewritten: Option<String>,
    /// A member that is a text which stands for an object and could not be read.
    pub(crate) unread: Option<&'static str>,
    /// True if another member of a record may hold the whole event.
    pub(crate) has_more: bool,
}

/// Returns what is said of a record with a member that could not be read.
pub(crate) fn unread_message(member: &str) -> String {
    format!("`{member}` is neither an object nor JSON that holds one; what is in it has no names")
}

/// Returns the event that an object of this shape is, or `None` for any other object.
pub(crate) fn event_of(shape: Shape, object: &[u8]) -> Option<FoundEvent> {
    let format = match shape {
        Shape::Dressed => Format::CloudTrail,
        shape => event_format(shape, object)?,
    };
    if format != Format::CloudTrail {
        return Some(FoundEvent { format, rewritten: None, unread: None, has_more: false });
    }
    let look = Look::at(object);
    if look.is_other {
        return None;
    }
    let is_dressed = look.is_dressed || shape == Shape::Dressed;
    let rewritten = if is_dressed { rewrite(object) } else { None };
    let has_more = look.has_more;
    match rewritten {
        Some(Rewritten { text, unread }) => {
            let rewritten = Some(text).filter(|text| text.as_bytes() != object);
            Some(FoundEvent { format, rewritten, unread, has_more })
        }
        None if shape == Shape::Dressed => None,
        None => Some(FoundEvent { format, rewritten: None, unread: None, has_more }),
    }
}

/// Returns true if an outermost key of a record is, or may be, a member that CloudTrail writes in
/// another way.
pub(crate) fn is_other_key(key: &[u8]) -> bool {
    /// The length of the longest name of a member.
    const LONGEST: usize = 28;
    if key.contains(&b'\\') {
        return true;
    }
    // Most other keys begin with none of these letters.
    let is_joined = || key.iter().any(|byte| *byte == b'[' || JOINTS.contains(&char::from(*byte)));
    if !key.first().is_some_and(|first| b"aerstuvimAERSTUVIM".contains(first))
        || (key.len() > LONGEST && !is_joined())
    {
        return false;
    }
    let Ok(key) = std::str::from_utf8(key) else { return false };
    // Most keys are spelled as CloudTrail does.
    member_named(key).is_none()
        && (place_of(key).is_some_and(|(path, _)| path != [key]) || oddly_joined(key).is_some())
}

/// Returns true if a member that is always an object is a list, as of its keys and values.
pub(crate) fn is_list(key: &[u8], value: &[u8]) -> bool {
    matches!(key, b"userIdentity" | b"requestParameters") && value.first() == Some(&b'[')
}

/// Returns true for an identity of which no key is known: all may have a prefix.
fn lacks_known_keys(identity: &str) -> bool {
    let (mut count, mut known) = (0, 0);
    let bytes = identity.as_bytes();
    if bytes.first() == Some(&b'{') {
        for_each_member(bytes, |name, value| {
            count += 1;
            known += u32::from(canonical(&identity[name], "userIdentity").is_some());
            Some(value_end(bytes, value))
        });
    }
    count > 0 && known == 0
}

pub(crate) fn is_struct(key: &[u8]) -> bool {
    matches!(key, b"userIdentity" | b"tlsDetails")
}

/// Returns true if the keys of a struct are not spelled as CloudTrail does.
pub(super) fn has_other_keys(member: &[u8], json: &[u8]) -> bool {
    let mut found = false;
    if json.first() == Some(&b'{') {
        for_each_member(json, |name, value| {
            found |= is_other_key_of(member, &json[name]);
            (!found).then(|| value_end(json, value))
        });
    }
    found
}

/// Returns true if a key of a struct is not spelled as CloudTrail does.
pub(crate) fn is_other_key_of(member: &[u8], key: &[u8]) -> bool {
    if is_usual(key) {
        return false;
    }
    let (Ok(member), Ok(key)) = (std::str::from_utf8(member), std::str::from_utf8(key)) else {
        return false;
    };
    canonical(key, member).is_some_and(|known| known != key)
}

/// Returns true if the value of a key is a string that stands for an object.
pub(crate) fn is_text_of_object(key: &[u8], value: &[u8]) -> bool {
    let is_json = matches!(value, [b'"', b'{' | b'[', ..] | [b'"', b'\\', b'"', ..]);
    (is_json && is_object_member(key))
        || (key == b"requestParameters" && value.starts_with(b"\"") && is_placeholder(value))
}

/// Returns true for a text, with quotes or without, that stands where CloudTrail writes an object or
/// `null`, such as `***`.
///
/// CloudTrail itself hides some values behind a text.
pub(crate) fn is_placeholder(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"\"").unwrap_or(text);
    let text = text.strip_suffix(b"\"").unwrap_or(text).trim_ascii();
    !matches!(text, b"" | b"null" | b"None" | b"HIDDEN_DUE_TO_SECURITY_REASONS")
}

/// A record as CloudTrail writes it.
struct Rewritten {
    text: String,
    unread: Option<&'static str>,
}

/// A member of an object, and what it becomes.
struct Found<'a> {
    key: Cow<'a, str>,
    value: &'a str,
    place: Option<(Vec<String>, Kind)>,
}

impl Found<'_> {
    /// Returns true if the key is a member that is spelled as CloudTrail does, alone or at the start
    /// of joined keys.
    fn is_usual(&self) -> bool {
        let is_usual = |(path, _): &(Vec<String>, Kind)| self.key.starts_with(path[0].as_str());
        self.place.as_ref().is_some_and(is_usual)
    }

    /// Returns true if the key is exactly a member of CloudTrail's.
    fn is_member(&self) -> bool {
        self.place.as_ref().is_some_and(|(path, _)| *path == [&*self.key])
    }

    /// Returns the part of the key that is a member of several words.
    fn words(&self) -> Option<&str> {
        let (path, _) = self.place.as_ref()?;
        let has_words = path[0].contains(|c: char| c.is_ascii_uppercase());
        self.key.get(..path[0].len()).filter(|_| has_words)
    }
}

/// Writes an object as CloudTrail writes its records; `None` if it is no record then either.
fn rewrite(object: &[u8]) -> Option<Rewritten> {
    let mut found = Vec::new();
    for_each_member(object, |name, value| {
        let end = value_end(object, value);
        found.push((&object[name], &object[value..end]));
        (found.len() <= MAX_MEMBERS).then_some(end)
    });
    if found.len() > MAX_MEMBERS {
        return None;
    }
    let has_types = found.iter().any(|(key, _)| without_type(key).is_some_and(is_name));
    let untyped = |key| if has_types { without_type(key).unwrap_or(key) } else { key };
    // The keys of an envelope may be joined with those of its record, as in `detail.eventName`.
    let prefixes = found.iter().find_map(|(key, _)| prefix_of_name(untyped(key)));
    let prefix = prefixes.unwrap_or_default();
    let found = found.into_iter().map(|(key, value)| {
        let key = untyped(key);
        let key = key.strip_prefix(prefix).unwrap_or(key);
        let key = unescape(std::str::from_utf8(key).ok()?);
        let place = place_of(&key);
        Some(Found { key, value: std::str::from_utf8(value).ok()?, place })
    });
    let found = found.collect::<Option<Vec<_>>>()?;
    let style = style_of(&found);
    let mut members = Members::default();
    let mut unread = None;
    for Found { key, value, place } in &found {
        let is_spelled = |(path, _): &&(Vec<String>, Kind)| {
            let is_there = |other: &Found<'_>| {
                other.is_member() && *other.key == path[0] && other.value != "null"
            };
            // Splunk has a field `eventtype` of its own.
            let is_splunk = style.is_none() && *key == "eventtype";
            *path == [&**key] || !(is_splunk || found.iter().any(is_there))
        };
        let Some((path, kind)) = place.as_ref().filter(is_spelled) else {
            // Beside the member itself, another spelling of it is a field of its own.
            unread = unread.or(oddly_joined(key));
            members.set(&[key.clone().into_owned()], (*value).to_owned());
            continue;
        };
        let Written { json, is_unread } = written(value, *kind, path, style);
        let lacks_keys =
            || path == &["userIdentity"] && json.as_deref().is_some_and(lacks_known_keys);
        if is_unread || is_list(key.as_bytes(), value.as_bytes()) || lacks_keys() {
            unread = member_named(&path[0]);
        }
        if let Some(json) = json {
            members.set(&spelled(path, style), json.into_owned());
        }
    }
    let mut text = String::new();
    members.write(&mut text);
    let is_record = outer_keys(text.as_bytes()).shape() == Shape::CloudTrail;
    is_record.then_some(Rewritten { text, unread })
}

/// Returns how all keys of a record are spelled, or `None` if any is as CloudTrail writes it.
fn style_of(found: &[Found<'_>]) -> Option<Style> {
    let is_usual = |member: &Found<'_>| member.words().is_some() && member.is_usual();
    if found.iter().any(is_usual) {
        let is_other = |member: &Found<'_>| {
            is_struct(member.key.as_bytes())
                && has_other_keys(member.key.as_bytes(), member.value.as_bytes())
        };
        return found.iter().any(is_other).then_some(Style::Small);
    }
    found.iter().find_map(|member| Style::of(member.words()?))
}

/// Returns the path of a value with the keys below joined ones spelled as CloudTrail does.
fn spelled(path: &[String], style: Option<Style>) -> Vec<String> {
    let Some(style) = style.filter(|style| path[1..].iter().all(|key| style.fits(key))) else {
        return path.to_vec();
    };
    let mut is_capitalized = false;
    let below = path[1..].iter().map(|key| {
        let key = match &**key {
            "host" | "HOST" if path.len() == 2 => "Host".to_owned(),
            _ if canonical(key, &path[0]).is_some() => key.clone(),
            key => style.name(key, is_capitalized),
        };
        is_capitalized |= key.len() > 4 && key.starts_with(|c: char| c.is_ascii_uppercase());
        key
    });
    path[..1].iter().cloned().chain(below).collect()
}

/// The value of a member as CloudTrail writes it.
struct Written<'a> {
    /// `None` if there is no value.
    json: Option<Cow<'a, str>>,
    /// True if it stands for an object and could not be read.
    is_unread: bool,
}

impl<'a> From<Cow<'a, str>> for Written<'a> {
    fn from(json: Cow<'a, str>) -> Self {
        Self { json: Some(json), is_unread: false }
    }
}

fn written<'a>(value: &'a str, kind: Kind, path: &[String], style: Option<Style>) -> Written<'a> {
    let inner = value.strip_prefix('"').and_then(|text| text.strip_suffix('"')).map(unescape);
    match (kind, inner) {
        (Kind::Flag, Some(text)) => {
            let flag = text.to_ascii_lowercase();
            let is_flag = matches!(flag.as_str(), "true" | "false");
            let json: Cow<'a, str> = if is_flag { flag.into() } else { value.into() };
            json.into()
        }
        (Kind::Time, text) => {
            let epoch = EventTime::read(text.as_deref().unwrap_or(value)).epoch;
            epoch.map_or(Cow::from(value), |epoch| quoted(&time::written(epoch)).into()).into()
        }
        (Kind::Struct | Kind::Document, Some(text)) => match object_in(text, kind, &path[0]) {
            InText::Nothing => Written { json: None, is_unread: false },
            InText::Json(json) => Cow::from(respelled(&json, kind, &path[0], style)).into(),
            InText::Unread => Written { json: Some(value.into()), is_unread: true },
            InText::Other => Written {
                json: Some(value.into()),
                is_unread: path == ["requestParameters"] && is_placeholder(value.as_bytes()),
            },
        },
        (Kind::Struct | Kind::Document, None) => {
            Cow::from(respelled(value, kind, &path[0], style)).into()
        }
        // A nested list or object below a joined key.
        (Kind::Inner, Some(text)) => {
            let json = inner_value(&text, path);
            let json = json.map(|json| respelled(&json, Kind::Document, &path[0], style));
            json.map_or(value.into(), Cow::from).into()
        }
        (Kind::Inner, None) if value.starts_with(['{', '[']) => {
            Cow::from(respelled(value, Kind::Document, &path[0], style)).into()
        }
        _ => Cow::from(value).into(),
    }
}

/// What the text of a member is that should be an object.
pub(crate) enum InText<'a> {
    Nothing,
    Json(Cow<'a, str>),
    Unread,
    Other,
}

/// Returns the object that a text stands for: JSON, which may have been made a string repeatedly, a
/// struct as Athena prints it, or a dictionary as Python does.
pub(crate) fn object_in<'a>(text: Cow<'a, str>, kind: Kind, member: &str) -> InText<'a> {
    let mut text = text;
    for _ in 0..MAX_STRINGS {
        let trimmed = text.trim();
        let is_string =
            trimmed.len() > 1 && trimmed.starts_with('"') && is_valid(trimmed.as_bytes());
        if !is_string {
            break;
        }
        text = unescape(&trimmed[1..trimmed.len() - 1]).into_owned().into();
    }
    let trimmed = text.trim();
    if matches!(trimmed, "" | "null" | "None") {
        return InText::Nothing;
    }
    if !trimmed.starts_with(['{', '[']) {
        return InText::Other;
    }
    if is_valid(trimmed.as_bytes()) {
        return InText::Json(trimmed.to_owned().into());
    }
    let parsed = if kind == Kind::Struct { struct_to_json(trimmed, member) } else { None };
    match parsed.or_else(|| python::to_json(trimmed)) {
        Some(json) => InText::Json(json.into()),
        None => InText::Unread,
    }
}

/// Returns a valid JSON value with its keys in CloudTrail's spelling.
pub(crate) fn respelled(json: &str, kind: Kind, member: &str, style: Option<Style>) -> String {
    if kind == Kind::Struct {
        let mut text = String::with_capacity(json.len());
        respell(json.as_bytes(), member, &mut text, MAX_DEPTH);
        return text;
    }
    style.and_then(|style| style.undo(json)).unwrap_or_else(|| json.to_owned())
}

fn respell(json: &[u8], member: &str, text: &mut String, depth: usize) {
    let raw = |bytes: &[u8], text: &mut String| text.push_str(&String::from_utf8_lossy(bytes));
    let mut is_first = true;
    match json.first() {
        Some(b'{') if depth > 0 => {
            text.push('{');
            for_each_member(json, |name, value| {
                let end = value_end(json, value);
                text.push_str(if is_first { "\"" } else { ",\"" });
                is_first = false;
                let key = std::str::from_utf8(&json[name.clone()]).ok();
                match key.and_then(|key| canonical(key, member)) {
                    Some(key) => text.push_str(key),
                    None => raw(&json[name], text),
                }
                text.push_str("\":");
                respell(&json[value..end], member, text, depth - 1);
                Some(end)
            });
            text.push('}');
        }
        Some(b'[') if depth > 0 => {
            text.push('[');
            for_each_element(json, |at| {
                let end = value_end(json, at);
                if !std::mem::take(&mut is_first) {
                    text.push(',');
                }
                respell(&json[at..end], member, text, depth - 1);
                end
            });
            text.push(']');
        }
        _ => raw(json, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_in_other_dress() {
        for (object, record) in [
            (
                r#"{"eventversion":"1.08","eventname":"A","eventsource":"s","useridentity":{"type":"Root","sessioncontext":{"sessionissuer":{"username":"r"}}},"readonly":"true","resources":[{"arn":"x","accountid":"1"}],"day":17}"#,
                r#"{"eventVersion":"1.08","eventName":"A","eventSource":"s","userIdentity":{"type":"Root","sessionContext":{"sessionIssuer":{"userName":"r"}}},"readOnly":true,"resources":[{"ARN":"x","accountId":"1"}],"day":17}"#,
            ),
            (
                r#"{"event_name":"A","event_source":"s","event_time":"2026-03-17 10:00:00.000","user_identity":"{type=Root, arn=x}","request_parameters":"{\"n\":12345678901234567890.10}","response_elements":"null"}"#,
                r#"{"eventName":"A","eventSource":"s","eventTime":"2026-03-17T10:00:00Z","userIdentity":{"type":"Root","arn":"x"},"requestParameters":{"n":12345678901234567890.10}}"#,
            ),
            (
                r#"{"eventName":"A","eventSource":"s","userIdentity.type":"Root","userIdentity.sessionContext.sessionIssuer.userName":"r","requestParameters.bucketName":"b"}"#,
                r#"{"eventName":"A","eventSource":"s","userIdentity":{"type":"Root","sessionContext":{"sessionIssuer":{"userName":"r"}}},"requestParameters":{"bucketName":"b"}}"#,
            ),
            (
                r#"{"eventName":"A","eventSource":"s","userIdentity_type":"Root","userIdentity_sessionContext_sessionIssuer_userName":"r","requestParameters_bucketName":"b","resources_0_ARN":"x","resources_1_ARN":"y"}"#,
                r#"{"eventName":"A","eventSource":"s","userIdentity":{"type":"Root","sessionContext":{"sessionIssuer":{"userName":"r"}}},"requestParameters":{"bucketName":"b"},"resources":[{"ARN":"x"},{"ARN":"y"}]}"#,
            ),
            (
                r#"{"eventname":"A","eventsource":"s","useridentity/arn":"x","user_identity_session_context_attributes_mfa_authenticated":"true"}"#,
                r#"{"eventName":"A","eventSource":"s","userIdentity":{"arn":"x","sessionContext":{"attributes":{"mfaAuthenticated":"true"}}}}"#,
            ),
            (
                r#"{"eventName":"A","eventSource":"s","userIdentity[arn]":"x","requestParameters[items][0][userId]":"1","requestParameters[items][1][userId]":"2"}"#,
                r#"{"eventName":"A","eventSource":"s","userIdentity":{"arn":"x"},"requestParameters":{"items":[{"userId":"1"},{"userId":"2"}]}}"#,
            ),
            (
                r#"{"source":"aws.iam","detail.eventName":"A","detail.eventSource":"s","detail.userIdentity.arn":"x"}"#,
                r#"{"source":"aws.iam","eventName":"A","eventSource":"s","userIdentity":{"arn":"x"}}"#,
            ),
            (
                r#"{"eventName":"A","eventSource":"s","userIdentity.arn":"x","requestParameters":null,"requestParameters.items":"[{\"a\":1}]","requestParameters.policyDocument":"{\"a\":1}","requestParameters.note":"[x]"}"#,
                r#"{"eventName":"A","eventSource":"s","userIdentity":{"arn":"x"},"requestParameters":{"items":[{"a":1}],"policyDocument":"{\"a\":1}","note":"[x]"}}"#,
            ),
            (
                r#"{"eventVersion":"1.08","eventName":"A","userIdentity":{"arn":"x"},"requestParameters":"{\"a\":{\"b\":1}}"}"#,
                r#"{"eventVersion":"1.08","eventName":"A","userIdentity":{"arn":"x"},"requestParameters":{"a":{"b":1}}}"#,
            ),
            // Keys with escapes, one key in another case, and one that is there twice.
            (
                r#"{"\u0065ventVersion":"1","event\u004eame":"A","event\u0053ource":"s"}"#,
                r#"{"eventVersion":"1","eventName":"A","eventSource":"s"}"#,
            ),
            (
                r#"{"eventVersion":"1","EventName":"A","eventSource":"s","requestParameters":{"username":1}}"#,
                r#"{"eventVersion":"1","eventName":"A","eventSource":"s","requestParameters":{"username":1}}"#,
            ),
            (
                r#"{"eventname":"A","eventsource":"s","eventname":"B"}"#,
                r#"{"eventName":"B","eventSource":"s"}"#,
            ),
            // Documents in the dress of their records; one that is spelled well stays.
            (
                r#"{"eventname":"A","eventsource":"s","requestparameters":{"imageid":"i"},"responseelements":"{\"tagSet\":{\"username\":1}}"}"#,
                r#"{"eventName":"A","eventSource":"s","requestParameters":{"imageId":"i"},"responseElements":{"tagSet":{"username":1}}}"#,
            ),
            (
                r#"{"EVENTNAME":"A","EVENTSOURCE":"s","USERIDENTITY":{"ARN":"x"},"REQUESTPARAMETERS":{"IMAGEID":"i"}}"#,
                r#"{"eventName":"A","eventSource":"s","userIdentity":{"arn":"x"},"requestParameters":{"imageId":"i"}}"#,
            ),
            (
                r#"{"EventName":"A","EventSource":"s","RequestParameters":{"NewKey":"i"}}"#,
                r#"{"eventName":"A","eventSource":"s","requestParameters":{"newKey":"i"}}"#,
            ),
            (
                r#"{"event_name":"A","event_source":"s","user_identity":{"session_context":{"session_issuer":{"_arn":"x"}}},"request_parameters":{"new_key":"i"}}"#,
                r#"{"eventName":"A","eventSource":"s","userIdentity":{"sessionContext":{"sessionIssuer":{"arn":"x"}}},"requestParameters":{"newKey":"i"}}"#,
            ),
            // Other joints.
            (
                r#"{"eventName":"A","eventSource":"s","userIdentity-arn":"x","requestParameters-x-amz-acl":"b","requestParameters-a-b":1}"#,
                r#"{"eventName":"A","eventSource":"s","userIdentity":{"arn":"x"},"requestParameters":{"x-amz-acl":"b","a":{"b":1}}}"#,
            ),
            (
                r#"{"eventname":"A","eventsource":"s","useridentity__sessioncontext__sessionissuer__arn":"x","requestparameters::imageid":"b"}"#,
                r#"{"eventName":"A","eventSource":"s","userIdentity":{"sessionContext":{"sessionIssuer":{"arn":"x"}}},"requestParameters":{"imageId":"b"}}"#,
            ),
            // Types after the names, as Log Analytics writes them.
            (
                r#"{"Computer":"","eventName_s":"A","eventSource_s":"s","eventTime_t":"2026-03-17T10:00:00Z","readOnly_b":true,"userIdentity_s":"{\"arn\":\"x\"}","requestParameters_items_0_userId_s":"1"}"#,
                r#"{"Computer":"","eventName":"A","eventSource":"s","eventTime":"2026-03-17T10:00:00Z","readOnly":true,"userIdentity":{"arn":"x"},"requestParameters":{"items":[{"userId":"1"}]}}"#,
            ),
            // Lists whose places were left out.
            (
                r#"{"eventName":"A","eventSource":"s","requestParameters.add.items.userId":"1","requestParameters.add.items.group":"all","requestParameters.items":"x"}"#,
                r#"{"eventName":"A","eventSource":"s","requestParameters":{"add":{"items":[{"userId":"1","group":"all"}]},"items":"x"}}"#,
            ),
            // Objects that were made strings, once, twice and by Python.
            (
                r#"{"eventVersion":"1","eventName":"A","requestParameters":"{}","userIdentity":"\"{\\\"arn\\\":\\\"x\\\"}\""}"#,
                r#"{"eventVersion":"1","eventName":"A","requestParameters":{},"userIdentity":{"arn":"x"}}"#,
            ),
            (
                r#"{"eventVersion":"1","eventName":"A","requestParameters":"{'a': [True, None, \"x'y\"]}"}"#,
                r#"{"eventVersion":"1","eventName":"A","requestParameters":{"a":[true,null,"x'y"]}}"#,
            ),
        ] {
            let shape = outer_keys(object.as_bytes()).shape();
            let found = event_of(shape, object.as_bytes());
            let rewritten = Some(record.to_owned());
            let format = Format::CloudTrail;
            let expected = FoundEvent { format, rewritten, unread: None, has_more: false };
            assert_eq!(found, Some(expected), "{object}");
        }
    }

    #[test]
    fn records_as_delivered_and_other_rows_stay() {
        for (object, is_event) in [
            (r#"{"eventVersion":"1","eventName":"A","userIdentity":{"x_y":"{\"a\":1}"}}"#, true),
            (r#"{"eventVersion":"1","eventName":"A","eventtype":"t"}"#, true),
            (r#"{"eventVersion":"1","eventName":"A","note":"{\"a\":1}"}"#, true),
            (r#"{"eventVersion":"1","eventName":"A","userIdentityX":1}"#, true),
            (
                r#"{"eventVersion":"1","eventName":"A","eventname":"B","user_agent":{},"userAgent":"u"}"#,
                true,
            ),
            (
                r#"{"eventVersion":"1","eventName":"A","requestParameters":{"tags":{"username":1}}}"#,
                true,
            ),
            (r#"{"eventname":"click","user":"ann"}"#, false),
            // Tables, and statistics of columns.
            (r#"{"eventName":0,"eventSource":0,"userIdentity":0}"#, false),
            (r#"{"eventName":{"0":"A"},"eventSource":{"0":"s"}}"#, false),
            (r#"{"eventname":["A"],"eventsource":["s"]}"#, false),
            (r#"{"eventName":null,"eventSource":"s","eventVersion":"1"}"#, true),
            (r#"{"event_name":"click","event_id":"1"}"#, false),
            (r#"{"EventName":"A","EventId":"1"}"#, false),
        ] {
            let shape = outer_keys(object.as_bytes()).shape();
            let found = event_of(shape, object.as_bytes());
            assert_eq!(found.as_ref().map(|found| &found.rewritten), is_event.then_some(&None));
        }
    }

    #[test]
    fn members_that_cannot_be_read_are_told() {
        for (members, unread) in [
            (r#""requestParameters":"{'a': b'x'}""#, Some("requestParameters")),
            (r#""requestParameters":[{"key":"a","value":"b"}]"#, Some("requestParameters")),
            (r#""userIdentity~arn":"x","userIdentity~type":"Root""#, Some("userIdentity")),
            (r#""requestParameters + a":"x""#, Some("requestParameters")),
            (r#""requestParameters":"***""#, Some("requestParameters")),
            (r#""requestParameters":"@{a=b; c=}""#, Some("requestParameters")),
            (r#""requestParameters":"HIDDEN_DUE_TO_SECURITY_REASONS""#, None),
            (r#""requestParameters":"""#, None),
            (r#""responseElements":"***""#, None),
            (r#""requestParameters":null,"userIdentityX":1"#, None),
            (r#""user_identity":{"aws_x":1,"$arn":"x"}"#, Some("userIdentity")),
            (r#""user_identity":{}"#, None),
            (r#""requestParameters":{"a":[1]}"#, None),
        ] {
            let record = format!(r#"{{"eventVersion":"1","eventName":"A",{members}}}"#);
            let found = event_of(Shape::CloudTrail, record.as_bytes()).unwrap();
            assert_eq!(found.unread, unread, "{members}");
            assert!(found.rewritten.is_none() || members.contains("user_identity"), "{members}");
        }
    }
}
