//! `tstats`: computes statistics over indexed fields, directly from the source of events.

mod prefix;

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::common::Result as EngineResult;
use datafusion::logical_expr::{Expr, lit};
use spilltrail_diagnostic::{Code, Diagnostic, Span, Spanned};
use spilltrail_event::{Demand, Kind, fields};
use spilltrail_spl::{Aggregate, AggregateArgument, Arguments, SearchExpr, time};

pub(super) use self::prefix::FUNCTION;
use self::prefix::TermsAfter;
use super::dataset::{self, DatasetName, Naming, Reading};
use super::stats::Key;
use super::subsearch;
use super::{
    Argument, Command, CommandDoc, CommandKind, Entry, Example, Parts, Stage, Takes, fillnull,
    search, stats,
};
use crate::context::SearchContext;
use crate::lineage::Lineage;
use crate::operators::{Append, RangeBins, Whole};
use crate::planning::aggregate::{self, Grouping};
use crate::planning::facts::Facts;
use crate::planning::plan::{Needs, Plan, column};
use crate::planning::predicate::Position;
use crate::rows::bins::{TimeBins, time_step};
use crate::rows::mapped::mapped;

/// The maximum number of `_time` bins if no span is given (limits.conf, `[discretize]
/// default_time_bins`).
const DEFAULT_BINS: usize = 100;

/// The reason reported for options about summaries, which have no effect.
const NO_SUMMARIES: &str = "there are no summaries, events are read";

/// The option with the value of BY fields that are missing.
pub(super) const FILLNULL_VALUE: Argument = Argument::option("fillnull_value", Takes::Text)
    .doc("The value for a missing BY field. Without it, such events are not counted.");

/// The column with the bins of `_time`, beside the times that functions read.
const BIN: &str = "\u{1}time";

/// Functions of which the result depends on the times of events.
const OF_TIME: [&str; 5] = ["latest", "earliest", "latest_time", "earliest_time", "rate"];

/// The field that each row has with `prestats=true`: how many events are behind the row.
pub(super) const EVENTS_BEHIND: &str = "psrsvd_gc";

