//! The operator of `dedup`: keeps a limited number of rows with the same key.

use std::collections::HashMap;

use datafusion::arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use datafusion::arrow::compute::{filter_record_batch, nullif};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use serde::{Deserialize, Serialize};
use spilltrail_event::Field;

use crate::operators::by_key::{self, ByKey, KeyedRow, KeyedWork};
use crate::operators::gather::{self, Room};
use crate::operators::{Operator, Running, key};
use crate::rows::arrow::ColumnReader;
use crate::rows::state::state_of;

/// Removes rows that repeat a combination of values, and keeps the first ones.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Dedup {
    /// The fields to compare. Multivalues are equal if their whole lists are.
    pub(super) fields: Vec<String>,
    /// The number of rows to keep for each combination of values.
    pub(super) keep: usize,
    /// Whether rows count as repeated only within a run of equal rows. Rows that lack a field do
    /// not interrupt a run.
    pub(super) is_consecutive: bool,
    /// Whether repeated rows are kept without the compared fields instead of being removed.
    pub(super) keep_events: bool,
    /// Whether rows that lack one of the fields are kept.
    pub(super) keep_empty: bool,
}

impl Operator for Dedup {
    fn name(&self) -> &'static str {
        "dedup"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn output(&self, input: &[Field]) -> Vec<Field> {
        input.to_vec()
    }

    fn needs_rows(&self) -> bool {
        true
    }

    fn start(
        &self,
        input: SchemaRef,
        output: SchemaRef,
        context: &TaskContext,
    ) -> Result<Box<dyn Running>> {
        let indices = self.fields.iter().map(|field| input.index_of(field).ok()).collect();
        let counts = Counts { is_consecutive: self.is_consecutive, ..Counts::default() };
        let work = Deduplicating { dedup: self.clone(), indices, counts };
        Ok(Box::new(ByKey::start("dedup", &input, output, Room::of(context), work)))
    }
}

struct Deduplicating {
    dedup: Dedup,
    indices: Vec<Option<usize>>,
    counts: Counts,
}

impl KeyedWork for Deduplicating {
    fn fresh(&self) -> Self {
        let counts = Counts { is_consecutive: self.dedup.is_consecutive, ..Counts::default() };
        Self { dedup: self.dedup.clone(), indices: self.indices.clone(), counts }
    }

    fn entries(&mut self, batch: &RecordBatch) -> Result<Vec<KeyedRow>> {
        let readers = self
            .indices
            .iter()
            .map(|index| index.map(|index| ColumnReader::new(batch.column(index))).transpose())
            .collect::<Result<Vec<_>>>()?;
        let entry = |row: usize| KeyedRow {
            row: u32::try_from(row).unwrap_or(u32::MAX),
            key: key::whole(&readers, row),
            times: 1,
            is_own: true,
        };
        Ok((0..batch.num_rows()).map(entry).collect())
    }

    /// Returns false with `consecutive`: each row depends on the row before it, whatever its key.
    /// Rows must then be processed in order and cannot be set aside by key.
    fn may_wait(&self) -> bool {
        !self.dedup.is_consecutive
    }

    fn knows(&self, key: &[u8]) -> bool {
        self.counts.counts.contains_key(key)
    }

    fn held(&self) -> usize {
        self.counts.held
    }

    fn take(&mut self, batch: &RecordBatch, entries: &[KeyedRow]) -> Result<Option<RecordBatch>> {
        let batch = by_key::own_rows(batch, entries)?;
        let mut kept = Vec::with_capacity(entries.len());
        let mut repeated = Vec::with_capacity(entries.len());
        for entry in entries {
            // A row that lacks one of the fields has no key and is not counted.
            let count = entry.key.as_ref().map(|key| self.counts.add(key));
            let is_repeated = count.is_some_and(|count| count > self.dedup.keep);
            repeated.push(is_repeated);
            kept.push(if entry.key.is_none() {
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
}

impl Deduplicating {
    /// Returns the batch with the compared fields of repeated rows set to null.
    fn blanked(&self, batch: &RecordBatch, repeated: &BooleanArray) -> Result<RecordBatch> {
        let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
        for index in self.indices.iter().flatten() {
            columns[*index] = nullif(&columns[*index], repeated)?;
        }
        gather::of_columns(&batch.schema(), columns, batch.num_rows())
    }
}

/// The number of rows seen for each key.
#[derive(Debug, Default)]
struct Counts {
    is_consecutive: bool,
    counts: HashMap<Vec<u8>, usize>,
    /// The approximate memory use of `counts` in bytes.
    held: usize,
}

impl Counts {
    /// Counts another row of `key` and returns the new count. With `is_consecutive`, the count
    /// covers only the current run of equal keys.
    fn add(&mut self, key: &[u8]) -> usize {
        if let Some(count) = self.counts.get_mut(key) {
            *count += 1;
            return *count;
        }
        // A different key ends the run of the last one.
        if self.is_consecutive {
            self.counts.clear();
            self.held = 0;
        }
        self.held += key.len() + key::HELD;
        self.counts.insert(key.to_vec(), 1);
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(is_consecutive: bool, keys: &str) -> Vec<usize> {
        let mut counts = Counts { is_consecutive, ..Counts::default() };
        keys.bytes().map(|key| counts.add(&[key])).collect()
    }

    #[test]
    fn keys_are_counted() {
        assert_eq!(counted(false, "aabaab"), [1, 2, 1, 3, 4, 2]);
        assert_eq!(counted(true, "aabaab"), [1, 2, 1, 1, 2, 1]);
    }
}
