//! The grammar that `chart` and `timechart` share.

use spilltrail_diagnostic::{Code, Diagnostic, Spanned};
use spilltrail_event::{fields, parse_number};
use spilltrail_spl::time;
use spilltrail_spl::{
    Aggregate, AggregateArgument, Arguments, Command as Written, EvalExpr, EvalNode,
};

use super::super::bin::{self, Width};
use super::series::{Condition, Ends, Where};
use crate::operators::Whole;
use crate::planning::aggregate;
use crate::stats::functions;

/// A parsed `chart` or `timechart`.
#[derive(Debug)]
pub(super) struct Chart {
    /// The statistics, including those that the expressions are computed from.
    pub(super) aggregates: Vec<Aggregate>,
    /// The results, in order.
    pub(super) results: Vec<ResultOf>,
    pub(super) row: Option<FieldOf>,
    pub(super) split: Option<Split>,
    /// The name of a column, with `$AGG$` and `$VAL$`.
    pub(super) format: String,
    pub(super) whole: Whole,
    /// Whether bins without events are filled.
    pub(super) is_filled: bool,
    /// The rules for bins of time; `None` for `chart`.
    pub(super) time: Option<TimeRules>,
}

/// What `timechart` does at the ends of the time range.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimeRules {
    /// Whether bins are filled up to the ends of the search's time range.
    pub(super) is_fixed: bool,
    /// Whether bins that the time range cuts are kept.
    pub(super) keeps_partial: bool,
}

/// A result of each cell.
#[derive(Debug)]
pub(super) struct ResultOf {
    /// Its name; with wildcards if the aggregate has them.
    pub(super) name: String,
    pub(super) source: Source,
}

/// Where a result comes from.
#[derive(Debug)]
pub(super) enum Source {
    /// The aggregate at this place.
    Aggregate(usize),
    /// The sum at this place as a rate per this many seconds.
    Rate(usize, f64),
    /// An expression of aggregates, which it refers to as fields.
    Expression(EvalExpr),
}

/// The field of rows, or of columns, and its bins.
#[derive(Debug, Clone)]
pub(in super::super) struct FieldOf {
    pub(in super::super) field: Spanned<String>,
    pub(in super::super) bins: Option<Bins>,
}

impl FieldOf {
    /// Returns true if values outside of `start` or `end` are left out.
    pub(in super::super) fn has_ends(&self) -> bool {
        self.bins.as_ref().is_some_and(|bins| bins.start.is_some() || bins.end.is_some())
    }

    /// Returns true if the width of the bins follows from the values.
    pub(in super::super) fn has_chosen_bins(&self) -> bool {
        self.bins.as_ref().is_some_and(|bins| matches!(bins.width, Width::Range { .. }))
    }
}

/// Bins that the options ask for.
#[derive(Debug, Clone)]
pub(in super::super) struct Bins {
    pub(in super::super) width: Width,
    pub(in super::super) align: Option<Spanned<String>>,
    /// Values outside are left out.
    pub(super) start: Option<f64>,
    pub(super) end: Option<f64>,
}

/// The field whose values become columns.
#[derive(Debug)]
pub(super) struct Split {
    pub(super) field: FieldOf,
    /// The column of rows without the field.
    pub(super) null: Option<String>,
    /// The column of the series that are left out.
    pub(super) other: Option<String>,
    pub(super) limit: Option<Ends>,
    pub(super) clause: Option<Where>,
}

/// The options that make bins.
const BIN_OPTIONS: &[&str] = &["span", "bins", "minspan", "start", "end", "aligntime"];

/// What has been parsed of the statistics.
#[derive(Debug, Default)]
struct Statistics {
    aggregates: Vec<Aggregate>,
    results: Vec<ResultOf>,
}

