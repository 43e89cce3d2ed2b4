//! A scan of logs as plain data, for another process to make the same.

use std::sync::Arc;

use datafusion::common::{Result, exec_datafusion_err};
use serde::{Deserialize, Serialize};
use spilltrail_decode::Profile;
use spilltrail_event::{ScanRequest, StopToken};

use crate::inputs::{LogFile, Place};
use crate::logs::{Duplicates, Logs, ReadOptions};
use crate::s3::{Buckets, S3Options, split_name};
use crate::wanted::Wanted;

/// What is read, of which files, and how. There are no secrets in it: of S3 it has what the user said,
/// and keys come from where it is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScanDescription {
    /// Which events and which of their fields.
    pub request: ScanRequest,
    /// The files in order, without those that hold nothing that is asked for.
    pub files: Vec<FileDescription>,
    /// Which rules derived fields follow.
    pub profile: Profile,
    /// The sourcetype in place of the recognized one.
    pub sourcetype: Option<String>,
    /// The value of `index`, if it is not the default.
    pub index: Option<String>,
    /// What becomes of events with the same `eventID`.
    pub duplicates: Duplicates,
    /// How S3 is reached.
    pub s3: S3Options,
}

/// A file of a scan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileDescription {
    /// Its path, or `s3://bucket/key`; the value of `source`.
    pub name: Arc<str>,
    /// Its size in bytes.
    pub size: u64,
}

impl ScanDescription {
    pub(crate) fn of(logs: &Logs, request: &ScanRequest) -> Result<Self> {
        let files = logs.files_for(&Wanted::of(&request.predicate));
        let files = files.into_iter().map(|index| describe(&logs.files()[index]));
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
        let mut buckets = Buckets::new(self.s3.clone(), stop.clone());
        let file = |file: FileDescription| {
            let place = match split_name(&file.name) {
                Some((bucket, _)) => Place::Object(buckets.get(bucket).map_err(|failure| {
                    exec_datafusion_err!("cannot read {}: {failure}", file.name)
                })?),
                None => Place::Named,
            };
            Ok(LogFile { place, name: file.name, size: file.size })
        };
        let files = self.files.into_iter().map(file).collect::<Result<_>>()?;
        let options = ReadOptions {
            profile: self.profile,
            sourcetype: self.sourcetype,
            index: self.index,
            duplicates: self.duplicates,
            s3: self.s3,
            stop,
            ..ReadOptions::default()
        };
        Ok(Logs::of_files(files, options))
    }
}

fn describe(file: &LogFile) -> Result<FileDescription> {
    match &file.place {
        Place::Named | Place::Object(_) => {
            Ok(FileDescription { name: file.name.clone(), size: file.size })
        }
        // A path that is not text, or bytes that come once.
        Place::Disk(_) | Place::Pipe(_) => {
            Err(exec_datafusion_err!("{} cannot be read by another process", file.name))
        }
    }
}
