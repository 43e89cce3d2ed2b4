//! `search`: finds events, or keeps the rows that satisfy a search expression.

use async_trait::async_trait;
use spilltrail_diagnostic::Diagnostic;
use spilltrail_event::{Predicate, fields};
use spilltrail_spl::{Arguments, SearchExpr};

use super::{Command, CommandDoc, CommandKind, Entry, Example, Stage};
use crate::order;
use crate::plan::{Needs, Plan};
use crate::predicate::{self, Position};
use crate::{planner, predicate_udf};

static DOC: CommandDoc = CommandDoc {
    name: "search",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Finds events, or keeps the rows that satisfy a search expression.",
    syntax: "search <terms, comparisons, AND, OR, NOT, IN, time modifiers, subsearches>",
    arguments: &[],
    examples: &[
        Example {
            title: "Values compare without case, `*` is a wildcard, OR binds tighter than AND",
            events: r#"{"_time":1,"eventName":"GetObject","errorCode":"AccessDenied"}
{"_time":2,"eventName":"GetObject","errorCode":"success"}"#,
            search: "search eventName=get* errorCode=accessdenied OR errorCode=throttling | table eventName errorCode",
            results: r#"{"eventName":"GetObject","errorCode":"AccessDenied"}"#,
        },
        Example {
            title: "`NOT` keeps rows without the field, `!=` does not",
            events: r#"{"_time":1,"user":"ann","code":"denied"}
{"_time":2,"user":"bob"}"#,
            search: "search NOT code=denied | table user",
            results: r#"{"user":"bob"}"#,
        },
    ],
    differs: &[],
};

pub(super) const ENTRY: Entry = Entry { doc: &DOC, parse };

/// A parsed search expression.
#[derive(Debug)]
struct Search {
    expression: SearchExpr,
}

fn parse(arguments: &mut Arguments<'_>) -> Result<Box<dyn Command>, Diagnostic> {
    let expression = arguments.search()?;
    arguments.finish()?;
    Ok(Box::new(Search { expression }))
}

#[async_trait]
impl Command for Search {
    fn needs(&self, after: Needs) -> Needs {
        after.and(predicate::field_names(&self.expression))
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        let position = if input.is_some() { Position::Later } else { Position::Leading };
        let predicate = predicate::compile(&self.expression, position, stage.context).await?;
        match input {
            Some(input) => filter(input, predicate, stage),
            None => find(predicate, stage).await,
        }
    }
}

fn filter(input: Plan, predicate: Predicate, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
    if predicate == Predicate::All {
        return Ok(input);
    }
    let condition = predicate_udf::condition(predicate, &input);
    input.filter(condition).map_err(|error| stage.refused(error))
}

/// Plans the leading search: the source applies the predicate; events come newest first where the
/// rest of the pipeline can see the order.
pub(super) async fn find(predicate: Predicate, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
    let mut demand = stage.after.fields.clone();
    let wants_time = demand.wants(fields::TIME);
    if stage.after.order {
        demand.add(fields::TIME);
    }
    let plan = planner::scan(stage.context, predicate, &demand)
        .await
        .map_err(|error| stage.refused(error))?;
    if !stage.after.order {
        return Ok(plan);
    }
    let names = plan.names();
    let plan = order::newest_first(plan).map_err(|error| stage.refused(error))?;
    if wants_time {
        return Ok(plan);
    }
    let names: Vec<String> = names.into_iter().filter(|name| name != fields::TIME).collect();
    plan.select(&names).map_err(|error| stage.refused(error))
}
