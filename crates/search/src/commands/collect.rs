//! `collect`: passes rows on; there is no index to write them to.

use async_trait::async_trait;
use spilltrail_diagnostic::{Code, Diagnostic, Span};
use spilltrail_spl::Arguments;

use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::planning::plan::{Needs, Plan};

/// Why no option of the command changes anything.
const NOT_STORED: &str = "the rows are not stored";

static DOC: CommandDoc = CommandDoc {
    name: "collect",
    aliases: &["stash"],
    kind: CommandKind::CentralizedStreaming,
    summary: "Keep the rows as results. Nothing is stored, with a warning: there is no index to write to.",
    syntax: "collect index=<text> [addtime=<bool>] [file=<text>] [host=<text>] [source=<text>] [sourcetype=<text>] [marker=<text>] [output_format=raw|hec] [run_in_preview=<bool>] [spool=<bool>] [testmode=<bool>] [addinfo=<bool>]",
    arguments: &[
        Argument::option("index", Takes::Text).doc("The index for the rows."),
        Argument::option("addtime", Takes::Bool)
            .default("true")
            .no_effect(NOT_STORED)
            .doc("Whether the stored rows have a time."),
        Argument::option("addinfo", Takes::Bool)
            .default("true")
            .no_effect(NOT_STORED)
            .doc("Whether the stored rows have the fields of `addinfo`."),
        Argument::option("file", Takes::Text).no_effect(NOT_STORED).doc("The file for the rows."),
        Argument::option("host", Takes::Text).no_effect(NOT_STORED).doc("The host of the rows."),
        Argument::option("source", Takes::Text)
            .no_effect(NOT_STORED)
            .doc("The source of the rows."),
        Argument::option("sourcetype", Takes::Text)
            .default("stash")
            .no_effect(NOT_STORED)
            .doc("The sourcetype of the rows."),
        Argument::option("marker", Takes::Text)
            .no_effect(NOT_STORED)
            .doc("Fields that are added to the rows."),
        Argument::option("output_format", Takes::OneOf(&["raw", "hec"]))
            .default("raw")
            .no_effect(NOT_STORED)
            .doc("The format of the rows."),
        Argument::option("run_in_preview", Takes::Bool)
            .default("false")
            .no_effect("there are no previews of results")
            .doc("Whether to store rows of previews."),
        Argument::option("spool", Takes::Bool)
            .default("true")
            .no_effect(NOT_STORED)
            .doc("Whether the file is indexed."),
        Argument::option("testmode", Takes::Bool)
            .default("false")
            .no_effect("rows are never stored")
            .doc("Whether to store nothing."),
    ],
    examples: &[
        Example {
            title: "The rows stay results",
            events: r#"{"user":"ann"}"#,
            search: "| collect index=summary",
            results: r#"{"user":"ann"}"#,
        },
        Example {
            title: "Later commands see the same rows",
            events: "{\"user\":\"ann\"}\n{\"user\":\"bob\"}",
            search: "| collect index=summary | stats count",
            results: r#"{"count":2}"#,
        },
    ],
    differs: &["Nothing is stored; `outputlookup` keeps rows."],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct Collect {
    /// Where the index is named.
    index: Span,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    arguments.finish_with_options()?;
    let Some(index) = arguments.given_at("index") else {
        return Err(Diagnostic::error(Code::MISSING_ARGUMENT, "expected `index=`")
            .at(arguments.span())
            .help("for example `collect index=summary`"));
    };
    Ok(Box::new(Collect { index }))
}

#[async_trait]
impl Command for Collect {
    fn needs(&self, after: Needs) -> Needs {
        after
    }

    fn follows_source(&mut self) -> bool {
        true
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        before
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        stage.context.observations.message(
            Diagnostic::warning(Code::NO_EFFECT, "`collect` stores nothing here")
                .at(self.index)
                .help("there are no indexes to write to; `outputlookup` keeps rows in a lookup"),
        );
        stage.input(input)
    }
}
