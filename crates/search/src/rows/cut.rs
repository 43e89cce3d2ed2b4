//! Limits a batch by the memory its rows take, not only by their number.
//!
//! A batch of 512 rows is usually small, but after `eval a=mvrange(0,100000)` it would take a
//! gigabyte. Code that computes columns from columns builds them in a [`BoundedColumn`], which
//! stops as soon as the column is larger than [`BATCH_BYTES`]. The caller then retries with half of
//! the rows, and [`Cutter`] remembers how many rows succeeded. A single row is never cut;
//! [`limits::MAX_VALUE`] bounds the memory of its values.

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::ColumnarValue;
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_eval::limits;
use spilltrail_event::{Kind, Value};

use super::arrow::ColumnBuilder;
use crate::error::{SearchError, to_engine};

/// A column under construction that reports when it becomes too large for a batch.
#[derive(Debug)]
pub(crate) struct BoundedColumn {
    builder: ColumnBuilder,
    /// The number of rows in the batch.
    rows: usize,
}

impl BoundedColumn {
    /// Creates an empty column for a batch of `rows` rows.
    pub(crate) fn new(kind: Kind, rows: usize) -> Self {
        Self { builder: ColumnBuilder::new(kind), rows }
    }

    /// Returns false once the column will be discarded; the caller then stops computing values.
    pub(crate) fn takes_more(&self) -> bool {
        !self.is_too_large(self.builder.bytes()) && !limits::is_refused()
    }

    fn is_too_large(&self, bytes: usize) -> bool {
        self.rows > 1 && bytes > BATCH_BYTES
    }

    /// Appends a value.
    pub(crate) fn push(&mut self, value: Value<'_>) {
        self.builder.push(value);
    }

    /// Returns the column, expanded from the rows that `row_memo::once_each` computed to all rows.
    ///
    /// # Errors
    /// Fails with an error that [`is_too_large`] recognizes if the batch has to be cut.
    pub(crate) fn spread(self, numbers: Option<&UInt32Array>) -> Result<ArrayRef> {
        if self.is_too_large(self.builder.bytes()) {
            return Err(too_large());
        }
        let column = self.builder.finish();
        match numbers {
            Some(numbers) => taken(&column, numbers),
            None => Ok(column),
        }
    }
}

/// Returns, for each index in `numbers`, the column's value at that index.
///
/// # Errors
/// Fails with an error that [`is_too_large`] recognizes if the batch has to be cut. Only lists can
/// cause this: rows with equal text share its bytes, but the members of a list are copied per row.
pub(crate) fn taken(column: &ArrayRef, numbers: &UInt32Array) -> Result<ArrayRef> {
    if numbers.len() > 1 && bytes_of_lists(column, numbers) > BATCH_BYTES {
        return Err(too_large());
    }
    Ok(take(column, numbers, None)?)
}

/// Returns an expression's result as a column of `rows` rows.
///
/// # Errors
/// Fails with an error that [`is_too_large`] recognizes if the batch has to be cut, because a
/// constant list is copied for each row.
pub(crate) fn array_of(value: &ColumnarValue, rows: usize) -> Result<ArrayRef> {
    if let ColumnarValue::Scalar(ScalarValue::List(list)) = value
        && rows > 1
        && list.values().len().saturating_mul(rows * VIEW) > BATCH_BYTES
    {
        return Err(too_large());
    }
    value.to_array(rows)
}

/// Returns the bytes that copies of these rows' lists would take; 0 if the column has no lists.
fn bytes_of_lists(column: &ArrayRef, rows: &UInt32Array) -> usize {
    if !matches!(column.data_type(), DataType::List(_)) {
        return 0;
    }
    let lists = column.as_list::<i32>();
    let members = |row: u32| lists.value_length(row as usize) as usize;
    rows.iter().flatten().map(members).sum::<usize>() * VIEW
}

/// Largest size of one column of a batch in bytes; a batch with a larger column is cut. A single
/// row is never cut.
pub(crate) const BATCH_BYTES: usize = 1 << 20;

/// Rows in a batch. A merge holds whole batches in memory, and smaller batches take no more time.
pub(crate) const BATCH_ROWS: usize = 512;

/// Bytes that a text in a column takes besides its own: its string view.
pub(crate) const VIEW: usize = 16;

/// Returns the number of rows with so many columns that fit into a batch.
pub(crate) fn rows_of(columns: usize) -> usize {
    // A null takes the memory of a string view, too.
    (BATCH_BYTES / (columns.max(1) * VIEW)).clamp(1, BATCH_ROWS)
}

/// Returns the error of a batch that must be cut. The user sees it only if no operator between the
/// function and the output can cut batches.
fn too_large() -> DataFusionError {
    to_engine(
        Diagnostic::error(Code::TOO_LARGE, TOO_LARGE)
            .help("shorten the values, for example with `substr` or `mvindex`"),
    )
}

const TOO_LARGE: &str =
    "the values that an expression makes of a batch of rows take too much memory";

/// Returns whether an error means that the batch must be cut.
pub(crate) fn is_too_large(error: &DataFusionError) -> bool {
    match error.find_root() {
        DataFusionError::External(inner) => inner
            .downcast_ref::<SearchError>()
            .is_some_and(|SearchError(diagnostic)| diagnostic.message == TOO_LARGE),
        _ => false,
    }
}

/// Number of successful parts after which a larger part is tried.
const PARTS_BEFORE_MORE: u32 = 16;

/// Cuts a batch into parts small enough for an operation.
#[derive(Debug)]
pub(crate) struct Cutter {
    /// The largest number of rows of the next part.
    rows: usize,
    /// The number of consecutive parts that succeeded.
    done: u32,
    /// The current batch and the index of its first row still to be processed.
    rest: Option<(RecordBatch, usize)>,
}

impl Default for Cutter {
    fn default() -> Self {
        Self { rows: usize::MAX, done: 0, rest: None }
    }
}

impl Cutter {
    /// Sets the next batch; the previous batch must be finished.
    pub(crate) fn put(&mut self, batch: RecordBatch) {
        debug_assert!(self.rest.is_none(), "the batch before must be done");
        self.rest = Some((batch, 0));
    }

    /// Applies `operation` to the next part, and returns its result; `None` at the batch's end.
    ///
    /// # Errors
    /// Returns the operation's error, unless fewer rows can avoid it.
    pub(crate) fn next<T>(
        &mut self,
        mut operation: impl FnMut(RecordBatch) -> Result<T>,
    ) -> Result<Option<T>> {
        let Some((batch, from)) = self.rest.take() else { return Ok(None) };
        loop {
            let left = batch.num_rows() - from;
            let rows = self.rows.min(left);
            let part =
                if rows == batch.num_rows() { batch.clone() } else { batch.slice(from, rows) };
            match operation(part) {
                Ok(done) => {
                    // Later values may be small again. A failed try costs as much as a successful
                    // one, so larger parts are tried only after several successes.
                    self.done += 1;
                    if self.done == PARTS_BEFORE_MORE {
                        (self.rows, self.done) = (self.rows.saturating_mul(2), 0);
                    }
                    if rows < left {
                        self.rest = Some((batch, from + rows));
                    }
                    return Ok(Some(done));
                }
                Err(error) if rows > 1 && is_too_large(&error) => {
                    (self.rows, self.done) = (rows / 2, 0);
                }
                Err(error) => return Err(error),
            }
        }
    }
}
