//! Wraps the words of a command.
//!
//! A line is broken at the outermost place that there is: first after commas outside of brackets,
//! then at other blanks there, then after commas inside of brackets, and so on.

use super::INDENT;
use super::pieces::Word;
use super::writer::Writer;

/// The width that lines are wrapped for; a word that is wider stays whole.
pub(super) const WIDTH: usize = 100;

/// The furthest indentation. What is nested deeper stays in one line.
const MAX_INDENT: usize = 120;

/// Words that stay beside the word before them.
const AFTER: &[&str] =
    &["as", "=", "==", "!=", "<", ">", "<=", ">=", "in", "like", "output", "outputnew"];

/// Words that stay beside the word after them.
const BEFORE: &[&str] = &[
    "as",
    "not",
    "and",
    "or",
    "xor",
    "by",
    "over",
    "in",
    "like",
    "output",
    "outputnew",
    "from",
    "where",
    "+",
    "-",
    "/",
    "%",
    ".",
];

/// Commands whose clauses begin lines if the command is longer than a line.
const CLAUSES: &[(&str, &[&str])] = &[
    ("stats", &["by"]),
    ("eventstats", &["by"]),
    ("streamstats", &["by"]),
    ("chart", &["over", "by"]),
    ("timechart", &["by"]),
    ("tstats", &["from", "where", "by"]),
    ("mstats", &["where", "by"]),
    ("top", &["by"]),
    ("rare", &["by"]),
    ("geostats", &["by"]),
    ("sichart", &["over", "by"]),
    ("sirare", &["by"]),
    ("sistats", &["by"]),
    ("sitimechart", &["by"]),
    ("sitop", &["by"]),
];

/// Writes the words of the command `name`; further lines begin `indent` columns from the left.
/// `is_first` says that the words begin the command.
pub(super) fn fill(
    words: &[Word<'_>],
    name: &str,
    indent: usize,
    is_first: bool,
    writer: &mut Writer,
) {
    // A comment at the end may be longer than the line.
    let ends = words.iter().rposition(|word| !word.is_comment).map_or(0, |last| last + 1);
    let (words, comments) = words.split_at(ends);
    wrap_clauses(words, name, indent, is_first, writer);
    put(comments, writer);
}

fn wrap_clauses(
    words: &[Word<'_>],
    name: &str,
    indent: usize,
    is_first: bool,
    writer: &mut Writer,
) {
    if writer.fits(width(words)) && !words.iter().any(|word| word.text.contains('\n')) {
        return put(words, writer);
    }
    let clauses = CLAUSES.iter().find(|(command, _)| command.eq_ignore_ascii_case(name));
    let clauses = clauses.map_or(&[][..], |(_, clauses)| clauses);
    let begins_clause = |index: usize| {
        let word = words[index];
        word.depth == 0
            && may_break(&words[index - 1], &word)
            && clauses.iter().any(|clause| clause.eq_ignore_ascii_case(word.text))
    };
    let level =
        Level { depth: words.iter().map(|word| word.depth).min().unwrap_or(0), commas: true };
    let mut start = 0;
    for end in 1..=words.len() {
        if end == words.len() || begins_clause(end) {
            if start > 0 {
                writer.new_line(indent);
            }
            // The name stays beside its first argument.
            let kept = if start == 0 && is_first { 2 } else { usize::from(start > 0) };
            wrap(&words[start..end], level, indent, kept, writer);
            start = end;
        }
    }
}

/// The places at which lines are broken.
#[derive(Debug, Clone, Copy)]
struct Level {
    /// The number of brackets that are open there.
    depth: usize,
    /// True for places after commas only.
    commas: bool,
}

impl Level {
    /// Returns the places that are tried if lines are still too long, and their indentation.
    fn next(self, indent: usize) -> (Self, usize) {
        if self.commas {
            (Self { commas: false, ..self }, indent)
        } else {
            (Self { depth: self.depth + 1, commas: true }, indent + INDENT)
        }
    }

    /// Returns true if a line can be broken between two words.
    fn breaks(self, before: &Word<'_>, word: &Word<'_>) -> bool {
        word.depth == self.depth
            && (!self.commas || before.text.ends_with(','))
            && may_break(before, word)
    }
}

/// Writes words, with line breaks at the places of `level` or of further levels; there is none before
/// the first `kept` words.
fn wrap(words: &[Word<'_>], level: Level, indent: usize, kept: usize, writer: &mut Writer) {
    let is_whole = words.iter().skip(1).all(|word| word.depth < level.depth || word.is_glued);
    if is_whole || indent > MAX_INDENT {
        return put(words, writer);
    }
    let (mut start, mut end) = (0, 0);
    // What follows something of several lines begins a line of its own.
    let mut was_wrapped = false;
    while start < words.len() {
        end += 1;
        if end < words.len() && !level.breaks(&words[end - 1], &words[end]) {
            continue;
        }
        let unit = &words[start..end];
        let stays = start < kept || writer.is_at_start() || !may_begin(words, start);
        if !stays && (was_wrapped || !writer.fits(width(unit))) {
            writer.new_line(indent);
        }
        was_wrapped = !writer.fits(width(unit));
        if was_wrapped {
            let (level, indent) = level.next(indent);
            wrap(unit, level, indent, kept.saturating_sub(start).max(1), writer);
        } else {
            put(unit, writer);
        }
        start = end;
    }
}

/// Returns true if a line can begin with the word at `index`.
fn may_begin(words: &[Word<'_>], index: usize) -> bool {
    index > 0 && may_break(&words[index - 1], &words[index])
}

/// Returns true if the blank between two words can become the end of a line.
fn may_break(before: &Word<'_>, word: &Word<'_>) -> bool {
    let is_any = |list: &[&str], text: &str| list.iter().any(|one| one.eq_ignore_ascii_case(text));
    // A comment that has a line for itself is another thing.
    !word.is_glued
        && !before.is_comment
        && !word.is_comment
        && !is_any(AFTER, word.text)
        && !word.text.starts_with([',', ')', ']'])
        && !is_any(BEFORE, before.text)
        && !before.text.ends_with(['=', '<', '>', '('])
}

/// Returns the width of words in one line; after a line end in a word, nothing counts.
fn width(words: &[Word<'_>]) -> usize {
    let mut width = 0;
    for (index, word) in words.iter().enumerate() {
        width += usize::from(index > 0 && !word.is_glued);
        let line = word.text.split('\n').next().unwrap_or_default();
        width += line.chars().count();
        if line.len() < word.text.len() {
            break;
        }
    }
    width
}

fn put(words: &[Word<'_>], writer: &mut Writer) {
    words.iter().for_each(|word| writer.put(word.text, word.is_glued));
}
