//! Whole columns converted at once, because the values together decide how.

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use spilltrail_event::{Field, Kind, Value};

use super::gather::{self, Gather};
use super::{Operator, Running};
use crate::expression::arrow::to_array;
use crate::plan::kind_of;

/// Converts the values of a column; none if they do not fit together.
pub type ConvertColumn = for<'a> fn(&[Value<'a>]) -> Option<Vec<Value<'a>>>;

/// Converts columns; one whose values do not fit stays as it is.
#[derive(Debug, Clone)]
pub struct ConvertColumns {
    /// Columns, and those that get the result.
    pub pairs: Vec<(String, String)>,
    /// How.
    pub convert: ConvertColumn,
}

impl Operator for ConvertColumns {
    fn name(&self) -> &'static str {
        "convert_columns"
    }

    fn state(&self) -> String {
        format!("{:?}", self.pairs)
    }

    fn output(&self, input: &[Field]) -> Vec<Field> {
        let set: Vec<Field> = self
            .pairs
            .iter()
            .filter_map(|(name, output)| {
                let kind = input.iter().find(|field| field.name == *name)?.kind;
                Some(Field::new(output, kind.or(Kind::Text)))
            })
            .collect();
        gather::fields_with(input, &set)
    }

    fn needs_rows(&self) -> bool {
        true
    }

    fn start(&self, _: SchemaRef, output: SchemaRef) -> Result<Box<dyn Running>> {
        let operator = self.clone();
        Ok(Gather::start(move |batches| {
            let mut set: Vec<(String, ArrayRef)> = Vec::new();
            for (name, to) in &operator.pairs {
                let readers = gather::readers(batches, name)?;
                let values: Vec<Value<'_>> = gather::values(&readers).collect();
                let kind = kind_of(output.field_with_name(to)?.data_type());
                let converted = (operator.convert)(&values).unwrap_or(values);
                set.push((to.clone(), to_array(kind, converted)));
            }
            gather::batches_with(batches, &output, &set)
        }))
    }
}
