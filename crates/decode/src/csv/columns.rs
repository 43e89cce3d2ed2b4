//! Knows what the columns of a table become.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use crate::left_out::{Member, MemberSet};
use crate::nulls;
use crate::split::shape::without_type;
use crate::split::spelling::{Style, known_name};

/// How the text of a cell becomes JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A string.
    Text,
    /// `true` or `false`, else a string.
    Flag,
    /// A time, written as CloudTrail does.
    Time,
    /// A JSON document, or a struct as Athena and CloudTrail Lake print it.
    Struct,
    /// A JSON document with keys of its own.
    Document,
    /// A value inside a document or struct: a string, unless it is a list or object.
    Inner,
}

/// Which texts of a column say that there is no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nulls {
    /// None: the column is not of CloudTrail.
    Kept,
    /// Those that the row shows elsewhere: the column may hold what a user wrote.
    OfRow,
    /// Every spelling.
    All,
}

/// What a column becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    /// The keys at which its value stands in the event.
    pub(crate) path: Vec<String>,
    pub(crate) kind: Kind,
    /// What a missing value is written like in it.
    pub(crate) nulls: Nulls,
    /// How the keys inside its documents may be spelled, if the names of columns are spelled so.
    pub(crate) style: Option<Style>,
    /// True once a value that could not be read as JSON has been reported.
    pub(crate) is_reported: bool,
}

/// What the columns of a table become.
#[derive(Debug)]
pub(crate) struct Columns {
    pub(crate) columns: Vec<Column>,
    /// The column whose cells hold whole events, if its name says so.
    pub(crate) whole: Option<usize>,
    /// True if rows become CloudTrail records.
    pub(crate) are_cloudtrail: bool,
    /// A member of records whose keys the names join in a way that is not known, until it is reported.
    pub(crate) odd: Option<&'static str>,
}

/// Names of columns whose cells hold whole events, without case: those of Splunk, CloudTrail Lake,
/// LookupEvents and CloudWatch Logs Insights. The first one that a table has counts.
const WHOLE: [&str; 4] = ["_raw", "eventjson", "cloudtrailevent", "@message"];

/// The outermost members of CloudTrail records.
const MEMBERS: [(&str, Kind); 34] = [
    ("eventVersion", Kind::Text),
    ("userIdentity", Kind::Struct),
    ("eventTime", Kind::Time),
    ("eventSource", Kind::Text),
    ("eventName", Kind::Text),
    ("awsRegion", Kind::Text),
    ("sourceIPAddress", Kind::Text),
    ("userAgent", Kind::Text),
    ("errorCode", Kind::Text),
    ("errorMessage", Kind::Text),
    ("requestParameters", Kind::Document),
    ("responseElements", Kind::Document),
    ("additionalEventData", Kind::Document),
    ("requestID", Kind::Text),
    ("eventID", Kind::Text),
    ("readOnly", Kind::Flag),
    ("resources", Kind::Struct),
    ("resourceType", Kind::Text),
    ("resourceName", Kind::Text),
    ("eventType", Kind::Text),
    ("apiVersion", Kind::Text),
    ("managementEvent", Kind::Flag),
    ("recipientAccountId", Kind::Text),
    ("serviceEventDetails", Kind::Document),
    ("sharedEventID", Kind::Text),
    ("vpcEndpointId", Kind::Text),
    ("vpcEndpointAccountId", Kind::Text),
    ("eventCategory", Kind::Text),
    ("insightDetails", Kind::Document),
    ("tlsDetails", Kind::Struct),
    ("sessionCredentialFromConsole", Kind::Flag),
    ("edgeDeviceDetails", Kind::Document),
    ("eventContext", Kind::Document),
    ("addendum", Kind::Document),
];

/// Columns that are deeper inside a record.
const INNER: [(&str, [&str; 2]); 4] = [
    ("username", ["userIdentity", "userName"]),
    ("awsaccesskey", ["userIdentity", "accessKeyId"]),
    ("accesskey", ["userIdentity", "accessKeyId"]),
    ("accesskeyid", ["userIdentity", "accessKeyId"]),
];

/// Members whose presence beside `eventName` shows that rows are events, and not counts of them.
const SHOWING: [&str; 6] =
    ["eventVersion", "eventSource", "eventTime", "eventID", "userIdentity", "requestParameters"];

