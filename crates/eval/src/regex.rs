//! Regular expressions compatible with Splunk: PCRE on UTF-8 text, with limits.
//!
//! If matching a value exceeds a limit, the pattern does not match that value. [`given_up`] returns
//! the patterns to which that happened.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use pcre2::bytes::{CaptureLocations, RegexBuilder};
use spilltrail_diagnostic::{Code, Diagnostic, Span};

use super::limits;
use super::patience::{GaveUp, Patience, SHORT, Window};

/// Limits of one match: number of steps, and heap in KiB. For comparison, Splunk's limits for
/// extractions in `limits.conf` are `match_limit` 100000 and `depth_limit` 1000.
const LIMITS: &str = "(*LIMIT_MATCH=1000000)(*LIMIT_HEAP=20000)";
/// Maximum stack size in bytes of JIT-compiled code during one match.
const JIT_STACK: usize = 1 << 20;
/// Maximum number of patterns from data whose compiled form is cached.
const CACHED: usize = 128;
/// Maximum length in bytes of a pattern from data.
const LONGEST: usize = 64 * 1024;

/// Maximum number of patterns that are remembered because they gave up.
const REMEMBERED: usize = 16;

/// The patterns that gave up on values because of a limit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GivenUp {
    /// The first sixteen patterns, each with the number of these values.
    pub patterns: Vec<(String, u64)>,
    /// The number of values on which further patterns gave up.
    pub other_values: u64,
}

impl GivenUp {
    fn add(&mut self, pattern: &str) {
        if let Some((_, values)) = self.patterns.iter_mut().find(|(known, _)| known == pattern) {
            *values += 1;
        } else if self.patterns.len() < REMEMBERED {
            self.patterns.push((pattern.to_owned(), 1));
        } else {
            self.other_values += 1;
        }
    }
}

static GIVEN_UP: Mutex<GivenUp> = Mutex::new(GivenUp { patterns: Vec::new(), other_values: 0 });

/// Returns the patterns that gave up on values in this process because of a limit.
#[must_use]
pub fn given_up() -> GivenUp {
    GIVEN_UP.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Maximum number of values on which a pattern gives up; each takes milliseconds. On further values,
/// it gives up at once.
const PATIENCE: u64 = 1_000;

/// A compiled pattern.
#[derive(Debug, Clone)]
pub struct Regex {
    regex: pcre2::bytes::Regex,
    /// The pattern for long texts.
    window: Arc<Window>,
    /// The number of values on which the pattern gave up.
    given_up: Arc<AtomicU64>,
}

impl Regex {
    /// Compiles a pattern.
    ///
    /// # Errors
    ///
    /// Returns PCRE2's message and the byte offset of the problem in the pattern.
    pub fn new(pattern: &str) -> Result<Self, RegexError> {
        let regex = build(pattern).map_err(|error| RegexError::new(&error, pattern))?;
        Ok(Self { regex, window: Arc::default(), given_up: Arc::default() })
    }

    /// Compiles a pattern that the user wrote at `span`.
    ///
    /// # Errors
    ///
    /// Returns a diagnostic at `span` that contains PCRE2's message.
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
        let Some(window) = self.window(text) else {
            return self.settle(|| self.regex.is_match(text.as_bytes()).ok()).unwrap_or(false);
        };
        let mut locations = window.capture_locations();
        let mut patience = Patience::of(text.len());
        let found = self.settle(|| patience.find(window, &mut locations, text, 0).ok());
        found.flatten().is_some()
    }

    /// Returns the names of the groups, indexed by group number. Group 0 is the whole match.
    #[must_use]
    pub fn group_names(&self) -> &[Option<String>] {
        self.regex.capture_names()
    }

    /// Calls `visit` with each non-overlapping match in `text`, until `visit` returns false.
    pub fn each_match(&self, text: &str, mut visit: impl FnMut(&Captures<'_>) -> bool) {
        let mut locations = self.regex.capture_locations();
        let window = self.window(text);
        let mut patience = Patience::of(text.len());
        let mut find = |locations: &mut CaptureLocations, from: usize| match window {
            Some(window) => patience.find(window, locations, text, from),
            None => match self.regex.captures_read_at(locations, text.as_bytes(), from) {
                Ok(found) => Ok(found.map(|found| (found.start(), found.end()))),
                Err(_) => Err(GaveUp),
            },
        };
        let mut from = 0;
        let mut last_end = None;
        while from <= text.len() {
            let found = self.settle(|| find(&mut locations, from).ok());
            let Some(Some((start, end))) = found else { return };
            // An empty match directly after the previous match is not a match of its own.
            let repeated = start == end && last_end == Some(end);
            if !repeated && !visit(&Captures { text, locations: &locations }) {
                return;
            }
            last_end = Some(end);
            from = if end > from { end } else { next_char(text, from) };
        }
    }

    /// Returns `text` with every match replaced. In `replacement`, `\1` … `\9` are groups, and `\0`
    /// is the whole match. Returns `None` if nothing matched. `function` is the name to report if
    /// the result exceeds the size limit.
    #[must_use]
    pub fn replace_all(
        &self,
        function: &'static str,
        text: &str,
        replacement: &str,
    ) -> Option<String> {
        self.replace_matches(function, text, replacement, 0..usize::MAX)
    }

    /// Replaces only the matches whose 0-based numbers are in `numbers`, otherwise like
    /// [`Regex::replace_all`]. Returns `None` if no match has such a number.
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

    /// Returns the result of a match, or `None` if it met a limit.
    fn settle<T>(&self, matched: impl FnOnce() -> Option<T>) -> Option<T> {
        let is_patient = self.given_up.load(Ordering::Relaxed) < PATIENCE;
        let result = if is_patient { matched() } else { None };
        if result.is_none() {
            self.given_up.fetch_add(1, Ordering::Relaxed);
            give_up(self.pattern());
        }
        result
    }

    /// Returns the pattern for a text that is too long to be searched at once; `None` for other texts,
    /// and for patterns that can only be searched at once.
    fn window(&self, text: &str) -> Option<&pcre2::bytes::Regex> {
        let is_long = text.len() > SHORT;
        is_long.then(|| self.window.get(self.pattern(), |pattern| build(pattern).ok())).flatten()
    }

    fn pattern(&self) -> &str {
        let pattern = self.regex.as_str();
        let pattern = pattern.strip_prefix(LIMITS).unwrap_or(pattern);
        // A pattern of the user may begin in the same way.
        let is_ours = prefix(pattern) == ASCII;
        pattern.strip_prefix(ASCII).filter(|_| is_ours).unwrap_or(pattern)
    }
}

/// Compiles a pattern with limits.
///
/// PCRE checks that a text is UTF-8 before each match, from its start to the end of the text, which takes
/// as long as the square of the text for many matches. With `ucp` it does not; `ASCII` undoes what else
/// that changes.
fn build(pattern: &str) -> Result<pcre2::bytes::Regex, pcre2::Error> {
    let prefix = prefix(pattern);
    RegexBuilder::new()
        .utf(true)
        .ucp(prefix == ASCII)
        .jit_if_available(true)
        .max_jit_stack_size(Some(JIT_STACK))
        .build(&format!("{LIMITS}{prefix}{pattern}"))
}

/// Makes `\d`, `\s`, `\w` and the like mean ASCII characters.
const ASCII: &str = "(?a)";

/// Returns what a pattern begins with, after the limits: [`ASCII`], or nothing for a pattern that begins
/// with options of its own, and for a PCRE before 10.43.
fn prefix(pattern: &str) -> &'static str {
    static IS_KNOWN: LazyLock<bool> = LazyLock::new(|| pcre2::bytes::Regex::new(ASCII).is_ok());
    if *IS_KNOWN && !pattern.starts_with("(*") { ASCII } else { "" }
}

