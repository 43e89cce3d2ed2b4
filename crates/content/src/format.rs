//! Formats searches in files of SPL, and in YAML in place, where all other bytes stay as they are.
//!
//! In YAML, only the key `search` at the left margin is formatted. Its value becomes a literal block unless it
//! is written in the formatted way already. What the change does to the file is checked with the YAML
//! library: all keys must have the values that they had.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_yaml_ng::Value;
use spilltrail_diagnostic::{Code, Diagnostic, Span};
use spilltrail_spl::format;

use crate::files::{Boundary, not_text, read_bounded};
use crate::placed::offsets;
use crate::set::ContentProblem;
use crate::walk::{self, extension};
use crate::yaml::{self, MAX_YAML_BYTES};

/// The mark of the byte order, with which some editors begin a file.
const MARK: &str = "\u{feff}";

/// The key that is formatted.
const KEY: &str = "search";

/// The indentation of a block in a file that has no indented line.
const INDENT: usize = 2;

/// What a text is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// One search.
    Spl,
    /// YAML whose key `search` is formatted.
    Yaml,
}

/// A text, and what formatting makes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Formatted {
    /// The text as it is.
    pub before: String,
    /// The formatted text; `None` if it has no search.
    pub after: Option<String>,
}

/// A text that cannot be formatted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatFailure {
    /// The reasons; their spans refer to `text`.
    pub diagnostics: Vec<Diagnostic>,
    /// The text; empty if it could not be read.
    pub text: String,
}

impl Formatted {
    /// Returns true if formatting changes the text.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        self.after.as_ref().is_some_and(|after| *after != self.before)
    }
}

/// Returns the files of SPL and YAML below a folder, and the paths that cannot be used.
///
/// # Errors
/// Fails if the folder cannot be opened.
pub fn formattable(folder: &Path) -> std::io::Result<(Vec<PathBuf>, Vec<ContentProblem>)> {
    let boundary = Boundary::of(folder)?;
    let is_wanted = |path: &Path| matches!(extension(path), "spl" | "yml" | "yaml");
    let (files, refused) = walk::files(folder, &boundary, is_wanted);
    let problem =
        |(path, diagnostic)| ContentProblem { path, diagnostic, source_text: Arc::default() };
    Ok((files, refused.into_iter().map(problem).collect()))
}

/// Formats the text of a file, which is YAML if its name says so and SPL otherwise.
///
/// # Errors
/// Fails if the file cannot be read or formatted.
pub fn format_file(path: &Path) -> Result<Formatted, FormatFailure> {
    let unread = |diagnostic| FormatFailure { diagnostics: vec![diagnostic], text: String::new() };
    let bytes = read_bounded(path, MAX_YAML_BYTES).map_err(unread)?;
    let text = String::from_utf8(bytes).map_err(|_| unread(not_text()))?;
    let language = match extension(path) {
        "yml" | "yaml" => Language::Yaml,
        _ => Language::Spl,
    };
    format_text(text, language)
}

/// Formats a text, and ends a search with a line end.
///
/// # Errors
/// Fails if the text is not a search, or not YAML.
pub fn format_text(text: String, language: Language) -> Result<Formatted, FormatFailure> {
    let after = match language {
        Language::Yaml => format_yaml(&text),
        Language::Spl => format_spl(&text).map(Some),
    };
    match after {
        Ok(after) => Ok(Formatted { before: text, after }),
        Err(diagnostics) => Err(FormatFailure { diagnostics, text }),
    }
}

fn format_spl(search: &str) -> Result<String, Vec<Diagnostic>> {
    // One mark is none of the search. More of them are text.
    if let Some(rest) = search.strip_prefix(MARK) {
        return Ok(format!("{MARK}{}", format_search(rest).map_err(behind_mark)?));
    }
    format_search(search)
}

fn format_search(search: &str) -> Result<String, Vec<Diagnostic>> {
    let mut formatted = format(search)?;
    formatted.push('\n');
    if search.contains("\r\n") {
        // Line ends in quotes and comments are kept, and may be of both kinds.
        formatted = formatted.replace("\r\n", "\n").replace('\n', "\r\n");
    }
    Ok(formatted)
}

