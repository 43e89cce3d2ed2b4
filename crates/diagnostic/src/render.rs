//! Renders a diagnostic as text for the terminal.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::visible::masked;
use crate::{Diagnostic, Severity, visible};

/// Whether the rendered text contains colors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// Use ANSI color codes.
    Always,
    /// Use plain text.
    Never,
}

/// Returns the diagnostic as text for a terminal, including the marked lines of `source`.
///
/// `origin` is the name of `source`: `<search>`, the path of a file, or the name of a detection.
/// Characters that a terminal would obey are shown and not sent to it. A line of source that is
/// longer than `width` is cut around its marks; without a width, only very long ones are.
#[must_use]
pub fn render(
    diagnostic: &Diagnostic,
    origin: &str,
    source: &str,
    color: Color,
    width: Option<usize>,
) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Unsupported => Level::ERROR.with_name("unsupported"),
        Severity::Warning => Level::WARNING,
    };
    let code = diagnostic.code.to_string();
    let message = visible(&diagnostic.message);
    let mut group = Group::with_title(level.primary_title(message).id(&code));
    let in_range = |end: usize| end <= source.len();
    if diagnostic.labels.iter().any(|label| in_range(label.span.end)) {
        let mut snippet = Snippet::source(masked(source)).path(visible(origin)).fold(true);
        for (index, label) in diagnostic.labels.iter().enumerate() {
            if !in_range(label.span.end) {
                continue;
            }
            let kind = if index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
            let mark = kind.span(label.span.start..label.span.end);
            let text = (!label.text.is_empty()).then_some(visible(&label.text));
            snippet = snippet.annotation(mark.label(text));
        }
        group = group.element(snippet);
    }
    for note in &diagnostic.notes {
        group = group.element(Level::NOTE.message(visible(note)));
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(visible(help)));
    }
    let renderer = match color {
        Color::Always => Renderer::styled(),
        Color::Never => Renderer::plain(),
    };
    let renderer = match width {
        Some(width) => renderer.term_width(width),
        None => renderer,
    };
    renderer.render(&[group])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Code, Span};

    #[test]
    fn nothing_hostile_reaches_the_terminal() {
        let hostile = "a\u{1b}[31m\u{200f}\u{2028}\nerror: b\u{9b}2J\u{202e}\0";
        let diagnostic = Diagnostic::error(Code::BAD_REGEX, hostile)
            .label(Span::new(0, 3), hostile)
            .help(hostile)
            .note(hostile);
        let text = render(&diagnostic, hostile, hostile, Color::Never, None);
        assert!(text.lines().all(|line| visible(line) == line), "{text:?}");
        assert!(!text.lines().any(|line| line.starts_with("error: b")), "{text}");
        assert!(text.contains(" --> a\\u001b[31m\\u200f\\u2028\\nerror: b"), "{text}");
    }
}
