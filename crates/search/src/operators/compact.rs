//! Prepares batches for a sort: small batches that do not keep more memory alive than they use.
//!
//! A sort reserves twice the memory that a batch keeps alive. If buffers are shared, that is far
//! more than the batch's rows use: an aggregation returns slices of one large batch, and each slice
//! counts as the whole batch; the text columns of events share one buffer, which counts once per
//! column. The sort could not reserve memory for the first such batch, and it has no earlier rows
//! that it could write to disk to free memory.
//!
//! Rows on disk are merged from several files at once, with a batch or two of each file in memory.
//! Batches of large rows therefore have fewer rows.

use std::collections::HashSet;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, RecordBatch, StringViewArray, UInt32Array,
};
use datafusion::arrow::compute::{concat_batches, take};
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use serde::{Deserialize, Serialize};
use spilltrail_event::Field;

use super::{Operator, Running, gather};
use crate::rows::cut::BATCH_BYTES;
use crate::rows::state::state_of;

/// Cuts large batches, and copies rows that use less than half of the memory that a sort counts for
/// them.
#[derive(Debug, Serialize, Deserialize)]
pub struct Compact;

impl Operator for Compact {
    fn name(&self) -> &'static str {
        "compact"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn output(&self, input: &[Field]) -> Vec<Field> {
        input.to_vec()
    }

    fn keeps_rows(&self) -> bool {
        true
    }

    fn needs_rows(&self) -> bool {
        true
    }

    fn start(
        &self,
        _: SchemaRef,
        output: SchemaRef,
        context: &TaskContext,
    ) -> Result<Box<dyn Running>> {
        Ok(Box::new(Compacting::new(output, context.session_config().batch_size())))
    }
}

struct Compacting {
    output: SchemaRef,
    /// The maximum number of rows in a batch. A sort cuts a larger batch into slices, each of which
    /// counts as the whole batch.
    batch_rows: usize,
    /// The rest of the last batch as a stack: the next rows are at the end.
    parts: Vec<RecordBatch>,
    /// Small batches that will be returned as one.
    waiting: Vec<RecordBatch>,
    waiting_rows: usize,
    waiting_bytes: usize,
}

impl Running for Compacting {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        self.parts.push(batch);
        self.more()
    }

    fn more(&mut self) -> Result<Option<RecordBatch>> {
        while let Some(batch) = self.parts.pop() {
            let (rows, memory) = (batch.num_rows(), memory(&batch));
            if rows > self.batch_rows || rows > 1 && memory.used > BATCH_BYTES {
                // Rows differ in size, so each half is measured again.
                let half = if rows > 2 * self.batch_rows { self.batch_rows } else { rows / 2 };
                self.parts.push(batch.slice(half, rows - half));
                self.parts.push(batch.slice(0, half));
                continue;
            }
            let has_room = self.waiting_rows + rows <= self.batch_rows
                && self.waiting_bytes + memory.used <= BATCH_BYTES;
            if !has_room && self.waiting_rows > 0 {
                self.parts.push(batch);
                return self.together();
            }
            let columns = if memory.counted() > 2 * memory.used {
                copied(&batch)?
            } else {
                batch.columns().to_vec()
            };
            self.waiting.push(gather::of_columns(&self.output, columns, rows)?);
            self.waiting_rows += rows;
            self.waiting_bytes += memory.used;
            if rows > self.batch_rows / 2 || memory.used > BATCH_BYTES / 2 {
                return self.together();
            }
        }
        Ok(None)
    }

    fn finish(&mut self) -> Result<Option<RecordBatch>> {
        self.together()
    }

    fn held(&self) -> usize {
        self.waiting_bytes
    }
}

impl Compacting {
    fn new(output: SchemaRef, batch_rows: usize) -> Self {
        let (parts, waiting) = (Vec::new(), Vec::new());
        Self { output, batch_rows, parts, waiting, waiting_rows: 0, waiting_bytes: 0 }
    }

    /// Returns the waiting batches as one, or `None` if no batch is waiting.
    fn together(&mut self) -> Result<Option<RecordBatch>> {
        (self.waiting_rows, self.waiting_bytes) = (0, 0);
        let mut waiting = std::mem::take(&mut self.waiting);
        match waiting.len() {
            0 | 1 => Ok(waiting.pop()),
            _ => Ok(Some(concat_batches(&self.output, &waiting)?)),
        }
    }
}

