//! `filldown`: fills a missing value with the last one before it.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::Diagnostic;
use spilltrail_eval::limits;
use spilltrail_event::{Field, Value};
use spilltrail_spl::Arguments;

use super::running::{InOrder, RowByRow};
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes, table};
use crate::lineage::Lineage;
use crate::operators::Codec;
use crate::planning::plan::{Needs, Plan};

static DOC: CommandDoc = CommandDoc {
    name: "filldown",
    aliases: &[],
    kind: CommandKind::CentralizedStreaming,
    summary: "Fill in the last value before where a field is missing.",
    syntax: "filldown [<field> …]",
    arguments: &[Argument::positional("field", Takes::Fields)
        .doc("The fields to fill; wildcards are allowed. Default: all fields.")],
    examples: &[
        Example {
            title: "All fields",
            events: "{\"a\":\"1\"}\n{\"b\":\"x\"}\n{\"a\":\"2\"}",
            search: "| filldown",
            results: "{\"a\":\"1\"}\n{\"a\":\"1\",\"b\":\"x\"}\n{\"a\":\"2\",\"b\":\"x\"}",
        },
        Example {
            title: "Some fields",
            events: "{\"a_1\":\"1\",\"b\":\"x\"}\n{\"n\":\"5\"}",
            search: "| filldown a_*",
            results: "{\"a_1\":\"1\",\"b\":\"x\"}\n{\"a_1\":\"1\",\"n\":\"5\"}",
        },
    ],
    differs: &["Without a list, fields whose name begins with `_` are not filled."],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

pub(super) const CODEC: Codec = Codec::operator::<InOrder<LastValue>>(LastValue::NAME);

#[derive(Debug)]
struct FillDown {
    fields: Vec<String>,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let mut fields = Vec::new();
    while !arguments.is_empty() {
        fields.extend(arguments.fields()?.into_iter().map(|field| field.value));
    }
    if fields.is_empty() {
        fields.push("*".to_owned());
    }
    Ok(Box::new(FillDown { fields }))
}

#[async_trait]
impl Command for FillDown {
    fn needs(&self, after: Needs) -> Needs {
        // What no later command reads need not be filled.
        Needs { order: true, ..after }
    }

    fn listed(&self) -> Vec<&str> {
        self.fields.iter().map(String::as_str).collect()
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        before
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        let names = table::spread(&input, &self.fields).into_iter();
        let fields = names.filter_map(|name| Some(Field::new(&name, input.kind(&name)?)));
        let outputs: Vec<Field> = fields.collect();
        let operator = InOrder { inputs: Vec::new(), outputs, function: LastValue };
        Ok(input.operator(Arc::new(operator)))
    }

    fn trace(&self, lineage: &mut Lineage) {
        // Without a list, what identified a row is still there; it is only in more rows.
        lineage.measure(self.fields.iter().filter(|name| *name != "*").cloned());
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LastValue;

impl RowByRow for LastValue {
    const NAME: &'static str = "filldown";

    type Memory = Vec<Value<'static>>;

    fn next<'a>(
        &self,
        last: &mut Self::Memory,
        _: &[Value<'a>],
        outputs: Vec<Value<'a>>,
    ) -> Vec<Value<'a>> {
        last.resize(outputs.len(), Value::Null);
        let filled = outputs.into_iter().zip(last);
        filled
            .map(|(value, last)| {
                if value.is_null() {
                    return last.clone();
                }
                *last = value.clone().into_owned();
                value
            })
            .collect()
    }

    fn held(last: &Self::Memory) -> usize {
        last.iter().map(|value| limits::size(value) + size_of::<Value<'_>>()).sum()
    }
}
