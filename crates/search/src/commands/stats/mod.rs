//! `stats`: statistics over all rows or over groups of them.

mod operator;
pub(super) mod sparklines;

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::common::{DataFusionError, ScalarValue};
use datafusion::logical_expr::{Aggregate, Expr, Extension, LogicalPlan, lit};
use indexmap::IndexSet;
use spilltrail_diagnostic::Diagnostic;
use spilltrail_event::{Field, Kind, fields};
use spilltrail_spl::{Arguments, StatsArguments};

use self::operator::CountPresent;
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Parts, Stage, Takes};
use crate::lineage::Lineage;
use crate::operators::{Codec, Expand, KEY, Operator, OperatorNode, Pack, Unpack, VALUES, Whole};
use crate::planning::aggregate::{self, Grouping, Preparation};
use crate::planning::order;
use crate::planning::plan::{Needs, Plan, column, null_text};
use crate::stats::{Feed, PlannedAggregate, udaf};

pub(super) static DOC: CommandDoc = CommandDoc {
    name: "stats",
    aliases: &[],
    kind: CommandKind::Transforming,
    summary: "Compute statistics over all rows, or for each group of the BY fields.",
    syntax: "stats [allnum=<bool>] [partitions=<int>] [delim=<text>] <function>(<field>|eval(<expr>)) [AS <name>] … [BY <field> …] [dedup_splitvals=<bool>]",
    arguments: &[
        Argument::option("partitions", Takes::Count)
            .default("1")
            .no_effect("Spilltrail decides itself how to divide the work")
            .doc("The number of parts in which to process the rows."),
        Argument::option("allnum", Takes::Bool)
            .default("false")
            .doc("Whether a value that is not a number suppresses the statistic of its group."),
        Argument::option("delim", Takes::Text)
            .doc("The delimiter with which a later `nomv` joins the values of a statistic. Default: a newline."),
        Argument::positional("function", Takes::Statistics)
            .doc("The statistics, each with an optional name after `AS`."),
        Argument::keyword("BY", Takes::Fields).doc("The fields to group by."),
        Argument::option("dedup_splitvals", Takes::Bool)
            .default("false")
            .doc("Whether equal values of a multivalue BY field count once."),
    ],
    examples: &[
        Example {
            title: "Count by two fields; rows without one of them are not counted",
            events: r#"{"user":"ann","action":"get"}
{"user":"ann","action":"get"}
{"user":"bob","action":"put"}
{"action":"put"}"#,
            search: "| stats count by user action",
            results: r#"{"user":"ann","action":"get","count":2}
{"user":"bob","action":"put","count":1}"#,
        },
        Example {
            title: "Several statistics, one of them conditional",
            events: r#"{"bytes":"10","code":"ok"}
{"bytes":"30","code":"denied"}"#,
            search: "| stats sum(bytes) as total, count(eval(code=\"denied\")) as denied, values(code) as codes",
            results: r#"{"total":40,"denied":1,"codes":["denied","ok"]}"#,
        },
    ],
    differs: &["Rows are sorted by the BY fields: numbers by value, before text."],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::operator::<operator::CountPresent>("count_present");

#[derive(Debug)]
struct Stats {
    arguments: StatsArguments,
    grouping: Grouping,
    /// The text that a later `nomv` puts between the values of a statistic.
    delimiter: Option<String>,
    whole: Whole,
}

pub(super) fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let parsed = aggregate::arguments(arguments)?;
    arguments.finish()?;
    if parsed.by.is_empty() {
        arguments.without_effect("dedup_splitvals", "there are no BY fields");
    }
    let is_distinct: bool = arguments.value("dedup_splitvals");
    Ok(Box::new(Stats {
        arguments: parsed,
        grouping: Grouping { all_numbers: arguments.value("allnum") },
        delimiter: arguments.given("delim").map(|delimiter| delimiter.value),
        whole: if is_distinct { Whole::DistinctMembers } else { Whole::Members },
    }))
}

impl Stats {
    fn by(&self) -> Vec<String> {
        self.arguments.by.iter().map(|field| field.value.clone()).collect()
    }
}

