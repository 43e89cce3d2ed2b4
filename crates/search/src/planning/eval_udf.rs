//! Wraps an eval expression as the DataFusion function `spl_eval` over the columns that it reads.
//!
//! The function's state is an `ExpressionState`, plain data that is sent with a distributed plan.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BooleanBuilder};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Column;
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};
use serde::{Deserialize, Serialize};
use spilltrail_eval::{Expression, ResultKind, Row, limits};
use spilltrail_event::{Kind, Value};

use crate::error::to_engine;
use crate::planning::expression::ExpressionState;
use crate::rows::arrow::{ColumnReader, data_type};
use crate::rows::cut::{self, BoundedColumn};
use crate::rows::row_memo;

/// The function's name in plans.
const NAME: &str = "spl_eval";

/// The type of the function's output column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) enum Output {
    /// Values of a field.
    Field(Kind),
    /// Arrow Booleans, for a filter.
    Condition,
}

/// The function's state, from which its other fields are computed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct State {
    expression: ExpressionState,
    output: Output,
}

/// The DataFusion function that evaluates one expression.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "State", into = "State")]
pub struct EvalUdf {
    state: State,
    signature: Signature,
    expression: Arc<Expression>,
}

impl TryFrom<State> for EvalUdf {
    type Error = String;

    fn try_from(state: State) -> std::result::Result<Self, String> {
        Ok(Self::new(state.expression.compile()?, state.output))
    }
}

impl From<EvalUdf> for State {
    fn from(function: EvalUdf) -> Self {
        function.state
    }
}

impl PartialEq for EvalUdf {
    fn eq(&self, other: &Self) -> bool {
        self.state == other.state
    }
}

impl Eq for EvalUdf {}

impl Hash for EvalUdf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.state.hash(state);
    }
}

/// Returns the expression as a DataFusion expression over the columns of its fields.
///
/// Its Arrow type follows from [`Expression::kind`]; a Boolean result becomes Arrow Booleans.
#[must_use]
pub fn into_expr(expression: Expression) -> Expr {
    if let Some(field) = expression.as_field()
        && expression.kind().stored() == Some(field.kind)
    {
        return Expr::Column(Column::new_unqualified(&field.name));
    }
    let output = match expression.kind() {
        ResultKind::Bool => Output::Condition,
        ResultKind::Number => Output::Field(Kind::Number),
        ResultKind::Text => Output::Field(Kind::Text),
        ResultKind::Multi => Output::Field(Kind::Multi),
    };
    into_call(expression, output)
}

/// Returns the expression as a filter condition: Arrow Booleans, null if the result is null.
#[must_use]
pub fn into_condition(expression: Expression) -> Expr {
    into_call(expression, Output::Condition)
}

fn into_call(expression: Expression, output: Output) -> Expr {
    let names = expression.fields().iter();
    let columns = names.map(|name| Expr::Column(Column::new_unqualified(name))).collect();
    ScalarUDF::new_from_impl(EvalUdf::new(expression, output)).call(columns)
}

impl EvalUdf {
    fn new(expression: Expression, output: Output) -> Self {
        let volatility =
            if expression.is_volatile() { Volatility::Volatile } else { Volatility::Immutable };
        let types = match expression.columns().len() {
            0 => TypeSignature::Nullary,
            count => TypeSignature::Any(count),
        };
        let state = State { expression: ExpressionState::of(&expression), output };
        let signature = Signature::new(types, volatility);
        Self { state, signature, expression: Arc::new(expression) }
    }

    /// Returns the compiled expression.
    #[must_use]
    pub fn expression(&self) -> &Expression {
        &self.expression
    }
}

impl ScalarUDFImpl for EvalUdf {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.state.output {
            Output::Field(kind) => data_type(kind),
            Output::Condition => DataType::Boolean,
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = args.args.iter().map(|column| cut::array_of(column, args.number_rows));
        let arrays = columns.collect::<Result<Vec<_>>>()?;
        let columns = arrays.iter().map(ColumnReader::new).collect::<Result<Vec<_>>>()?;
        let rows = args.number_rows;
        let each = |visit: &mut dyn FnMut(&BatchRow<'_>)| {
            let mut visit = |index| visit(&BatchRow { columns: &columns, index });
            // Equal rows may have different results if the expression is volatile.
            if self.expression.is_volatile() {
                (0..rows).for_each(visit);
                return None;
            }
            row_memo::once_each(&arrays, rows, &mut visit)
        };
        match self.state.output {
            Output::Condition => {
                let mut builder = BooleanBuilder::new();
                let mut test = |row: &BatchRow<'_>| {
                    let holds =
                        if limits::is_refused() { None } else { self.expression.holds(row) };
                    builder.append_option(holds);
                };
                let numbers = limits::watch(|| each(&mut test)).map_err(to_engine)?;
                let array = Arc::new(builder.finish()) as ArrayRef;
                Ok(ColumnarValue::Array(row_memo::spread(array, numbers.as_ref())?))
            }
            Output::Field(kind) => {
                let mut column = BoundedColumn::new(kind, rows);
                let mut compute = |row: &BatchRow<'_>| {
                    if column.takes_more() {
                        column.push(self.expression.evaluate(row));
                    }
                };
                let numbers = limits::watch(|| each(&mut compute)).map_err(to_engine)?;
                Ok(ColumnarValue::Array(column.spread(numbers.as_ref())?))
            }
        }
    }
}

