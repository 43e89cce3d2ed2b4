//! `transpose`: turns rows into columns.

use std::collections::HashSet;

use async_trait::async_trait;
use indexmap::IndexMap;
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::{Field, Kind, Value, fields};
use spilltrail_spl::Arguments;

use super::chart::MAX_COLUMNS;
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes, subsearch};
use crate::lineage::Lineage;
use crate::planning::plan::{Needs, Plan};
use crate::rows::{Row, Rows};

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
        let rows: Vec<Row> = rows.in_memory().map_err(refused)?.iter().collect();
        let mut rows = self.transposed(&names, &rows);
        rows.transformed = true;
        rows.into_plan().map_err(refused)
    }

    fn trace(&self, lineage: &mut Lineage) {
        lineage.group([self.column.clone()], ["*".to_owned()]);
    }
}

impl Transpose {
    fn transposed(&self, names: &[String], rows: &[Row]) -> Rows {
        let headers = self.headers(rows);
        let is_shown = |name: &&String| {
            let is_internal =
                name.starts_with('_') && *name != fields::TIME && *name != fields::RAW;
            let is_empty = || !rows.iter().any(|row| row.contains_key(*name));
            !is_internal
                && Some(*name) != self.header.as_ref()
                && (self.includes_empty || !is_empty())
        };
        let mut records: Vec<IndexMap<String, Value<'_>>> = Vec::new();
        for name in names.iter().filter(is_shown) {
            let mut record = IndexMap::new();
            record.insert(self.column.clone(), Value::text(name.as_str()));
            for (header, row) in headers.iter().zip(rows) {
                let value = row.get(name).cloned().unwrap_or(Value::Null);
                record.insert(header.clone(), value);
            }
            records.push(record);
        }
        let kind = |header: &String| {
            let kinds = records.iter().filter_map(|record| match record.get(header)? {
                Value::Null => None,
                Value::Number(_) => Some(Kind::Number),
                Value::Multi(_) => Some(Kind::Multi),
                _ => Some(Kind::Text),
            });
            kinds.reduce(Kind::or).unwrap_or(Kind::Text)
        };
        let columns = headers.iter().map(|header| Field::new(header, kind(header)));
        let first = Field::new(&self.column, Kind::Text);
        Rows::with_fields(std::iter::once(first).chain(columns).collect(), &records)
    }

    /// Returns the name of the column of each row.
    fn headers(&self, rows: &[Row]) -> Vec<String> {
        let mut taken: HashSet<String> = HashSet::from([self.column.clone()]);
        let mut headers = Vec::with_capacity(rows.len());
        for (place, row) in rows.iter().enumerate() {
            let value = self.header.as_ref().and_then(|header| row.get(header)?.to_text());
            let value = value.filter(|text| !text.is_empty() && !taken.contains(&**text));
            let mut name = value.map_or_else(|| format!("row {}", place + 1), |v| v.into_owned());
            while !taken.insert(name.clone()) {
                name.push('\'');
            }
            headers.push(name);
        }
        headers
    }
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
