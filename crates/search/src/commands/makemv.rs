//! `makemv`: splits the text of a field into several values.

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::{Code, Diagnostic, Span};
use spilltrail_eval::regex::Regex;
use spilltrail_event::{Field, Kind, Value};
use spilltrail_spl::Arguments;

use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::operators::{Codec, Derive, RowFunction};
use crate::planning::plan::{Needs, Plan};
use crate::rows::state::state_of;

static DOC: CommandDoc = CommandDoc {
    name: "makemv",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Split a field into several values, at a delimiter or with a regular expression.",
    syntax: "makemv [delim=<text>|tokenizer=<regular expression>] [allowempty=<bool>] <field>",
    arguments: &[
        Argument::option("delim", Takes::Text).default(" ").doc("The text between the values."),
        Argument::option("tokenizer", Takes::Regex)
            .doc("A regular expression. The first group of each match becomes a value."),
        Argument::option("allowempty", Takes::Bool)
            .default("false")
            .doc("Whether to keep empty values."),
        Argument::option("setsv", Takes::Bool)
            .default("false")
            .refused("use `nomv` for the joined value")
            .doc("Whether to keep a joined value as well."),
        Argument::positional("field", Takes::Field).doc("The field to split."),
    ],
    examples: &[
        Example {
            title: "At commas",
            events: r#"{"roles":"admin,,audit"}"#,
            search: r#"| makemv delim="," roles"#,
            results: r#"{"roles":["admin","audit"]}"#,
        },
        Example {
            title: "With a regular expression",
            events: r#"{"text":"a1-b2"}"#,
            search: r#"| makemv tokenizer="([a-z])\d" text"#,
            results: r#"{"text":["a","b"]}"#,
        },
    ],
    differs: &["Each value of a multivalue is split."],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::derive::<Split>("makemv");

#[derive(Debug)]
struct MakeMultivalue {
    field: String,
    split: Arc<Split>,
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "State")]
struct Split {
    at: Separator,
    allow_empty: bool,
}

#[derive(Debug)]
enum Separator {
    Delimiter(String),
    Tokenizer { pattern: String, regex: Regex },
}

/// The serialized form of [`Split`]: a delimiter or an uncompiled regular expression, and options.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    text: String,
    is_tokenizer: bool,
    allow_empty: bool,
}

impl TryFrom<State> for Split {
    type Error = String;

    fn try_from(State { text, is_tokenizer, allow_empty }: State) -> Result<Self, String> {
        let at = if is_tokenizer {
            let regex = Regex::compile(&text, Span::default()).map_err(|error| error.message)?;
            Separator::Tokenizer { pattern: text, regex }
        } else {
            Separator::Delimiter(text)
        };
        Ok(Self { at, allow_empty })
    }
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut field = None;
    while arguments.more() {
        if field.is_some() {
            arguments.finish()?;
        }
        field = Some(arguments.one_field()?);
    }
    let at = match arguments.given::<String>("tokenizer") {
        None => Separator::Delimiter(arguments.value("delim")),
        Some(pattern) => {
            arguments.without_effect("delim", "`tokenizer` says where to split");
            let regex = Regex::compile(&pattern.value, pattern.span)?;
            Separator::Tokenizer { pattern: pattern.value, regex }
        }
    };
    let split = Split { at, allow_empty: arguments.value("allowempty") };
    let Some(field) = field else {
        return Err(
            Diagnostic::error(Code::MISSING_ARGUMENT, "expected a field").at(arguments.span())
        );
    };
    Ok(Box::new(MakeMultivalue { field: field.value, split: Arc::new(split) }))
}

#[async_trait]
impl Command for MakeMultivalue {
    fn needs(&self, after: Needs) -> Needs {
        after
    }

    fn reads(&self) -> Vec<String> {
        vec![self.field.clone()]
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        before
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        if input.kind(&self.field).is_none() {
            return Ok(input);
        }
        let output = Field::new(&self.field, Kind::Multi);
        Ok(Derive::on(input, vec![self.field.clone()], [output], self.split.clone()))
    }
}

impl Split {
    fn values(&self, text: &str) -> Vec<String> {
        let mut values = Vec::new();
        let mut add = |value: &str| {
            if self.allow_empty || !value.is_empty() {
                values.push(value.to_owned());
            }
        };
        match &self.at {
            Separator::Delimiter(delimiter) if delimiter.is_empty() => add(text),
            Separator::Delimiter(delimiter) => text.split(delimiter.as_str()).for_each(add),
            Separator::Tokenizer { regex, .. } => regex.each_match(text, |groups| {
                let group = if regex.group_names().len() > 1 { 1 } else { 0 };
                add(groups.get(group).unwrap_or_default());
                true
            }),
        }
        values
    }
}

impl RowFunction for Split {
    fn name(&self) -> &'static str {
        "makemv"
    }

    fn state(&self) -> String {
        let (text, is_tokenizer) = match &self.at {
            Separator::Delimiter(text) => (text, false),
            Separator::Tokenizer { pattern, .. } => (pattern, true),
        };
        let (text, allow_empty) = (text.clone(), self.allow_empty);
        state_of(&State { text, is_tokenizer, allow_empty })
    }

    fn compute<'a>(&'a self, inputs: &[Value<'a>], outputs: &mut [Value<'a>]) {
        let members = inputs[0].members();
        let values = members.iter().flat_map(|member| self.values(member));
        outputs[0] = Value::multi(values.map(Cow::Owned).collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiters_and_tokenizers() {
        let delimiter = |text: &str| Separator::Delimiter(text.to_owned());
        let tokenizer = |pattern: &str| Separator::Tokenizer {
            pattern: pattern.to_owned(),
            regex: Regex::new(pattern).unwrap(),
        };
        for (at, allow_empty, text, values) in [
            (delimiter(","), false, "a,,b,", vec!["a", "b"]),
            (delimiter(","), true, "a,,b", vec!["a", "", "b"]),
            (delimiter("::"), false, "a::b", vec!["a", "b"]),
            (delimiter(""), false, "ab", vec!["ab"]),
            (tokenizer("[a-z]+"), false, "ab1c", vec!["ab", "c"]),
            (tokenizer("([a-z])([0-9])"), false, "a1b2", vec!["a", "b"]),
        ] {
            assert_eq!(Split { at, allow_empty }.values(text), values, "{text}");
        }
    }
}
