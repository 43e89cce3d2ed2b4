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

/// The most bytes of rows that are sorted together. An array of texts holds at most 2 GB.
const MOST_TOGETHER: usize = 256 << 20;

/// Returns rows in order, those of one file together, some at a time, so that they are not all in memory
/// another time. Of very many rows, each run that is in order has [`MOST_TOGETHER`] bytes, or those of one
/// batch.
pub(super) fn clustered(
    rows: Vec<RecordBatch>,
) -> impl Iterator<Item = Result<RecordBatch, TableError>> {
    runs_of(rows, MOST_TOGETHER).into_iter().flat_map(|run| {
        let (sorted, failed) = match sorted(run) {
            Ok(sorted) => (Some(sorted), None),
            Err(error) => (None, Some(Err(error))),
        };
        failed.into_iter().chain(sorted.into_iter().flatten())
    })
}

/// Puts batches into runs of at most so many bytes, or of one batch.
fn runs_of(rows: Vec<RecordBatch>, most: usize) -> Vec<Vec<RecordBatch>> {
    let (mut runs, mut bytes) = (Vec::<Vec<RecordBatch>>::new(), 0_usize);
    for batch in rows {
        let held = batch.get_array_memory_size();
        bytes = bytes.saturating_add(held);
        match runs.last_mut().filter(|_| bytes <= most) {
            Some(run) => run.push(batch),
            None => {
                runs.push(vec![batch]);
                bytes = held;
            }
        }
    }
    runs
}

/// Returns the rows of a run in order, some at a time.
pub(super) fn sorted(
    mut run: Vec<RecordBatch>,
) -> Result<impl Iterator<Item = Result<RecordBatch, TableError>> + use<>, TableError> {
    let rows = match run.len() {
        0 | 1 => run.pop(),
        _ => Some(concat_batches(&run[0].schema(), &run)?),
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
    Ok(rows.zip(order).into_iter().flat_map(|(rows, order)| {
        (0..order.len()).step_by(ROWS_TOGETHER).map(move |at| {
            let some = order.slice(at, ROWS_TOGETHER.min(order.len() - at));
            Ok(take_record_batch(&rows, &some)?)
        })
    }))
}

#[cfg(test)]
mod tests {
    use deltalake_core::arrow::array::AsArray;

    use super::*;
    use crate::table::{EventRow, RowsBuilder};

    fn rows(events: &[(&str, &str, &str)]) -> RecordBatch {
        let mut builder = RowsBuilder::new();
        for (index, name, raw) in events {
            let mut leads = [None; spilltrail_event::stored::LEADS.len()];
            leads[0] = Some(*name);
            let raw = raw.as_bytes();
            builder.push(&EventRow { index, leads, raw, ..EventRow::default() }).unwrap();
        }
        builder.finish()
    }

    fn texts(rows: Vec<RecordBatch>, most: usize) -> String {
        let mut found = String::new();
        for batch in runs_of(rows, most).into_iter().flat_map(|run| sorted(run).unwrap()) {
            let batch = batch.unwrap();
            let column = batch.column_by_name("_raw").unwrap().as_string::<i32>().clone();
            column.iter().flatten().for_each(|text| found.push_str(text));
        }
        found
    }

    #[test]
    fn rows_of_one_call_are_together_in_runs_of_bounded_size() {
        let one = || rows(&[("b", "Get", "3"), ("a", "Put", "2"), ("a", "Get", "1")]);
        let other = || rows(&[("a", "Get", "1"), ("b", "Put", "4")]);
        let held = one().get_array_memory_size();
        for (batches, most, expected) in [
            (vec![], usize::MAX, ""),
            (vec![one()], usize::MAX, "123"),
            (vec![one(), other()], usize::MAX, "11234"),
            // Rows of two runs are in one order each, and none is lost.
            (vec![one(), other()], held, "12314"),
            (vec![other(), one(), one()], 0, "14123123"),
        ] {
            assert_eq!(texts(batches, most), expected, "{most}");
        }
        let all: Result<Vec<_>, _> = clustered(vec![one(), other()]).collect();
        assert_eq!(all.unwrap().iter().map(RecordBatch::num_rows).sum::<usize>(), 5);
    }
}
