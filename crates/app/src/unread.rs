//! Reports input that was not read, or only read in part.

use jiff::tz::TimeZone;
use serde::{Serialize, Serializer};
use serde_json::json;
use spilltrail_decode::{FileReport, MAX_FIELDS, Member};
use spilltrail_diagnostic::Code;
use spilltrail_source::{
    Beyond, Eventless, FileProblem, Logs, NamedFiles, PathSkips, ReadReport, Reason,
};
use spilltrail_spl::time::strftime;

/// Number of damaged parts that are described per file; further ones are only counted.
const NAMED_DAMAGES: usize = 3;
/// Number of archives whose entries without JSON are described; those of more are only counted.
const NAMED_ARCHIVES: usize = 3;

/// An input that was not read, or only read in part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The name that the caller gave, or the path of a file in a folder that the caller named.
    pub name: String,
    /// Whether the input is missing, damaged or not a log.
    pub kind: UnreadKind,
    /// Reasons, one per problem; never empty.
    pub reasons: Vec<String>,
    /// Number of damaged parts that are not described in `reasons`.
    pub more: u64,
}

/// How a run depends on the times of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Times {
    /// It does not.
    Unused,
    /// Searches read the time of events.
    Used,
    /// Only events of a range of time are looked at.
    Limited,
}

impl Times {
    /// Returns how a run depends on times that has a range of time, or searches that read them.
    pub(crate) fn new(has_range: bool, are_read: bool) -> Self {
        match (has_range, are_read) {
            (true, _) => Self::Limited,
            (false, true) => Self::Used,
            (false, false) => Self::Unused,
        }
    }
}

/// Why input was not read completely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnreadKind {
    /// The input could not be found or listed.
    NotFound,
    /// Parts of the file are damaged; the rest was read.
    Damaged,
    /// The file was found in a folder, contains nothing that may be an event or is a device, and was
    /// skipped.
    Foreign,
    /// Entries of an archive contain no JSON, and were skipped.
    ForeignEntries,
    /// The user named the file, and it contains no event.
    NoLog,
    /// No file has an event.
    NoEvents,
    /// A hunt read events, and none of them is of the kind that its detections look for.
    NoTrail,
    /// The user gave all events a sourcetype that no detection names, and others matched events.
    Unnamed,
    /// JSON rows that are not CloudTrail were read beside events.
    OtherRows,
    /// Rows were read beside events that look like CloudTrail events and are none.
    Lookalikes,
    /// The events were read, but searches did not get all of their fields or values.
    LeftOut,
    /// Events have no time that can be read, so that they are outside of the time range.
    Untimed,
    /// Rows that are not CloudTrail, in files that the user did not name, have no time, so that they
    /// are outside of the time range.
    UntimedRows,
    /// Files look like copies of other files.
    Copies,
    /// Events are dated later than they can have happened; they were read, but do not count as the
    /// newest.
    Future,
    /// Files were ruled out by their paths.
    ByPath,
    /// No event is in the time range, or no file is of the time that was looked for.
    OutOfRange,
    /// Some of the names that the user gave have no event in the time range.
    PartOutOfRange,
}

impl UnreadKind {
    /// Returns the code whose page explains the problem; `None` if nothing is missing from the
    /// results.
    #[must_use]
    pub fn code(self) -> Option<Code> {
        match self {
            Self::NotFound => Some(Code::UNREADABLE),
            Self::Damaged => Some(Code::DAMAGED),
            Self::NoLog | Self::NoEvents | Self::NoTrail | Self::Unnamed | Self::OutOfRange => {
                Some(Code::NO_EVENTS)
            }
            Self::LeftOut | Self::Lookalikes => Some(Code::LEFT_OUT),
            Self::Untimed => Some(Code::UNTIMED),
            Self::Foreign
            | Self::ForeignEntries
            | Self::UntimedRows
            | Self::OtherRows
            | Self::ByPath
            | Self::Copies
            | Self::Future
            | Self::PartOutOfRange => None,
        }
    }
}

