//! `contingency`: counts the combinations of the values of two fields as a table.

use std::collections::HashMap;

use async_trait::async_trait;
use datafusion::arrow::array::ArrayRef;
use datafusion::common::Result as EngineResult;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use spilltrail_diagnostic::{Code, Diagnostic, Spanned};
use spilltrail_event::{Field, Kind, Value};
use spilltrail_spl::Arguments;

use super::chart::column_name;
use super::stats::{Key, groups};
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes, subsearch};
use crate::context::SearchContext;
use crate::lineage::Lineage;
use crate::operators::{KeptRows, Whole, gather};
use crate::planning::aggregate::Preparation;
use crate::planning::plan::{Needs, Plan};
use crate::rows::Rows;
use crate::rows::arrow::{schema_of, to_array};
use crate::stats::PlannedAggregate;

static DOC: CommandDoc = CommandDoc {
    name: "contingency",
    aliases: &["counttable", "ctable"],
    kind: CommandKind::Transforming,
    summary: "Count the combinations of the values of two fields as a table.",
    syntax: "contingency [maxrows=<int>] [maxcols=<int>] [mincolcover=<num>] [minrowcover=<num>] [usetotal=<bool>] [totalstr=<text>] <field> <field>",
    arguments: &[
        MAXROWS,
        Argument::option("maxcols", Takes::Count)
            .default("1000")
            .between(0, 1000)
            .doc("The largest number of columns, the most frequent values; 0 is the same as 1000."),
        Argument::option("mincolcover", Takes::Number).default("1").between(0, 1).doc(
            "The part of the events that the columns must cover; less frequent values are left out.",
        ),
        Argument::option("minrowcover", Takes::Number).default("1").between(0, 1).doc(
            "The part of the events that the rows must cover; less frequent values are left out.",
        ),
        Argument::option("usetotal", Takes::Bool)
            .default("true")
            .doc("Whether to add the sum of each row and column."),
        Argument::option("totalstr", Takes::Text)
            .default("TOTAL")
            .doc("The name of the row and the column with the sums."),
        Argument::positional("field", Takes::Fields)
            .doc("The field whose values are the rows, and the one whose values are the columns."),
    ],
    examples: &[
        Example {
            title: "Users and what they do",
            events: r#"{"user":"ann","action":"get"}
{"user":"ann","action":"get"}
{"user":"ann","action":"put"}
{"user":"bob","action":"get"}"#,
            search: "| contingency user action",
            results: r#"{"user":"ann","get":2,"put":1,"TOTAL":3}
{"user":"bob","get":1,"put":0,"TOTAL":1}
{"user":"TOTAL","get":3,"put":1,"TOTAL":4}"#,
        },
        Example {
            title: "The most frequent value of each",
            events: r#"{"user":"ann","action":"get"}
{"user":"ann","action":"get"}
{"user":"bob","action":"put"}"#,
            search: "| contingency maxrows=1 maxcols=1 usetotal=f user action",
            results: r#"{"user":"ann","get":2}"#,
        },
    ],
    differs: &[
        "Rows and columns are sorted by frequency; equally frequent values by their bytes.",
        "The sums are those of the cells that are shown.",
    ],
};

const MAXROWS: Argument = Argument::option("maxrows", Takes::Count)
    .default("1000")
    .between(0, 1000)
    .doc("The largest number of rows, the most frequent values; 0 is the same as 1000.");

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

/// The most values of a field that are shown.
const MOST: usize = 1000;

/// How many values of a field are shown.
#[derive(Debug, Clone, Copy)]
struct Most {
    count: usize,
    /// The part of the events that must be covered.
    cover: f64,
    /// The option that names a larger count than the default's, unless the user chose the count.
    default_of: Option<&'static str>,
}

#[derive(Debug)]
struct Contingency {
    row: String,
    column: String,
    rows: Most,
    columns: Most,
    total: Option<String>,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut fields: Vec<Spanned<String>> = Vec::new();
    while arguments.more() {
        fields.extend(arguments.fields()?);
    }
    arguments.finish()?;
    arguments.each_is_one_field(&fields);
    let [row, column] = fields.as_slice() else {
        let message = format!("expected two fields, found {}", fields.len());
        return Err(Diagnostic::error(Code::BAD_ARGUMENT, message)
            .at(arguments.span())
            .help("for example `contingency user action`"));
    };
    arguments.each_once(&fields);
    let most = |name: &'static str, cover: &str| {
        let count: usize = arguments.value(name);
        let is_chosen = arguments.given_at(name).is_some() && count > 0;
        Most {
            count: if count == 0 { MOST } else { count },
            cover: arguments.value(cover),
            default_of: (!is_chosen).then_some(name),
        }
    };
    let rows = most("maxrows", "minrowcover");
    let columns = most("maxcols", "mincolcover");
    let has_total: bool = arguments.value("usetotal");
    if !has_total {
        arguments.without_effect("totalstr", "`usetotal=f` leaves the sums out");
    }
    Ok(Box::new(Contingency {
        row: row.value.clone(),
        column: column.value.clone(),
        rows,
        columns,
        total: has_total.then(|| arguments.value("totalstr")),
    }))
}

