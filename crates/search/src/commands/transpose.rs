//! `transpose`: turns rows into columns.

use std::collections::HashSet;

use async_trait::async_trait;
use datafusion::arrow::array::Array;
use datafusion::common::Result as EngineResult;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::{Field, Kind, Value, fields};
use spilltrail_spl::{Arguments, is_reserved};

use super::chart::{MAX_COLUMNS, column_name};
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes, subsearch};
use crate::context::SearchContext;
use crate::lineage::Lineage;
use crate::operators::{KeptRows, gather};
use crate::planning::plan::{Needs, Plan};
use crate::rows::Rows;
use crate::rows::arrow::{ColumnReader, schema_of, to_array};

static DOC: CommandDoc = CommandDoc {
    name: "transpose",
    aliases: &[],
    kind: CommandKind::Transforming,
    summary: "Turn the first rows into columns, and each field into a row.",
    syntax: "transpose [<count>] [column_name=<text>] [header_field=<field>] [include_empty=<bool>]",
    arguments: &[
        Argument::positional("count", Takes::Count)
            .doc("The number of rows to turn into columns; 0 for all. Default `5`."),
        Argument::option("column_name", Takes::Text)
            .default("column")
            .doc("The name of the column with the names of the fields."),
        Argument::option("header_field", Takes::Field)
            .doc("The field whose values name the columns. Without it, they are `row 1`, `row 2` and so on."),
        Argument::option("include_empty", Takes::Bool)
            .default("true")
            .doc("Whether fields without a value in any of these rows have a row."),
    ],
    examples: &[
        Example {
            title: "A column for each row",
            events: r#"{"user":"ann","n":"1"}
{"user":"bob","n":"2"}"#,
            search: "| table user n | transpose",
            results: r#"{"column":"user","row 1":"ann","row 2":"bob"}
{"column":"n","row 1":"1","row 2":"2"}"#,
        },
        Example {
            title: "Columns that are named by a field",
            events: r#"{"user":"ann","n":"1"}
{"user":"bob","n":"2"}"#,
            search: "| table user n | transpose header_field=user column_name=field",
            results: r#"{"field":"n","ann":"1","bob":"2"}"#,
        },
    ],
    differs: &[
        "Fields whose name begins with `_` are left out, except for `_time` and `_raw`.",
        "A column whose name is taken or missing is named `row 1` and so on.",
        "More than 10,000 rows cannot become columns.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

/// The bytes of a column besides its values and its name.
const HELD: usize = 256;

#[derive(Debug)]
struct Transpose {
    count: usize,
    column: String,
    header: Option<String>,
    includes_empty: bool,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    arguments.options();
    let count = arguments.count();
    arguments.finish_with_options()?;
    Ok(Box::new(Transpose {
        count: count.map_or(5, |count| count.value),
        column: arguments.value("column_name"),
        header: arguments.given("header_field").map(|field| field.value),
        includes_empty: arguments.value("include_empty"),
    }))
}

#[async_trait]
impl Command for Transpose {
    fn needs(&self, _: Needs) -> Needs {
        Needs::everything()
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let refused = |error| stage.refused(error);
        let limit = if self.count == 0 { MAX_COLUMNS + 1 } else { self.count };
        let names: Vec<String> = stage.input(input.clone())?.names();
        let rows = subsearch::collect(stage.input(input)?, stage.context, Some(limit)).await;
        let rows = rows.map_err(refused)?.truncated(limit);
        if rows.len() > MAX_COLUMNS {
            let message = format!("more than {MAX_COLUMNS} rows cannot become columns");
            return Err(Diagnostic::error(Code::LIMIT, message)
                .at(stage.span)
                .help("keep fewer rows, for example with `head`"));
        }
        let environment = stage.context.session.runtime_env();
        let memory = MemoryConsumer::new("transpose").register(&environment.memory_pool);
        let rows = self.transposed(&names, &rows, &memory, stage.context).map_err(refused)?;
        KeptRows::of(rows, &environment).and_then(KeptRows::into_plan).map_err(refused)
    }

    fn trace(&self, lineage: &mut Lineage) {
        lineage.group([self.column.clone()], ["*".to_owned()]);
    }
}

impl Transpose {
    /// Returns the table. Each row is read once, and becomes a column before the next is read.
    fn transposed(
        &self,
        names: &[String],
        rows: &KeptRows,
        memory: &MemoryReservation,
        context: &SearchContext,
    ) -> EngineResult<Rows> {
        let names = self.shown(names, rows)?;
        let mut fields = vec![Field::new(&self.column, Kind::Text)];
        let titles = names.iter().map(|name| Value::text(name.as_str()));
        let mut columns = vec![to_array(Kind::Text, titles)];
        let mut taken: HashSet<String> = HashSet::from([self.column.clone()]);
        for batch in rows.batches()? {
            let batch = batch?;
            let header = match &self.header {
                Some(name) => gather::reader(&batch, name)?,
                None => None,
            };
            let readers = names
                .iter()
                .map(|name| gather::reader(&batch, name))
                .collect::<EngineResult<Vec<_>>>()?;
            for row in 0..batch.num_rows() {
                let name = free_header(
                    &value_at(header.as_ref(), row),
                    columns.len(),
                    &mut taken,
                    context,
                );
                let values = || readers.iter().map(move |reader| value_at(reader.as_ref(), row));
                let kind = values().filter_map(|value| kind_of_value(&value)).reduce(Kind::or);
                let kind = kind.unwrap_or(Kind::Text);
                let column = gather::compact(&to_array(kind, values()))?;
                memory.try_grow(column.get_array_memory_size() + 2 * name.len() + HELD)?;
                fields.push(Field::new(name, kind));
                columns.push(column);
            }
        }
        let schema = schema_of(fields.iter().map(|field| (field.name.as_str(), field.kind)));
        let batch = gather::of_columns(&schema, columns, names.len())?;
        Ok(Rows::new(fields, vec![batch], true))
    }

    /// Returns the fields that become rows.
    fn shown<'n>(&self, names: &'n [String], rows: &KeptRows) -> EngineResult<Vec<&'n String>> {
        let is_internal =
            |name: &str| name.starts_with('_') && name != fields::TIME && name != fields::RAW;
        let mut shown: Vec<&String> = names
            .iter()
            .filter(|name| !is_internal(name) && Some(*name) != self.header.as_ref())
            .collect();
        if self.includes_empty {
            return Ok(shown);
        }
        let mut present: HashSet<&String> = HashSet::new();
        for batch in rows.batches()? {
            let batch = batch?;
            for name in &shown {
                let Some(reader) = gather::reader(&batch, name)? else { continue };
                if (0..batch.num_rows()).any(|row| !reader.value(row).is_null()) {
                    present.insert(name);
                }
            }
        }
        shown.retain(|name| present.contains(name));
        Ok(shown)
    }
}