impl Unread {
    /// Returns the inputs of `logs` that were not read completely so far: first those that were not
    /// found, then damaged and skipped files, then those whose fields or values were left out, then
    /// events without a time if the run depends on times, and at last that nothing was read at all.
    pub(crate) fn of(logs: &Logs, times: Times) -> Vec<Self> {
        let not_found = logs.problems().iter().map(|problem| Self {
            name: problem.name.clone(),
            kind: if problem.is_foreign { UnreadKind::Foreign } else { UnreadKind::NotFound },
            reasons: vec![problem.reason.clone()],
            more: 0,
        });
        let read = logs.report();
        let untimed = Self::untimed(&read, times);
        let by_path = logs.indexes().is_none().then(|| Self::by_path(&read)).flatten();
        let left_out = |name: &str, reason: String| Self {
            name: name.to_owned(),
            kind: UnreadKind::LeftOut,
            reasons: vec![reason],
            more: 0,
        };
        let values = read.values_left_out.iter().map(|name| {
            let reason = "events have several values of a field, of which only the last was used: \
                          the file was not recognized as JSON rows by its first event";
            left_out(name, reason.to_owned())
        });
        let values: Vec<Self> = values.collect();
        let fields = (read.fields_left_out > 0).then(|| {
            let reason = format!("the events have more than {MAX_FIELDS}; the others are left out");
            left_out("fields", reason)
        });
        let copies = read.copies.as_ref().map(|(count, name)| Self::copies(*count, name));
        let mut entries = Vec::new();
        let mut files = Vec::new();
        for file in read.problems {
            let name = file.name.to_string();
            let is_damaged = file.report.damage_count > 0;
            if let Some(reason) = file.report.why_no_event(file.is_named) {
                let kind = if file.is_named { UnreadKind::NoLog } else { UnreadKind::Foreign };
                files.push(Self { name, kind, reasons: vec![reason.to_owned()], more: 0 });
                continue;
            }
            if file.report.foreign_entries > 0 {
                entries.push(file.clone());
            }
            if is_damaged {
                let damages = file.report.damages.iter().take(NAMED_DAMAGES);
                let reasons: Vec<String> = damages.map(ToString::to_string).collect();
                let more = file.report.damage_count.saturating_sub(reasons.len() as u64);
                files.push(Self { name, kind: UnreadKind::Damaged, reasons, more });
            }
        }
        files.extend(foreign_entries(&entries));
        let holds_nothing = logs.hold_nothing();
        // A single name is all of the logs.
        let is_said = |name: &Eventless| holds_nothing && logs.has_one_name() && name.files > 0;
        let eventless = read.eventless.iter().filter(|name| !is_said(name)).map(Self::eventless);
        files.extend(eventless);
        let no_events = holds_nothing.then(|| {
            let skipped = match skipped(&read.skips) {
                text if text.is_empty() => text,
                text => format!(" ({text})"),
            };
            let reason = format!("no event was read{skipped}; nothing can be said about them");
            Self::of_logs(UnreadKind::NoEvents, reason)
        });
        let left_out = values.into_iter().chain(fields).chain(untimed).chain(copies);
        let left_out = left_out.chain(by_path);
        not_found.chain(files).chain(left_out).chain(no_events).collect()
    }

    /// Returns a problem of all logs together.
    fn of_logs(kind: UnreadKind, reason: String) -> Self {
        Self { name: "logs".to_owned(), kind, reasons: vec![reason], more: 0 }
    }

    /// Returns the problem that events have a sourcetype that no detection names.
    pub(crate) fn unnamed(reason: String) -> Self {
        Self::of_logs(UnreadKind::Unnamed, reason)
    }

    /// Returns the problem that a folder, pattern or prefix gave no event.
    fn eventless(Eventless { name, files }: &Eventless) -> Self {
        let reason = match files {
            0 => "holds no file".to_owned(),
            1 => "holds no event in its one file".to_owned(),
            files => format!("holds no event in its {files} files"),
        };
        Self { name: name.to_string(), kind: UnreadKind::NoLog, reasons: vec![reason], more: 0 }
    }