#[async_trait]
impl Command for Stats {
    fn parts(&self) -> Parts<'_> {
        Parts { operands: aggregate::expressions(&self.arguments.aggregates), ..Parts::default() }
    }

    fn needs(&self, _: Needs) -> Needs {
        aggregate::needs(&self.arguments.aggregates, &self.by())
    }

    fn output(&self, _: Option<Vec<String>>) -> Option<Vec<String>> {
        let outputs = aggregate::output_names(&self.arguments.aggregates)?;
        Some(self.by().into_iter().chain(outputs).collect())
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        let by = self.by();
        let aggregates = &self.arguments.aggregates;
        let preparation =
            sparklines::prepared(input, aggregates, &by, self.grouping, stage).await?;
        let is_multi = |aggregate: &&PlannedAggregate| aggregate.kind == Kind::Multi;
        let outputs = preparation.aggregates.iter().filter(is_multi);
        let several: Vec<String> = outputs.map(|aggregate| aggregate.output.clone()).collect();
        let mut plan =
            grouped(preparation, by.iter().map(|field| Key::of(field)), self.whole, stage)?;
        if let Some(delimiter) = &self.delimiter {
            several.iter().for_each(|name| plan.set_delimiter(name, delimiter));
        }
        Ok(plan)
    }

    fn grouping(&self) -> Option<Vec<String>> {
        Some(self.by())
    }

    fn trace(&self, lineage: &mut Lineage) {
        lineage.group(self.by(), aggregate::measures(&self.arguments.aggregates));
    }
}

/// A field that rows are grouped by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    /// The column with its values.
    pub(super) column: String,
    /// The field that the values come from; the metrics of the search use this name.
    pub(super) field: String,
    /// The column of the result.
    pub(super) output: String,
}

impl Key {
    /// Returns the key for a field whose values are used as they are.
    pub(super) fn of(field: &str) -> Self {
        let name = || field.to_owned();
        Self { column: name(), field: name(), output: name() }
    }
}

/// Plans the aggregation of prepared aggregates, with the results sorted by the keys.
///
/// # Errors
/// Fails if DataFusion refuses the plan.
pub(super) fn grouped(
    preparation: Preparation,
    by: impl IntoIterator<Item = Key>,
    whole: Whole,
    stage: &Stage<'_>,
) -> Result<Plan, Diagnostic> {
    // A BY field that is named twice is grouped by only once.
    let keys = Vec::from_iter(by.into_iter().collect::<IndexSet<Key>>());
    let plan = groups(preparation, &keys, whole, stage)?;
    if keys.is_empty() {
        return Ok(plan);
    }
    let outputs: Vec<String> = keys.into_iter().map(|key| key.output).collect();
    order::by_fields(plan, &outputs).map_err(|error| stage.refused(error))
}

/// Plans the aggregation of prepared aggregates, with the results in no particular order.
///
/// Rows that lack a key are dropped, and a row with a multivalue key counts for each of its
/// values.
///
/// # Errors
/// Fails if DataFusion refuses the plan.
pub(super) fn groups(
    preparation: Preparation,
    by: &[Key],
    whole: Whole,
    stage: &Stage<'_>,
) -> Result<Plan, Diagnostic> {
    let refused = |error| stage.refused(error);
    let Preparation { plan, aggregates } = preparation;
    let results: Vec<Field> =
        aggregates.iter().map(|aggregate| Field::new(&aggregate.output, aggregate.kind)).collect();
    // A field may be both grouped by and aggregated, so the keys are separate columns.
    let keys: Vec<String> = (0..by.len()).map(|index| format!("\u{2}{index}")).collect();
    let values = taken(&aggregates);
    let sources: Vec<String> = by.iter().map(|key| key.column.clone()).collect();
    let mut plan = prepared_columns(plan, &sources, &keys, &values).map_err(refused)?;
    let fields = by.iter().map(|key| key.field.clone()).collect();
    plan = plan.operator(Arc::new(CountPresent { columns: keys.clone(), fields }));
    let is_multi = |key: &&String| plan.kind(key) == Some(Kind::Multi);
    let mut product: Vec<String> = keys.iter().filter(is_multi).cloned().collect();
    for key in &keys {
        if plan.kind(key) == Some(Kind::Multi) {
            // Only the first expansion sees all values of a row, so it alone checks `product`
            // and refuses a row with too many combinations.
            let product = std::mem::take(&mut product);
            let expand = Expand { column: key.clone(), whole, limit: 0, product };
            plan = plan.operator(Arc::new(expand)).within_limits().map_err(refused)?;
        }
    }
    let named = by.iter().zip(&keys);
    let named = named.map(|(by, key)| Field::new(&by.output, plan.kind(key).unwrap_or(Kind::Text)));
    let keeps_values = aggregates.iter().any(udaf::may_keep_values);
    let unpack = Unpack { keys: named.collect(), results, keeps_values };
    let mut plan = if by.is_empty() && aggregates.is_empty() {
        // Every aggregate had a wildcard that matches no field, so the result has no row.
        plan.limit(0).and_then(|plan| plan.project(Vec::new())).map_err(refused)?
    } else {
        let plan = aggregated(plan, &aggregates, &values, unpack).map_err(refused)?;
        aggregate::cut_lists(plan, &aggregates, stage)
    };
    plan.transformed = true;
    Ok(plan)
}

