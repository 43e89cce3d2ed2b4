//! Measures and breaks lines for a terminal, on which some characters take two columns or none.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Returns the number of columns that text without control characters takes.
pub(crate) fn measure(text: &str) -> usize {
    text.width()
}

/// Returns text with spaces behind it, so that it takes at least `width` columns.
pub(crate) fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(measure(text))))
}

/// Returns the beginning of a text that fits into `width` columns.
pub(crate) fn cut(text: &str, width: usize) -> &str {
    let mut left = width;
    let end = text.char_indices().find_map(|(at, c)| match left.checked_sub(columns(c)) {
        Some(rest) => {
            left = rest;
            None
        }
        None => Some(at),
    });
    end.and_then(|end| text.get(..end)).unwrap_or(text)
}

/// Wraps text at spaces. A word longer than a line is split, if possible behind a separator such as
/// those in an ARN.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut length = 0;
    for mut word in text.split(' ') {
        if length > 0 && length + 1 + measure(word) > width {
            lines.push(std::mem::take(&mut line));
            length = 0;
        }
        if length > 0 {
            line.push(' ');
            length += 1;
        }
        while measure(word) > width {
            let (start, rest) = split(word, width);
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
    fn wide_characters_take_two_columns() {
        assert_eq!((measure("日本"), measure("e\u{301}"), measure("ab")), (4, 1, 2));
        assert_eq!(pad("日", 4), "日  ");
        assert_eq!((cut("日本語", 5), cut("日本語", 6), cut("ab", 9)), ("日本", "日本語", "ab"));
        assert_eq!(wrap("日本語 a", 4), ["日本", "語 a"]);
        assert_eq!(wrap("日本", 1), ["日", "本"]);
    }
}
