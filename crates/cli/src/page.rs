//! Shows a page of the book on a terminal: the Markdown that error pages use, as plain text.

use crate::lines::{cut, hang, wrap};

/// Indentation of commands and their output.
const CODE: &str = "    ";

/// Returns a page as text in lines of at most `width` columns. Commands and their output keep their
/// lines as far as these fit; of a link, only its text is kept, because its target is a page of the book.
pub(crate) fn text(markdown: &str, width: usize) -> String {
    let mut text = String::new();
    let mut is_code = false;
    for line in markdown.lines() {
        if line.starts_with("```") {
            is_code = !is_code;
        } else if is_code {
            code(&mut text, line, width);
        } else {
            paragraph(&mut text, line, width);
        }
    }
    text
}

/// Appends a line of code. What a terminal would break goes on below, indented; of a rule of a table,
/// only the beginning is shown.
fn code(text: &mut String, line: &str, width: usize) {
    let line = format!("{CODE}{line}");
    let is_rule = line.trim().chars().all(|c| matches!(c, '─' | '═'));
    let lines = if is_rule { vec![cut(&line, width).to_owned()] } else { hang(&line, width, 4) };
    for line in lines {
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

/// Appends a line of Markdown that is not code: a heading, a paragraph, or an item of a list.
fn paragraph(text: &mut String, line: &str, width: usize) {
    let heading = line.trim_start_matches('#');
    if heading.len() < line.len() {
        text.push_str(heading.trim_start());
        text.push('\n');
        return;
    }
    let (mark, rest) = line.split_at(mark(line));
    let plain = without_marks(rest);
    for (index, line) in wrap(&plain, width.saturating_sub(mark.len())).iter().enumerate() {
        let margin = if index == 0 { mark.to_owned() } else { " ".repeat(mark.len()) };
        text.push_str(format!("{margin}{line}").trim_end());
        text.push('\n');
    }
}

/// Returns the length of the mark of a list item: `- ` or `1. `.
fn mark(line: &str) -> usize {
    let digits = line.len() - line.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    match &line[digits..] {
        rest if digits > 0 && rest.starts_with(". ") => digits + 2,
        rest if digits == 0 && rest.starts_with("- ") => 2,
        _ => 0,
    }
}

/// Returns a text without the marks of links and of bold words. Backticks stay: they delimit what the
/// reader may type.
fn without_marks(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    // Within backticks, brackets and asterisks are the reader's.
    let mut is_quoted = false;
    while let Some(next) = rest.chars().next() {
        if next == '`' {
            is_quoted = !is_quoted;
        } else if !is_quoted && let Some(after) = rest.strip_prefix("**") {
            rest = after;
            continue;
        } else if !is_quoted && let Some((label, after)) = link(rest) {
            plain.push_str(label);
            rest = after;
            continue;
        }
        plain.push(next);
        rest = &rest[next.len_utf8()..];
    }
    plain
}

/// Splits a text that begins with a link into the link's text and what follows the link.
fn link(text: &str) -> Option<(&str, &str)> {
    let (label, rest) = text.strip_prefix('[')?.split_once("](")?;
    let (_, after) = rest.split_once(')')?;
    (!label.contains(['[', ']'])).then_some((label, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_becomes_plain_text() {
        let page = "# A: b\n\nSee [the *list*](x.md#y), `[a](b)` and **this**.\n\n## C\n\n\
                    1. one two three\n- `**`\n\n```console\na  [b](c)\n\n# d\n──────────────\n$ one two three\n```\n";
        assert_eq!(
            text(page, 14),
            "A: b\n\nSee the\n*list*,\n`[a](b)` and\nthis.\n\nC\n\n1. one two\n   three\n\
             - `**`\n\n    a  [b](c)\n\n    # d\n    ──────────\n    $ one two\n        three\n"
        );
    }
}
