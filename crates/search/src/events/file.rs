//! An event source of rows that are kept in a temporary file, because there may be more than fit in
//! memory.

use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use indexmap::IndexMap;
use serde_json::Value as Json;
use spilltrail_event::{
    Demand, Field, Kind, Predicate, ScanRequest, Value, fields, format_number, parse_number,
};
use tempfile::NamedTempFile;

use crate::events::EventSource;
use crate::events::memory::{RowRecord, batch_of, fields_of, kinds_with};
use crate::events::shared::{EventReader, EventsRead};
use crate::rows::arrow::schema_of;
use crate::rows::cut::rows_of;
use crate::rows::{Row, json};

/// Writes the rows of [`FileEvents`].
#[derive(Debug)]
pub struct FileEventsWriter {
    file: BufWriter<NamedTempFile>,
    kinds: IndexMap<String, Kind>,
}

impl FileEventsWriter {
    /// Creates the file, which has no rows.
    ///
    /// # Errors
    /// Fails if the file cannot be created.
    pub fn new() -> io::Result<Self> {
        let file = NamedTempFile::with_prefix("spilltrail-rows-")?;
        Ok(Self { file: BufWriter::new(file), kinds: IndexMap::new() })
    }

    /// Adds a row.
    ///
    /// # Errors
    /// Fails if the row cannot be written.
    pub fn write(&mut self, row: &Row) -> io::Result<()> {
        kinds_with(&mut self.kinds, row);
        // The fewest digits that give the same number again; JSON's readers may be one off.
        let object = json::object_with(row, |number| Json::String(format_number(number)));
        serde_json::to_writer(&mut self.file, &object)?;
        self.file.write_all(b"\n")
    }

    /// Returns the events that were written. The file is removed with them.
    ///
    /// # Errors
    /// Fails if the last rows cannot be written.
    pub fn finish(self) -> io::Result<FileEvents> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(FileEvents { rows: Arc::new(Kept(file)), kinds: Arc::new(self.kinds) })
    }
}

/// Rows in a file, used as events. As for rows in memory, every field counts as an indexed field.
#[derive(Debug, Clone)]
pub struct FileEvents {
    rows: Arc<Kept>,
    kinds: Arc<IndexMap<String, Kind>>,
}

#[derive(Debug)]
struct Kept(NamedTempFile);

impl Kept {
    /// Returns the rows in the order in which they were written.
    fn all(&self) -> io::Result<impl Iterator<Item = io::Result<Row>> + use<>> {
        let lines = BufReader::new(self.0.reopen()?).lines();
        Ok(lines.map(|line| {
            let mut row = json::row(serde_json::from_str(&line?)?);
            if let Some(time) = row.get_mut(fields::TIME) {
                let number = time.to_text().and_then(|text| parse_number(&text));
                *time = number.map_or(Value::Null, Value::Number);
            }
            Ok(row)
        }))
    }

    /// Returns the rows that match, in the order in which they were written.
    fn matching(
        &self,
        predicate: Predicate,
    ) -> io::Result<impl Iterator<Item = io::Result<Row>> + use<>> {
        let is_wanted = move |row: &io::Result<Row>| {
            row.as_ref().map_or(true, |row| predicate.matches(&RowRecord(row)))
        };
        Ok(self.all()?.filter(is_wanted))
    }
}

impl FileEvents {
    fn fields_of(&self, predicate: &Predicate, demand: &Demand) -> Result<Vec<Field>> {
        if demand.is_open() {
            return Ok(fields_of(self.rows.matching(predicate.clone())?, &self.kinds, demand)?);
        }
        fields_of(std::iter::empty::<Result<Row>>(), &self.kinds, demand)
    }

    fn table_of(&self, predicate: &Predicate, fields: &[Field]) -> Result<Arc<dyn TableProvider>> {
        let schema = schema_of(fields.iter().map(|f| (f.name.as_str(), f.kind)));
        let partition = Arc::new(MatchingRows {
            rows: self.rows.clone(),
            predicate: predicate.clone(),
            fields: fields.to_vec(),
            schema: schema.clone(),
        });
        Ok(Arc::new(StreamingTable::try_new(schema, vec![partition])?))
    }
}

#[async_trait]
impl EventSource for FileEvents {
    async fn fields(&self, predicate: &Predicate, demand: &Demand) -> Result<Vec<Field>> {
        self.fields_of(predicate, demand)
    }