const COUNT: &str = "\u{1}count";

#[async_trait]
impl Command for Contingency {
    fn needs(&self, _: Needs) -> Needs {
        Needs::only([&self.row, &self.column])
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let refused = |error| stage.refused(error);
        let counted = PlannedAggregate::count(COUNT);
        let preparation = Preparation { plan: stage.input(input)?, aggregates: vec![counted] };
        let keys = [Key::of(&self.row), Key::of(&self.column)];
        let plan = groups(preparation, &keys, Whole::Members, stage)?;
        let pairs = subsearch::collect(plan, stage.context, None).await.map_err(refused)?;
        let pool = stage.context.session.runtime_env().memory_pool.clone();
        let memory = MemoryConsumer::new("contingency").register(&pool);
        let rows = self.table(&pairs, &memory, stage).map_err(refused)?;
        rows.into_plan().map_err(refused)
    }

    fn trace(&self, lineage: &mut Lineage) {
        lineage.group([self.row.clone()], ["*".to_owned()]);
    }
}

impl Contingency {
    fn table(
        &self,
        pairs: &KeptRows,
        memory: &MemoryReservation,
        stage: &Stage<'_>,
    ) -> EngineResult<Rows> {
        let mut of_rows: HashMap<String, f64> = HashMap::new();
        let mut of_columns: HashMap<String, f64> = HashMap::new();
        self.each(pairs, |row, column, count| {
            for (counts, value) in [(&mut of_rows, row), (&mut of_columns, column)] {
                if !counts.contains_key(value) {
                    memory.try_grow(value.len() + 128)?;
                    counts.insert(value.to_owned(), 0.0);
                }
                if let Some(known) = counts.get_mut(value) {
                    *known += count;
                }
            }
            Ok(())
        })?;
        let shown = |counts, most: Most, field: &str| {
            let (values, is_cut) = most_frequent(counts, most);
            if let Some(option) = most.default_of.filter(|_| is_cut) {
                let message = format!(
                    "`contingency` shows the {MOST} most frequent values of `{field}` only"
                );
                let help = format!(
                    "`stats count by` shows all; `{option}={MOST}` says that these are enough"
                );
                stage
                    .context
                    .observations
                    .message(Diagnostic::warning(Code::LIMIT, message).at(stage.span).help(help));
            }
            values
        };
        let rows = shown(of_rows, self.rows, &self.row);
        let columns = shown(of_columns, self.columns, &self.column);
        let place = |values: &[String]| -> HashMap<String, usize> {
            values.iter().enumerate().map(|(place, value)| (value.clone(), place)).collect()
        };
        let (row_places, column_places) = (place(&rows), place(&columns));
        // With the sums, and once more as columns of the result.
        memory.try_grow(2 * (rows.len() + 1) * (columns.len() + 1) * size_of::<f64>())?;
        let mut cells = vec![vec![0.0; rows.len()]; columns.len()];
        self.each(pairs, |row, column, count| {
            if let (Some(row), Some(column)) = (row_places.get(row), column_places.get(column)) {
                cells[*column][*row] += count;
            }
            Ok(())
        })?;
        self.finished(rows, columns, cells, stage.context)
    }

    /// Calls a function for each pair of values with the number of its events.
    fn each(
        &self,
        pairs: &KeptRows,
        mut call: impl FnMut(&str, &str, f64) -> EngineResult<()>,
    ) -> EngineResult<()> {
        for batch in pairs.batches()? {
            let batch = batch?;
            let reader = |name: &str| gather::reader(&batch, name);
            let (Some(rows), Some(columns), Some(counts)) =
                (reader(&self.row)?, reader(&self.column)?, reader(COUNT)?)
            else {
                continue;
            };
            for at in 0..batch.num_rows() {
                let (row, column) = (rows.value(at), columns.value(at));
                if let (Some(row), Some(column)) = (row.to_text(), column.to_text()) {
                    call(&row, &column, counts.value(at).as_number().unwrap_or(0.0))?;
                }
            }
        }
        Ok(())
    }

