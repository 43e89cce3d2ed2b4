//! Rows of a pass as a DataFusion table.

use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::error::ArrowError;
use datafusion::catalog::TableProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::{DataFusionError, Result, internal_datafusion_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use spilltrail_decode::schema_of;
use spilltrail_event::Field;

use crate::scan::{ScanError, Scanned};

impl Scanned {
    /// Returns a table of the rows of a search, with the given fields in this order.
    ///
    /// # Errors
    /// Fails if the request of the search did not ask for one of the fields.
    pub fn table(
        self: &Arc<Self>,
        search: usize,
        fields: &[Field],
    ) -> Result<Arc<dyn TableProvider>> {
        let known = &self.requests[search].fields;
        let place = |field: &Field| {
            known
                .iter()
                .position(|other| other == field)
                .ok_or_else(|| internal_datafusion_err!("`{}` was not read", field.name))
        };
        let columns = fields.iter().map(place).collect::<Result<_>>()?;
        let schema = schema_of(fields);
        let rows = SpooledRows { scanned: self.clone(), search, columns, schema: schema.clone() };
        Ok(Arc::new(StreamingTable::try_new(schema, vec![Arc::new(rows)])?))
    }
}

/// Returns the DataFusion error for rows that cannot be read back.
pub(crate) fn read_back(error: &ArrowError) -> DataFusionError {
    ScanError::read_back(error).into_engine()
}

/// The rows of a search, in the order of the files.
#[derive(Debug)]
struct SpooledRows {
    scanned: Arc<Scanned>,
    search: usize,
    columns: Vec<usize>,
    schema: SchemaRef,
}

impl PartitionStream for SpooledRows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let batches = self.scanned.spool.batches(self.search, self.columns.clone());
        let batches = batches.map(|batch| batch.map_err(|error| read_back(&error)));
        let stream = futures::stream::iter(batches);
        Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), stream))
    }
}
