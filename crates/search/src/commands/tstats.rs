//! `tstats`: statistics over indexed fields, straight from the source of events.

use std::sync::Arc;

use async_trait::async_trait;
use spilltrail_diagnostic::{Code, Diagnostic, Span, Spanned};
use spilltrail_event::{Demand, fields};
use spilltrail_spl::{Aggregate, AggregateArgument, Arguments, SearchExpr, time};

use super::subsearch;
use super::{
    Command, CommandDoc, CommandKind, Entry, Example, Stage, fillnull, options, search, stats,
};
use crate::operators::{RangeBins, Whole};
use crate::planning::aggregate::{self, Grouping};
use crate::planning::plan::{Needs, Plan, column};
use crate::planning::predicate::Position;
use crate::rows::bins::{TimeBins, time_step};
use crate::rows::mapped::mapped;

/// Bins of `_time` at most when no span is given (limits.conf, `[discretize] default_time_bins`).
const DEFAULT_BINS: usize = 100;

static DOC: CommandDoc = CommandDoc {
    name: "tstats",
    aliases: &[],
    kind: CommandKind::Generating,
    summary: "Computes statistics over indexed fields of the events that a search finds.",
    syntax: "tstats [<option>=<value>] … <function>(<field>) [AS <name>] … [WHERE <search>] [BY <field>|_time [span=<span>] …] [fillnull_value=<text>]",
    arguments: &[
        ("WHERE", "Which events, as `search` writes it."),
        ("span", "The width of the bins of `_time`."),
        (
            "fillnull_value",
            "What stands for an absent BY field; without it such events are left out.",
        ),
        (
            "summariesonly, allow_old_summaries, local, chunk_size, include_reduced_buckets",
            "Taken and without effect: there are no summaries.",
        ),
        ("prestats, append", "Only `false`."),
    ],
    examples: &[
        Example {
            title: "Events by source type",
            events: r#"{"_time":10,"sourcetype":"aws:cloudtrail"}
{"_time":20,"sourcetype":"aws:cloudtrail"}
{"_time":30,"sourcetype":"other"}"#,
            search: "| tstats count where sourcetype=aws* by sourcetype",
            results: r#"{"sourcetype":"aws:cloudtrail","count":2}"#,
        },
        Example {
            title: "Events per hour",
            events: r#"{"_time":10,"host":"a"}
{"_time":20,"host":"b"}
{"_time":3700,"host":"a"}"#,
            search: "| tstats count dc(host) as hosts by _time span=1h",
            results: r#"{"_time":0,"count":2,"hosts":2}
{"_time":3600,"count":1,"hosts":1}"#,
        },
    ],
    differs: &[
        "Data models and `PREFIX()` are not supported.",
        "Without a span, `_time` gets the shortest span that gives at most 100 bins.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct Tstats {
    aggregates: Vec<Aggregate>,
    condition: SearchExpr,
    by: Vec<Spanned<String>>,
    span: Option<time::Span>,
    fill: Option<String>,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    const CLAUSES: [&str; 4] = ["from", "where", "by", "groupby"];
    let mut tstats = Tstats {
        aggregates: Vec::new(),
        condition: SearchExpr::All,
        by: Vec::new(),
        span: None,
        fill: None,
    };
    tstats.take_options(arguments)?;
    tstats.aggregates = arguments.aggregates_until(&CLAUSES)?;
    tstats.take_options(arguments)?;
    if let Some(span) = arguments.keyword("from") {
        return Err(from(arguments, span));
    }
    if arguments.keyword("where").is_some() {
        tstats.condition = arguments.search_until(&["by", "groupby"])?;
    }
    if arguments.keyword("by").or_else(|| arguments.keyword("groupby")).is_some() {
        while !arguments.is_empty() {
            if let Some(span) = arguments.option("span") {
                tstats.span = Some(time::parse_span(&span.value).ok_or_else(|| bad_span(&span))?);
            } else if arguments.clone().any_option().is_some() {
                tstats.take_options(arguments)?;
            } else {
                tstats.by.extend(arguments.fields()?);
            }
            arguments.symbol(",");
        }
    }
    arguments.finish()?;
    tstats.check()?;
    Ok(Box::new(tstats))
}

fn from(arguments: &mut Arguments<'_>, span: Span) -> Diagnostic {
    let (what, place) = match arguments.any_option() {
        Some((name, value)) => {
            (format!("{} `{}`", name.value, value.value), name.span.to(value.span))
        }
        None => ("this source".to_owned(), arguments.word().map_or(span, |word| word.span)),
    };
    let kind = if what.starts_with("datamodel") { "the " } else { "" };
    Diagnostic::unsupported(
        Code::UNSUPPORTED_OPTION,
        format!("`tstats` from {kind}{what} is not supported"),
    )
    .at(place)
    .help("search the events themselves, for example `sourcetype=aws:cloudtrail | stats count`")
}

fn bad_span(span: &Spanned<String>) -> Diagnostic {
    Diagnostic::error(Code::BAD_OPTION, format!("`{}` is not a span of time", span.value))
        .at(span.span)
        .help("examples: `10m`, `1d`")
}

impl Tstats {
    fn take_options(&mut self, arguments: &mut Arguments<'_>) -> Result<(), Diagnostic> {
        while let Some((name, value)) = arguments.any_option() {
            match name.value.to_ascii_lowercase().as_str() {
                "summariesonly" | "allow_old_summaries" | "local" | "include_reduced_buckets" => {
                    options::boolean(&value)?;
                }
                "chunk_size" => {
                    options::count(&value)?;
                }
                "fillnull_value" => self.fill = Some(value.value),
                "prestats" | "append" => {
                    if options::boolean(&value)? {
                        return Err(Diagnostic::unsupported(
                            Code::UNSUPPORTED_OPTION,
                            format!("`{}=true` is not supported", name.value),
                        )
                        .at(name.span.to(value.span))
                        .help("use the results without a second `stats`"));
                    }
                }
                _ => return Err(options::unknown("tstats", &name)),
            }
        }
        Ok(())
    }

    /// Checks what `tstats` takes less of than `stats` (Search Reference, `tstats`).
    fn check(&self) -> Result<(), Diagnostic> {
        for aggregate in &self.aggregates {
            let bad = |message: String| {
                Err(Diagnostic::error(Code::BAD_ARGUMENT, message).at(aggregate.function.span))
            };
            match &aggregate.argument {
                None if !matches!(aggregate.function.value.as_str(), "count" | "c") => {
                    return bad(format!("`{}` needs a field", aggregate.function.value));
                }
                Some(AggregateArgument::Eval(_)) => {
                    return bad("`tstats` takes no expressions".to_owned());
                }
                Some(AggregateArgument::Field(field)) if field.value.contains('*') => {
                    return bad("`tstats` takes no wildcards in functions".to_owned());
                }
                _ => {}
            }
        }
        for field in &self.by {
            if field.value.to_ascii_lowercase().starts_with("prefix(") {
                let message = "`PREFIX()` is not supported";
                return Err(
                    Diagnostic::unsupported(Code::UNSUPPORTED_FUNCTION, message).at(field.span)
                );
            }
            if field.value.contains('*') {
                let message = "`tstats` takes no wildcards after BY";
                return Err(Diagnostic::error(Code::BAD_ARGUMENT, message).at(field.span));
            }
        }
        Ok(())
    }

    /// Returns every field that is read, where it is written.
    fn read_fields(&self) -> Vec<Spanned<String>> {
        let mut read = self.by.clone();
        for aggregate in &self.aggregates {
            if let Some(AggregateArgument::Field(field)) = &aggregate.argument {
                read.push(field.clone());
            }
        }
        compared(&self.condition, &mut read);
        read
    }

    fn check_indexed(&self, stage: &Stage<'_>) -> Result<(), Diagnostic> {
        let Some(indexed) = stage.context.events.indexed_fields() else { return Ok(()) };
        for field in self.read_fields() {
            if field.value != fields::TIME && !indexed.contains(&field.value) {
                return Err(Diagnostic::unsupported(
                    Code::UNSUPPORTED_OPTION,
                    format!(
                        "the field `{}` is not indexed, and `tstats` reads no other",
                        field.value
                    ),
                )
                .at(field.span)
                .help("use a search with `stats`"));
            }
        }
        Ok(())
    }

    fn binned(&self, plan: Plan, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let Some(kind) = plan.kind(fields::TIME) else { return Ok(plan) };
        if !self.by.iter().any(|field| field.value == fields::TIME) {
            return Ok(plan);
        }
        let zone = stage.context.zone.clone();
        let range = stage.context.range;
        let span = self.span.or_else(|| {
            range
                .earliest
                .zip(range.latest)
                .map(|(earliest, latest)| time_step(earliest, latest, DEFAULT_BINS, 0.0))
        });
        let Some(span) = span else {
            return Ok(plan.operator(Arc::new(RangeBins {
                column: fields::TIME.to_owned(),
                output: fields::TIME.to_owned(),
                count: DEFAULT_BINS,
                minimum: 0.0,
                start: None,
                end: None,
                zone: Some(zone),
            })));
        };
        let bins = mapped(TimeBins::new(span, zone), column(fields::TIME));
        plan.with_columns(vec![(fields::TIME.to_owned(), bins, kind)])
            .map_err(|error| stage.refused(error))
    }

    fn filled(&self, plan: Plan, by: &[String], stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let Some(fill) = &self.fill else { return Ok(plan) };
        let columns = by
            .iter()
            .filter(|name| *name != fields::TIME)
            .map(|name| {
                let (expr, kind) =
                    fillnull::filled(&plan, name, fill).map_err(|error| stage.refused(error))?;
                Ok((name.clone(), expr, kind))
            })
            .collect::<Result<Vec<_>, Diagnostic>>()?;
        plan.with_columns(columns).map_err(|error| stage.refused(error))
    }
}

/// Adds the fields that a condition compares.
fn compared(condition: &SearchExpr, read: &mut Vec<Spanned<String>>) {
    condition.walk(&mut |part| {
        if let SearchExpr::Compare { field, .. } | SearchExpr::In { field, .. } = part {
            read.push(field.clone());
        }
    });
}

#[async_trait]
impl Command for Tstats {
    fn needs(&self, _: Needs) -> Needs {
        Needs { fields: Demand::default(), order: false }
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        stage.must_be_first(input.as_ref())?;
        self.check_indexed(stage)?;
        let by = aggregate::names(&self.by);
        let needs = aggregate::needs(&self.aggregates, &by);
        let predicate =
            subsearch::predicate(&self.condition, Position::Leading, stage.context).await?;
        let scanning = Stage { context: stage.context, after: &needs, span: stage.span };
        let plan = search::find(predicate, &scanning).await?;
        let plan = self.binned(plan, stage)?;
        let plan = self.filled(plan, &by, stage)?;
        let grouping = Grouping::default();
        let preparation = aggregate::prepare(plan, &self.aggregates, &by, grouping, stage)?;
        stats::grouped(preparation, &by, Whole::Members, stage)
    }
}
