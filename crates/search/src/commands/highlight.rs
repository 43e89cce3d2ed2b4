//! `highlight`: marks terms where Splunk shows events; here, rows pass unchanged.

use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_spl::Arguments;

use super::passing::Passing;
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Takes};

static DOC: CommandDoc = CommandDoc {
    name: "highlight",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Return the rows unchanged; in Splunk Web, mark terms in the list of events.",
    syntax: "highlight <text> …",
    arguments: &[Argument::positional("text", Takes::Text)
        .doc("The terms to mark, with blanks or commas between them.")],
    examples: &[
        Example {
            title: "The rows stay as they are",
            events: r#"{"user":"ann","action":"login"}"#,
            search: "| highlight login",
            results: r#"{"user":"ann","action":"login"}"#,
        },
        Example {
            title: "Several terms",
            events: "{\"user\":\"ann\"}\n{\"user\":\"bob\"}",
            search: "| highlight ann,\"access denied\" | stats count",
            results: r#"{"count":2}"#,
        },
    ],
    differs: &["Nothing is marked, and a warning says so: rows are shown without marks."],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let span = arguments.span();
    let mut terms = 0;
    while arguments.word().is_some() {
        terms += 1;
        arguments.symbol(",");
    }
    arguments.finish()?;
    if terms == 0 {
        return Err(Diagnostic::error(Code::MISSING_ARGUMENT, "expected a term to mark")
            .at(span)
            .help("for example `highlight AccessDenied`"));
    }
    Ok(Passing::telling(
        span,
        "`highlight` marks nothing here",
        "rows are shown without marks; leave it out, or search for the terms",
    ))
}
