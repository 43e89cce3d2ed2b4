//! Cuts a search into the pieces that a layout arranges: words, comments and subsearches.

use super::chunk::{Kind, chunk};
use super::verbatim;
use crate::cursor::closing_quote;
use crate::parse::leading_word;

/// A piece of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node<'t> {
    Word(Word<'t>),
    /// A subsearch of several commands, in lines of its own.
    Block {
        stages: Vec<Vec<Node<'t>>>,
        /// True if there is no blank before it.
        is_glued: bool,
    },
    /// A comment that has its lines for itself.
    Comment(&'t str),
}

/// Text without blanks outside of quotes, macros and comments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Word<'t> {
    pub(super) text: &'t str,
    /// True if there is no blank before it.
    pub(super) is_glued: bool,
    /// The number of brackets that are open before it.
    pub(super) depth: usize,
    /// True for a comment beside other text.
    pub(super) is_comment: bool,
}

impl<'t> Node<'t> {
    pub(super) fn word(&self) -> Option<Word<'t>> {
        if let Self::Word(word) = self { Some(*word) } else { None }
    }

    /// Returns the text of a word that is no comment.
    pub(super) fn name(&self) -> Option<&'t str> {
        self.word().filter(|word| !word.is_comment).map(|word| word.text)
    }

    pub(super) fn is_comment(&self) -> bool {
        match self {
            Self::Comment(_) => true,
            Self::Word(word) => word.is_comment,
            Self::Block { .. } => false,
        }
    }
}

/// Commands that read what is in parentheses as an expression, in which blanks do not count.
const EXPRESSIONS: &[&str] = &["search", "where", "eval", "fieldformat", "head"];

/// Those of them in which `CASE(…)` is a call of a function.
const EVALS: &[&str] = &["where", "eval", "fieldformat", "head"];

/// Commands in which the text of a call is no name if `AS` follows it.
const STATISTICS: &[&str] = &[
    "stats",
    "eventstats",
    "streamstats",
    "chart",
    "timechart",
    "tstats",
    "mstats",
    "geostats",
    "sichart",
    "sistats",
    "sitimechart",
];

/// Those of them in which parentheses hold nothing but the arguments of calls.
const CALLS: &[&str] = &[
    "stats",
    "eventstats",
    "streamstats",
    "chart",
    "timechart",
    "geostats",
    "sichart",
    "sistats",
    "sitimechart",
];

/// Words before a parenthesis in these commands that are no names of statistics.
const NO_STATISTICS: &[&str] = &["as", "by", "in", "over", "where"];

/// The most characters, blanks left out, of a subsearch of one command that stays in the line.
const MAX_INLINE: usize = 70;

/// Reads the commands of `text`, in which all quotes and brackets are closed. The first one is empty
/// if the text begins with a pipe.
pub(super) fn read(text: &str) -> Vec<Vec<Node<'_>>> {
    read_from(text, Some("search"))
}

/// Reads the commands of `text`; `name` is that of the first one if it is not written.
fn read_from<'t>(text: &'t str, name: Option<&'t str>) -> Vec<Vec<Node<'t>>> {
    let (word, blank) = (None, Blank::Start);
    let mut reader = Reader { text, at: 0, word, name, depth: 0, inline: 0, blank };
    let mut stages = vec![Vec::new()];
    while reader.step(&mut stages) {}
    reader.end_word(&mut stages);
    stages
}

/// What is before the next piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blank {
    /// The start of the text.
    Start,
    /// A pipe, and perhaps blanks after it.
    Pipe,
    /// Other text.
    None,
    /// Blanks in one line.
    Blanks,
    /// Blanks with a line end.
    Line,
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    /// Start of the word that is being read.
    word: Option<(usize, Word<'t>)>,
    /// The name of the command.
    name: Option<&'t str>,
    depth: usize,
    /// Square brackets that are open and are part of words.
    inline: usize,
    blank: Blank,
}

