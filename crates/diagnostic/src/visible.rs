//! Makes text from outside harmless for a terminal and for the programs that read the output.
//!
//! Logs, file names and content can contain escape sequences, line ends and marks that reverse the
//! direction of writing. Printed as they are, they could erase or forge what the program says.

use std::borrow::Cow;
use std::fmt::Write;

/// Returns text with everything that is not seen, line ends and tabs included, written as JSON
/// escapes: `\u001b`, `\n`. The result is one line.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    escape(text, is_hidden)
}

/// As [`visible`], but keeps line ends and tabs.
#[must_use]
pub fn visible_lines(text: &str) -> Cow<'_, str> {
    escape(text, |c| is_hidden(c) && !matches!(c, '\n' | '\t'))
}

/// Returns source text in which each character that is not seen has a placeholder of the same length in
/// bytes, so that spans of the source are spans of the result. Line ends and tabs stay.
pub(crate) fn masked(text: &str) -> Cow<'_, str> {
    let is_masked = |c: char| is_hidden(c) && !matches!(c, '\n' | '\t');
    if !text.chars().any(is_masked) {
        return Cow::Borrowed(text);
    }
    let mask = |c: char| match c.len_utf8() {
        1 => "?".to_owned(),
        2 => "\u{b7}".to_owned(),
        3 => "\u{fffd}".to_owned(),
        _ => "\u{b7}\u{b7}".to_owned(),
    };
    Cow::Owned(text.chars().map(|c| if is_masked(c) { mask(c) } else { c.to_string() }).collect())
}

/// Returns true for a character that a terminal obeys instead of showing it: controls, marks of
/// direction, separators of lines, and characters without a width. Joiners are shown as they are,
/// because scripts and emoji need them.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn escape(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            c if !is_escaped(c) => shown.push(c),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(shown, "\\u{unit:04x}");
                }
            }
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        for (text, shown) in [
            ("plain äöü 漢字 👩\u{200d}💻", "plain äöü 漢字 👩\u{200d}💻"),
            ("a\u{1b}[31mb", "a\\u001b[31mb"),
            ("c\u{9b}31m\u{7f}\0", "c\\u009b31m\\u007f\\u0000"),
            ("a\r\nerror: b\t", "a\\r\\nerror: b\\t"),
            ("\u{202e}txt\u{2066}\u{2028}\u{feff}", "\\u202etxt\\u2066\\u2028\\ufeff"),
            ("\u{e0041}", "\\udb40\\udc41"),
        ] {
            assert_eq!(visible(text), shown);
        }
        let text = "a\u{1b}\u{9b}\u{2028}\u{e0041}\r\n";
        assert_eq!(
            (masked(text).as_ref(), masked(text).len()),
            ("a?\u{b7}\u{fffd}··?\n", text.len())
        );
        assert_eq!(visible_lines("a\tb\n\u{1b}\r"), "a\tb\n\\u001b\\r");
    }
}
