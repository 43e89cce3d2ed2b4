//! Exit statuses: the one place where outcomes become numbers.

use std::process::ExitCode;

use spilltrail_app::{AppError, Class, Content, Done, Summary, Unread};

/// Part of the input or content could not be used.
const PARTIAL: u8 = 1;
/// Nothing could be run.
const FAILED: u8 = 2;
/// There are findings, and that was asked to count as failure.
const FOUND: u8 = 3;
/// A signal ended the run: this and its number, as shells have it.
const SIGNALED: u8 = 128;

/// Returns the status of a command that could not run.
pub(crate) fn failed() -> ExitCode {
    ExitCode::from(FAILED)
}

/// Returns the status of a run that an error ended.
pub(crate) fn of_error(error: &AppError) -> ExitCode {
    of_class(error.class())
}

/// Returns the status of a run that trouble of this class ended.
pub(crate) fn of_class(class: Class) -> ExitCode {
    ExitCode::from(match class {
        Class::User | Class::Unsupported | Class::Data | Class::Environment | Class::Internal => {
            FAILED
        }
        // SIGINT's number is 2. A signal's own status comes from `of_signal`.
        Class::Canceled => SIGNALED + 2,
    })
}

/// Returns the status of a run that a signal ended.
pub(crate) fn of_signal(signal: i32) -> ExitCode {
    ExitCode::from(number_of_signal(signal))
}

/// As [`of_signal`], as a number: 130 for SIGINT, 143 for SIGTERM.
pub(crate) fn number_of_signal(signal: i32) -> u8 {
    u8::try_from(signal).map_or(FAILED, |signal| SIGNALED.saturating_add(signal))
}

/// Returns the status of a command that needs nothing but content.
pub(crate) fn of_content(content: &Content) -> ExitCode {
    ExitCode::from(if content.is_partial() { PARTIAL } else { 0 })
}

/// Returns the status of a search that ran to its end.
pub(crate) fn of_search(content: &Content, unread: &[Unread]) -> ExitCode {
    let is_partial = content.is_partial() || unread.iter().any(Unread::is_damage);
    ExitCode::from(if is_partial { PARTIAL } else { 0 })
}

/// Returns the status of a hunt whose findings nobody took any more: `hunt … | head`.
pub(crate) fn of_cut_hunt(content: &Content, done: &Done, fail_on_finding: bool) -> ExitCode {
    let is_partial = content.is_partial() || done.unread.iter().any(Unread::is_damage);
    ExitCode::from(if fail_on_finding && done.findings > 0 {
        FOUND
    } else if is_partial {
        PARTIAL
    } else {
        0
    })
}

/// Returns the status of a hunt that ran to its end; findings count as failure if that was asked for.
pub(crate) fn of_hunt(content: &Content, summary: &Summary, fail_on_finding: bool) -> ExitCode {
    let is_partial = content.is_partial()
        || summary.has_unusable_detections()
        || summary.unread.iter().any(Unread::is_damage);
    ExitCode::from(if fail_on_finding && summary.findings > 0 {
        FOUND
    } else if summary.is_all_unreadable() {
        FAILED
    } else if is_partial {
        PARTIAL
    } else {
        0
    })
}
