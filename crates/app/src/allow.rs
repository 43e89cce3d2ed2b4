//! Allow-lists: findings that somebody has judged to be harmless, and that a hunt counts but does
//! not hand on.

use ipnet::IpNet;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;
use spilltrail_content::{ContentSet, Detection};
use spilltrail_detect::Finding;
use spilltrail_event::{CaseRule, Pattern, Value};

use crate::error::AppError;
use crate::select;

/// One entry of an allow-list: hides the findings of some detections in which fields have values that
/// are known to be harmless.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowEntry {
    /// Name or id of the detection, ignoring case; `*` stands for any text.
    pub detection: String,
    /// What the result of the finding must have, at least one; all of them must hold.
    pub conditions: Vec<Condition>,
    /// Who answers for the entry.
    pub owner: String,
    /// Why the values are harmless.
    pub reason: String,
    /// The last day on which the entry hides anything; `None` if it does not expire.
    pub expires: Option<Date>,
    /// Where the entry is written, such as `config.toml:12`.
    pub origin: String,
}

/// A field with the values of it that are harmless.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The field of the finding's result. A result without it is never hidden.
    pub field: String,
    /// The harmless values. If a field has several values, all of them must be harmless.
    pub values: AllowedValues,
}

/// Values that an entry of an allow-list takes for harmless.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedValues {
    /// Exactly this text.
    Exact(String),
    /// A text in which `*` stands for any text.
    Pattern(String),
    /// The addresses of a network.
    Network(IpNet),
}

/// What an entry of an allow-list did in a hunt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AllowReport {
    /// The detection of the entry, as written.
    pub detection: String,
    /// The fields of the entry.
    pub fields: Vec<String>,
    /// Who answers for the entry.
    pub owner: String,
    /// Why the values are harmless.
    pub reason: String,
    /// The last day on which the entry hides anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// True if that day is over: the entry hides nothing.
    pub is_expired: bool,
    /// Where the entry is written.
    pub origin: String,
    /// Number of findings that the entry hid.
    pub hidden: u64,
    /// Number of findings of its detections that no earlier entry hid; not part of the output.
    #[serde(skip)]
    pub findings: u64,
    /// Number of those that do not have one of the fields; not part of the output.
    #[serde(skip)]
    pub without_field: u64,
}

impl AllowReport {
    /// Returns true if the entry could have hidden a finding, and hid none.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        !self.is_expired && self.hidden == 0
    }
}

/// What is doubtful about an entry of an allow-list, before anything is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowDoubt {
    /// Where the entry is written.
    pub origin: String,
    /// What is doubtful about it, and what may be meant.
    pub message: String,
}

/// Returns the entries that can hide nothing, because the content has no such detection, or no result
/// of the detection has the field, and those that hide everything.
#[must_use]
pub fn doubts(entries: &[AllowEntry], set: &ContentSet) -> Vec<AllowDoubt> {
    let doubt = |entry: &AllowEntry| {
        let message = doubt(entry, set)?;
        Some(AllowDoubt { origin: entry.origin.clone(), message })
    };
    entries.iter().filter_map(doubt).collect()
}

fn doubt(entry: &AllowEntry, set: &ContentSet) -> Option<String> {
    let AllowEntry { detection: name, conditions, .. } = entry;
    let pattern = Pattern::new(&**name, CaseRule::Ignore);
    let is_meant =
        |detection: &&Detection| pattern.matches(&detection.name) || pattern.matches(&detection.id);
    let meant: Vec<&Detection> = set.detections.iter().filter(is_meant).collect();
    let did_you_mean = |similar: Option<String>| {
        similar.map(|similar| format!("; did you mean `{similar}`?")).unwrap_or_default()
    };
    if meant.is_empty() {
        let similar = match set.detection(name) {
            Some(detection) => Some(detection.name.clone()),
            None => match select::no_such_detection(name, set) {
                AppError::NoSuchDetection { similar, .. } => similar,
                _ => None,
            },
        };
        return Some(format!("there is no detection `{name}`{}", did_you_mean(similar)));
    }
    let is_lacking = |field: &&String| meant.iter().all(|detection| detection.lacks_field(field));
    if let Some(field) = conditions.iter().map(|condition| &condition.field).find(is_lacking) {
        let similar = meant.iter().find_map(|detection| detection.similar_field(field));
        let did_you_mean = did_you_mean(similar);
        return Some(format!("no result of `{name}` has the field `{field}`{did_you_mean}"));
    }
    let hides_all = |condition: &Condition| match &condition.values {
        AllowedValues::Pattern(pattern) => pattern.bytes().all(|byte| byte == b'*'),
        AllowedValues::Network(network) => network.prefix_len() == 0,
        AllowedValues::Exact(_) => false,
    };
    let of = match meant.as_slice() {
        [one] => format!("`{}`", one.name),
        many => format!("{} detections", many.len()),
    };
    let what = format!("it hides all that {of} may find, because it takes any value for harmless");
    conditions.iter().all(hides_all).then_some(what)
}