    fn finished(
        &self,
        mut rows: Vec<String>,
        mut columns: Vec<String>,
        mut cells: Vec<Vec<f64>>,
        context: &SearchContext,
    ) -> EngineResult<Rows> {
        if let Some(total) = self.total.as_ref().filter(|_| !rows.is_empty()) {
            let sums = (0..rows.len()).map(|row| cells.iter().map(|column| column[row]).sum());
            cells.push(sums.collect());
            cells.iter_mut().for_each(|column| column.push(column.iter().sum()));
            rows.push(total.clone());
            columns.push(total.clone());
        }
        let mut fields = vec![Field::new(&self.row, Kind::Text)];
        let mut arrays: Vec<ArrayRef> =
            vec![to_array(Kind::Text, rows.iter().map(|row| Value::text(row.as_str())))];
        for (column, counts) in columns.iter().zip(cells) {
            let mut name = column_name(None, "", column, &self.row, context);
            // A value with the name of the sums, or of an internal field's replacement.
            while fields.iter().any(|field| field.name == name) {
                name = format!("VALUE_{name}");
            }
            fields.push(Field::new(name, Kind::Number));
            arrays.push(to_array(Kind::Number, counts.into_iter().map(Value::Number)));
        }
        let schema = schema_of(fields.iter().map(|field| (field.name.as_str(), field.kind)));
        let batch = gather::of_columns(&schema, arrays, rows.len())?;
        Ok(Rows::new(fields, vec![batch], true))
    }
}

/// Returns the most frequent values, as many as are wanted, and whether the largest number of values
/// left some of them out.
fn most_frequent(counts: HashMap<String, f64>, most: Most) -> (Vec<String>, bool) {
    let all: f64 = counts.values().sum();
    let mut counts: Vec<(String, f64)> = counts.into_iter().collect();
    counts.sort_by(|(one, a), (other, b)| b.total_cmp(a).then_with(|| one.cmp(other)));
    let (mut covered, mut values) = (0.0, Vec::new());
    for (value, count) in counts {
        if covered >= most.cover * all {
            break;
        }
        if values.len() == most.count {
            return (values, true);
        }
        covered += count;
        values.push(value);
    }
    (values, false)
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use crate::testing::{context, table, table_of};

    #[tokio::test]
    async fn combinations_are_counted() {
        let rows = r#"{"a":"x","b":"1"}
{"a":"x","b":["1","2"]}
{"a":"y","b":"2"}
{"a":"y"}
{"b":"3"}
{"a":"x","b":"TOTAL"}"#;
        for (search, expected) in [
            // An event counts once for each value, and needs both fields.
            ("| contingency a b usetotal=f", vec!["a | 1 | 2 | TOTAL", "x 2 1 1", "y 0 1 0"]),
            (
                "| contingency b, a totalstr=all",
                vec!["b | x | y | all", "1 2 0 2", "2 1 1 2", "TOTAL 1 0 1", "all 4 1 5"],
            ),
            (
                "| contingency a b minrowcover=0.5 mincolcover=0.7",
                vec!["a | 1 | 2 | TOTAL", "x 2 1 3", "TOTAL 2 1 3"],
            ),
            ("| contingency a b maxcols=1", vec!["a | 1 | TOTAL", "x 2 2", "y 0 0", "TOTAL 2 2"]),
            ("| contingency a nosuch", vec!["a"]),
        ] {
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(table(search, rows).await, Ok(expected), "{search}");
        }
        let many = "| makeresults count=1001 | streamstats count as a | eval b=a%2";
        for (options, is_told) in
            [("", true), ("maxrows=0", true), ("maxrows=1000", false), ("minrowcover=0.5", false)]
        {
            let context = context(Vec::new(), 64 << 20);
            let search = format!("{many} | contingency usetotal=f {options} a b | stats count");
            let found = table_of(&search, &context).await.map(|rows| rows[1].clone());
            let expected = if options.starts_with("min") { "501" } else { "1000" };
            assert_eq!(found.as_deref(), Ok(expected), "{options}");
            let messages = context.observations.messages();
            assert_eq!(messages.iter().any(|one| one.code == Code::LIMIT), is_told, "{options}");
        }
        for (search, code) in [
            ("| contingency a", Code::BAD_ARGUMENT),
            ("| contingency a a", Code::BAD_ARGUMENT),
            ("| contingency a b mincolcover=2", Code::BAD_OPTION),
            ("| contingency a b maxrows=1001", Code::BAD_OPTION),
        ] {
            assert_eq!(table(search, rows).await, Err(vec![code]), "{search}");
        }
    }
}
