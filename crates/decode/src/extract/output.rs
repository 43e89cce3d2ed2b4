//! Collects the rows of all searches; stores each value of an event once for all of them.

use std::cell::Cell;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, SchemaRef};
use spilltrail_event::{ScanRequest, parse_number};

use super::BATCH_ROWS;
use super::class::{ClassSearch, Reading};
use crate::cloudtrail::Values;
use crate::columns::{Column, NO_TEXT, schema_of};
use crate::rows::{Rows, coded_schema};
use crate::texts::Texts;

/// Rows are taken once the texts and lists of all columns hold this many bytes.
const WAITING_BYTES: usize = 4 * 1024 * 1024;

/// Rows are taken once one search has this many cells.
///
/// A cell without a value also takes memory when a search reads it, so searches with thousands of
/// columns collect fewer rows.
const WAITING_CELLS: usize = 512 * 1024;

/// The collected rows of all searches.
#[derive(Debug)]
pub(super) struct Outputs {
    outputs: Vec<Output>,
    texts: Texts,
    /// For each value of the current event, the range of its text numbers in `numbers`.
    values: Vec<Option<Range<usize>>>,
    numbers: Vec<u32>,
    /// The number of rows of the search with the most rows.
    most: usize,
    /// The number of cells of the search with the most cells.
    cells: usize,
    listed: usize,
}

/// One search's columns.
#[derive(Debug)]
struct Output {
    schema: SchemaRef,
    columns: Vec<Column>,
    rows: usize,
}

impl Outputs {
    pub(super) fn new(requests: &[ScanRequest]) -> Self {
        let outputs = requests.iter().map(|request| Output {
            schema: coded_schema(&schema_of(&request.fields)),
            columns: request.fields.iter().map(|field| Column::new(field.kind)).collect(),
            rows: 0,
        });
        Self {
            outputs: outputs.collect(),
            texts: Texts::default(),
            values: Vec::new(),
            numbers: Vec::new(),
            most: 0,
            cells: 0,
            listed: 0,
        }
    }

    /// Discards the previous event and prepares for one with this many values.
    pub(super) fn begin(&mut self, values: usize) {
        self.numbers.clear();
        self.values.clear();
        self.values.resize(values, None);
    }

    /// Adds the current event to the rows of a search and returns the number of values left out.
    ///
    /// A column with a single value per row stores the last of several values.
    pub(super) fn add(&mut self, search: &ClassSearch, event: &mut Reading<'_>) -> u64 {
        let mut left_out = 0;
        let output = &mut self.outputs[search.place];
        for (column, place) in output.columns.iter_mut().zip(&search.columns) {
            match (column, place) {
                (Column::Number(column), None) => column.append_option(event.time().epoch),
                (Column::Number(column), Some(place)) => {
                    let values = event.values(*place);
                    column.append_option(last(&values).and_then(parse_number));
                }
                // Most of thousands of columns have no value in an event.
                (Column::Text(_), Some(place)) if event.is_absent(*place) => {}
                (Column::Text(column), Some(place)) => {
                    let numbers = self.values[*place].get_or_insert_with(|| {
                        write_down(event, *place, &mut self.texts, &mut self.numbers)
                    });
                    let numbers = &self.numbers[numbers.clone()];
                    left_out += numbers.len().saturating_sub(1) as u64;
                    if let Some(number) = numbers.last() {
                        column.resize(output.rows, NO_TEXT);
                        column.push(*number);
                    }
                }
                (Column::Multi(column), Some(place)) => {
                    let numbers = self.values[*place].get_or_insert_with(|| {
                        write_down(event, *place, &mut self.texts, &mut self.numbers)
                    });
                    let numbers = &self.numbers[numbers.clone()];
                    column.values().append_slice(numbers);
                    column.append(!numbers.is_empty());
                    self.listed += size_of_val(numbers);
                }
                // Only `_time` as a number has no value index, so these two arms are not reached in
                // practice.
                (Column::Text(_), None) => {}
                (Column::Multi(column), None) => column.append(false),
            }
        }
        output.rows += 1;
        self.most = self.most.max(output.rows);
        self.cells = self.cells.max(output.rows * output.columns.len());
        left_out
    }

    /// Returns true if enough rows have collected to take them.
    pub(super) fn are_full(&self) -> bool {
        self.most >= BATCH_ROWS
            || self.cells >= WAITING_CELLS
            || self.texts.size() + self.listed >= WAITING_BYTES
    }

    /// Passes the rows of each search that has any to `take`, with the search's index.
    ///
    /// # Errors
    /// Does not fail for columns of the request's own kinds; the error is Arrow's.
    pub(super) fn take(&mut self, take: &mut dyn FnMut(usize, Rows)) -> Result<(), ArrowError> {
        if self.most == 0 {
            return Ok(());
        }
        (self.most, self.cells, self.listed) = (0, 0, 0);
        let texts = Arc::new(self.texts.finish()?);
        for (place, output) in self.outputs.iter_mut().enumerate() {
            if output.rows > 0 {
                take(place, Rows::new(output.finish()?, &texts)?);
            }
        }
        Ok(())
    }
}

impl Output {
    /// Returns the rows collected so far and starts over; a batch without columns keeps its row
    /// count.
    fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        let rows = std::mem::take(&mut self.rows);
        let mut absent = None;
        let columns =
            self.columns.iter_mut().map(|column| column.finish(rows, &mut absent)).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
    }
}

fn last<'v>(values: &'v Values<'_>) -> Option<&'v str> {
    match values {
        Values::None => None,
        Values::One(value) => Some(value),
        Values::Many(values) => values.last().map(|value| &**value),
    }
}

/// Appends the text numbers of a value to `numbers` and returns their range.
fn write_down(
    event: &mut Reading<'_>,
    place: usize,
    texts: &mut Texts,
    numbers: &mut Vec<u32>,
) -> Range<usize> {
    let start = numbers.len();
    match event.values(place) {
        Values::None => {}
        // Values such as ids do not repeat, so looking for an earlier copy would be wasted work.
        Values::One(value) if event.repeats(place).is_unique() => numbers.push(texts.add(&value)),
        Values::One(value) => {
            let count = texts.count();
            numbers.push(texts.number(&value));
            event.repeats(place).note(texts.count() > count);
        }
        Values::Many(values) => numbers.extend(values.iter().map(|value| texts.number(value))),
    }
    start..numbers.len()
}

/// Counts how often the values of a field repeat.
#[derive(Debug, Clone, Default)]
pub(super) struct Repeats {
    looked_for: Cell<u32>,
    new: Cell<u32>,
}

impl Repeats {
    /// The number of looked-up values after which the field is judged.
    const TRIAL: u32 = 512;

    fn note(&self, is_new: bool) {
        self.looked_for.set(self.looked_for.get().saturating_add(1));
        self.new.set(self.new.get() + u32::from(is_new));
    }

    fn is_unique(&self) -> bool {
        self.looked_for.get() == Self::TRIAL && self.new.get() > Self::TRIAL / 8 * 7
    }
}
