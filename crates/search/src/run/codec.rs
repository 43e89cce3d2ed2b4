//! Encodes our operators and functions in a physical plan as bytes, and decodes them.
//!
//! The engine encodes its own nodes. Code that sends plans to other processes encodes and decodes
//! our nodes with these functions. The bytes do not refer to the process that wrote them: an
//! operator gets the resources that it needs where it runs from
//! [`Surroundings`](crate::context::Surroundings).

use std::io::Cursor;
use std::sync::Arc;

use datafusion::arrow::datatypes::Schema;
use datafusion::arrow::ipc::reader::StreamReader;
use datafusion::common::{DataFusionError, Result, internal_datafusion_err};
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::commands;
use crate::operators::codec::{self, SHARED};
use crate::operators::{Codec, OperatorExec};
use crate::planning::classes::EventClasses;
use crate::planning::eval_udf::EvalUdf;
use crate::planning::predicate_udf::SearchPredicate;
use crate::rows::bins::{LowerBounds, NumberBins, TimeBins, Within};
use crate::rows::convert::{Concat, ToKind};
use crate::rows::ipc::{of_hexadecimal, to_hexadecimal, to_ipc};
use crate::rows::mapped::Mapped;
use crate::rows::sort_key::SortKey;
use crate::rows::state::FunctionCodec;
use crate::stats::udaf;

/// The functions that do not belong to a single command.
static FUNCTIONS: [FunctionCodec; 10] = [
    FunctionCodec::of::<EvalUdf>("eval"),
    FunctionCodec::of::<SearchPredicate>("search"),
    FunctionCodec::of::<EventClasses>("classes"),
    FunctionCodec::of::<ToKind>("to_kind"),
    FunctionCodec::of::<Concat>("concat"),
    FunctionCodec::of::<SortKey>("sort_key"),
    FunctionCodec::of::<Mapped<TimeBins>>("bin_time"),
    FunctionCodec::of::<Mapped<NumberBins>>("bin_number"),
    FunctionCodec::of::<Mapped<LowerBounds>>("bin_low"),
    FunctionCodec::of::<Mapped<Within>>("within"),
];

/// The encoded form of an operator or a function.
#[derive(Serialize, Deserialize)]
struct Written {
    name: String,
    state: String,
    /// The output schema of an operator: an Arrow IPC stream without rows, as hexadecimal digits.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    output: String,
    /// The operator's [`expressions`](crate::operators::Operator::expressions), as hexadecimal
    /// digits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    expressions: Vec<String>,
}

impl Written {
    fn new(name: &str, state: String) -> Self {
        Self { name: name.to_owned(), state, output: String::new(), expressions: Vec::new() }
    }
}

/// Encodes an expression of the engine, which may call our functions.
pub type WriteExpression<'a> = dyn Fn(&Arc<dyn PhysicalExpr>) -> Result<Vec<u8>> + 'a;
/// Decodes an expression of the engine over the columns of a schema.
pub type ReadExpression<'a> = dyn Fn(&[u8], &Schema) -> Result<Arc<dyn PhysicalExpr>> + 'a;

/// Encodes an operator without its input; returns `None` for a node that is not ours.
///
/// # Errors
/// Fails if the operator cannot be encoded.
pub fn encode_operator(
    plan: &dyn ExecutionPlan,
    write_expression: &WriteExpression<'_>,
) -> Result<Option<Vec<u8>>> {
    let Some(exec) = plan.downcast_ref::<OperatorExec>() else { return Ok(None) };
    let operator = exec.operator();
    let expressions = operator
        .expressions()
        .iter()
        .map(|expression| Ok(to_hexadecimal(&write_expression(expression)?)))
        .collect::<Result<_>>()?;
    let output = to_hexadecimal(&to_ipc(plan.schema(), &[])?);
    write(&Written { output, expressions, ..Written::new(operator.name(), operator.state()) })
        .map(Some)
}

/// Decodes an operator, and attaches it to its input.
///
/// # Errors
/// Fails if the bytes are not an encoded operator, or if this version does not know the operator.
pub fn decode_operator(
    bytes: &[u8],
    input: Arc<dyn ExecutionPlan>,
    read_expression: &ReadExpression<'_>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let Written { name, state, output, expressions } = read(bytes)?;
    let digits = |text: &str| {
        of_hexadecimal(text).ok_or_else(|| internal_datafusion_err!("hexadecimal digits expected"))
    };
    let columns = input.schema();
    let expressions = expressions.iter().map(|text| read_expression(&digits(text)?, &columns));
    let expressions: Vec<_> = expressions.collect::<Result<_>>()?;
    let operator = codec::read(operators(), &name, &state, expressions)?;
    let schema = StreamReader::try_new(Cursor::new(digits(&output)?), None)?.schema();
    Ok(Arc::new(OperatorExec::new(operator, input, schema)))
}

/// Encodes a scalar function; returns `None` for a function that is not ours.
///
/// # Errors
/// Fails if the function cannot be encoded.
pub fn encode_function(function: &ScalarUDF) -> Result<Option<Vec<u8>>> {
    let implementation: &dyn std::any::Any = function.inner().as_ref();
    let found = functions().find_map(|codec| Some((codec.name, (codec.write)(implementation)?)));
    let Some((name, state)) = found else { return Ok(None) };
    write(&Written::new(name, state)).map(Some)
}

