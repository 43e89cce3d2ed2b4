//! `mstats`: computes statistics over metrics.

use std::borrow::Cow;

use async_trait::async_trait;
use datafusion::logical_expr::Expr;
use spilltrail_diagnostic::{Code, Diagnostic, Spanned};
use spilltrail_event::fields;
use spilltrail_spl::{Aggregate, AggregateArgument, Arguments, CompareOp, SearchExpr, time};

use super::tstats::FILLNULL_VALUE;
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Parts, Stage, Takes};
use super::{fillnull, search, stats, subsearch};
use crate::lineage::Lineage;
use crate::operators::Whole;
use crate::planning::aggregate::{self, Grouping};
use crate::planning::facts::Facts;
use crate::planning::plan::{Needs, Plan, column};
use crate::planning::predicate::Position;
use crate::rows::bins::TimeBins;
use crate::rows::mapped::mapped;

/// What the field of a metric begins with, as in Splunk's metrics indexes.
const PREFIX: &str = "metric_name:";

/// The fields of all metrics.
const ALL_METRICS: &str = "metric_name:*";

/// The field with the value of the metric that `metric_name` names.
const VALUE: &str = "_value";

static DOC: CommandDoc = CommandDoc {
    name: "mstats",
    aliases: &[],
    kind: CommandKind::Generating,
    summary: "Compute statistics over metrics: events with fields such as `metric_name:cpu.usage`.",
    syntax: "mstats [fillnull_value=<text>] [chunk_size=<int>] [backfill=<bool>] [update_period=<int>] <function>(<metric>) [AS <name>] … [WHERE <search>] [BY <field> …] [span=<span>]",
    arguments: &[
        FILLNULL_VALUE,
        Argument::option("prestats", Takes::Bool)
            .default("false")
            .refused("use the results without a second `stats`")
            .doc("Whether to prepare the results for a later `stats`, `chart` or `timechart`."),
        Argument::option("append", Takes::Bool)
            .default("false")
            .refused("use `append [| mstats …]`")
            .doc("With `prestats`: whether to append to the results."),
        Argument::option("chart", Takes::Bool)
            .default("false")
            .refused("use `xyseries` after it")
            .doc("Whether to make a column for each value of the last BY field."),
        Argument::option("backfill", Takes::Bool)
            .default("true")
            .no_effect("there are no real-time searches")
            .doc("Whether a real-time search begins with earlier metrics."),
        Argument::option("update_period", Takes::Count)
            .default("0")
            .no_effect("there are no real-time searches")
            .doc("How often a real-time search updates its results."),
        Argument::option("chunk_size", Takes::Count)
            .default("10000000")
            .no_effect("memory is bounded by `--memory-limit`")
            .doc("The number of series to read at a time."),
        Argument::positional("function", Takes::Statistics).doc(
            "Statistics of metrics, by name or with wildcards, or of `_value`, the value of the metric that `metric_name` names.",
        ),
        Argument::keyword("WHERE", Takes::Search)
            .doc("Which events to read, as a search expression."),
        Argument::keyword("BY", Takes::Fields).doc("The fields to group by."),
        Argument::option("span", Takes::Span)
            .doc("The width of time bins. Without it, there is one row for all times."),
    ],
    examples: &[
        Example {
            title: "The mean by host",
            events: r#"{"_time":10,"host":"a","metric_name:cpu":"20"}
{"_time":20,"host":"a","metric_name:cpu":"40"}
{"_time":30,"host":"b","metric_name:cpu":"10"}
{"_time":40,"host":"c"}"#,
            search: "| mstats avg(cpu) where host=* by host",
            results: r#"{"host":"a","avg(cpu)":30}
{"host":"b","avg(cpu)":10}"#,
        },
        Example {
            title: "All metrics of a kind, by minute",
            events: r#"{"_time":10,"metric_name:tcp.in":"1","metric_name:tcp.out":"5"}
{"_time":70,"metric_name:tcp.in":"3"}"#,
            search: "| mstats sum(tcp.*) as tcp.* span=1m",
            results: r#"{"_time":0,"tcp.in":1,"tcp.out":5}
{"_time":60,"tcp.in":3}"#,
        },
    ],
    differs: &[
        "Metrics are read from events with fields such as `metric_name:cpu.usage`, or with `metric_name` and `_value`. If there are none, a warning says so and there are no rows.",
        "There are no rollups; `span` can be any.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct Mstats {
    aggregates: Vec<Aggregate>,
    condition: SearchExpr,
    by: Vec<Spanned<String>>,
    span: Option<time::Span>,
    fill: Option<String>,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    arguments.options();
    let aggregates = arguments.aggregates_until(&["where", "by", "groupby"])?;
    arguments.options();
    let mut condition = match arguments.keyword("where") {
        Some(_) => arguments.search_until(&["by", "groupby"])?,
        None => SearchExpr::All,
    };
    let mut by = Vec::new();
    if arguments.keyword("by").or_else(|| arguments.keyword("groupby")).is_some() {
        by.extend(arguments.fields()?);
        while arguments.more() {
            by.extend(arguments.fields()?);
        }
    }
    arguments.finish_with_options()?;
    aggregate::check(&aggregates, &by, arguments);
    for aggregate in &aggregates {
        let message = match &aggregate.argument {
            None => format!("`{}` needs a metric", aggregate.function.value),
            Some(AggregateArgument::Eval(_)) => "`mstats` takes no expressions".to_owned(),
            Some(AggregateArgument::Field(_)) => continue,
        };
        let diagnostic = Diagnostic::error(Code::BAD_ARGUMENT, message);
        arguments
            .report(diagnostic.at(aggregate.function.span).help("for example `avg(cpu.usage)`"));
    }
    let mut span = arguments.given("span").map(|span| span.value);
    if span.is_none() {
        span = take_span(&mut condition).transpose()?;
    }
    if by.is_empty() {
        arguments.without_effect("fillnull_value", "there are no BY fields");
    }
    let fill = arguments.given("fillnull_value").map(|fill| fill.value);
    Ok(Box::new(Mstats { aggregates, condition, by, span, fill }))
}

/// Takes `span=…` out of a condition: without BY, the option stands at its end.
fn take_span(condition: &mut SearchExpr) -> Option<Result<time::Span, Diagnostic>> {
    let is_span = |part: &SearchExpr| {
        matches!(part, SearchExpr::Compare { field, op: CompareOp::Eq, .. }
            if field.value.eq_ignore_ascii_case("span"))
    };
    let part = if is_span(condition) {
        std::mem::replace(condition, SearchExpr::All)
    } else if let SearchExpr::And(parts) = condition {
        let place = parts.iter().position(is_span)?;
        parts.remove(place)
    } else {
        return None;
    };
    let SearchExpr::Compare { value, .. } = part else { return None };
    Some(time::parse_span(&value.value.text).ok_or_else(|| {
        let message = format!("expected a span of time such as `5m`, found `{}`", value.value.text);
        Diagnostic::error(Code::BAD_OPTION, message).at(value.span)
    }))
}

impl Mstats {
    /// Returns the aggregates over the fields of the metrics.
    fn of_fields(&self) -> Vec<Aggregate> {
        let mut aggregates = self.aggregates.clone();
        for aggregate in &mut aggregates {
            if let Some(AggregateArgument::Field(field)) = &mut aggregate.argument {
                // The default name of a wildcard is made of the metric's name, not of its field's.
                aggregate.renamed |= field.value.contains('*');
                field.value = metric_field(&field.value).into_owned();
            }
        }
        aggregates
    }

    /// Returns the fields to group by.
    fn keys(&self) -> Vec<String> {
        let mut keys = aggregate::names(&self.by);
        if self.span.is_some() && !keys.iter().any(|key| key == fields::TIME) {
            keys.insert(0, fields::TIME.to_owned());
        }
        keys
    }
}

/// Returns the field that holds a metric.
fn metric_field(metric: &str) -> Cow<'_, str> {
    if metric == VALUE || metric.starts_with(PREFIX) {
        Cow::Borrowed(metric)
    } else {
        Cow::Owned(format!("{PREFIX}{metric}"))
    }
}