/// Returns the YAML text with its search formatted; `None` if there is no search at the left margin.
///
/// # Errors
/// Fails if the text or its search cannot be read, or if the formatted search cannot be written in its
/// place; the spans refer to `text`.
pub fn format_yaml(text: &str) -> Result<Option<String>, Vec<Diagnostic>> {
    // The YAML library takes the mark for a document of its own.
    if let Some(rest) = text.strip_prefix(MARK) {
        let formatted = format_document(rest).map_err(behind_mark)?;
        return Ok(formatted.map(|formatted| format!("{MARK}{formatted}")));
    }
    format_document(text)
}

/// Formats YAML text without a mark of its byte order.
fn format_document(text: &str) -> Result<Option<String>, Vec<Diagnostic>> {
    let Some(start) = key_line(text) else {
        return if elsewhere(text) { Err(vec![not_at_the_margin(text)]) } else { Ok(None) };
    };
    let before: Value = yaml::read(text).map_err(|diagnostic| vec![diagnostic])?;
    let search = match before.get(KEY) {
        Some(Value::String(search)) => search,
        // Files of other programs have the key, too.
        Some(other) if !other.is_null() && before.get("name").is_some() => {
            return Err(vec![not_a_search(other, text, start)]);
        }
        _ => return Ok(None),
    };
    let formatted =
        format(search).map_err(|diagnostics| placed(diagnostics, text, search, start))?;
    let scalar = scalar(text, start);
    let is_seen =
        !formatted.contains('\n') || scalar.as_ref().is_none_or(|scalar| scalar.is_literal);
    if is_seen && formatted == search.trim_end_matches('\n') {
        return Ok(Some(text.to_owned()));
    }
    let scalar = scalar.ok_or_else(|| vec![cannot_write(text, start)])?;
    let line_end = if text[..scalar.end].contains("\r\n") { "\r\n" } else { "\n" };
    let indent = " ".repeat(scalar.indent.unwrap_or_else(|| indentation(text)));
    let mut changed = format!("{}{}{}", &text[..scalar.start], scalar.header, scalar.comment);
    for line in formatted.split('\n') {
        changed.push_str(line_end);
        if !line.is_empty() {
            changed.push_str(&indent);
            changed.push_str(line);
        }
    }
    changed.push_str(&text[scalar.end..]);
    if is_same(before, &changed, &formatted) {
        Ok(Some(changed))
    } else {
        Err(vec![cannot_write(text, start)])
    }
}

/// Returns true if the text is content whose search has no line of its own, as in `{name: A, search: B}`.
fn elsewhere(text: &str) -> bool {
    let Some(Ok(value)) = text.contains(KEY).then(|| yaml::read::<Value>(text)) else {
        return false;
    };
    value.get("name").is_some() && value.get(KEY).is_some_and(Value::is_string)
}

fn not_at_the_margin(text: &str) -> Diagnostic {
    let start = places_of_key(text).next().unwrap_or_default();
    Diagnostic::error(Code::YAML, "the search does not begin a line, and is not formatted")
        .at(Span::new(start, start + KEY.len()))
        .help("write each key at the beginning of a line of its own, without braces")
}

/// Returns the places of the search's key in a map in braces or with an indentation.
fn places_of_key(text: &str) -> impl Iterator<Item = usize> {
    let is_key = |start: usize| {
        let before = text[..start].trim_end_matches(['"', '\'', ' ', '\t']);
        let after = text[start + KEY.len()..].trim_start_matches(['"', '\'']);
        let begins = before.is_empty() || before.ends_with(['{', ',', '\n', '\r']);
        begins && after.trim_start().starts_with(':')
    };
    text.match_indices(KEY).map(|(start, _)| start).filter(move |start| is_key(*start))
}

