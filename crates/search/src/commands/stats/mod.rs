//! `stats`: statistics over all rows or over groups of them.

mod operator;

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::logical_expr::{Expr, LogicalPlanBuilder};
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::{Kind, fields};
use spilltrail_spl::{Arguments, StatsArguments};

use self::operator::CountPresent;
use super::{Command, CommandDoc, CommandKind, Entry, Example, Stage, options};
use crate::operators::{Expand, Whole};
use crate::planning::aggregate::{self, Grouping, Preparation};
use crate::planning::order;
use crate::planning::plan::{Needs, Plan, column, null_text};
use crate::stats::group_key::{group_key, group_value};

static DOC: CommandDoc = CommandDoc {
    name: "stats",
    aliases: &[],
    kind: CommandKind::Transforming,
    summary: "Computes statistics over all rows, or over the groups that the BY fields make.",
    syntax: "stats [allnum=<bool>] [partitions=<int>] [delim=<text>] <function>(<field>|eval(<expr>)) [AS <name>] … [BY <field> …] [dedup_splitvals=<bool>]",
    arguments: &[
        ("allnum", "If true, one value that is no number suppresses the statistic of its group."),
        ("partitions", "Taken and without effect."),
        ("delim", "Taken; it shows only where a later command joins the values."),
        ("dedup_splitvals", "If true, equal members of a multivalue BY field count once."),
    ],
    examples: &[
        Example {
            title: "Count by two fields; rows without one of them are left out",
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
    differs: &["Rows come in natural order of the BY fields: numbers by value, before text."],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct Stats {
    arguments: StatsArguments,
    grouping: Grouping,
    whole: Whole,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut grouping = Grouping::default();
    while let Some((name, value)) = arguments.any_option() {
        match name.value.to_ascii_lowercase().as_str() {
            "allnum" => grouping.all_numbers = options::boolean(&value)?,
            "partitions" | "delim" => {}
            _ => return Err(options::unknown("stats", &name)),
        }
    }
    let parsed = arguments.stats()?;
    let mut whole = Whole::Members;
    if let Some(value) = arguments.option("dedup_splitvals")
        && options::boolean(&value)?
    {
        whole = Whole::DistinctMembers;
    }
    arguments.finish()?;
    if parsed.aggregates.is_empty() {
        return Err(Diagnostic::error(Code::SYNTAX, "expected a statistics function")
            .at(arguments.span())
            .help("for example `stats count by user`"));
    }
    Ok(Box::new(Stats { arguments: parsed, grouping, whole }))
}

impl Stats {
    fn by(&self) -> Vec<String> {
        self.arguments.by.iter().map(|field| field.value.clone()).collect()
    }
}

#[async_trait]
impl Command for Stats {
    fn needs(&self, _: Needs) -> Needs {
        aggregate::needs(&self.arguments.aggregates, &self.by())
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        let by = self.by();
        let aggregates = &self.arguments.aggregates;
        let preparation = aggregate::prepare(input, aggregates, &by, self.grouping, stage)?;
        grouped(preparation, &by, self.whole, stage)
    }

    fn grouping(&self) -> Option<Vec<String>> {
        Some(self.by())
    }
}

/// The column of the key that several BY fields make.
const JOINT_KEY: &str = "\u{3}";

/// Plans the aggregation of prepared aggregates: rows without a BY field dropped, multivalue BY
/// fields spread, rows sorted by the BY fields.
///
/// # Errors
/// Fails if DataFusion refuses the plan.
pub(super) fn grouped(
    mut preparation: Preparation,
    by: &[String],
    whole: Whole,
    stage: &Stage<'_>,
) -> Result<Plan, Diagnostic> {
    let refused = |error| stage.refused(error);
    let mut plan = preparation.plan;
    if plan.kind(fields::TIME).is_none() {
        plan = plan
            .with_columns(vec![(
                fields::TIME.to_owned(),
                datafusion::logical_expr::lit(datafusion::common::ScalarValue::Float64(None)),
                Kind::Number,
            )])
            .map_err(refused)?;
    }
    // A field may be grouped by and aggregated at once, so the keys are columns of their own.
    let keys: Vec<String> = (0..by.len()).map(|index| format!("\u{2}{index}")).collect();
    let copies = by
        .iter()
        .zip(&keys)
        .map(|(name, key)| match plan.kind(name) {
            Some(kind) => (key.clone(), column(name), kind),
            None => (key.clone(), null_text(), Kind::Text),
        })
        .collect();
    plan = plan.with_columns(copies).map_err(refused)?;
    if !by.is_empty() {
        let observation = stage.context.observations.group(by.to_vec());
        plan = plan.operator(Arc::new(CountPresent { columns: keys.clone(), observation }));
    }
    for key in &keys {
        if plan.kind(key) == Some(Kind::Multi) {
            plan = plan.operator(Arc::new(Expand { column: key.clone(), whole, limit: 0 }));
        }
        plan = plan.filter(column(key).is_not_null()).map_err(refused)?;
    }
    preparation.plan = plan;
    let aggregates = preparation.expressions();
    // Several values make one key.
    let is_joint = keys.len() > 1;
    let mut groups: Vec<Expr> = keys.iter().map(|key| column(key)).collect();
    if is_joint {
        groups = vec![group_key(groups).alias(JOINT_KEY)];
    }
    let logical = LogicalPlanBuilder::from(preparation.plan.logical().clone())
        .aggregate(groups, aggregates)
        .and_then(LogicalPlanBuilder::build)
        .map_err(refused)?;
    let mut columns: Vec<(String, Expr, Kind)> = Vec::new();
    for (part, (name, key)) in by.iter().zip(&keys).enumerate() {
        let kind = preparation.plan.kind(key).unwrap_or(Kind::Text);
        let value = if is_joint { group_value(column(JOINT_KEY), part, kind) } else { column(key) };
        columns.push((name.clone(), value, kind));
    }
    for aggregate in &preparation.aggregates {
        columns.push((aggregate.output.clone(), column(&aggregate.output), aggregate.kind));
    }
    let fields = columns
        .iter()
        .map(|(name, expr, kind)| {
            let source = if let Expr::Column(source) = expr { &source.name } else { name };
            (source.clone(), *kind)
        })
        .collect();
    let mut plan = preparation.plan.replaced(logical, fields).project(columns).map_err(refused)?;
    plan.transformed = true;
    if by.is_empty() { Ok(plan) } else { order::by_fields(plan, by).map_err(refused) }
}
