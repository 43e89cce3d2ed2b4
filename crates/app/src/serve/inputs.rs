//! Brings logs in that appear in folders and buckets: each is listed again and again, and what is new
//! comes in once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use spilltrail_event::TimeBounds;
use spilltrail_source::{Duplicates, S3Options, Wanted};

use super::events::ServeEvent;
use super::runner::Runner;
use super::trouble::Trouble;
use crate::error::AppError;
use crate::lake::{IngestOptions, Ingested, Stamp, ingest_into};
use crate::options::ReadOptions;
use crate::unread::{Unread, UnreadKind};

/// Logs that are looked at again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputOptions {
    /// The name by which people know it.
    pub name: String,
    /// Logs, named as for a hunt. What comes out of a pipe cannot be looked at again.
    pub logs: Vec<String>,
    /// The address of a queue of SQS that tells of new objects, in place of looking at logs.
    pub queue: Option<String>,
    /// The index of the events.
    pub index: String,
    /// The sourcetype of all events; recognized from the logs if `None`.
    pub sourcetype: Option<String>,
    /// How long after the end of one look the next one begins.
    pub every: Duration,
    /// How many days back files are looked for whose names say when they were delivered; `None` for all.
    pub days: Option<u32>,
    /// Whether the second copy of an event that was delivered twice is left out, of the files of one look.
    pub dedup: bool,
    /// Profile, region and endpoint for reading from S3.
    pub s3: S3Options,
}

const DAY: f64 = 86_400.0;

/// How long after a file was read in part it is read again, if it has not changed, for the first time. Each
/// time after that is twice as long, up to [`LONGEST_PARTLY`].
const FIRST_PARTLY: Duration = Duration::from_mins(2);
const LONGEST_PARTLY: Duration = Duration::from_hours(6);

/// Looks at an input until the server stops.
pub(super) async fn follow(runner: Arc<Runner>, input: InputOptions) {
    let mut trouble = Trouble::new(runner.sink.clone(), "inputs", &input.name);
    let mut partly = Partly::default();
    let (mut told, mut told_old, mut skipped) = (Vec::new(), false, Skipped::default());
    loop {
        match look(&runner, &input, &partly.left(Instant::now())).await {
            Err(AppError::Cancelled(_)) => return,
            Err(error) => trouble.failed(&error),
            Ok(done) => {
                partly.see(done.partly, Instant::now());
                match done.unread.iter().find(|unread| unread.kind == UnreadKind::NotFound) {
                    Some(missing) => trouble.failed(&reason(missing)),
                    None => trouble.works(),
                }
                // Logs from before the days that are looked at stay outside, which is told once.
                let old = done.unread.iter().filter(|unread| !told_old && is_too_old(unread));
                let old: Vec<_> = old.map(reason).collect();
                told_old |= !old.is_empty();
                for old in old {
                    let what = format!("{}: {old}; `days` looks farther back", input.name);
                    runner.sink.event(ServeEvent::Warning { part: "inputs", what: &what });
                }
                if let Some(what) = skipped.see(&done.unread) {
                    let what = format!("{}: {what}", input.name);
                    runner.sink.event(ServeEvent::Warning { part: "inputs", what: &what });
                }
                let damaged =
                    done.unread.iter().filter(|unread| unread.kind == UnreadKind::Damaged);
                let damaged: Vec<_> = damaged.map(reason).collect();
                for what in damaged.iter().filter(|what| !told.contains(*what)) {
                    let what = format!("{}: {what}", input.name);
                    runner.sink.event(ServeEvent::Warning { part: "inputs", what: &what });
                }
                // Files that wait are not read, and so nothing is said of them.
                if !damaged.is_empty() {
                    told = damaged;
                }
            }
        }
        tokio::select! {
            () = runner.cancel.cancelled() => return,
            () = tokio::time::sleep(input.every) => {}
        }
    }
}

/// The most names of what was skipped that are remembered; after that, the first of each look is told.
const MOST_SKIPPED: usize = 10_000;

/// The names of what was skipped because it has no event, so that each is told once.
#[derive(Debug, Default)]
struct Skipped(BTreeSet<String>);

impl Skipped {
    /// Returns what to tell of a look, if it skipped what no look before did.
    fn see(&mut self, unread: &[Unread]) -> Option<String> {
        let is_skipped = |unread: &&Unread| {
            use UnreadKind::{Foreign, ForeignEntries, NoLog, UntimedRows};
            matches!(unread.kind, Foreign | ForeignEntries | NoLog | UntimedRows)
        };
        if self.0.len() >= MOST_SKIPPED {
            self.0.clear();
        }
        let new: Vec<&Unread> = unread
            .iter()
            .filter(is_skipped)
            .filter(|unread| self.0.insert(unread.name.clone()))
            .collect();
        let first = reason(new.first()?);
        let more: u64 = new.iter().map(|unread| unread.more).sum::<u64>() + new.len() as u64 - 1;
        Some(match more {
            0 => first,
            more => format!("{first}; and {more} more have no event"),
        })
    }
}

/// Returns true if logs were left out because they are too old.
fn is_too_old(unread: &Unread) -> bool {
    matches!(unread.kind, UnreadKind::ByPath | UnreadKind::OutOfRange)
}

