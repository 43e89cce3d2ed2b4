//! The command line.

mod checking;
mod delivering;
mod detecting;
mod fields;
mod ingesting;
mod serving;
mod testing;
mod working;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use spilltrail_app::{self as app, AllowEntry, CancellationToken};
use spilltrail_content::BuiltinPack;
use spilltrail_source::{Duplicates, EndpointError};

use crate::{examples, report};
pub(crate) use checking::{CheckFormat, CheckOptions, FailOn};
pub(crate) use delivering::{DeliveriesCommand, DeliveriesListOptions, DeliveriesRepeatOptions};
pub(crate) use detecting::{DetectionsCommand, DetectionsListOptions, DetectionsShowOptions};
pub(crate) use fields::FieldsOptions;
pub(crate) use ingesting::{IngestOptions, index};
pub(crate) use serving::{
    DataOptions, Listen, ServeOptions, TokenAddOptions, TokenCommand, TokenListOptions,
    TokenNamedOptions, listen,
};
pub(crate) use testing::{ReplayOptions, TestFormat, TestOptions};
pub(crate) use working::{
    AllowAddOptions, AllowCommand, AllowListOptions, AllowRemoveOptions, AssignOptions,
    BackupOptions, ChangedOptions, CloseOptions, CommentOptions, FindingsCommand,
    FindingsListOptions, FindingsShowOptions, IndexOptions, OwnUrgency, ReopenOptions,
    RestoreOptions, RiskOptions, ScheduleCommand, ScheduleEnableOptions, ScheduleListOptions,
    ScheduleResetOptions, ScheduleRunsOptions, ScheduleSetOptions, SetOptions, level,
};

/// The most threads that read logs.
pub(crate) const MAX_THREADS: u64 = 256;

/// What the program ends with.
const STATUSES: &str = "\
Exit status:
    0  it ran
    1  it ran, but part of the logs or content could not be used
    2  it could not run, or no event was read
    3  --fail-on-finding, and there are findings; `check` found an error; or a test failed
  129  SIGHUP ended it (its terminal was closed)
  130  SIGINT ended it (Ctrl-C)
  131  SIGQUIT ended it (Ctrl-\\)
  143  SIGTERM ended it";

/// Returns what follows the options in the help of the program.
fn program_help() -> String {
    format!("{}\n\n{STATUSES}\n\n{}", examples::PROGRAM, examples::ENVIRONMENT)
}

