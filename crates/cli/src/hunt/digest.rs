//! Folds the findings of a hunt into the lines that a person reads, and orders them.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};

use spilltrail_content::DetectionType;
use spilltrail_detect::{Finding, identity};
use spilltrail_event::Value;
use spilltrail_search::rows::Row;

/// Fields that contain the source address of a call, in order of preference.
const ADDRESSES: &[&str] =
    &["src_ip", "src", "sourceIPAddress", "src_endpoint.ip", "source_ip", "clientip"];

/// The field in which `anomalydetection` gives the logarithm of a row's probability.
const LOG_PROBABILITY: &str = "log_event_prob";

/// The message of detections that nobody has written one for.
const NO_MESSAGE: &str = "tbd";

/// Most fields that are named of those in which folded findings differ.
const MOST_FIELDS: usize = 4;

/// The findings grouped into the lines that will be shown.
#[derive(Debug, Default)]
pub(super) struct Digest {
    unfolded: bool,
    lines: Vec<Line>,
    /// Id of the current detection.
    detection: String,
    /// Index of the current detection's first line.
    start: usize,
    /// Indexes of the current detection's lines, by identity and message.
    folds: HashMap<(Option<String>, Option<String>), usize>,
}

/// A line of output: one finding, or several findings of a detection that say the same of the same
/// identity. Of a detection without messages, it is all findings.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) score: Option<u32>,
    pub(super) first: Option<f64>,
    pub(super) last: Option<f64>,
    pub(super) detection: String,
    pub(super) detection_type: String,
    pub(super) identity: Option<String>,
    pub(super) address: Option<String>,
    /// `None` if the detection gets a single line.
    pub(super) message: Option<String>,
    pub(super) techniques: Vec<String>,
    /// Number of further findings.
    pub(super) more: u64,
    /// Logarithm of the probability of the finding; 0 if it is not known.
    log_probability: f64,
    /// Number of events behind the finding; 0 if it is not known.
    size: u64,
    /// The row of the finding, while further findings may be added.
    row: Row,
    /// The fields in which the further findings differ from it.
    differing: BTreeSet<String>,
}

impl Digest {
    pub(super) fn new(unfolded: bool) -> Self {
        Self { unfolded, ..Self::default() }
    }

    /// Adds a finding. All findings of one detection must be added consecutively.
    pub(super) fn add(&mut self, finding: &Finding) {
        if self.detection != finding.detection.id {
            self.detection.clone_from(&finding.detection.id);
            self.folds.clear();
            // Rows are compared only within a detection, and may be large.
            self.lines[self.start..].iter_mut().for_each(|line| line.row = Row::default());
            self.start = self.lines.len();
        }
        if self.unfolded {
            let said = message(finding).unwrap_or_else(|| values(&finding.result));
            self.lines.push(Line::new(finding, Some(said)));
            return;
        }
        let mut line = Line::new(finding, message(finding));
        line.row.clone_from(&finding.result);
        let key = match &line.message {
            Some(message) => (line.identity.clone(), Some(message.clone())),
            None => (None, None),
        };
        match self.folds.get(&key) {
            Some(index) => self.lines[*index].fold(line),
            None => {
                self.folds.insert(key, self.lines.len());
                self.lines.push(line);
            }
        }
    }

    /// Returns the lines, the worst first.
    pub(super) fn sorted(self) -> Vec<Line> {
        let mut lines = self.lines;
        // Lines of one detection stay together, where their sizes can be compared.
        let mut earliest: HashMap<String, f64> = HashMap::new();
        for line in &lines {
            let time = line.first.unwrap_or(f64::MAX);
            let known = earliest.entry(line.detection.clone()).or_insert(time);
            *known = known.min(time);
        }
        let start = |line: &Line| earliest.get(&line.detection).copied().unwrap_or(f64::MAX);
        lines.sort_by(|a, b| {
            let by_risk =
                b.score.cmp(&a.score).then(a.log_probability.total_cmp(&b.log_probability));
            let by_detection = start(a).total_cmp(&start(b)).then(a.detection.cmp(&b.detection));
            by_risk.then(by_detection).then_with(|| a.against(b))
        });
        lines
    }
}

