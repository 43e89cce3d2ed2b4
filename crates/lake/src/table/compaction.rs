//! Small files of one index and day become one, sorted so that searches read little of it.
//!
//! Memory is bounded: rows are read, sorted and written in runs. Each run is some row groups of the new
//! file, and each of these has few services, calls and times.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use deltalake_core::arrow::array::RecordBatch;
use deltalake_core::kernel::{Action, Add};
use deltalake_core::protocol::DeltaOperation;
use jiff::civil::Date;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;

use super::cluster::{ROWS_TOGETHER, Sorted, bytes_of_rows};
use super::writing::Files;
use super::{Change, EventTable, MOST_ATTEMPTS, TableFile, rows};
use crate::error::TableError;

/// Which files are rewritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compaction {
    /// The most bytes that the files that become one have together. One that alone has more than half
    /// of it stays as it is.
    pub most_bytes: u64,
    /// The least number of files that become one.
    pub least_files: usize,
    /// The most bytes, before compression, of rows that are sorted together. About twice as many are in
    /// memory.
    pub run_bytes: usize,
}

impl Default for Compaction {
    fn default() -> Self {
        Self { most_bytes: 128 << 20, least_files: 2, run_bytes: 128 << 20 }
    }
}

/// What was rewritten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compacted {
    /// The index.
    pub index: String,
    /// The day; `None` for events without a time.
    pub day: Option<Date>,
    /// The number of files that became one.
    pub files: usize,
    /// The number of their events.
    pub rows: u64,
    /// The size of the files before, in bytes.
    pub bytes_before: u64,
    /// The size of the file now, in bytes.
    pub bytes: u64,
}

impl EventTable {
    /// Rewrites small files of one index and day as one, if there are any: `None` says that there are
    /// none. Call it again for the next ones.
    ///
    /// It is one commit that changes no events. Whoever has opened the table before reads the files that
    /// were there, until [`EventTable::vacuum`] deletes them. If another process drops or rewrites one of
    /// the files at the same time, nothing is committed, and other files are looked for.
    ///
    /// # Errors
    /// Fails if a file cannot be read or written. The events are as they were. A file that cannot be read
    /// is left alone by later calls. The commit may have been made if that is what failed.
    pub async fn compact(&mut self, how: &Compaction) -> Result<Option<Compacted>, TableError> {
        for _ in 0..MOST_ATTEMPTS {
            self.catch_up().await?;
            let mut files = self.files()?;
            files.retain(|file| !self.damaged.contains(&file.path));
            let Some(chosen) = chosen(files, how) else { return Ok(None) };
            let file = self.rewritten(&chosen, how)?;
            if let Some(done) = self.replace(&chosen, file, how).await? {
                return Ok(Some(done));
            }
        }
        Err(TableError::Busy)
    }

    /// Commits that a file takes the place of others. Returns `None` if they are no longer all there.
    pub(super) async fn replace(
        &mut self,
        files: &[TableFile],
        file: Add,
        how: &Compaction,
    ) -> Result<Option<Compacted>, TableError> {
        let first = &files[0];
        let target_size = i64::try_from(how.most_bytes).unwrap_or(i64::MAX);
        let done = Compacted {
            index: first.index.clone(),
            day: first.day,
            files: files.len(),
            rows: files.iter().map(|file| file.rows).sum(),
            bytes_before: files.iter().map(|file| file.bytes).sum(),
            bytes: file.size.unsigned_abs(),
        };
        self.change(|table, _| {
            let mut actions = table.removals(files, false)?;
            if actions.len() < files.len() {
                return Ok(None);
            }
            actions.push(Action::Add(Add { data_change: false, ..file.clone() }));
            let operation = DeltaOperation::Optimize { predicate: None, target_size };
            Ok(Some((Change { actions, operation, number: None }, done.clone())))
        })
        .await
    }

    /// Writes the rows of files into one.
    pub(super) fn rewritten(
        &mut self,
        files: &[TableFile],
        how: &Compaction,
    ) -> Result<Add, TableError> {
        let (index, day) = (files[0].index.as_str(), files[0].day);
        let folder = day.map_or_else(|| rows::NO_DAY.to_owned(), |day| day.to_string());
        let mut new = Files::of(self);
        let mut runs = Runs::new(files, how.run_bytes);
        let mut written = 0;
        loop {
            let run = runs.next();
            // Half a file is deleted when it is dropped.
            let Some(run) = run.inspect_err(|error| self.damaged.extend(damaged(error)))? else {
                break;
            };
            written += run.len() as u64;
            new.write(&run, 0..run.len(), [index, &folder])?;
        }
        let expected: u64 = files.iter().map(|file| file.rows).sum();
        let mut files = new.end(self)?;
        match files.pop() {
            Some(file) if files.is_empty() && written == expected => Ok(file),
            _ => Err(TableError::Log(format!(
                "files of `{index}` with {expected} events where {written} are"
            ))),
        }
    }
}

