//! Brings logs in of which a queue tells: each object when it was delivered.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use spilltrail_queue::{
    Batch, Note, PullOptions, Puller, Queue, QueueError, QueueOptions, Standing, client,
};
use spilltrail_source::s3_credentials;

use super::events::{ServeEvent, ServeSink};
use super::inputs::{InputOptions, look, reason};
use super::runner::Runner;
use super::trouble::Trouble;
use crate::error::AppError;
use crate::unread::{Unread, UnreadKind};

/// How long is waited after a queue could not be opened.
const OPEN_AGAIN: Duration = Duration::from_mins(1);

/// Brings in what a queue tells of, until the server stops.
pub(super) async fn follow(runner: Arc<Runner>, input: InputOptions, url: String) {
    let trouble = Trouble::new(runner.sink.clone(), "inputs", &input.name);
    let trouble = Arc::new(Mutex::new(trouble));
    let mut puller = loop {
        match pull(&runner, &input, &url, &trouble) {
            Ok(puller) => break puller,
            Err(reason) => of(&trouble).failed(&reason),
        }
        tokio::select! {
            () = runner.cancel.cancelled() => return,
            () = tokio::time::sleep(OPEN_AGAIN) => {}
        }
    };
    loop {
        match puller.next().await {
            Ok(Some(batch)) => {
                if store(&runner, &input, batch, &trouble).await.is_break() {
                    break;
                }
            }
            Ok(None) => break,
            // The next call waits before it asks again.
            Err(error) => of(&trouble).failed(&with_help(&error)),
        }
    }
    puller.finish().await;
}

fn of(trouble: &Mutex<Trouble>) -> MutexGuard<'_, Trouble> {
    trouble.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Stores the objects of a batch, and tells the queue of which that is true. Breaks if the server stops.
async fn store(
    runner: &Runner,
    input: &InputOptions,
    batch: Batch,
    trouble: &Mutex<Trouble>,
) -> ControlFlow<()> {
    let names = batch.objects.iter();
    let names: Vec<String> =
        names.map(|object| format!("s3://{}/{}", object.bucket, object.key)).collect();
    let of_batch = InputOptions {
        logs: names.clone(),
        // What a queue tells of is wanted, however old it is.
        days: None,
        ..input.clone()
    };
    match look(runner, &of_batch, &BTreeMap::new()).await {
        Ok(done) => {
            of(trouble).works();
            for unread in &done.unread {
                let what = format!("{}: {}", input.name, reason(unread));
                runner.sink.event(if is_missing(unread) {
                    ServeEvent::Warning { part: "inputs", what: &what }
                } else {
                    ServeEvent::Noted { part: "inputs", what: &what }
                });
            }
            batch.failed(&failed(&names, &done.unread));
        }
        // The batch is given back when it is dropped.
        Err(AppError::Cancelled(_)) => return ControlFlow::Break(()),
        Err(error) => of(trouble).failed(&error),
    }
    ControlFlow::Continue(())
}

/// Returns true if events may be in an object that were not stored.
fn is_missing(unread: &Unread) -> bool {
    matches!(unread.kind, UnreadKind::NotFound | UnreadKind::Damaged)
}

/// Returns the places of the objects that were not stored as a whole.
fn failed(names: &[String], unread: &[Unread]) -> Vec<usize> {
    let missing: BTreeSet<&str> = unread
        .iter()
        .filter(|unread| is_missing(unread))
        .map(|unread| unread.name.as_str())
        .collect();
    // A name that none of them has may be about any of them.
    if !missing.iter().all(|name| names.iter().any(|known| known == name)) {
        return (0..names.len()).collect();
    }
    (0..names.len()).filter(|place| missing.contains(names[*place].as_str())).collect()
}

/// Starts to pull from a queue, with the credentials of the buckets.
fn pull(
    runner: &Runner,
    input: &InputOptions,
    url: &str,
    trouble: &Arc<Mutex<Trouble>>,
) -> Result<Puller, String> {
    let queue = open(input, url)?;
    let (sink, name, trouble) = (runner.sink.clone(), input.name.clone(), trouble.clone());
    let observer = Arc::new(move |note: Note| match note {
        Note::Reached => of(&trouble).works(),
        note => tell(&*sink, &name, &note),
    });
    Puller::start(queue, PullOptions::default(), &runner.cancel, observer)
        .map_err(|error| with_help(&error))
}

fn open(input: &InputOptions, url: &str) -> Result<Queue, String> {
    let credentials = s3_credentials(&input.s3)?;
    // The endpoint of the buckets is not that of the queue, whose address says where it is.
    let options = QueueOptions { region: input.s3.region.clone(), ..QueueOptions::new(url) };
    let opened = client().and_then(|client| Queue::open(&options, credentials, client));
    opened.map_err(|error| with_help(&error))
}

fn with_help(error: &QueueError) -> String {
    match error.help() {
        Some(help) => format!("{error}; {help}"),
        None => error.to_string(),
    }
}

/// Tells what a queue has that is no object to store.
fn tell(sink: &dyn ServeSink, name: &str, note: &Note) {
    let what = format!("{name}: {note}");
    sink.event(match note {
        Note::Skipped { .. } => ServeEvent::Noted { part: "inputs", what: &what },
        _ => ServeEvent::Warning { part: "inputs", what: &what },
    });
}

/// Asks the queue of an input how many messages it has, and where those go that cannot be read.
///
/// # Errors
/// Fails, with the reason, if the queue cannot be asked.
pub async fn standing_of(input: &InputOptions) -> Result<Option<Standing>, String> {
    let Some(url) = &input.queue else { return Ok(None) };
    let standing = open(input, url)?.standing().await;
    standing.map(Some).map_err(|error| with_help(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_that_were_not_read_stay_in_the_queue() {
        let names: Vec<String> = ["s3://b/0", "s3://b/1", "s3://b/2"].map(str::to_owned).into();
        for (unread, expected) in [
            (&[][..], &[][..]),
            (&[("s3://b/1", UnreadKind::Damaged)], &[1]),
            (&[("s3://b/2", UnreadKind::NotFound), ("s3://b/0", UnreadKind::Damaged)], &[0, 2]),
            // It was read, and has no events.
            (&[("s3://b/1", UnreadKind::NoLog), ("the logs", UnreadKind::NoEvents)], &[]),
            (&[("s3://b/", UnreadKind::NotFound)], &[0, 1, 2]),
        ] {
            let of = |(name, kind): &(&str, UnreadKind)| Unread {
                name: (*name).to_owned(),
                kind: *kind,
                reasons: vec!["a reason".to_owned()],
                more: 0,
            };
            let unread: Vec<Unread> = unread.iter().map(of).collect();
            assert_eq!(failed(&names, &unread), expected, "{unread:?}");
        }
    }
}
