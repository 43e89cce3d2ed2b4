//! Finds matches in long texts a few starts at a time, so that a pattern that takes too long can be
//! given up.
//!
//! PCRE's own limit counts how often a match goes back, but not the characters that it passes over. A
//! pattern such as `[a-z]+[0-9]` passes over the rest of the text at each start, which is a second for a
//! text of 50 kB and a day for one of 16 MB.

use std::sync::OnceLock;
use std::time::Duration;

use cpu_time::ThreadTime;
use pcre2::bytes::{CaptureLocations, Regex};

/// Length in bytes up to which a text is searched at once: passing over it from each start takes
/// milliseconds.
pub(crate) const SHORT: usize = 4 << 10;

/// Characters at which a match may start in one call of PCRE.
const STARTS: usize = 64;

/// One in so many calls of PCRE is timed, and counts for all of them.
const SAMPLE: u32 = 16;

/// Processor time that a pattern may take on one text, and in addition for each of its bytes. A pattern
/// that passes over a text once takes a small part of the latter.
const TIME: Duration = Duration::from_millis(100);
const TIME_PER_BYTE: Duration = Duration::from_nanos(200);

/// Processor time that each match adds: many matches in a long text take a call each, however simple the
/// pattern is.
const TIME_PER_MATCH: Duration = Duration::from_micros(5);

/// What no window can be put around: verbs count for the whole match, as do `\G` and recursion, and a
/// comment would hide the end.
const WHOLE: &[&str] = &["(*", "\\G", "(?R", "(?0", "(?+", "(?-", "(?#", "#"];

/// A pattern that matches only at the next starts.
#[derive(Debug, Default)]
pub(crate) struct Window(OnceLock<Option<Regex>>);

impl Window {
    /// Returns the pattern that matches what `pattern` matches at one of the next starts; `None` if there
    /// is none. `build` compiles.
    pub(crate) fn get(
        &self,
        pattern: &str,
        build: impl FnOnce(&str) -> Option<Regex>,
    ) -> Option<&Regex> {
        let compile = || {
            let is_whole = WHOLE.iter().any(|part| pattern.contains(part));
            let last = STARTS - 1;
            let window = format!("\\G(?s:.{{0,{last}}}?)\\K(?:{pattern})");
            if is_whole { None } else { build(&window) }
        };
        self.0.get_or_init(compile).as_ref()
    }
}

/// The processor time that is left for one text.
#[derive(Debug)]
pub(crate) struct Patience {
    left: Duration,
    calls: u32,
}

impl Patience {
    /// Returns the time for a text of this length.
    pub(crate) fn of(length: usize) -> Self {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        Self { left: TIME.saturating_add(TIME_PER_BYTE.saturating_mul(length)), calls: 0 }
    }

    /// Finds the next match from `from` on and writes its groups into `locations`; fails if the pattern
    /// meets a limit or the time is up.
    pub(crate) fn find(
        &mut self,
        window: &Regex,
        locations: &mut CaptureLocations,
        text: &str,
        from: usize,
    ) -> Result<Option<(usize, usize)>, GaveUp> {
        let mut at = from;
        loop {
            let found = self.timed(|| window.captures_read_at(locations, text.as_bytes(), at))?;
            if let Some(found) = found.map_err(|_| GaveUp)? {
                self.left = self.left.saturating_add(TIME_PER_MATCH);
                return Ok(Some((found.start(), found.end())));
            }
            let rest = text.get(at..).unwrap_or_default();
            let Some((next, _)) = rest.char_indices().nth(STARTS) else { return Ok(None) };
            at += next;
        }
    }

    /// Makes a call, whose time may be counted.
    fn timed<T>(&mut self, call: impl FnOnce() -> T) -> Result<T, GaveUp> {
        self.calls = self.calls.wrapping_add(1);
        if !self.calls.is_multiple_of(SAMPLE) {
            return Ok(call());
        }
        let start = ThreadTime::now();
        let result = call();
        self.left = self.left.checked_sub(start.elapsed() * SAMPLE).ok_or(GaveUp)?;
        Ok(result)
    }
}

/// A pattern met a limit.
#[derive(Debug)]
pub(crate) struct GaveUp;
