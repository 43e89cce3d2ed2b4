//! What a hunt says about its detections on standard error: what failed, what could not run, and
//! what is doubtful about findings.
//!
//! There may be thousands of detections, so these are counted unless everything is asked for.

use std::collections::{BTreeMap, BTreeSet};

use spilltrail_app::{Cause, Report};
use spilltrail_content::Detection;
use spilltrail_detect::Status;
use spilltrail_diagnostic::{Code, Diagnostic, Severity};

use super::located::Located;
use super::own::Own;
use crate::report::{self, Detail};

/// Most causes that the line about detections that were not run names.
const MOST_CAUSES: usize = 3;

/// Most detections without a verdict that are named.
const MOST_DOUBTFUL: usize = 2;

/// Most warnings of one hunt that are printed instead of counted.
const FEW_WARNINGS: usize = 2;

/// Collects the diagnostics of detections until the hunt ends.
pub(super) struct Notes {
    detail: Detail,
    /// The failed detections.
    failed: Vec<Located>,
    /// Lines about detections that are unsupported, with `--all`.
    unsupported: Vec<String>,
    /// The detections that looked at events and could not tell, with their status and the reason.
    doubtful: Vec<(&'static str, String)>,
    /// Detections without findings whose searches are doubtful, with the warnings.
    mistaken: Vec<Located>,
    /// Detections of which findings may be missing, with what says why.
    lacking: Vec<Located>,
    /// Lines about detections with findings, with the codes of the diagnostics.
    warnings: Vec<(Code, String)>,
    /// The detections that are the user's own.
    own: Own,
    /// Lines about own detections that found nothing, with their names and the codes of the
    /// diagnostics: what is doubtful about them may be why.
    silent: Vec<(String, Code, String)>,
}

impl Notes {
    pub(super) fn new(detail: Detail, own: Own) -> Self {
        Self {
            detail,
            failed: Vec::new(),
            unsupported: Vec::new(),
            doubtful: Vec::new(),
            mistaken: Vec::new(),
            lacking: Vec::new(),
            warnings: Vec::new(),
            own,
            silent: Vec::new(),
        }
    }

    /// Adds what is to be said about a detection.
    pub(super) fn add(&mut self, detection: &Detection, report: &Report) {
        if !report.lacks.is_empty() {
            self.lacking.push(Located::new(detection, report.lacks.clone()));
        }
        let others = || report.messages.iter().filter(|message| !report.lacks.contains(message));
        let lines = || others().map(|message| line(detection, message));
        match &report.status {
            Status::Failed => {
                self.failed.push(Located::new(detection, report.messages.clone()));
            }
            Status::Unsupported if self.detail == Detail::Full => self.unsupported.extend(lines()),
            Status::NeedsSource(need) if self.detail == Detail::Full => {
                self.unsupported.push(format!("note: {}: needs {need}", detection.name));
            }
            Status::Clean | Status::NoSuchEvents | Status::CannotFire(_)
                if report.messages.iter().any(|message| is_doubt(message, report)) =>
            {
                let doubts = report.messages.iter().filter(|message| is_doubt(message, report));
                self.mistaken.push(Located::new(detection, doubts.cloned().collect()));
            }
            Status::CannotFire(_) | Status::NoBaseline(_) => {
                let reason = report.reason().unwrap_or_default();
                self.doubtful.push((report.status.name(), format!("{}: {reason}", report.name)));
            }
            Status::Fired => {
                let codes = others().map(|message| message.code);
                self.warnings.extend(codes.zip(lines()));
            }
            Status::Clean | Status::NoSuchEvents | Status::EmptySubsearch
                if self.own.has(detection) =>
            {
                let named = others().map(|message| {
                    (detection.name.clone(), message.code, line(detection, message))
                });
                self.silent.extend(named);
            }
            _ => {}
        }
    }