/// Returns the names of the columns that the aggregates read, without duplicates.
fn taken(aggregates: &[PlannedAggregate]) -> Vec<String> {
    let inputs = aggregates.iter().filter_map(|aggregate| aggregate.input.clone());
    let mut names: IndexSet<String> = inputs.collect();
    if aggregates.iter().any(|aggregate| aggregate.feed() == Feed::MembersWithTime) {
        names.insert(fields::TIME.to_owned());
    }
    names.into_iter().collect()
}

/// Reduces a plan to the columns that an aggregation reads: the BY fields, renamed to `keys`, and
/// then `values`. Columns that the plan lacks are null.
fn prepared_columns(
    plan: Plan,
    by: &[String],
    keys: &[String],
    values: &[String],
) -> Result<Plan, DataFusionError> {
    let absent_number = || lit(ScalarValue::Float64(None));
    let source = |name: &String| match plan.kind(name) {
        Some(kind) => (column(name), kind),
        None if name == fields::TIME => (absent_number(), Kind::Number),
        None => (null_text(), Kind::Text),
    };
    let named = keys.iter().zip(by).chain(values.iter().zip(values));
    let columns: Vec<(String, Expr, Kind)> = named
        .map(|(name, field)| {
            let (expr, kind) = source(field);
            (name.clone(), expr, kind)
        })
        .collect();
    if columns.is_empty() { Ok(plan) } else { plan.project(columns) }
}

/// Plans the aggregation of columns in the order that [`prepared_columns`] gives them.
fn aggregated(
    plan: Plan,
    aggregates: &[PlannedAggregate],
    values: &[String],
    unpack: Unpack,
) -> Result<Plan, DataFusionError> {
    let keys = unpack.keys.len();
    let columns: Vec<Field> = plan.fields().map(|(name, kind)| Field::new(name, kind)).collect();
    let mut input = plan.logical().clone();
    // Without keys and values, `prepared_columns` keeps the plan's columns and only rows are
    // counted, so no column is packed.
    if keys > 0 || !values.is_empty() {
        let pack = Pack { keys };
        let schema = pack.schema(&columns);
        let node = OperatorNode::with_schema(Arc::new(pack), input, &schema)?;
        input = LogicalPlan::Extension(Extension { node: Arc::new(node) });
    }
    let argument = if values.is_empty() { lit(1.0) } else { column(VALUES) };
    let results = udaf::expression(aggregates, values, fields::TIME, argument).alias(VALUES);
    let results = if aggregates.is_empty() { Vec::new() } else { vec![results] };
    let groups = if keys > 0 { vec![column(KEY)] } else { Vec::new() };
    let aggregate = Aggregate::try_new(Arc::new(input), groups, results)?;
    let fields = unpack.output(&[]);
    let node = OperatorNode::new(Arc::new(unpack), LogicalPlan::Aggregate(aggregate), &fields);
    let logical = LogicalPlan::Extension(Extension { node: Arc::new(node) });
    let fields = fields.into_iter().map(|field| (field.name, field.kind)).collect();
    Ok(plan.replaced(logical, fields))
}
