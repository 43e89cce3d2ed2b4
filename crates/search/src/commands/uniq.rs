//! `uniq`: removes rows that are equal to the row before them.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::{BooleanArray, RecordBatch};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::row::{OwnedRow, RowConverter, SortField};
use datafusion::common::Result as EngineResult;
use datafusion::execution::TaskContext;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::Diagnostic;
use spilltrail_event::Field;
use spilltrail_spl::Arguments;

use super::{Codec, Command, CommandDoc, CommandKind, Entry, Example, Stage};
use crate::operators::{Operator, Running};
use crate::planning::plan::{Needs, Plan};
use crate::rows::state::state_of;

static DOC: CommandDoc = CommandDoc {
    name: "uniq",
    aliases: &[],
    kind: CommandKind::Dataset,
    summary: "Remove rows that are equal in all fields to the row before them.",
    syntax: "uniq",
    arguments: &[],
    examples: &[
        Example {
            title: "Equal rows in other places stay",
            events: "{\"n\":\"1\"}\n{\"n\":\"1\"}\n{\"n\":\"2\"}\n{\"n\":\"1\"}",
            search: "| uniq",
            results: "{\"n\":\"1\"}\n{\"n\":\"2\"}\n{\"n\":\"1\"}",
        },
        Example {
            title: "Sorted rows that occur once each",
            events: "{\"user\":\"bob\"}\n{\"user\":\"ann\"}\n{\"user\":\"bob\"}",
            search: "search * | table user | sort user | uniq",
            results: "{\"user\":\"ann\"}\n{\"user\":\"bob\"}",
        },
    ],
    differs: &[],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::operator::<Uniq>("uniq");

#[derive(Debug)]
struct UniqCommand;

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    arguments.finish()?;
    Ok(Box::new(UniqCommand))
}

#[async_trait]
impl Command for UniqCommand {
    fn needs(&self, after: Needs) -> Needs {
        Needs { order: true, ..after.and_all() }
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        before
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        Ok(stage.input(input)?.operator(Arc::new(Uniq {})))
    }
}

/// Removes rows that are equal to the row before them. Two absent values are equal.
#[derive(Debug, Serialize, Deserialize)]
struct Uniq {}

impl Operator for Uniq {
    fn name(&self) -> &'static str {
        "uniq"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn output(&self, input: &[Field]) -> Vec<Field> {
        input.to_vec()
    }

    fn needs_rows(&self) -> bool {
        true
    }

    fn start(
        &self,
        input: SchemaRef,
        _: SchemaRef,
        _: &TaskContext,
    ) -> EngineResult<Box<dyn Running>> {
        let fields = input.fields().iter().map(|field| SortField::new(field.data_type().clone()));
        let converter = RowConverter::new(fields.collect())?;
        Ok(Box::new(Comparing { converter, before: None, has_begun: false }))
    }
}

struct Comparing {
    converter: RowConverter,
    /// The last row of the batches before.
    before: Option<OwnedRow>,
    /// Whether there was a row without fields.
    has_begun: bool,
}

impl Running for Comparing {
    fn push(&mut self, batch: RecordBatch) -> EngineResult<Option<RecordBatch>> {
        if batch.num_rows() == 0 {
            return Ok(Some(batch));
        }
        if batch.num_columns() == 0 {
            // Rows without fields are all equal.
            let kept = usize::from(!std::mem::replace(&mut self.has_begun, true));
            return Ok(Some(batch.slice(0, kept)));
        }
        let rows = self.converter.convert_columns(batch.columns())?;
        let is_new = |at: usize| match at.checked_sub(1) {
            Some(before) => rows.row(at) != rows.row(before),
            None => self.before.as_ref().is_none_or(|before| rows.row(0) != before.row()),
        };
        let kept: BooleanArray = (0..batch.num_rows()).map(|at| Some(is_new(at))).collect();
        self.before = Some(rows.row(batch.num_rows() - 1).owned());
        Ok(Some(filter_record_batch(&batch, &kept)?))
    }

    fn held(&self) -> usize {
        self.before.as_ref().map_or(0, |row| row.row().as_ref().len())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::context::SearchContext;
    use crate::events::memory::MemoryEvents;
    use crate::run;
    use crate::testing::{context, rows};

    /// Rows are compared across batches, in all fields, and absent values are equal.
    #[tokio::test]
    async fn rows_equal_to_the_one_before() {
        let lines = r#"{"a":"1","m":["x","y"]}
            {"a":"1","m":["x","y"]}
            {"a":"1","m":["x"]}
            {"a":"1"}
            {"a":"1"}
            {"b":"1"}
            {"a":"1"}"#;
        for size in [1, 2, 8192] {
            let events = Arc::new(MemoryEvents::new(rows(lines)).in_batches_of(size));
            let context = SearchContext { events, ..context(Vec::new(), 64 << 20) };
            for (search, expected) in
                [("| uniq | stats count", "5"), ("* | table a | uniq | stats count", "3")]
            {
                let prepared = run::prepare(search, None, &context).await.unwrap();
                let found = prepared.collect(&context).await.unwrap();
                let count = found.iter().next().unwrap()["count"].to_text().unwrap().into_owned();
                assert_eq!(count, expected, "{search} in batches of {size}");
            }
        }
    }
}
