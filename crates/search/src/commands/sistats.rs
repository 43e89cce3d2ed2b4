//! `sistats`: rows for a later `stats`.

use spilltrail_diagnostic::Diagnostic;
use spilltrail_spl::Arguments;

use super::for_later::{A_ROW_FOR_EACH_EVENT, for_later};
use super::stats;
use super::{Command, CommandDoc, CommandKind, Entry, Example};

static DOC: CommandDoc = CommandDoc {
    name: "sistats",
    aliases: &[],
    kind: CommandKind::Transforming,
    summary: "Prepare rows from which a later `stats` computes the same results.",
    syntax: "sistats [allnum=<bool>] [partitions=<int>] [delim=<text>] <function>(<field>|eval(<expr>)) [AS <name>] … [BY <field> …] [dedup_splitvals=<bool>]",
    arguments: stats::DOC.arguments,
    examples: &[
        Example {
            title: "The rows, and how many events are behind each",
            events: r#"{"_time":10,"user":"ann","action":"get"}
{"_time":20,"user":"ann","action":"put"}
{"_time":3700,"user":"bob","action":"put"}"#,
            search: "| sistats count by user",
            results: r#"{"user":"ann","psrsvd_gc":1}
{"user":"ann","psrsvd_gc":1}
{"user":"bob","psrsvd_gc":1}"#,
        },
        Example {
            title: "The results, from the rows",
            events: r#"{"_time":10,"user":"ann","action":"get"}
{"_time":20,"user":"ann","action":"put"}
{"_time":3700,"user":"bob","action":"put"}"#,
            search: "| sistats count by user | stats count by user",
            results: r#"{"user":"ann","count":2}
{"user":"bob","count":1}"#,
        },
    ],
    differs: &[A_ROW_FOR_EACH_EVENT],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    Ok(for_later(stats::parse(arguments)?))
}
