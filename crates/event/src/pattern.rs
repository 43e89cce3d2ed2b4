//! Matches values with the right-hand side of a comparison in `search`: wildcards, case, CIDR
//! blocks.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Whether letter case is significant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CaseRule {
    /// `search`'s default.
    Ignore,
    /// `CASE(…)`.
    Exact,
}

/// A literal to compare field values with.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pattern {
    /// The literal as written, without its quotes.
    pub text: String,
    /// Whether case is significant.
    pub case: CaseRule,
    /// The CIDR block, if the literal is one; values that are addresses are tested for membership.
    pub block: Option<IpNet>,
    folded: String,
    wild: bool,
}

impl Pattern {
    /// Returns the pattern for a literal: `*` is a wildcard, `10.0.0.0/8` a CIDR block.
    pub fn new(text: impl Into<String>, case: CaseRule) -> Self {
        let text = text.into();
        let block = text.contains('/').then(|| text.parse().ok()).flatten();
        let folded = match case {
            CaseRule::Ignore => text.to_lowercase(),
            CaseRule::Exact => text.clone(),
        };
        let wild = text.contains('*');
        Self { text, case, block, folded, wild }
    }

    /// Returns true if the pattern contains a wildcard.
    #[must_use]
    pub fn is_wild(&self) -> bool {
        self.wild
    }

    /// Returns the text that values are compared with, in lowercase if case is ignored.
    pub(crate) fn folded(&self) -> &str {
        &self.folded
    }

    /// Returns true if `value` matches the pattern.
    #[must_use]
    pub fn matches(&self, value: &str) -> bool {
        if let Some(block) = &self.block
            && let Ok(address) = value.parse::<IpAddr>()
            && block.contains(&address)
        {
            return true;
        }
        match (self.case, self.wild) {
            (CaseRule::Exact, false) => value == self.folded,
            (CaseRule::Exact, true) => wildcard_match(&self.folded, value),
            (CaseRule::Ignore, false) => {
                value.eq_ignore_ascii_case(&self.folded)
                    || (!value.is_ascii() && value.to_lowercase() == self.folded)
            }
            (CaseRule::Ignore, true) if value.is_ascii() => {
                matches_by(&self.folded, value, |byte| byte.to_ascii_lowercase())
            }
            (CaseRule::Ignore, true) => wildcard_match(&self.folded, &value.to_lowercase()),
        }
    }
}

/// Returns true if the whole `text` matches `pattern`, in which `*` matches any run of characters.
#[must_use]
pub fn wildcard_match(pattern: &str, text: &str) -> bool {
    matches_by(pattern, text, |byte| byte)
}

/// Works like [`wildcard_match`], applying `folded` to each byte of the text.
fn matches_by(pattern: &str, text: &str, folded: impl Fn(u8) -> u8) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        if p < pattern.len() && pattern[p] == b'*' {
            retry = Some((p + 1, t));
            p += 1;
        } else if p < pattern.len() && pattern[p] == folded(text[t]) {
            p += 1;
            t += 1;
        } else if let Some((after_star, from)) = retry {
            retry = Some((after_star, from + 1));
            p = after_star;
            t = from + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|b| *b == b'*')
}

/// Returns the text that each `*` of `pattern` matches in `text`, or `None` if it does not match.
///
/// Each `*` matches as little text as possible, from left to right.
#[must_use]
pub fn wildcard_capture(pattern: &str, text: &str) -> Option<Vec<String>> {
    let mut pieces = pattern.split('*');
    let mut left = text.strip_prefix(pieces.next()?)?;
    let mut pieces = pieces.peekable();
    if pieces.peek().is_none() {
        return left.is_empty().then(Vec::new);
    }
    let mut captured = Vec::new();
    while let Some(piece) = pieces.next() {
        // The first occurrence of a piece leaves the most text for the pieces after it, so trying
        // another occurrence cannot help; the last piece must end the text.
        let end = match pieces.peek() {
            Some(_) => left.find(piece)?,
            None => left.strip_suffix(piece)?.len(),
        };
        captured.push(left[..end].to_owned());
        left = &left[end + piece.len()..];
    }
    Some(captured)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, value, hit) in [
            ("CreateTask", "createtask", true),
            ("ÉTÉ", "été", true),
            ("kÉ*", "\u{212a}éX", true),
            ("Task", "Tasks", false),
            ("Describe*", "DescribeInstances", true),
            ("*.amazonaws.com", "ec2.amazonaws.com", true),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b", "xxaxxbx", false),
            ("10.10.10.0/24", "10.10.10.77", true),
            ("10.10.10.0/24", "10.10.11.77", false),
            ("2001:db8::/32", "2001:db8::1", true),
            ("1", "1.0", false),
            ("", "", true),
        ] {
            let got = Pattern::new(pattern, CaseRule::Ignore).matches(value);
            assert_eq!(got, hit, "{pattern} {value}");
        }
        assert!(!Pattern::new("Ab*", CaseRule::Exact).matches("abc"));
    }

    #[test]
    fn captures() {
        let capture = |p, t| wildcard_capture(p, t).map(|parts| parts.join("|"));
        assert_eq!(capture("requestParameters.*", "requestParameters.a.b").as_deref(), Some("a.b"));
        assert_eq!(capture("a*_*", "ax_y_z").as_deref(), Some("x|y_z"));
        assert_eq!(capture("a*", "b"), None);
    }
}