impl<'t> Reader<'t> {
    /// Reads the next chunk; returns false at the end.
    fn step(&mut self, stages: &mut Vec<Vec<Node<'t>>>) -> bool {
        let text = self.text;
        let Some((kind, length)) = chunk(&text[self.at..]) else { return false };
        let start = self.at;
        let end = length.map_or(text.len(), |length| start + length);
        let ends_word = match kind {
            Kind::Plain(c) if c.is_whitespace() => true,
            Kind::Plain('|') => self.inline == 0,
            Kind::Plain('[') => self.inline == 0 && self.is_block(),
            Kind::Comment => true,
            _ => false,
        };
        if ends_word {
            self.end_word(stages);
            // Arguments may have been taken with it.
            if self.at != start {
                return true;
            }
        }
        match kind {
            Kind::Plain(c) if c.is_whitespace() => {
                self.blank = match (self.blank, c) {
                    (Blank::Start | Blank::Pipe, _) => self.blank,
                    (Blank::Line, _) | (_, '\n') => Blank::Line,
                    _ => Blank::Blanks,
                };
            }
            Kind::Plain('|') if ends_word => {
                stages.push(Vec::new());
                (self.depth, self.blank, self.name) = (0, Blank::Pipe, None);
            }
            Kind::Plain('[') if ends_word => {
                let close = closing(text, start);
                let is_glued = matches!(self.blank, Blank::None);
                let inner = read_from(&text[start + 1..close], None);
                last(stages).push(Node::Block { stages: inner, is_glued });
                self.blank = Blank::None;
                self.at = close + 1;
                return true;
            }
            Kind::Comment => {
                let comment = &text[start..end];
                let alone =
                    matches!(self.blank, Blank::Start | Blank::Line) && ends_line(&text[end..]);
                if alone {
                    last(stages).push(Node::Comment(comment));
                } else {
                    let word = Word { text: comment, is_comment: true, ..self.begin() };
                    last(stages).push(Node::Word(word));
                }
                self.blank = Blank::None;
            }
            Kind::Plain('\'') => {
                self.take_word();
                self.at = start + name_in_quotes(&text[start..]).unwrap_or(1);
                return true;
            }
            Kind::Plain('[') if let Some(length) = self.kept_bracket() => {
                self.take_word();
                self.at = start + length;
                return true;
            }
            Kind::Plain('(') if let Some(length) = self.kept_group() => {
                self.take_word();
                self.at = start + length;
                return true;
            }
            Kind::Plain(c) => {
                self.take_word();
                match c {
                    '(' => self.depth += 1,
                    ')' => self.depth = self.depth.saturating_sub(1),
                    '[' => (self.depth, self.inline) = (self.depth + 1, self.inline + 1),
                    ']' => {
                        self.depth = self.depth.saturating_sub(1);
                        self.inline = self.inline.saturating_sub(1);
                    }
                    _ => {}
                }
            }
            Kind::Quoted | Kind::Macro | Kind::Escape => self.take_word(),
        }
        self.at = end;
        true
    }

    /// Begins a word here unless one is being read.
    fn take_word(&mut self) {
        if self.word.is_none() {
            self.word = Some((self.at, self.begin()));
        }
    }

