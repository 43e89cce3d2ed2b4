//! `chart`, and what `timechart` shares with it: statistics as a table with a row for each value of
//! one field and a column for each value of another.

mod options;
mod pivot;
mod plan;
mod series;

use async_trait::async_trait;
use spilltrail_diagnostic::{Diagnostic, Spanned};
use spilltrail_spl::{Aggregate, Arguments};

use self::options::{Chart, ResultOf, Source, Split};
pub(super) use self::options::{FieldOf, bins};
pub(super) use self::pivot::{Cell, MAX_BINS, Pivot, Range, too_many_bins};
pub(super) use self::plan::{
    MAX_COLUMNS, ROW, SERIES, column_name, field_bins, free_name, too_wide, within,
};
use self::series::Ends;
pub(super) use self::series::FieldBins;
use super::bin::align_facts;
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Parts, Stage, Takes};
use crate::lineage::Lineage;
use crate::operators::{Codec, Whole};
use crate::planning::aggregate;
use crate::planning::facts::Facts;
use crate::planning::plan::{Needs, Plan};

pub(super) static DOC: CommandDoc = CommandDoc {
    name: "chart",
    aliases: &[],
    kind: CommandKind::Transforming,
    summary: "Compute statistics as a table: a row for each value of one field, a column for each value of another.",
    syntax: "chart [limit=[top|bottom]<int>] [agg=<function>(<field>)] [sep=<text>] [format=<text>] [cont=<bool>] [span=<span>|bins=<int>] [minspan=<span>] [aligntime=<time>] [start=<num>] [end=<num>] [usenull=<bool>] [nullstr=<text>] [useother=<bool>] [otherstr=<text>] <function>(<field>|eval(<expr>)) [AS <name>] … [OVER <row field> [<bin options>]] [BY [<row field> [<bin options>]] <column field> [<bin options>] [WHERE <function> in|notin top<int>|bottom<int> | > <num> | < <num>]] [dedup_splitvals=<bool>]",
    arguments: ARGUMENTS,
    examples: &[
        Example {
            title: "Rows of one field, columns of another",
            events: r#"{"user":"ann","action":"get"}
{"user":"ann","action":"get"}
{"user":"bob","action":"put"}
{"user":"bob"}"#,
            search: "| chart count over user by action",
            results: r#"{"user":"ann","get":2,"put":0,"NULL":0}
{"user":"bob","get":0,"put":1,"NULL":1}"#,
        },
        Example {
            title: "The busiest action has a column, the others are one",
            events: r#"{"user":"ann","action":"get","bytes":"5"}
{"user":"ann","action":"put","bytes":"1"}
{"user":"bob","action":"list","bytes":"3"}"#,
            search: "| chart limit=1 agg=sum(bytes) by user action",
            results: r#"{"user":"ann","get":5,"OTHER":1}
{"user":"bob","OTHER":3}"#,
        },
        Example {
            title: "Ranges of numbers, and an expression of statistics",
            events: r#"{"size":"3","bytes":"10"}
{"size":"7","bytes":"30"}
{"size":"25","bytes":"8"}"#,
            search: "| chart eval(sum(bytes)/count) as mean by size span=10",
            results: r#"{"size":"0-10","mean":20}
{"size":"10-20"}
{"size":"20-30","mean":8}"#,
        },
    ],
    differs: &[ORDER_DIFFERS, NAMES_DIFFER, WHERE_DIFFERS, ROWS_DIFFER, LIMITS_DIFFER],
};

/// The arguments of `chart`.
const ARGUMENTS: &[Argument] = &[
    LIMIT,
    AGG,
    SEP,
    FORMAT,
    CONT,
    SPAN,
    bins_option("300"),
    MINSPAN,
    ALIGNTIME,
    START,
    END,
    USENULL,
    NULLSTR,
    USEOTHER,
    OTHERSTR,
    FUNCTION,
    Argument::keyword("OVER", Takes::Field).doc("The field whose values are the rows."),
    Argument::keyword("BY", Takes::Fields).doc(
        "The field whose values are the rows, unless there is OVER, and the field whose values are the columns. Bin options after a field are for its values.",
    ),
    WHERE,
    DEDUP,
];

/// The largest number of series, unless `WHERE` says which.
pub(super) const LIMIT: Argument = Argument::option("limit", Takes::Text).default("10").doc(
    "The number of series with a column of their own: those with the highest score, or the lowest after `bottom`. The score is the sum of a series, or the number of its events if there are several statistics. 0 keeps all.",
);
pub(super) const AGG: Argument =
    Argument::option("agg", Takes::Text).doc("A further statistic, such as `max(bytes)`.");
