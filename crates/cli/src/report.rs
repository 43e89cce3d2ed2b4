//! Writes to standard error: diagnostics, errors, and input that could not be read.

use std::collections::{BTreeMap, HashMap};
use std::fmt::{Arguments, Write as _};
use std::io::Write as _;
use std::sync::Arc;

use jiff::tz::TimeZone;
use spilltrail_app::{AppError, Done, Summary, Unread, UnreadKind};
use spilltrail_content::ContentProblem;
use spilltrail_diagnostic::{Code, Color, Diagnostic, render, similar, visible};
use spilltrail_eval::functions::mvrange;
use spilltrail_eval::regex;
use spilltrail_search::lookups::rows_cut_off;
use spilltrail_source::Notice;
use spilltrail_spl::time::strftime;

use crate::lines::hang;
use crate::{excerpt, misnamed, paint, screen};

/// Indentation of what goes on below a line that is too long for the terminal.
const HANG: usize = 2;

fn color() -> Color {
    if paint::on_standard_error() { Color::Always } else { Color::Never }
}

/// Prints one line, in which characters that a terminal would obey are shown. Errors are ignored,
/// because there is nowhere left to report them.
pub(crate) fn line(text: Arguments<'_>) {
    wrapped(&visible(&text.to_string()));
}

/// Prints one line, wrapped for a terminal. A file, or a program that looks for words, gets it whole.
fn wrapped(line: &str) {
    let width = screen::error_width().unwrap_or(usize::MAX);
    for part in hang(line, width, HANG) {
        let _ = writeln!(std::io::stderr(), "{}", part.trim_end());
    }
}

/// Prints text of several lines, in which characters that a terminal would obey are shown.
pub(crate) fn lines(text: &str) {
    for text in text.lines() {
        line(format_args!("{text}"));
    }
}

/// Prints diagnostics about the text `source`; `origin` is its name in the output.
pub(crate) fn diagnostics(diagnostics: &[Diagnostic], origin: &str, source: &str) {
    for diagnostic in diagnostics.iter().take(MOST_DIAGNOSTICS) {
        // The colors are the only escapes: `render` shows those of the texts.
        let width = screen::error_width();
        let text = render(diagnostic, origin, source, color(), width);
        let text = width.map_or_else(|| format!("{text}\n"), |width| excerpt::fit(&text, width));
        let _ = write!(std::io::stderr(), "{text}");
    }
    let more = diagnostics.len().saturating_sub(MOST_DIAGNOSTICS);
    if more > 0 {
        line(format_args!("{more} more messages about {origin}: correct these first"));
    }
}

/// Number of messages about one text that are printed: each shows the line that it is about, and a
/// search of many thousand mistakes would be printed as often.
const MOST_DIAGNOSTICS: usize = 20;

/// How much is printed about things that do not affect the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    /// Each is printed in full.
    Full,
    /// They are counted, unless they are few.
    Counted,
}

/// Number of warnings about content that are printed, one line each, instead of counted.
const FEW_WARNINGS: usize = 2;

/// Prints the problems of content files: errors in full, and warnings as `detail` says.
///
/// Warnings are for the author of the content. Whoever runs a hunt with a thousand detections looks
/// for findings.
pub(crate) fn content(problems: &[ContentProblem], detail: Detail) {
    let is_full = |problem: &&ContentProblem| detail == Detail::Full || problem.is_error();
    let (full, warnings): (Vec<_>, Vec<_>) = problems.iter().partition(is_full);
    for problem in full {
        let path = problem.path.display().to_string();
        diagnostics(std::slice::from_ref(&problem.diagnostic), &path, &problem.source_text);
    }
    if warnings.len() <= FEW_WARNINGS {
        warnings.into_iter().for_each(|warning| line(format_args!("{}", in_a_line(warning))));
        return;
    }
    let mut counts: BTreeMap<Code, usize> = BTreeMap::new();
    for problem in &warnings {
        *counts.entry(problem.diagnostic.code).or_default() += 1;
    }
    let counts: Vec<String> = counts.iter().map(|(code, n)| format!("{n} {code}")).collect();
    line(format_args!(
        "note: {} about the content ({}); `spilltrail detections list` shows them",
        counted(warnings.len() as u64, "warning"),
        counts.join(", ")
    ));
}

/// Returns what is wrong with a content file in one line.
pub(crate) fn in_a_line(problem: &ContentProblem) -> String {
    let ContentProblem { path, diagnostic, .. } = problem;
    let place = problem.place().map(|(line, column)| format!(":{line}:{column}"));
    let help = diagnostic.help.as_ref().map(|help| format!("; {help}"));
    format!(
        "{}[{}]: {}{}: {}{}",
        diagnostic.severity.name(),
        diagnostic.code,
        path.display(),
        place.unwrap_or_default(),
        diagnostic.message,
        help.unwrap_or_default(),
    )
}

/// Returns a callback that prints what a run waits for.
pub(crate) fn notice() -> Notice {
    Notice(Arc::new(|text: &str| line(format_args!("note: {text}"))))
}