/// The groups of one match.
#[derive(Debug)]
pub struct Captures<'a> {
    text: &'a str,
    locations: &'a CaptureLocations,
}

impl<'a> Captures<'a> {
    /// Returns the text of the group; `None` if the group did not participate in the match.
    #[must_use]
    pub fn get(&self, group: usize) -> Option<&'a str> {
        self.text.get(self.range(group)?)
    }

    /// Returns the byte range of the group; `None` if the group did not participate in the match.
    #[must_use]
    pub fn range(&self, group: usize) -> Option<Range<usize>> {
        let (start, end) = self.locations.get(group)?;
        Some(start..end)
    }
}

/// The error of a pattern that does not compile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}{}", .offset.map(|at| format!(" at character {at}")).unwrap_or_default())]
pub struct RegexError {
    /// PCRE2's message.
    pub message: String,
    /// Byte offset of the problem in the pattern, if known.
    pub offset: Option<usize>,
}

impl RegexError {
    fn new(error: &pcre2::Error, pattern: &str) -> Self {
        let text = error.to_string();
        // "PCRE2: error compiling pattern at offset 4: missing closing parenthesis"
        let message = text.rsplit_once(": ").map_or(text.as_str(), |(_, message)| message);
        let offset =
            error.offset().map(|at| at.saturating_sub(LIMITS.len() + prefix(pattern).len()));
        Self { message: message.to_owned(), offset }
    }
}

/// A bounded cache of compiled patterns that come from data.
#[derive(Debug, Default)]
pub(crate) struct RegexCache {
    compiled: Mutex<HashMap<String, Option<Arc<Regex>>>>,
}

impl RegexCache {
    /// Returns the compiled pattern; `None` if it is invalid or too long.
    pub(crate) fn get(&self, pattern: &str) -> Option<Arc<Regex>> {
        if pattern.len() > LONGEST {
            return None;
        }
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = compiled.get(pattern) {
            return known.clone();
        }
        // Clearing the whole cache is simple and rare: data seldom contains that many patterns.
        if compiled.len() >= CACHED {
            compiled.clear();
        }
        let regex = Regex::new(pattern).ok().map(Arc::new);
        compiled.insert(pattern.to_owned(), regex.clone());
        regex
    }
}

