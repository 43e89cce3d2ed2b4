//! Rows that keep more memory alive than they need, copied together.
//!
//! What an aggregation gives are slices of one large batch, and each counts as all of it where memory is
//! accounted for. A sort could not hold the first of them, and has nothing yet that it could write to disk
//! instead.

use std::collections::HashSet;

use datafusion::arrow::array::{Array, AsArray, RecordBatch, StringViewArray, UInt32Array};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use spilltrail_event::Field;

use super::{Operator, Running, gather};

/// Copies the rows of a batch if they take less than half of what they keep alive.
#[derive(Debug)]
pub struct Compact;

impl Operator for Compact {
    fn name(&self) -> &'static str {
        "compact"
    }

    fn state(&self) -> String {
        String::new()
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

    fn start(&self, _: SchemaRef, output: SchemaRef, _: &TaskContext) -> Result<Box<dyn Running>> {
        Ok(Box::new(Compacting { output }))
    }
}

struct Compacting {
    output: SchemaRef,
}

impl Running for Compacting {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        let rows = batch.num_rows();
        let columns = match memory(&batch) {
            Memory { alive, used } if used < alive / 2 => {
                let all = UInt32Array::from_iter_values(0..u32::try_from(rows).unwrap_or(u32::MAX));
                let copied = batch.columns().iter();
                let copied = copied.map(|column| gather::compact(&take(column, &all, None)?));
                copied.collect::<Result<_>>()?
            }
            _ => batch.columns().to_vec(),
        };
        gather::of_columns(&self.output, columns, rows).map(Some)
    }
}

/// Bytes of a batch's columns.
#[derive(Debug, Default)]
struct Memory {
    /// Of the buffers, each counted once however many columns have it.
    alive: usize,
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
                memory.alive += column.get_buffer_memory_size();
                memory.used += column.to_data().get_slice_memory_size().unwrap_or_default();
            }
        }
    }
    memory
}

impl Memory {
    fn add_texts(&mut self, texts: &StringViewArray, counted: &mut HashSet<*const u8>) {
        for buffer in texts.data_buffers() {
            if counted.insert(buffer.as_ptr()) {
                self.alive += buffer.capacity();
            }
        }
        self.alive += texts.views().inner().capacity();
        self.used += size_of_val(&**texts.views()) + texts.total_buffer_bytes_used();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{ArrayRef, Float64Array};
    use datafusion::arrow::datatypes::{Field as ArrowField, Schema};

    use super::*;

    #[test]
    fn slices_are_copied_and_whole_batches_are_not() {
        let texts: Vec<String> = (0..1000).map(|n| format!("a text of some length, {n}")).collect();
        let texts = Arc::new(StringViewArray::from_iter_values(&texts)) as ArrayRef;
        let numbers = Arc::new(Float64Array::from_iter_values((0..1000).map(f64::from)));
        let schema = Arc::new(Schema::new(vec![
            ArrowField::new("text", DataType::Utf8View, true),
            // The same buffers once more, which take nothing.
            ArrowField::new("again", DataType::Utf8View, true),
            ArrowField::new("number", DataType::Float64, true),
        ]));
        let batch = RecordBatch::try_new(schema.clone(), vec![texts.clone(), texts, numbers]);
        let batch = batch.unwrap();
        let mut compacting = Compacting { output: schema };
        let whole = compacting.push(batch.clone()).unwrap().unwrap();
        assert!(Arc::ptr_eq(whole.column(0), batch.column(0)));
        let slice = batch.slice(990, 10);
        let copied = compacting.push(slice.clone()).unwrap().unwrap();
        assert_eq!(copied, slice);
        assert!(copied.get_array_memory_size() < batch.get_array_memory_size() / 20);
    }
}
