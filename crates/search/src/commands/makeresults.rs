//! `makeresults`: makes rows out of nothing.

use async_trait::async_trait;
use indexmap::IndexMap;
use spilltrail_diagnostic::{Code, Diagnostic, Spanned};
use spilltrail_event::{Value, fields};
use spilltrail_spl::Arguments;

use super::{Command, CommandDoc, CommandKind, Entry, Example, Stage, options};
use crate::planning::plan::{Needs, Plan};
use crate::rows::Rows;

/// Rows that one `makeresults` makes, at most.
const MAX_ROWS: usize = 1_000_000;

static DOC: CommandDoc = CommandDoc {
    name: "makeresults",
    aliases: &[],
    kind: CommandKind::Generating,
    summary: "Makes rows with the current time, or the rows written in `data`.",
    syntax: "makeresults [count=<int>] [annotate=<bool>] [format=csv|json data=<text>]",
    arguments: &[
        ("count", "How many rows. Default 1."),
        ("annotate", "Adds empty `_raw`, `host`, `source`, `sourcetype`, `splunk_server`."),
        ("format", "`csv` or `json`: how `data` is written."),
        ("data", "The rows."),
    ],
    examples: &[
        Example {
            title: "One row to try an expression on",
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
    Count { count: usize, annotate: bool },
    Data(Vec<IndexMap<String, Value<'static>>>),
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let (mut count, mut annotate) = (1, false);
    let (mut format, mut data): (Option<Spanned<String>>, Option<Spanned<String>>) = (None, None);
    while let Some((name, value)) = arguments.any_option() {
        match name.value.to_ascii_lowercase().as_str() {
            "count" => count = options::count(&value)?,
            "annotate" => annotate = options::boolean(&value)?,
            "format" => format = Some(value),
            "data" => data = Some(value),
            other => {
                let message = format!("`makeresults` has no option `{other}`");
                return Err(Diagnostic::error(Code::BAD_OPTION, message).at(name.span));
            }
        }
    }
    if count == 1
        && let Some(number) = arguments.integer()
    {
        count = usize::try_from(number.value).unwrap_or(0);
    }
    arguments.finish()?;
    if count > MAX_ROWS {
        let message = format!("`makeresults` makes at most {MAX_ROWS} rows");
        return Err(Diagnostic::error(Code::LIMIT, message).at(arguments.span()));
    }
    let command = match (format, data) {
        (None, None) => MakeResults::Count { count, annotate },
        (Some(format), Some(data)) => MakeResults::Data(read(&format, &data)?),
        _ => {
            return Err(Diagnostic::error(Code::BAD_OPTION, "`format` and `data` go together")
                .at(arguments.span()));
        }
    };
    Ok(Box::new(command))
}

fn read(
    format: &Spanned<String>,
    data: &Spanned<String>,
) -> Result<Vec<IndexMap<String, Value<'static>>>, Diagnostic> {
    let bad = |error: String| {
        Diagnostic::error(Code::BAD_ARGUMENT, format!("the data cannot be read: {error}"))
            .at(data.span)
    };
    match format.value.as_str() {
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
                .collect()
        }
        "json" => {
            let rows: Vec<serde_json::Map<String, serde_json::Value>> =
                serde_json::from_str(&data.value).map_err(|error| bad(error.to_string()))?;
            Ok(rows
                .into_iter()
                .map(|row| row.into_iter().map(|(name, value)| (name, json_value(value))).collect())
                .collect())
        }
        other => Err(Diagnostic::error(
            Code::BAD_OPTION,
            format!("expected `csv` or `json`, found `{other}`"),
        )
        .at(format.span)),
    }
}

fn json_value(value: serde_json::Value) -> Value<'static> {
    match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::String(text) => Value::text(text),
        serde_json::Value::Array(items)
            if items.iter().all(|i| !i.is_object() && !i.is_array()) =>
        {
            let texts = items.into_iter().map(json_value);
            Value::multi(texts.flat_map(Value::into_members).collect())
        }
        other => Value::text(other.to_string()),
    }
}

#[async_trait]
impl Command for MakeResults {
    fn needs(&self, _: Needs) -> Needs {
        Needs::only::<&str>([])
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        stage.must_be_first(input.as_ref())?;
        let records = match self {
            Self::Data(rows) => rows.clone(),
            Self::Count { count, annotate } => {
                let mut row = IndexMap::new();
                row.insert(fields::TIME.to_owned(), Value::Number(stage.context.now.floor()));
                if *annotate {
                    for name in [fields::RAW, fields::HOST, fields::SOURCE, fields::SOURCETYPE] {
                        row.insert(name.to_owned(), Value::text(""));
                    }
                }
                vec![row; *count]
            }
        };
        Rows::from_records(&records).into_plan().map_err(|error| stage.refused(error))
    }
}
