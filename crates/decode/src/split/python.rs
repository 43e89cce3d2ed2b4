//! Reads what Python prints of a dictionary or list, `{'type': 'Root', 'x': None}`, as JSON.
//!
//! Programs that print records, and data frames that keep the lists of a record in one column, write
//! this form.

use crate::json::is_number;
use crate::members::quoted;

/// The maximum nesting depth.
const MAX_DEPTH: usize = 32;

/// Returns the dictionary or list as JSON, or `None` if the text is no such literal.
pub(crate) fn to_json(text: &str) -> Option<String> {
    let mut parser = Parser { rest: text.trim(), json: String::with_capacity(text.len()) };
    if !parser.rest.starts_with(['{', '[']) {
        return None;
    }
    parser.value(0)?;
    parser.rest.is_empty().then_some(parser.json)
}

struct Parser<'a> {
    rest: &'a str,
    json: String,
}

impl Parser<'_> {
    fn take(&mut self, prefix: char) -> bool {
        let rest = self.rest.trim_start().strip_prefix(prefix);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        if depth == MAX_DEPTH {
            return None;
        }
        if self.take('{') {
            self.items('{', '}', depth)
        } else if self.take('[') {
            self.items('[', ']', depth)
        } else if self.take('(') {
            self.items('[', ')', depth)
        } else if self.rest.trim_start().starts_with(['\'', '"']) {
            self.text()
        } else {
            self.word()
        }
    }

    /// Reads the members of a dictionary, or the elements of a list or tuple.
    fn items(&mut self, open: char, close: char, depth: usize) -> Option<()> {
        self.json.push(open);
        let mut is_first = true;
        while !self.take(close) {
            if !is_first {
                if !self.take(',') {
                    return None;
                }
                if self.take(close) {
                    break;
                }
                self.json.push(',');
            }
            if open == '{' {
                self.text()?;
                self.json.push(':');
                if !self.take(':') {
                    return None;
                }
            }
            self.value(depth + 1)?;
            is_first = false;
        }
        self.json.push(if close == ')' { ']' } else { close });
        Some(())
    }

    fn text(&mut self) -> Option<()> {
        let mut characters = self.rest.trim_start().chars();
        let quote = characters.next().filter(|c| matches!(c, '\'' | '"'))?;
        let mut text = String::new();
        loop {
            match characters.next()? {
                c if c == quote => break,
                '\\' => match characters.next()? {
                    'n' => text.push('\n'),
                    'r' => text.push('\r'),
                    't' => text.push('\t'),
                    c @ ('\\' | '\'' | '"') => text.push(c),
                    kind @ ('x' | 'u' | 'U') => {
                        let count = match kind {
                            'x' => 2,
                            'u' => 4,
                            _ => 8,
                        };
                        let digits: String = characters.by_ref().take(count).collect();
                        let code = u32::from_str_radix(&digits, 16).ok();
                        let code = code.filter(|_| digits.len() == count)?;
                        text.push(char::from_u32(code)?);
                    }
                    _ => return None,
                },
                c => text.push(c),
            }
        }
        self.rest = characters.as_str();
        self.json.push_str(&quoted(&text));
        Some(())
    }

    fn word(&mut self) -> Option<()> {
        let rest = self.rest.trim_start();
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)))?;
        let (word, rest) = rest.split_at(end);
        self.json.push_str(match word {
            "True" => "true",
            "False" => "false",
            "None" => "null",
            word if is_number(word.as_bytes()) => word,
            _ => return None,
        });
        self.rest = rest;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals() {
        for (text, json) in [
            (
                r#"{'a': 'x', "b": ["it's", 1, -2.50, True, False, None], 'c': {}}"#,
                Some(r#"{"a":"x","b":["it's",1,-2.50,true,false,null],"c":{}}"#),
            ),
            (r"{'a': 'q\'\\\n\xe9\u00e9', 'b': ('t',)}", Some(r#"{"a":"q'\\\néé","b":["t"]}"#)),
            ("{'a': '{\"b\": 1}'}", Some(r#"{"a":"{\"b\": 1}"}"#)),
            (" [] ", Some("[]")),
            ("{'a': datetime.datetime(2026, 3, 17)}", None),
            ("{'a': b'x'}", None),
            ("{'a': 'x'", None),
            ("{'a': 'x'} y", None),
            ("{'a' 'x'}", None),
            ("{1: 'x'}", None),
            ("{type=Root}", None),
            ("'a'", None),
        ] {
            assert_eq!(to_json(text).as_deref(), json, "{text}");
        }
        assert_eq!(to_json(&"[".repeat(100_000)), None);
    }
}
