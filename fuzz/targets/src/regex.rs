//! Compiles a regular expression, and matches and replaces with it: a pattern, a replacement and a
//! text, each on a line.

use spilltrail_eval::regex::Regex;

use crate::{halves, text};

/// The longest text, so that a run is fast; a pattern's work is bounded by steps and not by time.
const LONGEST: usize = 4096;

pub(crate) fn run(data: &[u8]) {
    let text = text(data.get(..LONGEST).unwrap_or(data));
    let (pattern, rest) = halves(&text, "\n");
    let (replacement, value) = halves(rest, "\n");
    let regex = match Regex::new(pattern) {
        Ok(regex) => regex,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    matches(&regex, value);
    let _ = regex.replace_all("replace", value, replacement);
    // Long texts are searched in another way.
    if !value.is_empty() {
        matches(&regex, &value.repeat(LONGEST * 2 / value.len() + 1));
    }
}

fn matches(regex: &Regex, value: &str) {
    let _ = regex.is_match(value);
    let mut matches = 0;
    regex.each_match(value, |found| {
        for group in 0..regex.group_names().len() {
            if let Some(range) = found.range(group) {
                assert_eq!(found.get(group), value.get(range));
            }
        }
        matches += 1;
        true
    });
    assert!(matches <= value.len() + 1, "{matches} matches");
}