#[async_trait]
impl Command for Mstats {
    fn parts(&self) -> Parts<'_> {
        Parts { searches: vec![&self.condition], ..Parts::default() }
    }

    fn needs(&self, _: Needs) -> Needs {
        Needs::only::<&str>([])
    }

    fn facts(&self, facts: &mut Facts) {
        facts.reads_logs = true;
        facts.search(&self.condition, Position::Leading);
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        stage.must_be_first(input.as_ref())?;
        let refused = |error| stage.refused(error);
        let keys = self.keys();
        // The names of metrics are asked for as a pattern, so that only those that occur are columns.
        let aggregates = self.of_fields();
        let mut needs = Needs::only(&keys).and([ALL_METRICS]);
        needs.order = aggregate::needs(&aggregates, &[]).order;
        let is_value = |aggregate: &Aggregate| matches!(&aggregate.argument, Some(AggregateArgument::Field(field)) if field.value == VALUE);
        if aggregates.iter().any(is_value) {
            needs = needs.and([VALUE]);
        }
        needs = needs.and([fields::TIME]);
        let predicate =
            subsearch::predicate(&self.condition, Position::Leading, stage.context).await?;
        let scanning = Stage { context: stage.context, after: &needs, span: stage.span };
        let mut plan = search::find(predicate, &scanning).await?;
        let mut metrics: Vec<String> = Vec::new();
        for aggregate in &aggregates {
            let Some(AggregateArgument::Field(field)) = &aggregate.argument else { continue };
            metrics.extend(plan.covered(&field.value));
            if plan.kind(&field.value).is_some() && !metrics.contains(&field.value) {
                metrics.push(field.value.clone());
            }
        }
        if plan.covered(ALL_METRICS).is_empty() && !aggregates.iter().any(is_value) {
            stage.context.observations.message(
                Diagnostic::warning(Code::NO_EFFECT, "there are no metrics here")
                    .at(stage.span)
                    .help("`mstats` reads events with fields such as `metric_name:cpu.usage`"),
            );
        }
        // Events without any of the metrics are no groups.
        let present = metrics.iter().map(|name| column(name).is_not_null());
        let is_metric: Expr =
            present.reduce(Expr::or).unwrap_or_else(|| datafusion::logical_expr::lit(false));
        plan = plan.filter(is_metric).map_err(refused)?;
        if let (Some(span), Some(kind)) = (self.span, plan.kind(fields::TIME)) {
            let bins =
                mapped(TimeBins::new(span, stage.context.zone.clone()), column(fields::TIME));
            plan =
                plan.with_columns(vec![(fields::TIME.to_owned(), bins, kind)]).map_err(refused)?;
        }
        let by = aggregate::names(&self.by);
        let plan = fillnull::in_groups(plan, &by, self.fill.as_deref()).map_err(refused)?;
        let grouping = Grouping::default();
        let preparation =
            stats::sparklines::prepared(plan, &aggregates, &keys, grouping, stage).await?;
        let keys = keys.iter().map(|field| stats::Key::of(field));
        stats::grouped(preparation, keys, Whole::Members, stage)
    }

    fn trace(&self, lineage: &mut Lineage) {
        lineage.group(self.keys(), aggregate::measures(&self.aggregates));
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use crate::testing::{context, rows, table, table_of};

    #[tokio::test]
    async fn metrics_are_grouped() {
        let events = r#"{"_time":10,"h":"a","metric_name:x.a":"1","metric_name:x.b":"2"}
{"_time":20,"h":"b","metric_name:x.a":"3"}
{"_time":70,"h":"a","metric_name":"y","_value":"8"}"#;
        for (search, expected) in [
            ("avg(x.a) count(x.b) as n", vec!["avg(x.a) | n", "2 1"]),
            ("sum(x.*)", vec!["sum(x.a) | sum(x.b)", "4 2"]),
            ("sum(x.a) where h=b span=1m", vec!["_time | sum(x.a)", "0 3"]),
            ("max(_value) as v where metric_name=y by h span=1m", vec!["_time | h | v", "60 a 8"]),
            ("max(x.a) by nosuch", vec!["nosuch | max(x.a)"]),
            ("max(x.a) by nosuch fillnull_value=none", vec!["nosuch | max(x.a)", "none 3"]),
        ] {
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(
                table(&format!("| mstats {search}"), events).await,
                Ok(expected),
                "{search}"
            );
        }
        for (search, code) in [
            ("count", Code::BAD_ARGUMENT),
            ("sum(eval(x*2))", Code::BAD_ARGUMENT),
            ("sum(x) by h*", Code::BAD_ARGUMENT),
            ("sum(x) by", Code::UNEXPECTED_END),
            ("sum(x) where span=x", Code::BAD_OPTION),
            ("prestats=t sum(x)", Code::UNSUPPORTED_OPTION),
        ] {
            let found = table(&format!("| mstats {search}"), events).await;
            assert_eq!(found, Err(vec![code]), "{search}");
        }
    }

    #[tokio::test]
    async fn logs_without_metrics_give_a_warning() {
        let context = context(rows("{\"_time\":1,\"a\":\"1\"}"), 64 << 20);
        let found = table_of("| mstats avg(cpu) by a", &context).await;
        assert_eq!(found, Ok(vec!["a | avg(cpu)".to_owned()]));
        let messages = context.observations.messages();
        assert_eq!(messages.len(), 1, "{messages:?}");
        assert_eq!(messages[0].message, "there are no metrics here");
    }
}
