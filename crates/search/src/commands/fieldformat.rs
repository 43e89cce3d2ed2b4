//! `fieldformat`: changes how the output shows fields, but not their values.

use async_trait::async_trait;
use spilltrail_diagnostic::Diagnostic;
use spilltrail_spl::{Arguments, Assignment};

use super::subsearch;
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Parts, Stage, Takes};
use crate::planning::eval;
use crate::planning::plan::{Needs, Plan};

static DOC: CommandDoc = CommandDoc {
    name: "fieldformat",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Show fields in another form at the end. Later commands see their values as they are.",
    syntax: "fieldformat <field>=<expression> [, <field>=<expression>] …",
    arguments: &[
        Argument::positional("field", Takes::Field).doc("The field to show in another form."),
        Argument::positional("expression", Takes::Expression).doc("What is shown of it."),
    ],
    examples: &[
        Example {
            title: "Thousands are separated only in the output",
            events: "{\"n\":\"9500\"}\n{\"n\":\"12000\"}",
            search: "| fieldformat n=tostring(n,\"commas\") | sort - n | eval twice=n*2",
            results: "{\"n\":\"12,000\",\"twice\":24000}\n{\"n\":\"9,500\",\"twice\":19000}",
        },
        Example {
            title: "A renamed field keeps its form",
            events: r#"{"n":"5"}"#,
            search: "| fieldformat n=n.\" kB\" | rename n as size",
            results: r#"{"size":"5 kB"}"#,
        },
    ],
    differs: &[
        "A field that gets a new value loses its form. A field whose form depends on a field that is not there at the end has none.",
        "The rows of a search have the form, in every format of the output, and so do findings.",
    ],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct FieldFormat {
    assignments: Vec<Assignment>,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let assignments = arguments.assignments()?;
    arguments.finish()?;
    Ok(Box::new(FieldFormat { assignments }))
}

#[async_trait]
impl Command for FieldFormat {
    fn parts(&self) -> Parts<'_> {
        let values = self.assignments.iter().map(|assignment| &assignment.value).collect();
        Parts { values, ..Parts::default() }
    }

    fn needs(&self, after: Needs) -> Needs {
        let names = self.assignments.iter().flat_map(|one| eval::field_names(&one.value));
        after.and(names.collect::<Vec<_>>())
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        before
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let mut plan = stage.input(input)?;
        for Assignment { target, value } in &self.assignments {
            let value = subsearch::splice(value, stage.context).await?;
            // The expression is checked here, where the fields that it reads are known.
            eval::expression(&value, &plan, stage.context)?.storable()?;
            plan.set_format(&target.value, value);
        }
        Ok(plan)
    }
}
