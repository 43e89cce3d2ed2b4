//! `rare`: the least frequent values of fields.

use spilltrail_diagnostic::Diagnostic;
use spilltrail_spl::Arguments;

use super::top::{ARGUMENTS, DIFFERS, Rank, ranked};
use super::{Command, CommandDoc, CommandKind, Entry, Example};

static DOC: CommandDoc = CommandDoc {
    name: "rare",
    aliases: &[],
    kind: CommandKind::Transforming,
    summary: "Return the least frequent values of fields, with their count and percentage.",
    syntax: "rare [<count>] [limit=<int>] [countfield=<name>] [percentfield=<name>] [showcount=<bool>] [showperc=<bool>] [useother=<bool>] [otherstr=<text>] <field> … [BY <field> …]",
    arguments: ARGUMENTS,
    examples: &[
        Example {
            title: "The rarest user agent",
            events: r#"{"agent":"aws-cli"}
{"agent":"aws-cli"}
{"agent":"aws-cli"}
{"agent":"curl"}"#,
            search: "| rare limit=1 agent",
            results: r#"{"agent":"curl","count":1,"percent":"25.000000"}"#,
        },
        Example {
            title: "For each user, with other names",
            events: r#"{"user":"ann","action":"get"}
{"user":"ann","action":"get"}
{"user":"ann","action":"put"}"#,
            search: "| rare action by user countfield=events percentfield=share",
            results: r#"{"user":"ann","action":"put","events":1,"share":"33.333333"}
{"user":"ann","action":"get","events":2,"share":"66.666667"}"#,
        },
    ],
    differs: DIFFERS,
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    ranked(arguments, Rank::Rare)
}
