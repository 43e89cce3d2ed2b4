//! The table of events: Parquet files in a folder, with a log of Delta Lake that says which of them count.
//!
//! Each commit of the log carries the number of the last batch whose events it adds. Whoever moves
//! batches from the log of arriving events looks at that number first, so that a batch comes in exactly
//! once, wherever the process was stopped.

mod rows;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use deltalake_core::arrow::array::RecordBatch;
use deltalake_core::kernel::transaction::{CommitBuilder, CommitProperties, TransactionError};
use deltalake_core::kernel::{Action, Add, Transaction};
use deltalake_core::operations::create::CreateBuilder;
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use deltalake_core::writer::{DeltaWriter, RecordBatchWriter};
use deltalake_core::{DeltaTable, DeltaTableBuilder, DeltaTableError};
use url::Url;

pub use rows::{EventRow, LEADS, RowsBuilder};

use crate::error::TableError;

/// The name under which commits carry the number of the last batch.
const BATCHES: &str = "spilltrail-batches";

/// Most attempts to commit while other processes commit, too.
const MOST_ATTEMPTS: usize = 10;

/// What became of rows that were to be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// They are in the table now.
    Now,
    /// An earlier commit added them. Nothing was written.
    Before,
}

/// A file of the table that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
}

/// The table of events.
#[derive(Debug)]
pub struct EventTable {
    folder: PathBuf,
    table: DeltaTable,
}

impl EventTable {
    /// Opens the table in a folder. The table is created if it is not there; the folder is, too.
    ///
    /// # Errors
    /// Fails if the folder cannot be used, or if its log cannot be read.
    pub async fn open(folder: &Path) -> Result<Self, TableError> {
        let failed = |source| TableError::Folder { path: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let (folder, url) = located(folder)?;
        let table = match load(&url).await? {
            Some(table) => table,
            None => create(&url).await?,
        };
        Ok(Self { folder, table })
    }

    /// Opens the table in a folder if it is there.
    ///
    /// # Errors
    /// Fails if its log cannot be read.
    pub async fn find(folder: &Path) -> Result<Option<Self>, TableError> {
        let failed = |source| TableError::Folder { path: folder.to_owned(), source };
        if !folder.try_exists().map_err(failed)? {
            return Ok(None);
        }
        let (folder, url) = located(folder)?;
        Ok(load(&url).await?.map(|table| Self { folder, table }))
    }

    /// Reads what other processes have committed.
    ///
    /// # Errors
    /// Fails if the log cannot be read.
    pub async fn refresh(&mut self) -> Result<(), TableError> {
        Ok(self.table.update_state().await?)
    }

    /// Returns the number of the last batch whose events are in the table; 0 if there is none.
    ///
    /// # Errors
    /// Fails if the log cannot be read.
    pub async fn last_number(&self) -> Result<u64, TableError> {
        let log = self.table.log_store();
        let number = self.table.snapshot()?.transaction_version(log.as_ref(), BATCHES).await?;
        Ok(number.map_or(0, i64::unsigned_abs))
    }

    /// Adds the rows of all batches after the last one, up to the batch `number`. When this returns,
    /// they are on the disk, and the batches can be removed from elsewhere.
    ///
    /// # Errors
    /// Fails if files cannot be written. The table is as before then; files that no commit names may be
    /// left.
    pub async fn append(&mut self, rows: &[RecordBatch], number: u64) -> Result<Added, TableError> {
        self.refresh().await?;
        if self.last_number().await? >= number {
            return Ok(Added::Before);
        }
        let writer = RecordBatchWriter::for_table(&self.table)?;
        let mut writer = writer.with_writer_properties(rows::properties());
        for batch in rows {
            writer.write(batch.clone()).await?;
        }
        let files = writer.flush().await?;
        // A commit must not name files that a loss of power takes away.
        files.iter().try_for_each(|file| self.sync(&self.path_of(file)))?;
        for _ in 0..MOST_ATTEMPTS {
            match self.commit(&files, number).await {
                Ok(version) => {
                    self.sync(&self.folder.join(format!("_delta_log/{version:020}.json")))?;
                    self.refresh().await?;
                    return Ok(Added::Now);
                }
                Err(error) if is_conflict(&error) => {
                    self.refresh().await?;
                    if self.last_number().await? >= number {
                        return Ok(Added::Before);
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(TableError::Busy)
    }

    async fn commit(&self, files: &[Add], number: u64) -> Result<u64, DeltaTableError> {
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        let properties = CommitProperties::default()
            .with_application_transaction(Transaction::new(BATCHES, number));
        let operation = DeltaOperation::Write {
            mode: SaveMode::Append,
            partition_by: Some(rows::PARTITIONS.map(str::to_owned).to_vec()),
            predicate: None,
        };
        let actions = files.iter().cloned().map(Action::Add).collect();
        let commit = CommitBuilder::from(properties).with_actions(actions).build(
            Some(self.table.snapshot()?),
            self.table.log_store(),
            operation,
        );
        Ok(commit.await?.version())
    }

    /// Returns the files that count.
    ///
    /// # Errors
    /// Fails if the log cannot be read.
    pub fn files(&self) -> Result<Vec<TableFile>, TableError> {
        let files = self.table.snapshot()?.log_data();
        let files = files.into_iter().map(|file| TableFile {
            path: self.folder.join(file.path().as_ref()),
            bytes: file.size().unsigned_abs(),
        });
        Ok(files.collect())
    }

    fn path_of(&self, file: &Add) -> PathBuf {
        self.folder.join(&file.path)
    }

    /// Waits until a file and its name are on the disk.
    fn sync(&self, path: &Path) -> Result<(), TableError> {
        let failed = |source| TableError::Folder { path: path.to_owned(), source };
        File::open(path).and_then(|file| file.sync_all()).map_err(failed)?;
        // The folders may be new, too.
        let above = path.ancestors().skip(1).take_while(|folder| folder.starts_with(&self.folder));
        for folder in above {
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        }
        Ok(())
    }
}

/// Returns the absolute path of a folder, and its address.
fn located(folder: &Path) -> Result<(PathBuf, Url), TableError> {
    let failed = |source| TableError::Folder { path: folder.to_owned(), source };
    let path = folder.canonicalize().map_err(failed)?;
    match Url::from_directory_path(&path) {
        Ok(url) => Ok((path, url)),
        Err(()) => Err(failed(io::ErrorKind::InvalidFilename.into())),
    }
}

/// Reads the log of a table; returns `None` if there is none.
async fn load(url: &Url) -> Result<Option<DeltaTable>, DeltaTableError> {
    match DeltaTableBuilder::from_url(url.clone())?.load().await {
        Ok(table) => Ok(Some(table)),
        Err(DeltaTableError::NotATable(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn create(url: &Url) -> Result<DeltaTable, DeltaTableError> {
    let created = CreateBuilder::new()
        .with_location(url.to_string())
        .with_columns(rows::columns())
        .with_partition_columns(rows::PARTITIONS)
        .with_configuration([(
            "delta.dataSkippingStatsColumns".to_owned(),
            Some(rows::compared().join(",")),
        )])
        .await;
    let Err(error) = created else { return created };
    // Another process may have been faster.
    load(url).await?.ok_or(error)
}

/// Returns true if another commit came first.
fn is_conflict(error: &DeltaTableError) -> bool {
    let DeltaTableError::Transaction { source } = error else { return false };
    matches!(
        source,
        TransactionError::CommitConflict(_)
            | TransactionError::VersionAlreadyExists(_)
            | TransactionError::MaxCommitAttempts(_)
    )
}
