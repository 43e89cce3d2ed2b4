//! `gauge`: one value and the ends of its ranges, for a chart of it.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result as EngineResult;
use datafusion::execution::TaskContext;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::{Field, Kind, Value};
use spilltrail_spl::Arguments;

use super::{Argument, Codec, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::lineage::Lineage;
use crate::operators::{Operator, Running, gather};
use crate::planning::plan::{Needs, Plan};
use crate::rows::arrow::to_array;
use crate::rows::state::state_of;

/// The ends of the range if none are given.
const DEFAULT_ENDS: [f64; 2] = [0.0, 100.0];

static DOC: CommandDoc = CommandDoc {
    name: "gauge",
    aliases: &[],
    kind: CommandKind::Transforming,
    summary: "Return one row with a value and the ends of ranges, as charts of one value need it.",
    syntax: "gauge <value> [<end> <end> …]",
    arguments: &[
        Argument::positional("value", Takes::Field).doc("A field, of which the first number counts, or a number. It becomes `x`."),
        Argument::positional("end", Takes::Fields).doc(
            "The ends of the ranges, two or more: fields or numbers, as the value. They become `y1`, `y2` and so on. Default: 0 and 100. A single end is ignored, with a warning.",
        ),
    ],
    examples: &[
        Example {
            title: "A number of events, and three ranges for it",
            events: "{\"user\":\"ann\"}\n{\"user\":\"bob\"}",
            search: "| stats count | gauge count 0 10 100 1000",
            results: r#"{"x":2,"y1":0,"y2":10,"y3":100,"y4":1000}"#,
        },
        Example {
            title: "The first number of each field counts",
            events: "{\"used\":\"40\"}\n{\"used\":\"70\",\"quota\":\"50\"}",
            search: "| gauge used 0 quota",
            results: r#"{"x":40,"y1":0,"y2":50}"#,
        },
    ],
    differs: &["Without rows there is no result."],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::operator::<Gauge>("gauge");

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut sources = Vec::new();
    while !arguments.is_empty() {
        sources.push(source(arguments)?);
        arguments.symbol(",");
    }
    match sources.len() {
        0 => {
            return Err(Diagnostic::error(Code::MISSING_ARGUMENT, "expected a field or a number")
                .at(arguments.span())
                .help("for example `stats count | gauge count 0 10 100`"));
        }
        given @ (1 | 2) => {
            if given == 2 {
                let message = "a single end of ranges has no effect";
                arguments.report(
                    Diagnostic::warning(Code::NO_EFFECT, message)
                        .at(arguments.span())
                        .help("give two or more, for example `gauge count 0 100`"),
                );
            }
            sources.truncate(1);
            sources.extend(DEFAULT_ENDS.map(Source::Number));
        }
        _ => {}
    }
    Ok(Box::new(Gauge { sources }))
}

fn source(arguments: &mut Arguments<'_>) -> Result<Source, Diagnostic> {
    let mut ahead = arguments.clone();
    let number = ahead.word().and_then(|word| word.value.parse::<f64>().ok());
    match number.filter(|number| number.is_finite()) {
        Some(number) => {
            *arguments = ahead;
            Ok(Source::Number(number))
        }
        None => Ok(Source::Field(arguments.one_field()?.value)),
    }
}

/// Where a number comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Source {
    Number(#[serde(with = "spilltrail_event::exact")] f64),
    /// The first number of a field.
    Field(String),
}

/// Returns the value and the ends of the ranges in one row.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Gauge {
    /// The value, and then the ends.
    sources: Vec<Source>,
}

impl Gauge {
    fn fields(&self) -> impl Iterator<Item = &String> {
        self.sources.iter().filter_map(|source| match source {
            Source::Field(name) => Some(name),
            Source::Number(_) => None,
        })
    }

    fn outputs(&self) -> Vec<String> {
        let name = |place| if place == 0 { "x".to_owned() } else { format!("y{place}") };
        (0..self.sources.len()).map(name).collect()
    }
}

