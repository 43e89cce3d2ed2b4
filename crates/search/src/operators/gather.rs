//! Operators that must read every row before they return one: the rows are held until the last one
//! has been read, and can then be iterated any number of times.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, ListArray, RecordBatch, RecordBatchOptions,
};
use datafusion::arrow::datatypes::{DataType, Field as ArrowField, Schema, SchemaRef};
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::execution::TaskContext;
use indexmap::IndexMap;
use serde::Serialize;
use serde::de::DeserializeOwned;
use spilltrail_event::{Field, Kind};

pub(crate) use super::held::{HeldRows, Room};
use super::{Operator, Running};
use crate::rows::arrow::ColumnReader;
use crate::rows::state::state_of;

/// An operator's output, batch by batch.
pub(crate) type Given = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// The function that turns all rows into the output.
type Finish = Box<dyn FnOnce(HeldRows) -> Result<Given> + Send>;

/// Holds all rows, then returns the output of a function over them.
struct Gather {
    /// `None` once `given` reads the rows.
    held: Option<(HeldRows, Finish)>,
    given: Given,
}

impl Gather {
    /// Returns the running half of the operator `name`, which reads batches of the schema `input`.
    fn start(
        name: &str,
        input: SchemaRef,
        context: &TaskContext,
        finish: impl FnOnce(HeldRows) -> Result<Given> + Send + 'static,
    ) -> Box<dyn Running> {
        let held = HeldRows::new(name, input, &Room::of(context));
        Box::new(Self { held: Some((held, Box::new(finish))), given: Box::new(std::iter::empty()) })
    }
}

/// An operator that reads all rows before it returns one. Without rows, it returns none.
pub(crate) trait Gathering:
    Debug + Clone + Send + Sync + Serialize + DeserializeOwned + 'static
{
    /// The name of the operator.
    const NAME: &'static str;

    /// Returns the output columns for the given input columns.
    fn output(&self, input: &[Field]) -> Vec<Field>;

    /// Returns the output for all rows.
    ///
    /// # Errors
    /// Fails if the rows cannot be read, or exceed a limit of the operator.
    fn given(self, rows: HeldRows, output: SchemaRef) -> Result<Given>;
}

impl<G: Gathering> Operator for G {
    fn name(&self) -> &'static str {
        G::NAME
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn output(&self, input: &[Field]) -> Vec<Field> {
        Gathering::output(self, input)
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
        let operator = self.clone();
        Ok(Gather::start(G::NAME, input, context, move |rows| operator.given(rows, output)))
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

/// Returns the batch with its texts copied into buffers of their own.
///
/// After a filter or a sort, text views keep far larger buffers alive than they use.
pub(crate) fn compacted(batch: &RecordBatch) -> Result<RecordBatch> {
    let columns = batch.columns().iter().map(compact).collect::<Result<Vec<_>>>()?;
    of_columns(&batch.schema(), columns, batch.num_rows())
}

/// Returns a batch with these columns and this number of rows.
///
/// The number is needed because a batch may have rows but no columns, as for `stats count`.
pub(crate) fn of_columns(
    schema: &SchemaRef,
    columns: Vec<ArrayRef>,
    rows: usize,
) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}

/// Returns the column with its texts copied into buffers of its own.
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

/// Returns the index of each column by name.
///
/// [`Schema::index_of`] compares the names of all columns in each lookup, which is slow for
/// thousands of columns.
pub(crate) fn indices(schema: &Schema) -> HashMap<&str, usize> {
    let names = schema.fields().iter().enumerate();
    names.map(|(index, field)| (field.name().as_str(), index)).collect()
}

/// Returns the `input` columns with the columns `set` replaced or added.
///
/// A replaced column keeps its index; a new one is appended.
pub(crate) fn fields_with(input: &[Field], set: &[Field]) -> Vec<Field> {
    let named = |field: &Field| (field.name.clone(), field.kind);
    let mut fields: IndexMap<String, Kind> = input.iter().map(named).collect();
    fields.extend(set.iter().map(named));
    fields.into_iter().map(|(name, kind)| Field::new(name, kind)).collect()
}

/// Returns the batch with the columns `set` replaced or added, in the order of `output`.
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

/// Returns a reader of the column, or `None` if the batch has no such column.
pub(crate) fn reader(batch: &RecordBatch, name: &str) -> Result<Option<ColumnReader>> {
    batch.column_by_name(name).map(ColumnReader::new).transpose()
}
