//! `timechart`: statistics as a table with a row for each span of time.

use super::chart::{
    AGG, ALIGNTIME, CONT, DEDUP, END, FORMAT, FUNCTION, LIMIT, LIMITS_DIFFER, MINSPAN,
    NAMES_DIFFER, NULLSTR, ORDER_DIFFERS, OTHERSTR, ROWS_DIFFER, SEP, SPAN, START, USENULL,
    USEOTHER, WHERE, WHERE_DIFFERS, bins_option, parse_time,
};
use super::{Argument, CommandDoc, CommandKind, Entry, Example, Takes};

pub(super) static DOC: CommandDoc = CommandDoc {
    name: "timechart",
    aliases: &[],
    kind: CommandKind::Transforming,
    summary: "Compute statistics as a table: a row for each span of time, a column for each value of a field.",
    syntax: "timechart [span=<span>|bins=<int>] [minspan=<span>] [aligntime=<time>] [start=<num>] [end=<num>] [limit=[top|bottom]<int>] [agg=<function>(<field>)] [sep=<text>] [format=<text>] [cont=<bool>] [partial=<bool>] [fixedrange=<bool>] [usenull=<bool>] [nullstr=<text>] [useother=<bool>] [otherstr=<text>] <function>(<field>|eval(<expr>)) [AS <name>] … [BY <field> [<bin options>] [WHERE <function> in|notin top<int>|bottom<int> | > <num> | < <num>]] [dedup_splitvals=<bool>]",
    arguments: &[
        SPAN,
        bins_option("100"),
        MINSPAN,
        ALIGNTIME,
        START,
        END,
        LIMIT,
        AGG,
        SEP,
        FORMAT,
        CONT,
        Argument::option("partial", Takes::Bool).default("true").doc(
            "Whether the first and the last bin are kept if the time range of the search cuts them.",
        ),
        Argument::option("fixedrange", Takes::Bool).default("true").doc(
            "Whether rows are added up to the ends of the search's time range. Otherwise they go from the first event to the last.",
        ),
        USENULL,
        NULLSTR,
        USEOTHER,
        OTHERSTR,
        FUNCTION,
        Argument::keyword("BY", Takes::Field).doc(
            "The field whose values are the columns. Bin options before BY are for the time, those after the field for its values.",
        ),
        WHERE,
        DEDUP,
    ],
    examples: &[
        Example {
            title: "Events of each hour, with one hour without any",
            events: r#"{"_time":1700000000,"user":"ann"}
{"_time":1700006400,"user":"bob"}
{"_time":1700006500,"user":"bob"}"#,
            search: "| timechart span=1h limit=5 count by user",
            results: r#"{"_time":1699999200,"ann":1,"bob":0}
{"_time":1700002800,"ann":0,"bob":0}
{"_time":1700006400,"ann":0,"bob":2}"#,
        },
        Example {
            title: "Bytes by the minute; the width follows from the time range",
            events: r#"{"_time":1700000001,"bytes":"60"}
{"_time":1700000011,"bytes":"30"}"#,
            search: "| timechart bins=2 per_minute(bytes) as rate count",
            results: r#"{"_time":1700000000,"rate":360,"count":1}
{"_time":1700000010,"rate":180,"count":1}"#,
        },
        Example {
            title: "Several statistics, for the user with more than one event",
            events: r#"{"_time":1700000000,"user":"ann","bytes":"1"}
{"_time":1700000010,"user":"ann","bytes":"2"}
{"_time":1700000010,"user":"bob","bytes":"4"}"#,
            search: "| timechart span=1m agg=max(bytes) count by user useother=f where count > 1",
            results: r#"{"_time":1699999980,"count: ann":2,"max(bytes): ann":"2"}"#,
        },
    ],
    differs: &[
        ORDER_DIFFERS,
        NAMES_DIFFER,
        "The time range is that of the run, as set by `--earliest` and `--latest`; where it has no bound, the first or last event is one.",
        "A span of time behind the BY field, as in `count by user span=1h`, is that of the rows, unless `bins=` or `span=` is given before; a number is the width of the field's bins.",
        WHERE_DIFFERS,
        ROWS_DIFFER,
        LIMITS_DIFFER,
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse: parse_time };