fn give_up(pattern: &str) {
    GIVEN_UP.lock().unwrap_or_else(PoisonError::into_inner).add(pattern);
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
    fn classes_of_characters_are_those_of_ascii() {
        for (pattern, text, is_match) in [
            ("^\\w+$", "abc_1", true),
            ("\\w", "é", false),
            ("\\d", "٣", false),
            ("\\s", "\u{a0}", false),
            ("[[:alpha:]]", "é", false),
            ("a\\b", "aé", true),
            ("\\W", "é", true),
            ("^.$", "é", true),
            ("(?i)É", "é", true),
            ("\\p{L}", "é", true),
            ("(*UCP)\\w", "é", true),
            ("(?a)\\w", "é", false),
        ] {
            assert_eq!(Regex::new(pattern).unwrap().is_match(text), is_match, "{pattern}");
            assert_eq!(Regex::new(pattern).unwrap().pattern(), pattern);
        }
    }

    #[test]
    fn many_matches_in_a_long_text_take_no_more_than_its_length() {
        let text = "é,".repeat(1 << 20);
        let start = std::time::Instant::now();
        let mut matches = 0;
        Regex::new(",").unwrap().each_match(&text, |_| {
            matches += 1;
            true
        });
        assert_eq!(matches, 1 << 20);
        // The square would be half an hour.
        assert!(start.elapsed() < std::time::Duration::from_mins(1), "{:?}", start.elapsed());
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
        for _ in 0..2 {
            assert!(!regex.is_match(&format!("{}b", "a".repeat(40))));
        }
        assert!(given_up().patterns.contains(&("^(a+)+$".to_owned(), 2)));
    }

    #[test]
    fn a_long_text_has_the_same_matches() {
        let text = "ab1 äöü, x-y=7; (z) Zz\n".repeat(400);
        let short = |from: usize| text.get(from..).unwrap_or_default();
        for pattern in [
            "[a-z]+[0-9]",
            "(?i)z+",
            "^ab",
            "(?m)^ab\\d",
            "(?<=ä)ö",
            "x|",
            "\\b",
            "(?<n>x)-(y)",
            "z\\K\\)",
            "(.)\\1",
            "$",
            "ü.*?=",
            "Zz\\n\\z",
            "nothing",
            "(?!a)b",
            "(a)|(z)",
        ] {
            let regex = Regex::new(pattern).unwrap();
            assert!(regex.window(&text).is_some(), "{pattern}");
            let mut found = Vec::new();
            regex.each_match(&text, |groups| {
                found.push(
                    (0..regex.group_names().len()).map(|n| groups.range(n)).collect::<Vec<_>>(),
                );
                true
            });
            // The pattern on its own, match by match.
            let (mut expected, mut from, mut last_end) = (Vec::new(), 0, None);
            let mut locations = regex.regex.capture_locations();
            while let Some(one) = (from <= text.len())
                .then(|| {
                    regex.regex.captures_read_at(&mut locations, text.as_bytes(), from).unwrap()
                })
                .flatten()
            {
                if one.start() != one.end() || last_end != Some(one.end()) {
                    let range = |n| locations.get(n).map(|(start, end)| start..end);
                    expected.push((0..regex.group_names().len()).map(range).collect::<Vec<_>>());
                }
                last_end = Some(one.end());
                from = if one.end() > from {
                    one.end()
                } else {
                    from + short(from).chars().next().map_or(1, char::len_utf8)
                };
            }
            assert_eq!(found, expected, "{pattern}");
            assert_eq!(regex.is_match(&text), !expected.is_empty(), "{pattern}");
        }
    }

    #[test]
    fn patterns_that_pass_over_a_long_text_from_each_start_are_given_up() {
        // The end has what the patterns require, or PCRE looks no further.
        let text = format!("{}cb", "a".repeat(400_000));
        for pattern in ["(?=(a+))\\1+b", "[a-f]+[0-9]", "(?:a|x)++\\d"] {
            let start = std::time::Instant::now();
            assert!(!Regex::new(pattern).unwrap().is_match(&text));
            assert!(given_up().patterns.iter().any(|(one, _)| one == pattern), "{pattern}");
            assert!(start.elapsed() < std::time::Duration::from_secs(20), "{:?}", start.elapsed());
        }
        // A pattern that passes over the text once is not.
        let regex = Regex::new("(?<first>a).*(?<last>b)$").unwrap();
        assert!(regex.is_match(&format!("{}b", "a".repeat(1_000_000))));
        assert!(Regex::new("x").unwrap().replace_all("replace", &text, "y").is_none());
        assert!(given_up().patterns.iter().all(|(one, _)| one != "x" && !one.contains("first")));
    }

    #[test]
    fn patterns_beyond_those_remembered_are_counted() {
        let mut given_up = GivenUp::default();
        for number in 0..=REMEMBERED {
            given_up.add(&format!("a{number}"));
            given_up.add(&format!("a{number}"));
        }
        assert_eq!((given_up.patterns.len(), given_up.other_values), (REMEMBERED, 2));
        assert!(given_up.patterns.iter().all(|(_, values)| *values == 2));
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
