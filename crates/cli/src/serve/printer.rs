//! Prints what a server does, in a line each, with the time.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use spilltrail_app::{Delivered, ServeEvent, ServeSink};
use spilltrail_store::Status;

use crate::report;

/// The most detections that do not run which are named.
const NAMED: usize = 5;

/// How often it is told that there are no events.
const NOTHING_EVERY: Duration = Duration::from_mins(30);

/// Prints to standard error.
#[derive(Debug, Default)]
pub(super) struct Printer {
    /// When it was told last that there are no events.
    nothing: Mutex<Option<Instant>>,
    /// The outputs that do not work, each with the number of attempts that failed.
    failing: Mutex<BTreeMap<String, u64>>,
    /// Why the last runs of detections could not tell all, apart from numbers.
    doubts: Mutex<BTreeMap<String, String>>,
}

impl Printer {
    /// Returns true if it is time to tell again that there are no events.
    fn tells_nothing(&self) -> bool {
        let mut last = self.nothing.lock().unwrap_or_else(PoisonError::into_inner);
        let is_time = last.is_none_or(|told| told.elapsed() >= NOTHING_EVERY);
        if is_time {
            *last = Some(Instant::now());
        }
        is_time
    }
}

impl Printer {
    /// Returns what there is to say of a delivery. Each finding is tried again and again, and an output that
    /// does not work is told once, as it is when it works again.
    fn delivery(&self, output: &str, what: Delivered, reason: &str) -> Option<String> {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        match what {
            Delivered::Sent => failing.remove(output).map(|failed| {
                let failed = report::counted(failed, "attempt");
                format!("output {output}: works again, after {failed} that failed")
            }),
            // That is told with the finding.
            Delivered::GivenUp => None,
            Delivered::Again => {
                let failed = failing.entry(output.to_owned()).or_default();
                *failed += 1;
                (*failed == 1).then(|| {
                    format!("output {output}: findings are not delivered: {reason}; they are tried again")
                })
            }
        }
    }
}

impl Printer {
    /// Returns true if the reason of a run is not the one of the run before, which was told.
    fn is_news(&self, detection: &str, reason: Option<&str>) -> bool {
        let mut doubts = self.doubts.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(reason) = reason else {
            doubts.remove(detection);
            return true;
        };
        let kind: String = reason.chars().filter(|letter| !letter.is_ascii_digit()).collect();
        doubts.insert(detection.to_owned(), kind.clone()) != Some(kind)
    }
}

impl ServeSink for Printer {
    fn event(&self, event: ServeEvent<'_>) {
        if let ServeEvent::Delivered { output, what, reason, .. } = &event
            && let Some(line) = self.delivery(output, *what, reason.unwrap_or_default())
        {
            let now = jiff::Timestamp::now();
            report::line(format_args!("{now:.0} {line}"));
        }
        let mut event = event;
        if let ServeEvent::Ran { detection, status: Status::Done | Status::Late, reason, .. } =
            &mut event
            && !self.is_news(detection, *reason)
        {
            *reason = None;
        }
        if matches!(event, ServeEvent::NoEvents { .. }) && !self.tells_nothing() {
            return;
        }
        for line in lines(&event) {
            let now = jiff::Timestamp::now();
            report::line(format_args!("{now:.0} {line}"));
        }
    }
}

