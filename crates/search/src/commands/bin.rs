//! `bin`: groups times and numbers into bins.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::tz::TimeZone;
use spilltrail_diagnostic::{Code, Diagnostic, Spanned};
use spilltrail_event::{fields, parse_number};
use spilltrail_spl::time::{self, Modifier, Unit};
use spilltrail_spl::{Arguments, time::Span};

use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::context::SearchContext;
use crate::lineage::Lineage;
use crate::operators::RangeBins;
use crate::planning::facts::Facts;
use crate::planning::plan::{Needs, Plan, column};
use crate::rows::bins::{NumberBins, TimeBins};
use crate::rows::mapped::{ValueFunction, mapped};

static DOC: CommandDoc = CommandDoc {
    name: "bin",
    aliases: &["bucket", "discretize"],
    kind: CommandKind::DistributableStreaming,
    summary: "Group times into intervals that start at round times, and numbers into ranges such as `0-100`.",
    syntax: "bin [span=<span>|bins=<int>] [minspan=<span>] [start=<num>] [end=<num>] [aligntime=earliest|latest|<time>] <field> [AS <name>]",
    arguments: &[
        Argument::option("span", Takes::Width).doc(
            "The width: a time such as `10m` or `1d`, a number, or `[<coefficient>]log[<base>]`.",
        ),
        Argument::option("bins", Takes::Count)
            .default("100")
            .between(2, 50_000)
            .doc("The largest number of bins, if `span` is not given."),
        Argument::option("minspan", Takes::Width)
            .doc("The smallest width that may be chosen, if `span` is not given."),
        Argument::option("start", Takes::Number)
            .doc("Extend the range from which the width is chosen, if `span` is not given."),
        Argument::option("end", Takes::Number)
            .doc("Extend the range from which the width is chosen, if `span` is not given."),
        Argument::option("aligntime", Takes::Time).doc(
            "A time at which a bin starts: `earliest`, `latest`, or a time. For bins of `_time` that are shorter than a day.",
        ),
        Argument::positional("field", Takes::Field).doc("The field with times or numbers."),
        Argument::keyword("AS", Takes::Field)
            .doc("The field to write the bin to. Default: the field itself."),
    ],
    examples: &[
        Example {
            title: "Ten-minute windows",
            events: r#"{"_time":1700000123,"user":"ann"}
{"_time":1700000399,"user":"ann"}
{"_time":1700000400,"user":"bob"}"#,
            search: "| bin _time span=10m | stats count by _time",
            results: r#"{"_time":1699999800,"count":2}
{"_time":1700000400,"count":1}"#,
        },
        Example {
            title: "Ranges of numbers",
            events: r#"{"bytes":"130"}
{"bytes":"99"}"#,
            search: "| bin bytes span=100 AS size",
            results: r#"{"bytes":"130","size":"100-200"}
{"bytes":"99","size":"0-100"}"#,
        },
        Example {
            title: "At most four bins, as wide as the values need",
            events: "{\"n\":\"3\"}\n{\"n\":\"38\"}",
            search: "| bin n bins=4",
            results: "{\"n\":\"0-10\"}\n{\"n\":\"30-40\"}",
        },
    ],
    differs: &[
        "Without a span, the width for numbers is the smallest of 1, 2 or 5 times a power of ten that needs no more bins than allowed.",
        "Bins of several days or weeks are counted from 1970-01-01.",
        "With a logarithmic span, zero and negative numbers do not change.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct Bin {
    field: String,
    output: String,
    width: Width,
    align: Option<Spanned<String>>,
}

/// The width of bins.
#[derive(Debug, Clone)]
pub(super) enum Width {
    /// A span of time; weeks may begin on a weekday.
    Time { span: Span, weekday: Option<u8> },
    /// A fixed width of numbers.
    Number(NumberBins),
    /// Chosen when the search runs, from the range of the values.
    Range { count: usize, minimum: f64, start: Option<f64>, end: Option<f64> },
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let (mut field, mut output) = (None, None);
    while arguments.more() {
        if field.is_none() {
            field = Some(arguments.one_field()?.value);
        } else if output.is_none() && arguments.keyword("as").is_some() {
            output = Some(arguments.one_field()?.value);
        } else {
            arguments.finish()?;
        }
    }
    let Some(field) = field else {
        return Err(Diagnostic::error(Code::MISSING_ARGUMENT, "expected a field")
            .at(arguments.span())
            .help("for example `bin _time span=10m`"));
    };
    let width = width(arguments, field == fields::TIME)?;
    if arguments.given_at("span").is_some() {
        for name in ["bins", "minspan", "start", "end"] {
            arguments.without_effect(name, "`span` says how wide the bins are");
        }
    }
    let place = arguments.given_at("span").unwrap_or_else(|| arguments.span());
    doubt_span(&field, &width, place, arguments);
    let align = align(&width, arguments);
    Ok(Box::new(Bin { output: output.unwrap_or_else(|| field.clone()), field, width, align }))
}

/// Returns the width that the options say; `is_time` tells whether numbers are seconds.
pub(super) fn width(arguments: &Arguments<'_>, is_time: bool) -> Result<Width, Diagnostic> {
    if let Some(span) = arguments.given("span") {
        return fixed(&span, is_time);
    }
    let minimum = match arguments.given("minspan") {
        None => 0.0,
        Some(value) => match fixed(&value, is_time)? {
            Width::Time { span, .. } => crate::rows::bins::seconds(span),
            Width::Number(NumberBins::Linear { width }) => width,
            _ => return Err(bad_span(&value)),
        },
    };
    let number = |name| arguments.given(name).map(|number| number.value);
    let count = arguments.value("bins");
    Ok(Width::Range { count, minimum, start: number("start"), end: number("end") })
}

/// Warns of bins of time for a field whose name does not say that its values are times.
pub(super) fn doubt_span(
    field: &str,
    width: &Width,
    place: spilltrail_diagnostic::Span,
    arguments: &mut Arguments<'_>,
) {
    let name = field.to_ascii_lowercase();
    let is_time = ["time", "date", "seen"].iter().any(|word| name.contains(word));
    if let Width::Time { .. } = width
        && !is_time
    {
        let message = format!("the bins of `{field}` are spans of time");
        arguments.report(
            Diagnostic::warning(Code::BAD_OPTION, message)
                .at(place)
                .help("if its values are not times in seconds, write `span` without a unit"),
        );
    }
}

/// Returns the value of `aligntime` if the bins can be aligned to it.
///
/// Reports a value that is not an instant, and an option that has no effect.
pub(super) fn align(width: &Width, arguments: &mut Arguments<'_>) -> Option<Spanned<String>> {
    let written = arguments.given::<String>("aligntime")?;
    let is_bound = ["earliest", "latest"].iter().any(|b| written.value.eq_ignore_ascii_case(b));
    if !is_bound && let Err(error) = time::resolve(&written.value, 0.0, &TimeZone::UTC) {
        arguments.report(bad_time(&written, &error));
    }
    match width {
        Width::Time { span, .. } if span.unit.seconds().is_some() => return Some(written),
        Width::Time { .. } => {
            arguments.without_effect("aligntime", "bins of days and more begin at local midnight");
        }
        Width::Number(_) => arguments.without_effect("aligntime", "the bins are of numbers"),
        Width::Range { .. } => arguments.without_effect("aligntime", "it needs `span`"),
    }
    None
}

fn bad_time(written: &Spanned<String>, error: &time::TimeError) -> Diagnostic {
    Diagnostic::error(Code::BAD_TIME_MODIFIER, error.to_string())
        .at(written.span)
        .help("use `earliest`, `latest`, epoch seconds, or a time such as `@d+3h`")
}

/// Reads a span. A number without a unit means seconds for `_time`, and a width for other fields.
fn fixed(span: &Spanned<String>, is_time: bool) -> Result<Width, Diagnostic> {
    if !is_time && let Some(width) = parse_number(&span.value) {
        return if width > 0.0 && width.is_finite() {
            Ok(Width::Number(NumberBins::Linear { width }))
        } else {
            Err(bad_span(span))
        };
    }
    if let Some(bins) = NumberBins::logarithmic(&span.value) {
        return Ok(Width::Number(bins));
    }
    let (length, snap) = match span.value.split_once('@') {
        Some((length, snap)) => (length, Some(snap)),
        None => (span.value.as_str(), None),
    };
    let length = time::parse_span(length).ok_or_else(|| bad_span(span))?;
    let weekday = snap.map(|snap| snapped(snap, length, span)).transpose()?.flatten();
    // The number of units in a second, for units shorter than a second.
    let parts = match length.unit {
        Unit::Microsecond => 1_000_000,
        Unit::Millisecond => 1_000,
        _ => return Ok(Width::Time { span: length, weekday }),
    };
    if length.count < parts && parts % length.count != 0 {
        return Err(Diagnostic::error(
            Code::BAD_OPTION,
            format!(
                "a span below a second must divide a second evenly, and `{}` does not",
                span.value
            ),
        )
        .at(span.span)
        .help("for example `span=250ms`"));
    }
    Ok(Width::Time { span: length, weekday })
}

/// Returns the weekday that weeks begin on, if the snap unit of a span names one.
///
/// # Errors
/// Fails unless the span snaps to its own unit, or one week snaps to a weekday.
fn snapped(snap: &str, length: Span, written: &Spanned<String>) -> Result<Option<u8>, Diagnostic> {
    let weekday = snap.strip_prefix('w').and_then(|day| day.parse::<u8>().ok());
    match (length.unit, weekday) {
        (Unit::Week, Some(day @ 0..=7)) if length.count == 1 => return Ok(Some(day % 7)),
        (Unit::Week, None) if length.count == 1 && snap == "w" => return Ok(Some(0)),
        _ => {}
    }
    match time::parse_span(snap) {
        Some(unit) if unit.count == 1 && unit.unit == length.unit => Ok(None),
        _ => Err(Diagnostic::unsupported(
            Code::UNSUPPORTED_OPTION,
            format!("the span `{}` is not supported", written.value),
        )
        .at(written.span)
        .help("a span snaps to its own unit, or one week to a weekday, as in `1w@w1`")),
    }
}

fn bad_span(span: &Spanned<String>) -> Diagnostic {
    Diagnostic::error(Code::BAD_OPTION, format!("`{}` is not a span", span.value))
        .at(span.span)
        .help("examples: `10m`, `1d`, `100`, `log2`")
}

/// Returns the instant that bins are aligned to, or `None` without `aligntime` or if its value
/// sets no bound.
pub(super) fn aligned(
    align: Option<&Spanned<String>>,
    context: &SearchContext,
) -> Result<Option<f64>, Diagnostic> {
    let Some(written) = align else { return Ok(None) };
    match written.value.to_ascii_lowercase().as_str() {
        "earliest" => return Ok(context.range.earliest),
        "latest" => return Ok(context.range.latest),
        _ => {}
    }
    time::resolve(&written.value, context.now, &context.zone)
        .map_err(|error| bad_time(written, &error))
}

/// Adds the fact that a relative `aligntime` depends on when the search runs.
pub(super) fn align_facts(align: Option<&Spanned<String>>, facts: &mut Facts) {
    if let Some(align) = align
        && let Ok(Modifier::Now | Modifier::Relative(_)) = time::parse_modifier(&align.value)
    {
        facts.present(format!("aligntime={}", align.value));
    }
}

impl Bin {
    fn set(
        &self,
        plan: Plan,
        bins: impl ValueFunction,
        stage: &Stage<'_>,
    ) -> Result<Plan, Diagnostic> {
        let Some(kind) = plan.kind(&self.field) else { return Ok(plan) };
        let kind = bins.kind(kind);
        let binned = mapped(bins, column(&self.field));
        plan.with_columns(vec![(self.output.clone(), binned, kind)])
            .map_err(|error| stage.refused(error))
    }
}

#[async_trait]
impl Command for Bin {
    fn needs(&self, after: Needs) -> Needs {
        after.without([&self.output]).and([&self.field])
    }

    fn facts(&self, facts: &mut Facts) {
        // Only bins of times are aligned.
        let aligns = matches!(self.width, Width::Time { .. });
        align_facts(self.align.as_ref().filter(|_| aligns), facts);
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        let mut names = before?;
        names.push(self.output.clone());
        Some(names)
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        match &self.width {
            Width::Time { span, weekday } => {
                let align = aligned(self.align.as_ref(), stage.context)?;
                let zone = stage.context.zone.clone();
                let bins = TimeBins { align, weekday: *weekday, ..TimeBins::new(*span, zone) };
                self.set(input, bins, stage)
            }
            Width::Number(bins) => self.set(input, *bins, stage),
            Width::Range { count, minimum, start, end } => {
                Ok(input.operator(Arc::new(RangeBins {
                    column: self.field.clone(),
                    output: self.output.clone(),
                    count: *count,
                    minimum: *minimum,
                    start: *start,
                    end: *end,
                    zone: (self.field == fields::TIME).then(|| stage.context.zone.clone()),
                })))
            }
        }
    }

    fn trace(&self, lineage: &mut Lineage) {
        match self.width {
            // The width of the bins depends on the values of all rows, so a row alone does not
            // decide its bin.
            Width::Range { .. } => lineage.measure([self.output.clone()]),
            Width::Time { .. } | Width::Number(_) => {
                lineage.assign(&self.output, std::slice::from_ref(&self.field));
            }
        }
    }
}
