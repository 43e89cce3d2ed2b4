//! Matches the terms of `search` against the text of an event.
//!
//! Splunk indexes the pieces between major breakers, and the smaller pieces between minor breakers;
//! a term therefore matches only between breakers (segmenters.conf; "Use CASE and TERM to match
//! phrases" in the Search Manual).

use serde::{Deserialize, Serialize};

use crate::needle::Needle;
use crate::pattern::CaseRule;

/// The notation of a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum KeywordKind {
    /// A word or a quoted phrase: bounded by breakers of either kind.
    Plain,
    /// `TERM(x)`: bounded by major breakers.
    Term,
}

/// A term to find in `_raw`; `*` matches any run of characters without a major breaker.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Term", into = "Term")]
pub struct Keyword {
    /// The term, without its quotes.
    pub text: String,
    /// The notation of the term.
    pub kind: KeywordKind,
    /// Whether case is significant.
    pub case: CaseRule,
    /// The text as it is compared, from its first byte on that is no `*`. If it is empty, the term is in
    /// every text.
    folded: Vec<u8>,
    /// Whether the term begins with `*`.
    open_start: bool,
    /// The part of `folded` before its first `*`.
    first: Needle,
    /// The longest part of `folded` without `*`.
    longest: Needle,
}

/// A keyword as it is written.
#[derive(Serialize, Deserialize)]
struct Term {
    text: String,
    kind: KeywordKind,
    case: CaseRule,
}

impl From<Term> for Keyword {
    fn from(Term { text, kind, case }: Term) -> Self {
        Self::new(text, kind, case)
    }
}

impl From<Keyword> for Term {
    fn from(Keyword { text, kind, case, .. }: Keyword) -> Self {
        Self { text, kind, case }
    }
}

fn is_major(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'\n'
            | b'\r'
            | b'\t'
            | b'['
            | b']'
            | b'<'
            | b'>'
            | b'('
            | b')'
            | b'{'
            | b'}'
            | b'|'
            | b'!'
            | b';'
            | b','
            | b'\''
            | b'"'
            | b'*'
            | b'&'
            | b'?'
            | b'+'
    )
}

fn is_minor(byte: u8) -> bool {
    matches!(byte, b'/' | b':' | b'=' | b'@' | b'.' | b'-' | b'$' | b'#' | b'%' | b'\\' | b'_')
}

impl Keyword {
    /// Returns the keyword for a term.
    pub fn new(text: impl Into<String>, kind: KeywordKind, case: CaseRule) -> Self {
        let text = text.into();
        let folded = match case {
            CaseRule::Ignore => text.to_lowercase(),
            CaseRule::Exact => text.clone(),
        };
        let closed = folded.trim_start_matches('*');
        let open_start = closed.len() < folded.len();
        let literals = || closed.as_bytes().split(|byte| *byte == b'*');
        let first = Needle::new(literals().next().unwrap_or_default());
        let longest = Needle::new(literals().max_by_key(|part| part.len()).unwrap_or_default());
        Self { kind, case, folded: closed.into(), open_start, first, longest, text }
    }

    /// Returns true if the term occurs in the event's text.
    #[must_use]
    pub fn matches(&self, raw: &str) -> bool {
        if self.folded.is_empty() {
            return true;
        }
        match self.case {
            CaseRule::Ignore if raw.is_ascii() => self.is_in(raw.as_bytes(), CaseRule::Ignore),
            // Other letters may become longer or shorter, or ASCII.
            CaseRule::Ignore => self.is_in(raw.to_lowercase().as_bytes(), CaseRule::Exact),
            CaseRule::Exact => self.is_in(raw.as_bytes(), CaseRule::Exact),
        }
    }

    /// Returns true if the term is in a text, in the case of `case`.
    ///
    /// A term that begins with `*` matches from where its first literal stands: `*` stands for nothing there.
    fn is_in(&self, raw: &[u8], case: CaseRule) -> bool {
        let may_be = self.first == self.longest || self.longest.is_in(raw, case);
        may_be
            && self
                .first
                .places(raw, case)
                .filter(|at| {
                    self.open_start || *at == 0 || self.bounds(raw[at - 1]) || self.bounds(raw[*at])
                })
                .any(|at| self.matches_at(raw, at, case))
    }

    fn bounds(&self, byte: u8) -> bool {
        is_major(byte) || (self.kind == KeywordKind::Plain && is_minor(byte))
    }

    fn matches_at(&self, raw: &[u8], start: usize, case: CaseRule) -> bool {
        let fold = |byte: u8| match case {
            CaseRule::Ignore => byte.to_ascii_lowercase(),
            CaseRule::Exact => byte,
        };
        let (mut p, mut t) = (0, start);
        let mut retry: Option<(usize, usize)> = None;
        loop {
            if p == self.folded.len() {
                let open_end = self.folded.last() == Some(&b'*');
                let edge = open_end
                    || t == raw.len()
                    || self.bounds(raw[t])
                    || (t > start && self.bounds(raw[t - 1]));
                if edge {
                    return true;
                }
            } else if self.folded[p] == b'*' {
                retry = Some((p + 1, t));
                p += 1;
                continue;
            } else if t < raw.len() && self.folded[p] == fold(raw[t]) {
                p += 1;
                t += 1;
                continue;
            }
            match retry {
                Some((after_star, from)) if from < raw.len() && !is_major(raw[from]) => {
                    retry = Some((after_star, from + 1));
                    p = after_star;
                    t = from + 1;
                }
                _ => return false,
            }
        }
    }
}

