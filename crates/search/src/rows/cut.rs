//! Batches are cut by what their rows take, not only by how many they are.
//!
//! 512 rows of a batch are little or much: after `eval a=mvrange(0,100000)` they would take a gigabyte.
//! Whoever makes columns out of columns does so in a [`BoundedColumn`], which gives up as soon as the
//! column is larger than [`BATCH_BYTES`]. The caller then takes half of the rows: [`Cutter`] remembers
//! how many went well. A single row always goes, and what it may take is bounded by
//! [`limits::MAX_VALUE`].

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

/// A column that is being made, unless it becomes too large for a batch.
#[derive(Debug)]
pub(crate) struct BoundedColumn {
    builder: ColumnBuilder,
    /// The rows of the batch.
    rows: usize,
}

impl BoundedColumn {
    /// Returns a column of a batch of so many rows.
    pub(crate) fn new(kind: Kind, rows: usize) -> Self {
        Self { builder: ColumnBuilder::new(kind), rows }
    }

    /// Returns false if the column is not going to be used, so that nothing more need be computed.
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

    /// Returns the column with a value for each row of those that `row_memo::once_each` computed.
    ///
    /// # Errors
    /// Fails with what [`is_too_large`] recognizes if the batch has to be cut.
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

/// Returns for each row the value of the column that its number is of.
///
/// # Errors
/// Fails with what [`is_too_large`] recognizes if the batch has to be cut. Equal texts of several rows
/// lie in one place, but members of lists are copied.
pub(crate) fn taken(column: &ArrayRef, numbers: &UInt32Array) -> Result<ArrayRef> {
    if numbers.len() > 1 && bytes_of_lists(column, numbers) > BATCH_BYTES {
        return Err(too_large());
    }
    Ok(take(column, numbers, None)?)
}

/// Returns a value that an expression gave as a column of so many rows.
///
/// # Errors
/// Fails with what [`is_too_large`] recognizes if the batch has to be cut: a constant list is copied for
/// each row.
pub(crate) fn array_of(value: &ColumnarValue, rows: usize) -> Result<ArrayRef> {
    if let ColumnarValue::Scalar(ScalarValue::List(list)) = value
        && rows > 1
        && list.values().len().saturating_mul(rows * VIEW) > BATCH_BYTES
    {
        return Err(too_large());
    }
    value.to_array(rows)
}

/// Returns the bytes of the lists that these rows of a column would be copied into.
fn bytes_of_lists(column: &ArrayRef, rows: &UInt32Array) -> usize {
    if !matches!(column.data_type(), DataType::List(_)) {
        return 0;
    }
    let lists = column.as_list::<i32>();
    let members = |row: u32| lists.value_length(row as usize) as usize;
    rows.iter().flatten().map(members).sum::<usize>() * VIEW
}

/// Bytes of one column of a batch from which on the batch is cut into smaller ones. A single row is
/// never cut.
pub(crate) const BATCH_BYTES: usize = 1 << 20;

/// Rows in a batch. Merging takes memory by the batch, and smaller ones cost no more time.
pub(crate) const BATCH_ROWS: usize = 512;

/// Bytes of a text in a column besides itself.
pub(crate) const VIEW: usize = 16;

/// The error of a batch that must be cut. A search shows it only if nobody between its function and its
/// output can cut.
fn too_large() -> DataFusionError {
    to_engine(
        Diagnostic::error(Code::LIMIT, TOO_LARGE)
            .help("shorten the values, for example with `substr` or `mvindex`"),
    )
}

const TOO_LARGE: &str =
    "the values that an expression makes of a batch of rows take too much memory";

/// Returns whether an error says that a batch must be cut.
pub(crate) fn is_too_large(error: &DataFusionError) -> bool {
    match error.find_root() {
        DataFusionError::External(inner) => inner
            .downcast_ref::<SearchError>()
            .is_some_and(|SearchError(diagnostic)| diagnostic.message == TOO_LARGE),
        _ => false,
    }
}

/// Parts after which a larger one is tried.
const PARTS_BEFORE_MORE: u32 = 16;

/// Cuts a batch into parts that an operation can do.
#[derive(Debug)]
pub(crate) struct Cutter {
    /// How many rows the next part has.
    rows: usize,
    /// How many parts in a row went well.
    done: u32,
    /// The batch, and its first row that is not done.
    rest: Option<(RecordBatch, usize)>,
}

impl Default for Cutter {
    fn default() -> Self {
        Self { rows: usize::MAX, done: 0, rest: None }
    }
}

impl Cutter {
    /// Takes the next batch, once all of the last one is done.
    pub(crate) fn put(&mut self, batch: RecordBatch) {
        debug_assert!(self.rest.is_none(), "the batch before must be done");
        self.rest = Some((batch, 0));
    }

    /// Returns what `operation` makes of the next part; `None` at the end of the batch.
    ///
    /// # Errors
    /// What the operation fails with, unless it can be done with fewer rows.
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
                    // Values may become small again, but trying costs as much as doing it.
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
