//! The operator of `chart` and `timechart`: turns groups into rows with a column for each series,
//! and adds the rows of empty bins.

use std::collections::{HashMap, VecDeque};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::{Field, Kind, Value};

use super::series::FieldBins;
use crate::error::to_engine;
use crate::operators::{Operator, Running, gather};
use crate::rows::arrow::{ColumnBuilder, ColumnReader, kind_of};
use crate::rows::cut::BATCH_ROWS;
use crate::rows::state::state_of;

/// The largest number of bins that are filled (limits.conf `[discretize] maxbins`).
pub(in super::super) const MAX_BINS: usize = 50_000;

/// Returns the error for more bins than may be filled.
pub(in super::super) fn too_many() -> Diagnostic {
    let message = format!("there are more than {MAX_BINS} bins");
    let help = "choose a longer `span` or a shorter time range";
    Diagnostic::error(Code::LIMIT, message).help(help)
}

/// Returns the error for more bins than may be filled.
pub(in super::super) fn too_many_bins() -> DataFusionError {
    to_engine(too_many())
}

/// The cells of an output batch. A row of a wide table has thousands of them.
const BATCH_CELLS: usize = 1 << 18;

/// A column of the output.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in super::super) struct Cell {
    /// The name of the output column.
    pub(in super::super) name: String,
    /// The series of the groups whose statistic it has; `None` if there is no split field.
    pub(in super::super) series: Option<String>,
    /// The column with the statistic.
    pub(in super::super) column: String,
    /// Its kind.
    pub(in super::super) kind: Kind,
    /// Whether a group that does not exist has a zero.
    pub(in super::super) is_count: bool,
    /// The seconds that the statistic is a rate of, for a sum over a bin of time.
    #[serde(with = "spilltrail_event::exact::option")]
    pub(in super::super) rate: Option<f64>,
}

/// The rows that are added or removed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(in super::super) struct Range {
    /// Whether a row is added for each bin without events.
    pub(in super::super) is_filled: bool,
    /// The time from which bins are added.
    #[serde(with = "spilltrail_event::exact::option")]
    pub(in super::super) from: Option<f64>,
    /// The time before which bins are added.
    #[serde(with = "spilltrail_event::exact::option")]
    pub(in super::super) until: Option<f64>,
    /// Bins that begin before this time are removed.
    #[serde(with = "spilltrail_event::exact::option")]
    pub(in super::super) not_before: Option<f64>,
    /// Bins that end after this time are removed.
    #[serde(with = "spilltrail_event::exact::option")]
    pub(in super::super) not_after: Option<f64>,
}

/// Turns groups, sorted by the column `row`, into rows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in super::super) struct Pivot {
    /// The column with the value that a row has.
    pub(in super::super) row: String,
    /// The column with the series of a group.
    pub(in super::super) series: String,
    /// The name of the first column of the output.
    pub(in super::super) field: String,
    /// The bins of the rows.
    pub(in super::super) bins: Option<FieldBins>,
    pub(in super::super) range: Range,
    pub(in super::super) cells: Vec<Cell>,
}

impl Operator for Pivot {
    fn name(&self) -> &'static str {
        "pivot"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn output(&self, input: &[Field]) -> Vec<Field> {
        let row = input.iter().find(|field| field.name == self.row);
        let kind = match &self.bins {
            Some(FieldBins::Number(_)) => Kind::Text,
            _ => row.map_or(Kind::Text, |row| row.kind),
        };
        let cells = self.cells.iter().map(|cell| Field::new(&cell.name, cell.kind));
        std::iter::once(Field::new(&self.field, kind)).chain(cells).collect()
    }

    fn needs_rows(&self) -> bool {
        true
    }

    fn start(
        &self,
        input: SchemaRef,
        output: SchemaRef,
        _: &TaskContext,
    ) -> Result<Box<dyn Running>> {
        let indices = gather::indices(&input);
        let mut takes: Vec<(usize, HashMap<Option<String>, usize>)> = Vec::new();
        for (place, cell) in self.cells.iter().enumerate() {
            let Some(index) = indices.get(cell.column.as_str()).copied() else { continue };
            let at = match takes.iter().position(|(known, _)| *known == index) {
                Some(at) => at,
                None => {
                    takes.push((index, HashMap::new()));
                    takes.len() - 1
                }
            };
            takes[at].1.insert(cell.series.clone(), place);
        }
        Ok(Box::new(Pivoting {
            pivot: self.clone(),
            output,
            takes,
            current: None,
            last: None,
            made: 0,
            ready: VecDeque::new(),
        }))
    }
}

/// A row that is being made: its value, and its cells by their place in [`Pivot::cells`].
struct Made {
    value: Value<'static>,
    cells: Vec<(usize, Value<'static>)>,
}

struct Pivoting {
    pivot: Pivot,
    output: SchemaRef,
    /// The columns with statistics, each with the place of the cell for each series.
    takes: Vec<(usize, HashMap<Option<String>, usize>)>,
    current: Option<Made>,
    /// The bin of the last row that has one.
    last: Option<f64>,
    /// The number of rows made in bins.
    made: usize,
    /// The rows to return.
    ready: VecDeque<Made>,
}

impl Pivoting {
    /// Returns the bin after the one that begins at `start`, or `None` if bins do not follow each
    /// other.
    fn next(&self, start: f64) -> Option<f64> {
        self.pivot.bins.as_ref()?.next(start)
    }

