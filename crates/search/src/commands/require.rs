//! `require`: fails if there are no rows.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result as EngineResult;
use datafusion::execution::TaskContext;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::{Code, Diagnostic, Span};
use spilltrail_event::Field;
use spilltrail_spl::Arguments;

use super::{Codec, Command, CommandDoc, CommandKind, Entry, Example, Stage};
use crate::error::to_engine;
use crate::operators::{Operator, Running};
use crate::planning::plan::{Needs, Plan};
use crate::rows::state::state_of;

static DOC: CommandDoc = CommandDoc {
    name: "require",
    aliases: &[],
    kind: CommandKind::CentralizedStreaming,
    summary: "Fail the search if the commands before this one return no rows.",
    syntax: "require",
    arguments: &[],
    examples: &[
        Example {
            title: "Rows pass unchanged",
            events: "{\"user\":\"ann\"}\n{\"user\":\"bob\"}",
            search: "search user=ann | require | table user",
            results: r#"{"user":"ann"}"#,
        },
        Example {
            title: "In a subsearch, so that a search does not exclude nothing",
            events: "{\"user\":\"ann\",\"role\":\"admin\"}\n{\"user\":\"bob\",\"role\":\"dev\"}",
            search: "search NOT [search role=admin | require | fields user | fields - _*] | table user",
            results: r#"{"user":"bob"}"#,
        },
    ],
    differs: &[],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::operator::<RequireRows>("require");

#[derive(Debug)]
struct Require;

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    arguments.finish()?;
    Ok(Box::new(Require))
}

#[async_trait]
impl Command for Require {
    fn needs(&self, after: Needs) -> Needs {
        after
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        before
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        let at = (stage.span.start, stage.span.end);
        Ok(input.operator(Arc::new(RequireRows { at })))
    }
}

/// Returns the rows unchanged; fails if there are none.
#[derive(Debug, Serialize, Deserialize)]
struct RequireRows {
    /// The place of the command.
    at: (usize, usize),
}

impl Operator for RequireRows {
    fn name(&self) -> &'static str {
        "require"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn output(&self, input: &[Field]) -> Vec<Field> {
        input.to_vec()
    }

    fn start(&self, _: SchemaRef, _: SchemaRef, _: &TaskContext) -> EngineResult<Box<dyn Running>> {
        Ok(Box::new(Requiring { at: self.at, has_rows: false }))
    }
}

struct Requiring {
    at: (usize, usize),
    has_rows: bool,
}

impl Running for Requiring {
    fn push(&mut self, batch: RecordBatch) -> EngineResult<Option<RecordBatch>> {
        self.has_rows |= batch.num_rows() > 0;
        Ok(Some(batch))
    }

    fn finish(&mut self) -> EngineResult<Option<RecordBatch>> {
        if self.has_rows {
            return Ok(None);
        }
        let message = "the commands before `require` return no rows";
        let span = Span::new(self.at.0, self.at.1);
        Err(to_engine(
            Diagnostic::error(Code::NO_ROWS, message)
                .at(span)
                .help("look at what they find without it, or leave it out"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use crate::testing::table;

    #[tokio::test]
    async fn a_search_without_rows_fails() {
        let rows = "{\"a\":\"1\"}\n{\"a\":\"2\"}";
        for (search, expected) in [
            ("* | require | stats count", Ok(vec!["count", "2"])),
            ("a=1 | require | where a=2 | table a", Ok(vec!["a"])),
            ("a=3 | stats count | require", Ok(vec!["count", "0"])),
            ("* | require | head 1 | table a", Ok(vec!["a", "1"])),
            ("a=3 | require", Err(Code::NO_ROWS)),
            ("a=3 | require | stats count", Err(Code::NO_ROWS)),
            ("* | where a=3 | require | head 1", Err(Code::NO_ROWS)),
            ("* | stats count by b | require | sort b", Err(Code::NO_ROWS)),
            ("* NOT [search a=3 | require | fields a]", Err(Code::NO_ROWS)),
            ("* | append [search a=3 | require]", Err(Code::NO_ROWS)),
            ("* | require 1", Err(Code::TRAILING_TEXT)),
            ("| require", Ok(vec!["a", "1", "2"])),
        ] {
            let expected = expected
                .map(|lines| lines.into_iter().map(str::to_owned).collect::<Vec<_>>())
                .map_err(|code| vec![code]);
            assert_eq!(table(search, rows).await, expected, "{search}");
        }
    }
}
