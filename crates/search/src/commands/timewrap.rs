//! `timewrap`: turns periods of a time chart into columns.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use async_trait::async_trait;
use datafusion::arrow::array::{Array, ArrayRef, RecordBatch, new_null_array};
use datafusion::arrow::compute::interleave;
use datafusion::common::Result as EngineResult;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use jiff::tz::TimeZone;
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::fields::TIME;
use spilltrail_event::{Field, Kind, Value};
use spilltrail_spl::Arguments;
use spilltrail_spl::time::{Periods, Span, Unit, parse_period, strftime};

use super::chart::{self, MAX_COLUMNS};
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes, subsearch};
use crate::context::SearchContext;
use crate::lineage::Lineage;
use crate::operators::{KeptRows, gather};
use crate::planning::facts::Facts;
use crate::planning::plan::{Needs, Plan};
use crate::rows::arrow::{schema_of, to_array};
use crate::rows::cut::rows_of;
use crate::rows::instant::Instant;

static DOC: CommandDoc = CommandDoc {
    name: "timewrap",
    aliases: &[],
    kind: CommandKind::Transforming,
    summary: "Turn each period of a time chart into a column, to compare it with the one before.",
    syntax: "timewrap <span> [align=now|end] [series=relative|exact|short] [time_format=<text>]",
    arguments: &[
        Argument::positional("span", Takes::Span).doc(
            "The length of a period: a number, which may be left out, and `s`, `min`, `h`, `d`, `w`, `m` (months), `qtr` or `y`.",
        ),
        Argument::option("align", Takes::OneOf(&["now", "end"])).default("end").doc(
            "Where the latest period ends: at the end of the time range of the search, or now.",
        ),
        Argument::option("series", Takes::OneOf(&["relative", "exact", "short"]))
            .default("relative")
            .doc("How periods are named: `latest_week`, `1week_before`, …; by `time_format`; or `s0`, `s1`, …."),
        Argument::option("time_format", Takes::Text).doc(
            "The format of the start of each period, with `series=exact`, as in `strftime`. Default: `%Y-%m-%d`, with `%H:%M:%S` for spans below a day.",
        ),
    ],
    examples: &[
        Example {
            title: "Events of each day next to those of the day before",
            events: r#"{"_time":1700000000}
{"_time":1700000010}
{"_time":1700090000}"#,
            search: "| timechart span=1d count | timewrap 1d",
            results: r#"{"_time":1700006400,"1day_before":2,"latest_day":1}"#,
        },
        Example {
            title: "A column for each user and minute",
            events: r#"{"_time":1700000000,"user":"ann"}
{"_time":1700000030,"user":"bob"}
{"_time":1700000060,"user":"bob"}"#,
            search: "| timechart span=20s count by user | timewrap 1min series=short",
            results: r#"{"_time":1700000020,"ann_s0":0,"bob_s0":1}
{"_time":1700000040,"ann_s0":0,"bob_s0":0}
{"_time":1700000060,"ann_s1":1,"ann_s0":0,"bob_s1":0,"bob_s0":1}"#,
        },
    ],
    differs: &[
        "Periods are counted back from the end of the time range of the run, as set by `--latest`; where it has no bound, from the last row. If rows are after that, whole periods are added.",
        "Days and longer units follow the calendar. A period that is longer than the latest one has its last rows after its end.",
        "With one data field, the name of a column is that of the period alone; with several, the field comes before it. Columns of a field are in the order of time.",
        "Periods without a row have no column. Rows without `_time`, and fields whose name begins with `_`, are left out.",
        "More than 10,000 columns are an error.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

/// How periods are named.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Naming {
    Relative,
    Short,
    Exact(String),
}

#[derive(Debug)]
struct TimeWrap {
    span: Span,
    ends_now: bool,
    naming: Naming,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let help = "for example `timewrap 1w`; the units are s, min, h, d, w, m (months), qtr and y";
    let mut span = None;
    while arguments.more() {
        if span.is_some() {
            arguments.finish()?;
        }
        let Some(written) = arguments.word() else { return Err(expected_span(arguments, help)) };
        span = Some(parse_period(&written.value).ok_or_else(|| {
            let message = format!("expected the length of a period, found `{}`", written.value);
            Diagnostic::error(Code::BAD_ARGUMENT, message).at(written.span).help(help)
        })?);
    }
    let Some(span) = span else { return Err(expected_span(arguments, help)) };
    let format = arguments.given::<String>("time_format").map(|format| format.value);
    let naming = match arguments.value("series") {
        "exact" => Naming::Exact(format.unwrap_or_else(|| default_format(span.unit).to_owned())),
        series => {
            arguments.without_effect("time_format", "it names periods with `series=exact`");
            if series == "short" { Naming::Short } else { Naming::Relative }
        }
    };
    let ends_now = arguments.value::<&str>("align") == "now";
    Ok(Box::new(TimeWrap { span, ends_now, naming }))
}

fn expected_span(arguments: &Arguments<'_>, help: &str) -> Diagnostic {
    Diagnostic::error(Code::MISSING_ARGUMENT, "expected the length of a period")
        .at(arguments.span())
        .help(help)
}

fn default_format(unit: Unit) -> &'static str {
    if unit.seconds().is_some() { "%Y-%m-%d %H:%M:%S" } else { "%Y-%m-%d" }
}

