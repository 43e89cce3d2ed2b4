//! What goes to standard error: diagnostics, and what could not be read.

use std::io::IsTerminal;

use spilltrail_app::{AppError, Unread, UnreadKind};
use spilltrail_content::ContentProblem;
use spilltrail_diagnostic::{Color, Diagnostic, render};

/// Returns whether standard error takes colors.
pub(crate) fn color() -> Color {
    let is_wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    if is_wanted && std::io::stderr().is_terminal() { Color::Always } else { Color::Never }
}

/// Prints diagnostics about `source`, which is called `origin`.
pub(crate) fn diagnostics(diagnostics: &[Diagnostic], origin: &str, source: &str) {
    for diagnostic in diagnostics {
        eprintln!("{}", render(diagnostic, origin, source, color()));
    }
}

/// Prints what is wrong with content.
pub(crate) fn content(problems: &[ContentProblem]) {
    for problem in problems {
        let path = problem.path.display().to_string();
        diagnostics(std::slice::from_ref(&problem.diagnostic), &path, &problem.source_text);
    }
}

/// Prints what of the logs could not be read.
pub(crate) fn unread(unread: &[Unread]) {
    for Unread { name, kind, reasons, more } in unread {
        let severity = match kind {
            UnreadKind::NotFound => "error",
            UnreadKind::Damaged => "warning",
            UnreadKind::Foreign => "note",
        };
        let ending = if *kind == UnreadKind::Foreign { ", skipped" } else { "" };
        for reason in reasons {
            eprintln!("{severity}: {name}: {reason}{ending}");
        }
        if *more > 0 {
            eprintln!("{severity}: {name}: {more} more damaged places");
        }
    }
}

/// Prints why something could not be run, in the words of the command line.
pub(crate) fn error(error: &AppError) {
    match error {
        AppError::Macro { text, diagnostic } => {
            diagnostics(std::slice::from_ref(diagnostic), "--macro", text);
            eprintln!("error: `--macro {text}` cannot be used");
        }
        AppError::Time { option, source } => {
            eprintln!("error: --{option} {}: {source}", source.text);
        }
        AppError::NoSuchDetection { similar: None, .. } => {
            eprintln!("error: {error}; `spilltrail detections list` names all");
        }
        AppError::NoDetections => eprintln!("error: {error}; name a folder with `--content DIR`"),
        AppError::NoLogs { unread: what } => {
            unread(what);
            eprintln!("error: {error}");
        }
        other => eprintln!("error: {}", chain(other)),
    }
}

/// Returns what an error says, with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
