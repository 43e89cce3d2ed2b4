//! Expressions over columns: reading a field, converting its kind, joining text.

use std::borrow::Cow;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column, Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, lit,
};
use serde::{Deserialize, Serialize};
use spilltrail_event::{Kind, Value};

use crate::rows::arrow::ColumnBuilder;
use crate::rows::arrow::data_type;
use crate::rows::state::{any_arguments, one_argument};

/// Returns an expression that converts `expr` from kind `from` to kind `to`.
///
/// Text that does not read as a number becomes null in a number column. The members of a multivalue
/// become one text, joined by spaces, in a text column.
#[must_use]
pub fn to_kind(expr: Expr, from: Kind, to: Kind) -> Expr {
    if from == to {
        return expr;
    }
    ScalarUDF::new_from_impl(ToKind { signature: one_argument(), to }).call(vec![expr])
}

/// Returns the expression that reads a field.
#[must_use]
pub fn column(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

/// Returns a text literal.
#[must_use]
pub fn text(text: &str) -> Expr {
    lit(ScalarValue::Utf8View(Some(text.to_owned())))
}

/// Returns an expression that concatenates the parts; its value is null if any part is null.
#[must_use]
pub fn concat(parts: Vec<Expr>) -> Expr {
    ScalarUDF::new_from_impl(Concat { signature: any_arguments() }).call(parts)
}

#[derive(Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct ToKind {
    #[serde(skip, default = "one_argument")]
    signature: Signature,
    to: Kind,
}

impl ScalarUDFImpl for ToKind {
    fn name(&self) -> &'static str {
        match self.to {
            Kind::Number => "spl_to_number",
            Kind::Text => "spl_to_text",
            Kind::Multi => "spl_to_multi",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(data_type(self.to))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = args.args.iter().map(|column| column.to_array(args.number_rows));
        let arrays = columns.collect::<Result<Vec<_>>>()?;
        let reader = crate::rows::arrow::ColumnReader::new(&arrays[0])?;
        let mut builder = ColumnBuilder::new(self.to);
        for row in 0..arrays[0].len() {
            let value = reader.value(row);
            builder.push(match (self.to, value) {
                (Kind::Text, Value::Multi(members)) => Value::text(members.join(" ")),
                (Kind::Number, value) => value.as_number().map_or(Value::Null, Value::Number),
                (_, value) => value,
            });
        }
        Ok(ColumnarValue::Array(builder.finish()))
    }
}

#[derive(Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Concat {
    #[serde(skip, default = "any_arguments")]
    signature: Signature,
}

impl ScalarUDFImpl for Concat {
    fn name(&self) -> &'static str {
        "spl_concat"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(data_type(Kind::Text))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = args
            .args
            .iter()
            .map(|value| value.clone().into_array(args.number_rows))
            .collect::<Result<Vec<_>>>()?;
        let readers = crate::rows::readers(&arrays)?;
        let mut builder = ColumnBuilder::new(Kind::Text);
        for row in 0..args.number_rows {
            let joined: Option<String> = readers
                .iter()
                .map(|reader| reader.value(row).to_text().map(Cow::into_owned))
                .collect();
            builder.push(joined.map_or(Value::Null, Value::text));
        }
        Ok(ColumnarValue::Array(builder.finish()))
    }
}