/// Returns what there is to say of an event; nothing of what is routine.
fn lines(event: &ServeEvent<'_>) -> Vec<String> {
    match event {
        ServeEvent::Content { scheduled, left_out, changes } => {
            let detections = report::counted(*scheduled as u64, "detection");
            let mut lines = vec![format!("content: {detections} on schedules")];
            for (name, reason) in left_out.iter().take(NAMED) {
                lines.push(format!("content: {name} does not run: {reason}"));
            }
            let more = left_out.len().saturating_sub(NAMED);
            if more > 0 {
                lines.push(format!(
                    "content: {more} more do not run; `spilltrail serve --check-config` has all"
                ));
            }
            lines.extend(changes.iter().map(|change| format!("content: {change}")));
            lines
        }
        // It is in the journal.
        ServeEvent::Noted { .. } => Vec::new(),
        ServeEvent::Moved { .. }
        | ServeEvent::Compacted { .. }
        | ServeEvent::Tidied { .. }
        | ServeEvent::Ingested { events: 0, .. } => Vec::new(),
        ServeEvent::Dropped { index, events, before } => {
            let events = report::counted(*events, "event");
            vec![format!("lake: {events} of `{index}` from before {before} dropped")]
        }
        ServeEvent::Ran { detection, nominal, status, new, changed, withdrawn, reason, .. } => {
            let mut parts = Vec::new();
            for (count, what) in [(new, "new"), (changed, "changed"), (withdrawn, "withdrawn")] {
                if *count > 0 {
                    parts.push(format!("{count} {what}"));
                }
            }
            // A run that went well and found nothing is in the ledger.
            if parts.is_empty() && reason.is_none() {
                return Vec::new();
            }
            parts.extend(reason.map(str::to_owned));
            vec![format!("{}: {detection} of {nominal}: {}", status.name(), parts.join(", "))]
        }
        ServeEvent::NoEvents { interval, detections } => {
            let detections = report::counted(*detections as u64, "detection");
            vec![format!(
                "no events: {detections} looked at {interval}, of which there is no event"
            )]
        }
        ServeEvent::Missed { detection, missed } => {
            let firings = report::counted(missed.firings, "run");
            let of = match missed.interval {
                Some(interval) => format!(" over {interval}"),
                None => String::new(),
            };
            vec![format!("missed: {detection}: {firings}{of}: {}", missed.reason)]
        }
        ServeEvent::Ahead { detection, ahead } => vec![format!(
            "waiting: {detection} has run up to {}, which is later than the clock",
            ahead.done
        )],
        ServeEvent::Delivered { output, finding, what: Delivered::GivenUp, reason } => {
            let reason = reason.unwrap_or_default();
            vec![format!(
                "output {output}: finding {finding} is given up: {reason}; `spilltrail deliveries repeat` sends it \
                 again"
            )]
        }
        ServeEvent::Delivered { .. } => Vec::new(),
        ServeEvent::Ingested { input, events, files } => {
            let (events, files) =
                (report::counted(*events, "event"), report::counted(*files, "file"));
            vec![format!("input {input}: {events} of {files}")]
        }
        ServeEvent::Warning { part, what } => vec![format!("{part}: {what}")],
        ServeEvent::Problem { part, name, reason } => {
            vec![format!("{}: {reason}; it is tried again", thing(part, name))]
        }
        ServeEvent::Solved { part, name } => vec![format!("{}: works again", thing(part, name))],
    }
}

/// Returns how a thing of a part of the server is called.
fn thing(part: &str, name: &str) -> String {
    match name {
        "" => part.to_owned(),
        name => format!("{part}: {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_told_when_it_begins() {
        let printer = Printer::default();
        for (detection, reason, expected) in [
            ("a", Some("none of 3 events has `x`"), true),
            ("a", Some("none of 12 events has `x`"), false),
            ("b", Some("none of 12 events has `x`"), true),
            ("a", Some("it needs `y`"), true),
            ("a", None, true),
            ("a", Some("it needs `y`"), true),
        ] {
            assert_eq!(printer.is_news(detection, reason), expected, "{detection} {reason:?}");
        }
    }

    #[test]
    fn an_output_that_does_not_work_is_told_once() {
        let printer = Printer::default();
        let told = |output, what| printer.delivery(output, what, "refused");
        let fails = "output hook: findings are not delivered: refused; they are tried again";
        assert_eq!(told("hook", Delivered::Again).as_deref(), Some(fails));
        assert_eq!(told("hook", Delivered::Again), None);
        assert_eq!(told("hook", Delivered::GivenUp), None);
        assert!(told("mail", Delivered::Again).is_some());
        let works = "output hook: works again, after 2 attempts that failed";
        assert_eq!(told("hook", Delivered::Sent).as_deref(), Some(works));
        assert_eq!(told("hook", Delivered::Sent), None);
        assert_eq!(told("hook", Delivered::Again).as_deref(), Some(fails));
    }
}
