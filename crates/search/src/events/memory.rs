//! Events given as rows, for trying searches and for tests.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use datafusion::common::DataFusionError;
use datafusion::datasource::MemTable;
use indexmap::IndexMap;
use spilltrail_event::{Demand, Field, Kind, Predicate, Record, ScanRequest, Value, fields};

use crate::events::EventSource;
use crate::rows::arrow::{ColumnBuilder, schema_of};
use crate::rows::{Row, Rows};

/// Rows that stand for the events of the only index.
///
/// Nothing is added to a row. Every key counts as an indexed field.
#[derive(Debug)]
pub struct MemoryEvents {
    rows: Vec<Row>,
    kinds: IndexMap<String, Kind>,
}

impl MemoryEvents {
    /// Returns the source of these rows. Text in a number column stays text, so the kinds are text or
    /// multivalue; only `_time` is a number.
    #[must_use]
    pub fn new(rows: Vec<Row>) -> Self {
        let mut kinds: IndexMap<String, Kind> = IndexMap::new();
        for (name, value) in rows.iter().flatten() {
            let kind = match value {
                Value::Null => continue,
                Value::Multi(_) => Kind::Multi,
                _ if name == fields::TIME => Kind::Number,
                _ => Kind::Text,
            };
            kinds.entry(name.clone()).and_modify(|known| *known = known.or(kind)).or_insert(kind);
        }
        Self { rows, kinds }
    }

    fn kind(&self, name: &str) -> Kind {
        let unknown = if name == fields::TIME { Kind::Number } else { Kind::Text };
        self.kinds.get(name).copied().unwrap_or(unknown)
    }
}

#[async_trait]
impl EventSource for MemoryEvents {
    async fn fields(
        &self,
        predicate: &Predicate,
        demand: &Demand,
    ) -> Result<Vec<Field>, DataFusionError> {
        let mut names: IndexMap<&str, ()> = IndexMap::new();
        for row in self.rows.iter().filter(|row| predicate.matches(&MemoryRecord(row))) {
            for (name, value) in row {
                if !value.is_null() && demand.wants(name) {
                    names.insert(name, ());
                }
            }
        }
        for name in &demand.names {
            names.insert(name, ());
        }
        Ok(names.keys().map(|name| Field::new(*name, self.kind(name))).collect())
    }

    async fn table(
        &self,
        request: &ScanRequest,
    ) -> Result<Arc<dyn TableProvider>, DataFusionError> {
        let mut builders: Vec<ColumnBuilder> =
            request.fields.iter().map(|field| ColumnBuilder::new(field.kind)).collect();
        let mut count = 0;
        for row in self.rows.iter().filter(|row| request.predicate.matches(&MemoryRecord(row))) {
            count += 1;
            for (field, builder) in request.fields.iter().zip(&mut builders) {
                builder.push(row.get(&field.name).cloned().unwrap_or(Value::Null));
            }
        }
        let schema = schema_of(request.fields.iter().map(|f| (f.name.as_str(), f.kind)));
        let columns = builders.into_iter().map(ColumnBuilder::finish).collect();
        let options =
            datafusion::arrow::array::RecordBatchOptions::new().with_row_count(Some(count));
        let batch = datafusion::arrow::array::RecordBatch::try_new_with_options(
            schema.clone(),
            columns,
            &options,
        )?;
        Ok(Arc::new(MemTable::try_new(schema, vec![vec![batch]])?))
    }

    fn indexed_fields(&self) -> Option<Vec<String>> {
        None
    }

    fn is_pipeline_input(&self) -> bool {
        true
    }
}

impl From<Rows> for MemoryEvents {
    fn from(rows: Rows) -> Self {
        Self::new(rows.iter().collect())
    }
}

struct MemoryRecord<'a>(&'a Row);

impl Record for MemoryRecord<'_> {
    fn any_value(&self, field: &str, visit: &mut dyn FnMut(&str) -> bool) -> bool {
        match self.0.get(field) {
            // Rows without an index are in the only one.
            None if field == fields::INDEX => visit("main"),
            None => false,
            Some(value) => value.members().iter().any(|member| visit(member)),
        }
    }
}
