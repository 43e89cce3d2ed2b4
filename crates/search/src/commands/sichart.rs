//! `sichart`: rows for a later `chart`.

use spilltrail_diagnostic::Diagnostic;
use spilltrail_spl::Arguments;

use super::chart;
use super::for_later::{A_ROW_FOR_EACH_EVENT, for_later};
use super::{Command, CommandDoc, CommandKind, Entry, Example};

static DOC: CommandDoc = CommandDoc {
    name: "sichart",
    aliases: &[],
    kind: CommandKind::Transforming,
    summary: "Prepare rows from which a later `chart` computes the same results.",
    syntax: "sichart [limit=[top|bottom]<int>] [agg=<function>(<field>)] [sep=<text>] [format=<text>] [cont=<bool>] [span=<span>|bins=<int>] [minspan=<span>] [aligntime=<time>] [start=<num>] [end=<num>] [usenull=<bool>] [nullstr=<text>] [useother=<bool>] [otherstr=<text>] <function>(<field>|eval(<expr>)) [AS <name>] … [OVER <row field> [<bin options>]] [BY [<row field> [<bin options>]] <column field> [<bin options>] [WHERE <function> in|notin top<int>|bottom<int> | > <num> | < <num>]] [dedup_splitvals=<bool>]",
    arguments: chart::DOC.arguments,
    examples: &[
        Example {
            title: "The rows, and how many events are behind each",
            events: r#"{"_time":10,"user":"ann","action":"get"}
{"_time":20,"user":"ann","action":"put"}
{"_time":3700,"user":"bob","action":"put"}"#,
            search: "| sichart count over user by action | fields user action psrsvd_gc",
            results: r#"{"user":"ann","action":"get","psrsvd_gc":1}
{"user":"ann","action":"put","psrsvd_gc":1}
{"user":"bob","action":"put","psrsvd_gc":1}"#,
        },
        Example {
            title: "The chart, from the rows",
            events: r#"{"_time":10,"user":"ann","action":"get"}
{"_time":20,"user":"ann","action":"put"}
{"_time":3700,"user":"bob","action":"put"}"#,
            search: "| sichart limit=5 agg=count over user by action | chart limit=5 agg=count over user by action",
            results: r#"{"user":"ann","get":1,"put":1}
{"user":"bob","get":0,"put":1}"#,
        },
    ],
    differs: &[A_ROW_FOR_EACH_EVENT],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    Ok(for_later(chart::parse(arguments)?))
}
