//! Makes texts from outside fit for messages: short, in one line, with nothing hidden.

/// The most characters of a text that a message repeats.
pub(crate) const MOST_SHOWN: usize = 200;

/// Returns the first characters of a text. Control characters, marks of direction and invisible
/// characters are written as escapes; a text that is cut ends with `…`.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = String::new();
    let mut characters = text.chars();
    for c in characters.by_ref().take(MOST_SHOWN) {
        if is_hidden(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    if characters.next().is_some() {
        shown.push('…');
    }
    shown
}

/// Returns true for characters that end a line, move a cursor, hide text or turn its direction.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// Returns a text with the secrets in it replaced, for messages that repeat what a server answered.
pub(crate) fn redact(text: &str, secrets: &[&str]) -> String {
    let mut redacted = text.to_owned();
    // A short one would be found in ordinary words, and be guessed from what is missing.
    for secret in secrets.iter().filter(|secret| secret.len() >= 4) {
        redacted = redacted.replace(secret, "[secret]");
    }
    redacted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_short_and_hide_nothing() {
        let long = "ä".repeat(201);
        let cut = format!("{}…", "ä".repeat(200));
        for (text, expected) in [
            ("", ""),
            ("it's \"a\" key", "it's \"a\" key"),
            ("a\nb\u{1b}[2J\0", "a\\nb\\u{1b}[2J\\u{0}"),
            ("\u{202e}evil\u{feff}", "\\u{202e}evil\\u{feff}"),
            (&long[..400], &cut[..400]),
            (&long, &cut),
        ] {
            assert_eq!(shown(text), expected, "{text:?}");
        }
    }

    #[test]
    fn secrets_are_replaced() {
        assert_eq!(redact("key AKIDEXAMPLE of a", &["AKIDEXAMPLE", "a"]), "key [secret] of a");
    }
}
