//! Finds calls of saved searches: `savedsearch` and `from savedsearch:` at the start of a pipeline.

use crate::boolean;
use crate::cursor::{closing_quote, is_word, unescape};

/// A call of a saved search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SavedCall {
    pub(super) name: String,
    /// The values for the tokens `$name$` of the search.
    pub(super) tokens: Vec<(String, String)>,
    /// The length of the call.
    pub(super) length: usize,
}

impl SavedCall {
    /// Parses a call at the start of `text`, which follows a pipe or a bracket and may begin with
    /// blanks. Returns `None` if there is none, or if it is malformed; the command then reports it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut reader = Reader { text, at: 0 };
        if reader.keyword("from") {
            if !reader.keyword("savedsearch") {
                return None;
            }
            reader.symbol(':');
        } else if !reader.keyword("savedsearch") {
            return None;
        }
        let (mut name, mut tokens, mut is_filled) = (None, Vec::new(), true);
        while let Some(word) = reader.word() {
            if reader.symbol('=') {
                let value = reader.word()?;
                if word.eq_ignore_ascii_case("nosubstitution") {
                    is_filled = boolean(&value) != Some(true);
                } else {
                    tokens.push((word, value));
                }
            } else if name.replace(word).is_some() {
                return None;
            }
        }
        if !is_filled {
            tokens.clear();
        }
        let length = reader.at;
        reader.blanks();
        let ends = matches!(reader.rest().chars().next(), None | Some('|' | ']' | '`'));
        ends.then_some(Self { name: name?, tokens, length })
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    /// Takes a whole word in any case.
    fn keyword(&mut self, word: &str) -> bool {
        let start = self.at;
        self.blanks();
        let rest = self.rest();
        let is_it = rest.get(..word.len()).is_some_and(|text| text.eq_ignore_ascii_case(word))
            && !rest[word.len()..].starts_with(is_word);
        self.at = if is_it { self.at + word.len() } else { start };
        is_it
    }

    fn symbol(&mut self, symbol: char) -> bool {
        let start = self.at;
        self.blanks();
        let is_it = self.rest().starts_with(symbol);
        self.at = if is_it { self.at + symbol.len_utf8() } else { start };
        is_it
    }

    /// Takes a text in quotes, or one without blanks.
    fn word(&mut self) -> Option<String> {
        let start = self.at;
        self.blanks();
        let rest = self.rest();
        if let Some(inner) = rest.strip_prefix('"') {
            let length = closing_quote(inner, '"')?;
            self.at += length + 2;
            return Some(unescape(&inner[..length]));
        }
        let ends = |c: char| c.is_whitespace() || matches!(c, '|' | ']' | '=' | '"' | '`' | '[');
        let length = rest.find(ends).unwrap_or(rest.len());
        if length == 0 {
            self.at = start;
            return None;
        }
        self.at += length;
        Some(rest[..length].to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_have_a_name_and_tokens() {
        for (text, expected) in [
            (" savedsearch x", Some(("x", "", 14))),
            (
                " savedsearch \"My search\" a=1 b = \"2 3\" | stats",
                Some(("My search", "a=1 b=2 3", 38)),
            ),
            ("SavedSearch nosubstitution=t x a=1", Some(("x", "", 34))),
            ("savedsearch nosubstitution=Yes x a=1", Some(("x", "", 36))),
            ("from savedsearch:\"My search\" | head", Some(("My search", "", 28))),
            ("from savedsearch x]", Some(("x", "", 18))),
            ("from lookup:x", None),
            ("savedsearches x", None),
            ("savedsearch", None),
            ("savedsearch a b", None),
            ("savedsearch a=1", None),
            ("savedsearch \"a", None),
            ("stats count", None),
        ] {
            let found = SavedCall::parse(text).map(|call| {
                let tokens: Vec<_> =
                    call.tokens.iter().map(|(name, value)| format!("{name}={value}")).collect();
                (call.name, tokens.join(" "), call.length)
            });
            let found = found
                .as_ref()
                .map(|(name, tokens, length)| (name.as_str(), tokens.as_str(), *length));
            assert_eq!(found, expected, "{text}");
        }
    }
}
