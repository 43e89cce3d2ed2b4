//! Logs the steps of a server's work, each with what tells it from others: the detection and the nominal time
//! of a run, the finding and the output of a delivery.

use std::sync::Arc;

use spilltrail_app::{Delivered, ServeEvent, ServeSink};
use tracing::{debug, info, warn};

/// Logs what passes, and passes it on.
#[derive(Debug)]
pub(super) struct Traced(pub(super) Arc<dyn ServeSink>);

impl ServeSink for Traced {
    fn event(&self, event: ServeEvent<'_>) {
        log(&event);
        self.0.event(event);
    }
}

fn log(event: &ServeEvent<'_>) {
    match event {
        ServeEvent::Content { scheduled, left_out, changes } => {
            info!(scheduled, left_out = left_out.len(), changes = changes.len(), "content loaded");
        }
        ServeEvent::Moved { batches, events } => {
            info!(batches, events, "events moved to the table");
        }
        ServeEvent::Compacted { index, files } => info!(index, files, "files put together"),
        ServeEvent::Tidied { lake_bytes, log_bytes } => {
            debug!(lake_bytes, log_bytes, "lake tidied");
        }
        ServeEvent::Dropped { index, events, before } => {
            info!(index, events, %before, "old events dropped");
        }
        ServeEvent::Ran { detection, nominal, status, new, changed, withdrawn, took, reason } => {
            let (status, took_ms) = (status.name(), took.as_millis());
            info!(detection, %nominal, status, new, changed, withdrawn, took_ms, reason, "run ended");
        }
        ServeEvent::NoEvents { interval, detections } => {
            info!(%interval, detections, "no events in an interval");
        }
        ServeEvent::Missed { detection, missed } => {
            let (first, last, reason) = (missed.first, missed.last, &missed.reason);
            warn!(detection, %first, %last, firings = missed.firings, %reason, "runs missed");
        }
        ServeEvent::Ahead { detection, ahead } => {
            warn!(detection, done = %ahead.done, "schedule ahead of the clock");
        }
        ServeEvent::Delivered { output, finding, what: Delivered::Sent, .. } => {
            info!(output, finding, "finding delivered");
        }
        ServeEvent::Delivered { output, finding, what, reason } => {
            let is_given_up = *what == Delivered::GivenUp;
            warn!(output, finding, is_given_up, reason, "finding not delivered");
        }
        ServeEvent::Ingested { input, events, files } => debug!(input, events, files, "input read"),
        ServeEvent::Noted { part, what } => info!(part, what, "noted"),
        ServeEvent::Warning { part, what } => warn!(part, what, "warning"),
        ServeEvent::Problem { part, name, reason } => warn!(part, name, reason, "problem"),
        ServeEvent::Solved { part, name } => info!(part, name, "problem solved"),
    }
}
