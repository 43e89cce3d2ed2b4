//! Batches as a sort needs them: small, and counted for what they are.
//!
//! A sort asks the memory pool for twice what a batch keeps alive, and that is far more than its rows take
//! where buffers are shared: what an aggregation gives are slices of one large batch, each of which counts
//! as all of it; and the text columns of events share one buffer, which counts once for each column. The
//! sort could not hold the first of such batches, and has nothing yet that it could write to disk instead.
//!
//! What was written to disk is merged from several files at a time, of each a batch or two in memory.
//! Batches of large rows therefore have fewer of them.

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

/// Cuts batches that are large, and copies rows that take less than half of what a sort counts for them.
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
    /// Rows of a batch. A sort cuts larger ones into slices, each of which counts as all.
    batch_rows: usize,
    /// What is not given yet of the last batch, the next rows last.
    parts: Vec<RecordBatch>,
    /// Small batches, which are given as one.
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
                // Rows differ in size, so that halves are weighed again.
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

    /// Returns the batches that wait as one; `None` if there is none.
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

/// Bytes of a batch's columns.
#[derive(Debug, Default)]
struct Memory {
    /// Of the buffers, each counted once however many columns have it.
    alive: usize,
    /// Of the buffers, each counted for every column that has it.
    alive_by_column: usize,
    /// Of what the rows have in them, as if each had its own.
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
    /// Returns what a sort counts for the batch, in terms of what it counts for one that is compact: the
    /// mean of what the batch keeps alive, and of what its columns would keep alive each by itself.
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
            // The same buffers once more, which take nothing.
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
