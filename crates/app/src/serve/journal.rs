//! The indexes `_internal` and `_audit`: what a server did, and who asked it for what, as events.

use std::sync::Arc;

use serde_json::{Value, json};
use spilltrail_lake::{BatchBuilder, Commit, Event, Origin, Wal};

use super::events::{Delivered, ServeEvent, ServeSink};

/// The index of what a server does.
pub const INTERNAL: &str = "_internal";
/// The index of refused requests and of changes that people made.
pub const AUDIT: &str = "_audit";

/// The format of rows whose lists are multivalue fields.
const ROWS: &str = "json";

/// Writes what a server tells into its own lake.
///
/// What cannot be written is dropped, because it comes from the work itself: that the lake is full is told
/// by whoever tries to store events there.
#[derive(Debug, Clone)]
pub struct Journal {
    wal: Arc<Wal>,
}

impl Journal {
    /// Creates a journal in the log of arriving events.
    #[must_use]
    pub fn new(wal: Arc<Wal>) -> Self {
        Self { wal }
    }

    /// Writes an event, given as a JSON object without a time, which is now.
    pub fn write(&self, index: &str, sourcetype: &str, mut event: Value) {
        let now = jiff::Timestamp::now();
        if let Some(members) = event.as_object_mut() {
            let seconds = now.as_microsecond() as f64 / 1e6;
            // A member that is `null` is a text in searches.
            members.retain(|_, value| !value.is_null());
            members.shift_insert(0, "_time".to_owned(), seconds.into());
        }
        let origin = Origin {
            index: index.to_owned(),
            sourcetype: Some(sourcetype.to_owned()),
            source: Some("spilltrail".to_owned()),
            host: None,
            format: ROWS.to_owned(),
        };
        let text = event.to_string();
        let mut batch = BatchBuilder::new(origin);
        let pushed = batch.push(Event { raw: text.as_bytes(), time: None, fields: None });
        if let (Ok(()), Ok(batch)) = (pushed, batch.finish()) {
            let received = now.as_microsecond();
            let commit = Commit { batches: vec![batch], marks: Vec::new(), received };
            // Nobody waits for it; the log answers in its own time.
            drop(self.wal.append(commit));
        }
    }
}

/// Tells the journal and somebody else.
#[derive(Debug)]
pub(super) struct Journaled {
    pub(super) journal: Journal,
    pub(super) sink: Arc<dyn ServeSink>,
}

impl ServeSink for Journaled {
    fn event(&self, event: ServeEvent<'_>) {
        if let Some((sourcetype, entry)) = entry(&event) {
            self.journal.write(INTERNAL, sourcetype, entry);
        }
        self.sink.event(event);
    }
}

/// Returns the sourcetype of an event in the journal, and the event. Moves of events are not there: each
/// would be an event to move.
fn entry(event: &ServeEvent<'_>) -> Option<(&'static str, Value)> {
    Some(match event {
        ServeEvent::Moved { .. }
        | ServeEvent::Compacted { .. }
        | ServeEvent::Tidied { .. }
        | ServeEvent::Ingested { events: 0, .. } => return None,
        ServeEvent::Content { scheduled, left_out, changes } => (
            "spilltrail:content",
            json!({ "scheduled": scheduled, "left_out": left_out.len(), "changes": changes }),
        ),
        ServeEvent::Dropped { index, events, before } => (
            "spilltrail:retention",
            json!({ "dropped_index": index, "events": events, "before": before.to_string() }),
        ),
        ServeEvent::Ran { detection, nominal, status, new, changed, withdrawn, took, reason } => (
            "scheduler",
            json!({
                "savedsearch_name": detection,
                "scheduled_time": nominal.0,
                "status": status.name(),
                "new": new,
                "changed": changed,
                "withdrawn": withdrawn,
                "run_time": took.as_secs_f64(),
                "reason": reason,
            }),
        ),
        ServeEvent::NoEvents { interval, detections } => (
            "scheduler",
            json!({
                "status": "no events",
                "earliest": interval.from.0,
                "latest": interval.to.0,
                "detections": detections,
            }),
        ),
        ServeEvent::Missed { detection, missed } => (
            "scheduler",
            json!({
                "savedsearch_name": detection,
                "scheduled_time": missed.first.0,
                "last_scheduled_time": missed.last.0,
                "status": "missed",
                "firings": missed.firings,
                "reason": missed.reason.to_string(),
            }),
        ),
        ServeEvent::Ahead { detection, ahead } => (
            "scheduler",
            json!({
                "savedsearch_name": detection,
                "status": "ahead",
                "reason": format!("it has run up to {}, which is later than the clock", ahead.done),
            }),
        ),
        ServeEvent::Delivered { output, finding, what, reason } => (
            "spilltrail:delivery",
            json!({
                "output": output,
                "finding": finding,
                "status": match what {
                    Delivered::Sent => "sent",
                    Delivered::Again => "retried",
                    Delivered::GivenUp => "given up",
                },
                "reason": reason,
            }),
        ),
        ServeEvent::Ingested { input, events, files } => {
            ("spilltrail:input", json!({ "input": input, "events": events, "files": files }))
        }
        ServeEvent::Noted { part, what } => {
            ("spilltrail:note", json!({ "part": part, "note": what }))
        }
        ServeEvent::Warning { part, what } => {
            ("spilltrail:warning", json!({ "part": part, "reason": what }))
        }
        ServeEvent::Problem { part, name, reason } => (
            "spilltrail:problem",
            json!({ "part": part, "name": name, "status": "problem", "reason": reason }),
        ),
        ServeEvent::Solved { part, name } => {
            ("spilltrail:problem", json!({ "part": part, "name": name, "status": "solved" }))
        }
    })
}
