//! `gentimes`: makes rows with consecutive ranges of time.

use async_trait::async_trait;
use indexmap::IndexMap;
use jiff::tz::TimeZone;
use spilltrail_diagnostic::{Code, Diagnostic, Spanned};
use spilltrail_event::{Field, Kind, Value};
use spilltrail_spl::time::{self, Span, Unit};
use spilltrail_spl::{Arguments, time::strftime, time::strptime};

use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::planning::facts::Facts;
use crate::planning::plan::{Needs, Plan};
use crate::rows::Rows;

static DOC: CommandDoc = CommandDoc {
    name: "gentimes",
    aliases: &[],
    kind: CommandKind::Generating,
    summary: "Make a row for each of several consecutive ranges of time.",
    syntax: "gentimes start=<time> [end=<time>] [increment=<span>]",
    arguments: &[
        Argument::option("start", Takes::Text).doc(
            "The first instant: `MM/DD/YYYY[:HH:MM:SS]`, or a number of days from today, such as `-5`.",
        ),
        Argument::option("end", Takes::Text)
            .doc("The instant before which the last range begins. Default: the last midnight."),
        Argument::option("increment", Takes::Span)
            .default("1d")
            .doc("The length of the ranges, in seconds, minutes, hours or days."),
    ],
    examples: &[
        Example {
            title: "Two days",
            events: "",
            search: "| gentimes start=11/13/2023 end=11/15/2023",
            results: r#"{"starttime":1699833600,"starthuman":"Mon Nov 13 00:00:00 2023","endtime":1699919999,"endhuman":"Mon Nov 13 23:59:59 2023"}
{"starttime":1699920000,"starthuman":"Tue Nov 14 00:00:00 2023","endtime":1700006399,"endhuman":"Tue Nov 14 23:59:59 2023"}"#,
        },
        Example {
            title: "The hours of a morning",
            events: "",
            search: "| gentimes start=4/1/2021:10:30:00 end=4/1/2021:12:00:00 increment=1h | table starttime endtime",
            results: r#"{"starttime":1617273000,"endtime":1617276599}
{"starttime":1617276600,"endtime":1617280199}"#,
        },
    ],
    differs: &["More than 100,000 ranges are an error."],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

/// The most ranges that are made.
const MAX_RANGES: usize = 100_000;

#[derive(Debug)]
struct GenTimes {
    start: Spanned<String>,
    end: Option<Spanned<String>>,
    increment: Span,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    arguments.finish_with_options()?;
    let Some(start) = arguments.given::<String>("start") else {
        return Err(Diagnostic::error(Code::MISSING_ARGUMENT, "expected `start=`")
            .at(arguments.span())
            .help("for example `gentimes start=-7`"));
    };
    let end = arguments.given::<String>("end");
    for written in [Some(&start), end.as_ref()].into_iter().flatten() {
        if instant(&written.value, 0.0, &TimeZone::UTC).is_none() {
            let message = format!("`{}` is not a time", written.value);
            let help = "a date such as `10/31/2023` or `10/31/2023:12:30:00`, or days from today such as `-5`";
            arguments
                .report(Diagnostic::error(Code::BAD_OPTION, message).at(written.span).help(help));
        }
    }
    let increment: Span = arguments.value("increment");
    if !matches!(increment.unit, Unit::Second | Unit::Minute | Unit::Hour | Unit::Day)
        && let Some(written) = arguments.given_at("increment")
    {
        let message = "an increment is in seconds, minutes, hours or days";
        arguments.report(
            Diagnostic::error(Code::BAD_OPTION, message).at(written).help("for example `12h`"),
        );
    }
    Ok(Box::new(GenTimes { start, end, increment }))
}

/// Returns the instant that is written, or `None` if it cannot be read.
fn instant(text: &str, now: f64, zone: &TimeZone) -> Option<f64> {
    if let Ok(days) = text.parse::<i64>() {
        let today = time::floor(now, Span { count: 1, unit: Unit::Day }, zone);
        let found = time::add(today, days, Unit::Day, zone);
        return found.is_finite().then_some(found);
    }
    const FORMATS: [&str; 4] = ["%m/%d/%Y:%H:%M:%S", "%m/%d/%Y", "%m/%d/%y:%H:%M:%S", "%m/%d/%y"];
    FORMATS.iter().find_map(|format| strptime(text, format, zone))
}

#[async_trait]
impl Command for GenTimes {
    fn needs(&self, _: Needs) -> Needs {
        Needs::only::<&str>([])
    }

    fn output(&self, _: Option<Vec<String>>) -> Option<Vec<String>> {
        Some(["starttime", "starthuman", "endtime", "endhuman"].map(str::to_owned).to_vec())
    }

    fn facts(&self, facts: &mut Facts) {
        let is_relative = |written: &Spanned<String>| written.value.parse::<i64>().is_ok();
        if self.end.as_ref().is_none_or(is_relative) || is_relative(&self.start) {
            facts.present("gentimes");
        }
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        stage.must_be_first(input.as_ref())?;
        let (now, zone) = (stage.context.now, &stage.context.zone);
        let read = |written: &Spanned<String>| {
            instant(&written.value, now, zone).ok_or_else(|| {
                let message = format!("`{}` is not a time", written.value);
                Diagnostic::error(Code::BAD_OPTION, message).at(written.span)
            })
        };
        let mut start = read(&self.start)?;
        let end = match &self.end {
            Some(end) => read(end)?,
            None => time::floor(now, Span { count: 1, unit: Unit::Day }, zone),
        };
        let human = |time: f64| Value::text(strftime(time, "%a %b %e %H:%M:%S %Y", zone));
        let mut rows: Vec<IndexMap<String, Value<'static>>> = Vec::new();
        let increment = self.increment;
        while start < end {
            if rows.len() == MAX_RANGES {
                let message = format!("`gentimes` makes more than {MAX_RANGES} ranges");
                return Err(Diagnostic::error(Code::LIMIT, message)
                    .at(stage.span)
                    .help("choose a longer `increment`, or a later `start`"));
            }
            let next = time::add(start, i64::from(increment.count), increment.unit, zone);
            let last = next - 1.0;
            rows.push(IndexMap::from([
                ("starttime".to_owned(), Value::Number(start)),
                ("starthuman".to_owned(), human(start)),
                ("endtime".to_owned(), Value::Number(last)),
                ("endhuman".to_owned(), human(last)),
            ]));
            if next.is_nan() || next <= start {
                break;
            }
            start = next;
        }
        let fields = vec![
            Field::new("starttime", Kind::Number),
            Field::new("starthuman", Kind::Text),
            Field::new("endtime", Kind::Number),
            Field::new("endhuman", Kind::Text),
        ];
        Rows::with_fields(fields, &rows).into_plan().map_err(|error| stage.refused(error))
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use crate::testing::table;

    #[tokio::test]
    async fn ranges_follow_each_other() {
        // The clock of tests is at 2023-11-14 22:13:20.
        for (search, expected) in [
            (
                "| gentimes start=-2 | table starttime endtime",
                vec!["starttime | endtime", "1699747200 1699833599", "1699833600 1699919999"],
            ),
            (
                "| gentimes start=11/1/2023 end=11/1/2023:00:00:10 increment=7s | table starthuman",
                vec!["starthuman", "Wed Nov  1 00:00:00 2023", "Wed Nov  1 00:00:07 2023"],
            ),
            (
                "| gentimes start=11/1/23 end=11/2/23 | table starttime",
                vec!["starttime", "1698796800"],
            ),
            ("| gentimes start=1 end=1 | table starttime", vec!["starttime"]),
        ] {
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(table(search, "").await, Ok(expected), "{search}");
        }
        for (search, code) in [
            ("| gentimes", Code::MISSING_ARGUMENT),
            ("| gentimes start=monday", Code::BAD_OPTION),
            ("| gentimes start=-5 end=x", Code::BAD_OPTION),
            ("| gentimes start=-5 increment=1mon", Code::BAD_OPTION),
            ("| gentimes start=-5 increment=1s", Code::LIMIT),
            ("| stats count | gentimes start=-5", Code::NOT_GENERATING),
        ] {
            assert_eq!(table(search, "").await, Err(vec![code]), "{search}");
        }
    }
}
