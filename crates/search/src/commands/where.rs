//! `where`: keeps the rows for which an eval expression is true.

use async_trait::async_trait;
use spilltrail_diagnostic::Diagnostic;
use spilltrail_spl::{Arguments, EvalExpr};

use super::subsearch;
use super::{Argument, Command, CommandDoc, CommandKind, Entry, Example, Parts, Stage, Takes};
use crate::planning::eval;
use crate::planning::plan::{Needs, Plan};

static DOC: CommandDoc = CommandDoc {
    name: "where",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Keep the rows for which an eval expression is true.",
    syntax: "where <expression>",
    arguments: &[Argument::positional("expression", Takes::Expression)
        .doc("The condition, an eval expression.")],
    examples: &[
        Example {
            title: "Compare two fields; a row without one of them is removed",
            events: r#"{"owner":"1","caller":"1"}
{"owner":"1","caller":"2"}
{"owner":"1"}"#,
            search: "| where owner!=caller",
            results: r#"{"owner":"1","caller":"2"}"#,
        },
        Example {
            title: "Numbers compare by value, text is case-sensitive",
            events: r#"{"n":"10","s":"A"}
{"n":"9","s":"a"}"#,
            search: "| where n > 9 OR s=\"b\"",
            results: r#"{"n":"10","s":"A"}"#,
        },
    ],
    differs: &[],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

#[derive(Debug)]
struct Where {
    condition: EvalExpr,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let condition = arguments.eval()?;
    arguments.finish()?;
    Ok(Box::new(Where { condition }))
}

#[async_trait]
impl Command for Where {
    fn parts(&self) -> Parts<'_> {
        Parts { conditions: vec![&self.condition], ..Parts::default() }
    }

    fn needs(&self, after: Needs) -> Needs {
        after.and(eval::field_names(&self.condition))
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        before
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let input = stage.input(input)?;
        let condition =
            subsearch::splice(&self.condition, subsearch::Spliced::Condition, stage.context)
                .await?;
        let condition = eval::condition(&condition, &input, stage.context)?;
        input.filter(condition).map_err(|error| stage.refused(error))
    }
}