/// Returns what a finding says; `None` if its detection gets a single line, because it says nothing
/// or is only a starting point for analysts.
fn message(finding: &Finding) -> Option<String> {
    if finding.detection.detection_type == DetectionType::Hunting {
        return None;
    }
    let message = finding.risk_message.clone().or_else(|| {
        let title = finding.notable_text.as_ref().map(|notable| notable.rule_title.clone());
        title.filter(|title| *title != finding.detection.name)
    });
    message.filter(|message| !message.trim().eq_ignore_ascii_case(NO_MESSAGE))
}

impl Line {
    fn new(finding: &Finding, message: Option<String>) -> Self {
        let row = &finding.result;
        Self {
            score: finding.risk_score,
            first: finding.first_seen.or(finding.time),
            last: finding.last_seen,
            detection: finding.detection.name.clone(),
            detection_type: finding.detection.detection_type.to_string(),
            identity: identity(row),
            address: address(row),
            message,
            techniques: finding.annotations.mitre_attack.clone(),
            more: 0,
            log_probability: row
                .get(LOG_PROBABILITY)
                .and_then(Value::as_number)
                .filter(|number| number.is_finite())
                .unwrap_or(0.0),
            size: finding.evidence.events.unwrap_or(0),
            row: Row::default(),
            differing: BTreeSet::new(),
        }
    }

    /// Adds another finding to the line, which shows the worse of the two.
    fn fold(&mut self, other: Self) {
        let more = self.more + 1;
        let names = self.row.iter().chain(other.row.iter()).map(|(name, _)| name);
        let is_different =
            |name: &&String| self.row.get(name.as_str()) != other.row.get(name.as_str());
        let differing: Vec<String> = names.filter(is_different).cloned().collect();
        if other.is_worse_than(self) {
            let known = std::mem::take(&mut self.differing);
            *self = Self { differing: known, ..other };
        }
        self.differing.extend(differing);
        self.more = more;
    }

    fn is_worse_than(&self, other: &Self) -> bool {
        let by_risk = other.score.cmp(&self.score);
        let by_risk = by_risk.then(self.log_probability.total_cmp(&other.log_probability));
        by_risk.then_with(|| self.against(other)) == Ordering::Less
    }

    /// Compares lines of one detection with the same risk: the largest first, then the oldest.
    fn against(&self, other: &Self) -> Ordering {
        let time = |line: &Self| line.first.unwrap_or(f64::MAX);
        let by_size = other.size.cmp(&self.size);
        let by_time = by_size.then(time(self).total_cmp(&time(other)));
        by_time.then_with(|| self.identity.cmp(&other.identity))
    }

    /// Returns the names of the fields in which the folded findings differ.
    pub(super) fn differing(&self) -> String {
        let names: Vec<&str> =
            self.differing.iter().take(MOST_FIELDS).map(String::as_str).collect();
        match self.differing.len().saturating_sub(MOST_FIELDS) {
            0 => names.join(", "),
            more => format!("{} and {more} more fields", names.join(", ")),
        }
    }
}

fn address(row: &Row) -> Option<String> {
    let value =
        ADDRESSES.iter().find_map(|name| row.get(*name).filter(|value| !value.is_null()))?;
    let members = value.members();
    let first = members.first()?;
    Some(match members.len() {
        1 => first.to_string(),
        count => format!("{first} and {} more", count - 1),
    })
}

/// Returns the first fields of a row, to describe a finding that has no other description.
fn values(row: &Row) -> String {
    let shown = row.iter().filter(|(name, _)| !name.starts_with('_')).take(8);
    let pairs: Vec<String> =
        shown.filter_map(|(name, value)| Some(format!("{name}={}", value.to_text()?))).collect();
    pairs.join(" ")
}