    /// Prints the notes. `are_causes_shown` says whether the causes are shown with the findings.
    pub(super) fn print(self, causes: &[Cause], are_causes_shown: bool) {
        let print = |text: &String| report::line(format_args!("{text}"));
        self.unsupported.iter().for_each(print);
        if self.detail == Detail::Counted && !are_causes_shown {
            not_run(causes).iter().for_each(print);
        }
        if !are_causes_shown {
            without_verdict(&self.doubtful, self.detail).iter().for_each(print);
        }
        if self.detail == Detail::Full {
            self.silent.iter().map(|(.., line)| line).for_each(print);
        } else {
            silent(&self.silent).iter().for_each(print);
        }
        if self.detail == Detail::Full || self.warnings.len() <= FEW_WARNINGS {
            self.warnings.iter().map(|(_, line)| line).for_each(print);
        } else {
            print(&counted(&self.warnings));
        }
        some(&self.mistaken, self.detail, |names| {
            format!("the searches of {names} are doubtful, too")
        });
        some(&self.lacking, self.detail, |names| {
            format!("findings of {names} may be missing, too")
        });
        failures(&self.failed, self.detail);
    }
}

/// Codes of warnings about searches that say something else than they seem to.
const DOUBTS: [Code; 8] = [
    Code::DOTTED_NAME,
    Code::LOST_FIELD,
    Code::LOWER_CASE_OPERATOR,
    Code::NOT_SPL,
    Code::QUOTES,
    Code::NEVER_MET,
    Code::WILDCARD,
    Code::OTHER_NAME,
];

/// Returns true for a warning about a doubtful search. A dotted name is none if the detection can find
/// something nevertheless.
fn is_doubt(message: &Diagnostic, report: &Report) -> bool {
    let matters = message.code != Code::DOTTED_NAME || report.mistake.is_some();
    matters && DOUBTS.contains(&message.code)
}

/// Prints warnings about detections: in full if they are few or everything is asked for. `others` says of
/// the names of the others what is told of them.
fn some(located: &[Located], detail: Detail, others: impl Fn(&str) -> String) {
    let full = if detail == Detail::Full { located.len() } else { FEW_WARNINGS };
    located.iter().take(full).for_each(Located::print);
    if let Some(next) = located.get(full) {
        let names = match located.len() - full - 1 {
            0 => format!("`{}`", next.name),
            more => format!("`{}` and {more} more", next.name),
        };
        let told = others(&names);
        report::line(format_args!("warning: {told}; --all shows why"));
    }
}

/// Returns a diagnostic of a detection as one line.
fn line(detection: &Detection, message: &Diagnostic) -> String {
    let severity = match message.severity {
        Severity::Unsupported => "unsupported",
        Severity::Warning => "warning",
        Severity::Error => "error",
    };
    format!("{severity}[{}]: {}: {}", message.code, detection.name, message.message)
}

/// Returns a line for each status that kept detections from running.
fn not_run(causes: &[Cause]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut left: Vec<&Cause> = causes.iter().collect();
    while let Some(first) = left.first() {
        let status = first.status;
        let (of, others): (Vec<&Cause>, Vec<&Cause>) =
            left.iter().partition(|cause| cause.status == status);
        let total: u64 = of.iter().map(|cause| cause.detections).sum();
        let named: Vec<String> =
            of.iter().take(MOST_CAUSES).map(|cause| counted_cause(cause)).collect();
        let more = match of.len().saturating_sub(MOST_CAUSES) {
            0 => String::new(),
            1 => ", and one more cause".to_owned(),
            more => format!(", and {more} more causes"),
        };
        let noun = if total == 1 { "detection was" } else { "detections were" };
        lines.push(format!(
            "note: {total} {noun} not run ({status}): {}{more}; --all names them",
            named.join(", ")
        ));
        left = others;
    }
    lines
}

/// Returns a line for each status of the detections that looked at events and could not tell; with
/// full detail, a line for each detection.
fn without_verdict(doubtful: &[(&'static str, String)], detail: Detail) -> Vec<String> {
    if detail == Detail::Full {
        return doubtful.iter().map(|(status, text)| format!("note: {text} ({status})")).collect();
    }
    let mut by_status: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    doubtful.iter().for_each(|(status, text)| by_status.entry(status).or_default().push(text));
    let line = |(status, texts): (&str, Vec<&str>)| {
        let (count, noun) =
            (texts.len(), if texts.len() == 1 { "detection" } else { "detections" });
        let named = texts.iter().take(MOST_DOUBTFUL).copied().collect::<Vec<_>>().join("; ");
        let more = match count.saturating_sub(MOST_DOUBTFUL) {
            0 => String::new(),
            more => format!("; {more} more, --all names them"),
        };
        format!("note: {count} {noun} cannot tell ({status}): {named}{more}")
    };
    by_status.into_iter().map(line).collect()
}

/// Returns a cause with its number of detections: "12 use the command `apply`".
pub(super) fn counted_cause(cause: &Cause) -> String {
    let Cause { cause: text, detections, .. } = cause;
    match (*detections, text.split_once(' ')) {
        (1, Some(("are", rest))) => format!("1 is {rest}"),
        (1, Some((verb, rest))) => format!("1 {verb}s {rest}"),
        _ => format!("{detections} {text}"),
    }
}

/// Returns a line that counts warnings.
fn counted(warnings: &[(Code, String)]) -> String {
    let mut counts: BTreeMap<Code, usize> = BTreeMap::new();
    warnings.iter().for_each(|(code, _)| *counts.entry(*code).or_default() += 1);
    let counts: Vec<String> =
        counts.iter().map(|(code, count)| format!("{count} {code}")).collect();
    format!(
        "note: {} warnings about detections with findings ({}); --all shows them",
        warnings.len(),
        counts.join(", ")
    )
}

/// Most own detections that are named which found nothing and have warnings.
const MOST_SILENT: usize = 3;

/// Returns a line about the own detections that found nothing and have warnings, if there are any.
fn silent(lines: &[(String, Code, String)]) -> Option<String> {
    let mut codes: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (name, code, _) in lines {
        codes.entry(name).or_default().insert(code.to_string());
    }
    let named = codes.iter().take(MOST_SILENT).map(|(name, codes)| {
        let codes: Vec<&str> = codes.iter().map(String::as_str).collect();
        format!("{name} ({})", codes.join(", "))
    });
    let named = named.collect::<Vec<String>>().join(", ");
    let more = match codes.len().saturating_sub(MOST_SILENT) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let what = match codes.len() {
        0 => return None,
        1 => "1 detection that found nothing has warnings".to_owned(),
        count => format!("{count} detections that found nothing have warnings"),
    };
    Some(format!("note: {what}: {named}{more}; --all shows them"))
}

/// Prints the failed detections: in full if there is only one or everything is asked for, else one
/// line each for the first of them.
fn failures(failed: &[Located], detail: Detail) {
    const FEW: usize = 2;
    if failed.len() <= 1 || detail == Detail::Full {
        failed.iter().for_each(Located::print);
        return;
    }
    failed.iter().take(FEW).for_each(Located::print_worst);
    let more = failed.len().saturating_sub(FEW);
    if more > 0 {
        report::line(format_args!("error: {more} more detections failed; --all shows them"));
    }
}