fn copied(batch: &RecordBatch) -> Result<Vec<ArrayRef>> {
    let rows = u32::try_from(batch.num_rows()).unwrap_or(u32::MAX);
    let all = UInt32Array::from_iter_values(0..rows);
    let columns = batch.columns().iter();
    columns.map(|column| gather::compact(&take(column, &all, None)?)).collect()
}

/// Sizes of a batch's columns, in bytes.
#[derive(Debug, Default)]
struct Memory {
    /// The size of all buffers; a buffer that several columns share is counted once.
    alive: usize,
    /// The size of all buffers; a buffer that several columns share is counted for each of them.
    alive_by_column: usize,
    /// The size of the rows' values; a text that several rows share is counted for each of them.
    used: usize,
}

fn memory(batch: &RecordBatch) -> Memory {
    let mut memory = Memory::default();
    let mut counted = HashSet::new();
    for column in batch.columns() {
        match column.data_type() {
            DataType::Utf8View => memory.add_texts(column.as_string_view(), &mut counted),
            DataType::List(item) if item.data_type() == &DataType::Utf8View => {
                let list = column.as_list::<i32>();
                let (first, last) = (list.value_offsets()[0], list.value_offsets()[list.len()]);
                let values = list.values().slice(first as usize, (last - first) as usize);
                memory.add_texts(values.as_string_view(), &mut counted);
            }
            _ => {
                let size = column.get_buffer_memory_size();
                memory.alive += size;
                memory.alive_by_column += size;
                memory.used += column.to_data().get_slice_memory_size().unwrap_or_default();
            }
        }
    }
    memory
}

impl Memory {
    /// Returns the bytes that a sort counts for the batch, scaled so that they equal `used` for a
    /// compact batch.
    ///
    /// That is the mean of the memory that the batch keeps alive and the sum of the memory that
    /// each column would keep alive alone.
    fn counted(&self) -> usize {
        self.alive.midpoint(self.alive_by_column)
    }

    fn add_texts(&mut self, texts: &StringViewArray, counted: &mut HashSet<*const u8>) {
        let views = texts.views().inner().capacity();
        self.alive += views;
        self.alive_by_column += views;
        for buffer in texts.data_buffers() {
            self.alive_by_column += buffer.capacity();
            if counted.insert(buffer.as_ptr()) {
                self.alive += buffer.capacity();
            }
        }
        self.used += size_of_val(&**texts.views()) + texts.total_buffer_bytes_used();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{ArrayRef, Float64Array};
    use datafusion::arrow::datatypes::{Field as ArrowField, Schema};

    use super::*;
    use crate::rows::cut::BATCH_ROWS;

    #[test]
    fn slices_are_copied_and_whole_batches_are_not() {
        let texts: Vec<String> = (0..500).map(|n| format!("a text of some length, {n}")).collect();
        let texts = Arc::new(StringViewArray::from_iter_values(&texts)) as ArrayRef;
        let numbers = Arc::new(Float64Array::from_iter_values((0..500).map(f64::from)));
        let schema = Arc::new(Schema::new(vec![
            ArrowField::new("text", DataType::Utf8View, true),
            // The same buffers again, which use no more memory.
            ArrowField::new("again", DataType::Utf8View, true),
            ArrowField::new("number", DataType::Float64, true),
        ]));
        let batch = RecordBatch::try_new(schema.clone(), vec![texts.clone(), texts, numbers]);
        let batch = batch.unwrap();
        let mut compacting = Compacting::new(schema, BATCH_ROWS);
        let whole = compacting.push(batch.clone()).unwrap().unwrap();
        assert!(Arc::ptr_eq(whole.column(0), batch.column(0)));
        let slice = batch.slice(490, 10);
        assert_eq!(compacting.push(slice.slice(0, 5)).unwrap(), None);
        assert_eq!(compacting.push(slice.slice(5, 5)).unwrap(), None);
        let copied = compacting.finish().unwrap().unwrap();
        assert_eq!(copied, slice);
        assert!(copied.get_array_memory_size() < batch.get_array_memory_size() / 10);
    }
}