/// Parses a `chart`, or a `timechart` if `is_time`.
pub(super) fn chart(arguments: &mut Arguments<'_>, is_time: bool) -> Result<Chart, Diagnostic> {
    let mut statistics = Statistics::default();
    let mut limit = None;
    while more(arguments, &mut limit) && !clause_follows(arguments) {
        statistics.take(arguments, is_time)?;
        arguments.symbol(",");
    }
    let time = Spanned::new(fields::TIME.to_owned(), arguments.span());
    let mut first_bins = None;
    let (mut row, mut split, mut clause) = (None, None, None);
    let own = |arguments: &mut Arguments<'_>, field: &Spanned<String>| {
        take_bins(arguments, field.value == fields::TIME)
    };
    let has_width =
        ["span", "bins", "minspan"].iter().any(|name| arguments.given_at(name).is_some());
    if is_time {
        // `timechart` always has bins, so that a width without options is chosen, too.
        first_bins = Some(bins(arguments, true)?);
        arguments.forget(BIN_OPTIONS);
        row = Some(FieldOf { field: time, bins: first_bins.clone() });
    } else {
        // Whether the width is of times is known only with the field, so the options are read
        // for each kind of field.
        let is_given = BIN_OPTIONS.iter().any(|name| arguments.given_at(name).is_some());
        if is_given {
            let mut ahead = arguments.clone();
            let keyword = ahead.keyword("over").or_else(|| ahead.keyword("by"));
            let is_time =
                keyword.is_some() && ahead.field().is_ok_and(|field| field.value == fields::TIME);
            first_bins = Some(bins(arguments, is_time)?);
            arguments.forget(BIN_OPTIONS);
        }
        if arguments.keyword("over").is_some() {
            let field = arguments.field()?;
            more(arguments, &mut limit);
            let bins = own(arguments, &field)?;
            row = Some(FieldOf { field, bins: bins.or(first_bins.take()) });
        }
    }
    if arguments.keyword("by").is_some() {
        let mut field = arguments.field()?;
        arguments.symbol(",");
        more(arguments, &mut limit);
        if is_time && !has_width {
            take_late_span(arguments, &mut row)?;
        }
        let mut field_bins = own(arguments, &field)?;
        let is_split = row.is_some() || {
            let has_second = !arguments.is_empty() && !arguments.peek_keyword("where");
            row = Some(FieldOf { field: field.clone(), bins: field_bins.take().or(first_bins) });
            if has_second {
                field = arguments.field()?;
                more(arguments, &mut limit);
                field_bins = own(arguments, &field)?;
            }
            has_second
        };
        if is_split {
            split = Some(FieldOf { field, bins: field_bins });
        }
        if let Some(place) = arguments.keyword("where") {
            if split.is_none() {
                let message = "`WHERE` has no effect here";
                let why = "there is no field whose values become columns";
                let warning = Diagnostic::warning(Code::NO_EFFECT, message).at(place).help(why);
                arguments.report(warning);
            }
            clause = Some(where_clause(arguments, &statistics.aggregates)?);
            more(arguments, &mut limit);
            if is_time && !has_width {
                take_late_span(arguments, &mut row)?;
            }
        }
    }
    arguments.finish()?;
    let split = split.map(|field| Split {
        field,
        null: arguments.value::<bool>("usenull").then(|| arguments.value("nullstr")),
        other: arguments.value::<bool>("useother").then(|| arguments.value("otherstr")),
        limit: ends(arguments, limit, clause.is_some()),
        clause,
    });
    finished(arguments, statistics, row, split, is_time)
}