impl Columns {
    /// Returns what the columns of these names become.
    pub(crate) fn new(names: &[String]) -> Self {
        let untyped = untyped(names);
        let names = untyped.as_deref().unwrap_or(names);
        let has = |member: &str| names.iter().any(|name| plain(name) == plain(member));
        let are_cloudtrail = has("eventName") && SHOWING.iter().any(|member| has(member));
        let position =
            |wanted: &&str| names.iter().position(|name| name.eq_ignore_ascii_case(wanted));
        let style = if are_cloudtrail { style_of(names) } else { None };
        let mut taken = HashSet::new();
        let columns = names.iter().enumerate().map(|(index, name)| {
            let member = if are_cloudtrail { member(name, &has) } else { None };
            let is_member = member.is_some();
            let (mut path, kind) = member.unwrap_or_else(|| (vec![name.clone()], Kind::Text));
            if name.is_empty() {
                path = vec![unnamed(index)];
            }
            // Of equal names, the later ones get a number.
            let mut number = 1;
            while !taken.insert(path.clone()) {
                number += 1;
                path = vec![format!("{}_{number}", path_name(name, index))];
            }
            let nulls = match kind {
                _ if !are_cloudtrail => Nulls::Kept,
                Kind::Text if !(is_member && nulls::is_code(&path)) => Nulls::OfRow,
                _ => Nulls::All,
            };
            Column { path, kind, nulls, style, is_reported: false }
        });
        let columns = columns.collect();
        let odd = names.iter().find_map(|name| oddly_joined(name)).filter(|_| are_cloudtrail);
        Self { columns, whole: WHOLE.iter().find_map(position), are_cloudtrail, odd }
    }

    pub(super) fn len(&self) -> usize {
        self.columns.len()
    }

    /// Returns the number of columns that are a whole member of CloudTrail records.
    pub(super) fn count_members(&self) -> usize {
        let is_member = |column: &&Column| {
            column.path.len() == 1 && KNOWN.contains_key(&plain(&column.path[0]))
        };
        self.columns.iter().filter(is_member).count()
    }

    /// Returns the members of which rows can have at least a part, if rows become CloudTrail records.
    pub(crate) fn members(&self) -> Option<MemberSet> {
        let paths: Vec<String> = self.columns.iter().map(|column| column.path.join(".")).collect();
        let is_part = |path: &str, whole: &str| {
            path.strip_prefix(whole)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '{']))
        };
        let has = |member: &Member| {
            let needed = member.needed_paths();
            paths.iter().any(|path| {
                needed.iter().any(|needed| is_part(path, needed) || is_part(needed, path))
            })
        };
        let are_records = self.are_cloudtrail && self.whole.is_none();
        are_records.then(|| Member::ALL.into_iter().filter(has).collect())
    }

    /// Returns true if the names alone show what the table holds.
    pub(super) fn are_known(&self) -> bool {
        self.are_cloudtrail || self.whole.is_some()
    }
}

/// Returns the names without the types that Log Analytics adds to them; `None` if there are none.
fn untyped(names: &[String]) -> Option<Vec<String>> {
    let without = |name: &str| {
        let name = without_type(name.as_bytes()).and_then(|name| std::str::from_utf8(name).ok());
        name.map(str::to_owned)
    };
    let is_typed = |name: &String| without(name).is_some_and(|name| plain(&name) == "eventname");
    let untyped = |name: &String| without(name).unwrap_or_else(|| name.clone());
    names.iter().any(is_typed).then(|| names.iter().map(untyped).collect())
}

/// Returns how all names of members are spelled, or `None` if one is as CloudTrail writes it.
fn style_of(names: &[String]) -> Option<Style> {
    let mut style = None;
    for name in names {
        let Some((member, _)) = KNOWN.get(&plain(name)) else { continue };
        if member.contains(|c: char| c.is_ascii_uppercase()) {
            if member == name {
                return None;
            }
            style = style.or(Style::of(name));
        }
    }
    style
}

/// Returns the name of a column without one.
pub(super) fn unnamed(index: usize) -> String {
    format!("column_{}", index + 1)
}

fn path_name(name: &str, index: usize) -> String {
    if name.is_empty() { unnamed(index) } else { name.to_owned() }
}

/// Returns a name in lower case without what separates words, by which `Event name`, `event_name`
/// and `eventname` are the same.
pub(crate) fn plain(name: &str) -> String {
    let is_kept = |c: &char| !matches!(c, ' ' | '_' | '-');
    name.chars().filter(is_kept).flat_map(char::to_lowercase).collect()
}

/// Returns the keys of a column that is a member of CloudTrail records; `has` tells whether the
/// table has a column of a name.
fn member(name: &str, has: &dyn Fn(&str) -> bool) -> Option<(Vec<String>, Kind)> {
    if let Some((member, kind)) = KNOWN.get(&plain(name)) {
        return Some((vec![(*member).to_owned()], *kind));
    }
    if let Some((_, path)) = INNER.iter().find(|(inner, _)| *inner == plain(name))
        && !has(path[0])
    {
        return Some((path.map(str::to_owned).to_vec(), Kind::Text));
    }
    if matches!(name, "_time" | "@timestamp") && !has("eventTime") {
        return Some((vec!["eventTime".to_owned()], Kind::Time));
    }
    // `userIdentity.arn`, unless the name goes through an array.
    joined(name).filter(|_| !name.contains('{'))
}

