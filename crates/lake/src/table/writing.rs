//! Writes the files of the table.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use deltalake_core::arrow::datatypes::{Schema, SchemaRef};
use deltalake_core::kernel::Add;
use deltalake_core::writer::{DeltaWriter, RecordBatchWriter, WriteMode};

use super::cluster::Sorted;
use super::{EventTable, rows};
use crate::error::TableError;

/// Files that are being written: one for each folder.
#[derive(Debug)]
pub(super) struct Files {
    writer: RecordBatchWriter,
    /// The columns of each.
    schema: SchemaRef,
}

impl Files {
    /// Begins files of a table.
    pub(super) fn of(table: &EventTable) -> Result<Self, TableError> {
        let writer = RecordBatchWriter::for_table(&table.table)?;
        let writer = writer.with_writer_properties(rows::properties());
        let schema = writer.arrow_schema();
        let columns = schema.fields().iter();
        let columns = columns.filter(|field| !rows::PARTITIONS.contains(&field.name().as_str()));
        let schema = Arc::new(Schema::new(columns.cloned().collect::<Vec<_>>()));
        Ok(Self { writer, schema })
    }

    /// Adds rows to the file of a folder: those at places in the order.
    pub(super) async fn write(
        &mut self,
        rows: &Sorted,
        places: Range<usize>,
        [index, day]: [&str; 2],
    ) -> Result<(), TableError> {
        let names = rows::PARTITIONS.map(str::to_owned).into_iter();
        let folder = names.zip([index, day].map(Into::into)).collect();
        for part in rows.parts(places, &self.schema) {
            self.writer.write_partition(part?, &folder, WriteMode::Default).await?;
        }
        Ok(())
    }

    /// Ends the files, and waits until they are on the disk: a commit must not name files that a loss of
    /// power takes away.
    pub(super) async fn end(mut self, table: &EventTable) -> Result<Vec<Add>, TableError> {
        let files = self.writer.flush().await?;
        let paths: Vec<PathBuf> = files.iter().map(|file| table.path_of(file)).collect();
        table.disk.sync(&paths)?;
        Ok(files)
    }
}
