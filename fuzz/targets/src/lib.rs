//! The entry points that fuzzing drives: every one takes any bytes, and must neither panic nor hold
//! memory without bound.
//!
//! A target is a function in a file of its own, and a line in [`TARGETS`]. `cargo fuzz` runs them
//! from `fuzz/fuzz_targets`; the tests of this crate run the corpus, and changes of it, on a stable
//! compiler.

mod content;
mod decode;
mod eval;
mod format;
mod macros;
mod parse;
mod regex;
#[path = "../../../crates/spl/tests/common/same.rs"]
mod same;
mod split;
mod time;

use spilltrail_diagnostic::Diagnostic;

/// An entry point.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The name, which is also that of the folder of its corpus.
    pub name: &'static str,
    /// What is run.
    pub run: fn(&[u8]),
}

/// All entry points.
pub const TARGETS: &[Target] = &[
    Target { name: "split", run: split::run },
    Target { name: "parse", run: parse::run },
    Target { name: "macros", run: macros::run },
    Target { name: "time", run: time::run },
    Target { name: "eval", run: eval::run },
    Target { name: "regex", run: regex::run },
    Target { name: "format", run: format::run },
    Target { name: "content", run: content::run },
    Target { name: "decode", run: decode::run },
];

/// Runs the target of this name.
///
/// # Panics
/// Panics if there is no such target, or if the target finds a defect.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.expect("`name` is in TARGETS").run)(data);
}

/// Returns the data as text; bytes that are not UTF-8 are replaced.
fn text(data: &[u8]) -> String {
    String::from_utf8_lossy(data).into_owned()
}

/// Returns the text before the first `separator`, and the text after it, which may be empty.
fn halves<'t>(text: &'t str, separator: &str) -> (&'t str, &'t str) {
    text.split_once(separator).unwrap_or((text, ""))
}

/// Checks that what a diagnostic says can be shown: its spans lie in `text`, between characters.
fn check(diagnostic: &Diagnostic, text: &str) {
    for label in &diagnostic.labels {
        let span = label.span;
        assert!(span.start <= span.end, "{diagnostic:?}");
        assert!(text.get(span.start..span.end).is_some(), "{diagnostic:?}");
    }
    assert!(!diagnostic.message.is_empty(), "{diagnostic:?}");
}
