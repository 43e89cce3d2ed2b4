//! `addcoltotals`: adds a row with the sum of each field.

use spilltrail_diagnostic::Diagnostic;
use spilltrail_spl::Arguments;

use super::addtotals::{FIELDS, LABEL, LABELFIELD, Totals, fields, label};
use super::{Command, CommandDoc, CommandKind, Entry, Example};

static DOC: CommandDoc = CommandDoc {
    name: "addcoltotals",
    aliases: &[],
    kind: CommandKind::Transforming,
    summary: "Add a row with the sum of each field.",
    syntax: "addcoltotals [labelfield=<field>] [label=<text>] [<field> …]",
    arguments: &[LABELFIELD, LABEL, FIELDS],
    examples: &[
        Example {
            title: "A last row with the sums",
            events: r#"{"user":"ann","n":"1"}
{"user":"bob","n":"2"}"#,
            search: "| addcoltotals labelfield=user label=ALL",
            results: r#"{"user":"ann","n":"1"}
{"user":"bob","n":"2"}
{"user":"ALL","n":"3"}"#,
        },
        Example {
            title: "One field only",
            events: r#"{"n":"1","code":"200"}
{"n":"2","code":"404"}"#,
            search: "| addcoltotals n",
            results: r#"{"n":"1","code":"200"}
{"n":"2","code":"404"}
{"n":"3"}"#,
        },
    ],
    differs: &["Without a list, fields whose name begins with `_` are not summed."],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let fields = fields(arguments)?;
    let label = label(arguments);
    Ok(Box::new(Totals { row: None, has_columns: true, label, fields }))
}
