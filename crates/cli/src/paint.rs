//! Colors on standard output, if the user wants them there.
//!
//! `--color` decides. By default, a terminal gets colors, unless `NO_COLOR` is set; with
//! `CLICOLOR_FORCE`, everything else gets them too.

use std::ffi::OsString;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use clap::ValueEnum;

use crate::arguments::Colors;

const HIGH: Style = AnsiColor::Red.on_default().bold();
const MEDIUM: Style = AnsiColor::Yellow.on_default().bold();
const LOW: Style = AnsiColor::Cyan.on_default();
const ADDED: Style = AnsiColor::Green.on_default();
const REMOVED: Style = AnsiColor::Red.on_default();
const BOLD: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();

/// Returns what `--color` says, as far as it can be read. The parser's own messages have colors, too,
/// and are printed if it could not read the arguments.
pub(crate) fn asked_for(arguments: impl Iterator<Item = OsString>) -> Colors {
    let mut colors = Colors::Auto;
    let mut arguments =
        arguments.map(|argument| argument.to_string_lossy().into_owned()).take_while(|a| a != "--");
    while let Some(argument) = arguments.next() {
        let value = match argument.strip_prefix("--color") {
            Some("") => arguments.next(),
            Some(rest) => rest.strip_prefix('=').map(str::to_owned),
            None => None,
        };
        let asked = value.and_then(|value| Colors::from_str(&value, false).ok());
        colors = asked.unwrap_or(colors);
    }
    colors
}

/// Sets what the user chose, before anything is printed.
pub(crate) fn choose(colors: Colors) {
    match colors {
        Colors::Auto => ColorChoice::Auto,
        Colors::Always => ColorChoice::AlwaysAnsi,
        Colors::Never => ColorChoice::Never,
    }
    .write_global();
}

/// Returns true if standard error gets colors.
pub(crate) fn on_standard_error() -> bool {
    AutoStream::choice(&std::io::stderr()) != ColorChoice::Never
}

/// Returns true if standard output gets colors.
pub(crate) fn on_standard_output() -> bool {
    AutoStream::choice(&std::io::stdout()) != ColorChoice::Never
}

/// Returns text in the color of a risk score. From 75 on, a finding cannot wait; from 50 on, it should
/// not.
pub(crate) fn by_score(score: Option<u32>, text: &str) -> String {
    let style = match score {
        Some(75..) => HIGH,
        Some(50..) => MEDIUM,
        Some(_) => LOW,
        None => FAINT,
    };
    paint(style, text)
}

/// Returns text as a heading.
pub(crate) fn bold(text: &str) -> String {
    paint(BOLD, text)
}

/// Returns a line that a change adds.
pub(crate) fn added(text: &str) -> String {
    paint(ADDED, text)
}

/// Returns a line that a change removes.
pub(crate) fn removed(text: &str) -> String {
    paint(REMOVED, text)
}

/// Returns text that matters less than what surrounds it.
pub(crate) fn faint(text: &str) -> String {
    paint(FAINT, text)
}

fn paint(style: Style, text: &str) -> String {
    if on_standard_output() { format!("{style}{text}{style:#}") } else { text.to_owned() }
}
