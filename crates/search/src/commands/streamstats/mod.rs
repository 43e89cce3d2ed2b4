//! `streamstats`: running statistics, row by row.

mod operator;
mod window;

use std::sync::Arc;

use async_trait::async_trait;
use indexmap::IndexSet;
use spilltrail_diagnostic::{Code, Diagnostic, Spanned};
use spilltrail_event::{Field, fields};
use spilltrail_spl::time::{self, Unit};
use spilltrail_spl::{Arguments, EvalExpr, StatsArguments, parse_eval};

use self::operator::{Resets, StreamStatistics, Window};
use self::window::MAX_WINDOW;
use super::{Command, CommandDoc, CommandKind, Entry, Example, Stage, options};
use crate::planning::aggregate::{self, Grouping};
use crate::planning::eval;
use crate::planning::plan::{Needs, Plan};
use crate::rows::bins;
use crate::stats::PlannedAggregate;

static DOC: CommandDoc = CommandDoc {
    name: "streamstats",
    aliases: &[],
    kind: CommandKind::CentralizedStreaming,
    summary: "Adds to every row the statistics of the rows up to it.",
    syntax: "streamstats [current=<bool>] [window=<int>] [global=<bool>] [time_window=<span>] [allnum=<bool>] [reset_on_change=<bool>] [reset_before=(<expr>)] [reset_after=(<expr>)] <function>(<field>|eval(<expr>)) [AS <name>] … [BY <field> …]",
    arguments: &[
        ("current", "Whether the row itself counts. Default true."),
        (
            "window",
            "How many rows count, the row itself included, at most 10,000; 0 for all. Default 0.",
        ),
        (
            "global",
            "With a window and BY: whether the window is of all rows (true) or of each group. Default true.",
        ),
        (
            "time_window",
            "Only rows less than this away in time count; rows must be in order of `_time`.",
        ),
        ("allnum", "If true, one value that is no number suppresses the statistic."),
        ("reset_on_change", "If true, everything starts anew when the BY fields change."),
        ("reset_before", "Everything starts anew before a row for which this holds."),
        (
            "reset_after",
            "Everything starts anew after a row for which this holds; it may use the results.",
        ),
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
            title: "The value of the row before, for each user",
            events: r#"{"user":"ann","ip":"10.0.0.1"}
{"user":"bob","ip":"10.0.0.9"}
{"user":"ann","ip":"10.0.0.2"}"#,
            search: "| streamstats current=f window=1 global=f last(ip) as before by user",
            results: r#"{"user":"ann","ip":"10.0.0.1"}
{"user":"bob","ip":"10.0.0.9"}
{"user":"ann","ip":"10.0.0.2","before":"10.0.0.1"}"#,
        },
        Example {
            title: "Counting anew after each success",
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
        "A row exactly as old as `time_window` no longer counts.",
        "A row with a multivalue BY field counts for the group of each value and gets what the group of its first value has.",
        "`time_window` takes no months, quarters and years.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct StreamStats {
    arguments: StatsArguments,
    options: Written,
}

/// The options as they are written.
#[derive(Debug, Default)]
struct Written {
    grouping: Grouping,
    without_current: bool,
    window: usize,
    is_each_group: bool,
    seconds: Option<f64>,
    on_change: bool,
    before: Option<EvalExpr>,
    after: Option<EvalExpr>,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut options = Written::default();
    options.take(arguments)?;
    let mut parsed = arguments.stats()?;
    options.take(arguments)?;
    if parsed.by.is_empty() && arguments.keyword("by").is_some() {
        parsed.by = arguments.fields()?;
        options.take(arguments)?;
    }
    arguments.finish()?;
    if options.window > 0 && options.seconds.is_some() {
        let message = "`window` and `time_window` exclude each other";
        return Err(Diagnostic::error(Code::BAD_OPTION, message).at(arguments.span()));
    }
    Ok(Box::new(StreamStats { arguments: parsed, options }))
}

impl Written {
    fn take(&mut self, arguments: &mut Arguments<'_>) -> Result<(), Diagnostic> {
        while let Some((name, value)) = arguments.any_option() {
            match name.value.to_ascii_lowercase().as_str() {
                "current" => self.without_current = !options::boolean(&value)?,
                "window" => self.window = window(&value)?,
                "global" => self.is_each_group = !options::boolean(&value)?,
                "time_window" => self.seconds = Some(seconds(&value)?),
                "allnum" => self.grouping.all_numbers = options::boolean(&value)?,
                "reset_on_change" => self.on_change = options::boolean(&value)?,
                "reset_before" => self.before = Some(condition(value, arguments)?),
                "reset_after" => self.after = Some(condition(value, arguments)?),
                _ => return Err(options::unknown("streamstats", &name)),
            }
            arguments.symbol(",");
        }
        Ok(())
    }

    fn window(&self) -> Window {
        match (self.window, self.seconds) {
            (_, Some(seconds)) => Window::Seconds(seconds),
            (0, None) => Window::All,
            (count, None) => Window::Rows { count, is_global: !self.is_each_group },
        }
    }
}

/// Reads a number of rows. Splunk's default limit holds, because each row costs as much as its window.
fn window(value: &Spanned<String>) -> Result<usize, Diagnostic> {
    let count = options::count(value)?;
    if count > MAX_WINDOW {
        let message = format!("`window` may have at most {MAX_WINDOW} rows, found {count}");
        return Err(Diagnostic::error(Code::BAD_OPTION, message)
            .at(value.span)
            .help("without `window`, all rows so far count"));
    }
    Ok(count)
}

fn seconds(value: &Spanned<String>) -> Result<f64, Diagnostic> {
    match time::parse_span(&value.value) {
        Some(span) if !matches!(span.unit, Unit::Month | Unit::Quarter | Unit::Year) => {
            Ok(bins::seconds(span))
        }
        _ => Err(Diagnostic::error(
            Code::BAD_OPTION,
            format!("expected a span of seconds to weeks, found `{}`", value.value),
        )
        .at(value.span)
        .help("for example `time_window=5m`")),
    }
}

/// Reads a condition: `(expr)`, `"(expr)"`, or `"("expr")"` as Splunk's documentation prints it.
fn condition(
    value: Spanned<String>,
    arguments: &mut Arguments<'_>,
) -> Result<EvalExpr, Diagnostic> {
    let text = if value.value == "(" {
        let rest = arguments.until("\")\"").ok_or_else(|| {
            Diagnostic::error(Code::UNBALANCED, "this condition is never closed").at(value.span)
        })?;
        rest.value.replace("\\\"", "\"")
    } else {
        value.value
    };
    parse_eval(&text).map_err(|diagnostic| {
        // Its places are places in the condition alone.
        Diagnostic { labels: Vec::new(), ..diagnostic }.at(value.span)
    })
}

impl StreamStats {
    /// Compiles the conditions; the one for after a row sees its results.
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
            Ok::<_, Diagnostic>(Arc::new(compiled))
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
        if self.options.seconds.is_some() {
            needs.fields.add(fields::TIME);
        }
        needs
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
        let operator = StreamStatistics {
            aggregates,
            by,
            window: self.options.window(),
            with_current: !self.options.without_current,
            resets,
        };
        preparation
            .plan
            .operator(Arc::new(operator))
            .select(&names)
            .map_err(|error| stage.refused(error))
    }
}
