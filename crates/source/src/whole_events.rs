//! Decodes the whole events kept by a pass again, for fields that were not known before the pass.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use spilltrail_decode::{Decoder, Format, Origin, RawRecord, Rows, schema_of};
use spilltrail_event::{Demand, Field, Predicate, ScanRequest, fields};

use crate::scan::Scanned;
use crate::spool_table::read_back;

impl Scanned {
    /// Returns the fields that `demand` asks for among the whole events of a search, as
    /// [`Logs::discover`](crate::Logs::discover) does.
    ///
    /// # Errors
    /// Fails if the events cannot be read back.
    pub fn fields(&self, search: usize, demand: &Demand) -> Result<Vec<Field>> {
        let mut discovery = self.logs.discovery(&Predicate::All, demand, self.logs.stop());
        for batch in self.spool.batches(search, self.all_columns(search)) {
            let batch = batch.map_err(|error| read_back(&error))?;
            self.for_each(search, &batch, |event, origin| {
                discovery.see_event(event, origin);
            })?;
        }
        self.logs.note_fields_left_out(discovery.left_out());
        Ok(self.logs.complete(discovery.fields(), demand))
    }

    /// Returns a table of the whole events of a search, with these fields.
    ///
    /// # Errors
    /// Fails if the request of the search did not ask for whole events.
    pub fn table_of_whole(
        self: &Arc<Self>,
        search: usize,
        fields: &[Field],
    ) -> Result<Arc<dyn TableProvider>> {
        let schema = schema_of(fields);
        let request = ScanRequest { predicate: Predicate::All, fields: fields.to_vec() };
        let rows = WholeEvents { scanned: self.clone(), search, request, schema: schema.clone() };
        Ok(Arc::new(StreamingTable::try_new(schema, vec![Arc::new(rows)])?))
    }

    /// Calls `visit` with each event of a batch.
    fn for_each(
        &self,
        search: usize,
        batch: &RecordBatch,
        mut visit: impl FnMut(&RawRecord<'_>, &Origin),
    ) -> Result<()> {
        let known = &self.requests[search].fields;
        let column = |name: &str| {
            let place = known.iter().position(|field| field.name == name);
            place
                .and_then(|place| batch.column(place).as_string_view_opt())
                .ok_or_else(|| internal_datafusion_err!("the events were not read whole"))
        };
        let (texts, sources) = (column(fields::EVENT_TEXT)?, column(fields::EVENT_SOURCE)?);
        let formats = column(fields::EVENT_FORMAT)?;
        let mut key = "";
        let mut origin = self.logs.origin_of(key);
        for row in 0..batch.num_rows() {
            if key != sources.value(row) {
                key = sources.value(row);
                origin = self.logs.origin_of_key(key);
            }
            let format = Format::named(formats.value(row))
                .ok_or_else(|| internal_datafusion_err!("the events have an unknown format"))?;
            visit(&RawRecord { text: texts.value(row), offset: 0, format }, &origin);
        }
        Ok(())
    }

    fn decoded(
        &self,
        search: usize,
        request: &ScanRequest,
        batch: &RecordBatch,
    ) -> Result<Vec<RecordBatch>> {
        let mut decoder: Decoder =
            self.logs.decoder([request.clone()].into(), None, self.logs.stop().clone());
        let mut batches = Vec::new();
        let mut keep = |_: usize, rows: Rows| {
            batches.push(rows.into_batch());
            ControlFlow::Continue(())
        };
        self.for_each(search, batch, |event, origin| {
            // `keep` never breaks, so the result can be ignored.
            let _ = decoder.decode_event(event, origin, &mut keep);
        })?;
        let _ = decoder.finish(&mut keep);
        Ok(batches.into_iter().collect::<Result<_, _>>()?)
    }

    fn all_columns(&self, search: usize) -> Vec<usize> {
        (0..self.requests[search].fields.len()).collect()
    }
}

/// The whole events of a search, decoded on demand.
#[derive(Debug)]
struct WholeEvents {
    scanned: Arc<Scanned>,
    search: usize,
    request: ScanRequest,
    schema: SchemaRef,
}

impl PartitionStream for WholeEvents {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (scanned, request, search) = (self.scanned.clone(), self.request.clone(), self.search);
        let columns = scanned.all_columns(search);
        let batches = scanned.spool.batches(search, columns).flat_map(move |batch| {
            let decoded = batch
                .map_err(|error| read_back(&error))
                .and_then(|batch| scanned.decoded(search, &request, &batch));
            match decoded {
                Ok(batches) => batches.into_iter().map(Ok).collect::<Vec<_>>(),
                Err(error) => vec![Err(error)],
            }
        });
        let stream = futures::stream::iter(batches);
        Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), stream))
    }
}
