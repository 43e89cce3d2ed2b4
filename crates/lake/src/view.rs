//! Events as they are at one moment: those in the table, and those that are still in the log.

use std::path::Path;

use crate::adding::lacks_nothing;
use crate::error::{LakeError, WalError};
use crate::table::{EventTable, Origins, TableFile};
use crate::wal::{ListedBatch, StoredBatch, WalReader};

/// The events of a lake at one moment. Each is in a file or in a batch, and none in both.
#[derive(Debug)]
pub struct View {
    files: Vec<TableFile>,
    last: u64,
    reader: WalReader,
}

impl View {
    /// Opens the view of the log in a file and of the table in a folder.
    ///
    /// # Errors
    /// Fails if one of them cannot be read, with [`LakeError::Foreign`] if the log is not that of the table,
    /// and with [`LakeError::Lost`] if the table lacks what it had.
    pub async fn open(log: &Path, table: &Path) -> Result<Self, LakeError> {
        // What leaves the log is in the table before. So the log is held first: what it lacks then is
        // in the table that is read after it.
        let reader = WalReader::open(log)?;
        reader.hold()?;
        let Some(table) = EventTable::find(table).await? else {
            lacks_nothing(&reader, table, 0)?;
            return Ok(Self { files: Vec::new(), last: 0, reader });
        };
        let last = table.last_number().await?;
        lacks_nothing(&reader, table.folder(), last)?;
        if reader.last_number()? < last && reader.first_number()?.is_some() {
            // Either batches came and were moved since the log is held, or it is another log, whose batches
            // must not count as moved.
            let newest = WalReader::open(log)?.last_number()?;
            if newest < last {
                let (log, table) = (log.to_owned(), table.folder().to_owned());
                return Err(LakeError::Foreign { log, table, newest, last });
            }
        }
        Ok(Self { files: table.files()?, last, reader })
    }

    /// Returns the files of the table. They stay on the disk for as long as
    /// [`EventTable::vacuum`] keeps those that stopped to count.
    #[must_use]
    pub fn files(&self) -> &[TableFile] {
        &self.files
    }

    /// Returns the batches that are not in the table and come after the batch `number`, in order: as
    /// many as [`WalReader::after`] returns.
    ///
    /// # Errors
    /// Fails if the log cannot be read.
    pub fn batches_after(
        &self,
        number: u64,
        most_bytes: u64,
    ) -> Result<Vec<StoredBatch>, WalError> {
        self.reader.after(number.max(self.last), most_bytes)
    }

    /// Returns what the batches that are not in the table are, in order.
    ///
    /// # Errors
    /// Fails if the log cannot be read.
    pub fn arrived(&self) -> Result<Vec<ListedBatch>, WalError> {
        self.reader.list_after(self.last)
    }

    /// Returns what the events say of where they are from. Files that cannot be read are left out: whoever
    /// reads their events tells of them.
    ///
    /// # Errors
    /// Fails if the log cannot be read.
    pub fn origins(&self) -> Result<Origins, WalError> {
        let mut origins = Origins::default();
        for batch in self.arrived()? {
            origins.add(batch.sourcetype.as_deref(), batch.source.as_deref());
        }
        for file in &self.files {
            // What was read of a damaged file counts.
            let _ = file.add_origins(&mut origins);
        }
        Ok(origins)
    }

    /// Returns the number of damaged batches, which were set aside and are in neither.
    ///
    /// # Errors
    /// Fails if the log cannot be read.
    pub fn set_aside(&self) -> Result<u64, WalError> {
        Ok(self.reader.size()?.set_aside)
    }

    /// Returns a batch that is not in the table.
    ///
    /// # Errors
    /// Fails if the log cannot be read.
    pub fn batch(&self, number: u64) -> Result<Option<StoredBatch>, WalError> {
        let first =
            self.reader.after(number.saturating_sub(1).max(self.last), 0)?.into_iter().next();
        Ok(first.filter(|batch| batch.number == number))
    }
}