/// One row of a batch.
struct BatchRow<'a> {
    columns: &'a [ColumnReader],
    index: usize,
}

impl Row for BatchRow<'_> {
    fn value(&self, slot: usize) -> Value<'_> {
        self.columns.get(slot).map_or(Value::Null, |column| column.value(self.index))
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{Array, RecordBatch};
    use datafusion::arrow::datatypes::{Field as ArrowField, Schema};
    use datafusion::common::{DFSchema, ScalarValue};
    use datafusion::prelude::SessionContext;
    use jiff::tz::{Offset, TimeZone};
    use spilltrail_eval::EvalContext;
    use spilltrail_event::Field;
    use spilltrail_spl::parse_eval;

    use super::*;
    use crate::rows::arrow::{from_array, to_array};
    use crate::rows::state::FunctionCodec;

    fn compile(text: &str, zone: TimeZone) -> Expression {
        let scope = vec![Field::new("a.b", Kind::Text), Field::new("n", Kind::Number)];
        let context = EvalContext::new(1_700_000_000.0, zone);
        Expression::compile(&parse_eval(text).unwrap(), &scope, &context).unwrap()
    }

    /// Evaluates an expression on two rows, (`10`, 1) and (null, 2).
    fn run(expr: &Expr) -> Vec<Value<'static>> {
        let columns = vec![
            to_array(Kind::Text, [Value::text("10"), Value::Null]),
            to_array(Kind::Number, [Value::Number(1.0), Value::Number(2.0)]),
        ];
        let schema = Arc::new(Schema::new(vec![
            ArrowField::new("a.b", data_type(Kind::Text), true),
            ArrowField::new("n", data_type(Kind::Number), true),
        ]));
        let batch = RecordBatch::try_new(Arc::clone(&schema), columns).unwrap();
        let names = DFSchema::try_from(schema.as_ref().clone()).unwrap();
        let physical = SessionContext::new().create_physical_expr(expr.clone(), &names).unwrap();
        let array = physical.evaluate(&batch).unwrap().into_array(2).unwrap();
        assert_eq!(array.len(), 2);
        from_array(&array).unwrap()
    }

    #[test]
    fn columns_in_column_out() {
        for (text, results) in [
            ("'a.b' + n", [Value::Number(11.0), Value::Null]),
            ("if(n > 1, \"x\", 'a.b')", [Value::text("10"), Value::text("x")]),
            ("now()", [Value::Number(1.7e9), Value::Number(1.7e9)]),
            ("'a.b' = 10", [Value::Bool(true), Value::Null]),
        ] {
            assert_eq!(run(&into_expr(compile(text, TimeZone::UTC))), results, "{text}");
        }
        let members = run(&into_expr(compile("split(n . \",x\", \",\")", TimeZone::UTC)));
        assert_eq!(members[1].members(), ["2", "x"]);
    }

    #[test]
    fn conditions_are_arrow_booleans() {
        let condition = into_condition(compile("n - 1", TimeZone::UTC));
        assert_eq!(run(&condition), [Value::Bool(false), Value::Bool(true)]);
    }

    #[test]
    fn a_function_travels() {
        let text = r#"strftime(n * 3600, "%H") . mvcount('a.b')"#;
        for zone in [TimeZone::get("Asia/Tokyo").unwrap(), TimeZone::fixed(Offset::constant(9))] {
            let Expr::ScalarFunction(call) = into_expr(compile(text, zone)) else { panic!() };
            let codec = FunctionCodec::of::<EvalUdf>(NAME);
            let state = (codec.write)(call.func.inner().as_ref()).unwrap();
            let decoded = (codec.read)(&state).unwrap();
            assert_eq!(decoded, *call.func);
            let expr = decoded.call(call.args);
            assert_eq!(run(&expr), [Value::text("101"), Value::Null]);
        }
        assert!((FunctionCodec::of::<EvalUdf>(NAME).read)("{}").is_err());
    }

    #[test]
    fn deep_expressions_travel() {
        let text = ["n"; 50].join(" + ");
        let Expr::ScalarFunction(call) = into_expr(compile(&text, TimeZone::UTC)) else { panic!() };
        let codec = FunctionCodec::of::<EvalUdf>(NAME);
        let state = (codec.write)(call.func.inner().as_ref()).unwrap();
        assert_eq!((codec.read)(&state).unwrap(), *call.func);
    }

    #[test]
    fn equal_expressions_are_equal_functions() {
        let call = |text: &str| into_expr(compile(text, TimeZone::UTC));
        assert_eq!(call("n + 1"), call("n + 1"));
        assert_ne!(call("n + 1"), call("n + 2"));
        let literal = Expr::Literal(ScalarValue::Null, None);
        assert_ne!(call("n + 1"), literal);
    }
}
