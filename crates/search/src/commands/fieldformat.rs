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
        "The rows that a search prints have the form, in every format of the output. Findings have the values.",
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
            let value = subsearch::splice(value, subsearch::Spliced::Value, stage.context).await?;
            // The expression is checked here, where the fields that it reads are known.
            eval::expression(&value, &plan, stage.context)?.storable()?;
            plan.set_format(&target.value, value);
        }
        Ok(plan)
    }
}

#[cfg(test)]
mod tests {
    use crate::run;
    use crate::testing::{context, rows, table};

    const ROWS: &str = r#"{"n":"9","u":"a"}"#;

    #[tokio::test]
    async fn only_the_field_itself_is_shown_in_the_form() {
        for (search, expected) in [
            ("| fieldformat n=n.\"x\" | eval m=n | table n m", ["n | m", "9x 9"]),
            ("| fieldformat n=n.\"x\" | eval q=n | where q>5 | table q", ["q", "9"]),
            ("| fieldformat n=n.\"x\" | eval n=n | table n", ["n", "9"]),
            ("| fieldformat n=n.\"x\" | rename n as m | table m", ["m", "9x"]),
            ("| fieldformat n=n.\"x\" | eval m=n | rename n as o | table m o", ["m | o", "9 9x"]),
            ("| fieldformat n=n.u | table n", ["n", "9"]),
            ("| fieldformat n=n.u | table n u", ["n | u", "9a a"]),
            // Commands that run the search so far do not lose it.
            ("| fieldformat n=n.\"x\" | spath input=u", ["n | u", "9x a"]),
            ("| fieldformat n=n.\"x\" | eval {u}=1", ["n | u | a", "9x a 1"]),
            ("| fieldformat u=u.\"x\" | makecontinuous n bins=10", ["n | u", "9-10 ax"]),
        ] {
            let expected = expected.map(str::to_owned).to_vec();
            assert_eq!(table(search, ROWS).await, Ok(expected), "{search}");
        }
    }

    #[tokio::test]
    async fn styles_are_those_of_the_outer_search() {
        for (search, expected) in [
            (
                "| fieldformat n=n.\"x\" | appendpipe [stats count]",
                vec!["n | u | count", "9x a -", "- - 1"],
            ),
            // A field that becomes text for the rows of a subsearch.
            (
                "| eval n=9 | fieldformat n=n.\"x\" | append [| makeresults | eval n=\"b\" | table n]",
                vec!["n | u", "9x a", "bx -"],
            ),
            (
                "| append [| makeresults | eval n=5 | fieldformat n=n.\"y\" | table n]",
                vec!["n | u", "9 a", "5 -"],
            ),
            (
                "| union [| makeresults | eval k=5 | fieldformat k=k.\"y\" | table k]",
                vec!["n | u | k", "9 a -", "- - 5"],
            ),
            (
                "| eval n=split(\"1 2\",\" \") | mvcombine delim=\";\" n | appendpipe [stats count] | nomv n | table n",
                vec!["n", "1;2", "-"],
            ),
            // A column that only has the name of a field is another one.
            ("| fieldformat n=n.\"x\" | eval s=\"n\" | xyseries u s n | table n", vec!["n", "9"]),
        ] {
            let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(table(search, ROWS).await, Ok(expected), "{search}");
        }
    }

    #[tokio::test]
    async fn rows_that_are_not_shown_have_the_values() {
        let context = context(rows(ROWS), 64 << 20);
        let analysis = crate::analysis::analyze("| fieldformat n=n.\"x\"", &context.macros);
        for (is_shown, expected) in [(false, "9"), (true, "9x")] {
            let mut prepared = run::plan(&analysis, None, &context).await.unwrap();
            if is_shown {
                prepared = prepared.shown(&context).unwrap();
            }
            let rows = prepared.collect(&context).await.unwrap();
            let row = rows.iter().next().unwrap();
            assert_eq!(row["n"].to_text().as_deref(), Some(expected));
        }
    }
}
