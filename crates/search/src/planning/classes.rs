//! The fields `eventtype` and `tag` of events: which event types match an event, and their tags.
//!
//! They are computed where a search reads them by name, from the fields that the searches of the event
//! types compare. An event that has a field of that name keeps its values.

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, cast, lit,
};
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::{Diagnostic, Span, Spanned};
use spilltrail_event::{Demand, Kind, Predicate, Record, Value, fields};
use spilltrail_knowledge::{Budget, EventType, is_class};
use spilltrail_spl::{BinaryOp, CompareOp, EvalExpr, EvalNode, SearchExpr, SearchLiteral};

use crate::context::SearchContext;
use crate::error::to_engine;
use crate::planning::plan::{Plan, column};
use crate::planning::predicate::{self, Position};
use crate::planning::predicate_udf::Row;
use crate::rows::arrow::{data_type, to_array};
use crate::rows::row_memo::RowMemo;
use crate::rows::state::{any_arguments, state_of};

/// Returns the comparisons with event types and tags in an expression. One under a `NOT` counts as well,
/// as does one by `!=`: without its event type, it excludes nothing.
pub(crate) fn compared(expression: &SearchExpr) -> Vec<SearchExpr> {
    match expression {
        SearchExpr::Compare { field, op: CompareOp::Eq | CompareOp::Ne, .. }
        | SearchExpr::In { field, .. }
            if is_class(&field.value) =>
        {
            vec![expression.clone()]
        }
        other => other.children().iter().flat_map(compared).collect(),
    }
}

/// Returns the comparisons of an eval expression with the names of event types and tags.
pub(crate) fn compared_in_eval(expression: &EvalExpr) -> Vec<SearchExpr> {
    let mut found = Vec::new();
    expression.walk(&mut |part| match &part.node {
        EvalNode::Binary(BinaryOp::Compare(op @ (CompareOp::Eq | CompareOp::Ne)), left, right) => {
            let either = comparison(left, *op, right).or_else(|| comparison(right, *op, left));
            found.extend(either);
        }
        EvalNode::In(field, values) => {
            found.extend(values.iter().filter_map(|value| comparison(field, CompareOp::Eq, value)));
        }
        EvalNode::Call { name, arguments } if name.value == "in" => {
            if let Some((field, values)) = arguments.split_first() {
                let values = values.iter();
                found.extend(values.filter_map(|value| comparison(field, CompareOp::Eq, value)));
            }
        }
        _ => {}
    });
    found
}

/// Returns the comparison of a class of events with a text.
fn comparison(field: &EvalExpr, op: CompareOp, value: &EvalExpr) -> Option<SearchExpr> {
    let (EvalNode::Field(name), EvalNode::Text(text)) = (&field.node, &value.node) else {
        return None;
    };
    let literal = SearchLiteral { text: text.clone(), exact_case: true, quoted: true };
    is_class(name).then(|| SearchExpr::Compare {
        field: Spanned::new(name.clone(), field.span),
        op,
        value: Spanned::new(literal, value.span),
    })
}

/// Returns the field of a comparison.
pub(crate) fn compared_field(comparison: &SearchExpr) -> Option<&str> {
    match comparison {
        SearchExpr::Compare { field, .. } | SearchExpr::In { field, .. } => Some(&field.value),
        _ => None,
    }
}

/// Gives the values of a comparison another place.
pub(crate) fn put(comparison: &mut SearchExpr, span: Span) {
    match comparison {
        SearchExpr::Compare { value, .. } => value.span = span,
        SearchExpr::In { values, .. } => values.iter_mut().for_each(|value| value.span = span),
        _ => {}
    }
}

/// Returns true for a comparison by which a search asks for an event type or a tag.
pub(crate) fn is_comparison(expression: &SearchExpr) -> bool {
    match expression {
        SearchExpr::Compare { field, op: CompareOp::Eq, .. } | SearchExpr::In { field, .. } => {
            is_class(&field.value)
        }
        _ => false,
    }
}

/// The classes of events that a search reads.
pub(crate) struct Classes {
    /// The searches of the event types, with their names and tags.
    types: Vec<(Predicate, EventType)>,
    /// The names of the fields to compute.
    fields: Vec<String>,
}

