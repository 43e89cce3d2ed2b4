//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Runs Splunk's published detections over AWS CloudTrail logs, without Splunk.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a search.
    Search(SearchOptions),
    /// Print a search with its macros expanded.
    Expand(ExpandOptions),
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for a person.
    Table,
    /// One JSON object a line.
    Ndjson,
    /// One JSON array.
    Json,
    /// Comma-separated values.
    Csv,
}

#[derive(Debug, Args)]
pub(crate) struct ContentOptions {
    /// Folder with detections, macros and lookups, laid out as security_content is.
    #[arg(long, value_name = "DIR")]
    pub(crate) content: Vec<PathBuf>,
    /// Leave the built-in detections out.
    #[arg(long)]
    pub(crate) no_builtin: bool,
    /// Define or replace a macro.
    #[arg(long = "macro", value_name = "NAME=DEFINITION")]
    pub(crate) macros: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct TimeOptions {
    /// Start of the time range: modifier, epoch or ISO 8601.
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) earliest: Option<String>,
    /// End of the time range, exclusive.
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) latest: Option<String>,
    /// The instant that counts as now: epoch or ISO 8601.
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) now: Option<String>,
    /// Time zone.
    #[arg(long, default_value = "UTC")]
    pub(crate) tz: String,
}

#[derive(Debug, Args)]
pub(crate) struct SearchOptions {
    /// The search, then logs: files, folders, globs, `-` for standard input.
    #[arg(value_name = "SPL|LOGS", allow_hyphen_values = false)]
    pub(crate) positionals: Vec<String>,
    /// Read events from this file of JSON rows instead.
    #[arg(long, value_name = "FILE")]
    pub(crate) rows: Option<PathBuf>,
    /// How results are written.
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    #[command(flatten)]
    pub(crate) content: ContentOptions,
    #[command(flatten)]
    pub(crate) time: TimeOptions,
}

#[derive(Debug, Args)]
pub(crate) struct ExpandOptions {
    /// The search.
    pub(crate) spl: String,
    #[command(flatten)]
    pub(crate) content: ContentOptions,
}