impl Naming {
    fn name(&self, periods: &Periods, number: i64, zone: &TimeZone) -> String {
        match self {
            Self::Relative => periods.relative_name(number),
            Self::Short => format!("s{number}"),
            Self::Exact(format) => strftime(periods.start(number), format, zone),
        }
    }
}

#[async_trait]
impl Command for TimeWrap {
    fn needs(&self, _: Needs) -> Needs {
        Needs::everything()
    }

    fn facts(&self, facts: &mut Facts) {
        if self.ends_now {
            facts.present("timewrap align=now");
        }
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let refused = |error| stage.refused(error);
        let input = stage.input(input)?;
        if input.kind(TIME).is_none() {
            let message = "`timewrap` needs rows with `_time`";
            return Err(Diagnostic::error(Code::BAD_ARGUMENT, message)
                .at(stage.span)
                .help("put it after `timechart`"));
        }
        let rows = subsearch::collect(input, stage.context, None).await.map_err(refused)?;
        let environment = stage.context.session.runtime_env();
        let memory = MemoryConsumer::new("timewrap").register(&environment.memory_pool);
        let chart = Chart::read(&rows, &memory).map_err(refused)?;
        let range = stage.context.range;
        let end = if self.ends_now { Some(stage.context.now) } else { range.latest };
        let periods = chart.periods(self.span, end, &stage.context.zone);
        let wrapped = chart.wrapped(&periods, &memory).map_err(refused)?;
        if chart.untimed > 0 {
            let (rows, are) = if chart.untimed == 1 { ("row", "is") } else { ("rows", "are") };
            let message = format!("{} {rows} without a time {are} left out", chart.untimed);
            stage.context.observations.message(
                Diagnostic::warning(Code::LEFT_OUT, message)
                    .at(stage.span)
                    .help("put `timewrap` after `timechart`"),
            );
        }
        if wrapped.replaced > 0 {
            let message = format!(
                "{} of {} rows have the place of a later row in their period, and are left out",
                wrapped.replaced,
                chart.times.len()
            );
            let warning = Diagnostic::warning(Code::LIMIT, message).at(stage.span);
            stage.context.observations.message(warning.help(
                "an hour comes twice when daylight saving ends; several rows of a time need \
                 `timechart` before",
            ));
        }
        let data: Vec<&Field> =
            rows.fields.iter().filter(|field| !field.name.starts_with('_')).collect();
        let columns = self.columns(&data, &wrapped, &periods, stage)?;
        let rows = wrapped.rows(&chart, &columns, stage.context).map_err(refused)?;
        rows.into_plan().map_err(refused)
    }

    fn trace(&self, lineage: &mut Lineage) {
        lineage.group([TIME.to_owned()], ["*".to_owned()]);
    }
}

/// A column of the result: a field in a period.
struct Column {
    name: String,
    field: Field,
    period: i64,
}

