//! What a lake lacks because its input could not be read: the events of a damaged file that are not in it.
//!
//! Whoever ingests is told once. Whoever searches the lake afterwards, maybe somebody else, must know, too:
//! without that, nothing found would look like nothing there. A file in the folder of the lake says it until
//! the input is read as a whole.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::unread::{Unread, UnreadKind};
use crate::whole_file;

/// The name of the file.
pub(crate) const FILE: &str = "damaged-inputs.json";

/// The inputs that were read in part, or not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Damages {
    /// The reasons, by the name of the input.
    inputs: BTreeMap<String, Vec<String>>,
}

impl Damages {
    /// Reads what a lake knows. What cannot be read is itself a damage.
    pub(super) fn of(lake: &Path) -> Self {
        let path = lake.join(FILE);
        let read = fs::read(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => None,
            _ => Some(error.to_string()),
        });
        let known = read.and_then(|text| {
            serde_json::from_slice(&text).map_err(|error| Some(error.to_string()))
        });
        known.unwrap_or_else(|reason| {
            let inputs = reason.map(|reason| (path.display().to_string(), vec![reason]));
            Self { inputs: inputs.into_iter().collect() }
        })
    }

    /// Takes note of an ingestion: `looked_at` has the inputs that it looked at, each by the name in `unread` and
    /// by a key that no other input has. Those that are unread now have damages, and others have none any more.
    /// What was named and is not there is no damage: no event is known to be missing.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub(super) fn note(
        lake: &Path,
        looked_at: &[(String, String)],
        unread: &[Unread],
    ) -> io::Result<()> {
        let before = Self::of(lake);
        let mut now = before.clone();
        for (_, key) in looked_at {
            now.inputs.remove(key);
        }
        let is_damage =
            |one: &&Unread| matches!(one.kind, UnreadKind::Damaged | UnreadKind::NotFound);
        let by_name: BTreeMap<&str, &str> =
            looked_at.iter().map(|(name, key)| (name.as_str(), key.as_str())).collect();
        for one in unread.iter().filter(is_damage) {
            if let Some(key) = by_name.get(one.name.as_str()) {
                now.inputs.insert((*key).to_owned(), one.reasons.clone());
            }
        }
        if now == before {
            return Ok(());
        }
        let path: PathBuf = lake.join(FILE);
        if now == Self::default() {
            return fs::remove_file(path);
        }
        whole_file::replace(&path, |file| Ok(serde_json::to_writer_pretty(file, &now)?))
    }

    /// Returns what is to be told: the name of each input, with the reason.
    pub(super) fn told(self) -> impl Iterator<Item = (String, String)> {
        self.inputs.into_iter().map(|(name, reasons)| {
            let reason = format!("when it was ingested: {}", reasons.join("; "));
            (name, reason)
        })
    }
}

/// Returns the inputs that were damaged when they came into a lake, each with the reason.
#[must_use]
pub fn damaged_inputs(lake: &Path) -> Vec<(String, String)> {
    Damages::of(lake).told().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damage_is_told_until_its_input_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let lake = folder.path();
        let damaged = |name: &str| Unread {
            name: name.to_owned(),
            kind: UnreadKind::Damaged,
            reasons: vec!["it ends early".to_owned()],
            more: 0,
        };
        let told = || -> Vec<String> { Damages::of(lake).told().map(|(name, _)| name).collect() };
        let named = |names: &[&str]| -> Vec<(String, String)> {
            names.iter().map(|name| ((*name).to_owned(), format!("/{name}"))).collect()
        };
        let note =
            |names: &[&str], unread: &[Unread]| Damages::note(lake, &named(names), unread).unwrap();
        let foreign = Unread { kind: UnreadKind::Foreign, ..damaged("notes.txt") };
        let absent = Unread { kind: UnreadKind::NotFound, ..damaged("late/*.json") };
        note(&["a", "b", "c", "notes.txt"], &[damaged("a"), damaged("b"), foreign, absent]);
        assert_eq!(told(), ["/a", "/b"]);
        // Another ingestion says nothing of them, and one that reads them whole does.
        note(&["c"], &[]);
        assert_eq!(told(), ["/a", "/b"]);
        note(&["a", "b"], &[damaged("b")]);
        assert_eq!(told(), ["/b"]);
        note(&["b"], &[]);
        assert_eq!((told().len(), lake.join(FILE).is_file()), (0, false));
        fs::write(lake.join(FILE), "{").unwrap();
        assert!(told()[0].ends_with(FILE), "{:?}", told());
    }
}
