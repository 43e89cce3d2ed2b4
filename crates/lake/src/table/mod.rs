//! The table of events: Parquet files in a folder, with a log of Delta Lake that says which of them count.
//!
//! Each commit that adds events carries the number of the last batch whose events it adds. Whoever moves
//! batches from the log of arriving events looks at that number first, so that a batch comes in exactly
//! once, wherever the process was stopped.
//!
//! The library never moves a commit of ours past one of another process. After a conflict, each change is
//! made anew from what the table has then ([`EventTable::change`]). Before a process commits, it waits
//! until the newest commit is on the disk, whoever made it: so all older ones are.

mod cluster;
mod compaction;
mod disk;
mod files;
mod origins;
mod retention;
mod rows;
mod stats;
#[cfg(test)]
mod tests;
mod whole;
mod writing;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use deltalake_core::arrow::array::RecordBatch;
use deltalake_core::kernel::transaction::{CommitBuilder, CommitProperties, TransactionError};
use deltalake_core::kernel::{Action, Add, Transaction};
use deltalake_core::logstore::{LogStore, get_actions};
use deltalake_core::operations::create::CreateBuilder;
use deltalake_core::protocol::{DeltaOperation, SaveMode};
use deltalake_core::{DeltaTable, DeltaTableBuilder, DeltaTableError};
use url::Url;

pub use compaction::{Compacted, Compaction};
pub use files::{IndexSize, TableFile};
pub use origins::Origins;
pub use retention::{Dropped, Vacuumed};
pub use rows::{EventRow, Raw, RowsBuilder, file_of};

use crate::error::TableError;
use cluster::Sorted;
use disk::Disk;
use writing::Files;

/// The name under which commits carry the number of the last batch.
const BATCHES: &str = "spilltrail-batches";

/// Most attempts to commit while other processes commit, too.
const MOST_ATTEMPTS: usize = 20;

/// What became of rows that were to be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// They are in the table now.
    Now,
    /// An earlier commit added them. Nothing was written.
    Before,
}

/// The table of events.
#[derive(Debug)]
pub struct EventTable {
    folder: PathBuf,
    table: DeltaTable,
    disk: Disk,
    /// The newest version that is known to be on the disk.
    synced: Option<u64>,
    /// Files that cannot be read, which are not rewritten.
    damaged: BTreeSet<PathBuf>,
}

