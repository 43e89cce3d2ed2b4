//! `xmlunescape`: replaces the entities of XML by their characters.

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::Diagnostic;
use spilltrail_event::fields::RAW;
use spilltrail_event::{Field, Kind, Value};
use spilltrail_spl::Arguments;

use super::spath::xml;
use super::{Argument, Codec, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::operators::{Derive, RowFunction};
use crate::planning::plan::{Needs, Plan};
use crate::rows::state::state_of;

static DOC: CommandDoc = CommandDoc {
    name: "xmlunescape",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Replace the entities of XML in the event's text by their characters.",
    syntax: "xmlunescape [maxinputs=<int>]",
    arguments: &[Argument::option("maxinputs", Takes::Count)
        .default("50000")
        .no_effect("all rows are read")
        .doc("How many rows are read at a time.")],
    examples: &[
        Example {
            title: "Entities in the event's text",
            events: r#"{"_raw":"&lt;user name=&quot;Ann &amp; Bob&quot;&gt;"}"#,
            search: "| xmlunescape",
            results: r#"{"_raw":"<user name=\"Ann & Bob\">"}"#,
        },
        Example {
            title: "The elements of an event that was escaped",
            events: r#"{"_raw":"&lt;user&gt;ann&lt;/user&gt;"}"#,
            search: "| xmlunescape | xmlkv | table user",
            results: r#"{"user":"ann"}"#,
        },
    ],
    differs: &[
        "Only `_raw` is changed; Splunk does not document which fields are.",
        "Entities are replaced once: `&amp;lt;` becomes `&lt;`. Numbers of characters (`&#38;`) are replaced, too, and names that XML does not define stay.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::derive::<Unescaped>("xmlunescape");

#[derive(Debug)]
struct XmlUnescape;

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    arguments.finish_with_options()?;
    Ok(Box::new(XmlUnescape))
}

#[async_trait]
impl Command for XmlUnescape {
    fn needs(&self, after: Needs) -> Needs {
        after
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        before
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        let Some(kind) = input.kind(RAW) else { return Ok(input) };
        let kind = if kind == Kind::Multi { Kind::Multi } else { Kind::Text };
        let outputs = vec![Field::new(RAW, kind)];
        Ok(Derive::on(input, Vec::new(), outputs, Arc::new(Unescaped {})))
    }
}

/// Replaces the entities in the output's own value.
#[derive(Debug, Serialize, Deserialize)]
struct Unescaped {}

impl RowFunction for Unescaped {
    fn name(&self) -> &'static str {
        "xmlunescape"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn compute<'a>(&'a self, _: &[Value<'a>], outputs: &mut [Value<'a>]) {
        for output in outputs {
            let members = std::mem::replace(output, Value::Null).into_members().into_iter();
            *output = Value::multi(members.map(unescaped).collect());
        }
    }
}

fn unescaped(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.contains('&') { Cow::Owned(xml::entities(&text)) } else { text }
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Code;

    use super::*;
    use crate::testing::table;

    #[test]
    fn entities_are_replaced_once() {
        for (text, expected) in [
            ("a &lt;b&gt; &apos;c&apos; &quot;d&quot;", "a <b> 'c' \"d\""),
            ("&amp;lt; &amp;amp;", "&lt; &amp;"),
            ("&#38;&#x26;&#X41;", "&&A"),
            ("&#0000000000000038;&#0;", "&&#0;"),
            ("&nbsp; &; & &#xZZ; &#1114112; &lt", "&nbsp; &; & &#xZZ; &#1114112; &lt"),
            ("plain", "plain"),
        ] {
            assert_eq!(unescaped(Cow::Borrowed(text)), expected, "{text}");
        }
    }

    /// The time does not grow with the square of a text's length.
    #[test]
    fn many_marks_without_an_end_are_cheap() {
        let text = format!("{};", "&".repeat(2_000_000));
        assert_eq!(unescaped(Cow::Borrowed(&text)).len(), text.len());
    }

    #[tokio::test]
    async fn only_the_text_of_the_event_changes() {
        let rows =
            "{\"_raw\":\"&lt;\",\"a\":\"&lt;\"}\n{\"a\":\"&gt;\"}\n{\"_raw\":[\"&amp;\",\"b\"]}";
        for (search, expected) in [
            ("| xmlunescape | table _raw a", vec!["_raw | a", "< &lt;", "- &gt;", "& b -"]),
            ("| fields - _raw | xmlunescape | table a", vec!["a", "&lt;", "&gt;", "-"]),
        ] {
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(table(search, rows).await, Ok(expected), "{search}");
        }
        let found = table("| xmlunescape a", rows).await;
        assert_eq!(found, Err(vec![Code::TRAILING_TEXT]));
    }
}