static DOC: CommandDoc = CommandDoc {
    name: "tstats",
    aliases: &[],
    kind: CommandKind::Generating,
    summary: "Compute statistics over indexed fields, or over the fields of a data model.",
    syntax: "tstats [prestats=<bool>] [append=<bool>] [fillnull_value=<text>] [summariesonly=<bool>] [allow_old_summaries=<bool>] [use_summary_index_values=<bool>] [include_reduced_buckets=<bool>] [local=<bool>] [chunk_size=<int>] <function>(<field>) [AS <name>] … [FROM <data model>] [WHERE <search>] [BY <field>|_time [span=<span>] …]",
    arguments: &[
        FILLNULL_VALUE,
        Argument::option("prestats", Takes::Bool)
            .default("false")
            .doc("Whether to prepare the results for a later `stats`, `chart` or `timechart`."),
        Argument::option("append", Takes::Bool)
            .default("false")
            .doc("With `prestats`: whether to append to the results."),
        Argument::option("summariesonly", Takes::Bool)
            .default("false")
            .no_effect(NO_SUMMARIES)
            .doc("Whether to read only summaries."),
        Argument::option("allow_old_summaries", Takes::Bool)
            .default("false")
            .doc("Whether to read summaries of an older data model. There are none, so that both values read the same events."),
        Argument::option("use_summary_index_values", Takes::Bool)
            .default("false")
            .no_effect(NO_SUMMARIES)
            .doc("Whether to use index-time values of summaries."),
        Argument::option("include_reduced_buckets", Takes::Bool)
            .default("false")
            .no_effect("there are no reduced buckets")
            .doc("Whether to read reduced buckets."),
        Argument::option("local", Takes::Bool)
            .default("false")
            .no_effect("a search runs on one machine")
            .doc("Whether to run on the search head."),
        Argument::option("chunk_size", Takes::Count)
            .default("10000000")
            .no_effect("memory is bounded by `--memory-limit`")
            .doc("The number of events to read at a time."),
        Argument::positional("function", Takes::Statistics)
            .doc("Statistics of fields, each with an optional name after `AS`. `PREFIX(x=)` in place of a field stands for what follows `x=` in the terms of events."),
        Argument::keyword("FROM", Takes::Text).doc(
            "The data model and dataset to read, as `datamodel=Change.All_Changes`. Its fields are named with the dataset that has them, as in `All_Changes.user`.",
        ),
        Argument::keyword("WHERE", Takes::Search)
            .doc("Which events to read, as a search expression."),
        Argument::keyword("BY", Takes::Fields).doc(
            "The fields to group by. `PREFIX(x=)` groups by what follows `x=` in the terms of events, in lower case; the field is named `x=`.",
        ),
        Argument::option("span", Takes::Span).doc("After `BY _time`: the width of the time bins."),
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
        Example {
            title: "Changes by user, from a data model",
            events: r#"{"_time":10,"tag":"change","user":"ann","action":"created"}
{"_time":20,"tag":"change","user":"ann","action":"deleted"}
{"_time":30,"tag":"change","action":"created"}
{"_time":40,"user":"bob"}"#,
            search: "| tstats count from datamodel=Change where All_Changes.action=created by All_Changes.user | `drop_dm_object_name(All_Changes)`",
            results: r#"{"user":"ann","count":1}
{"user":"unknown","count":1}"#,
        },
        Example {
            title: "Rows that `timechart` finishes",
            events: r#"{"_time":10,"host":"a"}
{"_time":20,"host":"b"}
{"_time":3700,"host":"a"}"#,
            search: "| tstats prestats=true count by _time span=1h host | timechart span=1h count by host",
            results: r#"{"_time":0,"a":1,"b":1}
{"_time":3600,"a":1,"b":0}"#,
        },
        Example {
            title: "The values of a prefix in the text of events",
            events: r#"{"_time":10,"_raw":"group=queue kb=10"}
{"_time":20,"_raw":"group=queue kb=4"}
{"_time":30,"_raw":"group=Parse"}
{"_time":40,"_raw":"none"}"#,
            search: "| tstats count sum(PREFIX(kb=)) as kb by PREFIX(group=)",
            results: r#"{"group=":"parse","count":1}
{"group=":"queue","count":2,"kb":14}"#,
        },
    ],
    differs: &[
        "With `prestats=true`, there is a row for each event, and not for each group. A later `stats`, `chart` or `timechart` gives the same. Functions that read the times of events, such as `latest`, are refused then.",
        "A data model is read from the events themselves, never from summaries.",
        "`nodename` is a condition in `WHERE`, and no field to group by.",
        "Without a span, `_time` is grouped by the shortest span that makes at most 100 bins.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct Tstats {
    aggregates: Vec<Aggregate>,
    dataset: Option<DatasetName>,
    condition: SearchExpr,
    by: Vec<Spanned<String>>,
    span: Option<time::Span>,
    fill: Option<String>,
    /// The prefixes whose terms are read as fields of the same names.
    prefixes: Vec<String>,
    is_for_stats: bool,
    appends: bool,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    const CLAUSES: [&str; 4] = ["from", "where", "by", "groupby"];
    arguments.options();
    let mut aggregates = arguments.aggregates_until(&CLAUSES)?;
    // Options may stand between the aggregations, too.
    while arguments.more() && !CLAUSES.iter().any(|word| arguments.peek_keyword(word)) {
        aggregates.extend(arguments.aggregates_until(&CLAUSES)?);
    }
    let dataset = match arguments.keyword("from") {
        Some(span) => Some(from(arguments, span)?),
        None => None,
    };
    arguments.options();
    let condition = match arguments.keyword("where") {
        Some(span) => {
            let is_missing = arguments.is_empty()
                || ["by", "groupby"].iter().any(|word| arguments.peek_keyword(word));
            if is_missing {
                return Err(Diagnostic::error(
                    Code::MISSING_ARGUMENT,
                    "expected a condition after `WHERE`",
                )
                .at(span));
            }
            arguments.search_until(&["by", "groupby"])?
        }
        None => SearchExpr::All,
    };
    let mut by = Vec::new();
    if let Some(span) = arguments.keyword("by").or_else(|| arguments.keyword("groupby")) {
        while arguments.more() {
            by.extend(arguments.fields()?);
        }
        if by.is_empty() {
            return Err(
                Diagnostic::error(Code::MISSING_ARGUMENT, "expected a field after `BY`").at(span)
            );
        }
    }
    arguments.finish()?;
    if !by.iter().any(|field| field.value == fields::TIME) {
        arguments.without_effect("span", "`_time` is not among the BY fields");
    }
    if by.is_empty() {
        arguments.without_effect("fillnull_value", "there are no BY fields");
    }
    let prefixes = prefix::taken(&mut aggregates, &mut by, arguments);
    let is_for_stats: bool = arguments.value("prestats");
    if !is_for_stats && arguments.value("append") {
        let message = "`append` needs `prestats=true`";
        let place = arguments.given_at("append").unwrap_or_else(|| arguments.span());
        arguments.report(
            Diagnostic::error(Code::BAD_OPTION, message)
                .at(place)
                .help("without it, use `append [| tstats …]`"),
        );
    }
    let tstats = Tstats {
        prefixes,
        is_for_stats,
        appends: arguments.value("append"),
        aggregates,
        dataset,
        condition,
        by,
        span: arguments.given("span").map(|span| span.value),
        fill: arguments.given("fillnull_value").map(|fill| fill.value),
    };
    aggregate::check(&tstats.aggregates, &tstats.by, arguments);
    tstats.check(arguments);
    Ok(Box::new(tstats))
}

/// Reads the data model after `FROM`.
fn from(arguments: &mut Arguments<'_>, span: Span) -> Result<DatasetName, Diagnostic> {
    let (what, place) = match arguments.any_option() {
        Some((name, value)) if name.value.eq_ignore_ascii_case("datamodel") => {
            if value.value.is_empty() {
                return Err(Diagnostic::error(Code::MISSING_ARGUMENT, "expected a data model")
                    .at(name.span)
                    .help("for example `from datamodel=Change.All_Changes`"));
            }
            return Ok(DatasetName::new(&value));
        }
        Some((name, value)) => {
            (format!("{} `{}`", name.value, value.value), name.span.to(value.span))
        }
        None => ("this source".to_owned(), arguments.word().map_or(span, |word| word.span)),
    };
    Err(Diagnostic::unsupported(
        Code::UNSUPPORTED_OPTION,
        format!("`tstats` from {what} is not supported"),
    )
    .at(place)
    .help("name a data model, as `from datamodel=Change`, or leave it out to read events"))
}

impl Tstats {
    /// Reports arguments that `stats` accepts and `tstats` does not (Search Reference, `tstats`).
    fn check(&self, arguments: &mut Arguments<'_>) {
        for aggregate in &self.aggregates {
            if self.is_for_stats && aggregate.renamed {
                let message = format!("`AS {}` has no effect here", aggregate.output.value);
                arguments.report(
                    Diagnostic::warning(Code::NO_EFFECT, message)
                        .at(aggregate.output.span)
                        .help("with `prestats=true`, the later command names its results"),
                );
            }
            let message = match &aggregate.argument {
                None if !matches!(aggregate.function.value.as_str(), "count" | "c") => {
                    format!("`{}` needs a field", aggregate.function.value)
                }
                Some(AggregateArgument::Eval(_)) => "`tstats` takes no expressions".to_owned(),
                Some(AggregateArgument::Field(field)) if field.value.contains('*') => {
                    "`tstats` takes no wildcards in functions".to_owned()
                }
                _ if self.is_for_stats && needs_times(aggregate, &self.by) => {
                    let message = "with `prestats=true`, the rows have no times of events";
                    let unsupported = Diagnostic::unsupported(Code::UNSUPPORTED_OPTION, message);
                    arguments.report(
                        unsupported.at(aggregate.function.span).help("leave `prestats` out"),
                    );
                    continue;
                }
                _ => continue,
            };
            let diagnostic = Diagnostic::error(Code::BAD_ARGUMENT, message);
            arguments.report(diagnostic.at(aggregate.function.span));
        }
        if self.dataset.is_some() && !self.prefixes.is_empty() {
            let message = "`PREFIX()` reads the text of events, and no data model";
            let place = self.by.iter().find(|field| self.prefixes.contains(&field.value));
            let place = place.map_or(arguments.span(), |field| field.span);
            arguments.report(Diagnostic::error(Code::BAD_ARGUMENT, message).at(place));
        }
    }

    /// Returns all fields that the command reads, with their positions in the search.
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
        if self.dataset.is_some() {
            return Ok(());
        }
        let Some(indexed) = stage.context.events.indexed_fields() else { return Ok(()) };
        for field in self.read_fields() {
            let is_read = field.value == fields::TIME || self.prefixes.contains(&field.value);
            if !is_read && !indexed.contains(&field.value) {
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

    /// Adds the bins of `_time` if they are grouped by.
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
        // Without a time range, the span is chosen from the times of the events.
        let Some(span) = span else {
            return Ok(plan.operator(Arc::new(RangeBins {
                column: fields::TIME.to_owned(),
                output: BIN.to_owned(),
                count: DEFAULT_BINS,
                minimum: 0.0,
                start: None,
                end: None,
                zone: Some(zone),
            })));
        };
        let bins = mapped(TimeBins::new(span, zone), column(fields::TIME));
        plan.with_columns(vec![(BIN.to_owned(), bins, kind)]).map_err(|error| stage.refused(error))
    }
}

/// Returns true if a function reads the times of events, which are replaced by bins where they are
/// grouped by.
fn needs_times(aggregate: &Aggregate, by: &[Spanned<String>]) -> bool {
    let is_time = |field: &Spanned<String>| field.value == fields::TIME;
    let reads_bins = match &aggregate.argument {
        Some(AggregateArgument::Field(field)) => is_time(field) && by.iter().any(is_time),
        _ => false,
    };
    let function = aggregate.function.value.as_str();
    reads_bins || OF_TIME.contains(&function) || function == "sparkline"
}

impl Tstats {
    /// Returns what the command needs of events.
    fn read_needs(&self, by: &[String]) -> Needs {
        let needs = aggregate::needs(&self.aggregates, by);
        if self.prefixes.is_empty() {
            return needs;
        }
        needs.without(&self.prefixes).and([fields::RAW])
    }

    /// Adds the fields that have the terms of prefixes.
    fn with_prefixes(&self, plan: Plan) -> EngineResult<Plan> {
        if plan.kind(fields::RAW).is_none() {
            return Ok(plan);
        }
        let terms = |prefix: &String| {
            (prefix.clone(), mapped(TermsAfter::new(prefix), column(fields::RAW)), Kind::Multi)
        };
        plan.with_columns(self.prefixes.iter().map(terms).collect())
    }

    /// Returns the rows from which a later command of the stats family computes what it is asked for: one
    /// for each event that has the BY fields.
    fn rows_for_stats(&self, plan: Plan, by: &[String]) -> EngineResult<Plan> {
        let mut names = by.to_vec();
        for aggregate in &self.aggregates {
            if let Some(AggregateArgument::Field(field)) = &aggregate.argument
                && !names.contains(&field.value)
            {
                names.push(field.value.clone());
            }
        }
        let mut plan = plan;
        let source = |name: &str| if name == fields::TIME { BIN } else { name }.to_owned();
        for name in by {
            let name = source(name);
            plan = match plan.kind(&name) {
                Some(_) => plan.filter(column(&name).is_not_null())?,
                None => plan.filter(lit(false))?,
            };
        }
        let mut columns: Vec<(String, Expr, Kind)> = names
            .into_iter()
            .filter_map(|name| {
                let read = if by.contains(&name) { source(&name) } else { name.clone() };
                let kind = plan.kind(&read)?;
                Some((name, column(&read), kind))
            })
            .collect();
        columns.push((EVENTS_BEHIND.to_owned(), lit(1.0), Kind::Number));
        plan.project(columns)
    }
}

/// Returns the key for a BY field: `_time` is grouped by its bins.
fn key(field: &str) -> Key {
    let column = if field == fields::TIME { BIN } else { field };
    Key { column: column.to_owned(), ..Key::of(field) }
}

/// Appends the fields that a condition compares to `read`.
fn compared(condition: &SearchExpr, read: &mut Vec<Spanned<String>>) {
    condition.walk(&mut |part| {
        if let SearchExpr::Compare { field, .. } | SearchExpr::In { field, .. } = part {
            read.push(field.clone());
        }
    });
}

#[async_trait]
impl Command for Tstats {
    fn parts(&self) -> Parts<'_> {
        Parts { searches: vec![&self.condition], ..Parts::default() }
    }

    fn needs(&self, after: Needs) -> Needs {
        if self.appends { after } else { Needs { fields: Demand::default(), order: false } }
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        let mut names = if self.appends { before? } else { Vec::new() };
        names.extend(aggregate::names(&self.by));
        if !self.is_for_stats {
            names.extend(aggregate::outputs(&self.aggregates));
            return Some(names);
        }
        let arguments = self.aggregates.iter().filter_map(|aggregate| match &aggregate.argument {
            Some(AggregateArgument::Field(field)) => Some(field.value.clone()),
            _ => None,
        });
        names.extend(arguments);
        names.push(EVENTS_BEHIND.to_owned());
        Some(names)
    }

    fn picks(&self) -> Option<Cow<'_, SearchExpr>> {
        self.dataset.is_none().then_some(Cow::Borrowed(&self.condition))
    }

    fn facts(&self, facts: &mut Facts) {
        match &self.dataset {
            // Its conditions are about fields of the model, and not of events.
            Some(name) => {
                name.add_facts(facts);
                facts.bounds(&self.condition);
            }
            None => {
                facts.reads_logs = true;
                facts.search(&self.condition, Position::Leading);
            }
        }
    }

    fn check(&self, context: &SearchContext) -> Vec<Diagnostic> {
        let Some(name) = &self.dataset else { return Vec::new() };
        match name.scope(&context.knowledge) {
            Err(diagnostic) => vec![diagnostic],
            Ok(scope) => {
                let mut wrong = dataset::unknown_fields(&scope, &self.read_fields());
                let node = self.by.iter().find(|field| field.value == dataset::NODE);
                wrong.extend(node.map(|field| {
                    let message = "`nodename` cannot be grouped by";
                    Diagnostic::unsupported(Code::UNSUPPORTED_OPTION, message)
                        .at(field.span)
                        .help("name the dataset in `from datamodel=`")
                }));
                wrong
            }
        }
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        if !self.appends {
            stage.must_be_first(input.as_ref())?;
        }
        self.check_indexed(stage)?;
        let by = aggregate::names(&self.by);
        let needs = self.read_needs(&by);
        let predicate =
            subsearch::predicate(&self.condition, Position::Leading, stage.context).await?;
        let scanning = Stage { context: stage.context, after: &needs, span: stage.span };
        let plan = match &self.dataset {
            Some(name) => {
                let scope = &name.scope(&stage.context.knowledge)?;
                let naming = Naming::Qualified;
                let condition = predicate;
                let reading =
                    Reading { scope, naming, condition, with_others: false, place: name.place() };
                reading.plan(&scanning).await?
            }
            None => search::find(predicate, &scanning).await?,
        };
        let refused = |error| stage.refused(error);
        let plan = self.with_prefixes(plan).map_err(refused)?;
        let plan = self.binned(plan, stage)?;
        let plan = fillnull::in_groups(plan, &by, self.fill.as_deref()).map_err(refused)?;
        if self.is_for_stats {
            let plan = self.rows_for_stats(plan, &by).map_err(refused)?;
            let Some(input) = input else { return Ok(plan) };
            let rows = subsearch::collect(plan, stage.context, None).await.map_err(refused)?;
            return Append::on(input, rows).map_err(refused);
        }
        let grouping = Grouping::default();
        let preparation =
            stats::sparklines::prepared(plan, &self.aggregates, &by, grouping, stage).await?;
        stats::grouped(preparation, by.iter().map(|field| key(field)), Whole::Members, stage)
    }

    fn trace(&self, lineage: &mut Lineage) {
        lineage.group(aggregate::names(&self.by), aggregate::measures(&self.aggregates));
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use crate::testing::table;

    const ROWS: &str = "{\"_time\":10,\"host\":\"a\",\"n\":\"1\",\"_raw\":\"x=1 y=a\"}\n\
        {\"_time\":20,\"host\":\"b\",\"n\":\"3\",\"_raw\":\"x=1 x=2\"}\n\
        {\"_time\":3700,\"host\":\"a\",\"_raw\":\"X=1\"}\n\
        {\"_time\":3800,\"_raw\":\"none\"}";

    /// The rows for a later command give what the events themselves give.
    #[tokio::test]
    async fn results_that_another_command_finishes() {
        for (written, same) in [
            ("| tstats prestats=t count by host | stats count by host", "| tstats count by host"),
            (
                "| tstats prestats=t count by _time span=1h host | timechart span=1h count by host",
                "search host=* | timechart span=1h count by host",
            ),
            (
                "| tstats prestats=t sum(n) avg(n) dc(host) | stats sum(n) avg(n) dc(host)",
                "| tstats sum(n) avg(n) dc(host)",
            ),
            (
                "| tstats prestats=t count by nosuch | stats count",
                "| makeresults | where false() | stats count",
            ),
            (
                "| tstats prestats=t fillnull_value=- count by host | stats count by host",
                "| tstats fillnull_value=- count by host",
            ),
            (
                "| tstats prestats=t count where host=a by host \
                 | tstats prestats=t append=t count where host=b by host | stats count by host",
                "| tstats count by host",
            ),
        ] {
            let (found, expected) = (table(written, ROWS).await, table(same, ROWS).await);
            assert!(found.is_ok(), "{written} {found:?}");
            assert_eq!(found, expected, "{written}");
        }
    }

    /// Functions read the times of events, and not the bins that are grouped by.
    #[tokio::test]
    async fn times_of_events_in_bins() {
        let functions = "min(_time) max(_time) latest(host) earliest(host)";
        let written = format!("| tstats {functions} by _time span=1d");
        let same = format!("search * | stats {functions}");
        let found = table(&written, ROWS).await.unwrap();
        let expected = table(&same, ROWS).await.unwrap();
        assert_eq!(found[1], format!("0 {}", expected[1]));
        for function in ["latest(host)", "sparkline(count)", "max(_time)", "rate(n)"] {
            let search = format!("| tstats prestats=t {function} by _time span=1d | stats count");
            assert_eq!(table(&search, ROWS).await, Err(vec![Code::UNSUPPORTED_OPTION]), "{search}");
        }
        for search in ["| tstats count by", "| tstats count where", "| tstats count where by host"]
        {
            assert_eq!(table(search, ROWS).await, Err(vec![Code::MISSING_ARGUMENT]), "{search}");
        }
    }

    #[tokio::test]
    async fn prefixes_of_terms() {
        for (search, expected) in [
            ("| tstats count by PREFIX(x=)", vec!["x= | count", "1 3", "2 1"]),
            ("| tstats count by prefix(y=) | rename y= as y", vec!["y | count", "a 1"]),
            ("| tstats count(PREFIX(x=)) as n max(PREFIX(x=)) as m", vec!["n | m", "4 2"]),
            ("| tstats count max(PREFIX(x=)) as m where host=b", vec!["count | m", "1 2"]),
            (
                "| tstats count by host PREFIX(x=) | where 'x='=2",
                vec!["host | x= | count", "b 2 1"],
            ),
        ] {
            assert_eq!(
                table(search, ROWS).await,
                Ok(expected.into_iter().map(str::to_owned).collect()),
                "{search}"
            );
        }
        for (search, code) in [
            ("| tstats count by PREFIX()", Code::BAD_ARGUMENT),
            ("| tstats count from datamodel=Change by PREFIX(x=)", Code::BAD_ARGUMENT),
            ("| tstats append=t count by host", Code::BAD_OPTION),
            ("| tstats count max(host) by PREFIX(host)", Code::BAD_ARGUMENT),
            ("search host=a | tstats prestats=t count", Code::NOT_GENERATING),
        ] {
            assert_eq!(table(search, ROWS).await, Err(vec![code]), "{search}");
        }
    }
}