/// Runs Splunk's published detections over AWS CloudTrail logs, without Splunk.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100, disable_help_subcommand = true, after_help = program_help())]
pub(crate) struct Arguments {
    /// Configuration file, instead of SPILLTRAIL_CONFIG or the one in the user's configuration
    /// folder.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// When to use colors.
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "WHEN")]
    pub(crate) color: Colors,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// When to use colors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colors {
    /// On a terminal, unless NO_COLOR is set; elsewhere if CLICOLOR_FORCE is set.
    Auto,
    /// Always, for example for `less -R`.
    Always,
    /// Never.
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a search over logs, or the search of a detection.
    Search(SearchOptions),
    /// Run detections over logs and print what they find.
    Hunt(HuntOptions),
    /// Check detections without logs: does each parse, run, and get the fields that it reads?
    Check(CheckOptions),
    /// Run the tests that detections have in their files.
    Test(TestOptions),
    /// Bring logs into a lake, which later searches and hunts read.
    Ingest(IngestOptions),
    /// Keep events that come in, run detections on their schedules, and store what they find.
    Serve(Box<ServeOptions>),
    /// List what a server found, show a finding, and say what became of it.
    #[command(subcommand)]
    Findings(FindingsCommand),
    /// List what has the most risk, or what raised it.
    Risk(RiskOptions),
    /// List what runs when and how runs went; enable, disable and set schedules.
    #[command(subcommand)]
    Schedule(ScheduleCommand),
    /// List, add and remove what is known to be harmless.
    #[command(subcommand)]
    Allow(AllowCommand),
    /// List what was sent to outputs, and send it again.
    #[command(subcommand)]
    Deliveries(DeliveriesCommand),
    /// List the indexes of a lake, and how much is in each.
    Index(IndexOptions),
    /// Copy the data folder of a server, while it runs or not.
    Backup(BackupOptions),
    /// Make a data folder from a copy.
    Restore(RestoreOptions),
    /// Make, list and remove the tokens of senders of events.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Write or send logs again as if they happened now.
    Replay(ReplayOptions),
    /// List detections, or show one.
    #[command(subcommand, after_help = examples::DETECTIONS)]
    Detections(DetectionsCommand),
    /// List the fields that the events of logs have, with their most frequent values.
    Fields(FieldsOptions),
    /// Print a search with its macros expanded.
    Expand(ExpandOptions),
    /// Format SPL: one command a line, subsearches indented, long commands wrapped.
    Fmt(FmtOptions),
    /// Print the settings in force, and where each comes from.
    Config(ConfigOptions),
    /// Explain an SPL command, a function, a diagnostic code such as SPL2001, or a command of this program.
    #[command(after_help = examples::HELP)]
    Help {
        /// What to explain; without it, everything there is to explain is listed.
        topic: Vec<String>,
    },
    /// Print a script that completes commands and options in a shell.
    #[command(after_help = examples::COMPLETIONS)]
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Print the manual page of the program, or of one of its commands.
    #[command(after_help = examples::MAN)]
    Man {
        /// The command, such as `hunt` or `detections list`.
        command: Vec<String>,
        /// Write the pages of the program and of all its commands into this folder.
        #[arg(long, value_name = "DIR", conflicts_with = "command")]
        dir: Option<PathBuf>,
    },
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for a person; the default on a terminal.
    #[value(alias = "text")]
    Table,
    /// One JSON object a line; the default elsewhere.
    Ndjson,
    /// One JSON array.
    Json,
    /// Comma-separated values; cells that begin like formulas are defused.
    Csv,
}

/// How a detection, or the settings, are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ShowFormat {
    /// Text for a person.
    #[value(alias = "table")]
    Text,
    /// One JSON object.
    #[value(alias = "ndjson")]
    Json,
}

/// Which rules the fields of the AWS add-on follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Profile {
    /// The add-on's fields, filled wherever some version of it fills them.
    Superset,
    /// Exactly those of version 7.0.
    #[value(name = "ta-7.0")]
    Ta70,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Content")]
pub(crate) struct ContentOptions {
    /// Folder laid out as security_content: detections/, macros/, lookups/, stories/. Repeatable;
    /// later ones win.
    #[arg(long, value_name = "DIR")]
    pub(crate) content: Vec<PathBuf>,
    /// Leave the built-in detections out.
    #[arg(long)]
    pub(crate) no_builtin: bool,
    /// Define or replace a macro, for example to tune a `*_filter`. Repeatable.
    #[arg(long = "macro", value_name = "NAME=DEFINITION")]
    pub(crate) macros: Vec<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Time")]
pub(crate) struct TimeOptions {
    /// Start of the time range: a modifier such as -24h@h, epoch seconds, or ISO 8601 such as
    /// 2026-03-17 or 2026-03-17T08:30:00Z.
    #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
    pub(crate) earliest: Option<String>,
    /// End of the time range, written as --earliest; the instant itself is outside.
    #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
    pub(crate) latest: Option<String>,
    /// The instant that counts as now, written as --earliest.
    #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
    pub(crate) now: Option<String>,
    /// Time zone of snapping, formatting and parsing.
    #[arg(long, default_value = "UTC", value_name = "ZONE")]
    pub(crate) tz: String,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Reading")]
pub(crate) struct ReadOptions {
    /// Which rules the fields of the AWS add-on follow.
    #[arg(long, value_enum, default_value = "superset")]
    pub(crate) profile: Profile,
    /// Take all events as this sourcetype instead of recognizing them.
    #[arg(long, value_name = "NAME")]
    pub(crate) sourcetype: Option<String>,
    /// The index of all events. Without it files have none, and any log index matches them.
    #[arg(long, value_name = "NAME")]
    pub(crate) index: Option<String>,
    /// Leave out events that were delivered before, known by their eventID.
    #[arg(long)]
    pub(crate) dedup: bool,
    /// Read the events of the lake in this folder, in place of logs.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["sourcetype", "index"])]
    pub(crate) lake: Option<PathBuf>,
    /// MaxMind database for iplocation.
    #[arg(long, value_name = "FILE")]
    pub(crate) geoip: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) limits: LimitOptions,
    #[command(flatten)]
    pub(crate) s3: S3Options,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitOptions {
    /// Memory that searches may hold in all; beyond it they spill to disk. Default: 56 for `hunt`, which
    /// from 256 on runs two detections at a time; else a quarter of the machine's memory, at least 256 and
    /// at most 2048. Tables of lookups count; without this option, they have that quarter to themselves in
    /// a hunt.
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) memory_limit: Option<u64>,
    /// Threads that read logs; each holds one file in memory. Default: one per processor, up to 4.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=MAX_THREADS))]
    pub(crate) threads: Option<u64>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "S3")]