/// Returns what is wrong with something that was not read, or only in part.
pub(super) fn reason(unread: &Unread) -> String {
    format!("{}: {}", unread.name, unread.reasons.join("; "))
}

/// The files of which only a part can be read, so that they are not read anew at each look.
#[derive(Debug, Default)]
struct Partly(BTreeMap<String, Waiting>);

/// When a file is read again, unless it changes before.
#[derive(Debug)]
struct Waiting {
    stamp: Stamp,
    wait: Duration,
    until: Instant,
}

impl Partly {
    /// Returns the files that are left out now.
    fn left(&self, now: Instant) -> BTreeMap<String, Stamp> {
        let waits = self.0.iter().filter(|(_, waiting)| waiting.until > now);
        waits.map(|(name, waiting)| (name.clone(), waiting.stamp)).collect()
    }

    /// Takes note of the files that were read in part.
    fn see(&mut self, files: Vec<(String, Stamp)>, now: Instant) {
        // Those that waited long enough were read again: whole, or they are among `files`.
        let mut before = std::mem::take(&mut self.0);
        for (name, stamp) in files {
            let known = before.remove(&name).filter(|waiting| waiting.stamp == stamp);
            let wait = known.map_or(FIRST_PARTLY, |waiting| (waiting.wait * 2).min(LONGEST_PARTLY));
            self.0.insert(name, Waiting { stamp, wait, until: now + wait });
        }
        self.0.extend(before.into_iter().filter(|(_, waiting)| waiting.until > now));
    }
}

/// Brings in what is new, apart from files that have not changed and are to be left out.
pub(super) async fn look(
    runner: &Runner,
    input: &InputOptions,
    left: &BTreeMap<String, Stamp>,
) -> Result<Ingested, AppError> {
    let earliest = input.days.map(|days| super::now().0 as f64 - f64::from(days) * DAY);
    let options = IngestOptions {
        logs: input.logs.clone(),
        lake: runner.folder.path().to_owned(),
        index: input.index.clone(),
        read: ReadOptions {
            sourcetype: input.sourcetype.clone(),
            duplicates: if input.dedup { Duplicates::Drop } else { Duplicates::Keep },
            threads: runner.options.threads,
            s3: input.s3.clone(),
            ..ReadOptions::default()
        },
        wanted: Wanted::in_time(TimeBounds { earliest, latest: None }),
        cancel: runner.cancel.clone(),
    };
    let done = match ingest_into(&options, runner.wal.clone(), left).await {
        Ok(done) => done,
        // A folder or a prefix without logs is one to which none was delivered yet.
        Err(AppError::NoLogs { unread }) => Ingested { unread, ..Ingested::default() },
        Err(error) => return Err(error),
    };
    let (events, files) = (done.events, done.files);
    runner.sink.event(ServeEvent::Ingested { input: &input.name, events, files });
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_skipped_is_told_once() {
        let unread = |kind, name: &str, more| Unread {
            name: name.to_owned(),
            kind,
            reasons: vec!["holds no JSON".to_owned()],
            more,
        };
        let log = unread(UnreadKind::Foreign, "a.log", 0);
        let many = unread(UnreadKind::NoLog, "b.log", 6);
        let whole = unread(UnreadKind::Copies, "c.json", 0);
        let mut skipped = Skipped::default();
        assert_eq!(skipped.see(&[whole]), None);
        assert_eq!(
            skipped.see(std::slice::from_ref(&log)).as_deref(),
            Some("a.log: holds no JSON")
        );
        assert_eq!(skipped.see(std::slice::from_ref(&log)), None);
        assert_eq!(skipped.see(&[]), None);
        let other = unread(UnreadKind::Foreign, "d.log", 0);
        let told = skipped.see(&[log, many, other]).unwrap();
        assert_eq!(told, "b.log: holds no JSON; and 7 more have no event");
    }

    #[test]
    fn a_damaged_file_is_read_again_ever_more_rarely_or_when_it_changes() {
        let begun = Instant::now();
        let at = |minutes: u64| begun + Duration::from_mins(minutes);
        let stamp = |size| Stamp { size, modified: None };
        let mut partly = Partly::default();
        let is_left = |partly: &Partly, minutes, size| {
            partly.left(at(minutes)).get("a.gz") == Some(&stamp(size))
        };
        for (minutes, size, left_at, read_at) in
            [(0, 7, 1, 2), (2, 7, 5, 6), (6, 7, 13, 14), (14, 9, 15, 16)]
        {
            partly.see(vec![("a.gz".to_owned(), stamp(size))], at(minutes));
            // Another look meanwhile says nothing of it.
            partly.see(Vec::new(), at(left_at));
            assert!(
                is_left(&partly, left_at, size) && !is_left(&partly, read_at, size),
                "{minutes}"
            );
        }
        for minutes in (0..60).map(|round| 1000 * round) {
            partly.see(vec![("a.gz".to_owned(), stamp(9))], at(minutes));
        }
        assert!(is_left(&partly, 59_000 + 359, 9) && !is_left(&partly, 59_000 + 360, 9));
        partly.see(Vec::new(), at(100_000));
        assert!(partly.0.is_empty());
    }
}
