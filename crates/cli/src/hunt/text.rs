//! Renders findings and the summary of a hunt as text for people.

use std::fmt::Write;

use jiff::tz::TimeZone;
use spilltrail_app::{NowIs, Report, SkipKind, Summary, UnreadKind};
use spilltrail_content::attack;
use spilltrail_detect::Status;
use spilltrail_diagnostic::visible;
use spilltrail_spl::time::strftime;

use super::allowed;
use super::digest::{Digest, Line};
use super::notes::counted_cause;
use crate::lines::wrap;
use crate::paint;
use crate::report::{self, counted, instant, separated};
use crate::screen;

/// The longest lines, however wide the terminal is.
const WIDEST: usize = 160;

/// Width of the scores, with the spaces behind them.
const MARGIN: usize = 5;

/// Width of the scores and counts of the detections that fired, with the spaces around them.
const LISTED: usize = 15;

/// Number of detections of one status that are listed by name; the others are only counted.
const NAMED: usize = 5;

/// Number of causes for which detections were not run that are listed; the others are only counted.
const CAUSES: usize = 10;

/// Maximum number of clean detections that are listed by name instead of counted.
const FEW: usize = 3;

/// The detections of one status: title, status test, and how many may be listed by name.
type Group = (&'static str, fn(&Status) -> bool, usize);

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

fn render_line(line: &Line, width: usize, zone: &TimeZone) -> String {
    let score = line.score.map_or_else(|| "  -".to_owned(), |score| format!("{score:>3}"));
    let time = line.first.map_or_else(|| "time not known".to_owned(), |time| instant(time, zone));
    let mut who = line.identity.clone().unwrap_or_else(|| "identity not known".to_owned());
    if let Some(address) = &line.address {
        who.push_str(" from ");
        who.push_str(address);
    }
    if line.more > 0 {
        let _ = write!(who, "  + {} more", line.more);
    }
    let mut title = format!("{time}  {}", printable_line(&line.detection));
    if line.message.is_none() {
        let _ = write!(title, ": {}", printable_line(&who));
    }
    let mut text = String::new();
    let mut margin = format!("{}  ", paint::by_score(line.score, &score));
    for wrapped in wrap(&title, width.saturating_sub(MARGIN)) {
        let _ = writeln!(text, "{margin}{}", paint::bold(wrapped.trim_end()));
        margin = " ".repeat(MARGIN);
    }
    let Some(message) = &line.message else { return text };
    let differing = line.differing();
    if !differing.is_empty() {
        let _ = write!(who, ", which differ in {differing}");
    }
    for part in [&who, message] {
        for wrapped in wrap(&printable_line(part), width.saturating_sub(MARGIN)) {
            let _ = writeln!(text, "{margin}{wrapped}");
        }
    }
    for wrapped in wrap(&printable_line(&tags(line, zone).join("; ")), width.saturating_sub(MARGIN))
    {
        let _ = writeln!(text, "{margin}{}", paint::faint(&wrapped));
    }
    text
}

/// Returns the type, the techniques, and until when there were events.
fn tags(line: &Line, zone: &TimeZone) -> Vec<String> {
    let mut tags = vec![line.detection_type.clone()];
    tags.extend(line.techniques.iter().map(|technique| attack::described(technique)));
    if let (Some(first), Some(last)) = (line.first, line.last)
        && last.floor() > first.floor()
    {
        let day = |time| strftime(time, "%Y-%m-%d", zone);
        let is_same_day = day(first) == day(last);
        let form = if is_same_day { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S %Z" };
        tags.push(format!("until {}", strftime(last, form, zone)));
    }
    tags
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
        ("a subsearch found nothing to look for", |s| *s == Status::EmptySubsearch, 0),
        ("no baseline to compare with", |s| matches!(s, Status::NoBaseline(_)), NAMED),
        ("failed", |s| *s == Status::Failed, NAMED),
    ];
    for (title, is, named) in groups {
        let reports = summary.with(is);
        if !reports.is_empty() {
            group(&mut text, title, &reports, named, is_detailed, width);
        }
    }
    not_run(&mut text, summary, is_detailed, width);
    text.push('\n');
    let mut facts = String::new();
    read(&mut facts, summary, zone);
    for line in facts.lines().flat_map(|line| wrap(&visible(line), width)) {
        let _ = writeln!(text, "{line}");
    }
    text
}

/// Adds the detections that were not run: by name if the text is detailed, else a line for each
/// cause.
fn not_run(text: &mut String, summary: &Summary, is_detailed: bool, width: usize) {
    let groups: [Group; 2] = [
        ("need what these logs do not have", |s| matches!(s, Status::NeedsSource(_)), 0),
        ("unsupported", |s| *s == Status::Unsupported, 0),
    ];
    for (title, is, named) in groups {
        let reports = summary.with(is);
        let Some(first) = reports.first() else { continue };
        group(text, title, &reports, named, is_detailed, width);
        if is_detailed {
            continue;
        }
        let causes = summary.causes.iter().filter(|cause| cause.status == first.status.name());
        let causes: Vec<String> = causes.map(counted_cause).collect();
        for cause in causes.iter().take(CAUSES) {
            for line in wrap(&printable_line(cause), width.saturating_sub(9)) {
                let _ = writeln!(text, "         {line}");
            }
        }
        if causes.len() > CAUSES {
            let more = causes.len() - CAUSES;
            let _ = writeln!(text, "         and {more} more causes; --all names the detections");
        }
    }
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
    } else if summary.is_blind() {
        let _ = writeln!(
            text,
            "Nothing was looked for: none of {} can run{}",
            counted(ran as u64, "detection"),
            if summary.could_not_run() { "" } else { " on these logs" }
        );
    } else if summary.has(UnreadKind::OutOfRange) {
        let what = if summary.events == 0 { "file" } else { "event" };
        let _ = writeln!(text, "Nothing was looked at: no {what} is of the time looked for");
    } else if summary.has(UnreadKind::NoTrail) {
        let _ = writeln!(
            text,
            "Nothing was looked at: no event is of the kind that {} for",
            if ran == 1 { "the detection looks" } else { "the detections look" }
        );
    } else if summary.events == 0 {
        let _ = writeln!(
            text,
            "Nothing was looked at: no event was read, so nothing can be said about these logs"
        );
    } else {
        let looked = summary.with(|status| *status == Status::Clean).len();
        let start = if summary.is_partial() {
            "Findings may be missing, because not everything could be read or run; there are none in \
             the rest"
        } else {
            "No findings"
        };
        let _ = writeln!(
            text,
            "{start}: of {}, {looked} had events to look at and found nothing in them",
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
        let name = printable_line(&report.name) + &hidden;
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
    let (files, size) = (counted(summary.files, "file"), bytes(summary.bytes));
    if summary.could_not_run() && summary.files_opened == 0 {
        let _ = writeln!(text, "Read nothing of {files}, {size}");
    } else {
        let _ = writeln!(text, "Read {files}, {size}, {}", counted(summary.events, "event"));
    }
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
        let why = match summary.now_is {
            NowIs::Given => "as given",
            NowIs::AfterNewest => "just after the newest event",
            NowIs::AfterNewestPossible => {
                "just after the newest event that is not dated later than it can have happened"
            }
            NowIs::Run => {
                "the time of this run: events are dated later than they can have happened"
            }
        };
        let _ = writeln!(text, "Now is {}, {why}", instant(now, zone));
    }
    if let Some(inside) = report::inside(&summary.unwrapped) {
        let _ = writeln!(text, "Unwrapped: {inside}");
    }
    let skipped = summary.skipped.iter();
    let mut left_out: Vec<String> =
        skipped.filter_map(|(kind, count)| skipped_items(*kind, *count)).collect();
    if summary.foreign() > 0 {
        left_out.push(format!("{} without logs", counted(summary.foreign() as u64, "file")));
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
            counted(summary.damaged() as u64, "input"),
        );
    } else if summary.is_partial() {
        let _ = writeln!(text, "Findings may be missing; standard error says why");
    }
}

