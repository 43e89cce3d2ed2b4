//! An operator for commands that compute fields of a row from it and the rows before it.

use std::fmt::Debug;

use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use spilltrail_eval::cancel::is_canceled;
use spilltrail_eval::limits;
use spilltrail_event::{Field, Value};

use crate::error::to_engine;
use crate::operators::{Operator, Running, gather};
use crate::rows::arrow::{ColumnBuilder, ColumnReader};
use crate::rows::state::state_of;

/// A computation over rows in order.
pub(super) trait RowByRow:
    Debug + Clone + Send + Sync + Serialize + DeserializeOwned + 'static
{
    /// The name of the operator.
    const NAME: &'static str;

    /// What is remembered of earlier rows.
    type Memory: Default + Send;

    /// Returns the new values of a row. `inputs` are its values of the columns that are read,
    /// `outputs` those that it has of the columns that are set.
    fn next<'a>(
        &self,
        memory: &mut Self::Memory,
        inputs: &[Value<'a>],
        outputs: Vec<Value<'a>>,
    ) -> Vec<Value<'a>>;

    /// Returns the bytes of what is remembered.
    fn held(memory: &Self::Memory) -> usize;
}

/// Computes the columns `outputs` from the columns `inputs`, row by row.
///
/// An input column that does not exist has no value in any row.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(bound = "F: RowByRow")]
pub(super) struct InOrder<F> {
    pub(super) inputs: Vec<String>,
    pub(super) outputs: Vec<Field>,
    pub(super) function: F,
}

impl<F: RowByRow> Operator for InOrder<F> {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn state(&self) -> String {
        state_of(self)
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
        _: &TaskContext,
    ) -> Result<Box<dyn Running>> {
        let indices = gather::indices(&input);
        let place = |name: &str| indices.get(name).copied();
        Ok(Box::new(Computing {
            inputs: self.inputs.iter().map(|name| place(name)).collect(),
            present: self.outputs.iter().map(|field| place(&field.name)).collect(),
            outputs: self.outputs.clone(),
            output,
            function: self.function.clone(),
            memory: F::Memory::default(),
        }))
    }
}

struct Computing<F: RowByRow> {
    inputs: Vec<Option<usize>>,
    present: Vec<Option<usize>>,
    outputs: Vec<Field>,
    output: SchemaRef,
    function: F,
    memory: F::Memory,
}

impl<F: RowByRow> Running for Computing<F> {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        let readers = |places: &[Option<usize>]| {
            let reader = |index: &Option<usize>| {
                index.map(|index| ColumnReader::new(batch.column(index))).transpose()
            };
            places.iter().map(reader).collect::<Result<Vec<_>>>()
        };
        let (inputs, present) = (readers(&self.inputs)?, readers(&self.present)?);
        let mut columns: Vec<ColumnBuilder> =
            self.outputs.iter().map(|field| ColumnBuilder::new(field.kind)).collect();
        // A row may be compared with very many.
        let mut is_cut = false;
        limits::watch(|| {
            for row in 0..batch.num_rows() {
                if is_canceled() {
                    is_cut = true;
                    return;
                }
                let given: Vec<Value<'_>> =
                    inputs.iter().map(|reader| value(reader, row)).collect();
                let own: Vec<Value<'_>> = present.iter().map(|reader| value(reader, row)).collect();
                let set = self.function.next(&mut self.memory, &given, own);
                columns.iter_mut().zip(set).for_each(|(column, value)| column.push(value));
            }
        })
        .map_err(to_engine)?;
        if is_cut {
            return Err(to_engine(limits::canceled()));
        }
        let names = self.outputs.iter().map(|field| field.name.clone());
        let set: Vec<(String, ArrayRef)> =
            names.zip(columns.into_iter().map(ColumnBuilder::finish)).collect();
        gather::batch_with(&batch, &self.output, &set).map(Some)
    }

    fn held(&self) -> usize {
        F::held(&self.memory)
    }
}

fn value(reader: &Option<ColumnReader>, row: usize) -> Value<'_> {
    reader.as_ref().map_or(Value::Null, |reader| reader.value(row))
}
