//! Wraps a predicate as a DataFusion scalar function over columns.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::BooleanArray;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, lit,
};
use serde::{Deserialize, Serialize};
use spilltrail_event::{Predicate, Record, Value};

use crate::planning::plan::{Plan, column};
use crate::rows::arrow::ColumnReader;
use crate::rows::row_memo::RowMemo;
use crate::rows::state::{any_arguments, state_of};

/// Returns the condition that a row of `plan` satisfies `predicate`. Fields without a column count
/// as absent.
#[must_use]
pub(crate) fn condition(predicate: Predicate, plan: &Plan) -> Expr {
    let fields: Vec<String> = predicate
        .fields()
        .into_iter()
        .filter(|name| plan.kind(name).is_some())
        .map(str::to_owned)
        .collect();
    if fields.is_empty() {
        // The result is the same for every row, so a literal replaces the function.
        return lit(predicate.matches(&NoFields));
    }
    let columns = fields.iter().map(|name| column(name)).collect();
    let function = SearchPredicate::from(State { predicate, fields });
    ScalarUDF::new_from_impl(function).call(columns)
}

/// A row without fields.
struct NoFields;

impl Record for NoFields {
    fn any_value(&self, _: &str, _: &mut dyn FnMut(&str) -> bool) -> bool {
        false
    }
}

/// The function that returns whether a row satisfies a predicate.
#[derive(Debug, Serialize, Deserialize)]
#[serde(from = "State")]
pub(crate) struct SearchPredicate {
    predicate: Predicate,
    /// The names of the argument columns in the predicate, in argument order.
    fields: Vec<String>,
    #[serde(skip)]
    signature: Signature,
    /// The predicate as JSON, used for equality and hashing.
    #[serde(skip)]
    state: String,
}

/// The serialized form of the function.
#[derive(Deserialize)]
struct State {
    predicate: Predicate,
    fields: Vec<String>,
}

impl From<State> for SearchPredicate {
    fn from(State { predicate, fields }: State) -> Self {
        let state = state_of(&predicate);
        Self { predicate, fields, signature: any_arguments(), state }
    }
}

impl PartialEq for SearchPredicate {
    fn eq(&self, other: &Self) -> bool {
        self.state == other.state && self.fields == other.fields
    }
}

impl Eq for SearchPredicate {}

impl Hash for SearchPredicate {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.state.hash(hasher);
        self.fields.hash(hasher);
    }
}

impl ScalarUDFImpl for SearchPredicate {
    fn name(&self) -> &'static str {
        "spl_search"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = args.args.iter().map(|column| column.to_array(args.number_rows));
        let arrays = columns.collect::<Result<Vec<_>>>()?;
        let readers = crate::rows::readers(&arrays)?;
        let mut memo = RowMemo::new(&arrays);
        let hits = (0..args.number_rows).map(|row| {
            let record = Row { fields: &self.fields, readers: &readers, row };
            Some(memo.get_or(row, || self.predicate.matches(&record)))
        });
        Ok(ColumnarValue::Array(Arc::new(hits.collect::<BooleanArray>())))
    }
}

/// A row of a batch as a record of the fields that its columns hold.
pub(crate) struct Row<'a> {
    pub(crate) fields: &'a [String],
    pub(crate) readers: &'a [ColumnReader],
    pub(crate) row: usize,
}

impl Record for Row<'_> {
    fn any_value(&self, field: &str, visit: &mut dyn FnMut(&str) -> bool) -> bool {
        let Some(index) = self.fields.iter().position(|name| name == field) else { return false };
        match self.readers[index].value(self.row) {
            Value::Text(text) => visit(&text),
            value => value.members().iter().any(|member| visit(member)),
        }
    }
}
