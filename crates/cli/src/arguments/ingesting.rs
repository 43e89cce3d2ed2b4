//! The options of `ingest`.

use std::path::PathBuf;

use clap::Args;
use spilltrail_app::{self as app, CancellationToken};
use spilltrail_search::analysis::OF_FINDINGS;
use spilltrail_server::hec::is_index;
use spilltrail_source::{Duplicates, Wanted};

use super::{LimitOptions, S3Options};
use crate::{examples, report};

#[derive(Debug, Args)]
#[command(after_help = examples::INGEST)]
pub(crate) struct IngestOptions {
    /// Files, folders, patterns, s3://bucket/prefix, or `-` for standard input.
    #[arg(required = true, value_name = "LOGS")]
    pub(crate) logs: Vec<String>,
    /// The folder of the lake. It is created if it is not there.
    #[arg(long, value_name = "DIR")]
    pub(crate) lake: PathBuf,
    /// The index of the events.
    #[arg(long, value_name = "NAME", default_value = "main", value_parser = index)]
    pub(crate) index: String,
    /// Take all events as this sourcetype instead of recognizing them.
    #[arg(long, value_name = "NAME")]
    pub(crate) sourcetype: Option<String>,
    /// Leave out events that these logs have twice, known by their eventID.
    #[arg(long)]
    pub(crate) dedup: bool,
    #[command(flatten)]
    pub(crate) limits: LimitOptions,
    #[command(flatten)]
    pub(crate) s3: S3Options,
}

impl IngestOptions {
    /// Returns the options of the ingestion.
    pub(crate) fn ingest(&self, cancel: CancellationToken) -> app::IngestOptions {
        app::IngestOptions {
            logs: self.logs.clone(),
            lake: self.lake.clone(),
            index: self.index.clone(),
            read: app::ReadOptions {
                sourcetype: self.sourcetype.clone(),
                duplicates: if self.dedup { Duplicates::Drop } else { Duplicates::Keep },
                threads: self.limits.threads.map(|count| usize::try_from(count).unwrap_or(1)),
                notice: Some(report::notice()),
                s3: self.s3.options(),
                ..app::ReadOptions::default()
            },
            wanted: Wanted::default(),
            cancel,
        }
    }
}

/// Reads the name of an index to which logs may come: what a server writes itself is in others.
pub(crate) fn index(text: &str) -> Result<String, String> {
    if !is_index(text) {
        return Err("expected lower case letters, digits, `_` and `-`".to_owned());
    }
    if text.starts_with('_') || OF_FINDINGS.contains(&text) {
        return Err(
            "what is in this index comes from the program itself; choose another name".to_owned()
        );
    }
    Ok(text.to_owned())
}
