//! Summarizes all rows as one row with one text.

use std::fmt::Debug;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use spilltrail_event::{Field, Kind, Value};

use super::{Operator, Running};
use crate::rows;
use crate::rows::arrow::to_array;

/// The name of the text column. A subsearch's field `search` is inserted into the outer search
/// unchanged.
const COLUMN: &str = "search";

/// Turns rows into a text.
pub trait Summary: Debug + Send + Sync {
    /// Returns the name, which `EXPLAIN` prints and which selects the codec.
    fn name(&self) -> &'static str;

    /// Returns the whole state as JSON.
    fn state(&self) -> String;

    /// Returns the maximum number of rows that are summarized; later rows are ignored.
    fn limit(&self) -> usize;

    /// Returns the text of one row, or `None` if the row adds nothing.
    fn row(&self, row: &[(String, Value<'_>)]) -> Option<String>;

    /// Returns the text of all rows, given the text of each.
    fn text(&self, rows: Vec<String>) -> String;
}

/// Returns one row whose only field `search` is the text of all rows, or no row if the text is
/// empty.
#[derive(Debug)]
pub struct Summarize {
    /// Turns the rows into the text.
    pub summary: Arc<dyn Summary>,
}

impl Operator for Summarize {
    fn name(&self) -> &'static str {
        self.summary.name()
    }

    fn state(&self) -> String {
        self.summary.state()
    }

    fn output(&self, _: &[Field]) -> Vec<Field> {
        vec![Field::new(COLUMN, Kind::Text)]
    }

    fn start(
        &self,
        input: SchemaRef,
        output: SchemaRef,
        _: &TaskContext,
    ) -> Result<Box<dyn Running>> {
        let names = input.fields().iter().map(|field| field.name().clone()).collect();
        Ok(Box::new(Summing {
            output,
            names,
            summary: self.summary.clone(),
            taken: 0,
            texts: Some(Vec::new()),
            held: 0,
        }))
    }
}

struct Summing {
    output: SchemaRef,
    names: Vec<String>,
    summary: Arc<dyn Summary>,
    taken: usize,
    /// The rows' texts; `None` once the output row has been returned.
    texts: Option<Vec<String>>,
    held: usize,
}

impl Running for Summing {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        let readers = rows::readers(batch.columns())?;
        let Some(texts) = &mut self.texts else { return Ok(None) };
        for row in 0..batch.num_rows() {
            if self.taken >= self.summary.limit() {
                break;
            }
            self.taken += 1;
            let values = readers.iter().map(|reader| reader.value(row));
            let row: Vec<(String, Value<'_>)> = self.names.iter().cloned().zip(values).collect();
            if let Some(text) = self.summary.row(&row) {
                self.held += text.len() + 24;
                texts.push(text);
            }
        }
        Ok(None)
    }

    fn finish(&mut self) -> Result<Option<RecordBatch>> {
        let Some(texts) = self.texts.take() else { return Ok(None) };
        let text = self.summary.text(texts);
        if text.is_empty() {
            return Ok(None);
        }
        let column = to_array(Kind::Text, [Value::text(text)]);
        Ok(Some(RecordBatch::try_new(self.output.clone(), vec![column])?))
    }

    fn is_done(&self) -> bool {
        self.taken >= self.summary.limit()
    }

    fn held(&self) -> usize {
        self.held
    }
}