/// Most files skipped for the same reason that are named, unless everything is asked for.
const NAMED_FILES: usize = 3;

/// Prints the inputs that could not be read, with the reasons. Files that hold nothing to read are
/// counted as `detail` says.
pub(crate) fn unread(unread: &[Unread], detail: Detail) {
    let mut foreign: HashMap<&[String], Vec<&str>> = HashMap::new();
    for input in unread.iter().filter(|input| input.kind == UnreadKind::Foreign) {
        foreign.entry(&input.reasons).or_default().push(&input.name);
    }
    foreign.retain(|_, names| detail == Detail::Counted && names.len() > NAMED_FILES);
    for input in unread {
        if input.kind == UnreadKind::Foreign
            && let Some(names) = foreign.get_mut(input.reasons.as_slice())
        {
            // All of them are on the line of the first.
            let names = std::mem::take(names);
            if let Some((named, others)) = names.split_at_checked(NAMED_FILES) {
                let reasons: Vec<String> =
                    input.reasons.iter().map(|reason| of_many(reason)).collect();
                let (names, reasons) = (named.join(", "), reasons.join("; "));
                let more = separated(others.len() as u64);
                line(format_args!("note: {names} and {more} more {reasons}, skipped"));
            }
            continue;
        }
        let Unread { name, kind, reasons, more } = input;
        let mut severity = match kind {
            UnreadKind::NotFound
            | UnreadKind::NoLog
            | UnreadKind::NoEvents
            | UnreadKind::NoTrail
            | UnreadKind::Unnamed
            | UnreadKind::OutOfRange => "error".to_owned(),
            _ if input.is_damage() => "warning".to_owned(),
            _ => "note".to_owned(),
        };
        if let Some(code) = kind.code() {
            let _ = write!(severity, "[{code}]");
        }
        let ending = match kind {
            UnreadKind::Foreign | UnreadKind::ForeignEntries => ", skipped".to_owned(),
            UnreadKind::NotFound => {
                misnamed::hint(name).map(|hint| format!("; {hint}")).unwrap_or_default()
            }
            _ => String::new(),
        };
        for reason in reasons {
            line(format_args!("{severity}: {name}: {reason}{ending}"));
        }
        if *more > 0 {
            line(format_args!("{severity}: {name}: {} more damaged places", separated(*more)));
        }
    }
}

/// Returns a reason that is about one file, such as `holds no JSON`, as one about several.
fn of_many(reason: &str) -> String {
    match reason.split_once(' ') {
        Some(("holds", rest)) => format!("hold {rest}"),
        Some(("is", rest)) => format!("are {rest}"),
        _ => reason.to_owned(),
    }
}

/// Prints where events were that were inside something else, if there were any.
pub(crate) fn unwrapped(places: &BTreeMap<String, u64>) {
    if let Some(text) = inside(places) {
        line(format_args!("note: {text}"));
    }
}