/// Returns true if the changed file has the formatted search, and otherwise the values of `before`.
fn is_same(mut before: Value, changed: &str, formatted: &str) -> bool {
    let Ok(mut after) = yaml::read::<Value>(changed) else { return false };
    let search = after.get(KEY).and_then(Value::as_str);
    let has_search = search.is_some_and(|search| search.trim_end_matches('\n') == formatted);
    for value in [&mut before, &mut after] {
        if let Some(search) = value.get_mut(KEY) {
            *search = Value::Null;
        }
    }
    has_search && before == after
}

/// Returns the error about a value of the key that is no text.
fn not_a_search(value: &Value, text: &str, start: usize) -> Diagnostic {
    let found = match value {
        Value::Sequence(_) => "a list",
        Value::Mapping(_) => "a map of keys",
        Value::Number(_) => "a number",
        _ => "no text",
    };
    let message = format!("expected a search in `{KEY}`, found {found}");
    let place = Span::new(start, start + text[start..].lines().next().map_or(0, str::len));
    Diagnostic::error(Code::YAML, message)
        .at(place)
        .help("write it as one text, after `search: |-`")
}

/// Moves diagnostics about the text behind the mark of its byte order.
fn behind_mark(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    for label in diagnostics.iter_mut().flat_map(|diagnostic| &mut diagnostic.labels) {
        label.span = Span::new(label.span.start + MARK.len(), label.span.end + MARK.len());
    }
    diagnostics
}

fn cannot_write(text: &str, start: usize) -> Diagnostic {
    let end = text[start..].find('\n').map_or(text.len(), |length| start + length);
    Diagnostic::error(Code::YAML, "the formatted search cannot be put here")
        .at(Span::new(start, start + text[start..end].trim_end().len()))
        .help("write the search as a block of its own lines, after `search: |-`")
}

/// Returns diagnostics about the search with spans in the file; without a place of their own, they
/// point to the key.
fn placed(
    mut diagnostics: Vec<Diagnostic>,
    text: &str,
    search: &str,
    start: usize,
) -> Vec<Diagnostic> {
    let offsets = offsets(text, search);
    let of = |offset: usize| match &offsets {
        Some(offsets) => offsets.get(offset).copied().unwrap_or(text.len()),
        None => start,
    };
    for label in diagnostics.iter_mut().flat_map(|diagnostic| &mut diagnostic.labels) {
        let first = of(label.span.start);
        label.span = match &offsets {
            Some(_) => Span::new(first, of(label.span.end).max(first)),
            None => Span::new(start, start + KEY.len()),
        };
    }
    diagnostics
}

/// Returns the start of the line with the key at the left margin.
fn key_line(text: &str) -> Option<usize> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let quote = line.chars().next().filter(|c| matches!(c, '"' | '\''));
        let (bare, end) = match quote {
            Some(quote) => (&line[1..], quote.to_string()),
            None => (line, String::new()),
        };
        let rest = bare.strip_prefix(KEY).and_then(|rest| rest.strip_prefix(end.as_str()));
        if rest.is_some_and(|rest| rest.trim_start_matches(' ').starts_with(':')) {
            return Some(start);
        }
        start += line.len();
    }
    None
}

/// Where the value of a key is written, and what a block in its place begins with.
#[derive(Debug, PartialEq, Eq)]
struct Scalar<'t> {
    start: usize,
    /// The end of its last line, without the line end.
    end: usize,
    /// `|` with what it says about the line ends after the text.
    header: &'static str,
    /// A comment in the first line.
    comment: &'t str,
    /// True for a literal block, whose lines are those of the value.
    is_literal: bool,
    /// The indentation of its lines, for a literal block.
    indent: Option<usize>,
}