    /// Returns the word that begins here, without its text.
    fn begin(&self) -> Word<'t> {
        let is_glued = self.blank == Blank::None;
        Word { text: "", is_glued, depth: self.depth, is_comment: false }
    }

    fn end_word(&mut self, stages: &mut [Vec<Node<'t>>]) {
        let Some((start, word)) = self.word.take() else { return };
        let text = &self.text[start..self.at];
        self.blank = Blank::None;
        if self.name.is_some() || self.inline > 0 {
            last(stages).push(Node::Word(Word { text, ..word }));
            return;
        }
        let name = leading_word(text);
        self.name = Some(name);
        // Arguments whose blanks count are one word, which may begin right after the name.
        let after = start + name.len();
        let rest = &self.text[after..];
        let rest = &rest[..stage_length(rest)];
        let arguments = rest.trim();
        if !verbatim::is_kept(name, arguments) {
            last(stages).push(Node::Word(Word { text, ..word }));
            return;
        }
        let is_glued = rest.starts_with(arguments);
        let argument = Word { text: arguments, is_glued, depth: 0, is_comment: false };
        last(stages).push(Node::Word(Word { text: name, ..word }));
        last(stages).push(Node::Word(argument));
        self.at = after + rest.len();
    }

    /// Returns the length of the brackets that begin here if the blanks of the command in them must
    /// stay.
    fn kept_bracket(&self) -> Option<usize> {
        let close = closing(self.text, self.at);
        let inner = self.text.get(self.at + 1..close)?;
        let mut begin = None;
        each_chunk(inner, |at, kind| {
            let is_before = matches!(kind, Kind::Comment | Kind::Plain('|')) || is_blank(kind);
            begin = (!is_before).then_some(at);
            is_before
        });
        let command = &inner[begin?..];
        let name = leading_word(command);
        let is_kept = verbatim::is_kept(name, command[name.len()..].trim());
        is_kept.then_some(close + 1 - self.at)
    }

    /// Returns the length of the parentheses that begin here if their blanks must stay, because the
    /// text of a call can be the name of a field.
    fn kept_group(&self) -> Option<usize> {
        if self.is_directive() {
            return group_length(&self.text[self.at..]);
        }
        let is_in_brackets = self.inline > 0;
        if self.depth > self.inline || (!is_in_brackets && self.is_expression()) {
            return None;
        }
        let rest = &self.text[self.at..];
        let length = group_length(rest)?;
        let mut after = rest[length..].split_whitespace();
        let is_renamed = self.name.is_some_and(|name| is_any(STATISTICS, name))
            && rest[length..].starts_with(char::is_whitespace)
            && after.next().is_some_and(|word| word.eq_ignore_ascii_case("as"));
        (is_in_brackets || !is_renamed).then_some(length)
    }

    /// Returns true if parentheses here hold the text of `TERM` or `CASE`.
    fn is_directive(&self) -> bool {
        let Some((start, _)) = self.word else { return false };
        let word = &self.text[start..self.at];
        let name = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let is_eval = self.name.is_some_and(|name| is_any(EVALS, name));
        matches!(&word[name.len()..], "TERM" | "CASE") && !is_eval
    }

    /// Returns true if parentheses here hold an expression.
    fn is_expression(&self) -> bool {
        let is_bare = self.word.is_none() && !self.follows_statistic();
        is_bare || self.name.is_some_and(|name| is_any(EXPRESSIONS, name))
    }

    /// Returns true if the word before, with a blank behind it, can be the name of a statistic, whose call
    /// goes on here.
    fn follows_statistic(&self) -> bool {
        let before = self.text[..self.at].trim_end();
        let name = before.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let word = &before[name.len()..];
        !word.is_empty()
            && !is_any(NO_STATISTICS, word)
            && self.name.is_some_and(|name| is_any(CALLS, name) && name != word)
    }

    /// Returns true if the bracket here holds a subsearch of several commands.
    fn is_block(&self) -> bool {
        let inner = &self.text[self.at + 1..closing(self.text, self.at)];
        let trimmed = inner.trim_start();
        let first = trimmed.find(|c: char| !(c.is_alphanumeric() || c == '_'));
        let begins_with_name =
            first.is_some_and(|end| end > 0 && trimmed[end..].starts_with(char::is_whitespace));
        let before = self.text[..self.at].chars().next_back();
        let may_begin = trimmed.starts_with('|')
            || begins_with_name
            || before.is_none_or(|c| c.is_whitespace() || "(,=]|".contains(c));
        match commands(inner) {
            0 => false,
            1 => {
                let is_long = inner.chars().filter(|c| !c.is_whitespace()).count() > MAX_INLINE;
                is_long && (trimmed.starts_with('|') || begins_with_name)
            }
            _ => may_begin,
        }
    }
}

fn last<'a, 't>(stages: &'a mut [Vec<Node<'t>>]) -> &'a mut Vec<Node<'t>> {
    stages.last_mut().expect("a text has at least one stage")
}

/// Returns true if a line or the text ends here, after blanks.
fn ends_line(rest: &str) -> bool {
    let after = rest.trim_start();
    after.is_empty() || rest[..rest.len() - after.len()].contains('\n')
}