pub(crate) struct S3Options {
    /// Sign with the keys of this profile of the AWS command line.
    #[arg(long, value_name = "NAME", conflicts_with = "s3_anonymous")]
    pub(crate) s3_profile: Option<String>,
    /// Region of the buckets.
    #[arg(long, value_name = "REGION")]
    pub(crate) s3_region: Option<String>,
    /// Server in place of AWS, such as http://127.0.0.1:9000.
    #[arg(long, value_name = "URL", value_parser = endpoint)]
    pub(crate) s3_endpoint: Option<String>,
    /// Do not sign requests, for public buckets.
    #[arg(long)]
    pub(crate) s3_anonymous: bool,
    /// Pay for the requests to buckets whose owner does not.
    #[arg(long, conflicts_with = "s3_anonymous")]
    pub(crate) s3_requester_pays: bool,
}

/// Options of the commands that read logs.
#[derive(Debug, Args)]
pub(crate) struct SharedOptions {
    #[command(flatten)]
    pub(crate) content: ContentOptions,
    /// Keep what outputlookup writes in this folder, and read lookups from there first.
    #[arg(long, value_name = "DIR", help_heading = "Content")]
    pub(crate) lookups: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) time: TimeOptions,
    #[command(flatten)]
    pub(crate) read: ReadOptions,
}

#[derive(Debug, Args)]
#[command(after_help = examples::SEARCH)]
pub(crate) struct SearchOptions {
    /// The search (not with --detection), then logs: files, folders, patterns, s3://bucket/prefix, `-`.
    #[arg(value_name = "SPL LOGS")]
    pub(crate) positionals: Vec<String>,
    /// Run the search of this detection, by name or id.
    #[arg(long, value_name = "NAME")]
    pub(crate) detection: Option<String>,
    /// End the pipeline before the first use of this command.
    #[arg(long, value_name = "COMMAND")]
    pub(crate) until: Option<String>,
    /// Print what the search cost, to standard error.
    #[arg(long)]
    pub(crate) costs: bool,
    /// Read events from this file of JSON rows instead of logs, for trying things.
    #[arg(long, value_name = "FILE")]
    pub(crate) rows: Option<PathBuf>,
    /// How results are written.
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// The most rows to print, 0 for all. Default: on a terminal 100, or records of about 100
    /// lines; elsewhere all.
    #[arg(long, value_name = "ROWS")]
    pub(crate) limit: Option<u64>,
    #[command(flatten)]
    pub(crate) shared: SharedOptions,
}

#[derive(Debug, Args)]
#[command(after_help = examples::EXPAND)]
pub(crate) struct ExpandOptions {
    /// The search.
    #[arg(required_unless_present = "detection", conflicts_with = "detection")]
    pub(crate) spl: Option<String>,
    /// Expand the search of this detection, by name or id.
    #[arg(long, value_name = "NAME")]
    pub(crate) detection: Option<String>,
    #[command(flatten)]
    pub(crate) content: ContentOptions,
}