/// Says where events were, such as "5 events were inside `Events[].CloudTrailEvent`".
pub(crate) fn inside(places: &BTreeMap<String, u64>) -> Option<String> {
    let mut parts = Vec::new();
    for (place, count) in places {
        let events = match (parts.is_empty(), *count) {
            (true, 1) => "1 event was".to_owned(),
            (true, count) => format!("{} events were", separated(count)),
            (false, count) => separated(count),
        };
        // A path is text from the input; a description has blanks.
        let place = visible(place);
        let is_path = !place.contains(' ');
        let place = if is_path { format!("`{place}`") } else { place.into_owned() };
        parts.push(format!("{events} inside {place}"));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Says that nothing was looked for if no detection can run.
pub(crate) fn nothing_ran(summary: &Summary) {
    if summary.could_not_run() {
        let detections = counted(summary.detections.len() as u64, "detection");
        line(format_args!("error: nothing was looked for: none of {detections} can run"));
    }
}

/// Returns a time as messages and tables show it.
pub(crate) fn instant(time: f64, zone: &TimeZone) -> String {
    strftime(time, "%Y-%m-%d %H:%M:%S %Z", zone)
}

/// Prints comparisons with an index that hold for every event, because files have no index.
pub(crate) fn met_indexes(comparisons: &[String]) -> Option<String> {
    let first = comparisons.first()?;
    let others = match comparisons.len() - 1 {
        0 => String::new(),
        n => format!(" (and {n} more)"),
    };
    Some(format!(
        "files have no index: `{first}`{others} matches all of them; `--index NAME` sets one"
    ))
}

/// Returns true if rows of a search can be missing or lack fields, which one of its messages tells.
pub(crate) fn may_lack_rows(messages: &[Diagnostic]) -> bool {
    messages.iter().any(|message| message.code.may_cost_rows())
}

/// Prints what was left out because of limits: the regular expressions that gave up, and the rows for
/// which a lookup did not look for every match. Returns true if anything was: then rows can be missing.
pub(crate) fn limits_met() -> bool {
    let given_up = regex::given_up();
    let mut is_cut = !given_up.patterns.is_empty() || mvrange::was_cut();
    for (pattern, values) in given_up.patterns {
        let values = counted(values, "value");
        line(format_args!(
            "warning: the regular expression `{pattern}` gave up on {values}, which count as not \
             matching; repetitions within repetitions, such as `(a+)+`, take too many steps"
        ));
    }
    if given_up.other_values > 0 {
        let values = counted(given_up.other_values, "value");
        line(format_args!(
            "warning: further regular expressions gave up on {values}, which count as not matching"
        ));
    }
    if mvrange::was_cut() {
        line(format_args!(
            "warning: `mvrange` stopped at 100,000 values, which is the most that it returns; use a \
             larger step"
        ));
    }
    match rows_cut_off() {
        0 => {}
        rows => {
            is_cut = true;
            line(format_args!(
                "warning: lookups found only some of the matches of {}, which have too many values; \
                 look up fewer fields with several values at once",
                counted(rows, "row")
            ));
        }
    }
    is_cut
}

/// Prints an error, with hints that name command-line options. `origin` says where the setting that
/// it is about comes from, if not from an option.
pub(crate) fn error(error: &AppError, origin: Option<String>) {
    match error {
        AppError::Macro { text, diagnostic } => {
            let mut diagnostic = diagnostic.clone();
            if origin.is_some() {
                diagnostic.help = Some("write `NAME = 'DEFINITION'` under `[macros]`".to_owned());
            }
            let origin = origin.unwrap_or_else(|| "--macro".to_owned());
            diagnostics(std::slice::from_ref(&diagnostic), &origin, text);
            line(format_args!("error: {origin}: the macro `{text}` cannot be used"));
        }
        AppError::Time { option, source } => {
            line(format_args!("error: --{option} {}: {source}", source.text));
        }
        AppError::Zone { name } => {
            let known: Vec<String> =
                jiff::tz::db().available().map(|zone| zone.to_string()).collect();
            let hint = match similar(name, known.iter().map(String::as_str)) {
                Some(similar) => format!("did you mean `{similar}`?"),
                None => "expected a name such as `Europe/Berlin`".to_owned(),
            };
            line(format_args!("error: {error}; {hint}"));
        }
        AppError::NoSuchDetection { similar: None, .. } => {
            line(format_args!("error: {error}; `spilltrail detections list` names all"));
        }
        AppError::NoContentFolder { .. } => {
            let origin = origin.unwrap_or_else(|| "`--content`".to_owned());
            line(format_args!("error: the content folder {error}; check {origin}"));
        }
        AppError::SeveralDetections { found, .. } => {
            line(format_args!("error: {error}; name one of them:"));
            found.iter().for_each(|name| line(format_args!("  {name}")));
        }
        AppError::NoDetections => {
            line(format_args!("error: {error}; name a folder with `--content DIR`"));
        }
        AppError::NoLogs { unread: what } => {
            unread(what, Detail::Counted);
            line(format_args!("error: {error}"));
        }
        other => {
            let origin = origin.map(|origin| format!("; check {origin}")).unwrap_or_default();
            line(format_args!("error: {}{origin}", chain(other)));
        }
    }
}

/// Prints that a signal stopped a run, and the progress up to that point.
pub(crate) fn stopped(signal: &str, done: &Done) {
    line(format_args!("error[{}]: stopped by {signal}; {}", Code::CANCELED, what_was_done(done)));
}

/// Returns a count followed by its noun, with thousands separators.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", separated(count))
}

/// Returns a count with thousands separators.
pub(crate) fn separated(count: u64) -> String {
    let digits = count.to_string();
    let mut number = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            number.push(',');
        }
        number.push(digit);
    }
    number
}

fn what_was_done(done: &Done) -> String {
    let mut text = match done.files {
        0 => "nothing had been read".to_owned(),
        files => format!(
            "{} of {} had been read ({})",
            separated(done.files_read),
            counted(files, "file"),
            counted(done.events, "event"),
        ),
    };
    if done.rows > 0 {
        let _ = write!(text, ", {} printed", counted(done.rows, "row"));
    }
    if done.detections > 0 {
        let Done { detections, finished, findings, .. } = done;
        let _ = write!(
            text,
            ", {finished} of {detections} detections finished ({} printed)",
            counted(*findings, "finding"),
        );
    }
    text
}

/// Returns the message of an error followed by those of its causes, apart from what it has of them already.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let told = error.to_string();
        if !text.ends_with(&told) {
            text.push_str(&format!(": {told}"));
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_about_several_files() {
        for (one, many) in [
            ("holds no JSON", "hold no JSON"),
            ("is a device", "are a device"),
            ("denied", "denied"),
        ] {
            assert_eq!(of_many(one), many);
        }
    }

    #[test]
    fn where_events_were() {
        for (places, text) in [
            (&[][..], None),
            (&[("message", 1)], Some("1 event was inside `message`")),
            (
                &[("a[].b\u{1b}", 5), ("strings of JSON", 2)],
                Some("5 events were inside `a[].b\\u001b`, 2 inside strings of JSON"),
            ),
        ] {
            let places = places.iter().map(|(place, count)| ((*place).to_owned(), *count));
            assert_eq!(inside(&places.collect()).as_deref(), text);
        }
    }
}
