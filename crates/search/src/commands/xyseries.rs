//! `xyseries`: turns rows into a table with a column for each value of a field.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::common::Result as EngineResult;
use datafusion::execution::memory_pool::MemoryConsumer;
use spilltrail_diagnostic::{Code, Diagnostic, Spanned};
use spilltrail_event::Kind;
use spilltrail_spl::Arguments;

use super::chart::{
    Cell, MAX_COLUMNS, Pivot, ROW, Range, SERIES, column_name, free_name, too_wide,
};
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes, subsearch};
use crate::context::SearchContext;
use crate::lineage::Lineage;
use crate::operators::{KeptRows, gather};
use crate::planning::order;
use crate::planning::plan::{Needs, Plan, column};
use crate::rows::convert::to_kind;
use crate::rows::sort_key::{AutoKey, SortAs, sort_key};

static DOC: CommandDoc = CommandDoc {
    name: "xyseries",
    aliases: &["maketable"],
    kind: CommandKind::Transforming,
    summary: "Turn rows into a table with a row for each value of one field and a column for each value of another.",
    syntax: "xyseries [grouped=<bool>] <x field> <y name field> <y data field> … [sep=<text>] [format=<text>]",
    arguments: &[
        Argument::option("grouped", Takes::Bool)
            .default("false")
            .doc("Whether the rows are in order already: those with the same value follow each other, and the order is kept."),
        Argument::positional("x field", Takes::Field).doc("The field whose values are the rows."),
        Argument::positional("y name field", Takes::Field)
            .doc("The field whose values are the columns."),
        Argument::positional("y data field", Takes::Fields)
            .doc("The fields with the values of the cells."),
        Argument::option("sep", Takes::Text).default(": ").doc(
            "The text between data field and value in the names of columns, if there are several data fields.",
        ),
        Argument::option("format", Takes::Text).doc(
            "The names of columns, if there are several data fields: a text with `$AGG$` for the data field and `$VAL$` for the value.",
        ),
    ],
    examples: &[
        Example {
            title: "A column for each metric",
            events: r#"{"host":"b","metric":"cpu","value":"3"}
{"host":"a","metric":"cpu","value":"1"}
{"host":"a","metric":"mem","value":"2"}"#,
            search: "| xyseries host metric value",
            results: r#"{"host":"a","cpu":"1","mem":"2"}
{"host":"b","cpu":"3"}"#,
        },
        Example {
            title: "Two data fields",
            events: r#"{"user":"ann","action":"get","n":"1","size":"7"}
{"user":"ann","action":"put","n":"2","size":"8"}"#,
            search: "| xyseries user action n size format=$VAL$_$AGG$",
            results: r#"{"user":"ann","get_n":"1","put_n":"2","get_size":"7","put_size":"8"}"#,
        },
    ],
    differs: &[
        "Unless `grouped=t`, rows are sorted by their value, and columns always are: numbers by value, before text.",
        "Rows without one of the first two fields are left out. Of several values of a cell, the last is kept.",
        "More than 10,000 columns are an error.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct XySeries {
    row: Spanned<String>,
    series: Spanned<String>,
    data: Vec<String>,
    format: String,
    is_grouped: bool,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut fields: Vec<Spanned<String>> = Vec::new();
    while arguments.more() {
        fields.extend(arguments.fields()?);
    }
    arguments.finish()?;
    arguments.each_is_one_field(&fields);
    let Some(([row, series], data)) =
        fields.split_first_chunk::<2>().filter(|(_, d)| !d.is_empty())
    else {
        return Err(Diagnostic::error(Code::MISSING_ARGUMENT, "expected at least three fields")
            .at(arguments.span())
            .help("for example `xyseries host metric value`"));
    };
    arguments.each_once(&fields);
    if data.len() == 1 {
        for name in ["sep", "format"] {
            arguments.without_effect(name, "columns are named by the value alone");
        }
    } else if arguments.given_at("format").is_some() {
        arguments.without_effect("sep", "`format` says how columns are named");
    }
    let format = arguments.given::<String>("format").map(|format| format.value);
    Ok(Box::new(XySeries {
        row: row.clone(),
        series: series.clone(),
        data: data.iter().map(|field| field.value.clone()).collect(),
        format: format.unwrap_or_else(|| format!("$AGG${}$VAL$", arguments.value::<String>("sep"))),
        is_grouped: arguments.value("grouped"),
    }))
}

#[async_trait]
impl Command for XySeries {
    fn needs(&self, _: Needs) -> Needs {
        let fields = [&self.row.value, &self.series.value].into_iter().chain(&self.data);
        // The last of several values counts.
        Needs { order: true, ..Needs::only(fields) }
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let refused = |error| stage.refused(error);
        let plan = self.reduced(stage.input(input)?).map_err(refused)?;
        let rows = subsearch::collect(plan, stage.context, None).await.map_err(refused)?;
        let series = series(&rows, stage.context).map_err(refused)?;
        let count = series.len() * self.data.len();
        if count > MAX_COLUMNS {
            return Err(too_wide(&self.series, count));
        }
        let mut names: HashSet<String> = HashSet::from([self.row.value.clone()]);
        let mut cells = Vec::with_capacity(count);
        let format = (self.data.len() > 1).then_some(self.format.as_str());
        for data in &self.data {
            for value in &series {
                let name = column_name(format, data, value, &self.row.value, stage.context);
                let name = free_name(name, format, &mut names, stage.span)?;
                let field = rows.fields.iter().find(|field| field.name == *data);
                cells.push(Cell {
                    name,
                    series: Some(value.clone()),
                    column: data.clone(),
                    kind: field.map_or(Kind::Text, |field| field.kind),
                    is_count: false,
                    rate: None,
                });
            }
        }
        let plan = rows.into_plan().map_err(refused)?;
        // A value can have the name of a field with a style.
        let mut plan = plan.forgetting(cells.iter().map(|cell| cell.name.as_str()));
        if !self.is_grouped {
            // Texts such as `1` and `1.0` are equal numbers, but two rows.
            let mut keys = vec![column(ROW).sort(true, false)];
            if plan.kind(ROW) != Some(Kind::Number) {
                keys.insert(0, sort_key(column(ROW), SortAs::Auto).sort(true, false));
            }
            plan = order::stable_sort(plan, keys).map_err(refused)?;
        }
        let mut plan = plan.operator(Arc::new(Pivot {
            row: ROW.to_owned(),
            series: SERIES.to_owned(),
            field: self.row.value.clone(),
            bins: None,
            range: Range::default(),
            cells,
        }));
        plan.transformed = true;
        Ok(plan)
    }

    fn grouping(&self) -> Option<Vec<String>> {
        Some(vec![self.row.value.clone()])
    }

    fn trace(&self, lineage: &mut Lineage) {
        // The names of columns follow from the rows.
        lineage.group([self.row.value.clone()], ["*".to_owned()]);
    }
}

impl XySeries {
    /// Reduces the rows to the columns of the table: those that have a row and a series.
    fn reduced(&self, input: Plan) -> EngineResult<Plan> {
        let mut names = vec![self.row.value.clone(), self.series.value.clone()];
        names.extend(self.data.iter().cloned());
        let plan = input.select(&names)?;
        let text = |name: &str, kind: Kind| match kind {
            Kind::Multi => (to_kind(column(name), kind, Kind::Text), Kind::Text),
            _ => (column(name), kind),
        };
        let row = plan.kind(&self.row.value).unwrap_or(Kind::Text);
        let (row, row_kind) = text(&self.row.value, row);
        let series = plan.kind(&self.series.value).unwrap_or(Kind::Text);
        let series = to_kind(column(&self.series.value), series, Kind::Text);
        let mut columns =
            vec![(ROW.to_owned(), row, row_kind), (SERIES.to_owned(), series, Kind::Text)];
        let data = self.data.iter().map(|name| {
            let kind = plan.kind(name).unwrap_or(Kind::Text);
            (name.clone(), column(name), kind)
        });
        columns.extend(data);
        let plan = plan.project(columns)?;
        plan.filter(column(ROW).is_not_null().and(column(SERIES).is_not_null()))
    }
}

/// Returns the series of the rows, in the order of their columns.
fn series(rows: &KeptRows, context: &SearchContext) -> EngineResult<Vec<String>> {
    let pool = context.session.runtime_env().memory_pool.clone();
    let memory = MemoryConsumer::new("xyseries").register(&pool);
    // Texts such as `1` and `1.0` have the same key, but are two columns.
    let mut names: BTreeSet<(AutoKey<'static>, String)> = BTreeSet::new();
    for batch in rows.batches()? {
        let batch = batch?;
        let Some(reader) = gather::reader(&batch, SERIES)? else { continue };
        for row in 0..batch.num_rows() {
            let value = reader.value(row);
            let key = AutoKey::of(&value).map(AutoKey::into_owned);
            let Some((key, name)) = key.zip(value.to_text()) else { continue };
            let column = (key, name.into_owned());
            if !names.contains(&column) {
                memory.try_grow(2 * column.1.len() + 128)?;
                names.insert(column);
            }
        }
    }
    Ok(names.into_iter().map(|(_, name)| name).collect())
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use crate::testing::table;

    const ROWS: &str = r#"{"x":"10","y":"b","n":"1","m":"5"}
{"x":"9","y":"_a","n":"2"}
{"x":"10","y":"b","n":"3"}
{"y":"b","n":"4"}
{"x":"10","n":"4"}
{"x":"9","y":["a","b"],"n":"6"}"#;

    #[tokio::test]
    async fn rows_become_columns() {
        for (search, expected) in [
            // The last value of a cell counts, and a row needs both names.
            ("| xyseries x y n", vec!["x | VALUE_a | a b | b", "9 2 6 -", "10 - - 3"]),
            (
                "| xyseries grouped=t x y n",
                vec!["x | VALUE_a | a b | b", "10 - - 1", "9 2 - -", "10 - - 3", "9 - 6 -"],
            ),
            (
                "| where y=\"b\" AND mvcount(y)=1 | xyseries x, y, n, m sep=/",
                vec!["x | n/b | m/b", "10 3 5"],
            ),
            ("| xyseries x nosuch n", vec!["x"]),
        ] {
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(table(search, ROWS).await, Ok(expected), "{search}");
        }
        let equal = r#"{"x":"1","y":"1","n":"a"}
{"x":"1","y":"1.0","n":"b"}
{"x":"1.0","y":"1","n":"c"}
{"x":"1","y":"2","n":"d"}"#;
        for (search, expected) in [
            ("| xyseries x y n", vec!["x | 1 | 1.0 | 2", "1 a b d", "1.0 c - -"]),
            ("| chart values(n) over x by y", vec!["x | 1 | 1.0 | 2", "1 a b d", "1.0 c - -"]),
        ] {
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(table(search, equal).await, Ok(expected), "{search}");
        }
        // Values cannot make two columns of one name.
        let named = r#"{"x":"1","y":"_a","n":"a"}
{"x":"1","y":"VALUE_a","n":"b"}
{"x":"1","y":"x","n":"c"}"#;
        for search in ["| xyseries x y n", "| chart values(n) over x by y"] {
            let expected =
                vec!["x | VALUE_a | VALUE_VALUE_a | VALUE_x".to_owned(), "1 b a c".to_owned()];
            assert_eq!(table(search, named).await, Ok(expected), "{search}");
        }
        for (search, code) in [
            ("| xyseries x y", Code::MISSING_ARGUMENT),
            ("| xyseries x y x", Code::BAD_ARGUMENT),
            ("| xyseries x y n m format=z", Code::BAD_ARGUMENT),
        ] {
            assert_eq!(table(search, ROWS).await, Err(vec![code]), "{search}");
        }
    }
}
