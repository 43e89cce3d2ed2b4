//! Wraps a function of one value as a DataFusion scalar function over a column.

use std::fmt::Debug;
use std::hash::{Hash, Hasher};

use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use spilltrail_event::{Kind, Value};

use crate::rows::arrow::{ColumnBuilder, ColumnReader};
use crate::rows::arrow::{data_type, kind_of};
use crate::rows::state::one_argument;

/// A function applied to each value of a column. Implementations are plain data whose `Debug` form
/// contains their whole state.
pub trait ValueFunction: Debug + Send + Sync + 'static {
    /// Returns the function's name in plans.
    fn name(&self) -> &'static str;

    /// Returns the kind of the output column for an input column of kind `input`.
    fn kind(&self, input: Kind) -> Kind;

    /// Returns the result for a single value.
    ///
    /// It is never called with null, which stays null, or with a multivalue, whose members are
    /// passed one at a time.
    fn apply(&self, value: &Value<'_>) -> Value<'static>;
}

/// Returns an expression that applies `function` to each value of `argument`.
#[must_use]
pub fn mapped<F: ValueFunction>(function: F, argument: Expr) -> Expr {
    ScalarUDF::new_from_impl(Mapped::new(function)).call(vec![argument])
}

/// The DataFusion scalar function that applies a [`ValueFunction`] to each value of a column.
#[derive(Debug)]
pub(crate) struct Mapped<F> {
    signature: Signature,
    /// The function's `Debug` form, which equality and hashing use.
    state: String,
    function: F,
}

impl<F: ValueFunction> Mapped<F> {
    fn new(function: F) -> Self {
        Self { signature: one_argument(), state: format!("{function:?}"), function }
    }
}

impl<F: Serialize> Serialize for Mapped<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        self.function.serialize(serializer)
    }
}

impl<'de, F: ValueFunction + Deserialize<'de>> Deserialize<'de> for Mapped<F> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        F::deserialize(deserializer).map(Self::new)
    }
}

impl<F: ValueFunction> PartialEq for Mapped<F> {
    fn eq(&self, other: &Self) -> bool {
        self.function.name() == other.function.name() && self.state == other.state
    }
}

impl<F: ValueFunction> Eq for Mapped<F> {}

impl<F: ValueFunction> Hash for Mapped<F> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.function.name().hash(hasher);
        self.state.hash(hasher);
    }
}

impl<F: ValueFunction> ScalarUDFImpl for Mapped<F> {
    fn name(&self) -> &str {
        self.function.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        let input = arguments.first().map_or(Kind::Text, kind_of);
        Ok(data_type(self.function.kind(input)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = args.args.iter().map(|column| column.to_array(args.number_rows));
        let arrays = columns.collect::<Result<Vec<_>>>()?;
        let reader = ColumnReader::new(&arrays[0])?;
        let mut builder = ColumnBuilder::new(self.function.kind(kind_of(arrays[0].data_type())));
        for row in 0..arrays[0].len() {
            builder.push(value(&self.function, &reader.value(row)));
        }
        Ok(ColumnarValue::Array(builder.finish()))
    }
}

/// Applies a function to a value that may be null or a multivalue.
pub(crate) fn value(function: &dyn ValueFunction, value: &Value<'_>) -> Value<'static> {
    match value {
        Value::Null => Value::Null,
        Value::Multi(members) => Value::multi(
            members
                .iter()
                .flat_map(|member| function.apply(&Value::text(member.as_ref())).into_members())
                .collect(),
        ),
        single => function.apply(single),
    }
}
