//! Operators that must see every row before they give one: the rows are held, compact and accounted
//! for, until the last has come.

use std::collections::VecDeque;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, ListArray, RecordBatch, RecordBatchOptions,
};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::datatypes::{DataType, Field as ArrowField, SchemaRef};
use datafusion::common::{Result, internal_datafusion_err};
use spilltrail_event::{Field, Value};

use super::Running;
use crate::expression::arrow::ColumnReader;

/// What is done with the rows once they are all there.
type Finish = Box<dyn FnOnce(&[RecordBatch]) -> Result<Vec<RecordBatch>> + Send>;

/// Holds all rows, then gives what a function makes of them.
pub(crate) struct Gather {
    held: HeldRows,
    finish: Option<Finish>,
    given: VecDeque<RecordBatch>,
}

impl Gather {
    pub(crate) fn start(
        finish: impl FnOnce(&[RecordBatch]) -> Result<Vec<RecordBatch>> + Send + 'static,
    ) -> Box<dyn Running> {
        Box::new(Self {
            held: HeldRows::default(),
            finish: Some(Box::new(finish)),
            given: VecDeque::new(),
        })
    }
}

impl Running for Gather {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        self.held.push(&batch)?;
        Ok(None)
    }

    fn finish(&mut self) -> Result<Option<RecordBatch>> {
        if let Some(finish) = self.finish.take() {
            let rows = std::mem::take(&mut self.held);
            self.given = finish(&rows.batches)?.into();
        }
        Ok(self.given.pop_front())
    }

    fn held(&self) -> usize {
        self.held.bytes
    }
}

/// Batches held in memory, and their size.
#[derive(Default)]
pub(crate) struct HeldRows {
    pub(crate) batches: Vec<RecordBatch>,
    pub(crate) bytes: usize,
}

impl HeldRows {
    /// Keeps a batch. Its text is copied together first: views after a filter or a sort keep far
    /// larger buffers alive than they need.
    pub(crate) fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        let columns = batch.columns().iter().map(compact).collect::<Result<Vec<_>>>()?;
        let batch = of_columns(&batch.schema(), columns, batch.num_rows())?;
        self.bytes += batch.get_array_memory_size();
        self.batches.push(batch);
        Ok(())
    }
}

/// Returns the batch of these columns. Rows without any column are rows too: `stats count` needs none.
pub(crate) fn of_columns(
    schema: &SchemaRef,
    columns: Vec<ArrayRef>,
    rows: usize,
) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}

/// Returns a column with its texts in buffers of its own.
pub(crate) fn compact(column: &ArrayRef) -> Result<ArrayRef> {
    Ok(match column.data_type() {
        DataType::Utf8View => Arc::new(column.as_string_view().gc()),
        DataType::List(item) if item.data_type() == &DataType::Utf8View => {
            let list = column.as_list::<i32>();
            let values = Arc::new(list.values().as_string_view().gc());
            let (offsets, nulls) = (list.offsets().clone(), list.nulls().cloned());
            Arc::new(ListArray::try_new(item.clone(), offsets, values, nulls)?)
        }
        _ => column.clone(),
    })
}

/// Returns the columns with these set: an existing one keeps its place, a new one comes last.
pub(crate) fn fields_with(input: &[Field], set: &[Field]) -> Vec<Field> {
    let find = |name: &str| set.iter().find(|field| field.name == name);
    let mut fields: Vec<Field> =
        input.iter().map(|field| find(&field.name).unwrap_or(field).clone()).collect();
    for field in set {
        if !fields.iter().any(|known| known.name == field.name) {
            fields.push(field.clone());
        }
    }
    fields
}

/// Returns the batches with columns set; a new column has a value for each row of all batches.
pub(crate) fn batches_with(
    batches: &[RecordBatch],
    output: &SchemaRef,
    set: &[(String, ArrayRef)],
) -> Result<Vec<RecordBatch>> {
    let mut offset = 0;
    let mut given = Vec::with_capacity(batches.len());
    for batch in batches {
        let rows = batch.num_rows();
        let column =
            |field: &Arc<ArrowField>| match set.iter().find(|(name, _)| name == field.name()) {
                Some((_, column)) => Ok(column.slice(offset, rows)),
                None => batch.column_by_name(field.name()).cloned().ok_or_else(|| {
                    internal_datafusion_err!("the column `{}` is missing", field.name())
                }),
            };
        let columns = output.fields().iter().map(column).collect::<Result<Vec<_>>>()?;
        given.push(of_columns(output, columns, rows)?);
        offset += rows;
    }
    Ok(given)
}

/// Returns the values of a column in order.
pub(crate) fn values(readers: &[(usize, ColumnReader)]) -> impl Iterator<Item = Value<'_>> {
    readers.iter().flat_map(|(rows, reader)| (0..*rows).map(move |row| reader.value(row)))
}

/// Returns readers of a column through all batches; none where there is no such column.
pub(crate) fn readers(batches: &[RecordBatch], name: &str) -> Result<Vec<(usize, ColumnReader)>> {
    batches
        .iter()
        .filter_map(|batch| batch.column_by_name(name).map(|column| (batch.num_rows(), column)))
        .map(|(rows, column)| Ok((rows, ColumnReader::new(column)?)))
        .collect()
}

/// Returns the rows that are to be kept; there is a choice for each row of all batches.
pub(crate) fn filtered(batches: &[RecordBatch], kept: &[bool]) -> Result<Vec<RecordBatch>> {
    let mut offset = 0;
    let filtered = batches.iter().map(|batch| {
        let rows = offset..offset + batch.num_rows();
        offset = rows.end;
        Ok(filter_record_batch(batch, &BooleanArray::from(kept[rows].to_vec()))?)
    });
    filtered.collect()
}

/// Returns the number of rows of all batches.
pub(crate) fn row_count(batches: &[RecordBatch]) -> usize {
    batches.iter().map(RecordBatch::num_rows).sum()
}