/// Returns how many items of a kind were left out; `None` for files without any JSON, which are
/// counted as files.
fn skipped_items(kind: SkipKind, count: u64) -> Option<String> {
    let (one, many) = match kind {
        SkipKind::NotJson => return None,
        SkipKind::Digest => ("digest of CloudTrail", "digests of CloudTrail"),
        SkipKind::S3Notification => ("notification of S3", "notifications of S3"),
        SkipKind::OtherService => ("file of another service", "files of other services"),
        SkipKind::LogMessage => ("log line that is no event", "log lines that are no events"),
        SkipKind::Scalar => {
            ("text, number or list that is no event", "texts, numbers or lists that are no events")
        }
        SkipKind::Duplicate => ("second copy of an event", "second copies of events"),
    };
    Some(format!("{} {}", separated(count), if count == 1 { one } else { many }))
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
    fn counts_and_sizes_read_well() {
        assert_eq!(counted(1, "file"), "1 file");
        assert_eq!(counted(1_234_567, "event"), "1,234,567 events");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(2_500_000), "2.5 MB");
        assert_eq!(skipped_items(SkipKind::NotJson, 5), None);
        let copies = skipped_items(SkipKind::Duplicate, 3997);
        assert_eq!(copies.as_deref(), Some("3,997 second copies of events"));
    }
}
