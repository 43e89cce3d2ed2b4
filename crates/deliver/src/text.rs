//! Makes texts from logs inert and short: control characters, escaping, cutting.
//!
//! Whoever causes an event chooses texts in it. [`fit`] replaces what no receiver should see, escapes
//! the rest for the place where it goes, and cuts it so that the escaped text has at most a given size
//! and no escape is cut in two.

/// Where a text goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// True if line breaks are kept; otherwise they become spaces.
    pub(crate) lines: bool,
    /// How a character is written.
    pub(crate) escape: Escape,
    /// What an escaped text counts towards the limit.
    pub(crate) size: fn(&str) -> usize,
}

/// Appends a character as a place writes it.
type Escape = fn(&mut String, char);

/// Unescaped text in one line, by bytes.
pub(crate) const LINE: Place = Place { lines: false, escape: String::push, size: str::len };

/// Unescaped text, by bytes.
pub(crate) const LINES: Place = Place { lines: true, ..LINE };

/// Returns a text as it is written in a place, with at most `most` of the place's sizes. A text that
/// is longer is cut, and ends with a note of how much is missing if there is room for one.
pub(crate) fn fit(text: &str, most: usize, place: Place) -> String {
    /// More than any note has, in every size.
    const NOTE: usize = 48;
    let mut fitted = String::new();
    let mut size = 0;
    // Where to cut for a note: the length of `fitted`, and the characters in it.
    let mut cut = (0, 0);
    for (index, c) in text.chars().enumerate() {
        let before = fitted.len();
        (place.escape)(&mut fitted, inert(c, place.lines));
        size += (place.size)(&fitted[before..]);
        if size > most {
            let note_fits = most >= 2 * NOTE;
            let (length, kept) = if note_fits { cut } else { (before, index) };
            fitted.truncate(length);
            if note_fits {
                let missing = text.chars().skip(kept).count();
                fitted.push_str(&format!(" … ({missing} more characters)"));
            }
            return fitted;
        }
        if size + NOTE <= most {
            cut = (fitted.len(), index + 1);
        }
    }
    fitted
}

/// Returns the character, or what stands for one that could end a line, move a cursor, hide text or
/// show it in another order.
fn inert(c: char, lines: bool) -> char {
    match c {
        '\n' if lines => '\n',
        '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => ' ',
        // Marks, embeddings, overrides and isolates of direction; invisible characters; tags.
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => {
            '\u{fffd}'
        }
        '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' => '\u{fffd}',
        // Neither characters of text in XML nor in some receivers.
        '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}

/// Returns the size of a text as the inside of a JSON string, in bytes.
pub(crate) fn json_size(text: &str) -> usize {
    let size = |c: char| match c {
        '"' | '\\' | '\n' => 2,
        c if c < ' ' => 6,
        c => c.len_utf8(),
    };
    text.chars().map(size).sum()
}

/// Returns the size of a text in UTF-16 units, which is at least the number of characters: services
/// that count "characters" count one or the other.
pub(crate) fn utf16_size(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn angle(out: &mut String, c: char) {
        match c {
            '<' => out.push_str("&lt;"),
            c => out.push(c),
        }
    }

    #[test]
    fn texts_are_inert() {
        for (text, line, lines) in [
            ("plain ü 漢 🦀", "plain ü 漢 🦀", "plain ü 漢 🦀"),
            ("a\r\nb\tc", "a  b c", "a \nb c"),
            (
                "\u{1b}[31m\0\u{7f}\u{85}",
                "\u{fffd}[31m\u{fffd}\u{fffd}\u{fffd}",
                "\u{fffd}[31m\u{fffd}\u{fffd}\u{fffd}",
            ),
            ("\u{202e}gpj.exe\u{2028}", "\u{fffd}gpj.exe ", "\u{fffd}gpj.exe "),
            ("a\u{200b}b\u{e0041}", "a\u{fffd}b\u{fffd}", "a\u{fffd}b\u{fffd}"),
            ("", "", ""),
        ] {
            assert_eq!(fit(text, 1000, LINE), line, "{text:?}");
            assert_eq!(fit(text, 1000, LINES), lines, "{text:?}");
        }
    }

    #[test]
    fn texts_are_cut() {
        let place = Place { escape: angle, ..LINE };
        let long = "x".repeat(200);
        let open = "<".repeat(100);
        for (text, most, expected) in [
            (long.as_str(), 200, long.clone()),
            (&long, 199, format!("{} … (49 more characters)", "x".repeat(151))),
            (&long, 100, format!("{} … (148 more characters)", "x".repeat(52))),
            (&long, 10, "x".repeat(10)),
            (&long, 0, String::new()),
            (&open, 400, "&lt;".repeat(100)),
            // An escape is never cut in two.
            (&open, 399, format!("{} … (13 more characters)", "&lt;".repeat(87))),
            (&open, 10, "&lt;&lt;".to_owned()),
            ("ééé", 5, "éé".to_owned()),
        ] {
            assert_eq!(fit(text, most, place), expected, "{text:.10} {most}");
        }
    }

    #[test]
    fn sizes() {
        for (text, json, utf16) in [("a\"\\\n", 7, 4), ("é🦀", 6, 3), ("\u{1}", 6, 1), ("", 0, 0)]
        {
            assert_eq!((json_size(text), utf16_size(text)), (json, utf16), "{text:?}");
            assert_eq!(serde_json::to_string(text).unwrap().len(), json + 2, "{text:?}");
        }
    }
}
