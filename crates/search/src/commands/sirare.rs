//! `sirare`: rows for a later `rare`.

use spilltrail_diagnostic::Diagnostic;
use spilltrail_spl::Arguments;

use super::for_later::{A_ROW_FOR_EACH_EVENT, for_later};
use super::top::{ARGUMENTS, Rank, ranked};
use super::{Command, CommandDoc, CommandKind, Entry, Example};

static DOC: CommandDoc = CommandDoc {
    name: "sirare",
    aliases: &[],
    kind: CommandKind::Transforming,
    summary: "Prepare rows from which a later `rare` computes the same results.",
    syntax: "sirare [<count>] [limit=<int>] [countfield=<name>] [percentfield=<name>] [showcount=<bool>] [showperc=<bool>] [useother=<bool>] [otherstr=<text>] <field> … [BY <field> …]",
    arguments: ARGUMENTS,
    examples: &[
        Example {
            title: "The rows, and how many events are behind each",
            events: r#"{"_time":10,"user":"ann","action":"get"}
{"_time":20,"user":"ann","action":"put"}
{"_time":3700,"user":"bob","action":"put"}"#,
            search: "| sirare action by user | fields user action psrsvd_gc",
            results: r#"{"user":"ann","action":"get","psrsvd_gc":1}
{"user":"ann","action":"put","psrsvd_gc":1}
{"user":"bob","action":"put","psrsvd_gc":1}"#,
        },
        Example {
            title: "The rarest value, from the rows",
            events: r#"{"_time":10,"user":"ann","action":"get"}
{"_time":20,"user":"ann","action":"put"}
{"_time":3700,"user":"bob","action":"put"}"#,
            search: "| sirare limit=1 action | rare limit=1 action",
            results: r#"{"action":"get","count":1,"percent":"33.333333"}"#,
        },
    ],
    differs: &[A_ROW_FOR_EACH_EVENT],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    Ok(for_later(ranked(arguments, Rank::Rare)?))
}