/// Returns the value of a row, which is null without a reader.
fn value_at(reader: Option<&ColumnReader>, row: usize) -> Value<'_> {
    match reader {
        Some(reader) => reader.value(row),
        None => Value::Null,
    }
}

/// Returns the kind of a value, or `None` for null.
fn kind_of_value(value: &Value<'_>) -> Option<Kind> {
    match value {
        Value::Null => None,
        Value::Number(_) => Some(Kind::Number),
        Value::Multi(_) => Some(Kind::Multi),
        Value::Bool(_) | Value::Text(_) => Some(Kind::Text),
    }
}

/// Returns the name of the column of a row, which is the `number`th column from 1, and adds it to
/// those that are taken.
fn free_header(
    value: &Value<'_>,
    number: usize,
    taken: &mut HashSet<String>,
    context: &SearchContext,
) -> String {
    let name = value.to_text().map(|text| {
        // Others stay as they are: a header of `_time` makes the field again.
        if is_reserved(&text) {
            column_name(None, "", &text, "", context)
        } else {
            text.into_owned()
        }
    });
    let name = name.filter(|name| !name.is_empty() && !taken.contains(name));
    let mut name = name.unwrap_or_else(|| format!("row {number}"));
    while !taken.insert(name.clone()) {
        name.push('\'');
    }
    name
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use crate::testing::table;

    #[tokio::test]
    async fn rows_become_columns() {
        let rows = r#"{"_time":5,"u":"a","n":["1","2"]}
{"_time":6,"u":"a","k":"z"}
{"_time":7}"#;
        for (search, expected) in [
            ("| table u n _x | transpose 2", vec!["column | row 1 | row 2", "u a a", "n 1 2 -"]),
            (
                "| table u k x | transpose 0 include_empty=f",
                vec!["column | row 1 | row 2 | row 3", "u a a -", "k - z -"],
            ),
            // A name that is taken or missing is replaced.
            (
                "| table u _time | transpose header_field=u",
                vec!["column | a | row 2 | row 3", "_time 5 6 7"],
            ),
            ("| table u n | where u=\"none\" | transpose", vec!["column", "u", "n"]),
            (
                "| timechart span=1s count | transpose 1 header_field=_time column_name=t",
                vec!["t | 5", "count 1"],
            ),
        ] {
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(table(search, rows).await, Ok(expected), "{search}");
        }
        for (search, code) in [
            ("| transpose u", Code::TRAILING_TEXT),
            ("| transpose -1", Code::BAD_ARGUMENT),
            ("| makeresults count=10001 | transpose 0", Code::LIMIT),
        ] {
            assert_eq!(table(search, rows).await, Err(vec![code]), "{search}");
        }
    }
}