/// Returns the length of a name in single quotes; `None` if a pipe or an open bracket comes first.
fn name_in_quotes(rest: &str) -> Option<usize> {
    let (mut brackets, mut length, mut is_open) = (0_usize, None, true);
    // Double quotes have no meaning in a name, which can end between them. For the commands they do
    // have one, so that what is kept goes on to their end.
    let close = 1 + closing_quote(&rest[1..], '\'')?;
    each_chunk(rest, |at, kind| {
        if at > close {
            length = (brackets == 0).then_some(at);
            is_open = false;
            return false;
        }
        match kind {
            Kind::Plain('[') => brackets += 1,
            Kind::Plain(']') if brackets > 0 => brackets -= 1,
            Kind::Plain('|' | ']') => is_open = false,
            _ => {}
        }
        if at == close {
            length = (brackets == 0).then_some(at + 1);
            is_open = false;
        }
        is_open
    });
    // The name can end between the double quotes or backticks that end the text.
    if is_open && brackets == 0 { Some(rest.len()) } else { length }
}

/// Calls `visit` with the place and the kind of each chunk, until it returns false.
pub(super) fn each_chunk(text: &str, mut visit: impl FnMut(usize, Kind) -> bool) {
    let mut at = 0;
    while let Some((kind, length)) = chunk(&text[at..]) {
        if !visit(at, kind) {
            return;
        }
        at = length.map_or(text.len(), |length| at + length);
    }
}

/// Returns the place of the bracket that closes the one at `open`.
fn closing(text: &str, open: usize) -> usize {
    let (mut depth, mut close) = (0_usize, text.len());
    each_chunk(&text[open..], |at, kind| {
        match kind {
            Kind::Plain('[') => depth += 1,
            Kind::Plain(']') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            close = open + at;
        }
        depth > 0
    });
    close
}

/// Returns the length of the parentheses at the start; `None` if they are not closed in the command.
/// Parentheses in single quotes count for some commands and not for others, so that the longer
/// reading is kept.
fn group_length(text: &str) -> Option<usize> {
    closed_length(text, false).max(closed_length(text, true))
}

fn closed_length(text: &str, has_names: bool) -> Option<usize> {
    let (mut depth, mut brackets, mut length) = (0_usize, 0_usize, None);
    let mut name_end = 0;
    each_chunk(text, |at, kind| {
        if at < name_end {
            return true;
        }
        match kind {
            Kind::Plain('\'') if has_names => {
                name_end = name_in_quotes(&text[at..]).map_or(0, |length| at + length);
            }
            Kind::Plain('(') => depth += 1,
            Kind::Plain(')') => depth = depth.saturating_sub(1),
            Kind::Plain('[') => brackets += 1,
            Kind::Plain('|' | ']') if brackets == 0 => return false,
            Kind::Plain(']') => brackets -= 1,
            _ => {}
        }
        if depth == 0 && brackets == 0 {
            length = Some(at + 1);
        }
        depth > 0
    });
    length
}

fn is_blank(kind: Kind) -> bool {
    matches!(kind, Kind::Plain(c) if c.is_whitespace())
}

pub(super) fn is_any(names: &[&str], name: &str) -> bool {
    names.iter().any(|one| one.eq_ignore_ascii_case(name))
}

/// Returns the length of the text before the pipe that ends the command.
fn stage_length(text: &str) -> usize {
    let (mut depth, mut length) = (0_usize, text.len());
    each_chunk(text, |at, kind| {
        match kind {
            Kind::Plain('[') => depth += 1,
            // The bracket of a subsearch that contains the command is not part of `text`.
            Kind::Plain(']') => depth = depth.saturating_sub(1),
            Kind::Plain('|') if depth == 0 => {
                length = at;
                return false;
            }
            _ => {}
        }
        true
    });
    length
}

/// Returns how many commands there are between brackets.
fn commands(inner: &str) -> usize {
    let (mut depth, mut commands, mut is_empty) = (0_usize, 0, true);
    each_chunk(inner, |_, kind| {
        match kind {
            Kind::Plain('[') => depth += 1,
            Kind::Plain(']') => depth = depth.saturating_sub(1),
            _ => {}
        }
        match kind {
            Kind::Plain('|') if depth == 0 => is_empty = true,
            Kind::Plain(c) if c.is_whitespace() => {}
            Kind::Comment => {}
            _ => {
                commands += usize::from(is_empty);
                is_empty = false;
            }
        }
        true
    });
    commands
}
