//! `inputlookup`: returns the rows of a lookup table, or appends them to the pipeline's rows.

use std::ops::Range;

use async_trait::async_trait;
use spilltrail_diagnostic::{Code, Diagnostic, Spanned};
use spilltrail_event::{Field, Kind, Value};
use spilltrail_spl::{Arguments, SearchExpr};

use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Parts, Stage, Takes};
use super::{lacking, subsearch};
use crate::context::{LookupTable, Purpose, SearchContext};
use crate::lineage::Lineage;
use crate::lookups;
use crate::operators::{Append, KeptRows};
use crate::planning::facts::Facts;
use crate::planning::plan::{Needs, Plan};
use crate::planning::predicate::Position;
use crate::planning::predicate_udf;
use crate::planning::reserved;
use crate::rows::Rows;
use crate::rows::arrow::ColumnBuilder;
use crate::rows::cut::BATCH_ROWS;

static DOC: CommandDoc = CommandDoc {
    name: "inputlookup",
    aliases: &[],
    kind: CommandKind::Generating,
    summary: "Read the rows of a lookup table, or append them to the results.",
    syntax: "inputlookup [append=<bool>] [strict=<bool>] [start=<int>] [max=<int>] <table> [where <search expression>]",
    arguments: &[
        Argument::option("append", Takes::Bool)
            .default("false")
            .doc("Whether to append the rows to the results."),
        Argument::option("strict", Takes::Bool)
            .default("false")
            .doc("Whether a missing lookup is an error."),
        Argument::option("start", Takes::Count)
            .default("0")
            .doc("The number of rows to skip at the beginning."),
        Argument::option("max", Takes::Count).doc("The largest number of rows to read."),
        Argument::positional("table", Takes::Lookup)
            .doc("The name of the lookup, or of its CSV file."),
        Argument::keyword("WHERE", Takes::Search)
            .doc("Which rows to read, as a search expression."),
    ],
    examples: &[
        Example {
            title: "Users seen before, together with today's",
            events: r#"{"user":"ann"}"#,
            search: "search user=* | inputlookup append=true seen_users | stats count by user",
            results: r#"{"user":"ann","count":1}"#,
        },
        Example {
            title: "A lookup without rows adds nothing",
            events: r#"{"user":"ann"}"#,
            search: "search user=* | inputlookup append=t seen_addresses | table user",
            results: r#"{"user":"ann"}"#,
        },
    ],
    differs: &["Empty cells are read as missing values."],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct InputLookup {
    table: Spanned<String>,
    /// What the table is to the user: a lookup or a file.
    noun: &'static str,
    append: bool,
    strict: bool,
    start: usize,
    max: usize,
    condition: Option<SearchExpr>,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    read_table(arguments, "lookup", |table| table)
}

/// Parses a command that reads the rows of a table, a lookup or a file as `noun` says, of which `named`
/// makes the name from what is written.
pub(super) fn read_table(
    arguments: &mut Arguments<'_>,
    noun: &'static str,
    named: fn(String) -> String,
) -> Result<Box<dyn Command>, Diagnostic> {
    let mut table: Option<Spanned<String>> = None;
    let mut condition = None;
    while arguments.more() {
        if table.is_some() && arguments.keyword("where").is_some() {
            condition = Some(arguments.search()?);
        } else if table.is_none() {
            table = Some(arguments.field()?);
        } else {
            arguments.finish()?;
        }
    }
    let Some(table) = table else {
        let message = format!("expected the name of a {noun}");
        return Err(Diagnostic::error(Code::MISSING_ARGUMENT, message).at(arguments.span()));
    };
    Ok(Box::new(InputLookup {
        table: Spanned::new(named(table.value), table.span),
        noun,
        append: arguments.value("append"),
        strict: arguments.value("strict"),
        start: arguments.value("start"),
        max: arguments.given("max").map_or(usize::MAX, |max| max.value),
        condition,
    }))
}

#[async_trait]
impl Command for InputLookup {
    fn parts(&self) -> Parts<'_> {
        Parts { searches: self.condition.iter().collect(), ..Parts::default() }
    }

    fn needs(&self, after: Needs) -> Needs {
        after
    }

    fn facts(&self, facts: &mut Facts) {
        facts.lookups_read.insert(self.table.value.clone());
        if let Some(condition) = &self.condition {
            facts.search(condition, Position::Later);
        }
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        if !self.append {
            stage.must_be_first(input.as_ref())?;
        }
        // The purpose of the search describes a lookup that returns all rows of the pipeline. Rows
        // appended to other rows always count as used.
        let purpose = match input {
            None => stage.context.observations.purpose(),
            Some(_) => Purpose::Used,
        };
        let rows = self.rows(purpose, stage).await?;
        let refused = |error| stage.refused(error);
        let rows = KeptRows::of(rows, &stage.context.session.runtime_env()).map_err(refused)?;
        match input {
            None => rows.into_plan().map_err(refused),
            Some(input) => Append::on(input, rows).map_err(refused),
        }
    }

    fn trace(&self, lineage: &mut Lineage) {
        if self.append {
            lineage.append(Lineage::default());
        }
    }
}