/// Which detections; a detection must meet all filters that are given.
#[derive(Debug, Args)]
#[command(next_help_heading = "Detections")]
pub(crate) struct FilterOptions {
    /// Only this detection, by name, id or file name; `*` stands for any characters. Repeatable.
    #[arg(long, value_name = "NAME")]
    pub(crate) detection: Vec<String>,
    /// Only detections of this type: TTP, Anomaly, Hunting or Correlation. Repeatable.
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) types: Vec<String>,
    /// Only detections with at least this risk score.
    #[arg(long, value_name = "SCORE")]
    pub(crate) min_score: Option<u32>,
    /// Only detections of this analytic story; `*` stands for any characters. Repeatable.
    #[arg(long, value_name = "STORY")]
    pub(crate) story: Vec<String>,
    /// Only detections of this ATT&CK technique, such as T1078, with its subtechniques. Repeatable.
    #[arg(long, value_name = "ID")]
    pub(crate) technique: Vec<String>,
    /// Leave this detection out, named as with --detection. Repeatable.
    #[arg(long, value_name = "NAME")]
    pub(crate) exclude: Vec<String>,
}

impl FilterOptions {
    /// Returns the selection of detections.
    pub(crate) fn selection(&self) -> app::Selection {
        app::Selection {
            detections: self.detection.clone(),
            types: self.types.clone(),
            min_score: self.min_score,
            stories: self.story.clone(),
            techniques: self.technique.clone(),
            exclude: self.exclude.clone(),
        }
    }
}

#[derive(Debug, Args)]
#[command(
    after_help = examples::HUNT,
    override_usage = "spilltrail hunt [OPTIONS] <LOGS>...\n       spilltrail hunt [OPTIONS] --lake <DIR>"
)]
pub(crate) struct HuntOptions {
    /// Files, folders, patterns, s3://bucket/prefix, or `-` for standard input.
    #[arg(required_unless_present = "lake", conflicts_with = "lake", value_name = "LOGS")]
    pub(crate) logs: Vec<String>,
    #[command(flatten)]
    pub(crate) filters: FilterOptions,
    /// First run the baselines that fill lookups of these detections, over what is before --earliest.
    #[arg(long, requires = "earliest")]
    pub(crate) baselines: bool,
    /// How findings are written: for a person on a terminal, else one JSON object a line.
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// Add what was read, what was skipped and what became of each detection.
    #[arg(long)]
    pub(crate) summary: bool,
    /// Print what the run and each detection cost, to standard error.
    #[arg(long)]
    pub(crate) costs: bool,
    /// Print how the logs would be read for all detections in one pass, and read nothing.
    #[arg(long)]
    pub(crate) explain_scan: bool,
    /// Show every finding and every detection, none folded into a count.
    #[arg(long)]
    pub(crate) all: bool,
    /// End with status 1 if a detection uses what is not supported.
    #[arg(long)]
    pub(crate) strict: bool,
    /// End with status 3 if there are findings.
    #[arg(long)]
    pub(crate) fail_on_finding: bool,
    /// The id of this run, named in each finding and in the summary. Default: a random one.
    #[arg(long, value_name = "ID")]
    pub(crate) run_id: Option<String>,
    /// Findings that the configuration file allows.
    #[arg(skip)]
    pub(crate) allow: Vec<AllowEntry>,
    #[command(flatten)]
    pub(crate) shared: SharedOptions,
}

#[derive(Debug, Args)]
#[command(after_help = examples::FMT)]
pub(crate) struct FmtOptions {
    /// Files of SPL or YAML, and folders with files that end in .spl, .yml or .yaml; in YAML, the key
    /// `search` is formatted. `-`, or nothing: from standard input to standard output.
    #[arg(value_name = "FILES")]
    pub(crate) paths: Vec<PathBuf>,
    /// Write nothing, print the differences, and end with status 1 if there are any.
    #[arg(long)]
    pub(crate) check: bool,
    /// What standard input is written in.
    #[arg(long, value_enum, default_value = "spl", value_name = "LANGUAGE")]
    pub(crate) stdin: Language,
}

/// What standard input is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    /// One search.
    Spl,
    /// YAML, whose key `search` is formatted.
    Yaml,
}