    async fn table(&self, request: &ScanRequest) -> Result<Arc<dyn TableProvider>> {
        self.table_of(&request.predicate, &request.fields)
    }

    fn indexed_fields(&self) -> Option<Vec<String>> {
        None
    }
}

#[async_trait]
impl EventReader for FileEvents {
    async fn read(&self, requests: Vec<ScanRequest>) -> Result<Arc<dyn EventsRead>> {
        let predicates: Vec<Predicate> =
            requests.into_iter().map(|request| request.predicate).collect();
        let mut has_events = vec![false; predicates.len()];
        for row in self.rows.all()? {
            let row = row?;
            for (has, predicate) in has_events.iter_mut().zip(&predicates) {
                *has = *has || predicate.matches(&RowRecord(&row));
            }
            if has_events.iter().all(|has| *has) {
                break;
            }
        }
        Ok(Arc::new(FileEventsRead { events: self.clone(), predicates, has_events }))
    }
}

/// The rows of each request, which are read from the file when they are needed.
#[derive(Debug)]
struct FileEventsRead {
    events: FileEvents,
    predicates: Vec<Predicate>,
    has_events: Vec<bool>,
}

impl EventsRead for FileEventsRead {
    fn has_events(&self, request: usize) -> bool {
        self.has_events[request]
    }

    fn table(&self, request: usize, fields: &[Field]) -> Result<Arc<dyn TableProvider>> {
        self.events.table_of(&self.predicates[request], fields)
    }

    fn fields(&self, request: usize, demand: &Demand) -> Result<Vec<Field>> {
        self.events.fields_of(&self.predicates[request], demand)
    }

    fn table_of_whole(&self, request: usize, fields: &[Field]) -> Result<Arc<dyn TableProvider>> {
        self.table(request, fields)
    }
}

/// The matching rows, read from the file and converted to columns one batch at a time.
#[derive(Debug)]
struct MatchingRows {
    rows: Arc<Kept>,
    predicate: Predicate,
    fields: Vec<Field>,
    schema: SchemaRef,
}

impl PartitionStream for MatchingRows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (fields, schema) = (self.fields.clone(), self.schema.clone());
        let size = rows_of(fields.len());
        let mut rows = match self.rows.matching(self.predicate.clone()) {
            Ok(rows) => rows.fuse(),
            Err(error) => {
                let failed = futures::stream::iter([Err(DataFusionError::from(error))]);
                return Box::pin(RecordBatchStreamAdapter::new(schema, failed));
            }
        };
        let batches = std::iter::from_fn(move || -> Option<Result<RecordBatch>> {
            match rows.by_ref().take(size).collect::<io::Result<Vec<Row>>>() {
                Ok(batch) if batch.is_empty() => None,
                Ok(batch) => Some(batch_of(&schema, &fields, &batch)),
                Err(error) => Some(Err(error.into())),
            }
        });
        let stream = futures::stream::iter(batches);
        Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), stream))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::SearchContext;
    use crate::run;
    use crate::testing::{context, rows};

    #[tokio::test]
    async fn rows_come_back_from_the_file() {
        let mut written = rows(
            r#"{"_time":1,"index":"risk","user":["ann","bob"],"n":"1"}
               {"_time":2,"index":"risk","user":"cy","other":"x"}
               {"_time":3,"user":"eve"}"#,
        );
        // Readers of JSON take the neighbor of this number.
        written[0].insert(fields::TIME.to_owned(), Value::Number(1_704_954_350.870_919_5));
        let mut writer = FileEventsWriter::new().unwrap();
        for row in &written {
            writer.write(row).unwrap();
        }
        let events = Arc::new(writer.finish().unwrap());
        let context = SearchContext { events, ..context(Vec::new(), 64 << 20) };
        for (search, expected) in [
            ("index=risk | stats count by user | stats list(user) as u", "ann bob cy"),
            ("user=bob | eval u=if(_time=1704954350.8709195, \"same\", \"other\")", "same"),
            (
                "index=* other=x | table * | fields - _* | transpose | stats list(column) as u",
                "index user other",
            ),
        ] {
            let prepared = run::prepare(search, None, &context).await.unwrap();
            let found = prepared.collect(&context).await.unwrap();
            let first = found.iter().next().unwrap();
            assert_eq!(first["u"].members().join(" "), expected, "{search}");
        }
    }
}
