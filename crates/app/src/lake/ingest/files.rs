//! What is known of files whose events are in the lake, and by what they are told apart.

use std::hash::Hasher;

use serde::{Deserialize, Serialize};
use spilltrail_source::LogFile;
use twox_hash::XxHash64;

/// What is known of a file of which events are in the lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Known {
    /// The number of its events that are in the lake, from its beginning.
    pub(super) events: u64,
    /// A hash of these events; `None` in a mark of an older version, which had another one.
    pub(super) xxh64: Option<u64>,
    /// What it was when all of them were. `None` if the ingestion was ended before, or if not all of the
    /// file could be read.
    pub(super) whole: Option<Stamp>,
}

/// By what a file is told from what it was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    /// The size in bytes.
    pub(crate) size: u64,
    /// When it was written last, in microseconds since the epoch, if that is known.
    pub(crate) modified: Option<i64>,
}

impl Stamp {
    pub(super) fn of(file: &LogFile) -> Self {
        Self { size: file.size, modified: file.modified() }
    }
}

impl Known {
    /// Returns true if all of a file is in the lake, and it has not changed since.
    pub(super) fn is_whole(&self, stamp: Stamp) -> bool {
        self.whole == Some(stamp)
    }
}

/// A file that is to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Coming {
    /// The place among the logs.
    pub(super) index: usize,
    pub(super) known: Known,
    /// What it was before it was read.
    pub(super) stamp: Stamp,
}

/// Returns the key of the mark of a file: its whole path, so that the same name in another folder is
/// another file.
pub(super) fn key(file: &LogFile) -> String {
    let path = file.path().and_then(|path| std::path::absolute(path).ok());
    match path.as_deref().map(|path| (path.to_str(), path.as_os_str().as_encoded_bytes())) {
        Some((Some(text), _)) => format!("file {text}"),
        Some((None, bytes)) => {
            let escaped = percent_encoding::percent_encode(bytes, percent_encoding::CONTROLS);
            format!("file%{escaped}")
        }
        None => format!("object {}", file.name),
    }
}

/// How far a file is read.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The number of its events so far.
    pub(super) events: u64,
    /// The hash of these events.
    hasher: XxHash64,
    /// The number of them that are to be stored.
    pub(super) added: u64,
    /// Whether one of them cannot be stored.
    pub(super) has_too_long: bool,
    /// Whether its first events are not those that are in the lake.
    pub(super) is_changed: bool,
}

impl Progress {
    /// Takes the next event. Returns true if it is new: not among those that are in the lake, nor in a file
    /// that must be read anew.
    pub(super) fn see(&mut self, text: &str, known: Known) -> bool {
        self.compare(known);
        self.events += 1;
        self.hasher.write(&(text.len() as u64).to_le_bytes());
        self.hasher.write(text.as_bytes());
        self.events > known.events && !self.is_changed
    }

    /// Compares its events so far with those that are in the lake, once it has as many.
    pub(super) fn compare(&mut self, known: Known) {
        if known.events > 0 && self.events == known.events {
            self.is_changed |= known.xxh64.is_some_and(|hash| hash != self.hash());
        }
    }

    pub(super) fn hash(&self) -> u64 {
        self.hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(events: &[&str], is_older: bool) -> Known {
        let mut progress = Progress::default();
        for text in events {
            progress.see(text, Known::default());
        }
        let xxh64 = (!is_older).then(|| progress.hash());
        Known { events: progress.events, xxh64, whole: None }
    }

    /// What is new in a file, and whether it is another one than before.
    #[test]
    fn a_file_goes_on_behind_what_is_known_of_it() {
        for (known_events, is_older, file, new, is_changed) in [
            (&[][..], false, &["a", "b"][..], &["a", "b"][..], false),
            (&["a"], false, &["a", "b"], &["b"], false),
            (&["a", "b"], false, &["a", "b"], &[], false),
            (&["a"], false, &["c", "b"], &[], true),
            (&["a", "b"], false, &["a", "c"], &[], true),
            // Where one event ends and the next begins counts.
            (&["ab", "c"], false, &["a", "bc", "d"], &[], true),
            // A mark with another hash says how many there are.
            (&["a"], true, &["c", "b"], &["b"], false),
            (&["a", "b"], false, &["a"], &[], false),
        ] {
            let known = known(known_events, is_older);
            let mut progress = Progress::default();
            let found: Vec<_> =
                file.iter().copied().filter(|text| progress.see(text, known)).collect();
            progress.compare(known);
            assert_eq!((&found[..], progress.is_changed), (new, is_changed), "{file:?}");
        }
    }

    #[test]
    fn marks_of_an_older_version_still_say_what_is_whole() {
        let stamp = Stamp { size: 5, modified: Some(7) };
        let mark = r#"{"events":3,"hash":9,"whole":{"size":5,"modified":7}}"#;
        let known: Known = serde_json::from_str(mark).unwrap();
        assert_eq!(known, Known { events: 3, xxh64: None, whole: Some(stamp) });
        assert!(known.is_whole(stamp) && !known.is_whole(Stamp { size: 6, ..stamp }));
    }
}