fn finished(
    arguments: &mut Arguments<'_>,
    mut statistics: Statistics,
    row: Option<FieldOf>,
    split: Option<Split>,
    is_time: bool,
) -> Result<Chart, Diagnostic> {
    if let Some(text) = arguments.given::<String>("agg") {
        statistics.take_option(arguments, text, is_time)?;
    }
    let Statistics { aggregates, results } = statistics;
    if results.is_empty() {
        return Err(Diagnostic::error(
            Code::MISSING_ARGUMENT,
            "expected a statistics function such as `count` or `sum(field)`",
        )
        .at(arguments.span()));
    }
    let by: Vec<Spanned<String>> = match (&row, &split) {
        (Some(row), None) => vec![row.field.clone()],
        _ => Vec::new(),
    };
    aggregate::check(&aggregates, &by, arguments);
    let columns = row.iter().filter(|_| split.is_some());
    let columns = columns.chain(split.iter().map(|split| &split.field));
    let columns: Vec<_> = columns.map(|field| field.field.clone()).collect();
    aggregate::check_by(&columns, arguments);
    if let (Some(row), Some(split)) = (&row, &split)
        && row.field.value == split.field.field.value
    {
        let message =
            format!("the field `{}` is used for the rows and the columns", row.field.value);
        arguments.report(
            Diagnostic::error(Code::BAD_ARGUMENT, message)
                .at(split.field.field.span)
                .help("make a copy of it with `eval`"),
        );
    }
    for field in row.iter().chain(split.iter().map(|split| &split.field)) {
        if let Some(bins) = &field.bins {
            bin::doubt_span(&field.field.value, &bins.width, field.field.span, arguments);
        }
    }
    if let Some(row) = row.as_ref().filter(|_| !is_time) {
        refuse_argument(arguments, row, &aggregates);
    }
    if split.is_none() {
        let options = ["limit", "usenull", "useother", "nullstr", "otherstr", "sep", "format"];
        for option in options {
            arguments.without_effect(option, "there is no field whose values become columns");
        }
    }
    let format = match arguments.given::<String>("format") {
        Some(format) => {
            arguments.without_effect("sep", "`format` says how columns are named");
            format.value
        }
        None => format!("$AGG${}$VAL$", arguments.value::<String>("sep")),
    };
    let time = is_time.then(|| TimeRules {
        is_fixed: arguments.value("fixedrange"),
        keeps_partial: arguments.value("partial"),
    });
    let is_distinct: bool = arguments.value("dedup_splitvals");
    if row.is_none() && !is_time {
        arguments.without_effect("dedup_splitvals", "there are no BY fields");
    }
    Ok(Chart {
        aggregates,
        results,
        row,
        split,
        format,
        whole: if is_distinct { Whole::DistinctMembers } else { Whole::Members },
        is_filled: arguments.value("cont"),
        time,
    })
}

/// Reports an aggregate of the field that the rows are made from, which Splunk refuses.
fn refuse_argument(arguments: &mut Arguments<'_>, row: &FieldOf, aggregates: &[Aggregate]) {
    for aggregate in aggregates {
        if let Some(AggregateArgument::Field(field)) = &aggregate.argument
            && field.value == row.field.value
        {
            let message = format!("`{}` is both the row field and an argument", field.value);
            arguments.report(
                Diagnostic::error(Code::BAD_ARGUMENT, message)
                    .at(field.span)
                    .label(row.field.span, "the rows are made from it")
                    .help("make a copy of it with `eval`"),
            );
        }
    }
}

/// Takes options; returns true if other text follows. After `limit=top` the number may follow.
fn more(arguments: &mut Arguments<'_>, limit: &mut Option<usize>) -> bool {
    arguments.options();
    let is_open = |limit: &Spanned<String>| {
        ["top", "bottom"].iter().any(|word| limit.value.eq_ignore_ascii_case(word))
    };
    if limit.is_none() && arguments.given::<String>("limit").as_ref().is_some_and(is_open) {
        *limit = arguments.integer().and_then(|number| usize::try_from(number.value).ok());
        arguments.options();
    }
    !arguments.is_empty()
}

fn clause_follows(arguments: &mut Arguments<'_>) -> bool {
    arguments.peek_keyword("by") || arguments.peek_keyword("over")
}

/// Takes a span of time that `timechart` has behind its BY field, as in `count by user span=1h`: it is
/// that of the rows. A number is the width of the field's own bins.
fn take_late_span(
    arguments: &mut Arguments<'_>,
    row: &mut Option<FieldOf>,
) -> Result<(), Diagnostic> {
    let given = arguments.given::<String>("span");
    let is_time = given.is_some_and(|span| {
        span.value.parse::<f64>().is_err() && time::parse_span(&span.value).is_some()
    });
    if let (true, Some(row)) = (is_time, row)
        && let Some(late) = take_bins(arguments, true)?
    {
        row.bins = Some(match row.bins.take() {
            // Other options before the field stay.
            Some(earlier) => Bins {
                width: late.width,
                align: late.align.or(earlier.align),
                start: late.start.or(earlier.start),
                end: late.end.or(earlier.end),
            },
            None => late,
        });
    }
    Ok(())
}

/// Takes the bins that the options since the last call ask for.
fn take_bins(arguments: &mut Arguments<'_>, is_time: bool) -> Result<Option<Bins>, Diagnostic> {
    if !BIN_OPTIONS.iter().any(|name| arguments.given_at(name).is_some()) {
        return Ok(None);
    }
    let bins = bins(arguments, is_time)?;
    arguments.forget(BIN_OPTIONS);
    Ok(Some(bins))
}

