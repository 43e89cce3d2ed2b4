//! Renders a diagnostic as text for the terminal.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::{Diagnostic, Severity};

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
#[must_use]
pub fn render(diagnostic: &Diagnostic, origin: &str, source: &str, color: Color) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Unsupported => Level::ERROR.with_name("unsupported"),
        Severity::Warning => Level::WARNING,
    };
    let code = diagnostic.code.to_string();
    let mut group = Group::with_title(level.primary_title(&diagnostic.message).id(&code));
    let in_range = |end: usize| end <= source.len();
    if diagnostic.labels.iter().any(|label| in_range(label.span.end)) {
        let mut snippet = Snippet::source(source).path(origin).fold(true);
        for (index, label) in diagnostic.labels.iter().enumerate() {
            if !in_range(label.span.end) {
                continue;
            }
            let kind = if index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
            let mark = kind.span(label.span.start..label.span.end);
            let text = (!label.text.is_empty()).then_some(label.text.as_str());
            snippet = snippet.annotation(mark.label(text));
        }
        group = group.element(snippet);
    }
    for note in &diagnostic.notes {
        group = group.element(Level::NOTE.message(note));
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help));
    }
    let renderer = match color {
        Color::Always => Renderer::styled(),
        Color::Never => Renderer::plain(),
    };
    renderer.render(&[group])
}
