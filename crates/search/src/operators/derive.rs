//! Computes columns row by row from other columns.

use std::fmt::Debug;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use spilltrail_eval::limits;
use spilltrail_event::{Field, Value};

use super::codec::derived_state;
use super::parts::InParts;
use super::{Operator, Running, gather};
use crate::error::to_engine;
use crate::rows::arrow::ColumnReader;
use crate::rows::cut::BoundedColumn;
use crate::rows::row_memo;

/// A command's computation on one row, independent of the columns' names.
///
/// Equal rows must give equal results, because the result is computed once and reused for them,
/// unless [`RowFunction::is_volatile`] returns true.
pub trait RowFunction: Debug + Send + Sync {
    /// Returns the function's name, which `EXPLAIN` prints and which selects its codec.
    fn name(&self) -> &'static str;

    /// Returns the function's whole state as JSON.
    fn state(&self) -> String;

    /// Returns a short text for `EXPLAIN` and for comparing plans.
    ///
    /// Two functions with the same name and identity do the same.
    fn identity(&self) -> String {
        self.state()
    }

    /// Returns the function bound to resources of the process that runs it, or `None` if it needs
    /// none.
    ///
    /// # Errors
    /// Fails if a resource is missing.
    fn at_work(&self, _: &TaskContext) -> Result<Option<Arc<dyn RowFunction>>> {
        Ok(None)
    }

    /// Returns true if equal rows may give different results, so that each row is computed by itself.
    fn is_volatile(&self) -> bool {
        false
    }

    /// Sets the outputs of one row.
    ///
    /// `outputs` initially holds the row's values of those fields, so an output that is not set
    /// keeps its value.
    fn compute<'a>(&'a self, inputs: &[Value<'a>], outputs: &mut [Value<'a>]);
}

/// Computes the columns `outputs` from the columns `inputs`.
///
/// An input column that does not exist has no value in any row.
#[derive(Debug)]
pub struct Derive {
    /// The columns that the function reads.
    pub inputs: Vec<String>,
    /// The columns that the function sets, with their resulting kinds.
    pub outputs: Vec<Field>,
    /// The computation.
    pub function: Arc<dyn RowFunction>,
}

impl Operator for Derive {
    fn name(&self) -> &'static str {
        self.function.name()
    }

    fn state(&self) -> String {
        derived_state(self)
    }

    fn identity(&self) -> String {
        format!("{:?} {:?} {}", self.inputs, self.outputs, self.function.identity())
    }

    fn output(&self, input: &[Field]) -> Vec<Field> {
        gather::fields_with(input, &self.outputs)
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
        let indices = gather::indices(&input);
        let place = |name: &str| indices.get(name).copied();
        let at_work = self.function.at_work(context)?;
        let deriving = Deriving {
            inputs: self.inputs.iter().map(|name| place(name)).collect(),
            outputs: self.outputs.iter().map(|field| (field.clone(), place(&field.name))).collect(),
            function: at_work.unwrap_or_else(|| self.function.clone()),
            output,
        };
        Ok(InParts::start(move |batch| deriving.computed(batch)))
    }
}

struct Deriving {
    output: SchemaRef,
    inputs: Vec<Option<usize>>,
    outputs: Vec<(Field, Option<usize>)>,
    function: Arc<dyn RowFunction>,
}

impl Deriving {
    fn computed(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let reader = |index: Option<usize>| {
            index.map(|index| ColumnReader::new(batch.column(index))).transpose()
        };
        let inputs: Vec<_> = self.inputs.iter().map(|at| reader(*at)).collect::<Result<_>>()?;
        let present: Vec<_> =
            self.outputs.iter().map(|(_, at)| reader(*at)).collect::<Result<_>>()?;
        let mut columns: Vec<BoundedColumn> = Vec::with_capacity(self.outputs.len());
        for (field, _) in &self.outputs {
            columns.push(BoundedColumn::new(field.kind, batch.num_rows()));
        }
        let places = self.inputs.iter().chain(self.outputs.iter().map(|(_, at)| at));
        let read: Vec<ArrayRef> =
            places.flatten().map(|index| batch.column(*index).clone()).collect();
        let mut compute = |row| {
            // Once a column is too large, the batch is cut and computed again in parts.
            if !columns.iter().all(BoundedColumn::takes_more) {
                return;
            }
            let given: Vec<Value<'_>> = inputs.iter().map(|reader| value(reader, row)).collect();
            let mut set: Vec<Value<'_>> = present.iter().map(|reader| value(reader, row)).collect();
            self.function.compute(&given, &mut set);
            for (column, value) in columns.iter_mut().zip(set) {
                column.push(limits::bounded(self.function.name(), value));
            }
        };
        let numbers = limits::watch(|| {
            if self.function.is_volatile() {
                (0..batch.num_rows()).for_each(&mut compute);
                return None;
            }
            row_memo::once_each(&read, batch.num_rows(), compute)
        });
        let numbers = numbers.map_err(to_engine)?;
        let columns = columns.into_iter().map(|column| column.spread(numbers.as_ref()));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let names = self.outputs.iter().map(|(field, _)| field.name.clone());
        let set: Vec<(String, ArrayRef)> = names.zip(columns).collect();
        gather::batch_with(batch, &self.output, &set)
    }
}

fn value(reader: &Option<ColumnReader>, row: usize) -> Value<'_> {
    reader.as_ref().map_or(Value::Null, |reader| reader.value(row))
}
