//! Renders findings and the summary of a hunt as text for people.

use std::fmt::Write;

use jiff::tz::TimeZone;
use spilltrail_app::{Report, Summary};
use spilltrail_content::attack;
use spilltrail_detect::{Finding, Status, identity};
use spilltrail_diagnostic::visible;
use spilltrail_search::rows::Row;
use spilltrail_spl::time::strftime;

use super::allowed;
use crate::paint;
use crate::report::{self, counted, separated};
use crate::screen::{self, wrap};

/// The longest lines, however wide the terminal is.
const WIDEST: usize = 160;

/// Width of the scores, with the spaces behind them.
const MARGIN: usize = 5;

/// Width of the scores and counts of the detections that fired, with the spaces around them.
const LISTED: usize = 15;

/// Number of detections of one status that are listed by name; the others are only counted.
const NAMED: usize = 5;

/// Maximum number of clean detections that are listed by name instead of counted.
const FEW: usize = 3;

/// Fields that contain the source address of a call, in order of preference.
const ADDRESSES: &[&str] =
    &["src_ip", "src", "sourceIPAddress", "src_endpoint.ip", "source_ip", "clientip"];

/// The detections of one status: title, status test, and how many may be listed by name.
type Group = (&'static str, fn(&Status) -> bool, usize);

/// The findings grouped into the lines that will be shown.
#[derive(Debug, Default)]
pub(super) struct Digest {
    unfolded: bool,
    lines: Vec<Line>,
    /// Id of the current detection, and the index of its first line.
    detection: String,
    start: usize,
}

/// A line of output: one finding, or several findings with the same detection and identity.
#[derive(Debug)]
struct Line {
    score: Option<u32>,
    time: Option<f64>,
    detection: String,
    detection_type: String,
    identity: Option<String>,
    address: Option<String>,
    message: String,
    techniques: Vec<String>,
    more: u64,
}

impl Digest {
    pub(super) fn new(unfolded: bool) -> Self {
        Self { unfolded, ..Self::default() }
    }

    /// Adds a finding. All findings of one detection must be added consecutively.
    pub(super) fn add(&mut self, finding: &Finding) {
        if self.detection != finding.detection.id {
            self.detection.clone_from(&finding.detection.id);
            self.start = self.lines.len();
        }
        let line = Line::new(finding);
        let same = |other: &&mut Line| other.identity == line.identity;
        let folded = self.lines[self.start..].iter_mut().find(same).filter(|_| !self.unfolded);
        match folded {
            None => self.lines.push(line),
            Some(shown) => {
                let more = shown.more + 1;
                if line.rank() < shown.rank() {
                    *shown = line;
                }
                shown.more = more;
            }
        }
    }

    fn sorted(mut self) -> Vec<Line> {
        self.lines
            .sort_by(|a, b| a.rank().partial_cmp(&b.rank()).unwrap_or(std::cmp::Ordering::Equal));
        self.lines
    }
}

impl Line {
    fn new(finding: &Finding) -> Self {
        let row = &finding.result;
        let title = finding.notable_text.as_ref().map(|notable| notable.rule_title.clone());
        let title = title.filter(|title| *title != finding.detection.name);
        Self {
            score: finding.risk_score,
            time: finding.time,
            detection: finding.detection.name.clone(),
            detection_type: finding.detection.detection_type.to_string(),
            identity: identity(row),
            address: address(row),
            message: finding.risk_message.clone().or(title).unwrap_or_else(|| values(row)),
            techniques: finding.annotations.mitre_attack.clone(),
            more: 0,
        }
    }

    /// Returns the sort key: highest risk first, then oldest, then by name.
    fn rank(&self) -> (i64, f64, &str, &str) {
        let score = self.score.map_or(1, |score| -i64::from(score));
        let time = self.time.unwrap_or(f64::MAX);
        (score, time, &self.detection, self.identity.as_deref().unwrap_or_default())
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

/// Returns the findings and the summary as text.
pub(super) fn render(
    digest: Digest,
    summary: &Summary,
    is_detailed: bool,
    zone: &TimeZone,
) -> String {
    let mut text = render_findings(digest, zone);
    text.push_str(&render_summary(summary, is_detailed, width(), zone));
    text
}

/// Returns the findings as text, the highest risk first.
pub(super) fn render_findings(digest: Digest, zone: &TimeZone) -> String {
    let width = width();
    let lines = digest.sorted();
    lines.iter().map(|line| render_line(line, width, zone) + "\n").collect()
}

/// Returns the line width to use.
fn width() -> usize {
    screen::width().min(WIDEST)
}

fn instant(time: f64, zone: &TimeZone) -> String {
    strftime(time, "%Y-%m-%d %H:%M:%S %Z", zone)
}

fn render_line(line: &Line, width: usize, zone: &TimeZone) -> String {
    let score = line.score.map_or_else(|| "  -".to_owned(), |score| format!("{score:>3}"));
    let time = line.time.map_or_else(|| "time not known".to_owned(), |time| instant(time, zone));
    let mut tags = vec![line.detection_type.clone()];
    tags.extend(line.techniques.iter().map(|technique| attack::described(technique)));
    let mut who = line.identity.clone().unwrap_or_else(|| "identity not known".to_owned());
    if let Some(address) = &line.address {
        who.push_str(" from ");
        who.push_str(address);
    }
    if line.more > 0 {
        let _ = write!(who, "  + {} more", line.more);
    }
    let mut text = String::new();
    let title = format!("{time}  {}", printable_line(&line.detection));
    let mut margin = format!("{}  ", paint::by_score(line.score, &score));
    for wrapped in wrap(&title, width.saturating_sub(MARGIN)) {
        let _ = writeln!(text, "{margin}{}", paint::bold(wrapped.trim_end()));
        margin = " ".repeat(MARGIN);
    }
    for part in [&who, &line.message] {
        for wrapped in wrap(&printable_line(part), width.saturating_sub(MARGIN)) {
            let _ = writeln!(text, "{margin}{wrapped}");
        }
    }
    for wrapped in wrap(&printable_line(&tags.join("; ")), width.saturating_sub(MARGIN)) {
        let _ = writeln!(text, "{margin}{}", paint::faint(&wrapped));
    }
    text
}

fn printable_line(text: &str) -> String {
    visible(&text.replace('\n', " ")).into_owned()
}

fn render_summary(summary: &Summary, is_detailed: bool, width: usize, zone: &TimeZone) -> String {
    let mut head = String::new();
    headline(&mut head, summary);
    let mut text = wrap(head.trim_end(), width).join("\n") + "\n";
    if let Some(hidden) = allowed::hidden(summary) {
        text += &(wrap(&printable_line(&hidden), width).join("\n") + "\n");
    }
    fired(&mut text, summary, width);
    let groups: [Group; 6] = [
        ("clean: events seen, nothing found", |s| *s == Status::Clean, FEW),
        ("no such events in the logs", |s| *s == Status::NoSuchEvents, 0),
        ("cannot fire on these logs", |s| matches!(s, Status::CannotFire(_)), NAMED),
        ("no baseline to compare with", |s| matches!(s, Status::NoBaseline(_)), NAMED),
        ("unsupported", |s| *s == Status::Unsupported, NAMED),
        ("failed", |s| *s == Status::Failed, NAMED),
    ];
    for (title, is, named) in groups {
        let reports = summary.with(is);
        if !reports.is_empty() {
            group(&mut text, title, &reports, named, is_detailed, width);
        }
    }
    text.push('\n');
    let mut facts = String::new();
    read(&mut facts, summary, zone);
    for line in facts.lines().flat_map(|line| wrap(&visible(line), width)) {
        let _ = writeln!(text, "{line}");
    }
    text
}

fn headline(text: &mut String, summary: &Summary) {
    let ran = summary.detections.len();
    let count = summary.findings;
    if count > 0 {
        let fired = summary.with(|status| *status == Status::Fired).len();
        let _ = writeln!(
            text,
            "{}; {fired} of {} fired",
            counted(count, "finding"),
            counted(ran as u64, "detection")
        );
    } else if summary.hidden > 0 {
        let _ = writeln!(text, "Every finding is hidden by the allow-list");
    } else if summary.events == 0 && !summary.skipped_by_path.is_empty() {
        let _ = writeln!(text, "No findings: no file is of the time, account or region looked for");
    } else if summary.events == 0 {
        let _ = writeln!(
            text,
            "No findings, because no event was read: nothing can be said about these logs"
        );
    } else {
        let looked = summary.with(|status| *status == Status::Clean).len();
        let _ = writeln!(
            text,
            "No findings: of {}, {looked} had events to look at and found nothing in them",
            counted(ran as u64, "detection"),
        );
    }
}

fn fired(text: &mut String, summary: &Summary, width: usize) {
    let mut fired = summary.with(|status| *status == Status::Fired);
    fired.sort_by_key(|report| {
        (std::cmp::Reverse(report.risk_score), std::cmp::Reverse(report.findings))
    });
    for report in fired {
        let score = report.risk_score.map_or_else(|| "-".to_owned(), |score| score.to_string());
        let hidden = match report.hidden {
            0 => String::new(),
            count => format!(" ({} hidden)", separated(count)),
        };
        let score = paint::by_score(report.risk_score, &format!("{score:>5}"));
        let mut margin = format!("{score}  {:>6}  ", separated(report.findings));
        let name = printable_line(&report.name).to_string() + &hidden;
        for line in wrap(&name, width.saturating_sub(LISTED)) {
            let _ = writeln!(text, "{margin}{line}");
            margin = " ".repeat(LISTED);
        }
    }
}

fn group(
    text: &mut String,
    title: &str,
    reports: &[&Report],
    named: usize,
    is_detailed: bool,
    width: usize,
) {
    let _ = writeln!(text, "{:>5}  {title}", reports.len());
    let is_few = reports.len() <= named;
    // If the status has reasons, show a few of them. Bare names are no help as examples.
    let shown = if is_detailed || is_few {
        reports.len()
    } else if named == NAMED {
        NAMED - 1
    } else {
        0
    };
    for report in &reports[..shown] {
        let reason = report.reason().map(|reason| format!(": {reason}")).unwrap_or_default();
        for line in
            wrap(&printable_line(&format!("{}{reason}", report.name)), width.saturating_sub(9))
        {
            let _ = writeln!(text, "         {line}");
        }
    }
    if shown > 0 && shown < reports.len() {
        let _ = writeln!(text, "         and {} more; --all names them", reports.len() - shown);
    }
}

fn read(text: &mut String, summary: &Summary, zone: &TimeZone) {
    let _ = writeln!(
        text,
        "Read {}, {}, {}",
        counted(summary.files, "file"),
        bytes(summary.bytes),
        counted(summary.events, "event"),
    );
    if let (Some(first), Some(last)) = (summary.first_event, summary.last_event) {
        let _ = writeln!(text, "Events from {} to {}", instant(first, zone), instant(last, zone));
    }
    let bound =
        |time: Option<f64>| time.map_or_else(|| "any time".to_owned(), |time| instant(time, zone));
    if summary.earliest.is_some() || summary.latest.is_some() {
        let _ = writeln!(
            text,
            "Searched from {} to {}",
            bound(summary.earliest),
            bound(summary.latest)
        );
    }
    if let Some(now) = summary.now {
        let why = if summary.now_is_given { "as given" } else { "just after the newest event" };
        let _ = writeln!(text, "Now is {}, {why}", instant(now, zone));
    }
    if let Some(inside) = report::inside(&summary.unwrapped) {
        let _ = writeln!(text, "Unwrapped: {inside}");
    }
    let mut left_out: Vec<String> = summary
        .skipped
        .iter()
        .filter_map(|(kind, count)| {
            // Files without any JSON are counted below, as files rather than records.
            let name = serde_json::to_value(kind).ok()?.as_str()?.replace('_', " ");
            (name != "not json").then(|| format!("{count} {name}"))
        })
        .collect();
    if summary.foreign() > 0 {
        left_out.push(format!("{} without JSON", counted(summary.foreign() as u64, "file")));
    }
    if !left_out.is_empty() {
        let _ = writeln!(text, "Left out: {}", left_out.join(", "));
    }
    let by_path: Vec<String> = summary
        .skipped_by_path
        .iter()
        .map(|(reason, count)| match (count.files, count.folders) {
            (0, folders) => format!("{} {reason}", counted(folders, "folder")),
            (files, 0) => format!("{} {reason}", counted(files, "file")),
            (files, folders) => {
                format!("{} and {} {reason}", counted(files, "file"), counted(folders, "folder"))
            }
        })
        .collect();
    if !by_path.is_empty() {
        let _ = writeln!(text, "Not read, by path: {}", by_path.join(", "));
    }
    if summary.damaged() > 0 {
        let _ = writeln!(
            text,
            "Damaged or unreadable: {}, named on standard error; findings may be missing",
            counted(summary.damaged() as u64, "file"),
        );
    }
}

fn bytes(count: u64) -> String {
    let mut scaled = count as f64;
    let mut units = ["B", "kB", "MB", "GB"].into_iter().peekable();
    let mut unit = units.next().unwrap_or("B");
    while scaled >= 1000.0
        && let Some(larger) = units.next()
    {
        scaled /= 1000.0;
        unit = larger;
    }
    if unit == "B" { format!("{count} B") } else { format!("{scaled:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_at_blanks_and_long_words_are_cut() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("a abcdefgh", 4), ["a", "abcd", "efgh"]);
        assert_eq!(wrap("", 4), [""]);
    }

    #[test]
    fn counts_and_sizes_read_well() {
        assert_eq!(counted(1, "file"), "1 file");
        assert_eq!(counted(1_234_567, "event"), "1,234,567 events");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(2_500_000), "2.5 MB");
    }
}