impl InputLookup {
    /// Tells the fields that the condition compares and the table does not have.
    fn tell_lacking(&self, condition: &SearchExpr, table: &LookupTable, stage: &Stage<'_>) {
        if table.columns.is_empty() {
            return;
        }
        condition.walk(&mut |part| {
            let (SearchExpr::Compare { field, .. } | SearchExpr::In { field, .. }) = part else {
                return;
            };
            let name = field.value.as_str();
            // Each row of a collection has internal fields.
            if !name.starts_with('_') && !table.columns.iter().any(|column| column == name) {
                let lookup = &self.table.value;
                stage.context.observations.message(lacking::warning(lookup, field, &table.columns));
            }
        });
    }

    async fn rows(&self, purpose: Purpose, stage: &Stage<'_>) -> Result<Rows, Diagnostic> {
        if self.strict && lookups::find(&self.table, stage.context)?.table.is_none() {
            let message = format!("there is no {} `{}`", self.noun, self.table.value);
            return Err(Diagnostic::error(Code::MISSING_LOOKUP, message).at(self.table.span));
        }
        let table = lookups::read(&self.table, stage.context, purpose)?;
        let Some(condition) = &self.condition else {
            return Ok(rows_of(&table, self.start, self.max, stage.context));
        };
        // `max` counts the rows that satisfy the condition, so the table is filtered first.
        let all = rows_of(&table, 0, usize::MAX, stage.context);
        self.tell_lacking(condition, &table, stage);
        let predicate = subsearch::predicate(condition, Position::Later, stage.context).await?;
        let plan = all.into_plan().map_err(|error| stage.refused(error))?;
        let holds = predicate_udf::condition(predicate, &plan);
        let plan = plan.filter(holds).map_err(|error| stage.refused(error))?;
        let end = self.start.saturating_add(self.max);
        let rows = subsearch::collect(plan, stage.context, Some(end))
            .await
            .and_then(|rows| rows.in_memory())
            .map_err(|error| stage.refused(error))?;
        Ok(rows.truncated(end).without_first(self.start))
    }
}

/// Returns up to `max` rows of a table after the first `start`.
///
/// Every column of the table becomes a field, even a column whose cells are all empty.
fn rows_of(table: &LookupTable, start: usize, max: usize, context: &SearchContext) -> Rows {
    let mut columns: Vec<(usize, &String)> = table.columns.iter().enumerate().collect();
    reserved::leave_out(&mut columns, |(_, name)| name, context);
    let end = start.saturating_add(max).min(table.rows.len());
    let fields: Vec<Field> =
        columns.iter().map(|(_, name)| Field::new(*name, Kind::Text)).collect();
    let column = |place: usize, rows: Range<usize>| {
        let mut builder = ColumnBuilder::new(Kind::Text);
        for row in rows {
            let cell = table.rows.cell(row, place);
            builder.push(if cell.is_empty() { Value::Null } else { Value::text(cell) });
        }
        builder.finish()
    };
    let batch = |first: usize| {
        let rows = first..end.min(first.saturating_add(BATCH_ROWS));
        let cells = columns.iter().map(|(place, _)| column(*place, rows.clone())).collect();
        Rows::of_columns(fields.clone(), cells, rows.len()).batches
    };
    // A table without rows has its columns, too.
    let batches = if start < end {
        (start..end).step_by(BATCH_ROWS).flat_map(batch).collect()
    } else {
        batch(end)
    };
    Rows::new(fields, batches, true)
}