impl TimeWrap {
    /// Returns the columns after `_time`.
    fn columns(
        &self,
        data: &[&Field],
        wrapped: &Wrapped,
        periods: &Periods,
        stage: &Stage<'_>,
    ) -> Result<Vec<Column>, Diagnostic> {
        let count = wrapped.periods.len().saturating_mul(data.len());
        if count > MAX_COLUMNS {
            let message = format!("the periods would become {count} columns");
            return Err(Diagnostic::error(Code::LIMIT, message)
                .at(stage.span)
                .help(format!("at most {MAX_COLUMNS} are supported; take a longer period")));
        }
        let mut taken: HashSet<String> = HashSet::from([TIME.to_owned()]);
        let mut columns = Vec::with_capacity(count);
        for field in data {
            // The periods count from the latest one, so the oldest one has the largest number.
            for period in wrapped.periods.iter().rev() {
                let series = self.naming.name(periods, *period, &stage.context.zone);
                let name =
                    if data.len() == 1 { series } else { format!("{}_{series}", field.name) };
                let name = chart::column_name(None, "", &name, TIME, stage.context);
                if !taken.insert(name.clone()) {
                    let message = format!("two columns would be named `{name}`");
                    return Err(Diagnostic::error(Code::BAD_OPTION, message)
                        .at(stage.span)
                        .help("choose a `time_format` that differs for each period"));
                }
                columns.push(Column { name, field: (*field).clone(), period: *period });
            }
        }
        Ok(columns)
    }
}

/// The rows of a time chart.
struct Chart {
    batches: Vec<RecordBatch>,
    /// The time of each row that has one, with its batch and its place there.
    times: Vec<(f64, usize, usize)>,
    /// How many rows have no time.
    untimed: usize,
}

impl Chart {
    fn read(rows: &KeptRows, memory: &MemoryReservation) -> EngineResult<Self> {
        let (mut batches, mut times) = (Vec::new(), Vec::new());
        let mut count = 0;
        for batch in rows.batches()? {
            let batch: RecordBatch = batch?;
            memory.try_grow(batch.get_array_memory_size() + batch.num_rows() * ROW)?;
            if let Some(reader) = gather::reader(&batch, TIME)? {
                for row in 0..batch.num_rows() {
                    let time = reader.value(row).as_number().filter(|time| time.is_finite());
                    times.extend(time.map(|time| (time, batches.len(), row)));
                }
            }
            count += batch.num_rows();
            batches.push(batch);
        }
        let untimed = count - times.len();
        Ok(Self { batches, times, untimed })
    }

    /// Returns the periods that end at `end`, or after the last row.
    fn periods(&self, span: Span, end: Option<f64>, zone: &TimeZone) -> Periods {
        let times: BTreeSet<Instant> = self.times.iter().map(|(time, ..)| Instant(*time)).collect();
        let last = times.last().map_or(0.0, |time| time.0);
        let steps = times.iter().zip(times.iter().skip(1)).map(|(one, next)| next.0 - one.0);
        // Rows that are further from each other than a period are no steps of a chart.
        let shortest = Periods::until(span, last + 1.0, last, zone.clone());
        let longest = last + 1.0 - shortest.start(0);
        let step = steps.min_by(f64::total_cmp).filter(|step| *step <= longest).unwrap_or(1.0);
        Periods::until(span, end.unwrap_or(last + step), last, zone.clone())
    }

    /// Returns the rows by their times in the latest period.
    fn wrapped(&self, periods: &Periods, memory: &MemoryReservation) -> EngineResult<Wrapped> {
        let mut wrapped = Wrapped { periods: BTreeSet::new(), rows: BTreeMap::new(), replaced: 0 };
        for (time, batch, row) in &self.times {
            let Some(number) = periods.number(*time) else { continue };
            let moved = periods.in_latest(*time, number);
            if moved.is_nan() {
                continue;
            }
            memory.try_grow(ROW)?;
            wrapped.periods.insert(number);
            let earlier =
                wrapped.rows.entry(Instant(moved)).or_default().insert(number, (*batch, *row));
            wrapped.replaced += u64::from(earlier.is_some());
        }
        Ok(wrapped)
    }
}

/// Bytes that a row takes in the maps.
const ROW: usize = 128;