impl Classes {
    /// Returns the classes that a demand names, or `None` if it names none.
    ///
    /// # Errors
    /// Fails if the search of an event type cannot be compiled.
    pub(crate) fn of(
        demand: &Demand,
        context: &SearchContext,
    ) -> Result<Option<Self>, DataFusionError> {
        let fields: Vec<String> =
            demand.names.iter().filter(|name| is_class(name)).cloned().collect();
        if fields.is_empty() || context.knowledge.event_types().is_empty() {
            return Ok(None);
        }
        let (mut types, mut warnings) = (Vec::new(), Vec::new());
        // Each can name many others.
        let mut budget = Budget::default();
        for event_type in context.knowledge.event_types() {
            let (search, position) = (&event_type.search, Position::Narrowing);
            let (search, told) = predicate::compile_known(search, position, context, &mut budget)
                .map_err(to_engine)?;
            warnings.extend(told);
            types.push((search, event_type.clone()));
        }
        if let Some(warning) = incomplete(&fields, warnings) {
            context.observations.message(warning);
        }
        Ok(Some(Self { types, fields }))
    }

    /// Returns the demand for the fields from which the classes are computed.
    pub(crate) fn inputs(&self, demand: &Demand) -> Demand {
        let mut inputs = demand.clone();
        for (search, _) in &self.types {
            search.fields().into_iter().for_each(|name| inputs.add(name));
        }
        inputs
    }

    /// Adds the fields to a plan, and keeps of its others what the demand covers.
    ///
    /// # Errors
    /// Fails if DataFusion rejects the plan.
    pub(crate) fn apply(self, plan: Plan, demand: &Demand) -> Result<Plan, DataFusionError> {
        let columns = self.fields.iter().map(|field| {
            (field.clone(), classes(field, self.cases(field), &plan, None), Kind::Multi)
        });
        let columns = columns.collect();
        let plan = plan.with_columns(columns)?;
        let names = plan.names().into_iter().filter(|name| demand.wants(name));
        let names: Vec<String> = names.collect();
        plan.select(&names)
    }
}

impl Classes {
    /// Returns the searches of the event types that have values in a field, with these values.
    fn cases(&self, field: &str) -> Vec<(Predicate, Vec<String>)> {
        let cases =
            self.types.iter().map(|(search, known)| (search.clone(), known.values(field).to_vec()));
        cases.filter(|(_, values)| !values.is_empty()).collect()
    }
}

/// Returns one warning in place of those about event types that are left out of others.
fn incomplete(fields: &[String], warnings: Vec<Diagnostic>) -> Option<Diagnostic> {
    let mut warnings = warnings.into_iter();
    let first = warnings.next()?;
    // Those behind it are mostly about the same event types from another one.
    let more = if warnings.len() > 0 { ", and others do, too" } else { "" };
    let fields = fields.join("` and `");
    let message = format!("events may lack values of `{fields}`: {}{more}", first.message);
    Some(Diagnostic { message, labels: Vec::new(), ..first })
}

/// Adds the event types of rows to a plan. Of `_raw`, only the first `longest` characters count.
///
/// # Errors
/// Fails if the search of an event type cannot be compiled, or if DataFusion rejects the plan.
pub(crate) fn typed(plan: Plan, longest: usize, context: &SearchContext) -> Result<Plan> {
    let Some(known) = Classes::of(&Demand::of([EVENT_TYPE]), context)? else { return Ok(plan) };
    let types = classes(EVENT_TYPE, known.cases(EVENT_TYPE), &plan, Some(longest));
    plan.with_columns(vec![(EVENT_TYPE.to_owned(), types, Kind::Multi)])
}

/// The field with the event types of a row.
pub(crate) const EVENT_TYPE: &str = "eventtype";

