//! `fromjson`: makes fields of the members of a JSON object.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use spilltrail_diagnostic::Diagnostic;
use spilltrail_eval::functions::digits;
use spilltrail_spl::Arguments;

use super::extraction::{self, Extracted, Extractor};
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::operators::Codec;
use crate::planning::plan::{Needs, Plan};

static DOC: CommandDoc = CommandDoc {
    name: "fromjson",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Make a field of each member of a JSON object.",
    syntax: "fromjson <field> [prefix=<text>]",
    arguments: &[
        Argument::positional("field", Takes::Field).doc("The field with the object."),
        Argument::option("prefix", Takes::Text)
            .doc("What the names of the new fields begin with. Default: nothing."),
    ],
    examples: &[
        Example {
            title: "The members of an object",
            events: r#"{"who":"{\"name\":\"ann\",\"age\":41,\"roles\":[\"admin\",\"audit\"]}"}"#,
            search: "| fromjson who | fields - who",
            results: r#"{"name":"ann","age":"41","roles":["admin","audit"]}"#,
        },
        Example {
            title: "With a prefix; an object in an object stays text",
            events: r#"{"who":"{\"name\":\"ann\",\"at\":{\"x\":1}}"}"#,
            search: "| fromjson who prefix=who_ | table who_name who_at",
            results: r#"{"who_name":"ann","who_at":"{\"x\":1}"}"#,
        },
    ],
    differs: &["A text that is no JSON object has no members, and the row stays as it is."],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::derive::<Extracted<Members>>(Members::NAME);

#[derive(Debug)]
struct FromJson {
    field: String,
    prefix: String,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    arguments.options();
    let field = arguments.one_field()?.value;
    arguments.finish_with_options()?;
    let prefix = arguments.given("prefix").map(|prefix| prefix.value).unwrap_or_default();
    Ok(Box::new(FromJson { field, prefix }))
}

#[async_trait]
impl Command for FromJson {
    fn needs(&self, after: Needs) -> Needs {
        after.and([&self.field])
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        extraction::plan(input, &self.field, Members { prefix: self.prefix.clone() }, stage).await
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Members {
    prefix: String,
}

impl Extractor for Members {
    const NAME: &'static str = "fromjson";

    fn pairs(&self, text: &str) -> Vec<(String, String)> {
        let Some(Json::Object(members)) = digits::parsed(text) else { return Vec::new() };
        let mut pairs = Vec::new();
        for (name, value) in members {
            let name = format!("{}{name}", self.prefix);
            match value {
                Json::Array(elements) => {
                    let texts = elements.iter().filter_map(digits::native);
                    pairs.extend(texts.map(|text| (name.clone(), text)));
                }
                other => pairs.extend(digits::native(&other).map(|text| (name, text))),
            }
        }
        pairs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_texts() {
        let members = Members { prefix: String::new() };
        for (text, expected) in [
            (r#"{"a":1,"b":"x","c":true,"d":null}"#, "a=1 b=x c=true"),
            (r#"{"a":[1,{"k":2},null]}"#, "a=1 a={\"k\":2}"),
            (
                r#"{"id":123456789012345678901,"n":1.10,"m":[1e400,{"k":1.0}]}"#,
                "id=123456789012345678901 n=1.10 m=1e400 m={\"k\":1.0}",
            ),
            (r#"{"\u0001t":"\u0001x","n":1e400}"#, "\u{1}t=\u{1}x n=1e400"),
            ("[1]", ""),
            ("{", ""),
            ("", ""),
        ] {
            let pairs =
                members.pairs(text).into_iter().map(|(name, value)| format!("{name}={value}"));
            assert_eq!(pairs.collect::<Vec<_>>().join(" "), expected, "{text}");
        }
    }
}