/// Finds the value of the key whose line starts at `start`; `None` if it is written in a way that is
/// not known here.
fn scalar(text: &str, start: usize) -> Option<Scalar<'_>> {
    let after_key = start + text[start..].find(':')? + 1;
    let value = text[after_key..].trim_start();
    let at = text.len() - value.len();
    let is_below = text[after_key..at].contains('\n');
    let is_in_line = value.starts_with(['|', '>']) && !is_below;
    // A value may also begin in the line below its key. Anchors, aliases and tags are not kept, and
    // lists and objects are no searches.
    let first = value.chars().next().filter(|c| is_in_line || !"|>&*![{#@%".contains(*c))?;
    if is_below && !text[..at].ends_with([' ', '\t']) {
        return None;
    }
    let line_end = at + value.find('\n').unwrap_or(value.len());
    let first_line = text[at..line_end].trim_end();
    let lines_end = at + first_line.len() + more_lines(&text[at + first_line.len()..]);
    let (start, header) = if is_below { (after_key, " |-") } else { (at, "|-") };
    let scalar = Scalar {
        start,
        end: lines_end,
        header,
        comment: "",
        is_literal: first == '|',
        indent: None,
    };
    match first {
        '|' | '>' => {
            let (indicators, comment) = split_comment(first_line);
            let header =
                match indicators.trim_matches(|c: char| c.is_ascii_digit() || "|>".contains(c)) {
                    "-" => "|-",
                    "+" => "|+",
                    "" => "|",
                    _ => return None,
                };
            let indent = (first == '|').then(|| block_indentation(&text[line_end..lines_end]));
            Some(Scalar { header, comment, indent: indent.flatten(), ..scalar })
        }
        '\'' | '"' => {
            let length = quoted_length(value)?;
            let rest = &value[length..];
            let rest = rest[..rest.find('\n').unwrap_or(rest.len())].trim_end();
            let is_comment = rest.trim_start().starts_with('#');
            if !(rest.is_empty() || is_comment) {
                return None;
            }
            Some(Scalar { end: at + length + rest.len(), comment: rest, ..scalar })
        }
        _ => {
            let (_, comment) = split_comment(first_line);
            Some(Scalar { comment, ..scalar })
        }
    }
}

/// Returns the length of the lines after the first one that belong to its value, without blank lines
/// at the end.
fn more_lines(rest: &str) -> usize {
    let (mut length, mut end) = (0, 0);
    for (index, line) in rest.split_inclusive('\n').enumerate() {
        let is_blank = line.trim().is_empty();
        if index > 0 && !is_blank && !line.starts_with([' ', '\t']) {
            break;
        }
        length += line.len();
        if index > 0 && !is_blank {
            end = length - (line.len() - line.trim_end_matches(['\r', '\n']).len());
        }
    }
    end
}

/// Splits a line into its value and the comment after it, with the blanks before the comment.
fn split_comment(line: &str) -> (&str, &str) {
    let at = line.find(" #").map_or(line.len(), |at| line[..at].trim_end().len());
    line.split_at(at)
}

/// Returns the length of a scalar in quotes.
fn quoted_length(value: &str) -> Option<usize> {
    let quote = value.chars().next()?;
    let mut characters = value.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        if c == '\\' && quote == '"' {
            characters.next();
        } else if c == quote {
            let is_doubled = quote == '\'' && characters.peek().is_some_and(|next| next.1 == quote);
            if !is_doubled {
                return Some(at + 1);
            }
            characters.next();
        }
    }
    None
}

/// Returns the indentation of the first line of a block that is not blank.
fn block_indentation(lines: &str) -> Option<usize> {
    let line = lines.lines().find(|line| !line.trim().is_empty())?;
    Some(line.len() - line.trim_start_matches(' ').len()).filter(|indent| *indent > 0)
}

