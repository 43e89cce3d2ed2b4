//! Replays files that hold no JSON, such as events of Windows as XML: each line is an event.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use spilltrail_decode::first_time;
use spilltrail_source::Labels;

use super::{Replay, ReplayedEvent};
use crate::error::{AppError, blocking};
use crate::unread::{Unread, UnreadKind};

/// The most bytes of a line.
const MAX_LINE: u64 = 8 << 20;

/// Most lines that are read ahead of those that are handed on.
const LINES_AHEAD: usize = 256;

/// Files whose lines are events.
#[derive(Debug, Default)]
pub(super) struct TextLines(BTreeSet<String>);

/// The lines that were handed on.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) events: u64,
    pub(super) timeless: u64,
}

impl TextLines {
    /// Returns the files that were read, have no event, and are text.
    pub(super) fn of(unread: Vec<Unread>) -> Self {
        let files = unread.into_iter().filter(|unread| unread.kind == UnreadKind::NoLog);
        Self(files.map(|unread| unread.name).filter(|name| is_text(name)).collect())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// Returns the time of the newest line.
    pub(super) async fn newest(&self) -> Result<Option<f64>, AppError> {
        let names: Vec<String> = self.0.iter().cloned().collect();
        let look = move || {
            let mut newest: Option<f64> = None;
            for name in names {
                for_each_line(&name, &mut |line| {
                    newest = [newest, first_time(line)].into_iter().flatten().reduce(f64::max);
                    true
                })?;
            }
            Ok(newest)
        };
        blocking(look).await?.map_err(|(name, error): (String, io::Error)| failed(&name, &error))
    }

    /// Hands the lines on, in the order of the files.
    pub(super) async fn replay(&self, replay: &mut Replay<'_>) -> Result<Counts, AppError> {
        let mut counts = Counts::default();
        for name in &self.0 {
            let (sender, mut lines) = tokio::sync::mpsc::channel(LINES_AHEAD);
            let own = name.clone();
            let read = tokio::task::spawn_blocking(move || {
                for_each_line(&own, &mut |line| sender.blocking_send(line.to_owned()).is_ok())
            });
            while let Some(text) = lines.recv().await {
                let time = first_time(&text);
                counts.events += 1;
                counts.timeless += u64::from(time.is_none());
                let labels = Labels { source: Some(name.as_str().into()), ..Labels::default() };
                replay.hand_on(ReplayedEvent { text, time, labels }).await?;
            }
            let read = read.await.map_err(|error| AppError::Bug(error.to_string()))?;
            read.map_err(|(name, error)| failed(&name, &error))?;
        }
        Ok(counts)
    }
}

fn failed(name: &str, error: &io::Error) -> AppError {
    AppError::File { path: name.into(), reason: error.to_string() }
}

/// Returns true if the beginning of a file is text.
fn is_text(name: &str) -> bool {
    let mut start = Vec::new();
    let read = File::open(name).and_then(|file| file.take(4096).read_to_end(&mut start));
    let text = match std::str::from_utf8(&start) {
        Ok(text) => text,
        // The last character may be cut off.
        Err(error) => match start.get(..error.valid_up_to()) {
            Some(valid) if start.len() - valid.len() < 4 => {
                std::str::from_utf8(valid).unwrap_or_default()
            }
            _ => return false,
        },
    };
    read.is_ok() && !text.is_empty() && !text.contains('\0')
}

/// Calls `visit` with each line of a file that is not blank, until it returns false.
fn for_each_line(
    name: &str,
    visit: &mut dyn FnMut(&str) -> bool,
) -> Result<(), (String, io::Error)> {
    let in_file = |error| (name.to_owned(), error);
    let mut reader = BufReader::new(File::open(name).map_err(in_file)?);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line).map_err(in_file)?;
        if read == 0 {
            return Ok(());
        }
        if read as u64 == MAX_LINE && line.last() != Some(&b'\n') {
            let reason = format!("a line has more than {} MiB", MAX_LINE >> 20);
            return Err(in_file(io::Error::other(reason)));
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\n', '\r']);
        if !text.trim().is_empty() && !visit(text) {
            return Ok(());
        }
    }
}
