//! A scan of logs as plain data, from which another process can create the same scan.

use std::sync::Arc;

use datafusion::common::{Result, exec_datafusion_err};
use serde::{Deserialize, Serialize};
use spilltrail_decode::Profile;
use spilltrail_event::{ScanRequest, StopToken};

use crate::inputs::{LogFile, Place};
use crate::logs::{Duplicates, Logs, ReadOptions};
use crate::s3::{Buckets, S3Options, split_name};
use crate::stored::StoredFacts;
use crate::wanted::Wanted;

/// The files, fields and options of a scan. It holds no secrets: it has the user's S3 options, and
/// credentials are looked up by the process that reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScanDescription {
    /// The events and the fields to read.
    pub request: ScanRequest,
    /// The files in order, without those that are ruled out by their paths.
    pub files: Vec<FileDescription>,
    /// The rules by which derived fields are computed.
    pub profile: Profile,
    /// The sourcetype of all events, instead of the recognized one.
    pub sourcetype: Option<String>,
    /// The value of the field `index`, if the user named one.
    pub index: Option<String>,
    /// How events with the same `eventID` are treated.
    pub duplicates: Duplicates,
    /// Connection options for S3.
    pub s3: S3Options,
}

/// A file of a scan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FileDescription {
    /// The path, or `s3://bucket/key`; also the value of the field `source`.
    pub name: Arc<str>,
    /// The size in bytes.
    pub size: u64,
    /// What is known of a table of stored events; `None` for other files.
    #[serde(default)]
    pub stored: Option<StoredFacts>,
}

impl ScanDescription {
    pub(crate) fn of(logs: &Logs, request: &ScanRequest) -> Result<Self> {
        if logs.has_labels() && logs.stored.is_empty() {
            return Err(exec_datafusion_err!("datasets cannot be read by another process"));
        }
        let files = logs.files_for(&Wanted::of(&request.predicate));
        let files = files.into_iter().map(|index| {
            let stored = logs.stored.get(index).cloned();
            Ok(FileDescription { stored, ..describe(&logs.files()[index])? })
        });
        let options = logs.options();
        Ok(Self {
            request: request.clone(),
            files: files.collect::<Result<_>>()?,
            profile: options.profile,
            sourcetype: options.sourcetype.clone(),
            index: options.index.clone(),
            duplicates: options.duplicates,
            s3: options.s3.clone(),
        })
    }

    pub(crate) fn into_logs(self) -> Result<Logs> {
        let stop = StopToken::new();
        let mut buckets = Buckets::new(self.s3.clone(), stop.clone(), None);
        let facts: Vec<StoredFacts> =
            self.files.iter().filter_map(|file| file.stored.clone()).collect();
        let file = |file: FileDescription| {
            let place = match split_name(&file.name) {
                Some((bucket, _)) => Place::Object(buckets.get(bucket).map_err(|failure| {
                    exec_datafusion_err!("cannot read {}: {failure}", file.name)
                })?),
                None => Place::Named,
            };
            Ok(LogFile { place, name: file.name, size: file.size, is_named: false })
        };
        let files: Vec<LogFile> = self.files.into_iter().map(file).collect::<Result<_>>()?;
        let options = ReadOptions {
            profile: self.profile,
            sourcetype: self.sourcetype,
            index: self.index,
            duplicates: self.duplicates,
            s3: self.s3,
            stop,
            ..ReadOptions::default()
        };
        let are_stored = !facts.is_empty() && facts.len() == files.len();
        Ok(if are_stored {
            Logs::of_tables(files, facts, options)
        } else {
            Logs::of_files(files, options)
        })
    }
}

fn describe(file: &LogFile) -> Result<FileDescription> {
    match &file.place {
        Place::Named | Place::Object(_) => {
            Ok(FileDescription { name: file.name.clone(), size: file.size, stored: None })
        }
        // The path is not valid text, or only this process has the bytes.
        Place::Disk(_) | Place::Pipe(_) | Place::Memory(_) | Place::Kept(_) => {
            Err(exec_datafusion_err!("{} cannot be read by another process", file.name))
        }
    }
}