fn damaged(error: &TableError) -> Option<PathBuf> {
    match error {
        TableError::File { path, .. } => Some(path.clone()),
        _ => None,
    }
}

/// Returns small files of one index and day that become one.
///
/// The larger one of them is, the more the others must have: so an event is rewritten only as often as
/// its file grows by half, and not for each small file that is added.
pub(super) fn chosen(files: Vec<TableFile>, how: &Compaction) -> Option<Vec<TableFile>> {
    let mut folders: BTreeMap<(String, Option<Date>), Vec<TableFile>> = BTreeMap::new();
    for file in files.into_iter().filter(|file| file.bytes <= how.most_bytes / 2) {
        folders.entry((file.index.clone(), file.day)).or_default().push(file);
    }
    folders.into_values().find_map(|mut files| {
        files.sort_by(|one, other| (one.bytes, &one.path).cmp(&(other.bytes, &other.path)));
        let (mut sum, mut most) = (0_u64, 0);
        for (at, file) in files.iter().enumerate() {
            if sum.saturating_add(file.bytes) > how.most_bytes {
                break;
            }
            if sum.saturating_mul(2) >= file.bytes {
                most = at + 1;
            }
            sum += file.bytes;
        }
        files.truncate(most);
        (files.len() >= how.least_files.max(2)).then_some(files)
    })
}

/// The rows of files, some at a time, sorted.
struct Runs {
    files: std::vec::IntoIter<PathBuf>,
    open: Option<(PathBuf, ParquetRecordBatchReader)>,
    run_bytes: usize,
}

impl Runs {
    fn new(files: &[TableFile], run_bytes: usize) -> Self {
        let files: Vec<PathBuf> = files.iter().map(|file| file.path.clone()).collect();
        Self { files: files.into_iter(), open: None, run_bytes }
    }

    /// Returns the next run: its rows in order.
    fn next(&mut self) -> Result<Option<Sorted>, TableError> {
        let (mut run, mut bytes) = (Vec::new(), 0);
        while bytes < self.run_bytes {
            let Some(rows) = self.rows()? else { break };
            bytes += bytes_of_rows(&rows);
            run.push(rows::whole(&rows)?);
        }
        Ok(Sorted::of(run)?)
    }

    /// Returns the next rows as they are in the files.
    fn rows(&mut self) -> Result<Option<RecordBatch>, TableError> {
        loop {
            if let Some((path, reader)) = &mut self.open {
                match reader.next() {
                    Some(Ok(rows)) => return Ok(Some(rows)),
                    Some(Err(error)) => return Err(unreadable(path, error.into())),
                    None => self.open = None,
                }
            } else {
                let Some(file) = self.files.next() else { return Ok(None) };
                let reader = opened(&file, self.run_bytes)?;
                self.open = Some((file, reader));
            }
        }
    }
}

/// Opens a file so that what is read of it at a time is small beside a run.
fn opened(path: &Path, run_bytes: usize) -> Result<ParquetRecordBatchReader, TableError> {
    let file = File::open(path).map_err(|error| unreadable(path, error.into()))?;
    let opened = || {
        let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new())?;
        let options = ArrowReaderOptions::new().with_schema(rows::as_views(metadata.schema()));
        ArrowReaderMetadata::try_new(metadata.metadata().clone(), options)
    };
    let metadata = opened().map_err(|error| unreadable(path, error))?;
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata);
    let groups = builder.metadata().row_groups();
    let bytes: i64 = groups.iter().map(|group| group.total_byte_size()).sum();
    let rows: i64 = groups.iter().map(|group| group.num_rows()).sum();
    let bytes_of_row = usize::try_from(bytes / rows.max(1)).unwrap_or(usize::MAX).max(1);
    let rows = (run_bytes / 8 / bytes_of_row).clamp(1, ROWS_TOGETHER);
    builder.with_batch_size(rows).build().map_err(|error| unreadable(path, error))
}

fn unreadable(path: &Path, source: ParquetError) -> TableError {
    TableError::File { path: path.to_owned(), source }
}
