//! Regular expressions as Splunk has them: PCRE over UTF-8, with limits.
//!
//! A pattern that needs more steps on a value than the limit allows does not match that value;
//! [`exceeded`] counts how often that happened.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pcre2::bytes::{CaptureLocations, RegexBuilder};
use spilltrail_diagnostic::{Code, Diagnostic, Span};

use super::limits;

/// How many steps and how much heap (KiB) one match may take; Splunk's own limits in limits.conf
/// are `match_limit` 100000 and `depth_limit` 1000 for extractions.
const LIMITS: &str = "(*LIMIT_MATCH=1000000)(*LIMIT_HEAP=20000)";
/// How much stack compiled code may use for one match.
const JIT_STACK: usize = 1 << 20;
/// How many patterns that come from data are kept compiled.
const CACHED: usize = 128;
/// Longest pattern taken from data.
const LONGEST: usize = 64 * 1024;

static EXCEEDED: AtomicU64 = AtomicU64::new(0);

/// Returns how many matches of this process were given up because of the limits.
#[must_use]
pub fn exceeded() -> u64 {
    EXCEEDED.load(Ordering::Relaxed)
}

/// A compiled pattern.
#[derive(Debug, Clone)]
pub struct Regex {
    regex: pcre2::bytes::Regex,
}

impl Regex {
    /// Compiles a pattern.
    ///
    /// # Errors
    ///
    /// Returns what PCRE2 says about the pattern, and the byte of the pattern where it stopped.
    pub fn new(pattern: &str) -> Result<Self, RegexError> {
        let limited = format!("{LIMITS}{pattern}");
        let regex = RegexBuilder::new()
            .utf(true)
            .jit_if_available(true)
            .max_jit_stack_size(Some(JIT_STACK))
            .build(&limited)
            .map_err(|error| RegexError::new(&error))?;
        Ok(Self { regex })
    }

    /// Compiles a pattern that the user wrote at `span`.
    ///
    /// # Errors
    ///
    /// Returns a diagnostic at `span` with PCRE2's own words.
    pub fn compile(pattern: &str, span: Span) -> Result<Self, Diagnostic> {
        Self::new(pattern).map_err(|error| {
            Diagnostic::error(Code::BAD_REGEX, format!("invalid regular expression `{pattern}`"))
                .label(span, error.to_string())
                .help("PCRE2 syntax is expected; a literal backslash is written `\\\\\\\\` in SPL")
        })
    }

    /// Returns true if the pattern matches somewhere in `text`.
    #[must_use]
    pub fn is_match(&self, text: &str) -> bool {
        settle(self.regex.is_match(text.as_bytes())).unwrap_or(false)
    }

    /// Returns the names of the groups by number; group 0 is the whole match.
    #[must_use]
    pub fn group_names(&self) -> &[Option<String>] {
        self.regex.capture_names()
    }

    /// Calls `visit` with each match in `text` that does not overlap the one before, until it
    /// returns false.
    pub fn each_match(&self, text: &str, mut visit: impl FnMut(&Captures<'_>) -> bool) {
        let mut locations = self.regex.capture_locations();
        let mut from = 0;
        let mut last_end = None;
        while from <= text.len() {
            let found = self.regex.captures_read_at(&mut locations, text.as_bytes(), from);
            let Some(Some(found)) = settle(found) else { return };
            let (start, end) = (found.start(), found.end());
            // An empty match right behind the last match is not a new one.
            let repeated = start == end && last_end == Some(end);
            if !repeated && !visit(&Captures { text, locations: &locations }) {
                return;
            }
            last_end = Some(end);
            from = if end > from { end } else { next_char(text, from) };
        }
    }

    /// Returns `text` with every match replaced; `\1` … `\9` in `replacement` are groups, `\0` the
    /// whole match. `None` if nothing matched, or `function` may not make what it would become.
    #[must_use]
    pub fn replace_all(
        &self,
        function: &'static str,
        text: &str,
        replacement: &str,
    ) -> Option<String> {
        self.replace_matches(function, text, replacement, 0..usize::MAX)
    }

    /// Replaces, as [`Regex::replace_all`] does, the matches whose numbers, counted from 0, are in
    /// `numbers`. `None` if there is no such match, too.
    #[must_use]
    pub fn replace_matches(
        &self,
        function: &'static str,
        text: &str,
        replacement: &str,
        numbers: Range<usize>,
    ) -> Option<String> {
        let mut replaced = String::new();
        let mut copied = None;
        let mut number = 0;
        self.each_match(text, |groups| {
            let Some(whole) = groups.range(0) else { return false };
            if numbers.contains(&number) {
                replaced.push_str(text.get(copied.unwrap_or(0)..whole.start).unwrap_or_default());
                expand(replacement, groups, &mut replaced);
                copied = Some(whole.end);
            }
            number += 1;
            number < numbers.end && limits::allows(function, replaced.len())
        });
        replaced.push_str(text.get(copied?..).unwrap_or_default());
        Some(replaced)
    }
}

/// The groups of one match.
#[derive(Debug)]
pub struct Captures<'a> {
    text: &'a str,
    locations: &'a CaptureLocations,
}

