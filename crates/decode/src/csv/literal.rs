//! Reads lists and objects as Python prints them: `[{'group': 'all'}]`.
//!
//! Data frames that were flattened to one column for each key keep their lists, and write them in
//! this form to CSV.

use std::str::Chars;

use crate::members::quoted;

/// The maximum nesting depth.
const MAX_DEPTH: usize = 16;

/// Returns a list or object in Python's form as JSON, or `None` if it is anything else.
pub(super) fn to_json(text: &str) -> Option<String> {
    let text = text.trim();
    if !text.starts_with(['{', '[']) {
        return None;
    }
    let mut parser = Parser { rest: text, json: String::with_capacity(text.len()) };
    parser.value(0)?;
    parser.rest.is_empty().then_some(parser.json)
}

struct Parser<'a> {
    rest: &'a str,
    json: String,
}

impl Parser<'_> {
    fn take(&mut self, prefix: &str) -> bool {
        let rest = self.rest.strip_prefix(prefix);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        if depth == MAX_DEPTH {
            return None;
        }
        if self.take("[") {
            self.members("]", depth, false)
        } else if self.take("{") {
            self.members("}", depth, true)
        } else if self.rest.starts_with(['\'', '"']) {
            let text = self.string()?;
            self.json.push_str(&quoted(&text));
            Some(())
        } else {
            self.word()
        }
    }

    /// Reads what follows an opening bracket, up to the closing one.
    fn members(&mut self, end: &str, depth: usize, has_keys: bool) -> Option<()> {
        self.json.push(if has_keys { '{' } else { '[' });
        let mut is_first = true;
        loop {
            self.skip_space();
            if self.take(end) {
                break;
            }
            if !is_first {
                if !self.take(",") {
                    return None;
                }
                self.json.push(',');
                self.skip_space();
            }
            is_first = false;
            if has_keys {
                let key = self.string()?;
                self.json.push_str(&quoted(&key));
                self.json.push(':');
                self.skip_space();
                if !self.take(":") {
                    return None;
                }
                self.skip_space();
            }
            self.value(depth + 1)?;
        }
        self.json.push_str(end);
        Some(())
    }

    /// Reads a string in single or double quotes.
    fn string(&mut self) -> Option<String> {
        let mut chars = self.rest.chars();
        let quote = chars.next().filter(|c| matches!(c, '\'' | '"'))?;
        let mut text = String::new();
        loop {
            match chars.next()? {
                c if c == quote => break,
                '\\' => text.push(escaped(&mut chars)?),
                c => text.push(c),
            }
        }
        self.rest = chars.as_str();
        Some(text)
    }

    /// Reads a number, a truth value, or none.
    fn word(&mut self) -> Option<()> {
        let is_end = |c: char| c.is_whitespace() || matches!(c, ',' | ']' | '}' | ':');
        let (word, rest) = self.rest.split_at(self.rest.find(is_end)?);
        let json = match word {
            "True" => "true",
            "False" => "false",
            "None" => "null",
            _ if serde_json::from_str::<serde_json::Number>(word).is_ok() => word,
            _ => return None,
        };
        self.json.push_str(json);
        self.rest = rest;
        Some(())
    }
}

/// Returns the character that follows a backslash stands for.
fn escaped(chars: &mut Chars<'_>) -> Option<char> {
    let digits = match chars.next()? {
        'n' => return Some('\n'),
        'r' => return Some('\r'),
        't' => return Some('\t'),
        c @ ('\\' | '\'' | '"') => return Some(c),
        'x' => 2,
        'u' => 4,
        'U' => 8,
        _ => return None,
    };
    let mut number = 0;
    for _ in 0..digits {
        number = number * 16 + chars.next()?.to_digit(16)?;
    }
    char::from_u32(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_objects_are_read() {
        let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        for (text, json) in [
            ("[{'group': 'all'}]", Some(r#"[{"group":"all"}]"#)),
            (" {'a': [1, -2.50, True, False, None], 'b': {}} ", {
                Some(r#"{"a":[1,-2.50,true,false,null],"b":{}}"#)
            }),
            (r#"["it's", 'a "b"']"#, Some(r#"["it's","a \"b\""]"#)),
            (r"['\n\\\'', '\x41\u00e4\U0001f600']", Some(r#"["\n\\'","Aä😀"]"#)),
            ("[]", Some("[]")),
            (&deep(MAX_DEPTH - 1), Some(deep(MAX_DEPTH - 1).as_str())),
            // Other texts in brackets, and what ends early.
            (&deep(100_000), None),
            ("[a note]", None),
            ("{bucketName=b}", None),
            ("{'a'}", None),
            ("['a' 'b']", None),
            ("['a', ,]", None),
            ("['a'", None),
            ("['a'] x", None),
            (r"['\q']", None),
            (r"['\Uffffffff']", None),
            ("'a'", None),
            ("", None),
        ] {
            assert_eq!(to_json(text).as_deref(), json, "{text}");
        }
    }
}