/// The rows of all periods side by side.
struct Wrapped {
    /// The periods that have rows.
    periods: BTreeSet<i64>,
    /// The batch and the place of the row of each period, by the time in the latest one.
    rows: BTreeMap<Instant, HashMap<i64, (usize, usize)>>,
    /// How many rows another row of the same place replaced.
    replaced: u64,
}

impl Wrapped {
    fn rows(
        &self,
        chart: &Chart,
        columns: &[Column],
        context: &SearchContext,
    ) -> EngineResult<KeptRows> {
        let mut fields = vec![Field::new(TIME, Kind::Number)];
        fields.extend(columns.iter().map(|column| Field::new(&column.name, column.field.kind)));
        let schema = schema_of(fields.iter().map(|field| (field.name.as_str(), field.kind)));
        let mut result = KeptRows::new(fields, true, &context.session.runtime_env());
        let all: Vec<_> = self.rows.iter().collect();
        for rows in all.chunks(rows_of(columns.len() + 1)) {
            let times = rows.iter().map(|(time, _)| Value::Number(time.0));
            let mut arrays = vec![to_array(Kind::Number, times)];
            for column in columns {
                let mut parts: Vec<ArrayRef> = Vec::with_capacity(chart.batches.len() + 1);
                for batch in &chart.batches {
                    parts.extend(batch.column_by_name(&column.field.name).cloned());
                }
                // The last part has the null of a period without a row at this time.
                let data_type = schema.field(arrays.len()).data_type();
                parts.push(new_null_array(data_type, 1));
                let absent = (parts.len() - 1, 0);
                let places: Vec<(usize, usize)> = rows
                    .iter()
                    .map(|(_, places)| places.get(&column.period).copied().unwrap_or(absent))
                    .collect();
                let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
                arrays.push(interleave(&parts, &places)?);
            }
            result.push(&gather::of_columns(&schema, arrays, rows.len())?)?;
        }
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use spilltrail_diagnostic::Code;
    use spilltrail_event::TimeBounds;

    use crate::context::SearchContext;
    use crate::testing::{context, rows, table, table_of};

    const ROWS: &str = r#"{"_time":0,"a":"1"}
{"_time":10,"a":"2"}
{"_time":20,"a":"3"}
{"_time":30,"a":"4","b":"9"}
{"_time":40,"a":"5"}
{"a":"6"}"#;

    async fn check(search: &str, context: &SearchContext, expected: &[&str]) {
        let expected: Vec<String> = expected.iter().map(|line| (*line).to_owned()).collect();
        assert_eq!(table_of(search, context).await, Ok(expected), "{search}");
    }

    #[tokio::test]
    async fn periods_become_columns() {
        let context = context(rows(ROWS), 64 << 20);
        for (search, expected) in [
            // The chart ends at 50.
            (
                "timewrap 20s",
                vec![
                    "_time | 40seconds_before | 20seconds_before | latest_20seconds",
                    "30 - 2 4",
                    "40 1 3 5",
                ],
            ),
            ("timewrap series=short 20s", vec!["_time | s2 | s1 | s0", "30 - 2 4", "40 1 3 5"]),
            (
                "timewrap 1min series=exact time_format=\"from %H:%M:%S\"",
                vec!["_time | from 23:59:50", "0 1", "10 2", "20 3", "30 4", "40 5"],
            ),
            (
                "timewrap 30s series=exact",
                vec![
                    "_time | 1969-12-31 23:59:50 | 1970-01-01 00:00:20",
                    "20 - 3",
                    "30 1 4",
                    "40 2 5",
                ],
            ),
            ("timewrap d | where _time=0", vec!["_time | latest_day", "0 1"]),
            (
                "timewrap 1min series=exact time_format=_%S | where _time=0",
                vec!["_time | VALUE_50", "0 1"],
            ),
        ] {
            check(&format!("| table _time a | {search}"), &context, &expected).await;
        }
        let both = ["_time | a_s1 | a_s0 | b_s1 | b_s0", "20 - 3 - -", "30 1 4 - 9", "40 2 5 - -"];
        check("| table _time a b _c | timewrap 30s series=short", &context, &both).await;
        check("| where a=7 | table _time a | timewrap 1s", &context, &["_time"]).await;
        // The last row of a time counts.
        let again = "| table _time a | append [| makeresults | eval _time=40, a=\"7\" | table _time a] | where _time>20 | timewrap 1min";
        check(again, &context, &["_time | latest_minute", "30 4", "40 7"]).await;
    }

    #[tokio::test]
    async fn periods_end_with_the_range_or_now() {
        let all = context(rows(ROWS), 64 << 20);
        let range = TimeBounds { earliest: None, latest: Some(45.0) };
        for (context, search, expected) in [
            (
                SearchContext { range, ..all.clone() },
                "timewrap 30s",
                "_time | 30seconds_before | latest_30seconds",
            ),
            (
                SearchContext { now: 75.0, ..all.clone() },
                "timewrap 30s align=now",
                "_time | 60seconds_before | 30seconds_before",
            ),
            // Rows after the end: whole periods are added, so the latest one begins at 25.
            (
                SearchContext { now: 25.0, ..all.clone() },
                "timewrap 30s align=now series=short",
                "_time | s1 | s0",
            ),
        ] {
            let found = table_of(&format!("| table _time a | {search}"), &context).await.unwrap();
            assert_eq!(found[0], expected, "{search}");
        }
        // A day with 25 hours, when clocks are set back.
        let day = r#"{"_time":1729936800,"a":"1"}
{"_time":1730026800,"a":"2"}"#;
        let vienna = SearchContext {
            zone: TimeZone::get("Europe/Vienna").unwrap(),
            range: TimeBounds { earliest: None, latest: Some(1_730_070_000.0) },
            ..context(rows(day), 64 << 20)
        };
        let expected = ["_time | s1 | s0", "1730026800 1 2"];
        check("| table _time a | timewrap 1d series=short", &vienna, &expected).await;
    }

    /// An hour that comes twice, or several rows of a time, are not side by side.
    #[tokio::test]
    async fn rows_of_one_place_are_told() {
        let lines = "{\"_time\":100,\"n\":\"1\"}\n{\"_time\":100,\"n\":\"2\"}\n\
            {\"_time\":3000000,\"n\":\"3\"}";
        let context = context(rows(lines), 64 << 20);
        let found = table_of("| timewrap 1d | table latest_day", &context).await;
        assert_eq!(found, Ok(["latest_day", "-", "3"].map(str::to_owned).to_vec()));
        let messages = context.observations.messages();
        assert_eq!(messages.iter().map(|told| told.code).collect::<Vec<_>>(), [Code::LIMIT]);
        assert!(messages[0].message.starts_with("1 of 3 rows"), "{}", messages[0].message);
        let context = self::context(rows("{\"_time\":100,\"n\":\"1\"}\n{\"n\":\"2\"}"), 64 << 20);
        let found = table_of("| timewrap 1d | table latest_day", &context).await;
        assert_eq!(found, Ok(["latest_day", "1"].map(str::to_owned).to_vec()));
        let messages = context.observations.messages();
        assert_eq!(messages.iter().map(|told| told.code).collect::<Vec<_>>(), [Code::LEFT_OUT]);
    }

    #[tokio::test]
    async fn mistakes() {
        for (search, code) in [
            ("timewrap", Code::MISSING_ARGUMENT),
            ("timewrap series=short", Code::MISSING_ARGUMENT),
            ("timewrap 7", Code::BAD_ARGUMENT),
            ("timewrap 1fortnight", Code::BAD_ARGUMENT),
            ("timewrap 1d 2d", Code::TRAILING_TEXT),
            ("timewrap 1d align=start", Code::BAD_OPTION),
            ("timewrap 1d series=long", Code::BAD_OPTION),
            ("timewrap 10s series=exact time_format=%Y", Code::BAD_OPTION),
            ("fields - _time | timewrap 1d", Code::BAD_ARGUMENT),
        ] {
            let search = format!("| table _time a | {search}");
            assert_eq!(table(&search, ROWS).await, Err(vec![code]), "{search}");
        }
        let wide = "| makeresults count=10001 | streamstats count as n | eval _time=n | table _time n | timewrap 1s";
        assert_eq!(table(wide, ROWS).await, Err(vec![Code::LIMIT]));
    }
}
