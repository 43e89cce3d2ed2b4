//! Exit statuses: the one place where outcomes become numbers.

use std::process::ExitCode;

use spilltrail_app::{AppError, Class, Content, Summary, Unread};

/// Part of the input or content could not be used.
const PARTIAL: u8 = 1;
/// Nothing could be run.
const FAILED: u8 = 2;
/// There are findings, and that was asked to count as failure.
const FOUND: u8 = 3;
/// Somebody ended the run: the status that a shell gives a process ended by Ctrl-C.
const CANCELED: u8 = 130;

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
        Class::Canceled => CANCELED,
    })
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
