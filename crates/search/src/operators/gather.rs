//! Operators that must see every row before they give one: the rows are held until the last has come,
//! and then looked at as often as it takes.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, ListArray, RecordBatch, RecordBatchOptions,
};
use datafusion::arrow::datatypes::{DataType, Field as ArrowField, Schema, SchemaRef};
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::execution::TaskContext;
use indexmap::IndexMap;
use spilltrail_event::{Field, Kind};

use super::Running;
pub(crate) use super::held::{HeldRows, Room};
use crate::rows::arrow::ColumnReader;

/// What is given, batch by batch.
pub(crate) type Given = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// What is done with the rows once they are all there.
type Finish = Box<dyn FnOnce(HeldRows) -> Result<Given> + Send>;

/// Holds all rows, then gives what a function makes of them.
pub(crate) struct Gather {
    /// None once they are given.
    held: Option<(HeldRows, Finish)>,
    given: Given,
}

impl Gather {
    /// Returns the running half of the operator `name`, which gets batches of the schema `input`.
    pub(crate) fn start(
        name: &str,
        input: SchemaRef,
        context: &TaskContext,
        finish: impl FnOnce(HeldRows) -> Result<Given> + Send + 'static,
    ) -> Box<dyn Running> {
        let held = HeldRows::new(name, input, &Room::of(context));
        Box::new(Self { held: Some((held, Box::new(finish))), given: Box::new(std::iter::empty()) })
    }
}

impl Running for Gather {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        if let Some((held, _)) = &mut self.held {
            held.push(&batch)?;
        }
        Ok(None)
    }

    fn finish(&mut self) -> Result<Option<RecordBatch>> {
        if let Some((held, finish)) = self.held.take() {
            self.given = finish(held)?;
        }
        self.given.next().transpose()
    }
}

/// Returns the batch with its texts copied together: views after a filter or a sort keep far larger
/// buffers alive than they need.
pub(crate) fn compacted(batch: &RecordBatch) -> Result<RecordBatch> {
    let columns = batch.columns().iter().map(compact).collect::<Result<Vec<_>>>()?;
    of_columns(&batch.schema(), columns, batch.num_rows())
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

/// Returns where the columns of a schema are. A schema itself looks through all of them for each name.
pub(crate) fn indices(schema: &Schema) -> HashMap<&str, usize> {
    let names = schema.fields().iter().enumerate();
    names.map(|(index, field)| (field.name().as_str(), index)).collect()
}

/// Returns the columns with these set: an existing one keeps its place, a new one comes last.
pub(crate) fn fields_with(input: &[Field], set: &[Field]) -> Vec<Field> {
    let named = |field: &Field| (field.name.clone(), field.kind);
    let mut fields: IndexMap<String, Kind> = input.iter().map(named).collect();
    fields.extend(set.iter().map(named));
    fields.into_iter().map(|(name, kind)| Field::new(name, kind)).collect()
}

/// Returns the batch with columns set.
pub(crate) fn batch_with(
    batch: &RecordBatch,
    output: &SchemaRef,
    set: &[(String, ArrayRef)],
) -> Result<RecordBatch> {
    let schema = batch.schema();
    let own = indices(&schema);
    let set: HashMap<&str, &ArrayRef> =
        set.iter().map(|(name, column)| (name.as_str(), column)).collect();
    let column = |field: &Arc<ArrowField>| {
        let name = field.name().as_str();
        let own = || own.get(name).map(|index| batch.column(*index));
        set.get(name)
            .copied()
            .or_else(own)
            .cloned()
            .ok_or_else(|| internal_datafusion_err!("the column `{name}` is missing"))
    };
    let columns = output.fields().iter().map(column).collect::<Result<Vec<_>>>()?;
    of_columns(output, columns, batch.num_rows())
}

/// Returns a reader of a column; none if there is no such column.
pub(crate) fn reader(batch: &RecordBatch, name: &str) -> Result<Option<ColumnReader>> {
    batch.column_by_name(name).map(ColumnReader::new).transpose()
}
