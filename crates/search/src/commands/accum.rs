//! `accum`: adds the running total of a field.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::Diagnostic;
use spilltrail_event::{Field, Kind, Value};
use spilltrail_spl::Arguments;

use super::running::{InOrder, RowByRow};
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::lineage::Lineage;
use crate::operators::Codec;
use crate::planning::plan::{Needs, Plan};

static DOC: CommandDoc = CommandDoc {
    name: "accum",
    aliases: &[],
    kind: CommandKind::CentralizedStreaming,
    summary: "Add the running total of a field.",
    syntax: "accum <field> [AS <name>]",
    arguments: &[
        Argument::positional("field", Takes::Field).doc("The field with the numbers."),
        Argument::keyword("AS", Takes::Field)
            .doc("The field that gets the total. Default: the field itself."),
    ],
    examples: &[
        Example {
            title: "The running total in a field of its own",
            events: "{\"n\":\"1\"}\n{\"n\":\"2\"}\n{\"n\":\"4\"}",
            search: "| accum n AS total",
            results: "{\"n\":\"1\",\"total\":1}\n{\"n\":\"2\",\"total\":3}\n{\"n\":\"4\",\"total\":7}",
        },
        Example {
            title: "A value that is no number is skipped",
            events: "{\"n\":\"1\"}\n{\"n\":\"none\"}\n{\"n\":\"4\"}",
            search: "| accum n",
            results: "{\"n\":\"1\"}\n{\"n\":\"none\"}\n{\"n\":\"5\"}",
        },
    ],
    differs: &[],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::operator::<InOrder<Total>>(Total::NAME);

#[derive(Debug)]
struct Accum {
    field: String,
    output: Option<String>,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let field = arguments.one_field()?.value;
    let output = match arguments.keyword("as") {
        Some(_) => Some(arguments.one_field()?.value),
        None => None,
    };
    arguments.finish()?;
    Ok(Box::new(Accum { field, output }))
}

impl Accum {
    fn target(&self) -> &str {
        self.output.as_ref().unwrap_or(&self.field)
    }
}

#[async_trait]
impl Command for Accum {
    fn needs(&self, after: Needs) -> Needs {
        Needs { order: true, ..after }.and([&self.field])
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        let mut names = before?;
        names.push(self.target().to_owned());
        Some(names)
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        // A row without a number keeps its value of the field.
        let kind = input.kind(self.target()).unwrap_or(Kind::Number);
        let outputs = vec![Field::new(self.target(), kind)];
        let inputs = vec![self.field.clone()];
        let operator = InOrder { inputs, outputs, function: Total };
        Ok(input.forgetting([self.target()]).operator(Arc::new(operator)))
    }

    fn trace(&self, lineage: &mut Lineage) {
        lineage.measure([self.target().to_owned()]);
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Total;

impl RowByRow for Total {
    const NAME: &'static str = "accum";

    type Memory = f64;

    fn next<'a>(
        &self,
        total: &mut f64,
        inputs: &[Value<'a>],
        outputs: Vec<Value<'a>>,
    ) -> Vec<Value<'a>> {
        match inputs[0].as_number() {
            Some(number) => {
                *total += number;
                vec![Value::Number(*total)]
            }
            None => outputs,
        }
    }

    fn held(_: &f64) -> usize {
        size_of::<f64>()
    }
}
