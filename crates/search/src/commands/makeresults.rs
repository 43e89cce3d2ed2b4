//! `makeresults`: creates rows without reading events.

use std::collections::HashMap;

use async_trait::async_trait;
use indexmap::IndexMap;
use serde::de::IgnoredAny;
use spilltrail_diagnostic::{Code, Diagnostic, Spanned};
use spilltrail_eval::functions::digits;
use spilltrail_event::{Value, fields};
use spilltrail_spl::{Arguments, is_reserved};

use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::lineage::Lineage;
use crate::planning::facts::Facts;
use crate::planning::plan::{Needs, Plan};
use crate::rows::Rows;

/// The maximum number of rows that one `makeresults` creates.
const MAX_ROWS: u64 = 1_000_000;

static DOC: CommandDoc = CommandDoc {
    name: "makeresults",
    aliases: &[],
    kind: CommandKind::Generating,
    summary: "Create rows with the current time, or the rows given in `data`.",
    syntax: "makeresults [count=<int>] [annotate=<bool>] [splunk_server=<text>] [splunk_server_group=<text>] [format=csv|json data=<text>]",
    arguments: &[
        Argument::positional("count", Takes::Count)
            .between(0, MAX_ROWS)
            .doc("The number of rows; short for `count=`."),
        Argument::option("count", Takes::Count)
            .default("1")
            .between(0, MAX_ROWS)
            .doc("The number of rows."),
        Argument::option("annotate", Takes::Bool)
            .default("false")
            .doc("Whether to add empty `_raw`, `host`, `source` and `sourcetype` fields."),
        Argument::option("splunk_server", Takes::Text)
            .default("local")
            .no_effect("a search runs on one machine")
            .doc("The server that creates the rows."),
        Argument::option("splunk_server_group", Takes::Text)
            .no_effect("a search runs on one machine")
            .doc("The servers that create the rows."),
        Argument::option("format", Takes::OneOf(&["csv", "json"])).doc("The format of `data`."),
        Argument::option("data", Takes::Text).doc(
            "The rows, as text. With `format=json`, each object is an event: it has its text as `_raw` and the time of the search as `_time`, and its lists and objects stay JSON text.",
        ),
    ],
    examples: &[
        Example {
            title: "One row, to try an expression",
            events: "",
            search: "| makeresults | eval n=6*7 | table n",
            results: r#"{"n":42}"#,
        },
        Example {
            title: "Rows written in the search",
            events: "",
            search: "| makeresults format=csv data=\"user,n\nann,1\nbob,2\" | table user n",
            results: "{\"user\":\"ann\",\"n\":\"1\"}\n{\"user\":\"bob\",\"n\":\"2\"}",
        },
    ],
    differs: &["`splunk_server` and `splunk_server_group` are never set."],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
enum MakeResults {
    Count {
        count: usize,
        annotate: bool,
    },
    Data {
        rows: Vec<IndexMap<String, Value<'static>>>,
        /// Whether the rows are events, with the current time.
        are_events: bool,
    },
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    arguments.options();
    let number = arguments.count();
    arguments.finish_with_options()?;
    let command = match (arguments.given_at("format"), arguments.given_at("data")) {
        (None, None) => {
            if number.is_some() {
                arguments.without_effect("count", "the number of rows is given without a name too");
            }
            let count = number.map_or_else(|| arguments.value("count"), |number| number.value);
            MakeResults::Count { count, annotate: arguments.value("annotate") }
        }
        (Some(_), Some(_)) => {
            for name in ["count", "annotate"] {
                arguments.without_effect(name, "`data` has the rows");
            }
            if let Some(number) = &number {
                let message = "the number of rows has no effect here";
                let warning = Diagnostic::warning(Code::NO_EFFECT, message).at(number.span);
                arguments.report(warning.help("`data` has the rows"));
            }
            match (arguments.given("format"), arguments.given("data")) {
                (Some(format), Some(data)) => MakeResults::Data {
                    rows: read(format.value, &data)?,
                    are_events: format.value == "json",
                },
                // An option whose value cannot be used is `None` and is already reported.
                _ => MakeResults::Data { rows: Vec::new(), are_events: false },
            }
        }
        (Some(span), None) | (None, Some(span)) => {
            return Err(
                Diagnostic::error(Code::BAD_OPTION, "`format` and `data` go together").at(span)
            );
        }
    };
    Ok(Box::new(command))
}

fn read(
    format: &str,
    data: &Spanned<String>,
) -> Result<Vec<IndexMap<String, Value<'static>>>, Diagnostic> {
    let bad = |error: String| {
        Diagnostic::error(Code::BAD_ARGUMENT, format!("the data cannot be read: {error}"))
            .at(data.span)
    };
    let rows: Vec<IndexMap<String, Value<'static>>> = match format {
        "csv" => {
            let mut reader =
                csv::ReaderBuilder::new().flexible(true).from_reader(data.value.as_bytes());
            let header = reader.headers().map_err(|error| bad(error.to_string()))?.clone();
            reader
                .records()
                .map(|record| {
                    let record = record.map_err(|error| bad(error.to_string()))?;
                    let cells = header.iter().zip(record.iter());
                    Ok(cells
                        .map(|(name, cell)| (name.to_owned(), Value::text(cell.to_owned())))
                        .collect())
                })
                .collect::<Result<_, Diagnostic>>()?
        }
        _ => {
            let rows: Vec<serde_json::Map<String, serde_json::Value>> =
                serde_json::from_str(&digits::marked(&data.value))
                    .map_err(|error| bad(written_error(&data.value, error).to_string()))?;
            rows.into_iter()
                .map(|row| {
                    let object = serde_json::Value::Object(row.clone());
                    let raw = (fields::RAW.to_owned(), json_value(&object));
                    let cell = |(name, value)| (name, json_value(&value));
                    std::iter::once(raw).chain(row.into_iter().map(cell)).collect()
                })
                .collect()
        }
    };
    match rows.iter().flat_map(IndexMap::keys).find(|name| is_reserved(name)) {
        Some(_) => {
            Err(bad("a name has one of the control characters U+0001 and U+0002".to_owned()))
        }
        None => Ok(rows),
    }
}

