//! `delta`: adds the difference between a field and its value in an earlier row.

use std::collections::VecDeque;
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
    name: "delta",
    aliases: &[],
    kind: CommandKind::CentralizedStreaming,
    summary: "Add the difference between a field and its value in an earlier row.",
    syntax: "delta <field> [AS <name>] [p=<int>]",
    arguments: &[
        Argument::positional("field", Takes::Field).doc("The field with the numbers."),
        Argument::keyword("AS", Takes::Field)
            .doc("The field that gets the difference. Default: `delta(field)`."),
        Argument::option("p", Takes::Count)
            .default("1")
            .between(1, 10_000)
            .doc("How many rows the earlier row is before."),
    ],
    examples: &[
        Example {
            title: "The difference to the row before",
            events: "{\"n\":\"5\"}\n{\"n\":\"7\"}\n{\"n\":\"4\"}",
            search: "| delta n AS change",
            results: "{\"n\":\"5\"}\n{\"n\":\"7\",\"change\":2}\n{\"n\":\"4\",\"change\":-3}",
        },
        Example {
            title: "The difference to the row two before",
            events: "{\"n\":\"5\"}\n{\"n\":\"7\"}\n{\"n\":\"4\"}",
            search: "| delta n p=2",
            results: "{\"n\":\"5\"}\n{\"n\":\"7\"}\n{\"n\":\"4\",\"delta(n)\":-1}",
        },
    ],
    differs: &["If one of the two rows has no number, there is no difference."],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::operator::<InOrder<Difference>>(Difference::NAME);

#[derive(Debug)]
struct Delta {
    field: String,
    output: String,
    distance: usize,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    arguments.options();
    let field = arguments.one_field()?.value;
    let mut output = None;
    while arguments.more() {
        if output.is_some() || arguments.keyword("as").is_none() {
            arguments.finish()?;
        }
        output = Some(arguments.one_field()?.value);
    }
    let output = output.unwrap_or_else(|| format!("delta({field})"));
    Ok(Box::new(Delta { field, output, distance: arguments.value("p") }))
}

#[async_trait]
impl Command for Delta {
    fn needs(&self, after: Needs) -> Needs {
        Needs { order: true, ..after.without([&self.output]) }.and([&self.field])
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        let mut names = before?;
        names.push(self.output.clone());
        Some(names)
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        let outputs = vec![Field::new(&self.output, Kind::Number)];
        let function = Difference { distance: self.distance };
        let operator = InOrder { inputs: vec![self.field.clone()], outputs, function };
        Ok(input.forgetting([self.output.as_str()]).operator(Arc::new(operator)))
    }

    fn trace(&self, lineage: &mut Lineage) {
        lineage.measure([self.output.clone()]);
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Difference {
    distance: usize,
}

impl RowByRow for Difference {
    const NAME: &'static str = "delta";

    /// The numbers of the rows before, oldest first.
    type Memory = VecDeque<Option<f64>>;

    fn next<'a>(
        &self,
        before: &mut Self::Memory,
        inputs: &[Value<'a>],
        _: Vec<Value<'a>>,
    ) -> Vec<Value<'a>> {
        let number = inputs[0].as_number();
        let earlier =
            if before.len() == self.distance { before.pop_front().flatten() } else { None };
        before.push_back(number);
        let difference = number.zip(earlier).map(|(number, earlier)| number - earlier);
        vec![difference.map_or(Value::Null, Value::Number)]
    }

    fn held(before: &Self::Memory) -> usize {
        before.capacity() * size_of::<Option<f64>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_without_a_number_have_no_difference() {
        for (distance, given, expected) in [
            (1, ["1", "4", "x", "9", "7"], [None, Some(3.0), None, None, Some(-2.0)]),
            (3, ["1", "4", "x", "9", "7"], [None, None, None, Some(8.0), Some(3.0)]),
        ] {
            let function = Difference { distance };
            let mut memory = VecDeque::new();
            let found = given.map(|text| {
                function.next(&mut memory, &[Value::text(text)], Vec::new())[0].as_number()
            });
            assert_eq!(found, expected, "{distance}");
        }
    }
}
