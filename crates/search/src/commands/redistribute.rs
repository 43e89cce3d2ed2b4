//! `redistribute`: spreads the later commands over machines in Splunk; here, rows pass unchanged.

use spilltrail_diagnostic::Diagnostic;
use spilltrail_spl::Arguments;

use super::passing::Passing;
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Takes};

static DOC: CommandDoc = CommandDoc {
    name: "redistribute",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Return the rows unchanged; in Splunk, spread the later commands over several machines.",
    syntax: "redistribute [num_of_reducers=<int>] [BY <field> …]",
    arguments: &[
        Argument::option("num_of_reducers", Takes::Count)
            .no_effect("all commands run on one machine")
            .doc("How many machines compute the later commands."),
        Argument::keyword("BY", Takes::Fields)
            .doc("Rows with the same values of these fields go to the same machine."),
    ],
    examples: &[
        Example {
            title: "The result of `stats` is the same with and without it",
            events: "{\"user\":\"ann\"}\n{\"user\":\"ann\"}\n{\"user\":\"bob\"}",
            search: "search * | redistribute by user | stats count by user",
            results: "{\"user\":\"ann\",\"count\":2}\n{\"user\":\"bob\",\"count\":1}",
        },
        Example {
            title: "Without fields",
            events: r#"{"user":"ann"}"#,
            search: "search * | redistribute | stats count",
            results: r#"{"count":1}"#,
        },
    ],
    differs: &["All commands run on one machine, with or without it. Rows keep their order."],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    arguments.options();
    if arguments.keyword("by").is_some() {
        let fields = arguments.fields()?;
        arguments.each_is_one_field(&fields);
    }
    arguments.finish_with_options()?;
    Ok(Passing::silent())
}
