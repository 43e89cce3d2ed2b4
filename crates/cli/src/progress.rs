//! Shows how much of the logs has been read.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

/// Returns a progress bar that counts bytes, hidden if standard error is not a terminal.
pub(crate) fn bar() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    let template = "{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {elapsed}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