/// Returns how far the file indents the keys of an object or the lines of a block.
fn indentation(text: &str) -> usize {
    let lines: Vec<_> = text.lines().collect();
    let indented = lines.windows(2).find_map(|pair| {
        let opens = pair[0].trim_end().ends_with([':', '|', '>', '-']) && pair[0].contains(':');
        let bare = pair[1].trim_start_matches(' ');
        let indent = pair[1].len() - bare.len();
        let is_margin = !pair[0].starts_with([' ', '#', '-']);
        (opens && is_margin && indent > 0 && !bare.starts_with(['-', '#'])).then_some(indent)
    });
    indented.unwrap_or(INDENT).min(8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let found = format_yaml(text).map(|found| found.unwrap_or_default());
        assert_eq!(found.as_deref(), Ok(expected), "{text:?}");
        let again = format_yaml(expected).map(|found| found.unwrap_or_default());
        assert_eq!(again.as_deref(), Ok(expected), "again: {text:?}");
    }

    #[test]
    fn a_search_that_is_no_text_is_told() {
        for (text, expected) in [
            ("name: n\nsearch:\n- a|b\n", Err(("found a list", 8))),
            ("name: n\nsearch: {a: b}\n", Err(("found a map of keys", 8))),
            ("\u{feff}name: n\nsearch: 5\n", Err(("found a number", 11))),
            ("name: n\nsearch:\n", Ok(None)),
            ("site_name: n\nsearch: {a: b}\n", Ok(None)),
        ] {
            let found = format_yaml(text).map_err(|told| {
                let message = told[0].message.clone();
                let found = message.split(", ").nth(1).unwrap_or_default().to_owned();
                (found, told[0].span().unwrap().start)
            });
            let expected = expected.map_err(|(found, start)| (found.to_owned(), start));
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn the_search_becomes_a_block_and_all_else_stays() {
        let formatted =
            "name: 'N'   # the name\nsearch: |-\n  a=1\n  | where b=\"x # y\"\ntype: TTP # c\n";
        for search in [
            "search: a=1 | where b=\"x",
            "search: |-\n  a=1\n\n  |   where b=\"x",
            "search: 'a=1 |\n  where b=\"x",
            "search: >-\n  a=1\n  | where b=\"x",
            "search: \"a=1\\n| where b=\\\"x",
        ] {
            // Plain text ends at a comment.
            let (end, rest) = match search.as_bytes()[8] {
                b'a' => (" y\"", "\"x y\""),
                b'\'' => (" # y\"'", "\"x # y\""),
                b'"' => (" # y\\\"\"", "\"x # y\""),
                _ => (" # y\"", "\"x # y\""),
            };
            let text = format!("name: 'N'   # the name\n{search}{end}\ntype: TTP # c\n");
            check(&text, &formatted.replace("\"x # y\"", rest));
        }
    }

    #[test]
    fn chomping_comments_line_ends_and_indentation_stay() {
        for (text, expected) in [
            (
                "search: |\n    a|b\n\n\n# c\nname: n\n",
                "search: |\n    a\n    | b\n\n\n# c\nname: n\n",
            ),
            ("search: |+ # why\n a|b\n\nname: n", "search: |+ # why\n a\n | b\n\nname: n"),
            ("search: a|b # why\n", "search: |- # why\n  a\n  | b\n"),
            (
                "search: 'a|b'   # why\nt:\n    u: v\n",
                "search: |-   # why\n    a\n    | b\nt:\n    u: v\n",
            ),
            (
                "name: n\r\nsearch: a|b\r\ntype: t\r\n",
                "name: n\r\nsearch: |-\r\n  a\r\n  | b\r\ntype: t\r\n",
            ),
            ("search:\n  'a\n  |b'\nx: y\n", "search: |-\n  a\n  | b\nx: y\n"),
            ("search:\r\n\r\n    a|b\r\n", "search: |-\r\n  a\r\n  | b\r\n"),
            ("\u{feff}search: a|b", "\u{feff}search: |-\n  a\n  | b"),
            ("\u{feff}name: n\nsearch: a|b\n", "\u{feff}name: n\nsearch: |-\n  a\n  | b\n"),
            ("search: a=1\nname: n\n", "search: a=1\nname: n\n"),
            ("---\nsearch : 'a=''1'' | b'\n...\n", "---\nsearch : |-\n  a='1'\n  | b\n...\n"),
            ("\"search\": a|b\nname: n\n", "\"search\": |-\n  a\n  | b\nname: n\n"),
            ("'search' : \"a|b\"\n", "'search' : |-\n  a\n  | b\n"),
            ("search: |2\n  a|b\n", "search: |\n  a\n  | b\n"),
            ("search: >\n  a\n  |b\nx: y\n", "search: |\n  a\n  | b\nx: y\n"),
        ] {
            check(text, expected);
        }
    }

    #[test]
    fn what_has_no_search_is_not_touched() {
        for text in
            ["", "name: n\n", "search:\n", "search: 5\n", "a:\n  search: b|c\n", "- search: a|b\n"]
        {
            assert_eq!(format_yaml(text), Ok(None), "{text:?}");
        }
    }

    #[test]
    fn what_cannot_be_formatted_says_where() {
        for (text, place, words) in [
            ("name: n\nsearch: a | eval b=\"x\n", "\"", "quote is never closed"),
            ("search: |-\n  a\n  | where b==\n", "", "expected"),
            ("search: &x a|b\nother: *x\n", "search: &x a|b", "cannot be put here"),
            ("search: \"a|b \\x07\"\n", "search: \"a|b \\x07\"", "cannot be put here"),
            ("search: a: b\n", "", "mapping values"),
            ("{name: research, search: a|b}\n", "search: a", "does not begin a line"),
            ("  name: research\n  search: a|b\n", "search: a", "does not begin a line"),
            (
                "{\n  \"name\": \"n\",\n  \"search\": \"a|b\"\n}\n",
                "search\": ",
                "does not begin a line",
            ),
            ("search: a|b\nsearch: c\n", "", "duplicate"),
        ] {
            let diagnostics = format_yaml(text).unwrap_err();
            let span = diagnostics[0].span().unwrap();
            assert!(text[span.start..].starts_with(place), "{text:?}: {diagnostics:?}");
            assert!(diagnostics[0].message.contains(words), "{text:?}: {diagnostics:?}");
        }
    }

    #[test]
    fn a_file_of_spl_keeps_its_line_ends() {
        for (text, expected) in [
            ("a|b", "a\n| b\n"),
            ("a\r\n|b \"c\r\nd\"\r\n", "a\r\n| b \"c\r\nd\"\r\n"),
            ("\u{feff}a|b\n\n", "\u{feff}a\n| b\n"),
        ] {
            let formatted = format_text(text.to_owned(), Language::Spl).unwrap();
            assert_eq!(formatted.after.as_deref(), Some(expected));
            assert!(formatted.is_changed());
        }
        let failure = format_text("\u{feff}a|\"".to_owned(), Language::Spl).unwrap_err();
        assert_eq!(failure.diagnostics[0].span().unwrap().start, "\u{feff}a|".len());
    }

    #[test]
    fn of_many_marks_only_the_first_is_none_of_the_text() {
        let marks = MARK.repeat(300_000);
        for language in [Language::Spl, Language::Yaml] {
            let text = format!("{marks}a|b");
            let formatted =
                format_text(text, language).map(|found| found.after.unwrap_or_default());
            let expected = match language {
                Language::Spl => format!("{marks}a\n| b\n"),
                Language::Yaml => String::new(),
            };
            assert!(formatted == Ok(expected), "{language:?}");
        }
    }

    /// Formats all detections of a checkout of Splunk's content, if there is one.
    #[test]
    fn published_searches_are_formatted() {
        let Ok(folder) = std::env::var("SPILLTRAIL_TEST_CONTENT") else { return };
        let (files, problems) = formattable(Path::new(&folder)).unwrap();
        assert_eq!(problems, []);
        let (mut searches, mut changed, mut failures) = (0, 0, Vec::new());
        for path in files {
            match format_file(&path) {
                Ok(Formatted { after: None, .. }) => {}
                Ok(formatted) => {
                    searches += 1;
                    changed += usize::from(formatted.is_changed());
                    let after = formatted.after.unwrap();
                    assert_eq!(format_yaml(&after), Ok(Some(after.clone())), "{path:?}");
                }
                Err(failure) => failures.push(format!("{path:?}: {:?}", failure.diagnostics[0])),
            }
        }
        assert!(changed <= searches && searches > 0);
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    }
}
