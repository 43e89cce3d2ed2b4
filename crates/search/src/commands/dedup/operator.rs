//! Rows whose key has not come too often yet.

use std::collections::HashMap;

use datafusion::arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use datafusion::arrow::compute::{filter_record_batch, nullif};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use spilltrail_event::Field;

use crate::operators::{Operator, Running, gather, key};
use crate::rows::arrow::ColumnReader;

/// Removes the rows that repeat a combination of values; the first ones are kept.
#[derive(Debug, Clone)]
pub(super) struct Dedup {
    /// The fields that are compared; multivalues as whole lists.
    pub(super) fields: Vec<String>,
    /// How many rows of a combination are kept.
    pub(super) keep: usize,
    /// Whether only rows right after each other count as repeated.
    pub(super) is_consecutive: bool,
    /// Whether repeated rows stay and lose the fields instead.
    pub(super) keep_events: bool,
    /// Whether rows without one of the fields stay.
    pub(super) keep_empty: bool,
}

impl Operator for Dedup {
    fn name(&self) -> &'static str {
        "dedup"
    }

    fn state(&self) -> String {
        format!(
            "{:?} {} {} {} {}",
            self.fields, self.keep, self.is_consecutive, self.keep_events, self.keep_empty
        )
    }

    fn output(&self, input: &[Field]) -> Vec<Field> {
        input.to_vec()
    }

    fn needs_rows(&self) -> bool {
        true
    }

    fn start(&self, input: SchemaRef, _: SchemaRef, _: &TaskContext) -> Result<Box<dyn Running>> {
        let indices = self.fields.iter().map(|field| input.index_of(field).ok()).collect();
        let counts = Counts { is_consecutive: self.is_consecutive, ..Counts::default() };
        Ok(Box::new(Deduplicating { dedup: self.clone(), indices, counts }))
    }
}

struct Deduplicating {
    dedup: Dedup,
    indices: Vec<Option<usize>>,
    counts: Counts,
}

impl Running for Deduplicating {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        let readers = self
            .indices
            .iter()
            .map(|index| index.map(|index| ColumnReader::new(batch.column(index))).transpose())
            .collect::<Result<Vec<_>>>()?;
        let mut kept = Vec::with_capacity(batch.num_rows());
        let mut repeated = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            let key = key::whole(&readers, row);
            let is_empty = key.is_none();
            let is_repeated = key.is_some_and(|key| self.counts.add(key) > self.dedup.keep);
            repeated.push(is_repeated);
            kept.push(if is_empty {
                self.dedup.keep_empty
            } else {
                !is_repeated || self.dedup.keep_events
            });
        }
        let batch = if self.dedup.keep_events {
            self.blanked(&batch, &BooleanArray::from(repeated))?
        } else {
            batch
        };
        Ok(Some(filter_record_batch(&batch, &BooleanArray::from(kept))?))
    }

    fn held(&self) -> usize {
        self.counts.held
    }
}

impl Deduplicating {
    fn blanked(&self, batch: &RecordBatch, repeated: &BooleanArray) -> Result<RecordBatch> {
        let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
        for index in self.indices.iter().flatten() {
            columns[*index] = nullif(&columns[*index], repeated)?;
        }
        gather::of_columns(&batch.schema(), columns, batch.num_rows())
    }
}

/// How often each key has come.
#[derive(Debug, Default)]
struct Counts {
    is_consecutive: bool,
    counts: HashMap<Vec<u8>, usize>,
    held: usize,
}

impl Counts {
    /// Returns how often `key` has come, this time included; with `is_consecutive`, in a row.
    fn add(&mut self, key: Vec<u8>) -> usize {
        if self.is_consecutive && !self.counts.contains_key(&key) {
            self.counts.clear();
            self.held = 0;
        }
        let size = key.len() + 64;
        let held = &mut self.held;
        let count = self.counts.entry(key).or_insert_with(|| {
            *held += size;
            0
        });
        *count += 1;
        *count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(is_consecutive: bool, keys: &str) -> Vec<usize> {
        let mut counts = Counts { is_consecutive, ..Counts::default() };
        keys.bytes().map(|key| counts.add(vec![key])).collect()
    }

    #[test]
    fn keys_are_counted() {
        assert_eq!(counted(false, "aabaab"), [1, 2, 1, 3, 4, 2]);
        assert_eq!(counted(true, "aabaab"), [1, 2, 1, 1, 2, 1]);
    }
}
