//! `reverse`: reverses the order of the rows.

use async_trait::async_trait;
use spilltrail_diagnostic::Diagnostic;
use spilltrail_spl::Arguments;

use super::{Command, CommandDoc, CommandKind, Entry, Example, Stage};
use crate::planning::order;
use crate::planning::plan::{Needs, Plan};

static DOC: CommandDoc = CommandDoc {
    name: "reverse",
    aliases: &[],
    kind: CommandKind::Dataset,
    summary: "Reverse the order of the rows.",
    syntax: "reverse",
    arguments: &[],
    examples: &[
        Example {
            title: "The last row comes first",
            events: "{\"n\":\"1\"}\n{\"n\":\"2\"}\n{\"n\":\"3\"}",
            search: "| reverse",
            results: "{\"n\":\"3\"}\n{\"n\":\"2\"}\n{\"n\":\"1\"}",
        },
        Example {
            title: "Oldest event first",
            events: "{\"_time\":5,\"n\":\"1\"}\n{\"_time\":9,\"n\":\"2\"}",
            search: "search * | reverse | table n",
            results: "{\"n\":\"1\"}\n{\"n\":\"2\"}",
        },
    ],
    differs: &[],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct Reverse;

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    arguments.finish()?;
    Ok(Box::new(Reverse))
}

#[async_trait]
impl Command for Reverse {
    fn needs(&self, after: Needs) -> Needs {
        after
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        before
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        if !stage.after.order {
            return Ok(input);
        }
        order::reversed(input, None).map_err(|error| stage.refused(error))
    }
}
