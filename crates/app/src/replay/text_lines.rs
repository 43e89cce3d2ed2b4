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
pub(super) struct Handed {
    pub(super) events: u64,
    pub(super) timeless: u64,
    /// The indexes of the files with a line at least.
    files: Vec<usize>,
    /// The files of which only a part could be read.
    damaged: Vec<Unread>,
}

impl TextLines {
    /// Finds the files that were read and hold no JSON. With `times`, reads them for the time of the
    /// newest line.
    ///
    /// # Errors
    /// Fails if the work is stopped.
    pub(super) async fn find(logs: Option<&Arc<Logs>>, times: bool) -> Result<Self, AppError> {
        let Some(logs) = logs.cloned() else { return Ok(Self::default()) };
        let look = move || {
            let is_log = |index: &usize| {
                let file = &logs.files()[*index];
                file.is_named || is_named_as_log(&file.name)
            };
            let files: Vec<usize> = logs.files_without_json().into_iter().filter(is_log).collect();
            let mut newest = None::<f64>;
            for index in files.iter().filter(|_| times) {
                // What cannot be read is told when the lines are handed on.
                let _ = logs.for_each_line(*index, &mut |line| {
                    newest = [newest, first_time(line)].into_iter().flatten().reduce(f64::max);
                    ControlFlow::Continue(())
                });
            }
            Self { logs: Some(logs), files, newest }
        };
        blocking(look).await
    }

    /// Returns the time of the newest line, if the lines were read for it.
    pub(super) fn newest(&self) -> Option<f64> {
        self.newest
    }

    /// Removes from `unread` that the files whose lines were handed on, and folders with them, hold no
    /// event, and adds which files are damaged.
    pub(super) fn correct(&self, unread: &mut Vec<Unread>, handed: Handed) {
        let Some(logs) = &self.logs else { return };
        let files = handed.files.iter();
        let names: BTreeSet<&str> = files
            .flat_map(|index| {
                let own = &*logs.files()[*index].name;
                logs.names_given_for(*index).chain([own])
            })
            .chain(handed.damaged.iter().map(|damaged| damaged.name.as_str()))
            .collect();
        unread.retain(|unread| {
            let is_of_no_event = matches!(unread.kind, UnreadKind::NoLog | UnreadKind::Foreign);
            !is_of_no_event || !names.contains(unread.name.as_str())
        });
        unread.extend(handed.damaged);
    }

    /// Hands the lines on, in the order of the files. Of a damaged file these are the lines before the
    /// damage.
    pub(super) async fn replay(&self, replay: &mut Replay<'_>) -> Result<Handed, AppError> {
        let mut handed = Handed::default();
        let Some(logs) = &self.logs else { return Ok(handed) };
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
            let before = handed.events;
            while let Some(text) = lines.recv().await {
                let time = first_time(&text);
                handed.events += 1;
                handed.timeless += u64::from(time.is_none());
                let labels = Labels { source: Some(name.clone()), ..Labels::default() };
                replay.hand_on(ReplayedEvent { text, time, labels }).await?;
            }
            let read = read.await.map_err(|error| AppError::Bug(error.to_string()))?;
            if handed.events > before {
                handed.files.push(index);
            }
            if let Err(reason) = read {
                let (name, kind) = (name.to_string(), UnreadKind::Damaged);
                handed.damaged.push(Unread { name, kind, reasons: vec![reason], more: 0 });
            }
        }
        Ok(handed)
    }
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
