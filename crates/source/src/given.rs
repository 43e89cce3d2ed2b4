//! What became of each name that the user gave for logs: a folder without any file, or without any
//! event, must not pass for logs in which nothing was found.

use std::ops::Range;
use std::sync::Arc;

use crate::bits::Bits;
use crate::named::NamedFiles;

/// Number of names that a message lists.
const NAMED: usize = 3;

/// A name that the user gave, with the files that were listed for it.
#[derive(Debug)]
pub(crate) struct Given {
    pub(crate) name: Arc<str>,
    /// The indexes of its files.
    pub(crate) files: Range<usize>,
    /// Whether it is the name of one file, about which the report of the file says all.
    pub(crate) is_file: bool,
    /// Whether it has files that are not among these: they are ruled out by their paths, belong to
    /// another name too, or could not be listed.
    pub(crate) has_more: bool,
}

/// What was found in the files so far, by index.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) read: Bits,
    /// Files with events, or with damage where events may be.
    pub(crate) with_events: Bits,
    /// Files that may have events in the time range of the run.
    pub(crate) in_range: Bits,
}

/// A folder, pattern or prefix that the user named, and that gave no event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Eventless {
    /// The name that the user gave.
    pub name: Arc<str>,
    /// Number of its files, all of which were read.
    pub files: u64,
}

impl Found {
    /// Returns the folders, patterns and prefixes that gave no event.
    pub(crate) fn eventless(&self, given: &[Given]) -> Vec<Eventless> {
        let is_eventless = |given: &&Given| {
            !given.is_file
                && !given.has_more
                && given
                    .files
                    .clone()
                    .all(|index| self.read.has(index) && !self.with_events.has(index))
        };
        let eventless = given.iter().filter(is_eventless);
        eventless
            .map(|given| Eventless { name: given.name.clone(), files: given.files.len() as u64 })
            .collect()
    }

    /// Returns the names that gave events, and none in the time range of the run.
    pub(crate) fn beside_range(&self, given: &[Given]) -> NamedFiles {
        let is_beside = |given: &&Given| {
            !given.has_more
                && given.files.clone().any(|index| self.with_events.has(index))
                && given
                    .files
                    .clone()
                    .all(|index| self.read.has(index) && !self.in_range.has(index))
        };
        let mut names: Vec<Arc<str>> =
            given.iter().filter(is_beside).map(|given| given.name.clone()).collect();
        let more = names.len().saturating_sub(NAMED) as u64;
        names.truncate(NAMED);
        NamedFiles { names, more }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged_once_all_of_their_files_are_read() {
        let given = |name: &str, files, is_file, has_more| Given {
            name: name.into(),
            files,
            is_file,
            has_more,
        };
        let all = [
            given("empty", 0..0, false, false),
            given("none", 0..2, false, false),
            given("some", 2..4, false, false),
            given("file", 4..5, true, false),
            given("unread", 5..7, false, false),
            given("partly", 7..8, false, true),
            given("late", 8..9, false, false),
        ];
        let mut found = Found::default();
        [0, 1, 2, 3, 4, 5, 7, 8].into_iter().for_each(|index| found.read.add(index));
        [3, 8].into_iter().for_each(|index| found.with_events.add(index));
        found.in_range.add(3);
        let eventless: Vec<(String, u64)> = found
            .eventless(&all)
            .into_iter()
            .map(|eventless| (eventless.name.to_string(), eventless.files))
            .collect();
        assert_eq!(eventless, [("empty".to_owned(), 0), ("none".to_owned(), 2)]);
        assert_eq!(found.beside_range(&all).to_string(), "late");
    }
}
