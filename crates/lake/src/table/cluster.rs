//! Sorts rows, so that searches read little of a file: what they ask for is together.

use deltalake_core::arrow::array::RecordBatch;
use deltalake_core::arrow::compute::{
    SortColumn, concat_batches, lexsort_to_indices, take_record_batch,
};

use super::rows::PARTITIONS;
use crate::error::TableError;

/// Rows that are handed over together.
pub(super) const ROWS_TOGETHER: usize = 8192;

/// The columns by which rows of a file are sorted.
const ORDER: [&str; 3] = ["eventSource", "eventName", "_time"];

/// Returns rows in order, those of one file together, some at a time, so that they are not all in memory
/// another time.
pub(super) fn clustered(
    mut rows: Vec<RecordBatch>,
) -> Result<impl Iterator<Item = Result<RecordBatch, TableError>> + use<>, TableError> {
    let rows = match rows.len() {
        0 | 1 => rows.pop(),
        _ => Some(concat_batches(&rows[0].schema(), &rows)?),
    };
    let order = match &rows {
        None => None,
        Some(rows) => {
            let columns = PARTITIONS.into_iter().chain(ORDER).filter_map(|name| {
                Some(SortColumn { values: rows.column_by_name(name)?.clone(), options: None })
            });
            Some(lexsort_to_indices(&columns.collect::<Vec<_>>(), None)?)
        }
    };
    let sorted = rows.zip(order);
    Ok(sorted.into_iter().flat_map(|(rows, order)| {
        (0..order.len()).step_by(ROWS_TOGETHER).map(move |at| {
            let some = order.slice(at, ROWS_TOGETHER.min(order.len() - at));
            Ok(take_record_batch(&rows, &some)?)
        })
    }))
}
