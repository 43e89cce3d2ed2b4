//! `from`: reads the rows of a dataset.

use async_trait::async_trait;
use spilltrail_diagnostic::{Code, Diagnostic, Span, Spanned};
use spilltrail_spl::{Arguments, Command as Written, Pipeline};

use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Parts, Stage, Takes};
use super::{pipeline, subsearch};
use crate::planning::plan::{Needs, Plan};

static DOC: CommandDoc = CommandDoc {
    name: "from",
    aliases: &[],
    kind: CommandKind::Generating,
    summary: "Read the rows of a lookup, the events of a data model, or the results of a saved search.",
    syntax: "from (lookup:<table> | datamodel:<model>.<dataset> | savedsearch:<name>)",
    arguments: &[
        Argument::positional("dataset", Takes::Text)
            .doc("A lookup, written `lookup:name`, `lookup name` or `inputlookup:name`, or a dataset of a data model, written `datamodel:Model.Dataset` or `datamodel Model.Dataset`. Its fields are named without the dataset. `savedsearch:\"Name\"` runs a detection or baseline of the content, as the command `savedsearch` does."),
    ],
    examples: &[
        Example {
            title: "A lookup without rows",
            events: "",
            search: "| from lookup:seen_users | stats count",
            results: r#"{"count":0}"#,
        },
        Example {
            title: "As a subsearch",
            events: r#"{"user":"ann"}"#,
            search: "| append [| from lookup:seen_users] | table user",
            results: r#"{"user":"ann"}"#,
        },
        Example {
            title: "A dataset of a data model",
            events: r#"{"_time":10,"tag":"web","url":"/a","status":"200"}
{"_time":20,"tag":"web","url":"/b"}"#,
            search: "| from datamodel:\"Web.Web\" | table url status",
            results: r#"{"url":"/b","status":"unknown"}
{"url":"/a","status":"200"}"#,
        },
        Example {
            title: "A saved search",
            events: r#"{"user":"ann","errorCode":"AccessDenied"}
{"user":"bob"}"#,
            search: "| from savedsearch:\"Denied calls\" | table user",
            results: r#"{"user":"ann"}"#,
        },
    ],
    differs: &["Saved searches are the detections and baselines of the content."],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct From {
    /// The search that reads the dataset.
    search: Pipeline,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let text = arguments.rest();
    if text.value.is_empty() {
        return Err(Diagnostic::error(Code::MISSING_ARGUMENT, "expected a dataset")
            .at(arguments.span())
            .help("for example `from lookup:users`"));
    }
    let search = dataset(&Spanned::new(text.value.to_owned(), text.span))?;
    Ok(Box::new(From { search }))
}

/// Returns the search that reads a dataset, written `type:name` or `type name`.
///
/// # Errors
/// Fails for a dataset that is neither a lookup nor a dataset of a data model. Saved searches are
/// filled in before a search is read, unless their call is malformed.
pub(super) fn dataset(text: &Spanned<String>) -> Result<Pipeline, Diagnostic> {
    let at = |diagnostic: Diagnostic| diagnostic.at(text.span);
    let written = text.value.trim();
    let Some((kind, name)) = written.split_once(|c: char| c == ':' || c.is_whitespace()) else {
        let message = format!("expected a type and a name, found `{written}`");
        return Err(at(
            Diagnostic::error(Code::EXPECTED, message).help("for example `lookup:users`")
        ));
    };
    let name = name.trim().trim_matches(['"', '\'']);
    match kind.to_ascii_lowercase().as_str() {
        "lookup" | "inputlookup" if !name.is_empty() => {
            Ok(reading("inputlookup", &subsearch::quoted(name), text.span))
        }
        "datamodel" => match name.split_once('.') {
            Some(_) => Ok(reading("datamodel", &flat(&text.value), text.span)),
            None => {
                let message = format!("expected a data model and a dataset, found `{name}`");
                Err(at(Diagnostic::error(Code::EXPECTED, message)
                    .help("for example `from datamodel:Change.All_Changes`")))
            }
        },
        "savedsearch" => {
            let message = format!("expected the name of one saved search, found `{name}`");
            Err(at(Diagnostic::error(Code::BAD_ARGUMENT, message)
                .help("a name with blanks needs quotes: `from savedsearch:\"Denied calls\"`")))
        }
        _ => {
            let message = format!(
                "expected `lookup:`, `datamodel:` or `savedsearch:` and a name, found `{written}`"
            );
            Err(at(Diagnostic::error(Code::BAD_ARGUMENT, message)))
        }
    }
}

/// Returns the search that reads a dataset with this command.
fn reading(command: &str, arguments: &str, span: Span) -> Pipeline {
    let command = Written {
        name: Spanned::new(command.to_owned(), span),
        arguments: Spanned::new(arguments.to_owned(), span),
    };
    Pipeline { commands: vec![command], leading_pipe: true, span }
}

/// Returns the arguments of `datamodel` for a dataset written as `datamodel:Model.Dataset`, with both
/// names where they are written, so that mistakes in them have their places.
fn flat(written: &str) -> String {
    let spaced = written.replace([':', '"', '\'', '.'], " ");
    let start = spaced.len() - spaced.trim_start().len();
    let kind = "datamodel".len();
    format!("{}{} flat", " ".repeat(start + kind), spaced.get(start + kind..).unwrap_or_default())
}

#[async_trait]
impl Command for From {
    fn parts(&self) -> Parts<'_> {
        Parts { pipelines: vec![&self.search], ..Parts::default() }
    }

    fn needs(&self, _: Needs) -> Needs {
        Needs::only::<&str>([])
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        stage.must_be_first(input.as_ref())?;
        pipeline::plan_pipeline(&self.search, stage.context, stage.after.clone())
            .await
            .map_err(subsearch::first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datasets_are_lookups() {
        for (text, expected) in [
            ("lookup:users", Ok("inputlookup \"users\"")),
            ("lookup users.csv", Ok("inputlookup \"users.csv\"")),
            ("inputlookup:\"my users\"", Ok("inputlookup \"my users\"")),
            ("datamodel:Risk.All_Risk", Ok("datamodel           Risk All_Risk flat")),
            ("datamodel \"Risk.All_Risk\"", Ok("datamodel            Risk All_Risk  flat")),
            ("datamodel:Risk", Err("expected a data model and a dataset, found `Risk`")),
            ("savedsearch:x y", Err("expected the name of one saved search, found `x y`")),
            (
                "lookup:",
                Err(
                    "expected `lookup:`, `datamodel:` or `savedsearch:` and a name, found `lookup:`",
                ),
            ),
            ("users", Err("expected a type and a name, found `users`")),
        ] {
            let found = dataset(&Spanned::new(text.to_owned(), Span::new(1, 2)));
            let found = found.map(|pipeline| {
                let command = &pipeline.commands[0];
                format!("{} {}", command.name.value, command.arguments.value)
            });
            let found = found.as_deref().map_err(|diagnostic| diagnostic.message.as_str());
            assert_eq!(found, expected, "{text}");
        }
    }
}
