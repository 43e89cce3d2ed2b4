//! A memo that computes a result once for equal rows of a batch.
//!
//! Log values repeat, and equal texts of one pass over the events share their bytes. For most rows
//! it is therefore enough to compare string views, without reading the text, to see that a row
//! equals an earlier one.

use std::collections::HashMap;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, StringViewArray, UInt32Array,
};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::{DataType, Float64Type};
use datafusion::common::Result;
use foldhash::fast::RandomState;

/// Number of rows after which the memo checks whether rows repeat often enough to continue.
const TRIAL: usize = 256;

/// The key of null. No text is long enough to have this view, and numbers have only 64 bits.
const NULL: u128 = u128::MAX;

/// Remembers the results of equal rows in one batch.
#[derive(Debug)]
pub struct RowMemo<'a, T> {
    /// The columns that identify a row. `None` if the type of a column does not allow comparison,
    /// or if rows repeat too rarely; then every row is computed.
    columns: Option<Vec<Cells<'a>>>,
    known: HashMap<Box<[u128]>, T, RandomState>,
    key: Vec<u128>,
    asked: usize,
}

/// A column whose cells are compared by a 16-byte key. Cells with the same key are equal; cells
/// with different keys may be equal, too.
#[derive(Debug)]
enum Cells<'a> {
    Text(&'a StringViewArray),
    Number(&'a Float64Array),
    Null,
}

impl<'a, T: Clone> RowMemo<'a, T> {
    /// Creates an empty memo for rows identified by these columns.
    pub fn new(columns: impl IntoIterator<Item = &'a ArrayRef>) -> Self {
        Self {
            columns: columns.into_iter().map(Cells::of).collect(),
            known: HashMap::default(),
            key: Vec::new(),
            asked: 0,
        }
    }

    /// Returns the stored result of an equal row, or calls `find` and stores its result.
    ///
    /// It may also call `find` for a row that equals an earlier one, because not every pair of
    /// equal rows is recognized.
    pub fn get_or(&mut self, row: usize, find: impl FnOnce() -> T) -> T {
        // If more than half of the first rows were different, the memo is not worth its cost.
        if self.asked == TRIAL && self.known.len() > TRIAL / 2 {
            self.columns = None;
        }
        let Some(columns) = &self.columns else { return find() };
        self.asked += 1;
        self.key.clear();
        self.key.extend(columns.iter().map(|column| column.cell(row)));
        if let Some(known) = self.known.get(&*self.key) {
            return known.clone();
        }
        let found = find();
        self.known.insert(self.key.as_slice().into(), found.clone());
        found
    }
}

/// Calls `compute` for each row that does not equal an earlier one.
///
/// Returns the index of each row's result among the computed ones; `None` if all were computed.
pub(crate) fn once_each(
    columns: &[ArrayRef],
    rows: usize,
    mut compute: impl FnMut(usize),
) -> Option<UInt32Array> {
    let mut memo = RowMemo::new(columns);
    let mut computed = 0;
    let numbers: Vec<u32> = (0..rows)
        .map(|row| {
            memo.get_or(row, || {
                compute(row);
                computed += 1;
                computed - 1
            })
        })
        .collect();
    ((computed as usize) < rows).then(|| numbers.into())
}

/// Expands a column computed by [`once_each`] to one value per row.
///
/// # Errors
/// Fails if an index is past the end of the column.
pub(crate) fn spread(column: ArrayRef, numbers: Option<&UInt32Array>) -> Result<ArrayRef> {
    Ok(match numbers {
        Some(numbers) => take(&column, numbers, None)?,
        None => column,
    })
}

impl<'a> Cells<'a> {
    fn of(column: &'a ArrayRef) -> Option<Self> {
        match column.data_type() {
            DataType::Utf8View => Some(Self::Text(column.as_string_view())),
            DataType::Float64 => Some(Self::Number(column.as_primitive::<Float64Type>())),
            DataType::Null => Some(Self::Null),
            _ => None,
        }
    }

    fn cell(&self, row: usize) -> u128 {
        match self {
            Self::Text(column) if column.is_valid(row) => column.views()[row],
            Self::Number(column) if column.is_valid(row) => column.value(row).to_bits().into(),
            _ => NULL,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::ListArray;
    use datafusion::arrow::datatypes::Field;

    use super::*;

    #[test]
    fn rows_are_looked_at_once_unless_they_do_not_repeat_themselves() {
        let long = "a text that is longer than a view";
        let texts = Arc::new(StringViewArray::from(vec![Some(long), Some("b"), None, Some("b")]));
        let numbers = Arc::new(Float64Array::from(vec![Some(1.0), Some(2.0), None, Some(2.0)]));
        let item = Arc::new(Field::new("item", DataType::Utf8View, true));
        let lists = Arc::new(ListArray::new_null(item, 1));
        let columns: [ArrayRef; 2] = [texts, numbers];
        let mut memo = RowMemo::new(&columns);
        let mut looked = Vec::new();
        for row in [0, 1, 2, 3, 0, 2] {
            let found = memo.get_or(row, || {
                looked.push(row);
                row
            });
            assert_eq!(found, if row == 3 { 1 } else { row });
        }
        assert_eq!(looked, [0, 1, 2]);
        let mut computed = Vec::new();
        let numbers = once_each(&columns, 4, |row| computed.push(row as f64));
        let column = Arc::new(Float64Array::from(computed)) as ArrayRef;
        let spread = spread(column, numbers.as_ref()).unwrap();
        assert_eq!(*spread.as_primitive(), Float64Array::from(vec![0.0, 1.0, 2.0, 1.0]));
        let lists: [ArrayRef; 1] = [lists];
        let mut memo = RowMemo::new(&lists);
        assert_eq!([memo.get_or(0, || 1), memo.get_or(0, || 2)], [1, 2]);

        let unique: [ArrayRef; 1] =
            [Arc::new(Float64Array::from_iter_values((0..2000).map(f64::from)))];
        let mut memo = RowMemo::new(&unique);
        (0..2000).for_each(|row| assert_eq!(memo.get_or(row, || row), row));
        assert_eq!(memo.known.len(), TRIAL);
        // The memo stops even if the last row of the trial repeats an earlier one.
        let mut memo = RowMemo::new(&unique);
        (0..TRIAL - 1).chain([0]).chain(TRIAL..2000).for_each(|row| {
            memo.get_or(row, || row);
        });
        assert_eq!(memo.known.len(), TRIAL - 1);
    }
}