/// Returns the values of the cases whose predicates a row satisfies, and those of its own field.
fn classes(
    field: &str,
    cases: Vec<(Predicate, Vec<String>)>,
    plan: &Plan,
    longest: Option<usize>,
) -> Expr {
    let mut read: BTreeSet<&str> = cases.iter().flat_map(|(search, _)| search.fields()).collect();
    read.insert(field);
    let mut fields: Vec<String> =
        read.into_iter().filter(|name| plan.kind(name).is_some()).map(str::to_owned).collect();
    let mut columns: Vec<Expr> = fields.iter().map(|name| column(name)).collect();
    if columns.is_empty() {
        // A function needs an argument; no search compares a field of this name.
        fields.push("\u{1}nothing".to_owned());
        columns.push(cast(lit(""), data_type(Kind::Text)));
    }
    let function = EventClasses::from(State { field: field.to_owned(), cases, fields, longest });
    ScalarUDF::new_from_impl(function).call(columns)
}

/// The function that returns the event types or tags of a row.
#[derive(Debug, Serialize, Deserialize)]
#[serde(from = "State")]
pub(crate) struct EventClasses {
    field: String,
    cases: Vec<(Predicate, Vec<String>)>,
    /// The names of the argument columns, in argument order.
    fields: Vec<String>,
    /// How many characters of `_raw` are read; all of them if there is no number.
    #[serde(skip_serializing_if = "Option::is_none")]
    longest: Option<usize>,
    #[serde(skip)]
    signature: Signature,
    /// The rest as JSON, used for equality and hashing.
    #[serde(skip)]
    state: String,
}

/// The serialized form of the function.
#[derive(Serialize, Deserialize)]
struct State {
    field: String,
    cases: Vec<(Predicate, Vec<String>)>,
    fields: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    longest: Option<usize>,
}

impl From<State> for EventClasses {
    fn from(written: State) -> Self {
        let state = state_of(&written);
        let State { field, cases, fields, longest } = written;
        Self { field, cases, fields, longest, signature: any_arguments(), state }
    }
}

impl PartialEq for EventClasses {
    fn eq(&self, other: &Self) -> bool {
        self.state == other.state
    }
}

impl Eq for EventClasses {}

impl Hash for EventClasses {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.state.hash(hasher);
    }
}

impl EventClasses {
    /// The name of the function in plans.
    pub(crate) const NAME: &'static str = "spl_classes";

    fn values(&self, row: &Row<'_>) -> Value<'static> {
        let mut values = BTreeSet::new();
        row.any_value(&self.field, &mut |own| {
            values.insert(own.to_owned());
            false
        });
        let beginning = self.longest.map(|longest| Beginning { row, longest });
        let record: &dyn Record = match &beginning {
            Some(beginning) => beginning,
            None => row,
        };
        for (search, classes) in &self.cases {
            if search.matches(record) {
                values.extend(classes.iter().cloned());
            }
        }
        Value::multi(values.into_iter().map(Into::into).collect())
    }
}

/// A row of which only the first characters of each value are read.
struct Beginning<'a> {
    row: &'a Row<'a>,
    longest: usize,
}

impl Record for Beginning<'_> {
    fn any_value(&self, field: &str, visit: &mut dyn FnMut(&str) -> bool) -> bool {
        let is_text_of_event = field == fields::RAW;
        self.row.any_value(field, &mut |text| {
            visit(if is_text_of_event { first_characters(text, self.longest) } else { text })
        })
    }
}

/// Returns the first characters of a text.
fn first_characters(text: &str, count: usize) -> &str {
    // A text with so few bytes has no more characters.
    if text.len() <= count {
        return text;
    }
    text.char_indices().nth(count).map_or(text, |(end, _)| &text[..end])
}

impl ScalarUDFImpl for EventClasses {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(data_type(Kind::Multi))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = args.args.iter().map(|column| column.to_array(args.number_rows));
        let arrays = columns.collect::<Result<Vec<_>>>()?;
        let readers = crate::rows::readers(&arrays)?;
        let mut memo = RowMemo::new(&arrays);
        let values: Vec<Value<'static>> = (0..args.number_rows)
            .map(|index| {
                let row = Row { fields: &self.fields, readers: &readers, row: index };
                memo.get_or(index, || self.values(&row))
            })
            .collect();
        Ok(ColumnarValue::Array(to_array(Kind::Multi, values)))
    }
}
