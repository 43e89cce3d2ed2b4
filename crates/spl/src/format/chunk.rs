//! Finds the parts of a search that are kept as they are: texts in quotes, macro calls, comments and
//! escapes.

use spilltrail_diagnostic::{Code, Diagnostic, Span};

use crate::cursor::closing_quote;
use crate::expand::{COMMENT, closing_backtick};

/// What begins at a place of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A text in double quotes.
    Quoted,
    /// Text in three backticks.
    Comment,
    /// A macro call in backticks.
    Macro,
    /// A backslash, and the character that it escapes.
    Escape,
    /// Any other character.
    Plain(char),
}

/// The kind and the length of what begins at a place; the length is `None` if it is never closed.
pub(super) fn chunk(rest: &str) -> Option<(Kind, Option<usize>)> {
    let first = rest.chars().next()?;
    Some(match first {
        '"' => (Kind::Quoted, closing_quote(&rest[1..], '"').map(|length| length + 2)),
        '`' if rest.starts_with(COMMENT) => {
            let end = rest[COMMENT.len()..].find(COMMENT);
            (Kind::Comment, end.map(|end| end + 2 * COMMENT.len()))
        }
        '`' => (Kind::Macro, closing_backtick(&rest[1..]).map(|length| length + 2)),
        // A bracket after a backslash is a bracket.
        '\\' if rest[1..].starts_with(['"', '|', '\\', '`']) => (Kind::Escape, Some(2)),
        _ => (Kind::Plain(first), Some(first.len_utf8())),
    })
}

/// Replaces comments by blanks and macro calls by words, byte by byte, so that the text can be parsed
/// and all spans stay.
pub(super) fn mask(text: &str) -> (String, Vec<Diagnostic>) {
    let mut masked = String::with_capacity(text.len());
    let mut diagnostics = Vec::new();
    let mut at = 0;
    while let Some((kind, length)) = chunk(&text[at..]) {
        let Some(length) = length else {
            // The parser reports quotes.
            if kind != Kind::Quoted {
                diagnostics.push(unclosed(kind, at));
            }
            masked.push_str(&text[at..]);
            break;
        };
        let part = &text[at..at + length];
        if part == "``" {
            let message = "expected a macro, found nothing";
            let label = "expected a name, with or without `(arguments)`";
            let span = Span::new(at, at + length);
            diagnostics.push(Diagnostic::error(Code::EXPECTED, message).label(span, label));
        }
        match kind {
            Kind::Comment => masked.extend(std::iter::repeat_n(' ', length)),
            Kind::Macro => masked.extend(std::iter::repeat_n('_', length)),
            _ => masked.push_str(part),
        }
        at += length;
    }
    (masked, diagnostics)
}

fn unclosed(kind: Kind, at: usize) -> Diagnostic {
    let (message, length, help) = match kind {
        Kind::Comment => {
            ("comment is never closed", COMMENT.len(), "close it with three backticks")
        }
        _ => (
            "macro's backtick is never closed",
            1,
            "close the macro's name with a backtick, or quote the text",
        ),
    };
    Diagnostic::error(Code::UNBALANCED, message)
        .label(Span::new(at, at + length), "opened here")
        .help(help)
}
