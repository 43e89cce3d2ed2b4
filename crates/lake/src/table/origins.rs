//! Which sourcetypes and sources the events of a file name.

use std::collections::BTreeSet;
use std::fs::File;

use deltalake_core::arrow::array::{Array, AsArray};
use deltalake_core::arrow::compute::cast;
use deltalake_core::arrow::datatypes::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;
use spilltrail_event::stored;

use super::TableFile;
use crate::error::TableError;

/// What senders and logs say of where events are from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins {
    /// The sourcetypes that senders gave events. Those that are recognized from the text are not among
    /// them.
    pub sourcetypes: BTreeSet<String>,
    /// The sources: of one with `/`, all up to the last of them, because each file of a folder is a source.
    pub sources: BTreeSet<String>,
    /// Whether there are more sources than these.
    pub has_more_sources: bool,
}

/// The most sources that are told apart: a sender may have one for each request.
const MOST_SOURCES: usize = 10_000;

impl Origins {
    /// Adds what an event, or a batch of them, says.
    pub fn add(&mut self, sourcetype: Option<&str>, source: Option<&str>) {
        let add = |found: &mut BTreeSet<String>, name: &str| {
            if !found.contains(name) {
                found.insert(name.to_owned());
            }
        };
        if let Some(name) = sourcetype {
            add(&mut self.sourcetypes, name);
        }
        if let Some(name) = source {
            let folder = name.rfind('/').map_or(name, |end| &name[..=end]);
            if self.sources.len() < MOST_SOURCES {
                add(&mut self.sources, folder);
            } else {
                self.has_more_sources |= !self.sources.contains(folder);
            }
        }
    }
}

impl TableFile {
    /// Adds what the events of the file say.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn add_origins(&self, origins: &mut Origins) -> Result<(), TableError> {
        let failed = |source: ParquetError| TableError::File { path: self.path.clone(), source };
        let file = File::open(&self.path).map_err(|error| failed(error.into()))?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(failed)?;
        let columns = [stored::SOURCETYPE, stored::SOURCE];
        let columns = ProjectionMask::columns(reader.parquet_schema(), columns);
        let reader = reader.with_projection(columns).build().map_err(failed)?;
        for batch in reader {
            let batch = batch?;
            // Other programs that rewrite files may keep texts in another form.
            let text = |name: &str| {
                let column = batch.column_by_name(name)?;
                cast(column, &DataType::Utf8).ok()
            };
            let columns = [stored::SOURCETYPE, stored::SOURCE].map(text);
            let value = |column: usize, row: usize| {
                let column = columns[column].as_ref()?.as_string::<i32>();
                column.is_valid(row).then(|| column.value(row))
            };
            let mut last = None;
            for row in 0..batch.num_rows() {
                let next = (value(0, row), value(1, row));
                // Neighbors are mostly from the same place.
                if last != Some(next) {
                    origins.add(next.0, next.1);
                    last = Some(next);
                }
            }
        }
        Ok(())
    }
}
