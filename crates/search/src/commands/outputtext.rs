//! `outputtext`: copies the text of events into `_xml`.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::Diagnostic;
use spilltrail_event::fields::RAW;
use spilltrail_event::{Kind, Value};
use spilltrail_spl::Arguments;

use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::lineage::Lineage;
use crate::planning::plan::{Needs, Plan, column, null_text};
use crate::rows::mapped::{Mapped, ValueFunction, mapped};
use crate::rows::state::FunctionCodec;

/// The field with the copy.
const XML: &str = "_xml";

static DOC: CommandDoc = CommandDoc {
    name: "outputtext",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Copy the text of events, `_raw`, into the field `_xml`.",
    syntax: "outputtext [usexml=<bool>]",
    arguments: &[Argument::option("usexml", Takes::Bool).default("true").doc(
        "Whether characters that mean something in XML are written as entities. Otherwise the copy is exact.",
    )],
    examples: &[
        Example {
            title: "The text as a part of an XML document",
            events: r#"{"_raw":"a < b & \"c\""}"#,
            search: "| outputtext | table _xml",
            results: r#"{"_xml":"a &lt; b &amp; &quot;c&quot;"}"#,
        },
        Example {
            title: "The text as it is",
            events: r#"{"_raw":"a < b"}"#,
            search: "| outputtext usexml=f | eval text=_xml | table text",
            results: r#"{"text":"a < b"}"#,
        },
    ],
    differs: &["The characters `&`, `<`, `>`, `\"` and `'` become entities. Rows keep all fields."],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const FUNCTION: FunctionCodec = FunctionCodec::of::<Mapped<Escaped>>("xml_escaped");

#[derive(Debug)]
struct OutputText {
    escapes: bool,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    arguments.finish_with_options()?;
    Ok(Box::new(OutputText { escapes: arguments.value("usexml") }))
}

#[async_trait]
impl Command for OutputText {
    fn needs(&self, after: Needs) -> Needs {
        after.without([XML]).and([RAW])
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        let mut names = before?;
        names.push(XML.to_owned());
        Some(names)
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        let (text, kind) = match input.kind(RAW) {
            None => (null_text(), Kind::Text),
            Some(kind) if !self.escapes => (column(RAW), kind),
            Some(kind) => (mapped(Escaped, column(RAW)), Escaped.kind(kind)),
        };
        let columns = vec![(XML.to_owned(), text, kind)];
        input.with_columns(columns).map_err(|error| stage.refused(error))
    }

    fn trace(&self, lineage: &mut Lineage) {
        lineage.assign(XML, &[RAW.to_owned()]);
    }
}

/// Writes the characters that mean something in XML as entities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Escaped;

impl ValueFunction for Escaped {
    fn name(&self) -> &'static str {
        "spilltrail_xml_escaped"
    }

    fn kind(&self, input: Kind) -> Kind {
        if input == Kind::Multi { Kind::Multi } else { Kind::Text }
    }

    fn apply(&self, value: &Value<'_>) -> Value<'static> {
        let Some(text) = value.to_text() else { return Value::Null };
        let mut escaped = String::with_capacity(text.len());
        for character in text.chars() {
            match character {
                '&' => escaped.push_str("&amp;"),
                '<' => escaped.push_str("&lt;"),
                '>' => escaped.push_str("&gt;"),
                '"' => escaped.push_str("&quot;"),
                '\'' => escaped.push_str("&apos;"),
                other => escaped.push(other),
            }
        }
        Value::text(escaped)
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use crate::testing::table;

    #[tokio::test]
    async fn texts_are_copied_and_come_back() {
        let rows = "{\"_raw\":\"<a b='1'>&amp;</a>\"}\n{\"a\":\"1\"}";
        for (search, expected) in [
            (
                "| outputtext | table _xml",
                ["_xml", "&lt;a b=&apos;1&apos;&gt;&amp;amp;&lt;/a&gt;", "-"],
            ),
            ("| outputtext usexml=false | table _xml", ["_xml", "<a b='1'>&amp;</a>", "-"]),
            (
                "| outputtext | eval _raw=_xml | xmlunescape | table _raw",
                ["_raw", "<a b='1'>&amp;</a>", "-"],
            ),
            ("| fields a | fields - _raw | outputtext | table _xml", ["_xml", "-", "-"]),
        ] {
            let expected = expected.map(str::to_owned).to_vec();
            assert_eq!(table(search, rows).await, Ok(expected), "{search}");
        }
        assert_eq!(table("| outputtext x", rows).await, Err(vec![Code::TRAILING_TEXT]));
    }
}