/// Returns the bins that the options ask for.
pub(in super::super) fn bins(
    arguments: &mut Arguments<'_>,
    is_time: bool,
) -> Result<Bins, Diagnostic> {
    let width = bin::width(arguments, is_time)?;
    if arguments.given_at("span").is_some() {
        for name in ["bins", "minspan"] {
            arguments.without_effect(name, "`span` says how wide the bins are");
        }
    }
    let align = match width {
        // The width that is chosen for times may be aligned.
        Width::Range { .. } if is_time => arguments.given("aligntime"),
        _ => bin::align(&width, arguments),
    };
    let number = |name| arguments.given::<f64>(name).map(|number| number.value);
    Ok(Bins { width, align, start: number("start"), end: number("end") })
}

/// Returns the series to keep. A `WHERE` clause replaces the default.
fn ends(arguments: &mut Arguments<'_>, number: Option<usize>, has_clause: bool) -> Option<Ends> {
    let given = arguments.given::<String>("limit");
    if given.is_none() && has_clause {
        return None;
    }
    let text = given.clone().map_or_else(|| arguments.value("limit"), |given| given.value);
    let text = text.to_ascii_lowercase();
    let found = match number {
        Some(count) => Some(Ends { is_bottom: text.trim() == "bottom", count }),
        None => ends_of(&text),
    };
    match (found, given) {
        // `limit=0` keeps all series.
        (Some(ends), _) => (ends.count > 0).then_some(ends),
        (None, given) => {
            let span = given.map_or(arguments.span(), |given| given.span);
            let message = format!("expected a number of series for `limit`, found `{text}`");
            arguments.report(
                Diagnostic::error(Code::BAD_OPTION, message)
                    .at(span)
                    .help("for example `limit=5`, `limit=top5` or `limit=bottom5`"),
            );
            None
        }
    }
}

fn ends_of(text: &str) -> Option<Ends> {
    let (is_bottom, count) = match (text.strip_prefix("top"), text.strip_prefix("bottom")) {
        (Some(count), _) => (false, count),
        (_, Some(count)) => (true, count),
        _ => (false, text),
    };
    Some(Ends { is_bottom, count: count.trim().parse().ok()? })
}

/// Parses what follows `WHERE`: a function over the cells of a series, and a condition.
fn where_clause(
    arguments: &mut Arguments<'_>,
    aggregates: &[Aggregate],
) -> Result<Where, Diagnostic> {
    const HELP: &str = "for example `where sum in top5` or `where max > 10`";
    let written = arguments.aggregate()?;
    let function = written.function.value.clone();
    if functions::find(&function).is_none() {
        return Err(functions::unknown(&function, true, written.function.span));
    }
    // The argument can only say again what the cells are computed from.
    let is_argument = |aggregate: &Aggregate| match (&aggregate.argument, &written.argument) {
        (Some(AggregateArgument::Field(one)), Some(AggregateArgument::Field(other))) => {
            one.value == other.value
        }
        (_, other) => other.is_none(),
    };
    if !aggregates.iter().any(is_argument) {
        let message = format!("`{}` is not computed for the series", written.output.value);
        return Err(Diagnostic::unsupported(Code::UNSUPPORTED_OPTION, message)
            .at(written.output.span)
            .help(HELP));
    }
    let expected = |arguments: &mut Arguments<'_>| {
        let rest = arguments.rest();
        Diagnostic::error(Code::EXPECTED, "expected a condition such as `in top5` or `> 10`")
            .at(rest.span)
            .help(HELP)
    };
    let is_not = arguments.keyword("notin").is_some();
    let condition = if is_not || arguments.keyword("in").is_some() {
        let Some(word) = arguments.word() else { return Err(expected(arguments)) };
        let mut text = word.value.to_ascii_lowercase();
        if matches!(text.as_str(), "top" | "bottom")
            && let Some(number) = arguments.integer()
        {
            text.push_str(&number.value.to_string());
        }
        let Some(ends) = ends_of(&text).filter(|_| text.starts_with(['t', 'b'])) else {
            let message = format!("expected `top` or `bottom` and a number, found `{text}`");
            return Err(Diagnostic::error(Code::EXPECTED, message).at(word.span).help(HELP));
        };
        Condition::Among { ends, is_not }
    } else {
        let is_above = arguments.symbol(">").is_some();
        if !is_above && arguments.symbol("<").is_none() {
            return Err(expected(arguments));
        }
        let number = arguments.word();
        match number.as_ref().and_then(|word| parse_number(&word.value)) {
            Some(number) if is_above => Condition::Above(number),
            Some(number) => Condition::Below(number),
            None => return Err(expected(arguments)),
        }
    };
    Ok(Where { function: if function == "c" { "count".to_owned() } else { function }, condition })
}