    /// Returns the problem that no event is in the time range of a run, or the remark that some of
    /// the names that the user gave have none in it. `has_range` says whether the run has a range;
    /// without one, files may still be ruled out by what they are.
    pub(crate) fn out_of_range(logs: &Logs, has_range: bool, zone: &TimeZone) -> Option<Self> {
        let read = logs.report();
        let FileReport { events, oldest, newest, .. } = read.total;
        // Rows without a time say nothing about when.
        if events == read.total.untimed.rows {
            let is_of_time = |reason: &Reason| matches!(reason, Reason::TooEarly | Reason::TooLate);
            let mut skips = read.skips;
            skips.by_reason.retain(|reason, _| is_of_time(reason));
            let skipped = skipped(&skips);
            return (has_range && !skipped.is_empty()).then(|| {
                let reason = format!("no file is of the time that was looked for: {skipped}");
                Self::of_logs(UnreadKind::OutOfRange, reason)
            });
        }
        let (oldest, newest) = oldest.zip(newest).filter(|_| has_range)?;
        let time = |time| strftime(time, "%Y-%m-%d %H:%M:%S %Z", zone);
        if read.files_in_range == 0 {
            let (none, they) = match events {
                1 => ("the one event is not".to_owned(), "it is"),
                _ => (format!("none of the {events} events is"), "they are"),
            };
            let when = match (time(oldest), time(newest)) {
                (first, last) if first == last => format!("of {first}"),
                (first, last) => format!("from {first} to {last}"),
            };
            let reason = format!("{none} in the time range that was searched; {they} {when}");
            return Some(Self::of_logs(UnreadKind::OutOfRange, reason));
        }
        let names = &read.beside_range;
        let count = names.names.len() as u64 + names.more;
        (count > 0).then(|| {
            let noun = if count == 1 { "input has" } else { "inputs have" };
            let reason = format!("{count} {noun} no event in the time range: {names}");
            Self::of_logs(UnreadKind::PartOutOfRange, reason)
        })
    }

    /// Returns the remark that paths ruled out files that a search may have asked for. Files of other
    /// accounts and regions have nothing that it looks for.
    fn by_path(read: &ReadReport) -> Option<Self> {
        let is_asked =
            |reason: &Reason| !matches!(reason, Reason::Account | Reason::Region | Reason::Index);
        let mut skips = read.skips.clone();
        skips.by_reason.retain(|reason, _| is_asked(reason));
        let has_events = read.total.events > read.total.untimed.rows;
        (has_events && !skips.is_empty()).then(|| {
            let reason = format!("not read because of their paths: {}", skipped(&skips));
            Self::of_logs(UnreadKind::ByPath, reason)
        })
    }

    /// Returns the remark that files look like copies of other files.
    fn copies(count: u64, name: &str) -> Self {
        let files = match count {
            1 => "this file begins".to_owned(),
            _ => format!("{count} files, the first of them this one, begin"),
        };
        let reason = format!(
            "{files} with the same event as another file of as many events; if these are copies, \
             `--dedup` counts their events once"
        );
        Self { name: name.to_owned(), kind: UnreadKind::Copies, reasons: vec![reason], more: 0 }
    }

    /// Returns the events whose time cannot be read, if the run depends on times.
    fn untimed(read: &ReadReport, times: Times) -> Option<Self> {
        let (name, is_named) = read.untimed.as_ref()?;
        let untimed = &read.total.untimed;
        let count = match times {
            Times::Unused => 0,
            Times::Used => untimed.trail,
            Times::Limited => untimed.events + untimed.rows,
        };
        let (events, have) = match count {
            0 => return None,
            1 => ("event", "has"),
            _ => ("events", "have"),
        };
        let what = match &untimed.first {
            Some(text) => format!("no time that can be read (first: {text:?})"),
            None => "no time".to_owned(),
        };
        let effect = if times == Times::Limited {
            format!("and so {have} no place in the time range")
        } else {
            "and so what is found by time may be missing".to_owned()
        };
        let reason = format!("{count} {events} {have} {what} {effect}");
        let is_certain = untimed.events > 0 || *is_named;
        let kind = if is_certain { UnreadKind::Untimed } else { UnreadKind::UntimedRows };
        Some(Self { name: name.to_string(), kind, reasons: vec![reason], more: 0 })
    }

    /// Returns the events that are dated later than they can have happened.
    pub(crate) fn future(beyond: &Beyond, zone: &TimeZone) -> Self {
        let Beyond { events, file, farthest } = beyond;
        let time = match strftime(*farthest, "%Y-%m-%d %H:%M:%S %Z", zone) {
            // The calendar of times ends within the last days of that year.
            none if none.is_empty() => "at the end of the year 9999 or later".to_owned(),
            time => time,
        };
        let what = match events {
            1 => "an event is dated".to_owned(),
            _ => format!("{events} events are dated, the last of them"),
        };
        let reason = format!(
            "{what} {time}, which cannot be; relative times do not count from it (`--now` sets what \
             they count from)"
        );
        Self { name: file.to_string(), kind: UnreadKind::Future, reasons: vec![reason], more: 0 }
    }

