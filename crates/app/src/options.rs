//! Options of hunts and searches, as plain structs that the caller fills in.

use std::collections::BTreeSet;
use std::path::PathBuf;

use spilltrail_content::BuiltinPack;
use spilltrail_decode::Profile;
use spilltrail_source::{Duplicates, Notice, S3Options};
use tokio_util::sync::CancellationToken;

use crate::allow::AllowEntry;
use crate::select::Selection;

/// Selects the detections, macros and lookups that a run can use.
#[derive(Debug, Clone)]
pub struct ContentOptions {
    /// Content folders laid out like `security_content`. A later folder overrides an earlier one.
    pub folders: Vec<PathBuf>,
    /// Whether the built-in pack is loaded too.
    pub builtin: BuiltinPack,
    /// Macros as `name=definition`; they override macros from the folders.
    pub macros: Vec<String>,
}

impl Default for ContentOptions {
    fn default() -> Self {
        Self { folders: Vec::new(), builtin: BuiltinPack::Included, macros: Vec::new() }
    }
}

/// The time range, the current time, and the time zone of a run.
#[derive(Debug, Clone)]
pub struct TimeOptions {
    /// Start of the range, inclusive: a time modifier, epoch seconds, or ISO 8601. Unbounded if
    /// `None`.
    pub earliest: Option<String>,
    /// End of the range, exclusive, in the same forms. Unbounded if `None`.
    pub latest: Option<String>,
    /// The current time. If `None`, a search uses the wall clock, and a hunt uses one second after
    /// its newest event.
    pub now: Option<String>,
    /// Name of the time zone used to snap, format and parse times.
    pub zone: String,
}

impl Default for TimeOptions {
    fn default() -> Self {
        Self { earliest: None, latest: None, now: None, zone: "UTC".to_owned() }
    }
}

/// Options for reading logs.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// Which rules of the Splunk add-on for AWS determine the extracted fields.
    pub profile: Profile,
    /// Sourcetype of all events; recognized from the logs if `None`.
    pub sourcetype: Option<String>,
    /// Value of the field `index` of all events. If `None`, events of files have no index, and any
    /// log index that a search names matches them.
    pub index: Option<String>,
    /// Whether the second copy of an event that was delivered twice is skipped.
    pub duplicates: Duplicates,
    /// Number of threads that read logs; each keeps one file in memory. If `None`, one per
    /// processor, up to four.
    pub threads: Option<usize>,
    /// Called with a line of text while a server does not answer.
    pub notice: Option<Notice>,
    /// Profile, region and endpoint for reading from S3.
    pub s3: S3Options,
    /// The lake whose events are read, in place of logs.
    pub lake: Option<Lake>,
}

/// A lake whose events are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lake {
    /// The folder.
    pub folder: PathBuf,
    /// If it belongs to a server: the sourcetypes that its events may have. It may have no event yet, and
    /// has the indexes of findings even while nothing is in them.
    pub served: Option<BTreeSet<String>>,
}

impl Lake {
    /// Names the lake in a folder, whose events were brought there before.
    #[must_use]
    pub fn of_events(folder: PathBuf) -> Self {
        Self { folder, served: None }
    }
}

/// Options that hunts and searches share.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// The time range, the current time, and the time zone of a run.
    pub time: TimeOptions,
    /// Options for reading logs.
    pub read: ReadOptions,
    /// Folder to which `outputlookup` writes, and which is searched first when a lookup is read. If
    /// `None`, written lookups are discarded when the run ends.
    pub lookups: Option<PathBuf>,
    /// Path of a MaxMind database for `iplocation`.
    pub geoip: Option<PathBuf>,
    /// Memory limit for all searches together, in bytes. If `None`, a hunt gets 56 MiB. A search
    /// gets a quarter of the machine's memory, at least 256 MiB and at most 2 GiB.
    pub memory_limit: Option<usize>,
    /// Token that stops the run when the caller cancels it.
    pub cancel: CancellationToken,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            time: TimeOptions::default(),
            read: ReadOptions::default(),
            lookups: None,
            geoip: None,
            memory_limit: None,
            cancel: CancellationToken::new(),
        }
    }
}

/// Selects the detections of a hunt and the logs that it reads.
#[derive(Debug, Clone, Default)]
pub struct HuntOptions {
    /// Logs to read: files, folders, patterns, `s3://bucket/prefix`, or `-` for standard input.
    pub logs: Vec<String>,
    /// Which detections run.
    pub select: Selection,
    /// Whether baselines fill the lookups of the detections first, from the time before the range.
    pub baselines: bool,
    /// Findings that are counted and not handed on.
    pub allow: Vec<AllowEntry>,
    /// Id of the run, recorded in every finding and in the summary. Random if `None`.
    pub run_id: Option<String>,
    /// Time, reading and memory options.
    pub run: RunOptions,
}

/// Selects the search to run and the input that it reads.
#[derive(Debug, Clone, Default)]
pub struct SearchOptions {
    /// The SPL text, or the name of a detection whose search runs.
    pub search: SearchText,
    /// Name of a command: the pipeline is cut off before its first occurrence.
    pub until: Option<String>,
    /// Source of the events.
    pub input: Input,
    /// Time, reading and memory options.
    pub run: RunOptions,
}

/// A search as SPL text, or as the name of the detection that contains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchText {
    /// SPL text.
    Spl(String),
    /// Name, id or file name of a detection, whose search runs.
    Detection(String),
}

impl Default for SearchText {
    fn default() -> Self {
        Self::Spl(String::new())
    }
}

/// Source of the events of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Logs, named as in [`HuntOptions::logs`]. If the list is empty, only searches that generate
    /// their own rows can run.
    Logs(Vec<String>),
    /// Path of a file with one JSON row per line.
    Rows(PathBuf),
}

impl Default for Input {
    fn default() -> Self {
        Self::Logs(Vec::new())
    }
}
