//! `tail`: returns the last rows in reverse order.

use async_trait::async_trait;
use spilltrail_diagnostic::Diagnostic;
use spilltrail_spl::Arguments;

use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::planning::order;
use crate::planning::plan::{Needs, Plan};

/// Rows returned if no number is given (Search Reference, `tail`).
const DEFAULT_COUNT: usize = 10;

static DOC: CommandDoc = CommandDoc {
    name: "tail",
    aliases: &[],
    kind: CommandKind::Dataset,
    summary: "Keep the last rows, in reverse order.",
    syntax: "tail [<count>]",
    arguments: &[Argument::positional("count", Takes::Count)
        .default("10")
        .doc("The number of rows to keep.")],
    examples: &[
        Example {
            title: "The last two rows, in reverse order",
            events: "{\"n\":\"1\"}\n{\"n\":\"2\"}\n{\"n\":\"3\"}",
            search: "| tail 2",
            results: "{\"n\":\"3\"}\n{\"n\":\"2\"}",
        },
        Example {
            title: "The oldest event",
            events: "{\"_time\":5,\"n\":\"1\"}\n{\"_time\":9,\"n\":\"2\"}",
            search: "search * | tail 1 | table n",
            results: "{\"n\":\"1\"}",
        },
    ],
    differs: &[],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct Tail {
    count: usize,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    arguments.options();
    let count = arguments.count().map_or(DEFAULT_COUNT, |count| count.value);
    arguments.finish_with_options()?;
    Ok(Box::new(Tail { count }))
}

#[async_trait]
impl Command for Tail {
    fn needs(&self, after: Needs) -> Needs {
        Needs { order: true, ..after }
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        before
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        order::reversed(input, Some(self.count)).map_err(|error| stage.refused(error))
    }
}
