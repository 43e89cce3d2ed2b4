//! Measures and breaks lines for a terminal, on which some characters take two columns or none.

use anstream::adapter::strip_str;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What a color begins with; it ends with an `m`.
const ESCAPE: char = '\u{1b}';

/// Returns the number of columns that a line takes, in which colors are the only control characters.
pub(crate) fn measure(text: &str) -> usize {
    if text.contains(ESCAPE) { strip_str(text).to_string().width() } else { text.width() }
}

/// Returns text with spaces behind it, so that it takes at least `width` columns.
pub(crate) fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(measure(text))))
}

/// Returns the beginning of a text that fits into `width` columns.
pub(crate) fn cut(text: &str, width: usize) -> &str {
    let mut left = width;
    let mut is_color = false;
    let end = text.char_indices().find_map(|(at, c)| {
        if is_color || c == ESCAPE {
            is_color = c != 'm';
            return None;
        }
        match left.checked_sub(columns(c)) {
            Some(rest) => {
                left = rest;
                None
            }
            None => Some(at),
        }
    });
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

/// Wraps text at spaces. A word longer than a line is split, if possible behind a separator such as
/// those in an ARN.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    fill(text, width, width)
}

/// Wraps a line at spaces if it is longer than `width`. What goes on below has the indentation of the
/// line, and `more` columns.
pub(crate) fn hang(line: &str, width: usize, more: usize) -> Vec<String> {
    if measure(line) <= width {
        return vec![line.to_owned()];
    }
    let text = line.trim_start_matches(' ');
    let head = &line[..line.len() - text.len()];
    flow(head, text, &format!("{head}{}", " ".repeat(more)), width)
}

/// Wraps text at spaces, with `head` before the first line and `next` before each of the others.
pub(crate) fn flow(head: &str, text: &str, next: &str, width: usize) -> Vec<String> {
    let room = |margin: &str| width.saturating_sub(measure(margin)).max(1);
    let lines = fill(text, room(head), room(next));
    let margins = std::iter::once(head).chain(std::iter::repeat(next));
    lines.iter().zip(margins).map(|(line, margin)| format!("{margin}{line}")).collect()
}

/// Wraps text at spaces into a line of `first` columns, and others of `width` columns.
fn fill(text: &str, first: usize, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut length = 0;
    for mut word in text.split(' ') {
        let room = |lines: &[String]| if lines.is_empty() { first } else { width };
        let long = measure(word);
        let is_next = if length > 0 {
            length + 1 + long > room(&lines)
        } else {
            // A word that is too long for the first line, and not for the next, stays whole.
            lines.is_empty() && long > first && long <= width
        };
        if is_next {
            lines.push(std::mem::take(&mut line));
            length = 0;
        }
        if length > 0 {
            line.push(' ');
            length += 1;
        }
        while measure(word) > room(&lines) {
            let (start, rest) = split(word, room(&lines));
            lines.push(start.to_owned());
            word = rest;
        }
        length += measure(word);
        line.push_str(word);
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

/// Splits a word that is longer than a line: behind the last separator, unless that would leave most
/// of the line empty.
fn split(word: &str, width: usize) -> (&str, &str) {
    let start = cut(word, width);
    // A line shows one character at least, however narrow it is.
    let one = word.chars().next().map_or(0, char::len_utf8);
    let separator = start.rfind(['/', ':', ',', ';', '&', '?']).map(|at| at + 1);
    let at = separator.filter(|at| *at > start.len() / 2).unwrap_or(start.len()).max(one);
    word.split_at_checked(at).unwrap_or((word, ""))
}

fn columns(c: char) -> usize {
    c.width().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_longer_than_a_line_is_split_behind_a_separator() {
        assert_eq!(wrap("by arn:aws:iam::1:user/anna", 20), ["by", "arn:aws:iam::1:user/", "anna"]);
        assert_eq!(wrap("aaa/aaaaaaaaaa", 10), ["aaa/aaaaaa", "aaaa"]);
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("a abcdefgh", 4), ["a", "abcd", "efgh"]);
        assert_eq!(wrap("", 4), [""]);
    }

    #[test]
    fn what_goes_on_below_is_indented() {
        assert_eq!(hang("note: one two", 13, 2), ["note: one two"]);
        assert_eq!(hang("note: one two", 12, 2), ["note: one", "  two"]);
        assert_eq!(hang("  a: one two", 8, 2), ["  a: one", "    two"]);
        assert_eq!(flow("1  ", "one two", "   ", 6), ["1  one", "   two"]);
        assert_eq!(flow("12345678  ", "three", "  ", 12), ["12345678  ", "  three"]);
        assert_eq!(hang("a b", usize::MAX, 2), ["a b"]);
    }

    #[test]
    fn colors_take_no_columns() {
        let red = "\u{1b}[1m\u{1b}[31mabcd\u{1b}[0m";
        assert_eq!((measure(red), cut(red, 2)), (4, "\u{1b}[1m\u{1b}[31mab"));
        assert_eq!(hang(&format!("{red} {red}"), 9, 2).len(), 1);
        assert_eq!(hang(&format!("{red} {red}"), 8, 2), [red, &format!("  {red}")]);
        assert_eq!(wrap(red, 3), ["\u{1b}[1m\u{1b}[31mabc", "d\u{1b}[0m"]);
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!((measure("日本"), measure("e\u{301}"), measure("ab")), (4, 1, 2));
        assert_eq!(pad("日", 4), "日  ");
        assert_eq!((cut("日本語", 5), cut("日本語", 6), cut("ab", 9)), ("日本", "日本語", "ab"));
        assert_eq!(wrap("日本語 a", 4), ["日本", "語 a"]);
        assert_eq!(wrap("日本", 1), ["日", "本"]);
    }
}