/// The members by their names without case and separators.
static KNOWN: LazyLock<HashMap<String, (&'static str, Kind)>> =
    LazyLock::new(|| MEMBERS.iter().map(|(name, kind)| (plain(name), (*name, *kind))).collect());

/// Returns the names of all members, in lower case.
pub(super) fn member_names() -> impl Iterator<Item = &'static str> {
    KNOWN.keys().map(String::as_str)
}

/// Returns the keys of a member of CloudTrail records whose name is spelled in any way, alone or
/// joined with the keys inside it.
pub(crate) fn place_of(name: &str) -> Option<(Vec<String>, Kind)> {
    match KNOWN.get(&plain(name)) {
        Some((member, kind)) => Some((vec![(*member).to_owned()], *kind)),
        // `userIdentity[arn]`, and the places of elements in `items[0].userId`.
        None if name.contains('[') && !name.contains("[]") => {
            joined(&name.replace('[', ".").replace(']', ""))
        }
        None => joined(name),
    }
}

/// Returns the member of CloudTrail records with which a key begins in a way that is not known, such
/// as `userIdentity~arn`.
pub(crate) fn oddly_joined(key: &str) -> Option<&'static str> {
    ["userIdentity", "requestParameters"].into_iter().find(|member| {
        let begins =
            key.get(..member.len()).is_some_and(|start| start.eq_ignore_ascii_case(member));
        let next = key.as_bytes().get(member.len());
        begins && next.is_some_and(|byte| !byte.is_ascii_alphanumeric()) && place_of(key).is_none()
    })
}

/// Returns true for a member of CloudTrail records that is an object or a list.
pub(crate) fn is_object_member(key: &[u8]) -> bool {
    let is_object = |kind: &Kind| matches!(kind, Kind::Struct | Kind::Document);
    MEMBERS.iter().any(|(member, kind)| member.as_bytes() == key && is_object(kind))
}

/// Returns the member of CloudTrail records with exactly this name.
pub(crate) fn member_named(name: &str) -> Option<&'static str> {
    MEMBERS.iter().map(|(member, _)| *member).find(|member| *member == name)
}

/// The characters by which programs join keys, alone or repeated.
pub(crate) const JOINTS: [char; 9] = ['.', '_', '/', '-', ':', '|', '>', '#', '$'];

/// Returns the keys that a name joins, such as `userIdentity.arn` or `user_identity_arn`.
fn joined(name: &str) -> Option<(Vec<String>, Kind)> {
    for (at, _) in name.match_indices(JOINTS) {
        let (outer, rest) = name.split_at(at);
        let inner = rest.trim_start_matches(JOINTS);
        let separator = &rest[..rest.len() - inner.len()];
        let Some((member, kind)) = KNOWN.get(&plain(outer)) else { continue };
        if !matches!(kind, Kind::Struct | Kind::Document) || inner.is_empty() {
            continue;
        }
        let parts: Vec<&str> = inner.split(separator).collect();
        let mut path = vec![(*member).to_owned()];
        let has_words = matches!(separator, "-" | "_") && (separator == "-" || outer.contains('_'));
        path.extend(keys(&parts, member, *kind, has_words.then_some(separator)));
        return Some((path, Kind::Inner));
    }
    None
}

/// Returns the keys of which these are parts: those of a struct are known, even if their own words
/// are separated like keys are. Those of a document may be so with `separator`.
fn keys(parts: &[&str], member: &str, kind: Kind, separator: Option<&str>) -> Vec<String> {
    /// The most words of a key, as in `x-amz-server-side-encryption-aws-kms-key-id`.
    const MOST_WORDS: usize = 9;
    let mut keys = Vec::new();
    let mut rest = parts;
    while let Some(first) = rest.first() {
        let most = rest.len().min(MOST_WORDS);
        let known = (1..=most).rev().find_map(|words| {
            let key = match (kind, separator) {
                (Kind::Struct, _) => super::structs::canonical(&rest[..words].concat(), member),
                (_, Some(separator)) if words > 1 => known_name(&rest[..words].join(separator)),
                _ => None,
            };
            Some((key?, words))
        });
        let (key, words) = known.unwrap_or((first, 1));
        keys.push(key.to_owned());
        rest = &rest[words..];
        // CloudTrail's `items` are a list; programs that join keys leave out the place in it.
        if key == "items"
            && rest.first().is_some_and(|next| !next.bytes().all(|b| b.is_ascii_digit()))
        {
            keys.push("0".to_owned());
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_in_their_own_place() {
        for (member, kind) in MEMBERS {
            assert_eq!(place_of(member), Some((vec![member.to_owned()], kind)));
            assert_eq!(oddly_joined(member), None);
        }
    }
}
