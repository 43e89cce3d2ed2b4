//! Replays files that hold no JSON, such as events of Windows as XML: each line is an event.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use spilltrail_decode::first_time;
use spilltrail_source::{Labels, Logs};

use super::{Replay, ReplayedEvent};
use crate::error::{AppError, blocking};
use crate::unread::{Unread, UnreadKind};

/// Most lines that are read ahead of those that are handed on.
const LINES_AHEAD: usize = 256;

/// What the names of logs end in that are found in folders. Other texts beside logs, such as a README,
/// are no events.
const ENDINGS: [&str; 3] = [".log", ".txt", ".xml"];

/// What the names of compressed files end in besides.
const COMPRESSIONS: [&str; 5] = [".gz", ".gzip", ".zst", ".bz2", ".xz"];

/// Files whose lines are events.
#[derive(Debug, Default)]
pub(super) struct TextLines {
    logs: Option<Arc<Logs>>,
    /// The indexes of the files.
    files: Vec<usize>,
    /// The time of the newest line.
    newest: Option<f64>,
}

/// The lines that were handed on.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) events: u64,
    pub(super) timeless: u64,
}

impl TextLines {
    /// Finds the files that were read, hold no JSON, and are text with a line at least.
    ///
    /// # Errors
    /// Fails if a file cannot be read any more.
    pub(super) async fn find(logs: Option<&Arc<Logs>>) -> Result<Self, AppError> {
        let Some(logs) = logs.cloned() else { return Ok(Self::default()) };
        let look = move || -> Result<Self, AppError> {
            let (mut files, mut newest) = (Vec::new(), None::<f64>);
            for index in logs.files_without_json() {
                let file = &logs.files()[index];
                if !file.is_named && !is_named_as_log(&file.name) {
                    continue;
                }
                let mut is_blank = true;
                let read = logs.for_each_line(index, &mut |line| {
                    is_blank = false;
                    newest = [newest, first_time(line)].into_iter().flatten().reduce(f64::max);
                    ControlFlow::Continue(())
                });
                read.map_err(|reason| failed(&file.name, reason))?;
                if !is_blank {
                    files.push(index);
                }
            }
            Ok(Self { logs: Some(logs), files, newest })
        };
        blocking(look).await?
    }

    /// Returns the time of the newest line.
    pub(super) fn newest(&self) -> Option<f64> {
        self.newest
    }

    /// Removes from `unread` that these files, and folders with them, hold no event.
    pub(super) fn retain_others(&self, unread: &mut Vec<Unread>) {
        let Some(logs) = &self.logs else { return };
        let files = self.files.iter();
        let names: BTreeSet<&str> = files
            .flat_map(|index| {
                let own = &*logs.files()[*index].name;
                logs.names_given_for(*index).chain([own])
            })
            .collect();
        unread.retain(|unread| {
            let is_of_no_event = matches!(unread.kind, UnreadKind::NoLog | UnreadKind::Foreign);
            !is_of_no_event || !names.contains(unread.name.as_str())
        });
    }

    /// Hands the lines on, in the order of the files.
    pub(super) async fn replay(&self, replay: &mut Replay<'_>) -> Result<Counts, AppError> {
        let mut counts = Counts::default();
        let Some(logs) = &self.logs else { return Ok(counts) };
        for index in self.files.iter().copied() {
            let name = logs.files()[index].name.clone();
            let (sender, mut lines) = tokio::sync::mpsc::channel(LINES_AHEAD);
            let logs = logs.clone();
            let read = tokio::task::spawn_blocking(move || {
                logs.for_each_line(index, &mut |line| match sender.blocking_send(line.to_owned()) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(_) => ControlFlow::Break(()),
                })
            });
            while let Some(text) = lines.recv().await {
                let time = first_time(&text);
                counts.events += 1;
                counts.timeless += u64::from(time.is_none());
                let labels = Labels { source: Some(name.clone()), ..Labels::default() };
                replay.hand_on(ReplayedEvent { text, time, labels }).await?;
            }
            let read = read.await.map_err(|error| AppError::Bug(error.to_string()))?;
            read.map_err(|reason| failed(&name, reason))?;
        }
        Ok(counts)
    }
}

fn failed(name: &str, reason: String) -> AppError {
    AppError::File { path: name.into(), reason }
}

/// Returns true if a name says that a file is a log.
fn is_named_as_log(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let plain = COMPRESSIONS.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(&name);
    ENDINGS.iter().any(|ending| plain.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::is_named_as_log;

    #[test]
    fn names_of_logs() {
        for (name, is_log) in [
            ("windows/sysmon.LOG", true),
            ("s3://bucket/a.xml.gz", true),
            ("notes.txt", true),
            ("README.md", false),
            ("data.yml", false),
            ("log", false),
        ] {
            assert_eq!(is_named_as_log(name), is_log, "{name}");
        }
    }
}
