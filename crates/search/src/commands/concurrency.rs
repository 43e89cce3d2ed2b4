//! `concurrency`: counts the events that are in progress when an event starts.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result as EngineResult;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::{Field, Kind, Value};
use spilltrail_spl::Arguments;

use super::{Argument, Codec, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::lineage::Lineage;
use crate::operators::gather::{self, Gathering, Given, HeldRows};
use crate::planning::plan::{Needs, Plan};
use crate::rows::arrow::ColumnBuilder;

static DOC: CommandDoc = CommandDoc {
    name: "concurrency",
    aliases: &[],
    kind: CommandKind::Dataset,
    summary: "Count for each event the events that are in progress when it starts.",
    syntax: "concurrency duration=<field> [start=<field>] [output=<field>]",
    arguments: &[
        Argument::option("duration", Takes::Field)
            .doc("The field with the length of each event, in the unit of its start."),
        Argument::option("start", Takes::Field)
            .default("_time")
            .doc("The field with the start of each event."),
        Argument::option("output", Takes::Field)
            .default("concurrency")
            .doc("The field for the number of events in progress, with the event itself."),
    ],
    examples: &[
        Example {
            title: "Sessions that are open when another one begins",
            events: r#"{"_time":30,"user":"eve","duration":"5"}
{"_time":20,"user":"bob","duration":"60"}
{"_time":10,"user":"ann","duration":"15"}"#,
            search: "| concurrency duration=duration | table user concurrency",
            results: r#"{"user":"eve","concurrency":2}
{"user":"bob","concurrency":2}
{"user":"ann","concurrency":1}"#,
        },
        Example {
            title: "Other fields for the start and the number",
            events: r#"{"from":"0","ms":"100"}
{"from":"50","ms":"10"}
{"from":"100","ms":"0"}"#,
            search: "| concurrency start=from duration=ms output=open | table from open",
            results: r#"{"from":"0","open":1}
{"from":"50","open":2}
{"from":"100","open":2}"#,
        },
    ],
    differs: &[
        "An event is in progress at its first and at its last instant.",
        "Events without numbers for start and duration, or with a negative duration, get no number and are not counted.",
        "The number of events in progress has no limit.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::gathering::<InProgress>();

#[derive(Debug)]
struct Concurrency {
    fields: InProgress,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    arguments.finish_with_options()?;
    let Some(duration) = arguments.given::<String>("duration") else {
        return Err(Diagnostic::error(Code::MISSING_ARGUMENT, "expected `duration=`")
            .at(arguments.span())
            .help("for example `transaction user | concurrency duration=duration`"));
    };
    let fields = InProgress {
        duration: duration.value,
        start: arguments.value("start"),
        output: arguments.value("output"),
    };
    Ok(Box::new(Concurrency { fields }))
}

#[async_trait]
impl Command for Concurrency {
    fn needs(&self, after: Needs) -> Needs {
        let InProgress { duration, start, output } = &self.fields;
        after.without([output]).and([duration, start])
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        let mut names = before?;
        names.push(self.fields.output.clone());
        Some(names)
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?.forgetting([self.fields.output.as_str()]);
        Ok(input.operator(Arc::new(self.fields.clone())))
    }

    fn trace(&self, lineage: &mut Lineage) {
        lineage.measure([self.fields.output.clone()]);
    }
}

/// Counts the events in progress.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct InProgress {
    duration: String,
    start: String,
    output: String,
}

impl Gathering for InProgress {
    const NAME: &'static str = "concurrency";

    fn output(&self, input: &[Field]) -> Vec<Field> {
        gather::fields_with(input, &[Field::new(&self.output, Kind::Number)])
    }

    fn given(self, mut rows: HeldRows, output: SchemaRef) -> EngineResult<Given> {
        let mut spans = Spans::default();
        for batch in rows.replay()? {
            let batch = batch?;
            rows.learn(batch.num_rows() * 2 * size_of::<f64>())?;
            for (start, end) in self.spans(&batch)?.into_iter().flatten() {
                spans.add(start, end);
            }
        }
        spans.sort();
        Ok(Box::new(rows.give()?.map(move |batch| {
            let batch = batch?;
            let mut column = ColumnBuilder::new(Kind::Number);
            for span in self.spans(&batch)? {
                let count = span.map(|(start, _)| spans.in_progress(start));
                #[expect(clippy::cast_precision_loss, reason = "rows are fewer than 2^53")]
                column.push(count.map_or(Value::Null, |count| Value::Number(count as f64)));
            }
            gather::batch_with(&batch, &output, &[(self.output.clone(), column.finish())])
        })))
    }
}

impl InProgress {
    /// Returns the start and the end of each event of a batch, if it has both.
    fn spans(&self, batch: &RecordBatch) -> EngineResult<Vec<Option<(f64, f64)>>> {
        let starts = gather::reader(batch, &self.start)?;
        let durations = gather::reader(batch, &self.duration)?;
        let Some((starts, durations)) = starts.zip(durations) else {
            return Ok(vec![None; batch.num_rows()]);
        };
        let span = |row: usize| {
            let start = starts.value(row).as_number().filter(|start| start.is_finite())?;
            let duration = durations.value(row).as_number().filter(|length| *length >= 0.0)?;
            Some((start, start + duration))
        };
        Ok((0..batch.num_rows()).map(span).collect())
    }
}

/// The starts and the ends of all events.
#[derive(Debug, Default)]
struct Spans {
    starts: Vec<f64>,
    ends: Vec<f64>,
}

impl Spans {
    fn add(&mut self, start: f64, end: f64) {
        self.starts.push(start);
        self.ends.push(end);
    }

    fn sort(&mut self) {
        self.starts.sort_by(f64::total_cmp);
        self.ends.sort_by(f64::total_cmp);
    }

    /// Returns the number of events in progress at an instant, once they are sorted.
    fn in_progress(&self, instant: f64) -> usize {
        let started = self.starts.partition_point(|start| *start <= instant);
        started - self.ends.partition_point(|end| *end < instant)
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use super::*;
    use crate::testing::table;

    #[test]
    fn events_are_in_progress_from_start_to_end() {
        let mut spans = Spans::default();
        for (start, end) in [(5.0, 9.0), (0.0, 10.0), (9.0, 9.0), (-3.0, 5.0)] {
            spans.add(start, end);
        }
        spans.sort();
        for (instant, expected) in
            [(-4.0, 0), (-3.0, 1), (0.0, 2), (5.0, 3), (6.0, 2), (9.0, 3), (10.0, 1), (11.0, 0)]
        {
            assert_eq!(spans.in_progress(instant), expected, "{instant}");
        }
    }

    #[tokio::test]
    async fn events_without_numbers_do_not_count() {
        let rows = r#"{"_time":1,"d":"10"}
{"_time":2,"d":"x"}
{"_time":3}
{"_time":4,"d":"-9"}
{"d":"9"}
{"_time":11,"d":"0.5"}
{"_time":12,"d":"1"}"#;
        for (search, expected) in [
            (
                "| concurrency duration=d | table concurrency",
                vec!["concurrency", "1", "-", "-", "-", "-", "2", "1"],
            ),
            // The number replaces a field that is read.
            (
                "| concurrency duration=d output=d | table d",
                vec!["d", "1", "-", "-", "-", "-", "2", "1"],
            ),
            (
                "| where d=10 | concurrency duration=nosuch | table concurrency",
                vec!["concurrency", "-"],
            ),
        ] {
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(table(search, rows).await, Ok(expected), "{search}");
        }
        for (options, code) in [
            ("", Code::MISSING_ARGUMENT),
            ("start=a", Code::MISSING_ARGUMENT),
            ("duration=d e", Code::TRAILING_TEXT),
        ] {
            let search = format!("| concurrency {options}");
            assert_eq!(table(&search, rows).await, Err(vec![code]), "{options}");
        }
    }
}
