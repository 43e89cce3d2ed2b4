//! Brings logs in that appear in folders and buckets: each is listed again and again, and what is new
//! comes in once.

use std::sync::Arc;
use std::time::Duration;

use spilltrail_event::TimeBounds;
use spilltrail_queue::{Note, PullOptions, Puller, Queue, QueueError, QueueOptions, client};
use spilltrail_source::{Duplicates, S3Options, Wanted, s3_credentials};

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

/// Brings in what a queue tells of, until the server stops.
pub(super) async fn follow_queue(runner: Arc<Runner>, input: InputOptions, url: String) {
    let problem = |reason: &str| {
        let reason = format!("{}: {reason}", input.name);
        runner.sink.event(ServeEvent::Problem { part: "inputs", reason: &reason });
    };
    let mut puller = match pull(&runner, &input, &url) {
        Ok(puller) => puller,
        Err(reason) => return problem(&reason),
    };
    loop {
        match puller.next().await {
            Ok(Some(batch)) => {
                let names = batch.objects.iter();
                let names = names.map(|object| format!("s3://{}/{}", object.bucket, object.key));
                let of_batch = InputOptions {
                    logs: names.collect(),
                    // What a queue tells of is wanted, however old it is.
                    days: None,
                    ..input.clone()
                };
                match look(&runner, &of_batch).await {
                    Ok(unread) if unread.is_empty() => batch.stored(),
                    Ok(unread) => {
                        // Those that were read come again, and are known then.
                        unread.iter().for_each(|reason| problem(reason));
                        let all: Vec<usize> = (0..batch.objects.len()).collect();
                        batch.failed(&all);
                    }
                    Err(AppError::Cancelled(_)) => break,
                    Err(error) => {
                        problem(&error.to_string());
                        let all: Vec<usize> = (0..batch.objects.len()).collect();
                        batch.failed(&all);
                    }
                }
            }
            Ok(None) => break,
            // The next call waits before it asks again.
            Err(error) => {
                let help = error.help().map(|help| format!("; {help}")).unwrap_or_default();
                problem(&format!("{error}{help}"));
            }
        }
    }
    puller.finish().await;
}

/// Starts to pull from a queue, with the credentials of the buckets.
fn pull(runner: &Runner, input: &InputOptions, url: &str) -> Result<Puller, String> {
    let credentials = s3_credentials(&input.s3)?;
    let options = QueueOptions {
        region: input.s3.region.clone(),
        endpoint: input.s3.endpoint.clone(),
        ..QueueOptions::new(url)
    };
    let text = |error: QueueError| error.to_string();
    let queue = Queue::open(&options, credentials, client().map_err(text)?).map_err(text)?;
    let (sink, name) = (runner.sink.clone(), input.name.clone());
    let observer = Arc::new(move |note: Note| {
        let reason = format!("{name}: {note}");
        sink.event(ServeEvent::Noted { part: "inputs", what: &reason });
    });
    Puller::start(queue, PullOptions::default(), &runner.cancel, observer).map_err(text)
}

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