/// The entries of a hunt, with the number of findings that each has hidden so far.
pub(crate) struct AllowList {
    entries: Vec<Entry>,
}

struct Entry {
    written: AllowEntry,
    detection: Pattern,
    conditions: Vec<(String, Matcher)>,
    is_expired: bool,
    hidden: u64,
    findings: u64,
    without_field: u64,
}

enum Matcher {
    Exact(String),
    Pattern(Pattern),
    Network(IpNet),
}

impl AllowList {
    /// Prepares the entries for a hunt at `now`, in epoch seconds. Days are those of `zone`.
    pub(crate) fn new(entries: &[AllowEntry], now: f64, zone: &TimeZone) -> Self {
        let today = day(now, zone);
        let prepare = |written: &AllowEntry| Entry {
            detection: Pattern::new(&*written.detection, CaseRule::Ignore),
            conditions: written
                .conditions
                .iter()
                .map(|Condition { field, values }| (field.clone(), Matcher::new(values)))
                .collect(),
            is_expired: written.expires.is_some_and(|last| last < today),
            hidden: 0,
            findings: 0,
            without_field: 0,
            written: written.clone(),
        };
        Self { entries: entries.iter().map(prepare).collect() }
    }

    /// Returns true if an entry hides the finding, and counts it. The first such entry counts.
    pub(crate) fn hides(&mut self, finding: &Finding) -> bool {
        let hiding =
            self.entries.iter_mut().find_map(|entry| entry.hides(finding).then_some(entry));
        hiding.map(|entry| entry.hidden += 1).is_some()
    }

    /// Returns what the entries did, in their order.
    pub(crate) fn into_reports(self) -> Vec<AllowReport> {
        self.entries.into_iter().map(Entry::into_report).collect()
    }
}

impl Entry {
    fn hides(&mut self, finding: &Finding) -> bool {
        let names = [&finding.detection.name, &finding.detection.id];
        if self.is_expired || !names.iter().any(|name| self.detection.matches(name)) {
            return false;
        }
        self.findings += 1;
        let members = |field| finding.result.get(field).map(Value::members).unwrap_or_default();
        let is_lacking = self.conditions.iter().any(|(field, _)| members(field).is_empty());
        if is_lacking || self.conditions.is_empty() {
            self.without_field += 1;
            return false;
        }
        self.conditions
            .iter()
            .all(|(field, values)| members(field).iter().all(|member| values.matches(member)))
    }

    fn into_report(self) -> AllowReport {
        AllowReport {
            detection: self.written.detection,
            fields: self.conditions.into_iter().map(|(field, _)| field).collect(),
            owner: self.written.owner,
            reason: self.written.reason,
            expires: self.written.expires.map(|date| date.to_string()),
            is_expired: self.is_expired,
            origin: self.written.origin,
            hidden: self.hidden,
            findings: self.findings,
            without_field: self.without_field,
        }
    }
}

impl Matcher {
    fn new(values: &AllowedValues) -> Self {
        match values {
            AllowedValues::Exact(text) => Self::Exact(text.clone()),
            AllowedValues::Pattern(text) => Self::Pattern(Pattern::new(&**text, CaseRule::Exact)),
            AllowedValues::Network(network) => Self::Network(*network),
        }
    }

    fn matches(&self, value: &str) -> bool {
        match self {
            Self::Exact(text) => text == value,
            Self::Pattern(pattern) => pattern.matches(value),
            Self::Network(network) => value.parse().is_ok_and(|address| {
                let address: std::net::IpAddr = address;
                network.contains(&address)
            }),
        }
    }
}

fn day(now: f64, zone: &TimeZone) -> Date {
    #[expect(clippy::cast_possible_truncation, reason = "a day needs no fractions of seconds")]
    let time = Timestamp::from_second(now as i64).unwrap_or(Timestamp::MAX);
    time.to_zoned(zone.clone()).date()
}
