//! Generates sample logs: one day of two AWS accounts as CloudTrail delivers it, including a data
//! theft.
//!
//! All data is fictional, and identical on every run. [`write()`] generates the ordinary events
//! ([`traffic`]) and the planted ones ([`theft`]), packs them into files ([`delivery`]), and
//! describes them in a README that says where to find the planted events ([`readme`]).

mod delivery;
mod random;
mod readme;
mod record;
mod theft;
mod traffic;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use random::Random;
use record::Call;

/// Account of the shop: its applications, their data and their builds.
const SHOP: &str = "111122223333";
/// Account for reports and data pipelines.
const ANALYTICS: &str = "444455556666";
/// Account that does not belong to the organization.
const STRANGER: &str = "123456789012";

const HOME_REGION: &str = "eu-central-1";
const GLOBAL_REGION: &str = "us-east-1";

/// Numbers of the files, events and bytes that were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) files: usize,
    pub(super) events: usize,
    pub(super) bytes: usize,
}

/// The events and notes generated so far.
#[derive(Debug)]
struct Day {
    random: Random,
    events: Vec<Event>,
    notes: Vec<Note>,
}

/// An event with its time and the account and region where it is delivered.
#[derive(Debug)]
struct Event {
    at: u64,
    account: &'static str,
    region: String,
    record: Value,
}

/// An entry of the README about one planted event or group of events.
#[derive(Debug)]
struct Note {
    kind: NoteKind,
    what: String,
    /// Name of the detection that must report the event, or the reason why none does.
    verdict: String,
    /// Index of the event, or of the first event of the group.
    event: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NoteKind {
    Planted,
    Harmless,
}

impl Day {
    fn call(&mut self, call: Call<'_>) {
        let (at, account, region) = (call.at, call.caller.account, call.region.to_owned());
        let record = call.record(&mut self.random);
        self.events.push(Event { at, account, region, record });
    }

    /// Adds a call that the README mentions.
    fn noted(&mut self, call: Call<'_>, kind: NoteKind, what: &str, verdict: &str) {
        let event = self.events.len();
        self.notes.push(Note { kind, what: what.into(), verdict: verdict.into(), event });
        self.call(call);
    }
}

fn make() -> Day {
    let mut day = Day { random: Random::new(20_260_317), events: Vec::new(), notes: Vec::new() };
    traffic::add(&mut day);
    theft::add(&mut day);
    day
}

/// Writes the samples into a folder, after deleting older samples from it.
pub(super) fn write(folder: &Path) -> Result<Written> {
    let mut day = make();
    let text = readme::text(&day);
    let logs = folder.join("AWSLogs");
    if logs.try_exists()? {
        fs::remove_dir_all(&logs).with_context(|| format!("emptying `{}`", logs.display()))?;
    }
    let files = delivery::pack(&mut day)?;
    let mut written = Written { files: files.len(), events: day.events.len(), bytes: 0 };
    for (path, bytes) in files {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        written.bytes += bytes.len();
        fs::write(&path, bytes).with_context(|| format!("writing `{}`", path.display()))?;
    }
    fs::write(folder.join("README.md"), text)?;
    Ok(written)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::io::Read;
    use std::path::PathBuf;

    use super::*;

    /// Returns files by relative path, with decompressed logs: the output of the compressor may
    /// change, but the logs must not.
    fn read(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(next) = folders.pop() {
            for entry in fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let mut bytes = fs::read(&path).unwrap();
                if path.extension().is_some_and(|extension| extension == "gz") {
                    let mut text = Vec::new();
                    flate2::read::GzDecoder::new(&*bytes).read_to_end(&mut text).unwrap();
                    bytes = text;
                }
                files.insert(path.strip_prefix(folder).unwrap().to_owned(), bytes);
            }
        }
        files
    }

    #[test]
    fn the_committed_samples_are_what_the_task_writes() {
        let folder = std::env::temp_dir().join(format!("samples-{}", std::process::id()));
        let written = write(&folder).unwrap();
        let fresh = read(&folder);
        let _ = fs::remove_dir_all(&folder);
        let committed = read(&crate::repository().join("samples"));
        let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&fresh), names(&committed), "run `cargo xtask samples`");
        for (path, bytes) in &fresh {
            assert!(committed[path] == *bytes, "{}: run `cargo xtask samples`", path.display());
        }
        assert!(written.bytes < 600 * 1024, "{} bytes", written.bytes);
    }

    #[test]
    fn events_are_distinct_and_within_the_day() {
        let day = make();
        let ids: BTreeSet<&str> =
            day.events.iter().map(|event| event.record["eventID"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), day.events.len());
        assert!(day.events.len() > 3000);
        assert!(day.events.iter().all(|event| event.at < 86_400));
    }
}
