//! The operator of `multikv`: expands each event into the lines of its tables.

use datafusion::arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use serde::{Deserialize, Serialize};
use spilltrail_event::{Field, Kind, Value, fields};

use super::tables::{self, Rules};
use crate::operators::{Operator, Running, gather};
use crate::rows::arrow::{ColumnBuilder, ColumnReader, kind_of};
use crate::rows::cut::{BATCH_BYTES, BATCH_ROWS};
use crate::rows::state::state_of;

/// The fields that a line has from its event in any case.
const ALWAYS_COPIED: [&str; 5] =
    [fields::TIME, fields::HOST, fields::SOURCE, fields::SOURCETYPE, fields::INDEX];

/// Turns each event into the lines of the tables in its text.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SplitTables {
    pub(super) rules: Rules,
    /// The columns of tables that become fields.
    pub(super) names: Vec<String>,
    /// Whether lines have all fields of their event.
    pub(super) copies: bool,
    /// Whether the event itself is kept.
    pub(super) keeps_event: bool,
}

impl Operator for SplitTables {
    fn name(&self) -> &'static str {
        "multikv"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn output(&self, input: &[Field]) -> Vec<Field> {
        let kind = |name: &String| {
            let own = input.iter().find(|field| field.name == *name);
            own.map_or(Kind::Text, |field| field.kind.or(Kind::Text))
        };
        let mut set: Vec<Field> =
            self.names.iter().map(|name| Field::new(name, kind(name))).collect();
        set.push(Field::new(fields::RAW, Kind::Text));
        gather::fields_with(input, &set)
    }

    fn needs_rows(&self) -> bool {
        true
    }

    fn start(&self, _: SchemaRef, output: SchemaRef, _: &TaskContext) -> Result<Box<dyn Running>> {
        let operator = self.clone();
        Ok(Box::new(Splitting {
            operator,
            output,
            batch: None,
            row: 0,
            lines: Vec::new().into_iter(),
        }))
    }
}

/// A row to make of an event: its text, and the values of its columns; neither for the event itself.
type Line = Option<(String, Vec<(String, String)>)>;

struct Splitting {
    operator: SplitTables,
    output: SchemaRef,
    batch: Option<RecordBatch>,
    /// The event after the one whose lines are being returned.
    row: usize,
    lines: std::vec::IntoIter<Line>,
}

impl Splitting {
    /// Returns the rows that an event becomes.
    fn lines(&self, text: &str) -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
        for table in tables::tables(text, &self.operator.rules) {
            for (line, values) in table.lines {
                let cells = table.names.iter().zip(values).filter(|(_, value)| !value.is_empty());
                let cells = cells.map(|(name, value)| (name.clone(), value.to_owned())).collect();
                lines.push(Some((line.to_owned(), cells)));
            }
        }
        if lines.is_empty() || self.operator.keeps_event {
            lines.insert(0, None);
        }
        lines
    }

    fn made(&self, batch: &RecordBatch, rows: &[(u32, Line)]) -> Result<RecordBatch> {
        let indices = UInt32Array::from_iter_values(rows.iter().map(|(row, _)| *row));
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.output.fields().len());
        let schema = batch.schema();
        let own = gather::indices(&schema);
        let names: std::collections::HashSet<&str> =
            self.operator.names.iter().map(String::as_str).collect();
        for field in self.output.fields() {
            let name = field.name().as_str();
            let column = own.get(name).map(|index| batch.column(*index));
            let is_copied = self.operator.copies || ALWAYS_COPIED.contains(&name);
            if let (Some(column), true) = (column, is_copied)
                && name != fields::RAW
                && !names.contains(name)
            {
                columns.push(take(column, &indices, None)?);
                continue;
            }
            let reader = column.map(ColumnReader::new).transpose()?;
            let mut builder = ColumnBuilder::new(kind_of(field.data_type()));
            for (row, line) in rows {
                let of_event =
                    || reader.as_ref().map_or(Value::Null, |reader| reader.value(*row as usize));
                builder.push(match line {
                    None => of_event(),
                    Some((text, _)) if name == fields::RAW => Value::text(text.as_str()),
                    Some((_, cells)) => match cells.iter().find(|(cell, _)| cell == name) {
                        Some((_, value)) => Value::text(value.as_str()),
                        None if is_copied => of_event(),
                        None => Value::Null,
                    },
                });
            }
            columns.push(builder.finish());
        }
        gather::of_columns(&self.output, columns, rows.len())
    }
}

impl Running for Splitting {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        self.batch = Some(batch);
        self.row = 0;
        self.more()
    }

    fn more(&mut self) -> Result<Option<RecordBatch>> {
        let Some(batch) = self.batch.take() else { return Ok(None) };
        let texts = gather::reader(&batch, fields::RAW)?;
        let mut rows: Vec<(u32, Line)> = Vec::new();
        let mut bytes = 0;
        while rows.len() < BATCH_ROWS && bytes < BATCH_BYTES {
            match self.lines.next() {
                Some(line) => {
                    bytes += line.as_ref().map_or(0, |(text, _)| 2 * text.len());
                    // The lines are those of the event before `self.row`.
                    rows.push((u32::try_from(self.row - 1).unwrap_or(u32::MAX), line));
                }
                None if self.row < batch.num_rows() => {
                    let text = texts.as_ref().map_or(Value::Null, |texts| texts.value(self.row));
                    self.lines = self.lines(&text.to_text().unwrap_or_default()).into_iter();
                    self.row += 1;
                }
                None => break,
            }
        }
        if rows.is_empty() {
            return Ok(None);
        }
        let made = self.made(&batch, &rows)?;
        self.batch = Some(batch);
        Ok(Some(made))
    }
}
