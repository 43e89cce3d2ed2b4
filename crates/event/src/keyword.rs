//! Matches the terms of `search` against the text of an event.
//!
//! Splunk indexes the pieces between major breakers, and the smaller pieces between minor breakers;
//! a term therefore matches only between breakers (segmenters.conf; "Use CASE and TERM to match
//! phrases" in the Search Manual).

use serde::{Deserialize, Serialize};

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
pub struct Keyword {
    /// The term, without its quotes.
    pub text: String,
    /// The notation of the term.
    pub kind: KeywordKind,
    /// Whether case is significant.
    pub case: CaseRule,
    folded: Vec<u8>,
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
            CaseRule::Ignore => text.to_lowercase().into_bytes(),
            CaseRule::Exact => text.clone().into_bytes(),
        };
        Self { text, kind, case, folded }
    }

    /// Returns true if the term occurs in the event's text.
    #[must_use]
    pub fn matches(&self, raw: &str) -> bool {
        if self.folded.iter().all(|b| *b == b'*') {
            return true;
        }
        let lowered;
        let raw = match self.case {
            CaseRule::Ignore => {
                lowered = raw.to_lowercase();
                lowered.as_bytes()
            }
            CaseRule::Exact => raw.as_bytes(),
        };
        let open_start = self.folded.first() == Some(&b'*');
        (0..raw.len())
            .filter(|at| {
                open_start || *at == 0 || self.bounds(raw[at - 1]) || self.bounds(raw[*at])
            })
            .any(|at| self.matches_at(raw, at))
    }

    fn bounds(&self, byte: u8) -> bool {
        is_major(byte) || (self.kind == KeywordKind::Plain && is_minor(byte))
    }

    fn matches_at(&self, raw: &[u8], start: usize) -> bool {
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
            } else if t < raw.len() && self.folded[p] == raw[t] {
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
}