pub(super) const SEP: Argument = Argument::option("sep", Takes::Text)
    .default(": ")
    .doc("The text between statistic and value in the names of columns, if there are several statistics.");
pub(super) const FORMAT: Argument = Argument::option("format", Takes::Text).doc(
    "The names of columns, if there are several statistics: a text with `$AGG$` for the statistic and `$VAL$` for the value.",
);
pub(super) const CONT: Argument = Argument::option("cont", Takes::Bool)
    .default("true")
    .doc("Whether bins without events have rows.");
pub(super) const SPAN: Argument = Argument::option("span", Takes::Width).doc(
    "The width of bins: a time such as `10m` or `1d`, a number, or `[<coefficient>]log[<base>]`.",
);
pub(super) const MINSPAN: Argument = Argument::option("minspan", Takes::Width)
    .doc("The smallest width that may be chosen, if `span` is not given.");
pub(super) const ALIGNTIME: Argument = Argument::option("aligntime", Takes::Time).doc(
    "A time at which a bin starts: `earliest`, `latest`, or a time. For bins of `_time` that are shorter than a day.",
);
pub(super) const START: Argument = Argument::option("start", Takes::Number)
    .doc("The least value that is binned; rows with lower values are left out.");
pub(super) const END: Argument = Argument::option("end", Takes::Number)
    .doc("The greatest value that is binned; rows with higher values are left out.");
pub(super) const USENULL: Argument = Argument::option("usenull", Takes::Bool)
    .default("true")
    .doc("Whether events without the column field have a column.");
pub(super) const NULLSTR: Argument =
    Argument::option("nullstr", Takes::Text).default("NULL").doc("The name of that column.");
pub(super) const USEOTHER: Argument = Argument::option("useother", Takes::Bool)
    .default("true")
    .doc("Whether the series that `limit` or `WHERE` leaves out have a column together.");
pub(super) const OTHERSTR: Argument =
    Argument::option("otherstr", Takes::Text).default("OTHER").doc("The name of that column.");
pub(super) const FUNCTION: Argument = Argument::positional("function", Takes::Statistics).doc(
    "The statistics, each with an optional name after `AS`. `eval(avg(a) / max(b))` is an expression of statistics.",
);
pub(super) const WHERE: Argument = Argument::keyword("WHERE", Takes::Condition).doc(
    "The series with a column of their own: a statistic over the cells of a series (`count` is the number of its events) and a condition, such as `sum in top5` or `max > 10`.",
);
pub(super) const DEDUP: Argument = Argument::option("dedup_splitvals", Takes::Bool)
    .default("false")
    .doc("Whether equal values of a multivalue BY field count once.");

/// The differences of `chart` and `timechart`.
pub(super) const ORDER_DIFFERS: &str = "Columns are sorted by their value: numbers by value, before text; then come the columns of events without the field and of other values.";
pub(super) const NAMES_DIFFER: &str = "A column that would have the name of the row field or of another column, or no name, begins with `VALUE_`.";
pub(super) const WHERE_DIFFERS: &str = "`WHERE` takes the place of the default of `limit`; with several statistics it is about the first one.";
pub(super) const ROWS_DIFFER: &str = "Without events there are no rows.";
pub(super) const LIMITS_DIFFER: &str =
    "More than 10,000 columns, or more than 50,000 bins, are an error.";

/// Returns the option for the largest number of bins.
pub(super) const fn bins_option(default: &'static str) -> Argument {
    Argument::option("bins", Takes::Count)
        .default(default)
        .between(2, MAX_BINS as u64)
        .doc("The largest number of bins, if `span` is not given.")
}

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODECS: [Codec; 2] =
    [Codec::operator::<pivot::Pivot>("pivot"), Codec::derive::<series::SeriesOf>("series_of")];

pub(super) fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    Ok(Box::new(options::chart(arguments, false)?))
}

/// Parses a `timechart`.
pub(super) fn parse_time(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    Ok(Box::new(options::chart(arguments, true)?))
}

/// Plans statistics with a row for each value of one field and a column for each value of another.
///
/// Rows without one of the fields are left out. The `limit` series with the greatest sums have a column
/// of their own, and the others one together; 0 means all.
pub(super) async fn rows_and_columns(
    aggregates: &[Aggregate],
    row: Spanned<String>,
    columns: Spanned<String>,
    limit: usize,
    input: Plan,
    stage: &Stage<'_>,
) -> Result<Plan, Diagnostic> {
    let result = |(place, aggregate): (usize, &Aggregate)| ResultOf {
        name: aggregate.output.value.clone(),
        source: Source::Aggregate(place),
    };
    let chart = Chart {
        aggregates: aggregates.to_vec(),
        results: aggregates.iter().enumerate().map(result).collect(),
        row: Some(FieldOf { field: row, bins: None }),
        split: Some(Split {
            field: FieldOf { field: columns, bins: None },
            null: None,
            other: Some("OTHER".to_owned()),
            limit: (limit > 0).then_some(Ends { is_bottom: false, count: limit }),
            clause: None,
        }),
        format: "$AGG$: $VAL$".to_owned(),
        whole: Whole::Members,
        is_filled: false,
        time: None,
    };
    plan::chart(&chart, input, stage).await
}

