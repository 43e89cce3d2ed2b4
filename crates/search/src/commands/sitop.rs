//! `sitop`: rows for a later `top`.

use spilltrail_diagnostic::Diagnostic;
use spilltrail_spl::Arguments;

use super::for_later::{A_ROW_FOR_EACH_EVENT, for_later};
use super::top::{ARGUMENTS, Rank, ranked};
use super::{Command, CommandDoc, CommandKind, Entry, Example};

static DOC: CommandDoc = CommandDoc {
    name: "sitop",
    aliases: &[],
    kind: CommandKind::Transforming,
    summary: "Prepare rows from which a later `top` computes the same results.",
    syntax: "sitop [<count>] [limit=<int>] [countfield=<name>] [percentfield=<name>] [showcount=<bool>] [showperc=<bool>] [useother=<bool>] [otherstr=<text>] <field> … [BY <field> …]",
    arguments: ARGUMENTS,
    examples: &[
        Example {
            title: "The rows, and how many events are behind each",
            events: r#"{"_time":10,"user":"ann","action":"get"}
{"_time":20,"user":"ann","action":"put"}
{"_time":3700,"user":"bob","action":"put"}"#,
            search: "| sitop action",
            results: r#"{"action":"get","psrsvd_gc":1}
{"action":"put","psrsvd_gc":1}
{"action":"put","psrsvd_gc":1}"#,
        },
        Example {
            title: "The most frequent value, from the rows",
            events: r#"{"_time":10,"user":"ann","action":"get"}
{"_time":20,"user":"ann","action":"put"}
{"_time":3700,"user":"bob","action":"put"}"#,
            search: "| sitop limit=1 action | top limit=1 action",
            results: r#"{"action":"put","count":2,"percent":"66.666667"}"#,
        },
    ],
    differs: &[A_ROW_FOR_EACH_EVENT],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    Ok(for_later(ranked(arguments, Rank::Frequent)?))
}
