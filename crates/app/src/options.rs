//! What a caller can ask for, as plain values.

use std::path::PathBuf;

use spilltrail_content::BuiltinPack;
use spilltrail_decode::Profile;
use spilltrail_source::{Duplicates, S3Options};
use tokio_util::sync::CancellationToken;

/// Which detections, macros and lookups there are.
#[derive(Debug, Clone)]
pub struct ContentOptions {
    /// Folders laid out as `security_content`; later ones win.
    pub folders: Vec<PathBuf>,
    /// Whether the built-in pack is part of the content.
    pub builtin: BuiltinPack,
    /// Macros as `name=definition`, which win over those of the folders.
    pub macros: Vec<String>,
}

impl Default for ContentOptions {
    fn default() -> Self {
        Self { folders: Vec::new(), builtin: BuiltinPack::Included, macros: Vec::new() }
    }
}

/// The range of time, and what counts as now.
#[derive(Debug, Clone)]
pub struct TimeOptions {
    /// Start of the range: a time modifier, epoch seconds, or ISO 8601; unbounded if `None`.
    pub earliest: Option<String>,
    /// End of the range, in the same forms; the instant itself is outside.
    pub latest: Option<String>,
    /// The instant that counts as now. If `None`, a search takes the wall clock, and a hunt the
    /// newest event's time plus one second.
    pub now: Option<String>,
    /// Name of the time zone in which times are snapped, formatted and parsed.
    pub zone: String,
}

impl Default for TimeOptions {
    fn default() -> Self {
        Self { earliest: None, latest: None, now: None, zone: "UTC".to_owned() }
    }
}

/// How logs are read.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// Which rules the fields of the AWS add-on follow.
    pub profile: Profile,
    /// The sourcetype of all events, in place of the recognized one.
    pub sourcetype: Option<String>,
    /// Whether an event that was delivered twice is left out the second time.
    pub duplicates: Duplicates,
    /// How S3 is reached.
    pub s3: S3Options,
}

/// What a hunt and a search have in common.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// The range of time, and what counts as now.
    pub time: TimeOptions,
    /// How logs are read.
    pub read: ReadOptions,
    /// The folder that keeps what `outputlookup` writes, and from which lookups are read first. If
    /// `None`, what is written lasts as long as the run.
    pub lookups: Option<PathBuf>,
    /// A MaxMind database for `iplocation`.
    pub geoip: Option<PathBuf>,
    /// Memory that all searches together may hold, in bytes. If `None`, a hunt has 56 MiB, and a search a
    /// quarter of the machine's memory, at least 256 MiB and at most 2 GiB.
    pub memory_limit: Option<usize>,
    /// Ends the run when it is cancelled.
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

/// What a hunt runs, and over what.
#[derive(Debug, Clone, Default)]
pub struct HuntOptions {
    /// Files, folders, patterns, `s3://bucket/prefix`, and `-` for standard input.
    pub logs: Vec<String>,
    /// Names, ids or file names of the detections to run; all of the content if empty.
    pub detections: Vec<String>,
    /// The id of the run, which each finding and the summary name; a random one if `None`.
    pub run_id: Option<String>,
    /// Clock, reading and limits.
    pub run: RunOptions,
}

/// What a search runs, and over what.
#[derive(Debug, Clone, Default)]
pub struct SearchOptions {
    /// The search.
    pub search: SearchText,
    /// The command before whose first use the pipeline ends.
    pub until: Option<String>,
    /// Where events come from.
    pub input: Input,
    /// Clock, reading and limits.
    pub run: RunOptions,
}

/// A search, or where it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchText {
    /// SPL.
    Spl(String),
    /// Name, id or file name of a detection.
    Detection(String),
}

impl Default for SearchText {
    fn default() -> Self {
        Self::Spl(String::new())
    }
}

/// Where the events of a search come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Logs, named as in [`HuntOptions::logs`]; with none, only searches that make their own rows run.
    Logs(Vec<String>),
    /// A file of JSON rows, one a line.
    Rows(PathBuf),
}

impl Default for Input {
    fn default() -> Self {
        Self::Logs(Vec::new())
    }
}