impl Chart {
    /// Returns the fields of rows and columns.
    fn by(&self) -> Vec<String> {
        let split = self.split.as_ref().map(|split| &split.field);
        let fields = self.row.iter().chain(split);
        fields.map(|field| field.field.value.clone()).collect()
    }

    /// Returns true if the width of the rows' bins follows from the rows.
    fn has_chosen_bins(&self) -> bool {
        self.row.as_ref().is_some_and(FieldOf::has_chosen_bins)
    }
}

#[async_trait]
impl Command for Chart {
    fn parts(&self) -> Parts<'_> {
        Parts { operands: aggregate::expressions(&self.aggregates), ..Parts::default() }
    }

    fn needs(&self, _: Needs) -> Needs {
        aggregate::needs(&self.aggregates, &self.by())
    }

    fn output(&self, _: Option<Vec<String>>) -> Option<Vec<String>> {
        if self.split.is_some() || self.aggregates.iter().any(aggregate::is_wild) {
            return None;
        }
        let results = self.results.iter().map(|result| result.name.clone());
        Some(self.by().into_iter().chain(results).collect())
    }

    fn facts(&self, facts: &mut Facts) {
        self.parts().add_facts(facts);
        let split = self.split.as_ref().map(|split| &split.field);
        for bins in self.row.iter().chain(split).filter_map(|field| field.bins.as_ref()) {
            align_facts(bins.align.as_ref(), facts);
        }
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        plan::chart(self, stage.input(input)?, stage).await
    }

    fn grouping(&self) -> Option<Vec<String>> {
        let row = self.row.as_ref()?;
        // A bin is a value that no event has.
        row.bins.is_none().then(|| vec![row.field.value.clone()])
    }

    fn trace(&self, lineage: &mut Lineage) {
        let row = self.row.as_ref().map(|row| row.field.value.clone());
        let measures = self.results.iter().map(|result| result.name.clone());
        // The names of columns follow from the events.
        let measures = measures.chain(self.split.is_some().then(|| "*".to_owned()));
        lineage.group(row.clone(), measures);
        if self.has_chosen_bins() {
            lineage.measure(row);
        }
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;
    use spilltrail_event::TimeBounds;

    use crate::context::SearchContext;
    use crate::testing::{context, rows, table_of};

    async fn table(
        search: &str,
        events: &str,
        range: TimeBounds,
    ) -> Result<Vec<String>, Vec<Code>> {
        let context = SearchContext { range, ..context(rows(events), 64 << 20) };
        table_of(search, &context).await
    }

    const EVENTS: &str = r#"{"_time":1000,"u":"a","k":"x","n":"1"}
    {"_time":1000,"u":"a","k":"y","n":"5"}
    {"_time":1130,"u":"b","k":["x","z"],"n":"10"}
    {"_time":1130,"u":"b","n":"20"}
    {"_time":1135,"k":"y","n":"2"}"#;

    #[tokio::test]
    async fn charts_have_rows_and_columns() {
        for (search, expected) in [
            ("| chart count", vec!["count", "5"]),
            ("| chart count, max(n) as most by u", vec!["u | count | most", "a 2 5", "b 2 20"]),
            ("| chart count by u k", vec!["u | x | y | z | NULL", "a 1 1 0 0", "b 1 0 1 1"]),
            (
                "| chart avg(n) over u by k nullstr=none",
                vec!["u | x | y | z | none", "a 1 5 - -", "b 10 - 10 20"],
            ),
            // A multivalue row counts once for each value.
            ("| chart count by k", vec!["k | count", "x 2", "y 2", "z 1"]),
            // The others are averaged over their events, not over their averages.
            (
                "| chart limit=1 avg(n) over u by k usenull=f otherstr=rest",
                vec!["u | x | rest", "a 1 5", "b 10 10"],
            ),
            (
                "| chart limit=bottom1 count by u k usenull=f useother=f",
                vec!["u | y", "a 1", "b 0"],
            ),
            (
                "| chart limit=top 1 sum(n) by u, k usenull=f useother=f",
                vec!["u | x", "a 1", "b 10"],
            ),
            (
                "| chart count sum(n) over u by k usenull=f limit=1 useother=f sep=_",
                vec!["u | count_x | sum(n)_x", "a 1 1", "b 1 10"],
            ),
            (
                "| chart count min(n) over u by k usenull=f limit=1 format=$VAL$/$AGG$",
                vec![
                    "u | x/count | OTHER/count | x/min(n) | OTHER/min(n)",
                    "a 1 1 1 5",
                    "b 1 1 10 10",
                ],
            ),
            (
                "| chart sum(n) over u by k usenull=f where sum notin top1",
                vec!["u | y | z | OTHER", "a 5 - 1", "b - 10 10"],
            ),
            (
                "| chart sum(n) over u by k usenull=f useother=f where max > 9",
                vec!["u | x | z", "a 1 -", "b 10 10"],
            ),
            (
                "| chart sum(n) over u by k usenull=f useother=f where max(n) < 6",
                vec!["u | y", "a 5", "b -"],
            ),
            (
                "| chart eval(sum(n)/count) as mean, count over u",
                vec!["u | mean | count", "a 3 2", "b 15 2"],
            ),
            ("| chart eval(round(avg(n))+max(eval(n*2))) as x by u", vec!["u | x", "a 13", "b 55"]),
            // Ranges of numbers sort by value, and empty ones have rows.
            (
                "| eval m=n | chart count by n span=5",
                vec!["n | count", "0-5 2", "5-10 1", "10-15 1", "15-20 0", "20-25 1"],
            ),
            (
                "| chart count by n span=5 cont=f",
                vec!["n | count", "0-5 2", "5-10 1", "10-15 1", "20-25 1"],
            ),
            ("| chart count over n bins=3", vec!["n | count", "0-10 3", "10-20 1", "20-30 1"]),
            ("| chart count over n span=10 start=2 end=15", vec!["n | count", "0-10 2", "10-20 1"]),
            (
                "| chart count over n span=log2",
                vec!["n | count", "1-2 1", "2-4 1", "4-8 1", "8-16 1", "16-32 1"],
            ),
            (
                "| chart count over u by n span=10",
                vec!["u | 0-10 | 10-20 | 20-30", "a 2 0 0", "b 0 1 1"],
            ),
            (
                "| eval k=\"_\".u | chart count over u by k",
                vec!["u | VALUE_a | VALUE_b", "a 2 0", "b 0 2"],
            ),
            ("| chart values(k) dc(k) by u", vec!["u | values(k) | dc(k)", "a x y 2", "b x z 2"]),
            ("| chart count by nosuch u", vec!["nosuch"]),
            ("| chart count by u nosuch", vec!["u | NULL", "a 2", "b 2"]),
            ("| chart sum(*) by u | fields u sum(n)", vec!["u | sum(n)", "a 6", "b 30"]),
            (
                "| eval u=mvappend(u,u) | chart count by u dedup_splitvals=t",
                vec!["u | count", "a 2", "b 2"],
            ),
        ] {
            let found = table(search, EVENTS, TimeBounds::default()).await;
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(found, Ok(expected), "{search}");
        }
    }

    #[tokio::test]
    async fn timecharts_have_bins() {
        let open = TimeBounds::default();
        let hour = TimeBounds { earliest: Some(950.0), latest: Some(1250.0) };
        for (search, range, expected) in [
            ("| timechart span=1m count", open, vec!["_time | count", "960 2", "1020 0", "1080 3"]),
            // A span of time behind the field is that of the rows, and other options count, too.
            (
                "| timechart aligntime=1010 count by nosuch span=2m | fields _time",
                open,
                vec!["_time", "890", "1010", "1130"],
            ),
            ("| timechart count by nosuch span=1h", open, vec!["_time | NULL", "0 5"]),
            (
                "| timechart count by nosuch where count in top2 span=1h",
                open,
                vec!["_time | NULL", "0 5"],
            ),
            ("| timechart span=1m count cont=f", open, vec!["_time | count", "960 2", "1080 3"]),
            (
                "| timechart span=1m sum(n)",
                hour,
                vec!["_time | sum(n)", "900 -", "960 6", "1020 -", "1080 32", "1140 -", "1200 -"],
            ),
            (
                "| timechart span=1m sum(n) fixedrange=f",
                hour,
                vec!["_time | sum(n)", "960 6", "1020 -", "1080 32"],
            ),
            (
                "| timechart span=1m count partial=f",
                hour,
                vec!["_time | count", "960 2", "1020 0", "1080 3", "1140 0"],
            ),
            // The width follows from the range: 300 seconds in at most 100 bins, or in 10.
            ("| timechart count cont=f", hour, vec!["_time | count", "1000 2", "1130 2", "1135 1"]),
            ("| timechart bins=20 count cont=f", hour, vec!["_time | count", "990 2", "1110 3"]),
            ("| timechart minspan=1m count cont=f", hour, vec!["_time | count", "960 2", "1080 3"]),
            ("| timechart bins=3 count", open, vec!["_time | count", "960 2", "1020 0", "1080 3"]),
            (
                "| timechart span=1m aligntime=1010 count cont=f",
                open,
                vec!["_time | count", "950 2", "1130 3"],
            ),
            (
                "| timechart span=2m per_minute(n) as r, count by u usenull=f limit=1",
                open,
                vec![
                    "_time | r: a | r: OTHER | count: a | count: OTHER",
                    "960 3 - 2 0",
                    "1080 - 15 0 2",
                ],
            ),
            (
                "| timechart span=1m count by n span=10",
                open,
                vec!["_time | 0-10 | 10-20 | 20-30", "960 2 0 0", "1020 0 0 0", "1080 1 1 1"],
            ),
            ("| timechart span=1h eval(sum(n)/dc(u)) as x", open, vec!["_time | x", "0 19"]),
            ("| where n>100 | timechart span=1m count by u", hour, vec!["_time"]),
            ("| timechart span=1m count start=1100", open, vec!["_time | count", "1080 3"]),
        ] {
            let found = table(search, EVENTS, range).await;
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(found, Ok(expected), "{search}");
        }
    }

    /// A value outside of `start` and `end` is no reason to drop the others of its event, nor is a
    /// missing field.
    #[tokio::test]
    async fn values_outside_are_left_out_one_by_one() {
        let events = r#"{"m":["5","50"],"u":"a"}
{"m":["15","7"],"u":"b"}
{"m":"30","u":"c"}
{"m":"x","u":"d"}
{"u":"e"}"#;
        for (search, expected) in [
            ("| chart count by m start=0 end=20 span=10", vec!["m | count", "0-10 2", "10-20 1"]),
            (
                "| chart count over u by m start=0 end=20 span=10",
                vec!["u | 0-10 | 10-20 | NULL", "a 1 0 0", "b 1 1 0", "e 0 0 1"],
            ),
            (
                "| chart count over u by m start=0 end=20 span=10 usenull=f",
                vec!["u | 0-10 | 10-20", "a 1 0", "b 1 1"],
            ),
        ] {
            let found = table(search, events, TimeBounds::default()).await;
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(found, Ok(expected), "{search}");
        }
    }

    #[tokio::test]
    async fn too_many_bins_are_told_before_the_first_row() {
        let day = TimeBounds { earliest: Some(950.0), latest: Some(87_350.0) };
        let many = Err(vec![Code::LIMIT]);
        for (search, is_refused) in [
            ("| timechart span=1s count | head 1", true),
            ("| timechart span=1s count cont=f | head 1", false),
            ("| timechart span=1s count fixedrange=f | head 1", false),
            ("| timechart span=2s count | head 1", false),
        ] {
            let found = table(search, EVENTS, day).await;
            assert_eq!(found == many, is_refused, "{search}: {found:?}");
        }
    }

    #[tokio::test]
    async fn mistakes_are_reported() {
        for (search, code) in [
            ("| chart", Code::MISSING_ARGUMENT),
            ("| chart count by u u", Code::BAD_ARGUMENT),
            ("| chart max(u) by u", Code::BAD_ARGUMENT),
            ("| chart limit=many count by u k", Code::BAD_OPTION),
            ("| chart nosuch(n) by u", Code::UNKNOWN_FUNCTION),
            ("| chart per_hour(n) by u", Code::UNSUPPORTED_FUNCTION),
            ("| chart eval(n/count) by u", Code::BAD_ARGUMENT),
            ("| chart count by u k where max(x) > 1", Code::UNSUPPORTED_OPTION),
            ("| chart count by u k where sum ~ 1", Code::EXPECTED),
            ("| chart count by u k where sum in 5", Code::EXPECTED),
            ("| chart count by u k extra", Code::TRAILING_TEXT),
            ("| timechart count by u k", Code::TRAILING_TEXT),
            ("| chart count sum(n) by u k format=x", Code::BAD_ARGUMENT),
            ("| eval _time=_time*1000 | timechart span=1s count", Code::LIMIT),
        ] {
            let found = table(search, EVENTS, TimeBounds::default()).await;
            assert_eq!(found, Err(vec![code]), "{search}");
        }
    }
}
