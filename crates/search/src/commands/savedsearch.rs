//! `savedsearch`: runs a search of the content by its name.
//!
//! Macro expansion replaces the command by the text of the search, so that everything that is known of
//! the text is known of the command. What is left of it here is what expansion could not replace.

use async_trait::async_trait;
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_spl::Arguments;

use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::planning::plan::{Needs, Plan};

static DOC: CommandDoc = CommandDoc {
    name: "savedsearch",
    aliases: &[],
    kind: CommandKind::Generating,
    summary: "Run a detection or baseline of the content by its name.",
    syntax: "savedsearch <name> [<token>=<value>] …",
    arguments: &[
        Argument::positional("name", Takes::Text)
            .doc("The name of a detection or baseline, in quotes if it has blanks. `ESCU - Name - Rule` stands for `Name`."),
        Argument::positional("token", Takes::Text)
            .doc("Values for tokens: `user=ann` replaces `$user$` in the search. `nosubstitution=t` leaves tokens as they are."),
    ],
    examples: &[
        Example {
            title: "A search by its name",
            events: r#"{"user":"ann","errorCode":"AccessDenied"}
{"user":"bob"}"#,
            search: "| savedsearch \"Denied calls\" | table user",
            results: r#"{"user":"ann"}"#,
        },
        Example {
            title: "With a token, as a subsearch",
            events: r#"{"user":"ann"}"#,
            search: "| makeresults count=0 | append [| savedsearch \"Calls of a user\" name=ann] | table user",
            results: r#"{"user":"ann"}"#,
        },
    ],
    differs: &[
        "Saved searches are the detections and baselines of the content. The search has the time range of the whole search.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct SavedSearch;

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut name = None;
    loop {
        if arguments.any_option().is_some() {
            arguments.symbol(",");
            continue;
        }
        let Some(word) = arguments.word() else { break };
        if name.replace(word).is_some() {
            let message = "expected one name; a name with blanks needs quotes";
            return Err(Diagnostic::error(Code::BAD_ARGUMENT, message).at(arguments.span()));
        }
    }
    arguments.finish()?;
    if name.is_none() {
        return Err(Diagnostic::error(Code::MISSING_ARGUMENT, "expected the name of a search")
            .at(arguments.span())
            .help("for example `| savedsearch \"Denied calls\"`"));
    }
    Ok(Box::new(SavedSearch))
}

#[async_trait]
impl Command for SavedSearch {
    fn needs(&self, _: Needs) -> Needs {
        Needs::only::<&str>([])
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        stage.must_be_first(input.as_ref())?;
        let message = "expected a name and pairs such as `user=ann`";
        Err(Diagnostic::error(Code::BAD_ARGUMENT, message)
            .at(stage.span)
            .help("put values with blanks or pipes in double quotes"))
    }
}