/// Returns the error of reading rows with the column that it has in the data as written, without
/// marks.
#[expect(clippy::zero_sized_map_values, reason = "only the form of the rows is read")]
fn written_error(data: &str, marked: serde_json::Error) -> serde_json::Error {
    // Values are not read, since a number outside of the range of doubles is no error.
    serde_json::from_str::<Vec<HashMap<String, IgnoredAny>>>(data).err().unwrap_or(marked)
}

fn json_value(value: &serde_json::Value) -> Value<'static> {
    digits::native(value).map_or(Value::Null, Value::text)
}

#[async_trait]
impl Command for MakeResults {
    fn needs(&self, _: Needs) -> Needs {
        Needs::only::<&str>([])
    }

    fn output(&self, _: Option<Vec<String>>) -> Option<Vec<String>> {
        let annotations =
            [fields::TIME, fields::RAW, fields::HOST, fields::SOURCE, fields::SOURCETYPE];
        Some(match self {
            Self::Count { annotate: true, .. } => annotations.map(str::to_owned).to_vec(),
            Self::Count { .. } => vec![fields::TIME.to_owned()],
            Self::Data { rows, are_events } => {
                let names = rows.iter().flat_map(|row| row.keys().cloned());
                names.chain(are_events.then(|| fields::TIME.to_owned())).collect()
            }
        })
    }

    fn facts(&self, facts: &mut Facts) {
        if !matches!(self, Self::Data { are_events: false, .. }) {
            // The rows get the current time as `_time`.
            facts.present("makeresults");
        }
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        stage.must_be_first(input.as_ref())?;
        let rows = match self {
            Self::Data { rows, are_events: false } => Rows::from_records(rows),
            Self::Data { rows, are_events: true } => {
                let now = Value::Number(stage.context.now.floor());
                let with_time = |row: &IndexMap<String, Value<'static>>| {
                    let mut row = row.clone();
                    row.entry(fields::TIME.to_owned()).or_insert_with(|| now.clone());
                    row
                };
                Rows::from_records(&rows.iter().map(with_time).collect::<Vec<_>>())
            }
            Self::Count { count, annotate } => {
                let mut row = IndexMap::new();
                row.insert(fields::TIME.to_owned(), Value::Number(stage.context.now.floor()));
                if *annotate {
                    for name in [fields::RAW, fields::HOST, fields::SOURCE, fields::SOURCETYPE] {
                        row.insert(name.to_owned(), Value::text(""));
                    }
                }
                Rows::repeated(row, *count)
            }
        };
        rows.into_plan().map_err(|error| stage.refused(error))
    }

    fn trace(&self, lineage: &mut Lineage) {
        if !matches!(self, Self::Data { are_events: false, .. }) {
            lineage.measure([fields::TIME.to_owned()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_in_json_have_their_column() {
        for (data, expected) in [
            ("[{\"a\":1.10,\"b\":}]", "expected value at line 1 column 16"),
            ("[{\"a\":1e400,\"b\":123456789012345678901},]", "trailing comma at line 1 column 40"),
            ("[{1.5:2}]", "key must be a string at line 1 column 3"),
            ("[1.10]", "invalid type: floating point `1.1`, expected a map at line 1 column 5"),
        ] {
            let data = Spanned::new(data.to_owned(), spilltrail_diagnostic::Span::new(0, 0));
            let message = read("json", &data).unwrap_err().message;
            assert_eq!(message, format!("the data cannot be read: {expected}"));
        }
    }
}
