//! Finds the time of the newest event, for searches relative to the present.

use std::sync::Arc;

use spilltrail_decode::FileReport;

use crate::layout::{CLOCK_SKEW, Layout};
use crate::logs::Logs;

/// How far an event may be ahead of the wall clock and still count as the newest, in seconds. Clocks
/// differ, and a time without a zone may be that of a zone ahead of UTC.
pub const MAX_AHEAD: f64 = 24.0 * 3600.0;

/// The newest event of logs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Newest {
    /// Its time in seconds since the epoch; `None` if there is none.
    pub time: Option<f64>,
    /// The events that are too late to be the newest.
    pub beyond: Option<Beyond>,
}

/// Events whose time is later than it can have been.
#[derive(Debug, Clone, PartialEq)]
pub struct Beyond {
    /// The number of these events.
    pub events: u64,
    /// The first file, in the order in which they were listed, that has one.
    pub file: Arc<str>,
    /// The latest time, in seconds since the epoch.
    pub farthest: f64,
}

impl Logs {
    /// Returns the newest event; without a time if the logs have no event or reading was canceled.
    ///
    /// No event is newer than its delivery. So files delivered by CloudTrail are read from the
    /// newest backward, until all remaining files are older than the newest event found. Files
    /// whose paths have no delivery time are all read.
    ///
    /// An event does not count if it is newer than its file's delivery or later than a day after
    /// the wall clock, `wall`, in seconds since the epoch. If all events are, the clock is wrong or
    /// the logs are made up, and all of them count that are in the calendar of time modifiers.
    #[must_use]
    pub fn newest_event(&self, wall: f64) -> Newest {
        let mut files: Vec<(f64, usize)> = self
            .files()
            .iter()
            .enumerate()
            .map(|(index, file)| {
                let delivered = Layout::parse(&file.name).map(|layout| layout.delivered as f64);
                // Files without a delivery time sort first, so they are always read.
                (delivered.map_or(f64::INFINITY, |time| time + CLOCK_SKEW), index)
            })
            .collect();
        files.sort_by(|(one, at), (other, index)| other.total_cmp(one).then(at.cmp(index)));
        let mut decoder = self.decoder([].into(), None, self.stop().clone());
        let mut found = FileReport::default();
        let (mut first_beyond, mut first_beyond_calendar) = (None, None);
        let first_of =
            |first: Option<usize>, index: usize| Some(first.map_or(index, |f| f.min(index)));
        let mut spare = Vec::new();
        for (latest, index) in files {
            if self.stop().is_set() {
                return Newest::default();
            }
            // Files are sorted by the latest time their events can have, so the rest is older too.
            if found.newest.is_some_and(|newest| newest > latest) {
                break;
            }
            decoder.set_horizon(latest.min(wall + MAX_AHEAD));
            let content = self.content(index, spare);
            let report;
            (report, spare) = self.read(index, content, &mut decoder, &mut |_, _| {
                std::ops::ControlFlow::Continue(())
            });
            if report.beyond > 0 {
                first_beyond = first_of(first_beyond, index);
            }
            if report.beyond_calendar > 0 {
                first_beyond_calendar = first_of(first_beyond_calendar, index);
            }
            found.merge(&report);
        }
        let (time, first, events) = match (found.newest, found.farthest_in_calendar) {
            (None, Some(farthest)) => {
                (Some(farthest), first_beyond_calendar, found.beyond_calendar)
            }
            (newest, _) => (newest, first_beyond, found.beyond),
        };
        let beyond = first.zip(found.farthest).map(|(index, farthest)| Beyond {
            events,
            file: self.files()[index].name.clone(),
            farthest,
        });
        Newest { time, beyond }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::Newest;
    use crate::logs::{Logs, Progress, ReadOptions};

    /// 2026-11-01T00:00:00Z.
    const WALL: f64 = 1_793_491_200.0;

    fn newest(files: &[(&str, &str)]) -> (Newest, u64) {
        let folder = tempfile::tempdir().unwrap();
        for (name, time) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let event = format!(r#"{{"eventVersion":"1","eventSource":"s","eventTime":"{time}"}}"#);
            std::fs::write(path, event).unwrap();
        }
        let progress = Arc::new(AtomicU64::new(0));
        let seen = progress.clone();
        let progress_of = Progress(Arc::new(move |bytes| {
            seen.fetch_add(bytes, Ordering::Relaxed);
        }));
        let options = ReadOptions { progress: Some(progress_of), ..ReadOptions::default() };
        let names = [folder.path().display().to_string()];
        let logs = Logs::open(&names, Box::new(std::io::empty()), options);
        (logs.newest_event(WALL), progress.load(Ordering::Relaxed))
    }

    #[test]
    fn late_and_unnamed_files_count() {
        let delivered = |day: u8, time: &str| {
            format!(
                "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/{day:02}/111122223333_CloudTrail_eu-west-1_202603{day:02}T{time}Z_0123456789abcdef.json.gz"
            )
        };
        let (early, late) = (delivered(16, "1200"), delivered(17, "1200"));
        for (files, time) in [
            (
                vec![(&*early, "2026-03-16T11:59:00Z"), (&*late, "2026-03-17T11:58:00Z")],
                1_773_748_680.0,
            ),
            // The newest file contains only an old event.
            (
                vec![(&*early, "2026-03-16T11:59:00Z"), (&*late, "2026-03-16T11:00:00Z")],
                1_773_662_340.0,
            ),
            (
                vec![("events.json", "2026-03-18T00:00:00Z"), (&*late, "2026-03-17T11:58:00Z")],
                1_773_792_000.0,
            ),
        ] {
            let expected = Newest { time: Some(time), beyond: None };
            assert_eq!(newest(&files).0, expected, "{files:?}");
        }
        assert_eq!(newest(&[]), (Newest::default(), 0));
        // Finding the newest event does not count as reading: progress and reports are unchanged.
        assert_eq!(newest(&[("events.json", "2026-03-18T00:00:00Z")]).1, 0);
    }

    #[test]
    fn a_time_that_cannot_have_been_is_not_the_newest() {
        let delivered = "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/17/111122223333_CloudTrail_eu-west-1_20260317T1200Z_0123456789abcdef.json.gz";
        let good = ("good.json", "2026-03-17T10:00:00Z");
        for (files, time, beyond) in [
            (vec![good, ("x.json", "9999-12-31T23:59:59Z")], Some(1_773_741_600.0), 1),
            (vec![good, ("x.json", "2099-01-01T00:00:00.5Z")], Some(1_773_741_600.0), 1),
            (vec![good, ("x.json", "2026-11-01T23:00:00Z")], Some(1_793_574_000.0), 0),
            // It is dated after its delivery.
            (vec![good, (delivered, "2026-05-01T00:00:00Z")], Some(1_773_741_600.0), 1),
            // There is nothing else.
            (vec![("x.json", "2099-01-01T00:00:00Z")], Some(4_070_908_800.0), 0),
            (vec![("x.json", "9999-12-31T23:59:59Z")], None, 1),
            (
                vec![
                    ("x.json", "9999-12-31T23:59:59Z"),
                    ("y.json", "2099-01-01T00:00:00Z"),
                    ("z.json", "2098-01-01T00:00:00Z"),
                ],
                Some(4_070_908_800.0),
                1,
            ),
        ] {
            let found = newest(&files).0;
            assert_eq!(found.time, time, "{files:?}");
            assert_eq!(found.beyond.map_or(0, |beyond| beyond.events), beyond, "{files:?}");
        }
    }
}
