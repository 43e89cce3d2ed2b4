//! Rows that are kept while a search is planned and runs, because they are needed more than once, or show
//! what the rest of the plan is: few of them in memory, the others on disk.

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

/// Rows with SPL's view of their columns.
pub(crate) struct KeptRows {
    /// The columns in order.
    pub(crate) fields: Vec<Field>,
    /// True if a transforming command made them.
    pub(crate) transformed: bool,
    rows: Mutex<HeldRows>,
    /// How many rows are given; the others are left out.
    count: usize,
}

impl fmt::Debug for KeptRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptRows").field("count", &self.count).finish_non_exhaustive()
    }
}

impl KeptRows {
    /// Returns no rows yet.
    pub(crate) fn new(fields: Vec<Field>, transformed: bool, environment: &RuntimeEnv) -> Self {
        let schema = schema_of(fields.iter().map(|field| (field.name.as_str(), field.kind)));
        let room = Room::in_environment(environment);
        let rows = Mutex::new(HeldRows::kept("rows", schema, &room));
        Self { fields, transformed, rows, count: 0 }
    }

    /// Returns rows that are in memory.
    ///
    /// # Errors
    /// Fails if the temporary folder cannot be written to.
    pub(crate) fn of(rows: Rows, environment: &RuntimeEnv) -> Result<Self, DataFusionError> {
        let mut kept = Self::new(rows.fields, rows.transformed, environment);
        rows.batches.iter().try_for_each(|batch| kept.push(batch))?;
        Ok(kept)
    }

    /// Keeps a batch.
    ///
    /// # Errors
    /// Fails if there is room neither in memory nor on disk.
    pub(crate) fn push(&mut self, batch: &RecordBatch) -> Result<(), DataFusionError> {
        self.count += batch.num_rows();
        lock(&self.rows).push(batch)
    }

    /// Returns how many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Returns the first `count` rows.
    pub(crate) fn truncated(self, count: usize) -> Self {
        Self { count: self.count.min(count), ..self }
    }

    /// Returns the rows in order; they can be had as often as they are needed.
    ///
    /// # Errors
    /// Fails if what is on disk cannot be read.
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
                // What is left out is not read from disk either.
                (left > 0).then(|| {
                    let batch = batch?;
                    let rows = batch.num_rows().min(left);
                    left -= rows;
                    Ok(batch.slice(0, rows))
                })
            })
            .filter(|batch| batch.as_ref().map_or(true, |batch| batch.num_rows() > 0)))
    }

    /// Returns the rows in memory; for few rows.
    ///
    /// # Errors
    /// As [`KeptRows::batches`].
    pub(crate) fn in_memory(&self) -> Result<Rows, DataFusionError> {
        let batches = self.batches()?.collect::<Result<_, _>>()?;
        Ok(Rows::new(self.fields.clone(), batches, self.transformed))
    }

    /// Returns the table of these rows in order.
    ///
    /// # Errors
    /// Fails if DataFusion refuses the table.
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
