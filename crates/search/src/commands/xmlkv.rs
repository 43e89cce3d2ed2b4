//! `xmlkv`: makes fields of the elements of XML.

use std::sync::LazyLock;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::Diagnostic;
use spilltrail_eval::regex::Regex;
use spilltrail_event::fields;
use spilltrail_spl::Arguments;

use super::extraction::{self, Extracted, Extractor};
use super::spath::xml;
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::operators::Codec;
use crate::planning::plan::{Needs, Plan};

static DOC: CommandDoc = CommandDoc {
    name: "xmlkv",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Make a field of each XML element that has only text.",
    syntax: "xmlkv [<field>] [maxinputs=<int>]",
    arguments: &[
        Argument::positional("field", Takes::Field).default("_raw").doc("The field with the XML."),
        Argument::option("maxinputs", Takes::Count)
            .default("50000")
            .no_effect("all rows are read")
            .doc("How many rows are read at a time."),
    ],
    examples: &[
        Example {
            title: "The elements of the event's text",
            events: r#"{"_raw":"<user id=\"7\"><name>ann</name><city>Graz</city></user>"}"#,
            search: "| xmlkv | table name city",
            results: r#"{"name":"ann","city":"Graz"}"#,
        },
        Example {
            title: "Another field; an element that occurs again is a multivalue",
            events: r#"{"doc":"<a>1</a> and <a>2 &amp; 3</a>"}"#,
            search: "| xmlkv doc | fields - doc",
            results: r#"{"a":["1","2 & 3"]}"#,
        },
    ],
    differs: &["The text need not be a whole document. Attributes become no fields; use `spath`."],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::derive::<Extracted<Elements>>(Elements::NAME);

#[derive(Debug)]
struct XmlKv {
    field: String,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut field = None;
    while arguments.more() {
        if field.is_some() {
            arguments.finish()?;
        }
        field = Some(arguments.one_field()?.value);
    }
    Ok(Box::new(XmlKv { field: field.unwrap_or_else(|| fields::RAW.to_owned()) }))
}

#[async_trait]
impl Command for XmlKv {
    fn needs(&self, after: Needs) -> Needs {
        after.and([&self.field])
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        extraction::plan(stage.input(input)?, &self.field, Elements, stage).await
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Elements;

/// An element without others inside. The name is compared with that of the closing tag afterwards:
/// an expression with a back reference takes longer.
static ELEMENT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"<([^\s<>/!?][^\s<>/]*)(?:\s[^<>]*)?>([^<]*)</([^\s<>]+)\s*>")
        .expect("the expression is valid")
});

impl Extractor for Elements {
    const NAME: &'static str = "xmlkv";

    fn pairs(&self, text: &str) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        ELEMENT.each_match(text, |groups| {
            if let (Some(name), Some(value), Some(end)) =
                (groups.get(1), groups.get(2), groups.get(3))
                && name == end
            {
                pairs.push((name.to_owned(), xml::text(value)));
            }
            true
        });
        pairs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_with_only_text() {
        for (text, expected) in [
            ("<a>1</a>", "a=1"),
            ("<a><b x=\"1\">2</b><c/></a>", "b=2"),
            ("<a>1</b>", ""),
            ("<a>1", ""),
            ("x < y <n:a>&lt;1&gt;</n:a>", "n:a=<1>"),
            ("<a></a>", "a="),
        ] {
            let pairs =
                Elements.pairs(text).into_iter().map(|(name, value)| format!("{name}={value}"));
            assert_eq!(pairs.collect::<Vec<_>>().join(" "), expected, "{text}");
        }
    }
}
