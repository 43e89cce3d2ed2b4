//! `streamstats`: adds running statistics to each row.

mod operator;
mod window;

use std::sync::Arc;

use async_trait::async_trait;
use indexmap::IndexSet;
use spilltrail_diagnostic::{Code, Diagnostic, Spanned};
use spilltrail_event::{Field, fields};
use spilltrail_spl::time::{self, Unit};
use spilltrail_spl::{Arguments, EvalExpr, StatsArguments};

use self::operator::{Resets, StreamStatistics, Window};
use self::window::MAX_WINDOW;
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Parts, Stage, Takes};
use crate::lineage::Lineage;
use crate::operators::Codec;
use crate::planning::aggregate::{self, Grouping};
use crate::planning::eval;
use crate::planning::expression::CarriedExpression;
use crate::planning::plan::{Needs, Plan};
use crate::rows::bins;
use crate::stats::PlannedAggregate;
use crate::stats::functions::sparkline::SPARKLINE;

static DOC: CommandDoc = CommandDoc {
    name: "streamstats",
    aliases: &[],
    kind: CommandKind::CentralizedStreaming,
    summary: "Add to every row the statistics of all rows up to it.",
    syntax: "streamstats [current=<bool>] [window=<int>] [global=<bool>] [time_window=<span>] [allnum=<bool>] [reset_on_change=<bool>] [reset_before=(<expr>)] [reset_after=(<expr>)] <function>(<field>|eval(<expr>)) [AS <name>] … [BY <field> …]",
    arguments: &[
        Argument::option("current", Takes::Bool)
            .default("true")
            .doc("Whether to include the row itself."),
        // The maximum is Splunk's default limit: the cost of a row grows with its window.
        Argument::option("window", Takes::Count)
            .default("0")
            .between(0, MAX_WINDOW as u64)
            .doc("The number of rows to include, counting the row itself; 0 means all."),
        Argument::option("global", Takes::Bool).default("true").doc(
            "With a window and BY: whether the window spans all rows (true) or each group has its own (false).",
        ),
        Argument::option("time_window", Takes::Span)
            .doc("Include only rows less than this far away in time. Rows must be sorted by `_time`."),
        Argument::option("allnum", Takes::Bool)
            .default("false")
            .doc("Whether a value that is not a number suppresses the statistic of its group."),
        Argument::option("reset_on_change", Takes::Bool)
            .default("false")
            .doc("Whether to start over when the BY fields change."),
        Argument::option("reset_before", Takes::Condition)
            .doc("Start over before a row for which this is true."),
        Argument::option("reset_after", Takes::Condition).doc(
            "Start over after a row for which this is true. The condition may use the statistics.",
        ),
        Argument::positional("function", Takes::Statistics)
            .doc("The statistics, each with an optional name after `AS`."),
        Argument::keyword("BY", Takes::Fields).doc("The fields to group by."),
    ],
    examples: &[
        Example {
            title: "A running total",
            events: "{\"n\":\"1\"}\n{\"n\":\"2\"}\n{\"n\":\"4\"}",
            search: "| streamstats sum(n) as total count",
            results: r#"{"n":"1","total":1,"count":1}
{"n":"2","total":3,"count":2}
{"n":"4","total":7,"count":3}"#,
        },
        Example {
            title: "The previous value of each user",
            events: r#"{"user":"ann","ip":"10.0.0.1"}
{"user":"bob","ip":"10.0.0.9"}
{"user":"ann","ip":"10.0.0.2"}"#,
            search: "| streamstats current=f window=1 global=f last(ip) as before by user",
            results: r#"{"user":"ann","ip":"10.0.0.1"}
{"user":"bob","ip":"10.0.0.9"}
{"user":"ann","ip":"10.0.0.2","before":"10.0.0.1"}"#,
        },
        Example {
            title: "Start over after each success",
            events: r#"{"code":"denied"}
{"code":"ok"}
{"code":"denied"}"#,
            search: "| streamstats count reset_after=(code=\"ok\")",
            results: r#"{"code":"denied","count":1}
{"code":"ok","count":2}
{"code":"denied","count":1}"#,
        },
    ],
    differs: &[
        "A row that is exactly `time_window` away is not included.",
        "A row with a multivalue BY field counts in the group of each value, and gets the statistics of the group of its first value.",
        "`time_window` does not accept months, quarters or years. With it, `window` is the largest number of rows of a group.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::operator::<operator::StreamStatistics>("stream_statistics");

#[derive(Debug)]
struct StreamStats {
    arguments: StatsArguments,
    options: Options,
}

/// The options of `streamstats`.
#[derive(Debug)]
struct Options {
    grouping: Grouping,
    with_current: bool,
    window: Window,
    on_change: bool,
    before: Option<EvalExpr>,
    after: Option<EvalExpr>,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let parsed = aggregate::arguments(arguments)?;
    arguments.finish()?;
    for aggregate in &parsed.aggregates {
        if aggregate.function.value == SPARKLINE.name {
            let message = "`sparkline` is not supported in `streamstats`";
            arguments.report(
                Diagnostic::unsupported(Code::UNSUPPORTED_FUNCTION, message)
                    .at(aggregate.function.span)
                    .help("use `eventstats` or `stats`, which know the time range of all rows"),
            );
        }
    }
    let condition = |name| arguments.given(name).map(|condition| condition.value);
    let options = Options {
        grouping: Grouping { all_numbers: arguments.value("allnum") },
        with_current: arguments.value("current"),
        on_change: arguments.value("reset_on_change"),
        before: condition("reset_before"),
        after: condition("reset_after"),
        window: window(arguments),
    };
    if parsed.by.is_empty() {
        for name in ["global", "reset_on_change"] {
            arguments.without_effect(name, "there are no BY fields");
        }
    }
    Ok(Box::new(StreamStats { arguments: parsed, options }))
}

fn window(arguments: &mut Arguments<'_>) -> Window {
    let count = arguments.value("window");
    if let Some(span) = arguments.given::<time::Span>("time_window") {
        arguments.without_effect("global", "`time_window` is for each group");
        let most = if count == 0 { MAX_WINDOW } else { count };
        return Window::Seconds { length: seconds(&span, arguments), most };
    }
    if count == 0 {
        arguments.without_effect("global", "there is no `window`");
        return Window::All;
    }
    Window::Rows { count, is_global: arguments.value("global") }
}

/// Returns the length of a time window in seconds. Reports a span of months, quarters or years,
/// whose length varies.
fn seconds(span: &Spanned<time::Span>, arguments: &mut Arguments<'_>) -> f64 {
    if matches!(span.value.unit, Unit::Month | Unit::Quarter | Unit::Year) {
        let message = "expected a span of seconds to weeks for `time_window`";
        arguments.report(
            Diagnostic::error(Code::BAD_OPTION, message)
                .at(span.span)
                .help("for example `time_window=5m`"),
        );
    }
    bins::seconds(span.value)
}

impl StreamStats {
    /// Compiles the reset conditions. The condition checked after a row can read the row's results.
    fn resets(
        &self,
        plan: &Plan,
        aggregates: &[PlannedAggregate],
        stage: &Stage<'_>,
    ) -> Result<Resets, Diagnostic> {
        let results = aggregates.iter().map(|made| Field::new(&made.output, made.kind));
        let columns = plan.fields().map(|(name, kind)| Field::new(name, kind));
        let scope: Vec<Field> = results.chain(columns).collect();
        let compile = |expr: &EvalExpr, scope: &dyn spilltrail_eval::Scope| {
            let compiled = eval::expression(expr, scope, stage.context)?;
            compiled.require_condition()?;
            Ok::<_, Diagnostic>(CarriedExpression::from(compiled))
        };
        Ok(Resets {
            on_change: self.options.on_change,
            before: self.options.before.as_ref().map(|expr| compile(expr, plan)).transpose()?,
            after: self.options.after.as_ref().map(|expr| compile(expr, &scope)).transpose()?,
        })
    }
}

#[async_trait]
impl Command for StreamStats {
    fn parts(&self) -> Parts<'_> {
        let Options { before, after, .. } = &self.options;
        Parts {
            operands: aggregate::expressions(&self.arguments.aggregates),
            conditions: before.iter().chain(after).collect(),
            ..Parts::default()
        }
    }

    fn needs(&self, after: Needs) -> Needs {
        let mut needs = aggregate::needs_beside(after, &self.arguments);
        needs.order = true;
        let results: Vec<&str> =
            self.arguments.aggregates.iter().map(|made| made.output.value.as_str()).collect();
        if let Some(expr) = &self.options.before {
            needs = needs.and(eval::field_names(expr));
        }
        if let Some(expr) = &self.options.after {
            let names = eval::field_names(expr);
            needs = needs.and(names.iter().filter(|name| !results.contains(&name.as_str())));
        }
        if matches!(self.options.window, Window::Seconds { .. }) {
            needs.fields.add(fields::TIME);
        }
        needs
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        let mut names = before?;
        names.extend(aggregate::output_names(&self.arguments.aggregates)?);
        Some(names)
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        let mut names: IndexSet<String> = input.names().into_iter().collect();
        let by = aggregate::names(&self.arguments.by);
        let written = &self.arguments.aggregates;
        let preparation = aggregate::prepare(input, written, &by, self.options.grouping, stage)?;
        let aggregates = preparation.aggregates;
        for aggregate in &aggregates {
            names.insert(aggregate.output.clone());
        }
        let names: Vec<String> = names.into_iter().collect();
        let resets = self.resets(&preparation.plan, &aggregates, stage)?;
        let plan = preparation.plan.forgetting(aggregates.iter().map(|made| made.output.as_str()));
        let operator = StreamStatistics {
            aggregates: aggregates.clone(),
            by,
            window: self.options.window,
            with_current: self.options.with_current,
            resets,
        };
        let plan = aggregate::cut_lists(plan.operator(Arc::new(operator)), &aggregates, stage);
        plan.select(&names).map_err(|error| stage.refused(error))
    }

    fn trace(&self, lineage: &mut Lineage) {
        lineage.measure(aggregate::outputs(&self.arguments.aggregates));
    }
}
