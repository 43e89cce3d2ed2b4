//! `outputlookup`: writes the rows to a lookup table and passes them on.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result as EngineResult;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use indexmap::IndexSet;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::{Code, Diagnostic, Spanned};
use spilltrail_event::{Field, fields};
use spilltrail_spl::Arguments;

use super::named::some_of;
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::context::{LookupStore, LookupTable, Surroundings, TableMemory, TableRows};
use crate::error::to_engine;
use crate::lookups;
use crate::operators::gather::{Given, HeldRows, Room};
use crate::operators::{Codec, Operator, Running};
use crate::planning::facts::Facts;
use crate::planning::plan::{Needs, Plan};
use crate::rows;
use crate::rows::state::state_of;

static DOC: CommandDoc = CommandDoc {
    name: "outputlookup",
    aliases: &[],
    kind: CommandKind::CentralizedStreaming,
    summary: "Write the rows to a lookup table, and keep them as results.",
    syntax: "outputlookup [append=<bool>] [create_empty=<bool>] [override_if_empty=<bool>] [key_field=<field>] [max=<int>] [createinapp=<bool>] [create_context=app|user|system] <table>",
    arguments: &[
        Argument::option("append", Takes::Bool)
            .default("false")
            .doc("Whether to append the rows to the table instead of replacing its rows."),
        Argument::option("create_empty", Takes::Bool)
            .default("true")
            .doc("Whether to create an empty table if there are no rows and no table."),
        Argument::option("override_if_empty", Takes::Bool)
            .default("true")
            .doc("Whether to empty an existing table if there are no rows."),
        Argument::option("key_field", Takes::Field)
            .doc("A key column: a row replaces the row of the table with the same key."),
        Argument::option("allow_updates", Takes::Bool)
            .default("true")
            .refused("without `key_field`, no row of the table is replaced")
            .doc("Whether existing rows of the table may be replaced."),
        Argument::option("max", Takes::Count).doc("The largest number of rows to write."),
        Argument::option("createinapp", Takes::Bool)
            .default("false")
            .no_effect("there are no apps")
            .doc("Whether to create the table in the current app."),
        Argument::option("create_context", Takes::OneOf(&["app", "user", "system"]))
            .default("app")
            .no_effect("there are no apps and users")
            .doc("Where to create the table."),
        Argument::option("output_format", Takes::OneOf(&["splunk_sv_csv", "splunk_mv_csv"]))
            .default("splunk_sv_csv")
            .refused("the values of a multivalue are joined by newlines")
            .doc("How to write multivalue fields."),
        Argument::positional("table", Takes::Lookup)
            .doc("The name of the lookup, or of its CSV file."),
    ],
    examples: &[
        Example {
            title: "The rows stay results",
            events: r#"{"user":"ann"}"#,
            search: "| outputlookup append=true seen_users",
            results: r#"{"user":"ann"}"#,
        },
        Example {
            title: "Later commands see the same rows",
            events: "{\"user\":\"ann\"}\n{\"user\":\"bob\"}",
            search: "| outputlookup seen_users | stats count",
            results: r#"{"count":2}"#,
        },
    ],
    differs: &[
        "When you append to an existing table, its columns stay the same, and other fields are not written.",
        "Fields whose names begin with `_` are not written, except `_time` and `_key`. The values of a multivalue field are joined with newlines.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::operator::<WriteLookup>("outputlookup");

#[derive(Debug)]
struct OutputLookup {
    table: Spanned<String>,
    how: How,
}

/// The options that decide how rows are written to a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct How {
    append: bool,
    /// Whether a search without results creates an empty table if the table does not exist.
    creates: bool,
    /// Whether a search without results empties an existing table.
    empties: bool,
    key: Option<String>,
    max: usize,
    /// Whether fields whose names begin with `_` are written, too.
    internal: bool,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut table: Option<Spanned<String>> = None;
    while arguments.more() {
        if table.is_some() {
            arguments.finish()?;
        }
        table = Some(arguments.field()?);
    }
    let Some(table) = table else {
        return Err(Diagnostic::error(Code::MISSING_ARGUMENT, "expected the name of a lookup")
            .at(arguments.span()));
    };
    let how = How {
        append: arguments.value("append"),
        creates: arguments.value("create_empty"),
        empties: arguments.value("override_if_empty"),
        key: arguments.given("key_field").map(|key| key.value),
        max: arguments.given("max").map_or(usize::MAX, |max| max.value),
        internal: false,
    };
    Ok(Box::new(OutputLookup { table, how }))
}

/// Returns the command that writes all fields of the rows to the table of a file, in place of its rows
/// or after them.
pub(super) fn file_writer(
    file: Spanned<String>,
    append: bool,
    creates: bool,
    empties: bool,
) -> Box<dyn Command> {
    let how = How { append, creates, empties, key: None, max: usize::MAX, internal: true };
    Box::new(OutputLookup { table: file, how })
}

#[async_trait]
impl Command for OutputLookup {
    fn needs(&self, after: Needs) -> Needs {
        Needs { order: true, ..after.and_all() }
    }

    fn facts(&self, facts: &mut Facts) {
        facts.lookups_written.insert(self.table.value.clone());
        if self.how.keeps_rows() {
            facts.lookups_extended.insert(self.table.value.clone());
        }
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        before
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        let found = lookups::find(&self.table, stage.context)?;
        let keeps_rows = self.how.keeps_rows();
        if keeps_rows && found.table.as_ref().is_some_and(|table| table.loses_text) {
            let message = format!(
                "the lookup `{}` is damaged, so no rows can be added to it",
                self.table.value
            );
            return Err(Diagnostic::error(Code::UNREADABLE, message)
                .at(self.table.span)
                .help("correct its file first: what cannot be read of it would be lost"));
        }
        let old = found.table.as_ref().filter(|table| keeps_rows && !table.columns.is_empty());
        let is_column = |old: &LookupTable, name: &str| {
            self.how.writes(name) && old.columns.iter().any(|column| column == name)
        };
        if let Some(old) = old
            && !input.fields().any(|(name, _)| is_column(old, name))
        {
            let message = format!(
                "the rows have no field that is a column of the lookup `{}`: empty rows are added",
                self.table.value
            );
            let help = format!("its columns are {}", some_of(&old.columns));
            let warning = Diagnostic::warning(Code::LOST_FIELD, message).at(self.table.span);
            stage.context.observations.message(warning.help(help));
        }
        let operator = WriteLookup { name: found.name, how: self.how.clone() };
        Ok(input.operator(Arc::new(operator)))
    }
}

/// Writes all rows after the last has arrived, and only then passes them on. A later command that
/// stops early, such as `head`, therefore cannot keep rows from being written.
#[derive(Debug, Serialize, Deserialize)]
struct WriteLookup {
    name: String,
    how: How,
}

impl Operator for WriteLookup {
    fn name(&self) -> &'static str {
        "outputlookup"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn output(&self, input: &[Field]) -> Vec<Field> {
        input.to_vec()
    }

    fn start(
        &self,
        _: SchemaRef,
        output: SchemaRef,
        context: &TaskContext,
    ) -> EngineResult<Box<dyn Running>> {
        let room = Room::of(context);
        Ok(Box::new(Writing {
            name: self.name.clone(),
            how: self.how.clone(),
            lookups: Surroundings::of_task(context)?.lookups.clone(),
            held: Some(HeldRows::new("outputlookup", output.clone(), &room)),
            output,
            memory: MemoryConsumer::new("outputlookup").register(&room.pool),
            given: Box::new(std::iter::empty()),
        }))
    }
}

struct Writing {
    output: SchemaRef,
    name: String,
    how: How,
    lookups: Arc<dyn LookupStore>,
    /// The rows received so far; `None` once they are written.
    held: Option<HeldRows>,
    /// The memory reserved for the table, which is held in memory like every lookup table.
    memory: MemoryReservation,
    given: Given,
}

impl Running for Writing {
    fn push(&mut self, batch: RecordBatch) -> EngineResult<Option<RecordBatch>> {
        if let Some(held) = &mut self.held {
            held.push(&batch.with_schema(self.output.clone())?)?;
        }
        Ok(None)
    }

    fn finish(&mut self) -> EngineResult<Option<RecordBatch>> {
        if let Some(mut held) = self.held.take() {
            self.write(&mut held)?;
            self.given = Box::new(held.give()?);
        }
        self.given.next().transpose()
    }
}

impl Writing {
    fn write(&self, held: &mut HeldRows) -> EngineResult<()> {
        let failed = |error: String| {
            let message = format!("the lookup `{}` cannot be written: {error}", self.name);
            let help = "name another folder with `--lookups`; without it the rows stay in the run";
            to_engine(Diagnostic::error(Code::LOOKUP_NOT_WRITTEN, message).help(help))
        };
        let (places, columns): (Vec<usize>, Vec<String>) = self
            .output
            .fields()
            .iter()
            .enumerate()
            .filter(|(_, field)| self.how.writes(field.name()))
            .map(|(place, field)| (place, field.name().clone()))
            .unzip();
        let mut written = TableRows::new(columns.len());
        for batch in held.replay()? {
            let batch = batch?.project(&places)?;
            let readers = rows::readers(batch.columns())?;
            for row in 0..batch.num_rows() {
                if written.len() == self.how.max {
                    break;
                }
                let cells = readers.iter().map(|reader| reader.value(row).members().join("\n"));
                let cells: Vec<String> = cells.collect();
                // `merged` copies the rows into the table, so twice their size is reserved.
                let size: usize =
                    cells.iter().map(|cell| 2 * (cell.len() + size_of::<u32>())).sum();
                self.memory.try_grow(size)?;
                written.push(&cells);
            }
        }
        let old = self.lookups.read(&self.name).map_err(failed)?;
        match merged(old.as_deref(), &columns, &written, &self.how) {
            Some(table) => self.lookups.write(&self.name, table).map_err(failed),
            None => Ok(()),
        }
    }
}

impl How {
    /// Returns true if rows are added to those that the lookup has.
    fn keeps_rows(&self) -> bool {
        self.append || self.key.is_some()
    }

    /// Returns whether a field is written to the table: of internal fields, only `_time` and `_key`
    /// are, unless all are.
    fn writes(&self, name: &str) -> bool {
        self.internal || !name.starts_with('_') || matches!(name, fields::TIME | "_key")
    }
}

fn new_table() -> LookupTable {
    LookupTable { case_sensitive: true, ..LookupTable::default() }
}

/// Returns the table after writing the rows, or `None` if it is not changed.
fn merged(
    old: Option<&LookupTable>,
    columns: &[String],
    rows: &TableRows,
    how: &How,
) -> Option<LookupTable> {
    // Without rows, a table changes only if it is to be replaced and the options allow it to become
    // empty, and a new one is made only if they ask for it.
    let stays = match old {
        None => !how.creates,
        Some(_) => !how.empties || how.append || how.key.is_some(),
    };
    if rows.is_empty() && stays {
        return None;
    }
    let new_one = new_table();
    let old = old.unwrap_or(&new_one);
    // Appended rows and rows with a key are added to the old rows, and the columns stay the same.
    let keeps = (how.append || how.key.is_some()) && !old.columns.is_empty();
    let columns_written: IndexSet<String> = if keeps || rows.is_empty() && !old.columns.is_empty() {
        old.columns.iter().cloned().collect()
    } else {
        columns.iter().filter(|name| how.writes(name)).cloned().collect()
    };
    let places: Vec<Option<usize>> = columns_written
        .iter()
        .map(|name| columns.iter().position(|column| column == name))
        .collect();
    let new = rows.select(&places);
    let key = how.key.as_ref().and_then(|key| columns_written.get_index_of(key));
    let rows = match (keeps, key) {
        (false, None) => new,
        (true, None) => chained(&old.rows, &new),
        (false, Some(key)) => by_key(&new, key),
        (true, Some(key)) => by_key(&chained(&old.rows, &new), key),
    };
    Some(LookupTable {
        columns: columns_written.into_iter().collect(),
        rows,
        match_types: old.match_types.clone(),
        default_match: old.default_match.clone(),
        problems: old.problems.clone(),
        memory: TableMemory::default(),
        ..*old
    })
}

fn chained(first: &TableRows, second: &TableRows) -> TableRows {
    let mut all = first.clone();
    second.iter().for_each(|row| all.push(row));
    all
}

/// Returns the last row of each key, at the position of the key's first row. All rows without a
/// key are kept.
fn by_key(rows: &TableRows, key: usize) -> TableRows {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut kept: Vec<usize> = Vec::new();
    for row in 0..rows.len() {
        let value = rows.cell(row, key);
        match places.get(value) {
            Some(place) => kept[*place] = row,
            None => {
                if !value.is_empty() {
                    places.insert(value, kept.len());
                }
                kept.push(row);
            }
        }
    }
    rows.only(&kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{context, table_of};

    fn rows(rows: &[&[&str]]) -> Vec<Vec<String>> {
        rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect()
    }

    fn in_table(columns: usize, rows: &[&[&str]]) -> TableRows {
        let mut table = TableRows::new(columns);
        rows.iter().for_each(|row| table.push(*row));
        table
    }

    fn merge(how: &How, old: &[&[&str]], new: &[&[&str]]) -> Option<Vec<Vec<String>>> {
        let columns = ["a", "b"].map(str::to_owned).to_vec();
        let old = LookupTable { columns: columns.clone(), rows: in_table(2, old), ..new_table() };
        let written = ["b", "_raw", "a", "c"].map(str::to_owned).to_vec();
        merged(Some(&old), &written, &in_table(4, new), how).map(|table| {
            let mut all = vec![table.columns];
            all.extend(table.rows.iter().map(|row| row.map(str::to_owned).collect()));
            all
        })
    }

    #[test]
    fn rows_replace_follow_or_update() {
        let how = How {
            append: false,
            creates: true,
            empties: true,
            key: None,
            max: usize::MAX,
            internal: false,
        };
        let old: &[&[&str]] = &[&["1", "x"], &["2", "y"]];
        let new: &[&[&str]] = &[&["z", "raw", "2", "n"]];
        assert_eq!(merge(&how, old, new), Some(rows(&[&["b", "a", "c"], &["z", "2", "n"]])));
        assert_eq!(merge(&how, old, &[]), Some(rows(&[&["a", "b"]])));
        let kept = How { empties: false, ..how.clone() };
        assert_eq!(merge(&kept, old, &[]), None);
        let made = |how: &How| merged(None, &["a".to_owned()], &TableRows::new(1), how).is_some();
        assert!(made(&how) && !made(&How { creates: false, ..how.clone() }));
        let append = How { append: true, ..how.clone() };
        let all = rows(&[&["a", "b"], &["1", "x"], &["2", "y"], &["2", "z"]]);
        assert_eq!(merge(&append, old, new), Some(all));
        let keyed = How { key: Some("a".to_owned()), ..how };
        let all = rows(&[&["a", "b"], &["1", "x"], &["2", "z"]]);
        assert_eq!(merge(&keyed, old, new), Some(all));
        let whole = How { internal: true, key: None, ..keyed };
        let all = rows(&[&["b", "_raw", "a", "c"], &["z", "raw", "2", "n"]]);
        assert_eq!(merge(&whole, old, new), Some(all));
    }

    #[tokio::test]
    async fn rows_without_a_column_of_the_table_are_told() {
        for (search, told) in [
            ("* | fields n | outputlookup append=t t", ""),
            ("* | stats count by n | outputlookup append=t t", ""),
            ("* | stats count as m | outputlookup append=t t", "t"),
            ("* | stats count as m | outputlookup key_field=n t", "t"),
            ("* | stats count as m | outputcsv append=t t.csv", "t.csv"),
            ("* | stats count as m | outputlookup t", ""),
            ("* | stats count as m | outputlookup append=t new", ""),
        ] {
            let context = context(crate::testing::rows("{\"n\":\"1\"}"), 64 << 20);
            table_of("* | table n u | outputlookup t", &context).await.unwrap();
            table_of(search, &context).await.unwrap();
            let messages = context.observations.messages();
            let places = messages.iter().filter(|one| one.code == Code::LOST_FIELD);
            let places = places.filter_map(Diagnostic::span);
            let found: Vec<&str> = places.map(|at| &search[at.start..at.end]).collect();
            assert_eq!(found.join(" "), told, "{search}");
        }
    }
}
