//! Brings logs in that appear in folders and buckets: each is listed again and again, and what is new
//! comes in once.

use std::sync::Arc;
use std::time::Duration;

use spilltrail_event::TimeBounds;
use spilltrail_source::{Duplicates, S3Options, Wanted};

use super::events::ServeEvent;
use super::runner::Runner;
use crate::error::AppError;
use crate::lake::{IngestOptions, ingest_into};
use crate::options::ReadOptions;

/// Logs that are looked at again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputOptions {
    /// The name by which people know it.
    pub name: String,
    /// Logs, named as for a hunt. What comes out of a pipe cannot be looked at again.
    pub logs: Vec<String>,
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

/// Looks at an input until the server stops.
pub(super) async fn follow(runner: Arc<Runner>, input: InputOptions) {
    let mut told = Vec::new();
    loop {
        match look(&runner, &input).await {
            Ok(unread) => {
                // What cannot be read is tried each time, and told once.
                for reason in unread.iter().filter(|reason| !told.contains(*reason)) {
                    runner.sink.event(ServeEvent::Problem { part: "inputs", reason });
                }
                told = unread;
            }
            Err(AppError::Cancelled(_)) => return,
            Err(error) => {
                let reason = format!("{}: {error}", input.name);
                runner.sink.event(ServeEvent::Problem { part: "inputs", reason: &reason });
            }
        }
        tokio::select! {
            () = runner.cancel.cancelled() => return,
            () = tokio::time::sleep(input.every) => {}
        }
    }
}

/// Brings in what is new, and returns what could not be read.
async fn look(runner: &Runner, input: &InputOptions) -> Result<Vec<String>, AppError> {
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
    let done = match ingest_into(&options, runner.wal.clone()).await {
        Ok(done) => done,
        // A folder or a prefix without logs is one to which none was delivered yet.
        Err(AppError::NoLogs { unread }) => {
            let reason = |unread: &crate::Unread| {
                format!("{}: {}: {}", input.name, unread.name, unread.reasons.join("; "))
            };
            return Ok(unread.iter().map(reason).collect());
        }
        Err(error) => return Err(error),
    };
    let (events, files) = (done.events, done.files);
    if events > 0 {
        runner.sink.event(ServeEvent::Ingested { input: &input.name, events, files });
    }
    let damaged = done.unread.iter().filter(|unread| unread.is_damage());
    let reason = |unread: &crate::Unread| {
        format!("{}: {}: {}", input.name, unread.name, unread.reasons.join("; "))
    };
    Ok(damaged.map(reason).collect())
}