/// Returns what follows a prefix in the terms of an event's text, in lower case, without duplicates and in
/// their order.
///
/// The terms are the pieces between major breakers, and the smaller pieces between minor breakers. Case
/// is not significant.
#[must_use]
pub fn terms_after(prefix: &str, raw: &str) -> Vec<String> {
    let (prefix, raw) = (prefix.to_lowercase(), raw.to_lowercase());
    let is = |is_breaker: fn(u8) -> bool| move |c: char| u8::try_from(c).is_ok_and(is_breaker);
    let mut found: Vec<String> = Vec::new();
    for term in raw.split(is(is_major)) {
        let smaller = term.split(is(is_minor)).filter(|piece| *piece != term);
        for piece in std::iter::once(term).chain(smaller) {
            let rest = piece.strip_prefix(prefix.as_str()).filter(|rest| !rest.is_empty());
            if let Some(rest) = rest.filter(|rest| !found.iter().any(|found| found == rest)) {
                found.push(rest.to_owned());
            }
        }
    }
    found
}

/// Returns true if a text has a major breaker, so that no term contains it.
#[must_use]
pub fn has_major_breaker(text: &str) -> bool {
    text.bytes().any(is_major)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn terms_match_between_breakers() {
        let raw = r#"{"eventName":"StartInstances","ip":"10.1.2.3","m":"an error occurred"}"#;
        for (text, hit) in [
            ("startinstances", true),
            ("Start", false),
            ("Start*", true),
            ("*Instances", true),
            ("10.1.2.3", true),
            ("1.2", true),
            ("0.1.2", false),
            ("error", true),
            ("errors", false),
            ("an error", true),
            ("n error", false),
            ("*", true),
        ] {
            let keyword = Keyword::new(text, KeywordKind::Plain, CaseRule::Ignore);
            assert_eq!(keyword.matches(raw), hit, "{text}");
        }
    }

    #[test]
    fn term_wants_major_breakers() {
        let term = Keyword::new("127.0.0.1", KeywordKind::Term, CaseRule::Ignore);
        assert!(term.matches("127.0.0.1 - admin") && !term.matches("ip=127.0.0.1"));
    }

    #[test]
    fn terms_have_prefixes() {
        let raw = "02:10 INFO group=Queue, kb=10.5 kb=10.5 kb=7;x=kb=2 Group=mpool/parse \"kb=\"";
        for (prefix, expected) in [
            ("kb=", &["10.5", "7"][..]),
            ("GROUP=", &["queue", "mpool/parse"]),
            ("x=kb=", &["2"]),
            ("que", &["ue"]),
            ("in", &["fo"]),
            ("nosuch=", &[]),
        ] {
            assert_eq!(terms_after(prefix, raw), expected, "{prefix}");
        }
    }

    /// Returns true if a pattern matches a text from its beginning on, and ends at a breaker: the rule, tried
    /// letter by letter. `last` is the letter of the match before it.
    fn goes_on(pattern: &[u8], text: &[u8], last: Option<u8>, bounds: &dyn Fn(u8) -> bool) -> bool {
        match pattern.split_first() {
            None => text.first().is_none_or(|byte| bounds(*byte)) || last.is_some_and(bounds),
            Some((b'*', rest)) => {
                rest.iter().all(|byte| *byte == b'*')
                    || goes_on(rest, text, last, bounds)
                    || text.split_first().is_some_and(|(byte, more)| {
                        !is_major(*byte) && goes_on(pattern, more, Some(*byte), bounds)
                    })
            }
            Some((byte, rest)) => text.split_first().is_some_and(|(found, more)| {
                found == byte && goes_on(rest, more, Some(*found), bounds)
            }),
        }
    }

    fn by_the_rule(keyword: &Keyword, raw: &str) -> bool {
        let lower = |text: &str| match keyword.case {
            CaseRule::Ignore => text.to_lowercase().into_bytes(),
            CaseRule::Exact => text.as_bytes().to_vec(),
        };
        let (pattern, raw) = (lower(&keyword.text), lower(raw));
        let bounds = |byte: u8| keyword.bounds(byte);
        pattern.iter().all(|byte| *byte == b'*')
            || (0..raw.len()).any(|at| {
                let is_start =
                    pattern[0] == b'*' || at == 0 || bounds(raw[at - 1]) || bounds(raw[at]);
                is_start && goes_on(&pattern, &raw[at..], None, &bounds)
            })
    }

    proptest! {
        /// Whatever is found by its rarest byte is found by trying each place, and the other way round.
        #[test]
        fn terms_are_found_where_the_rule_finds_them(
            text in "[aB.*\" \u{212A}kİ]{0,5}",
            raw in "[abAB. \"\u{212A}kKİi-]{0,12}",
            is_plain in any::<bool>(),
            is_exact in any::<bool>(),
        ) {
            let kind = if is_plain { KeywordKind::Plain } else { KeywordKind::Term };
            let case = if is_exact { CaseRule::Exact } else { CaseRule::Ignore };
            let keyword = Keyword::new(text, kind, case);
            prop_assert_eq!(keyword.matches(&raw), by_the_rule(&keyword, &raw));
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let keyword = Keyword::new("*Get*Object", KeywordKind::Term, CaseRule::Ignore);
        let written = serde_json::to_string(&keyword).unwrap();
        assert_eq!(written, r#"{"text":"*Get*Object","kind":"Term","case":"Ignore"}"#);
        assert_eq!(serde_json::from_str::<Keyword>(&written).unwrap(), keyword);
    }
}