#[async_trait]
impl Command for Gauge {
    fn needs(&self, _: Needs) -> Needs {
        Needs { order: true, ..Needs::only(self.fields()) }
    }

    fn output(&self, _: Option<Vec<String>>) -> Option<Vec<String>> {
        Some(self.outputs())
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let mut plan = stage.input(input)?.operator(Arc::new(self.clone()));
        plan.transformed = true;
        Ok(plan)
    }

    fn grouping(&self) -> Option<Vec<String>> {
        Some(Vec::new())
    }

    fn trace(&self, lineage: &mut Lineage) {
        lineage.group([], self.outputs());
    }
}

impl Operator for Gauge {
    fn name(&self) -> &'static str {
        "gauge"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn output(&self, _: &[Field]) -> Vec<Field> {
        self.outputs().into_iter().map(|name| Field::new(name, Kind::Number)).collect()
    }

    fn needs_rows(&self) -> bool {
        true
    }

    fn start(
        &self,
        _: SchemaRef,
        output: SchemaRef,
        _: &TaskContext,
    ) -> EngineResult<Box<dyn Running>> {
        let number = |source: &Source| match source {
            Source::Number(number) => Some(*number),
            Source::Field(_) => None,
        };
        let found = self.sources.iter().map(number).collect();
        Ok(Box::new(Reading {
            gauge: self.clone(),
            output,
            found,
            has_rows: false,
            is_given: false,
        }))
    }
}

struct Reading {
    gauge: Gauge,
    output: SchemaRef,
    /// The numbers that are known so far.
    found: Vec<Option<f64>>,
    has_rows: bool,
    is_given: bool,
}

impl Running for Reading {
    fn push(&mut self, batch: RecordBatch) -> EngineResult<Option<RecordBatch>> {
        self.has_rows |= batch.num_rows() > 0;
        for (source, found) in self.gauge.sources.iter().zip(&mut self.found) {
            let Source::Field(name) = source else { continue };
            if found.is_some() {
                continue;
            }
            let Some(reader) = gather::reader(&batch, name)? else { continue };
            let number = |row| reader.value(row).as_number().filter(|number| number.is_finite());
            *found = (0..batch.num_rows()).find_map(number);
        }
        Ok(None)
    }

    fn finish(&mut self) -> EngineResult<Option<RecordBatch>> {
        if self.is_given || !self.has_rows {
            return Ok(None);
        }
        self.is_given = true;
        let columns = self
            .found
            .iter()
            .map(|number| to_array(Kind::Number, [number.map_or(Value::Null, Value::Number)]));
        gather::of_columns(&self.output, columns.collect(), 1).map(Some)
    }

    fn is_done(&self) -> bool {
        self.has_rows && self.found.iter().all(Option::is_some)
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use crate::testing::table;

    #[tokio::test]
    async fn the_first_number_of_a_field_counts() {
        let rows = "{\"a\":\"x\"}\n{\"a\":\"7\",\"b\":\"1\"}\n{\"a\":\"8\",\"b\":\"2\"}";
        for (search, expected) in [
            ("| gauge a", vec!["x | y1 | y2", "7 0 100"]),
            // Search Reference: a single end is ignored.
            ("| gauge a 5", vec!["x | y1 | y2", "7 0 100"]),
            ("| gauge 5 -1 b", vec!["x | y1 | y2", "5 -1 1"]),
            ("| gauge b, 0, 1.5, a", vec!["x | y1 | y2 | y3", "1 0 1.5 7"]),
            ("| gauge nosuch 1 2", vec!["x | y1 | y2", "- 1 2"]),
            ("| where b=9 | gauge a 1 2", vec!["x | y1 | y2"]),
            ("| sort - b | gauge a b a", vec!["x | y1 | y2", "8 2 8"]),
        ] {
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(table(search, rows).await, Ok(expected), "{search}");
        }
        for (search, code) in
            [("| gauge", Code::MISSING_ARGUMENT), ("| gauge a* 1 2", Code::BAD_ARGUMENT)]
        {
            assert_eq!(table(search, rows).await, Err(vec![code]), "{search}");
        }
    }
}
