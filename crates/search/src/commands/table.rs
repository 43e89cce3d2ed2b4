//! `table`: keeps only the named fields, in the order in which they are named.

use async_trait::async_trait;
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::fields::covers;
use spilltrail_spl::Arguments;

use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Stage, Takes};
use crate::lineage::Lineage;
use crate::planning::plan::{Needs, Plan};

static DOC: CommandDoc = CommandDoc {
    name: "table",
    aliases: &[],
    kind: CommandKind::Transforming,
    summary: "Keep only these fields, in this order.",
    syntax: "table <field> …",
    arguments: &[
        Argument::positional("field", Takes::Fields).doc("Field names, with or without wildcards.")
    ],
    examples: &[
        Example {
            title: "A name and a wildcard",
            events: r#"{"user":"ann","src_ip":"192.0.2.1","src_port":"99","x":"1"}"#,
            search: "| table src_* user",
            results: r#"{"src_ip":"192.0.2.1","src_port":"99","user":"ann"}"#,
        },
        Example {
            title: "A field that a row does not have stays missing",
            events: "{\"user\":\"ann\",\"n\":\"1\"}\n{\"user\":\"bob\"}",
            search: "| table n user",
            results: "{\"n\":\"1\",\"user\":\"ann\"}\n{\"user\":\"bob\"}",
        },
    ],
    differs: &[],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct Table {
    names: Vec<String>,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let names: Vec<String> = arguments.fields()?.into_iter().map(|field| field.value).collect();
    arguments.finish()?;
    if names.is_empty() {
        return Err(
            Diagnostic::error(Code::MISSING_ARGUMENT, "expected a field").at(arguments.span())
        );
    }
    Ok(Box::new(Table { names }))
}

#[async_trait]
impl Command for Table {
    fn needs(&self, after: Needs) -> Needs {
        Needs { order: after.order, ..Needs::only(&self.names) }
    }

    fn listed(&self) -> Vec<&str> {
        self.names.iter().map(String::as_str).collect()
    }

    fn output(&self, _: Option<Vec<String>>) -> Option<Vec<String>> {
        let is_plain = |name: &String| !name.contains('*');
        self.names.iter().all(is_plain).then(|| self.names.clone())
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        let names = spread(&input, &self.names);
        let mut plan = input.select(&names).map_err(|error| stage.refused(error))?;
        plan.transformed = true;
        Ok(plan)
    }

    fn grouping(&self) -> Option<Vec<String>> {
        Some(self.names.iter().filter(|name| !name.contains('*')).cloned().collect())
    }

    fn trace(&self, lineage: &mut Lineage) {
        lineage.retain(|name| self.names.iter().any(|kept| kept == name || covers(kept, name)));
    }
}

/// Returns the names without duplicates, with wildcards replaced by the columns that they match.
pub(super) fn spread(plan: &Plan, names: &[String]) -> Vec<String> {
    let mut spread: indexmap::IndexSet<String> = indexmap::IndexSet::new();
    for name in names {
        if name.contains('*') {
            spread.extend(plan.covered(name));
        } else {
            spread.insert(name.clone());
        }
    }
    spread.into_iter().collect()
}