impl<'a> Captures<'a> {
    /// Returns the text of the group, if it took part in the match.
    #[must_use]
    pub fn get(&self, group: usize) -> Option<&'a str> {
        self.text.get(self.range(group)?)
    }

    /// Returns where the group matched, if it took part in the match.
    #[must_use]
    pub fn range(&self, group: usize) -> Option<Range<usize>> {
        let (start, end) = self.locations.get(group)?;
        Some(start..end)
    }
}

/// Why a pattern was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}{}", .offset.map(|at| format!(" at character {at}")).unwrap_or_default())]
pub struct RegexError {
    /// PCRE2's message.
    pub message: String,
    /// Byte of the pattern.
    pub offset: Option<usize>,
}

impl RegexError {
    fn new(error: &pcre2::Error) -> Self {
        let text = error.to_string();
        // "PCRE2: error compiling pattern at offset 4: missing closing parenthesis"
        let message = text.rsplit_once(": ").map_or(text.as_str(), |(_, message)| message);
        let offset = error.offset().map(|at| at.saturating_sub(LIMITS.len()));
        Self { message: message.to_owned(), offset }
    }
}

/// A bounded store of compiled patterns that come from data.
#[derive(Debug, Default)]
pub(crate) struct RegexCache {
    compiled: Mutex<HashMap<String, Option<Arc<Regex>>>>,
}

impl RegexCache {
    /// Returns the compiled pattern, or none if it is invalid or overlong.
    pub(crate) fn get(&self, pattern: &str) -> Option<Arc<Regex>> {
        if pattern.len() > LONGEST {
            return None;
        }
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = compiled.get(pattern) {
            return known.clone();
        }
        // Forgetting everything is cheap and rare: data seldom holds that many patterns.
        if compiled.len() >= CACHED {
            compiled.clear();
        }
        let regex = Regex::new(pattern).ok().map(Arc::new);
        compiled.insert(pattern.to_owned(), regex.clone());
        regex
    }
}

fn settle<T>(result: Result<T, pcre2::Error>) -> Option<T> {
    if result.is_err() {
        EXCEEDED.fetch_add(1, Ordering::Relaxed);
    }
    result.ok()
}

fn next_char(text: &str, at: usize) -> usize {
    text.get(at..).and_then(|rest| rest.chars().next()).map_or(at + 1, |c| at + c.len_utf8())
}

fn expand(replacement: &str, groups: &Captures<'_>, out: &mut String) {
    let mut chars = replacement.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.peek().copied() {
            Some(digit @ '0'..='9') => {
                chars.next();
                let group = digit as usize - '0' as usize;
                out.push_str(groups.get(group).unwrap_or_default());
            }
            Some('\\') => {
                chars.next();
                out.push('\\');
            }
            _ => out.push('\\'),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replacement() {
        for (text, pattern, with, result) in [
            ("a-b", "(a)-(b)", r"\2-\1", Some("b-a")),
            ("aaa", "a", "", Some("")),
            ("abc", "x", "y", None),
            ("äb", "", ".", Some(".ä.b.")),
            ("a/b", "/", r"\\", Some(r"a\b")),
            ("ab", "(x)?b", r"[\1]", Some("a[]")),
        ] {
            let got = Regex::new(pattern).unwrap().replace_all("replace", text, with);
            assert_eq!(got.as_deref(), result, "{text} {pattern}");
        }
    }

    #[test]
    fn a_bad_pattern_says_where() {
        let error = Regex::new("ab(c").unwrap_err();
        assert_eq!(error.offset, Some(4));
        assert!(error.message.contains("parenthes"), "{error}");
    }

    #[test]
    fn limits_end_catastrophes() {
        let regex = Regex::new("^(a+)+$").unwrap();
        let before = exceeded();
        assert!(!regex.is_match(&format!("{}b", "a".repeat(40))));
        assert!(exceeded() > before);
    }

    #[test]
    fn cache_is_bounded() {
        let cache = RegexCache::default();
        for number in 0..3 * CACHED {
            assert!(cache.get(&format!("a{number}")).is_some());
        }
        assert!(cache.get("(").is_none());
        assert!(cache.compiled.lock().unwrap().len() <= CACHED);
    }
}
