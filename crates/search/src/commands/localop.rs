//! `localop`: lets later commands run on one machine, as all do here.

use spilltrail_diagnostic::Diagnostic;
use spilltrail_spl::Arguments;

use super::passing::Passing;
use super::{Command, CommandDoc, CommandKind, Entry, Example};

static DOC: CommandDoc = CommandDoc {
    name: "localop",
    aliases: &[],
    kind: CommandKind::CentralizedStreaming,
    summary: "Return the rows unchanged; in Splunk, run the later commands on the search head.",
    syntax: "localop",
    arguments: &[],
    examples: &[
        Example {
            title: "The rows stay as they are",
            events: r#"{"user":"ann"}"#,
            search: "search * | localop | table user",
            results: r#"{"user":"ann"}"#,
        },
        Example {
            title: "Before a command that Splunk would run on the indexers",
            events: r#"{"ip":"10.0.0.1"}"#,
            search: "| localop | rex field=ip \"^(?<net>\\d+)\" | table net",
            results: r#"{"net":"10"}"#,
        },
    ],
    differs: &["All commands run on one machine, with or without it."],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    arguments.finish()?;
    Ok(Passing::silent())
}
