//! `sitimechart`: rows for a later `timechart`.

use spilltrail_diagnostic::Diagnostic;
use spilltrail_spl::Arguments;

use super::for_later::{A_ROW_FOR_EACH_EVENT, for_later};
use super::{Command, CommandDoc, CommandKind, Entry, Example};
use super::{chart, timechart};

static DOC: CommandDoc = CommandDoc {
    name: "sitimechart",
    aliases: &[],
    kind: CommandKind::Transforming,
    summary: "Prepare rows from which a later `timechart` computes the same results.",
    syntax: "sitimechart [span=<span>|bins=<int>] [minspan=<span>] [aligntime=<time>] [start=<num>] [end=<num>] [limit=[top|bottom]<int>] [agg=<function>(<field>)] [sep=<text>] [format=<text>] [cont=<bool>] [partial=<bool>] [fixedrange=<bool>] [usenull=<bool>] [nullstr=<text>] [useother=<bool>] [otherstr=<text>] <function>(<field>|eval(<expr>)) [AS <name>] … [BY <field> [<bin options>] [WHERE <function> in|notin top<int>|bottom<int> | > <num> | < <num>]] [dedup_splitvals=<bool>]",
    arguments: timechart::DOC.arguments,
    examples: &[
        Example {
            title: "The rows have the times of the events",
            events: r#"{"_time":10,"user":"ann","action":"get"}
{"_time":20,"user":"ann","action":"put"}
{"_time":3700,"user":"bob","action":"put"}"#,
            search: "| sitimechart count by user",
            results: r#"{"_time":10,"user":"ann","psrsvd_gc":1}
{"_time":20,"user":"ann","psrsvd_gc":1}
{"_time":3700,"user":"bob","psrsvd_gc":1}"#,
        },
        Example {
            title: "The chart, from the rows",
            events: r#"{"_time":10,"user":"ann","action":"get"}
{"_time":20,"user":"ann","action":"put"}
{"_time":3700,"user":"bob","action":"put"}"#,
            search: "| sitimechart span=1h limit=5 agg=count by user | timechart span=1h limit=5 agg=count by user",
            results: r#"{"_time":0,"ann":2,"bob":0}
{"_time":3600,"ann":0,"bob":1}"#,
        },
    ],
    differs: &[A_ROW_FOR_EACH_EVENT],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    Ok(for_later(chart::parse_time(arguments)?))
}
