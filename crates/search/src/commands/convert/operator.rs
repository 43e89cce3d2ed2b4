//! The operator of `convert auto`: converts whole columns, since all values of a column decide
//! which conversion fits.

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use serde::{Deserialize, Serialize};
use spilltrail_event::{Field, Kind, Value, format_number};

use super::functions::AUTOMATIC;
use crate::operators::gather::{self, Gathering, Given, HeldRows};
use crate::rows::arrow::kind_of;
use crate::rows::arrow::{ColumnBuilder, ColumnReader};

/// Converts a text to a number, or returns `None` if the conversion does not fit.
type ConvertText = fn(&str) -> Option<f64>;

/// Converts columns to numbers with the first of `AUTOMATIC` that fits all values of the column.
///
/// A column that no conversion fits keeps its values.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ConvertColumns {
    /// Pairs of an input column and the column that gets the result.
    pub(super) pairs: Vec<(String, String)>,
}

impl Gathering for ConvertColumns {
    const NAME: &'static str = "convert_columns";

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

    fn given(self, mut rows: HeldRows, output: SchemaRef) -> Result<Given> {
        // First pass: drop from each column's list the conversions that fail on a value.
        let mut fitting = vec![AUTOMATIC.to_vec(); self.pairs.len()];
        for batch in rows.replay()? {
            let batch = batch?;
            let schema = batch.schema();
            let own = gather::indices(&schema);
            for ((name, _), conversions) in self.pairs.iter().zip(&mut fitting) {
                let Some(index) = own.get(name.as_str()) else { continue };
                let reader = ColumnReader::new(batch.column(*index))?;
                for row in 0..batch.num_rows() {
                    let value = reader.value(row);
                    conversions.retain(|convert| converted(&value, *convert).is_some());
                }
            }
        }
        // Second pass: convert with the first one left.
        Ok(Box::new(rows.give()?.map(move |batch| {
            let batch = batch?;
            let mut set: Vec<(String, ArrayRef)> = Vec::new();
            let schema = batch.schema();
            let (own, given) = (gather::indices(&schema), gather::indices(&output));
            for ((name, to), conversions) in self.pairs.iter().zip(&fitting) {
                let (Some(index), Some(to_index)) =
                    (own.get(name.as_str()), given.get(to.as_str()))
                else {
                    continue;
                };
                let reader = ColumnReader::new(batch.column(*index))?;
                let kind = kind_of(output.field(*to_index).data_type());
                let mut column = ColumnBuilder::new(kind);
                for row in 0..batch.num_rows() {
                    let value = reader.value(row);
                    let fits = conversions.first().and_then(|convert| converted(&value, *convert));
                    column.push(fits.unwrap_or(value));
                }
                set.push((to.clone(), column.finish()));
            }
            gather::batch_with(&batch, &output, &set)
        })))
    }
}

/// Returns the converted value, or `None` if the conversion does not fit it or one of its members.
fn converted<'a>(value: &Value<'a>, convert: ConvertText) -> Option<Value<'a>> {
    let one = |text: &str| convert(text.trim());
    match value {
        Value::Null => Some(Value::Null),
        Value::Multi(members) => members
            .iter()
            .map(|member| one(member).map(|number| format_number(number).into()))
            .collect::<Option<_>>()
            .map(Value::Multi),
        single => one(&single.to_text()?).map(Value::Number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_or_nothing_of_a_value_fits() {
        let seconds: ConvertText = |text| text.strip_suffix('s')?.parse().ok();
        let multi = |members: [&'static str; 2]| Value::multi(members.map(Into::into).into());
        for (value, want) in [
            (Value::Null, Some(Value::Null)),
            (Value::text(" 2.50s "), Some(Value::Number(2.5))),
            (Value::Number(3.0), None),
            (multi(["1s", "2s"]), Some(multi(["1", "2"]))),
            (multi(["1s", "2"]), None),
        ] {
            assert_eq!(converted(&value, seconds), want, "{value:?}");
        }
    }
}
