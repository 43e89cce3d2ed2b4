//! The options of the check of content.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use spilltrail_app::check::{Level, Levels};
use spilltrail_diagnostic::Code;

use super::{ContentOptions, FilterOptions};
use crate::examples;

/// How a check is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    /// Text for a person; the default on a terminal and with --all.
    #[value(alias = "text")]
    Table,
    /// One JSON object; the default elsewhere.
    Json,
    /// SARIF 2.1.0, which code hosts show beside the lines.
    Sarif,
    /// XML as JUnit writes it, for CI: one case for each detection.
    Junit,
    /// One HTML page.
    Html,
}

/// What a check fails on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum FailOn {
    /// Warnings, what is not supported, and errors.
    Warning,
    /// What is not supported, and errors.
    Unsupported,
    /// Errors.
    Error,
}

#[derive(Debug, Args)]
#[command(after_help = examples::CHECK)]
pub(crate) struct CheckOptions {
    /// Content folders, parts of them, or files. Without any, all detections that a hunt has.
    #[arg(value_name = "CONTENT")]
    pub(crate) targets: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) filters: FilterOptions,
    /// How the report is written.
    #[arg(long, value_enum)]
    pub(crate) format: Option<CheckFormat>,
    /// Show every message with its place in the table, none counted.
    #[arg(long)]
    pub(crate) all: bool,
    /// Show only messages of this code, such as SPL2022; those of others count for the status.
    /// Repeatable.
    #[arg(long, value_name = "CODE", value_parser = code, help_heading = "Levels")]
    pub(crate) code: Vec<Code>,
    /// How warnings of a code count: `allow`, `warning` or `error`, as in SPL2022=error. Repeatable.
    #[arg(long, value_name = "CODE=LEVEL", value_parser = level, help_heading = "Levels")]
    pub(crate) level: Vec<(Code, Level)>,
    /// Leave out warnings of this code. Repeatable.
    #[arg(long, value_name = "CODE", value_parser = code, help_heading = "Levels")]
    pub(crate) allow: Vec<Code>,
    /// The severity from which on the check ends with status 3.
    #[arg(
        long,
        value_enum,
        default_value = "error",
        value_name = "SEVERITY",
        help_heading = "Levels"
    )]
    pub(crate) fail_on: FailOn,
    /// Levels of the configuration file.
    #[arg(skip)]
    pub(crate) levels: Levels,
    #[command(flatten)]
    pub(crate) content: ContentOptions,
}

fn code(text: &str) -> Result<Code, String> {
    let found = spilltrail_diagnostic::by_name(text);
    found.map(|entry| entry.code).ok_or_else(|| {
        format!("expected a code such as `SPL2022`; `spilltrail help` lists them, found `{text}`")
    })
}

fn level(text: &str) -> Result<(Code, Level), String> {
    let (name, level) =
        text.split_once('=').ok_or_else(|| format!("expected CODE=LEVEL, found `{text}`"))?;
    let found = Level::parse(level).ok_or_else(|| {
        format!("expected `allow`, `warning` or `error` after `{name}=`, found `{level}`")
    })?;
    Ok((code(name)?, found))
}