#[derive(Debug, Args)]
#[command(after_help = examples::CONFIG)]
pub(crate) struct ConfigOptions {
    /// How the settings are written. Default: text on a terminal, else JSON.
    #[arg(long, value_enum)]
    pub(crate) format: Option<ShowFormat>,
    #[command(flatten)]
    pub(crate) content: ContentOptions,
    /// Keep what outputlookup writes in this folder, and read lookups from there first.
    #[arg(long, value_name = "DIR", help_heading = "Content")]
    pub(crate) lookups: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) limits: LimitOptions,
}

fn endpoint(text: &str) -> Result<String, EndpointError> {
    spilltrail_source::check_endpoint(text).map(|()| text.to_owned())
}

impl SharedOptions {
    /// Returns the options of a run that `cancel` stops.
    fn run(&self, cancel: CancellationToken) -> app::RunOptions {
        let Self { time, read, lookups, .. } = self;
        app::RunOptions {
            time: app::TimeOptions {
                earliest: time.earliest.clone(),
                latest: time.latest.clone(),
                now: time.now.clone(),
                zone: time.tz.clone(),
            },
            read: app::ReadOptions {
                profile: read.profile.rules(),
                sourcetype: read.sourcetype.clone(),
                index: read.index.clone(),
                duplicates: if read.dedup { Duplicates::Drop } else { Duplicates::Keep },
                threads: read.limits.threads.map(|threads| usize::try_from(threads).unwrap_or(1)),
                notice: Some(report::notice()),
                s3: read.s3.options(),
                lake: read.lake.clone().map(app::Lake::of_events),
            },
            lookups: lookups.clone(),
            geoip: read.geoip.clone(),
            memory_limit: read.limits.memory_limit.map(bytes),
            cancel,
        }
    }
}

impl Profile {
    fn rules(self) -> app::Profile {
        match self {
            Self::Superset => app::Profile::Superset,
            Self::Ta70 => app::Profile::Ta70,
        }
    }
}

fn bytes(mebibytes: u64) -> usize {
    usize::try_from(mebibytes).unwrap_or(usize::MAX).saturating_mul(1 << 20)
}

impl S3Options {
    fn options(&self) -> spilltrail_source::S3Options {
        spilltrail_source::S3Options {
            profile: self.s3_profile.clone(),
            region: self.s3_region.clone(),
            endpoint: self.s3_endpoint.clone(),
            anonymous: self.s3_anonymous,
            requester_pays: self.s3_requester_pays,
        }
    }
}

impl ContentOptions {
    /// Returns the content options.
    pub(crate) fn content(&self) -> app::ContentOptions {
        app::ContentOptions {
            folders: self.content.clone(),
            builtin: if self.no_builtin { BuiltinPack::LeftOut } else { BuiltinPack::Included },
            macros: self.macros.clone(),
        }
    }
}

impl ContentOptions {
    /// Returns the content options of a server, which has rules for the risk of its findings.
    pub(crate) fn of_server(&self) -> app::ContentOptions {
        let content = self.content();
        match content.builtin {
            BuiltinPack::LeftOut => content,
            _ => app::ContentOptions { builtin: BuiltinPack::WithRiskRules, ..content },
        }
    }
}

impl HuntOptions {
    /// Returns the hunt options.
    pub(crate) fn hunt(&self, cancel: CancellationToken) -> app::HuntOptions {
        app::HuntOptions {
            logs: self.logs.clone(),
            select: self.filters.selection(),
            baselines: self.baselines,
            allow: self.allow.clone(),
            run_id: self.run_id.clone(),
            run: self.shared.run(cancel),
        }
    }
}

impl SearchOptions {
    /// Returns the search options; `None` if the arguments contain no search.
    pub(crate) fn search(&self, cancel: CancellationToken) -> Option<app::SearchOptions> {
        let (search, logs) = match (&self.detection, self.positionals.split_first()) {
            (Some(name), _) => (app::SearchText::Detection(name.clone()), &self.positionals[..]),
            (None, Some((spl, logs))) => (app::SearchText::Spl(spl.clone()), logs),
            (None, None) => return None,
        };
        let input = match &self.rows {
            Some(path) => app::Input::Rows(path.clone()),
            None => app::Input::Logs(logs.to_vec()),
        };
        let run = self.shared.run(cancel);
        Some(app::SearchOptions { search, until: self.until.clone(), input, run })
    }
}
