//! `strcat`: joins fields and texts.

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::{Field, Kind, Value};
use spilltrail_spl::Arguments;

use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::lineage::Lineage;
use crate::operators::{Codec, Derive, RowFunction};
use crate::planning::plan::{Needs, Plan};
use crate::rows::state::state_of;

static DOC: CommandDoc = CommandDoc {
    name: "strcat",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Join the values of fields, and texts in quotes.",
    syntax: "strcat [allrequired=<bool>] <part> … <field>",
    arguments: &[
        Argument::option("allrequired", Takes::Bool)
            .default("false")
            .doc("Whether nothing is written to a row that lacks one of the fields."),
        Argument::positional("part", Takes::Fields)
            .doc("The parts: fields, and texts in double quotes. A missing field is empty."),
        Argument::positional("field", Takes::Field).doc("The field that gets the joined text."),
    ],
    examples: &[
        Example {
            title: "Two fields with a text between them",
            events: r#"{"ip":"10.0.0.1","port":"443"}"#,
            search: "| strcat ip \":\" port address | table address",
            results: r#"{"address":"10.0.0.1:443"}"#,
        },
        Example {
            title: "Only where all fields are there",
            events: "{\"ip\":\"10.0.0.1\",\"port\":\"443\"}\n{\"ip\":\"10.0.0.2\"}",
            search: "| strcat allrequired=t ip \"/\" port address | table ip address",
            results: "{\"ip\":\"10.0.0.1\",\"address\":\"10.0.0.1/443\"}\n{\"ip\":\"10.0.0.2\"}",
        },
    ],
    differs: &["The values of a multivalue are joined by blanks."],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::derive::<Joined>("strcat");

#[derive(Debug)]
struct StrCat {
    fields: Vec<String>,
    output: String,
    joined: Arc<Joined>,
}

/// A part of the joined text.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Part {
    Text(String),
    /// The input with this index.
    Field(usize),
}

#[derive(Debug, Serialize, Deserialize)]
struct Joined {
    parts: Vec<Part>,
    needs_all: bool,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut parts = Vec::new();
    let mut fields: Vec<String> = Vec::new();
    let mut last_is_text = false;
    while arguments.more() {
        if arguments.symbol(",").is_some() {
            continue;
        }
        let text = arguments.quoted();
        last_is_text = text.is_some();
        parts.push(match text {
            Some(text) => Part::Text(text.value),
            None => {
                fields.push(arguments.one_field()?.value);
                Part::Field(fields.len() - 1)
            }
        });
    }
    // The target is the last name. A quoted one is a target, too.
    let output = match parts.pop() {
        Some(Part::Text(name)) => Some(name),
        Some(Part::Field(_)) => fields.pop(),
        None => None,
    };
    let (Some(output), false) = (output, parts.is_empty()) else {
        let message = "expected fields or texts to join, and a field for the result";
        return Err(Diagnostic::error(Code::MISSING_ARGUMENT, message)
            .at(arguments.span())
            .help("for example `strcat ip \":\" port address`"));
    };
    if last_is_text && output.trim().is_empty() {
        let message = "expected a field for the result, found an empty text";
        return Err(Diagnostic::error(Code::BAD_ARGUMENT, message).at(arguments.span()));
    }
    let joined = Arc::new(Joined { parts, needs_all: arguments.value("allrequired") });
    Ok(Box::new(StrCat { fields, output, joined }))
}

#[async_trait]
impl Command for StrCat {
    fn needs(&self, after: Needs) -> Needs {
        after.and(&self.fields)
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        let mut names = before?;
        names.push(self.output.clone());
        Some(names)
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        let output = Field::new(&self.output, Kind::Text);
        Ok(Derive::on(input, self.fields.clone(), [output], self.joined.clone()))
    }

    fn trace(&self, lineage: &mut Lineage) {
        lineage.assign(&self.output, &self.fields);
    }
}

impl RowFunction for Joined {
    fn name(&self) -> &'static str {
        "strcat"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn compute<'a>(&'a self, inputs: &[Value<'a>], outputs: &mut [Value<'a>]) {
        if self.needs_all && inputs.iter().any(Value::is_null) {
            return;
        }
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Field(index) => {
                    text.push_str(&inputs[*index].to_text().unwrap_or_default());
                }
            }
        }
        outputs[0] = Value::Text(Cow::Owned(text));
    }
}