/// The seconds of the unit that a function of `timechart` counts by.
fn rate(function: &str) -> Option<f64> {
    Some(match function {
        "per_second" => 1.0,
        "per_minute" => 60.0,
        "per_hour" => 3_600.0,
        "per_day" => 86_400.0,
        _ => return None,
    })
}

impl Statistics {
    /// Takes an aggregate or an expression of aggregates.
    fn take(&mut self, arguments: &mut Arguments<'_>, is_time: bool) -> Result<(), Diagnostic> {
        if let Some(evaluated) = arguments.evaluated() {
            let (mut expr, name) = evaluated?;
            self.extract(&mut expr)?;
            self.results.push(ResultOf { name: name.value, source: Source::Expression(expr) });
            return Ok(());
        }
        let aggregate = arguments.aggregate()?;
        self.add(aggregate, is_time);
        Ok(())
    }

    /// Takes the aggregate of the option `agg`.
    fn take_option(
        &mut self,
        arguments: &mut Arguments<'_>,
        text: Spanned<String>,
        is_time: bool,
    ) -> Result<(), Diagnostic> {
        // `agg=(max(x))` is written with parentheses around it, too.
        let inner = text.value.trim();
        let inner =
            inner.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(inner);
        let name = arguments.command().name.clone();
        let command = Written { name, arguments: Spanned::new(inner.to_owned(), text.span) };
        let mut arguments = Arguments::new(&command);
        let aggregate = arguments.aggregate()?;
        arguments.finish()?;
        self.add(aggregate, is_time);
        Ok(())
    }

    fn add(&mut self, mut aggregate: Aggregate, is_time: bool) {
        let place = self.aggregates.len();
        let name = aggregate.output.value.clone();
        let source = match rate(&aggregate.function.value).filter(|_| is_time) {
            Some(seconds) => {
                "sum".clone_into(&mut aggregate.function.value);
                Source::Rate(place, seconds)
            }
            None => Source::Aggregate(place),
        };
        self.aggregates.push(aggregate);
        self.results.push(ResultOf { name, source });
    }

    /// Replaces the aggregates in an expression by the fields that they are computed as.
    fn extract(&mut self, expr: &mut EvalExpr) -> Result<(), Diagnostic> {
        let aggregate = match &expr.node {
            EvalNode::Field(name) if matches!(name.as_str(), "count" | "c") => {
                Some(("count".to_owned(), None))
            }
            EvalNode::Field(name) => {
                let message = format!("`{name}` is not in a statistics function");
                return Err(Diagnostic::error(Code::BAD_ARGUMENT, message).at(expr.span).help(
                    "an expression of statistics has fields in functions only: `eval(avg(x) / max(y))`",
                ));
            }
            EvalNode::Call { name, arguments } if functions::find(&name.value).is_some() => {
                match arguments.as_slice() {
                    [] => Some((name.value.clone(), None)),
                    [only] => Some((name.value.clone(), Some(operand(only)))),
                    _ => None,
                }
            }
            _ => None,
        };
        let Some((function, argument)) = aggregate else {
            return expr.children_mut().into_iter().try_for_each(|child| self.extract(child));
        };
        let name = format!("\u{1}{}", self.aggregates.len());
        self.aggregates.push(Aggregate {
            function: Spanned::new(function, expr.span),
            argument,
            rest: Vec::new(),
            output: Spanned::new(name.clone(), expr.span),
            renamed: true,
        });
        expr.node = EvalNode::Field(name);
        Ok(())
    }
}

/// Returns what an aggregate in an expression is computed from.
fn operand(expr: &EvalExpr) -> AggregateArgument {
    match &expr.node {
        EvalNode::Field(name) => AggregateArgument::Field(Spanned::new(name.clone(), expr.span)),
        EvalNode::Call { name, arguments } if name.value == "eval" && arguments.len() == 1 => {
            AggregateArgument::Eval(arguments[0].clone())
        }
        _ => AggregateArgument::Eval(expr.clone()),
    }
}
