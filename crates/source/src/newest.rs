//! Finds the time of the newest event, for searches relative to the present.

use spilltrail_decode::FileReport;

use crate::layout::{CLOCK_SKEW, Layout};
use crate::logs::Logs;

impl Logs {
    /// Returns the time of the newest event in seconds since the epoch, or `None` if the logs have
    /// no event or reading was canceled.
    ///
    /// No event is newer than its delivery. So files delivered by CloudTrail are read from the
    /// newest backward, until all remaining files are older than the newest event found. Files
    /// whose paths have no delivery time are all read.
    #[must_use]
    pub fn newest_event(&self) -> Option<f64> {
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
        let mut spare = Vec::new();
        for (latest, index) in files {
            if self.stop().is_set() {
                return None;
            }
            // Files are sorted by the latest time their events can have, so the rest is older too.
            if found.newest.is_some_and(|newest| newest > latest) {
                break;
            }
            let content = self.content(index, spare);
            let report;
            (report, spare) = self.read(index, content, &mut decoder, &mut |_, _| {
                std::ops::ControlFlow::Continue(())
            });
            found.merge(&report);
        }
        found.newest
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use crate::logs::{Logs, Progress, ReadOptions};

    fn newest(files: &[(&str, &str)]) -> (Option<f64>, u64) {
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
        (logs.newest_event(), progress.load(Ordering::Relaxed))
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
            assert_eq!(newest(&files).0, Some(time), "{files:?}");
        }
        assert_eq!(newest(&[]), (None, 0));
        // Finding the newest event does not count as reading: progress and reports are unchanged.
        assert_eq!(newest(&[("events.json", "2026-03-18T00:00:00Z")]).1, 0);
    }
}