/// What a commit changes.
struct Change {
    actions: Vec<Action>,
    operation: DeltaOperation,
    /// The number of the last batch whose events it adds.
    number: Option<u64>,
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
        whole::check_commits(&folder)?;
        let table = match load(&url).await? {
            Some(table) => table,
            None => {
                whole::check_new(&folder)?;
                create(&url).await?
            }
        };
        let mut table = Self::new(folder, table);
        table.sync_log().await?;
        Ok(table)
    }

    /// Opens the table in a folder if it is there. Nothing is written.
    ///
    /// # Errors
    /// Fails if its log cannot be read.
    pub async fn find(folder: &Path) -> Result<Option<Self>, TableError> {
        let failed = |source| TableError::Folder { path: folder.to_owned(), source };
        if !folder.try_exists().map_err(failed)? {
            return Ok(None);
        }
        let (folder, url) = located(folder)?;
        whole::check_commits(&folder)?;
        match load(&url).await? {
            Some(table) => Ok(Some(Self::new(folder, table))),
            None => whole::check_new(&folder).map(|()| None),
        }
    }

    fn new(folder: PathBuf, table: DeltaTable) -> Self {
        let disk = Disk::new(folder.clone());
        Self { folder, table, disk, synced: None, damaged: BTreeSet::new() }
    }

    /// Reads what other processes have committed.
    ///
    /// # Errors
    /// Fails if the log cannot be read.
    pub async fn refresh(&mut self) -> Result<(), TableError> {
        Ok(self.table.update_state().await?)
    }

    /// Returns the folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the number of the last commit that was read.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.table.version().unwrap_or(0)
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

    /// Adds the rows of all batches after the last one, up to the batch `number`, as [`RowsBuilder`] makes
    /// them. When this returns, they are on the disk, and the batches can be removed from elsewhere.
    ///
    /// # Errors
    /// Fails if files cannot be written. The rows may be in the table or not: call it again with the same
    /// number, which tells. Files that no commit names may be left until [`EventTable::vacuum`].
    pub async fn append(
        &mut self,
        rows: impl Into<Vec<RecordBatch>>,
        number: u64,
    ) -> Result<Added, TableError> {
        self.catch_up().await?;
        if self.last_number().await? >= number {
            return Ok(Added::Before);
        }
        let mut files = Files::of(self);
        if let Some(rows) = Sorted::of(rows.into())? {
            for places in rows.folders()? {
                let folder = rows.folder(places.start)?;
                files.write(&rows, places, folder)?;
            }
        }
        let files = files.end(self)?;
        let committed = self.change(|_, last| {
            if last >= number {
                return Ok(None);
            }
            let operation = DeltaOperation::Write {
                mode: SaveMode::Append,
                partition_by: Some(rows::PARTITIONS.map(str::to_owned).to_vec()),
                predicate: None,
            };
            let actions = files.iter().cloned().map(Action::Add).collect();
            Ok(Some((Change { actions, operation, number: Some(number) }, ())))
        });
        Ok(committed.await?.map_or(Added::Before, |()| Added::Now))
    }

    /// Commits what `make` makes of the table as it is and of the number of the last batch in it, again
    /// after each conflict. Returns what `make` tells of it once the commit is on the disk, and `None` if
    /// there is nothing to commit.
    async fn change<T>(
        &mut self,
        make: impl Fn(&Self, u64) -> Result<Option<(Change, T)>, TableError>,
    ) -> Result<Option<T>, TableError> {
        for _ in 0..MOST_ATTEMPTS {
            self.catch_up().await?;
            let last = self.last_number().await?;
            let Some((change, told)) = make(self, last)? else { return Ok(None) };
            match self.commit(change).await {
                Ok(()) => {
                    self.catch_up().await?;
                    return Ok(Some(told));
                }
                Err(error) if is_conflict(&error) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(TableError::Busy)
    }

    async fn commit(&self, change: Change) -> Result<(), DeltaTableError> {
        let mut properties = unmoved();
        if let Some(number) = change.number {
            let number = i64::try_from(number).unwrap_or(i64::MAX);
            properties = properties.with_application_transaction(Transaction::new(BATCHES, number));
        }
        let commit = CommitBuilder::from(properties).with_actions(change.actions).build(
            Some(self.table.snapshot()?),
            self.table.log_store(),
            change.operation,
        );
        commit.await.map(drop)
    }

    /// Reads what other processes have committed, and waits until it is on the disk.
    pub(crate) async fn catch_up(&mut self) -> Result<(), TableError> {
        self.refresh().await?;
        self.sync_log().await
    }

    /// Waits until the newest commit is on the disk, with its files, the checkpoint, and all folders:
    /// the process that made it may have been killed before it did so itself.
    async fn sync_log(&mut self) -> Result<(), TableError> {
        let version = self.table.version();
        let Some(newest) = version.filter(|_| version != self.synced) else { return Ok(()) };
        let mut paths = Vec::new();
        // A commit that is no longer there is in a checkpoint that is older than it was.
        if let Some(bytes) = self.table.log_store().read_commit_entry(newest).await? {
            for action in get_actions(newest, &bytes)? {
                if let Action::Add(file) = action {
                    paths.push(self.path_of(&file));
                }
            }
        }
        paths.extend(files_of_log(&self.folder.join("_delta_log"), newest)?);
        self.disk.sync_or_renew(&paths)?;
        if newest == 0 {
            self.disk.sync_name()?;
        }
        self.synced = version;
        Ok(())
    }

    fn path_of(&self, file: &Add) -> PathBuf {
        self.folder.join(&file.path)
    }
}

/// Returns the files of a version in a log, and the newest checkpoint.
fn files_of_log(log: &Path, version: u64) -> Result<Vec<PathBuf>, TableError> {
    let failed = |source| TableError::Folder { path: log.to_owned(), source };
    let version = format!("{version:020}.");
    let (mut found, mut checkpoint) = (Vec::new(), None);
    for entry in std::fs::read_dir(log).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let Some(text) = name.to_str() else { continue };
        if text.starts_with(&version) || text == "_last_checkpoint" {
            found.push(log.join(text));
        } else if text.contains(".checkpoint.") {
            checkpoint = checkpoint.max(Some(text.to_owned()));
        }
    }
    found.extend(checkpoint.map(|name| log.join(name)));
    Ok(found)
}

/// Returns how commits are made: never past one of another process.
///
/// The library would not see that two processes rewrite the same file, nor that a number was there before.
fn unmoved() -> CommitProperties {
    CommitProperties::default().with_max_retries(0)
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
        .with_commit_properties(unmoved())
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
