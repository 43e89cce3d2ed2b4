//! The options of the commands that test detections.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use spilltrail_app::{self as app, CancellationToken};

use super::{ContentOptions, FilterOptions, LimitOptions, MAX_THREADS, Profile, S3Options, bytes};
use crate::{examples, report};

/// How the outcome of tests is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TestFormat {
    /// Text for a person.
    #[value(alias = "text")]
    Table,
    /// XML as JUnit writes it, for CI.
    Junit,
    /// One JSON object.
    Json,
}

#[derive(Debug, Args)]
#[command(after_help = examples::TEST)]
pub(crate) struct TestOptions {
    /// Content folders whose detections are tested; as --content. Without any, the built-in
    /// detections are tested.
    #[arg(value_name = "DIR")]
    pub(crate) folders: Vec<PathBuf>,
    /// Folder with copies of the datasets that tests name by URL, laid out as they are below
    /// `datasets/` in the repository of published datasets. Repeatable.
    #[arg(long, value_name = "DIR")]
    pub(crate) datasets: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) filters: FilterOptions,
    /// Only detections that changed since this revision of Git, or whose logs, macros, lookups,
    /// event types or data models did; committed or not.
    #[arg(long, value_name = "REVISION", help_heading = "Detections")]
    pub(crate) changed: Option<String>,
    /// Run experimental and manual tests, too, and those of experimental, deprecated and removed
    /// detections.
    #[arg(long)]
    pub(crate) experimental: bool,
    /// How the outcome is written.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: TestFormat,
    /// Show every test in the table, none folded into a count.
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) content: ContentOptions,
    /// The instant that counts as now, as a time modifier, epoch seconds, or ISO 8601. Default: a
    /// second after the newest event of each test.
    #[arg(long, allow_hyphen_values = true, value_name = "TIME", help_heading = "Time")]
    pub(crate) now: Option<String>,
    /// Time zone of snapping, formatting and parsing.
    #[arg(long, default_value = "UTC", value_name = "ZONE", help_heading = "Time")]
    pub(crate) tz: String,
    /// Which rules the fields of the AWS add-on follow.
    #[arg(long, value_enum, default_value = "superset", help_heading = "Reading")]
    pub(crate) profile: Profile,
    /// MaxMind database for iplocation.
    #[arg(long, value_name = "FILE", help_heading = "Reading")]
    pub(crate) geoip: Option<PathBuf>,
    /// Memory that the searches of all tests may hold; beyond it they spill to disk. Default: 56 for
    /// each test. With less than 32 for each, fewer run at the same time.
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Limits")]
    pub(crate) memory_limit: Option<u64>,
    /// Tests that run at the same time. Default: one per processor.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=MAX_THREADS), help_heading = "Limits")]
    pub(crate) threads: Option<u64>,
}

#[derive(Debug, Args)]
#[command(after_help = examples::REPLAY)]
pub(crate) struct ReplayOptions {
    /// Files, folders, patterns, s3://bucket/prefix, or `-` for standard input. Each line of a text
    /// without JSON is an event; in folders, of files that end in .log, .txt or .xml.
    #[arg(required = true, value_name = "LOGS")]
    pub(crate) logs: Vec<String>,
    /// Write to this file instead of standard output, one event a line. It must not exist yet.
    #[arg(long, value_name = "FILE", conflicts_with = "hec")]
    pub(crate) output: Option<PathBuf>,
    /// Send to this HTTP event collector, such as https://splunk:8088; SPILLTRAIL_HEC_TOKEN has its
    /// token.
    #[arg(long, value_name = "URL")]
    pub(crate) hec: Option<String>,
    /// Do not check the certificate of the collector.
    #[arg(long, requires = "hec")]
    pub(crate) insecure: bool,
    /// Leave all times as they are.
    #[arg(long, conflicts_with = "now")]
    pub(crate) keep_times: bool,
    /// The instant to which the newest event is moved, as a time modifier, epoch seconds, or ISO 8601.
    /// Default: now.
    #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
    pub(crate) now: Option<String>,
    /// The source of all events for the collector, instead of the names of their files.
    #[arg(long, value_name = "NAME", requires = "hec")]
    pub(crate) source: Option<String>,
    /// The sourcetype of all events, instead of the one that is recognized. It also says which numbers
    /// in an event are times; without --hec, that is all.
    #[arg(long, value_name = "NAME")]
    pub(crate) sourcetype: Option<String>,
    /// The host of all events for the collector.
    #[arg(long, value_name = "NAME", requires = "hec")]
    pub(crate) host: Option<String>,
    /// The index of all events for the collector. Without it, the collector chooses.
    #[arg(long, value_name = "NAME", requires = "hec")]
    pub(crate) index: Option<String>,
    #[command(flatten)]
    pub(crate) limits: LimitOptions,
    #[command(flatten)]
    pub(crate) s3: S3Options,
}

impl TestOptions {
    /// Returns the content options: the folders to test are content, too.
    pub(crate) fn content(&self) -> ContentOptions {
        let mut content = self.content.clone();
        content.content.extend(self.folders.iter().cloned());
        content
    }

    /// Returns the options of the tests.
    pub(crate) fn test(&self, cancel: CancellationToken) -> app::TestOptions {
        app::TestOptions {
            select: self.filters.selection(),
            // Who names a folder does not want to test the built-in pack.
            only_folders: !self.content().content.is_empty(),
            changed: self.changed.clone(),
            datasets: self.datasets.clone(),
            experimental: self.experimental,
            at_a_time: self.threads.map(|threads| usize::try_from(threads).unwrap_or(1)),
            run: app::RunOptions {
                time: app::TimeOptions {
                    now: self.now.clone(),
                    zone: self.tz.clone(),
                    ..app::TimeOptions::default()
                },
                read: app::ReadOptions {
                    profile: self.profile.rules(),
                    ..app::ReadOptions::default()
                },
                geoip: self.geoip.clone(),
                memory_limit: self.memory_limit.map(bytes),
                cancel,
                ..app::RunOptions::default()
            },
        }
    }
}

impl ReplayOptions {
    /// Returns the options of the replay.
    pub(crate) fn replay(&self, cancel: CancellationToken) -> app::ReplayOptions {
        let label = |text: &Option<String>| text.as_deref().map(Into::into);
        app::ReplayOptions {
            logs: self.logs.clone(),
            labels: app::Labels {
                source: label(&self.source),
                sourcetype: label(&self.sourcetype),
                host: label(&self.host),
                index: label(&self.index),
            },
            keeps_times: self.keep_times,
            run: app::RunOptions {
                time: app::TimeOptions { now: self.now.clone(), ..app::TimeOptions::default() },
                read: app::ReadOptions {
                    threads: self.limits.threads.map(|count| usize::try_from(count).unwrap_or(1)),
                    notice: Some(report::notice()),
                    s3: self.s3.options(),
                    ..app::ReadOptions::default()
                },
                memory_limit: self.limits.memory_limit.map(bytes),
                cancel,
                ..app::RunOptions::default()
            },
        }
    }
}
