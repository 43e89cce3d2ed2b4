//! What a server tells of its work.

use std::fmt::Debug;
use std::time::Duration;

use jiff::civil::Date;
use spilltrail_schedule::{Ahead, Interval, Missed, Moment};
use spilltrail_store::Status;

/// How an attempt at a delivery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// The output has it.
    Sent,
    /// It failed, and is tried again.
    Again,
    /// It failed, and is given up until somebody repeats it.
    GivenUp,
}

/// A step of the work of a server.
#[derive(Debug)]
pub enum ServeEvent<'a> {
    /// The content was loaded, at first or again.
    Content {
        /// The number of detections that run on a schedule.
        scheduled: usize,
        /// Those that do not, with the reason.
        left_out: &'a [(String, String)],
        /// What is other than before, in a line each; nothing at first.
        changes: &'a [String],
    },
    /// Events moved from the log to the table.
    Moved {
        /// The number of batches.
        batches: u64,
        /// The number of events.
        events: u64,
    },
    /// Small files became one.
    Compacted {
        /// The index.
        index: &'a str,
        /// The number of files before.
        files: usize,
    },
    /// Files were put together, and old ones removed.
    Tidied {
        /// The bytes of the files of the table.
        lake_bytes: u64,
        /// The bytes of events in the log, before compression.
        log_bytes: u64,
    },
    /// Events were dropped because they are older than is kept.
    Dropped {
        /// The index.
        index: &'a str,
        /// The number of events.
        events: u64,
        /// The first day that is kept.
        before: Date,
    },
    /// A run of a detection ended.
    Ran {
        /// The name of the detection.
        detection: &'a str,
        /// The nominal time.
        nominal: Moment,
        /// What became of it.
        status: Status,
        /// The number of findings that no run has found before.
        new: u64,
        /// The number of findings that changed.
        changed: u64,
        /// The number of findings that are no longer there.
        withdrawn: u64,
        /// How long it took. Detections that run together took it together.
        took: Duration,
        /// Why it failed or was given up.
        reason: Option<&'a str>,
    },
    /// Detections ran over an interval of which there is no event.
    NoEvents {
        /// The interval.
        interval: Interval,
        /// The number of detections.
        detections: usize,
    },
    /// Firings do not run.
    Missed {
        /// The name of the detection.
        detection: &'a str,
        /// Which ones, and why.
        missed: &'a Missed,
    },
    /// A schedule is ahead of the clock.
    Ahead {
        /// The name of the detection.
        detection: &'a str,
        /// Until when.
        ahead: &'a Ahead,
    },
    /// An attempt to bring a finding to an output ended.
    Delivered {
        /// The name of the output.
        output: &'a str,
        /// The id of the finding.
        finding: &'a str,
        /// How it ended.
        what: Delivered,
        /// What went wrong.
        reason: Option<&'a str>,
    },
    /// An input was looked at, and what is new came in.
    Ingested {
        /// The name of the input.
        input: &'a str,
        /// The number of events.
        events: u64,
        /// The number of files that had any.
        files: u64,
    },
    /// Something that is good to know, and keeps nothing from working.
    Noted {
        /// The part of the server.
        part: &'static str,
        /// What it is.
        what: &'a str,
    },
    /// Something is wrong that stays as it is, or was done in another way.
    Warning {
        /// The part of the server.
        part: &'static str,
        /// What it is.
        what: &'a str,
    },
    /// Something cannot be done now. It is tried again, and a problem until it is told to be solved.
    Problem {
        /// The part of the server.
        part: &'static str,
        /// Which of its things it is, such as the name of an input; empty if it has only one.
        name: &'a str,
        /// What is wrong.
        reason: &'a str,
    },
    /// What was a problem is none any more.
    Solved {
        /// The part of the server.
        part: &'static str,
        /// Which of its things it is.
        name: &'a str,
    },
}

/// Is told what a server does, from any thread. It must not block for long.
pub trait ServeSink: Debug + Send + Sync + 'static {
    /// Takes note of a step.
    fn event(&self, event: ServeEvent<'_>);
}
