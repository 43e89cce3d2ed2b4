//! `lookup`: adds fields from the matching rows of a lookup table.

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::execution::memory_pool::MemoryReservation;
use indexmap::IndexSet;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::{Code, Diagnostic, Spanned};
use spilltrail_event::{Field, Kind, Value};
use spilltrail_spl::Arguments;

use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::context::{LookupTable, Purpose, SearchContext};
use crate::lookups::{self, CarriedTable, Index};
use crate::operators::{Codec, Derive, RowFunction};
use crate::planning::facts::Facts;
use crate::planning::plan::{Needs, Plan};
use crate::planning::reserved;
use crate::rows::state::state_of;

static DOC: CommandDoc = CommandDoc {
    name: "lookup",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Add fields from the matching rows of a lookup table.",
    syntax: "lookup [local=<bool>] [update=<bool>] <table> <column> [AS <field>] … [OUTPUT|OUTPUTNEW <column> [AS <field>] …]",
    arguments: &[
        Argument::option("local", Takes::Bool)
            .default("false")
            .no_effect("a search runs on one machine")
            .doc("Whether the lookup runs on the search head."),
        Argument::option("update", Takes::Bool)
            .default("false")
            .no_effect("tables are read when the search starts")
            .doc("Whether a real-time search sees changes to the table."),
        Argument::positional("table", Takes::Lookup).doc("The name of the lookup, or of its CSV file."),
        Argument::positional("column", Takes::Fields)
            .doc("The columns to compare. If the field of the event has another name, add it after `AS`."),
        Argument::keyword("OUTPUT", Takes::Fields).doc(
            "The columns to add; existing fields are replaced. Default: all columns that are not compared.",
        ),
        Argument::keyword("OUTPUTNEW", Takes::Fields)
            .doc("The columns to add only to events that do not have the field yet."),
    ],
    examples: &[
        Example {
            title: "A missing table adds nothing",
            events: r#"{"user":"ann"}"#,
            search: "| lookup owners user OUTPUT team",
            results: r#"{"user":"ann"}"#,
        },
        Example {
            title: "A table that a subsearch wrote just before",
            events: r#"{"who":"ann"}"#,
            search: "| append [| makeresults | eval user=\"ann\", team=\"blue\" | outputlookup owners | where isnull(user)] | lookup owners user AS who OUTPUT team | table who team",
            results: r#"{"who":"ann","team":"blue"}"#,
        },
    ],
    differs: &[
        "A row without a match keeps its fields.",
        "The values of a multivalue field are looked up one by one, and several multivalue fields in every combination. `max_matches`, `min_matches` and `default_match` apply to each value.",
        "Empty cells of the table are read as missing values.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::derive::<AddFields>("lookup");

#[derive(Debug)]
struct Lookup {
    table: Spanned<String>,
    keys: Vec<Pair>,
    /// The columns to add; `None` means every column that is not a key.
    outputs: Option<Vec<Output>>,
}

/// A column of the table and the field that it is compared with or written to.
#[derive(Debug, Clone)]
struct Pair {
    column: Spanned<String>,
    field: String,
}

#[derive(Debug, Clone)]
struct Output {
    pair: Pair,
    only_new: bool,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    arguments.options();
    let table = arguments.field()?;
    let keys = pairs(arguments)?;
    let mut outputs: Option<Vec<Output>> = None;
    loop {
        let only_new = arguments.keyword("outputnew").is_some();
        if !only_new && arguments.keyword("output").is_none() {
            break;
        }
        let written = pairs(arguments)?.into_iter().map(|pair| Output { pair, only_new });
        outputs.get_or_insert_default().extend(written);
    }
    arguments.finish()?;
    if keys.is_empty() {
        return Err(Diagnostic::error(Code::MISSING_ARGUMENT, "expected a column of the lookup")
            .at(arguments.span())
            .help("for example `lookup owners user OUTPUT team`"));
    }
    Ok(Box::new(Lookup { table, keys, outputs }))
}

/// Parses `column [AS field]` pairs up to `OUTPUT`, `OUTPUTNEW` or the end.
fn pairs(arguments: &mut Arguments<'_>) -> Result<Vec<Pair>, Diagnostic> {
    let mut pairs = Vec::new();
    loop {
        while arguments.symbol(",").is_some() {}
        let is_over = !arguments.more()
            || arguments.peek_keyword("output")
            || arguments.peek_keyword("outputnew");
        if is_over {
            return Ok(pairs);
        }
        let column = arguments.field()?;
        let field = match arguments.keyword("as") {
            Some(_) => arguments.field()?.value,
            None => column.value.clone(),
        };
        pairs.push(Pair { column, field });
    }
}

impl Lookup {
    /// Returns the index of a column in the table, or the diagnostic for a column it lacks.
    fn place(&self, column: &Spanned<String>, table: &LookupTable) -> Result<usize, Diagnostic> {
        let place = table.columns.iter().position(|known| *known == column.value);
        place.ok_or_else(|| {
            let message =
                format!("the lookup `{}` has no column `{}`", self.table.value, column.value);
            Diagnostic::error(Code::BAD_ARGUMENT, message)
                .at(column.span)
                .help(format!("its columns are `{}`", table.columns.join("`, `")))
        })
    }

    fn outputs(&self, table: &LookupTable, context: &SearchContext) -> Vec<Output> {
        if let Some(outputs) = &self.outputs {
            return outputs.clone();
        }
        let is_key = |name: &String| self.keys.iter().any(|key| key.column.value == *name);
        let others: IndexSet<&String> = table.columns.iter().filter(|name| !is_key(name)).collect();
        let mut others: Vec<&String> = others.into_iter().collect();
        reserved::leave_out(&mut others, |name| name, context);
        others
            .into_iter()
            .map(|name| {
                let column = Spanned::new(name.clone(), self.table.span);
                Output { pair: Pair { column, field: name.clone() }, only_new: false }
            })
            .collect()
    }
}

#[async_trait]
impl Command for Lookup {
    fn needs(&self, after: Needs) -> Needs {
        // Outputs stay needed: a row without a match keeps the values it has.
        after.and(self.keys.iter().map(|key| key.field.as_str()))
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        // Without a list, the fields are the columns of the table.
        let (mut names, outputs) = (before?, self.outputs.as_ref()?);
        for output in outputs {
            if !names.contains(&output.pair.field) {
                names.push(output.pair.field.clone());
            }
        }
        Some(names)
    }

    fn facts(&self, facts: &mut Facts) {
        facts.lookups_read.insert(self.table.value.clone());
        let outputs = self.outputs.iter().flatten().map(|output| &output.pair);
        for pair in self.keys.iter().chain(outputs) {
            facts.columns_read.push((self.table.value.clone(), pair.column.clone()));
        }
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        let is_read = self.outputs.as_ref().is_none_or(|outputs| {
            outputs.iter().any(|output| stage.after.fields.wants(&output.pair.field))
        });
        let purpose = if is_read { Purpose::Used } else { Purpose::Unread };
        let table = lookups::read(&self.table, stage.context, purpose)?;
        if table.columns.is_empty() {
            return Ok(input);
        }
        let keys = self
            .keys
            .iter()
            .map(|key| self.place(&key.column, &table))
            .collect::<Result<Vec<_>, _>>()?;
        let outputs = self.outputs(&table, stage.context);
        let columns = outputs
            .iter()
            .map(|output| self.place(&output.pair.column, &table))
            .collect::<Result<Vec<_>, _>>()?;
        let inputs: Vec<String> = self.keys.iter().map(|key| key.field.clone()).collect();
        let only_new = outputs.iter().map(|output| output.only_new).collect();
        let (name, table) = (self.table.value.clone(), CarriedTable::from(table));
        let mut added = AddFields::from(State { name, table, keys, columns, only_new });
        added.memory = Some(lookups::reserved(&self.table, added.index.size(), stage.context)?);
        let takes_several = inputs.iter().any(|name| input.kind(name) == Some(Kind::Multi));
        let kind =
            if takes_several || added.index.gives_several() { Kind::Multi } else { Kind::Text };
        let fields: Vec<Field> =
            outputs.iter().map(|output| Field::new(&output.pair.field, kind)).collect();
        Ok(Derive::on(input, inputs, fields, Arc::new(added)))
    }
}

/// Sets fields of a row from the matching rows of a table.
#[derive(Debug, Deserialize)]
#[serde(from = "State")]
struct AddFields {
    index: Index,
    state: State,
    /// The memory reserved for the index.
    memory: Option<MemoryReservation>,
}

/// The serialized form of [`AddFields`]: everything but the index, which is built from the table.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    name: String,
    table: CarriedTable,
    /// The indices of the columns that are compared with the inputs, in the order of the inputs.
    keys: Vec<usize>,
    /// The index of the column that each output is read from.
    columns: Vec<usize>,
    /// For each output, whether it is set only in rows that lack the field (`OUTPUTNEW`).
    only_new: Vec<bool>,
}

impl From<State> for AddFields {
    fn from(state: State) -> Self {
        let index = Index::new(state.table.table().clone(), state.keys.clone());
        Self { index, state, memory: None }
    }
}

impl RowFunction for AddFields {
    fn name(&self) -> &'static str {
        "lookup"
    }

    fn state(&self) -> String {
        state_of(&self.state)
    }

    fn identity(&self) -> String {
        let State { name, table, keys, columns, only_new } = &self.state;
        format!("{name} {} {keys:?} {columns:?} {only_new:?}", table.identity())
    }

    fn compute<'a>(&'a self, inputs: &[Value<'a>], outputs: &mut [Value<'a>]) {
        let table = self.index.table();
        let rows = self.index.matches(inputs);
        if rows.is_empty() {
            return;
        }
        for ((output, column), only_new) in
            outputs.iter_mut().zip(&self.state.columns).zip(&self.state.only_new)
        {
            if *only_new && !output.is_null() {
                continue;
            }
            let cells = rows.iter().filter_map(|row| match row {
                Some(row) => Some(table.rows.cell(*row, *column)).filter(|cell| !cell.is_empty()),
                None => table.default_match.as_deref(),
            });
            let members = cells.map(Cow::Borrowed).collect();
            *output = Value::multi(members);
        }
    }
}