/// Decodes a scalar function.
///
/// # Errors
/// Fails if the bytes are not an encoded function, or if this version does not know the function.
pub fn decode_function(bytes: &[u8]) -> Result<ScalarUDF> {
    let Written { name, state, .. } = read(bytes)?;
    let codec = functions().find(|codec| codec.name == name);
    let codec =
        codec.ok_or_else(|| internal_datafusion_err!("the function `{name}` is unknown"))?;
    (codec.read)(&state)
        .map_err(|error| internal_datafusion_err!("the state of the function `{name}`: {error}"))
}

/// Encodes an aggregate function; returns `None` for a function that is not ours.
///
/// # Errors
/// Fails if the function cannot be encoded.
pub fn encode_aggregate(function: &AggregateUDF) -> Result<Option<Vec<u8>>> {
    udaf::aggregates_of(function).map(write).transpose()
}

/// Decodes an aggregate function.
///
/// # Errors
/// Fails if the bytes are not an encoded aggregate function.
pub fn decode_aggregate(bytes: &[u8]) -> Result<AggregateUDF> {
    read(bytes).map(udaf::function)
}

fn operators() -> impl Iterator<Item = &'static Codec> {
    SHARED.iter().chain(commands::OPERATORS.iter().copied().flatten())
}

fn functions() -> impl Iterator<Item = &'static FunctionCodec> {
    FUNCTIONS.iter().chain(commands::FUNCTIONS)
}

fn write<T: Serialize>(data: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(data).map_err(external)
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(external)
}

fn external(error: serde_json::Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use datafusion::common::internal_err;
    use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
    use datafusion::physical_plan::empty::EmptyExec;

    use super::*;
    use crate::commands::COMMANDS;
    use crate::rows::arrow::schema_of;
    use crate::run;
    use crate::testing::{context, rows};

    /// Searches with operators that no example of a command uses.
    const MORE: [&str; 5] = [
        "search a=* | sort a | streamstats count reset_before=\"(a==1)\" window=3",
        "search a=* | eval b=if(searchmatch(\"a=1\"), 1, 0) | bin a bins=3",
        "search a=1 | makemv delim=\",\" a | mvexpand a | nomv a",
        "search a=* | convert auto(a) | fillnull value=x b",
        "search a=* | stats list(a)",
    ];

    #[tokio::test]
    async fn operators_come_back_as_they_were() {
        let mut seen = BTreeSet::new();
        let examples = COMMANDS.iter().flat_map(|entry| entry.doc.examples);
        let examples = examples.map(|example| (example.search, example.events));
        for (search, events) in examples.chain(MORE.map(|search| (search, r#"{"a":"1"}"#))) {
            let context = context(rows(events), 64 << 20);
            let prepared = run::prepare(search, None, &context).await.unwrap();
            let plan = prepared.physical(&context).await.unwrap();
            plan.apply(|node| {
                let Some(exec) = node.downcast_ref::<OperatorExec>() else {
                    return Ok(TreeNodeRecursion::Continue);
                };
                // Indices replace the engine's encoding of expressions, which is not under test.
                let expressions = exec.operator().expressions();
                let index = |expression: &Arc<dyn PhysicalExpr>| {
                    let index = expressions.iter().position(|known| known == expression).unwrap();
                    Ok(vec![u8::try_from(index).unwrap()])
                };
                let expression =
                    |bytes: &[u8], _: &Schema| Ok(expressions[usize::from(bytes[0])].clone());
                let bytes = encode_operator(exec, &index)?.unwrap();
                let input = Arc::new(EmptyExec::new(exec.children()[0].schema()));
                let decoded = decode_operator(&bytes, input, &expression)?;
                assert_eq!(decoded.schema(), exec.schema(), "{search}");
                assert_eq!(encode_operator(decoded.as_ref(), &index)?.unwrap(), bytes, "{search}");
                seen.insert(exec.operator().name());
                Ok(TreeNodeRecursion::Continue)
            })
            .unwrap();
        }
        // These operators need a table or a database that the examples do not have.
        seen.extend(["lookup", "iplocation"]);
        let known: BTreeSet<&str> = operators().map(|codec| codec.name).collect();
        assert_eq!(seen, known);
    }

    #[test]
    fn names_are_unique() {
        let mut names = BTreeSet::new();
        assert!(operators().all(|codec| names.insert(codec.name)));
        let mut names = BTreeSet::new();
        assert!(functions().all(|codec| names.insert(codec.name)));
    }

    #[test]
    fn what_is_unknown_is_an_error() {
        let input = || Arc::new(EmptyExec::new(schema_of([]))) as Arc<dyn ExecutionPlan>;
        let written = |name: &str, state: &str| {
            let output = to_hexadecimal(&to_ipc(schema_of([]), &[]).unwrap());
            write(&Written { output, ..Written::new(name, state.to_owned()) }).unwrap()
        };
        let none = |_: &[u8], _: &Schema| internal_err!("there are no expressions");
        for (name, state) in [("none", "{}"), ("dedup", "{}"), ("sed", "{")] {
            assert!(decode_operator(&written(name, state), input(), &none).is_err(), "{name}");
        }
        assert!(decode_function(&written("none", "{}")).is_err());
        assert!(decode_function(&written("sort_key", "{}")).is_err());
        assert!(decode_aggregate(b"{}").is_err() && decode_operator(b"", input(), &none).is_err());
    }
}
