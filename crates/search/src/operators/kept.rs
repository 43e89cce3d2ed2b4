//! Rows that are kept while a search is planned and runs, a few in memory and the others on disk.
//!
//! They are kept because they are needed more than once, or because the rest of the plan depends on
//! them.

use std::fmt;
use std::sync::{Arc, Mutex};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::DataFusionError;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use spilltrail_event::Field;

use super::gather::{HeldRows, Room};
use crate::error::lock;
use crate::rows::Rows;
use crate::rows::arrow::schema_of;
use crate::rows::styles::Styles;

/// Kept rows with their columns as SPL fields.
pub(crate) struct KeptRows {
    /// The columns in order.
    pub(crate) fields: Vec<Field>,
    /// True if a transforming command produced the rows.
    pub(crate) transformed: bool,
    /// How a plan of these rows shows their fields.
    pub(crate) styles: Styles,
    rows: Mutex<HeldRows>,
    /// The number of rows returned; later rows are left out.
    count: usize,
}

impl fmt::Debug for KeptRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptRows").field("count", &self.count).finish_non_exhaustive()
    }
}

impl KeptRows {
    /// Returns an empty list of rows, whose fields have no styles.
    pub(crate) fn new(fields: Vec<Field>, transformed: bool, environment: &RuntimeEnv) -> Self {
        let schema = schema_of(fields.iter().map(|field| (field.name.as_str(), field.kind)));
        let room = Room::in_environment(environment);
        let rows = Mutex::new(HeldRows::kept("rows", schema, &room));
        Self { fields, transformed, styles: Styles::default(), rows, count: 0 }
    }

    /// Returns kept rows with the content of `rows`.
    ///
    /// # Errors
    /// Fails if the temporary folder cannot be written to.
    pub(crate) fn of(rows: Rows, environment: &RuntimeEnv) -> Result<Self, DataFusionError> {
        let mut kept = Self::new(rows.fields, rows.transformed, environment);
        rows.batches.iter().try_for_each(|batch| kept.push(batch))?;
        Ok(kept)
    }

    /// Appends a batch.
    ///
    /// # Errors
    /// Fails if neither memory nor disk has room for it.
    pub(crate) fn push(&mut self, batch: &RecordBatch) -> Result<(), DataFusionError> {
        self.count += batch.num_rows();
        lock(&self.rows).push(batch)
    }

    /// Returns the number of rows.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Returns the first `count` rows.
    pub(crate) fn truncated(self, count: usize) -> Self {
        Self { count: self.count.min(count), ..self }
    }

    /// Returns the rows in order; may be called any number of times.
    ///
    /// # Errors
    /// Fails if the rows on disk cannot be read.
    pub(crate) fn batches(
        &self,
    ) -> Result<
        impl Iterator<Item = Result<RecordBatch, DataFusionError>> + Send + use<>,
        DataFusionError,
    > {
        let mut left = self.count;
        let replay = lock(&self.rows).replay()?;
        Ok(replay
            .map_while(move |batch| {
                // Rows after the first `count` are not used. They are not read from disk, except
                // for the one batch that `map_while` reads before it stops.
                (left > 0).then(|| {
                    let batch = batch?;
                    let rows = batch.num_rows().min(left);
                    left -= rows;
                    Ok(batch.slice(0, rows))
                })
            })
            .filter(|batch| batch.as_ref().map_or(true, |batch| batch.num_rows() > 0)))
    }

    /// Returns the rows in memory; meant for few rows.
    ///
    /// # Errors
    /// As [`KeptRows::batches`].
    pub(crate) fn in_memory(&self) -> Result<Rows, DataFusionError> {
        let batches = self.batches()?.collect::<Result<_, _>>()?;
        Ok(Rows::new(self.fields.clone(), batches, self.transformed))
    }

    /// Returns a table that contains these rows in order.
    ///
    /// # Errors
    /// Fails if DataFusion rejects the table.
    pub(crate) fn into_table(self) -> Result<Arc<dyn TableProvider>, DataFusionError> {
        let schema = schema_of(self.fields.iter().map(|field| (field.name.as_str(), field.kind)));
        let partition = Arc::new(Partition { schema: schema.clone(), rows: self });
        Ok(Arc::new(StreamingTable::try_new(schema, vec![partition])?))
    }
}

#[derive(Debug)]
struct Partition {
    schema: SchemaRef,
    rows: KeptRows,
}

impl PartitionStream for Partition {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let schema = self.schema.clone();
        match self.rows.batches() {
            Ok(batches) => {
                let stream = futures::stream::iter(batches);
                Box::pin(RecordBatchStreamAdapter::new(schema, stream))
            }
            Err(error) => {
                let stream = futures::stream::iter([Err(error)]);
                Box::pin(RecordBatchStreamAdapter::new(schema, stream))
            }
        }
    }
}
