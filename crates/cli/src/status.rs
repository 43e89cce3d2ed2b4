//! Exit statuses. Only this module converts outcomes to numbers.

use std::process::ExitCode;

use spilltrail_app::{
    AppError, Class, Content, Done, Ingested, ReplaySummary, Summary, TestSummary, Unread,
};

/// Status if part of the input or of the content could not be used.
const PARTIAL: u8 = 1;
/// Status if nothing could be run.
const FAILED: u8 = 2;
/// Status if a hunt has findings and the user asked to treat findings as a failure, if a check found
/// what it fails on, and if a test failed.
const FOUND: u8 = 3;
/// Offset added to the number of the signal that stopped the run, as in shells.
const SIGNALED: u8 = 128;

/// Returns the status of a command that could not run.
pub(crate) fn failed() -> ExitCode {
    ExitCode::from(FAILED)
}

/// Returns the status of a run that an error stopped.
pub(crate) fn of_error(error: &AppError) -> ExitCode {
    of_class(error.class())
}

/// Returns the status of a run that stopped because of a problem of this class.
pub(crate) fn of_class(class: Class) -> ExitCode {
    ExitCode::from(match class {
        Class::User | Class::Unsupported | Class::Data | Class::Environment | Class::Internal => {
            FAILED
        }
        // 2 is the number of SIGINT. If the signal is known, `of_signal` returns its own status.
        Class::Canceled => SIGNALED + 2,
    })
}

/// Returns the status of a run that a signal stopped.
pub(crate) fn of_signal(signal: i32) -> ExitCode {
    ExitCode::from(number_of_signal(signal))
}

/// Returns the status of [`of_signal`] as a number: 130 for SIGINT.
pub(crate) fn number_of_signal(signal: i32) -> u8 {
    u8::try_from(signal).map_or(FAILED, |signal| SIGNALED.saturating_add(signal))
}

/// Returns the status of a command that uses only content and no logs.
pub(crate) fn of_content(content: &Content) -> ExitCode {
    ExitCode::from(if content.is_partial() { PARTIAL } else { 0 })
}

/// Returns the status of formatting. `is_partial` says that a text cannot be formatted, or that one which
/// was only to be checked is not formatted; `is_nothing` that there is
/// no text at all.
pub(crate) fn of_format(is_partial: bool, is_nothing: bool) -> ExitCode {
    ExitCode::from(match (is_nothing, is_partial) {
        (true, _) => FAILED,
        (false, true) => PARTIAL,
        (false, false) => 0,
    })
}

/// Returns the status of a search that completed.
///
/// `is_cut` says whether something was left out because of a limit.
pub(crate) fn of_search(content: &Content, unread: &[Unread], is_cut: bool) -> ExitCode {
    ExitCode::from(of_reading(content.is_partial() || is_cut, unread))
}

/// Returns the status of a hunt whose output pipe was closed, as in `hunt … | head`.
pub(crate) fn of_cut_hunt(content: &Content, done: &Done, fail_on_finding: bool) -> ExitCode {
    ExitCode::from(if fail_on_finding && done.findings > 0 {
        FOUND
    } else {
        of_reading(content.is_partial(), &done.unread)
    })
}

/// Returns the status of a hunt that completed. With `fail_on_finding`, findings count as a failure;
/// with `strict`, so does a detection that this version does not support. A hunt of which no detection
/// can run looked for nothing. `is_cut` says whether something was left out because of a limit.
pub(crate) fn of_hunt(
    content: &Content,
    summary: &Summary,
    is_cut: bool,
    fail_on_finding: bool,
    strict: bool,
) -> ExitCode {
    let is_partial = content.is_partial()
        || is_cut
        || summary.is_partial()
        || (strict && summary.has_unsupported_detections());
    ExitCode::from(if summary.could_not_run() {
        FAILED
    } else if fail_on_finding && summary.findings > 0 {
        FOUND
    } else {
        of_reading(is_partial, &summary.unread)
    })
}

/// Returns the status of a check; `fails` says whether it found what the user wants it to fail on, and
/// `is_empty` whether there was no detection to check.
pub(crate) fn of_check(fails: bool, is_empty: bool) -> ExitCode {
    ExitCode::from(match (is_empty, fails) {
        (true, _) => FAILED,
        (false, true) => FOUND,
        (false, false) => 0,
    })
}

/// Returns the status of tests. A failure comes before all else; a test that could not run is no
/// success, and if none ran, nothing was tested, which `may_be_none` says is right. `is_cut` says whether
/// something was left out because of a limit.
pub(crate) fn of_tests(
    content: &Content,
    summary: &TestSummary,
    is_cut: bool,
    may_be_none: bool,
) -> ExitCode {
    let counts = &summary.counts;
    ExitCode::from(if counts.failed > 0 {
        FOUND
    } else if counts.ran() == 0 && !may_be_none {
        FAILED
    } else if counts.not_run() > 0 || content.is_partial() || summary.is_partial() || is_cut {
        PARTIAL
    } else {
        0
    })
}

/// Returns the status of a replay; one without any event replayed nothing. `is_cut` says whether
/// something was left out because of a limit.
pub(crate) fn of_replay(summary: &ReplaySummary, is_cut: bool) -> ExitCode {
    ExitCode::from(match summary.events {
        0 => FAILED,
        _ => of_reading(is_cut, &summary.unread),
    })
}

/// Returns the status of an ingestion. Nothing is missing if all files had been stored before.
pub(crate) fn of_ingest(ingested: &Ingested, is_cut: bool) -> ExitCode {
    ExitCode::from(match ingested {
        Ingested { events: 0, known: 0, before: 0, .. } => FAILED,
        Ingested { damaged, too_long, unread, .. } => {
            of_reading(is_cut || damaged + too_long > 0, unread)
        }
    })
}

/// Returns the status of a run whose input was read so far as `unread` does not say otherwise.
fn of_reading(is_partial: bool, unread: &[Unread]) -> u8 {
    if unread.iter().any(Unread::is_all) {
        FAILED
    } else if is_partial || unread.iter().any(Unread::is_damage) {
        PARTIAL
    } else {
        0
    }
}
