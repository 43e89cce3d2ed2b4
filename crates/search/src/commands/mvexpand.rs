//! `mvexpand`: returns a row for each value of a multivalue field.

use std::sync::Arc;

use async_trait::async_trait;
use spilltrail_diagnostic::Diagnostic;
use spilltrail_event::Kind;
use spilltrail_spl::Arguments;

use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::lineage::Lineage;
use crate::operators::{Expand, Whole};
use crate::planning::plan::{Needs, Plan};

static DOC: CommandDoc = CommandDoc {
    name: "mvexpand",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Turn each value of a multivalue field into a row of its own. The other fields are repeated.",
    syntax: "mvexpand <field> [limit=<int>]",
    arguments: &[
        Argument::positional("field", Takes::Field).doc("The multivalue field."),
        Argument::option("limit", Takes::Count)
            .default("0")
            .doc("The number of values to use from each row; 0 means all."),
    ],
    examples: &[
        Example {
            title: "One row per value",
            events: r#"{"id":"1","tag":["a","b"]}
{"id":"2"}"#,
            search: "| mvexpand tag",
            results: r#"{"id":"1","tag":"a"}
{"id":"1","tag":"b"}
{"id":"2"}"#,
        },
        Example {
            title: "At most two",
            events: r#"{"tag":["a","b","c"]}"#,
            search: "| mvexpand tag limit=2",
            results: r#"{"tag":"a"}
{"tag":"b"}"#,
        },
    ],
    differs: &["The values of a row have no memory limit. A row without the field is kept."],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct MultivalueExpand {
    field: String,
    limit: usize,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    arguments.options();
    let field = arguments.one_field()?;
    arguments.finish_with_options()?;
    Ok(Box::new(MultivalueExpand { field: field.value, limit: arguments.value("limit") }))
}

#[async_trait]
impl Command for MultivalueExpand {
    fn needs(&self, after: Needs) -> Needs {
        after.and([&self.field])
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        before
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        if input.kind(&self.field) != Some(Kind::Multi) {
            return Ok(input);
        }
        Ok(input.operator(Arc::new(Expand {
            column: self.field.clone(),
            whole: Whole::MembersOrAbsent,
            limit: self.limit,
            product: Vec::new(),
        })))
    }

    fn trace(&self, lineage: &mut Lineage) {
        lineage.expand(&self.field);
    }
}
