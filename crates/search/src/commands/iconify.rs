//! `iconify`: shows an icon for each value where Splunk shows events; here, rows pass unchanged.

use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_spl::Arguments;

use super::passing::Passing;
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Takes};

static DOC: CommandDoc = CommandDoc {
    name: "iconify",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Return the rows unchanged; in Splunk Web, show an icon for each value of some fields.",
    syntax: "iconify <field> …",
    arguments: &[
        Argument::positional("field", Takes::Fields).doc("The fields whose values get an icon.")
    ],
    examples: &[
        Example {
            title: "The rows stay as they are",
            events: r#"{"user":"ann","eventtype":"login"}"#,
            search: "| iconify eventtype",
            results: r#"{"user":"ann","eventtype":"login"}"#,
        },
        Example {
            title: "Later commands see the same rows",
            events: "{\"user\":\"ann\"}\n{\"user\":\"bob\"}",
            search: "| iconify user | stats count",
            results: r#"{"count":2}"#,
        },
    ],
    differs: &["There are no icons, and a warning says so."],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let span = arguments.span();
    if arguments.is_empty() {
        return Err(Diagnostic::error(Code::MISSING_ARGUMENT, "expected a field")
            .at(span)
            .help("for example `iconify eventtype`"));
    }
    let fields = arguments.fields()?;
    arguments.each_is_one_field(&fields);
    arguments.finish()?;
    Ok(Passing::telling(span, "`iconify` shows no icons here", "leave it out"))
}