    /// Returns the remark that a hunt read JSON rows beside events of CloudTrail.
    pub(crate) fn rows_beside(rows: u64, events: u64, files: &NamedFiles) -> Self {
        let reason = format!(
            "{rows} of {events} events are other JSON rows, which no detection of CloudTrail \
             matches; they are in {files}"
        );
        Self {
            name: "logs".to_owned(),
            kind: UnreadKind::OtherRows,
            reasons: vec![reason],
            more: 0,
        }
    }

    /// Returns the rows that look like events of CloudTrail, which no detection can match.
    pub(crate) fn lookalikes(files: &NamedFiles) -> Self {
        let reason = format!(
            "rows in {files} look like CloudTrail events of which members were renamed or left out, so \
             that no detection can match them"
        );
        Self {
            name: "logs".to_owned(),
            kind: UnreadKind::Lookalikes,
            reasons: vec![reason],
            more: 0,
        }
    }

    /// Returns the events of CloudTrail that lack members which searches of the run read.
    pub(crate) fn members(count: u64, members: &[Member], files: &NamedFiles) -> Self {
        let (events, lack) = if count == 1 { ("event", "lacks") } else { ("events", "lack") };
        let names: Vec<String> =
            members.iter().map(|member| format!("`{}`", member.name())).collect();
        let (names, it) = match names.as_slice() {
            [first @ .., last] if !first.is_empty() => {
                (format!("{} and {last}", first.join(", ")), "them")
            }
            _ => (names.concat(), "it"),
        };
        let (name, place) = match files.names.as_slice() {
            [name] => (name.to_string(), String::new()),
            _ => ("logs".to_owned(), format!(" (in {files})")),
        };
        let reason = format!(
            "{count} {events} of CloudTrail {lack} {names}{place}, because their source \
             leaves {it} out; searches that read {it} cannot tell"
        );
        Self { name, kind: UnreadKind::LeftOut, reasons: vec![reason], more: 0 }
    }

    /// Returns true if nothing was read at all.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.kind == UnreadKind::NoEvents
    }

    /// Returns true if this is a failure, and false if nothing is missing from the results, as where
    /// a file or an entry is simply not a log.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        self.kind.code().is_some()
    }
}

/// Returns the files and folders that were ruled out by their paths, by reason.
fn skipped(skips: &PathSkips) -> String {
    let of = |count: u64, noun: &str| match count {
        0 => None,
        1 => Some(format!("1 {noun}")),
        _ => Some(format!("{count} {noun}s")),
    };
    let parts = skips.by_reason.iter().map(|(reason, count)| {
        let what = [of(count.files, "file"), of(count.folders, "folder")];
        let what: Vec<String> = what.into_iter().flatten().collect();
        format!("{} {reason}", what.join(" and "))
    });
    parts.collect::<Vec<String>>().join(", ")
}

/// Returns the entries without JSON of archives that were read: a line for each archive, or a single
/// one if there are many archives.
fn foreign_entries(archives: &[FileProblem]) -> Vec<Unread> {
    let unread = |name: &str, reason: String| Unread {
        name: name.to_owned(),
        kind: UnreadKind::ForeignEntries,
        reasons: vec![reason],
        more: 0,
    };
    if archives.len() > NAMED_ARCHIVES {
        let count: u64 = archives.iter().map(|archive| archive.report.foreign_entries).sum();
        let reason = format!("{count} entries of {} archives hold no JSON", archives.len());
        return vec![unread("logs", reason)];
    }
    let line = |archive: &FileProblem| {
        let FileReport { foreign_entries: count, foreign_names: names, .. } = &archive.report;
        let what = match count {
            1 => "1 entry holds no JSON".to_owned(),
            _ => format!("{count} entries hold no JSON"),
        };
        let more = if (names.len() as u64) < *count { ", …" } else { "" };
        let names = match names.join(", ") {
            names if names.is_empty() => names,
            names => format!(" ({names}{more})"),
        };
        unread(&archive.name, what + &names)
    };
    archives.iter().map(line).collect()
}

/// Serializes to an object with `name`, `code`, `reason` and `is_damage`; a problem from which
/// nothing is missing has no code.
impl Serialize for Unread {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut reason = self.reasons.join("; ");
        if self.more > 0 {
            reason.push_str(&format!("; {} more", self.more));
        }
        let (name, code) = (&self.name, self.kind.code());
        json!({ "name": name, "code": code, "reason": reason, "is_damage": self.is_damage() })
            .serialize(serializer)
    }
}