    /// Adds the rows of the bins from `start` up to `end`.
    fn fill(&mut self, mut start: f64, end: f64) -> Result<()> {
        while start < end {
            self.made += 1;
            if self.made > MAX_BINS {
                return Err(too_many_bins());
            }
            self.ready.push_back(Made { value: Value::Number(start), cells: Vec::new() });
            self.last = Some(start);
            let Some(next) = self.next(start) else { break };
            start = next;
        }
        Ok(())
    }

    /// Begins the row with this value.
    fn begin(&mut self, value: &Value<'_>) -> Result<()> {
        self.end();
        if let Some(bin) = value.as_number().filter(|_| self.pivot.bins.is_some()) {
            if self.pivot.range.is_filled {
                let first = match self.last {
                    Some(last) => self.next(last),
                    None => self.pivot.range.from,
                };
                if let Some(first) = first {
                    self.fill(first, bin)?;
                }
            }
            self.made += 1;
            self.last = Some(bin);
        }
        self.current = Some(Made { value: value.clone().into_owned(), cells: Vec::new() });
        Ok(())
    }

    fn end(&mut self) {
        self.ready.extend(self.current.take());
    }

    /// Returns the length of the bin in seconds.
    fn length(&self, bin: &Value<'_>) -> Option<f64> {
        let start = bin.as_number()?;
        Some(self.next(start)? - start)
    }

    fn is_whole(&self, bin: &Value<'_>) -> bool {
        let Range { not_before, not_after, .. } = self.pivot.range;
        let Some(start) = bin.as_number() else { return true };
        let end = self.next(start).unwrap_or(start);
        not_before.is_none_or(|bound| start >= bound) && not_after.is_none_or(|bound| end <= bound)
    }

    /// Returns the next rows that are ready.
    fn give(&mut self) -> Result<Option<RecordBatch>> {
        let most = (BATCH_CELLS / self.output.fields().len().max(1)).clamp(1, BATCH_ROWS);
        let mut rows: Vec<Made> = Vec::new();
        while rows.len() < most
            && let Some(row) = self.ready.pop_front()
        {
            if self.is_whole(&row.value) {
                rows.push(row);
            }
        }
        if rows.is_empty() {
            return Ok(None);
        }
        let kinds = self.output.fields().iter().map(|field| kind_of(field.data_type()));
        let mut columns: Vec<ColumnBuilder> = kinds.map(ColumnBuilder::new).collect();
        let empty: Vec<Value<'static>> = self
            .pivot
            .cells
            .iter()
            .map(|cell| if cell.is_count { Value::Number(0.0) } else { Value::Null })
            .collect();
        for row in &mut rows {
            let length = self.length(&row.value);
            let label = self.pivot.bins.as_ref().map(|bins| bins.label(&row.value));
            columns[0].push(label.unwrap_or_else(|| row.value.clone()));
            row.cells.sort_by_key(|(place, _)| *place);
            let mut cells = row.cells.drain(..).peekable();
            for (place, cell) in self.pivot.cells.iter().enumerate() {
                // Of several values of a cell, the last counts.
                let mut value = None;
                while let Some((_, next)) = cells.next_if(|(at, _)| *at == place) {
                    value = Some(next);
                }
                let value = value.unwrap_or_else(|| empty[place].clone());
                columns[place + 1].push(match (cell.rate, length, value.as_number()) {
                    (Some(unit), Some(length), Some(sum)) => Value::Number(sum * unit / length),
                    _ => value,
                });
            }
        }
        let columns = columns.into_iter().map(ColumnBuilder::finish).collect();
        gather::of_columns(&self.output, columns, rows.len()).map(Some)
    }
}

impl Running for Pivoting {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        let Some(values) = gather::reader(&batch, &self.pivot.row)? else { return Ok(None) };
        let series = gather::reader(&batch, &self.pivot.series)?;
        let mut readers = Vec::with_capacity(self.takes.len());
        for (index, _) in &self.takes {
            readers.push(ColumnReader::new(batch.column(*index))?);
        }
        for row in 0..batch.num_rows() {
            let value = values.value(row);
            if self.current.as_ref().is_none_or(|current| current.value != value) {
                self.begin(&value)?;
            }
            let name = series
                .as_ref()
                .and_then(|series| series.value(row).to_text().map(std::borrow::Cow::into_owned));
            let Some(current) = &mut self.current else { continue };
            for ((_, places), reader) in self.takes.iter().zip(&readers) {
                if let Some(place) = places.get(&name) {
                    let cell = reader.value(row);
                    if !cell.is_null() {
                        current.cells.push((*place, cell.into_owned()));
                    }
                }
            }
        }
        self.give()
    }

    fn more(&mut self) -> Result<Option<RecordBatch>> {
        self.give()
    }

    fn finish(&mut self) -> Result<Option<RecordBatch>> {
        if self.current.is_some() {
            self.end();
            if self.pivot.range.is_filled
                && let Some(until) = self.pivot.range.until
                && let Some(next) = self.last.and_then(|last| self.next(last))
            {
                self.fill(next, until)?;
            }
        }
        self.give()
    }

    fn held(&self) -> usize {
        let cells: usize = self.ready.iter().chain(&self.current).map(|row| row.cells.len()).sum();
        let cell = size_of::<(usize, Value<'static>)>();
        cells * cell + self.ready.len() * size_of::<Made>()
    }
}
