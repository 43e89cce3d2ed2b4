//! `nomv`: joins the values of a multivalue field into one text.

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::Diagnostic;
use spilltrail_event::{Field, Kind, Value};
use spilltrail_spl::Arguments;

use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::operators::{Codec, Derive, RowFunction};
use crate::planning::plan::{Needs, Plan, column};
use crate::rows::convert;
use crate::rows::state::state_of;

/// The text between joined values if no earlier command set a delimiter for the field.
const DELIMITER: &str = "\n";

static DOC: CommandDoc = CommandDoc {
    name: "nomv",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Join the values of a multivalue field into one value, with newlines or with the `delim` of an earlier `mvcombine` or `stats`.",
    syntax: "nomv <field>",
    arguments: &[Argument::positional("field", Takes::Field).doc("The multivalue field.")],
    examples: &[
        Example {
            title: "Joined by newlines",
            events: r#"{"tag":["a","b"]}"#,
            search: "| nomv tag",
            results: r#"{"tag":"a\nb"}"#,
        },
        Example {
            title: "A single value does not change",
            events: r#"{"tag":"a"}"#,
            search: "| nomv tag",
            results: r#"{"tag":"a"}"#,
        },
    ],
    differs: &[],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::derive::<Join>("nomv");

#[derive(Debug)]
struct NoMultivalue {
    field: String,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let field = arguments.one_field()?.value;
    arguments.finish()?;
    Ok(Box::new(NoMultivalue { field }))
}

#[async_trait]
impl Command for NoMultivalue {
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
        if input.kind(&self.field) != Some(Kind::Multi) {
            return Ok(input);
        }
        let delimiter = input.delimiter(&self.field).unwrap_or(DELIMITER).to_owned();
        let output = Field::new(&self.field, Kind::Multi);
        let join = Arc::new(Join { delimiter });
        let plan = Derive::on(input, vec![self.field.clone()], [output], join);
        let text = convert::to_kind(column(&self.field), Kind::Multi, Kind::Text);
        plan.with_columns(vec![(self.field.clone(), text, Kind::Text)])
            .map_err(|error| stage.refused(error))
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Join {
    delimiter: String,
}

impl RowFunction for Join {
    fn name(&self) -> &'static str {
        "nomv"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn compute<'a>(&'a self, inputs: &[Value<'a>], outputs: &mut [Value<'a>]) {
        if let Value::Multi(members) = &inputs[0] {
            outputs[0] = Value::Text(Cow::Owned(members.join(&self.delimiter)));
        }
    }
}
