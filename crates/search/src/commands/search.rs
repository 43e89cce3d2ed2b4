//! `search`: finds events, or filters rows, with a search expression.

use std::borrow::Cow;

use async_trait::async_trait;
use spilltrail_diagnostic::Diagnostic;
use spilltrail_event::{Demand, Predicate, fields};
use spilltrail_spl::{Arguments, SearchExpr};

use super::{
    Argument, Command, CommandDoc, CommandKind, Entry, Example, Parts, Stage, Takes, subsearch,
};
use crate::context::SearchContext;
use crate::planning::order;
use crate::planning::plan::{Needs, Plan};
use crate::planning::predicate::{self, Position};
use crate::planning::predicate_udf;
use crate::planning::scan;

static DOC: CommandDoc = CommandDoc {
    name: "search",
    aliases: &[],
    kind: CommandKind::DistributableStreaming,
    summary: "Find events, or keep the rows that match a search expression.",
    syntax: "search <terms, comparisons, AND, OR, NOT, IN, time modifiers, subsearches>",
    arguments: &[Argument::positional("expression", Takes::Search)
        .doc("Terms, comparisons, `AND`, `OR`, `NOT`, `IN`, time modifiers and subsearches.")],
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
        Example {
            title: "A list of values with a wildcard, and a network",
            events: r#"{"_time":1,"eventName":"CreateUser","src_ip":"10.1.2.3"}
{"_time":2,"eventName":"DeleteRole","src_ip":"192.0.2.1"}
{"_time":3,"eventName":"GetUser","src_ip":"10.1.2.4"}"#,
            search: "search eventName IN (CreateUser, Delete*) src_ip=10.0.0.0/8 | table eventName",
            results: r#"{"eventName":"CreateUser"}"#,
        },
        Example {
            title: "Words in the text of the event; `TERM` does not end at a dot",
            events: r#"{"_time":1,"_raw":"Denied 203.0.113.20"}
{"_time":2,"_raw":"Denied 203.0.113.20.5"}
{"_time":3,"_raw":"Allowed 203.0.113.20"}"#,
            search: "search denied TERM(203.0.113.20) | table _raw",
            results: r#"{"_raw":"Denied 203.0.113.20"}"#,
        },
        Example {
            title: "A time range; the end is exclusive",
            events: "{\"_time\":10,\"n\":\"1\"}\n{\"_time\":20,\"n\":\"2\"}\n{\"_time\":30,\"n\":\"3\"}",
            search: "search earliest=15 latest=30 | table n",
            results: r#"{"n":"2"}"#,
        },
        Example {
            title: "`CASE` compares case, too",
            events: "{\"_time\":1,\"user\":\"Ann\"}\n{\"_time\":2,\"user\":\"ann\"}",
            search: "search user=CASE(Ann) | table user",
            results: r#"{"user":"Ann"}"#,
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
    fn parts(&self) -> Parts<'_> {
        Parts { searches: vec![&self.expression], ..Parts::default() }
    }

    fn needs(&self, after: Needs) -> Needs {
        after.and(subsearch::field_names(&self.expression))
    }

    fn output(&self, before: Option<Vec<String>>) -> Option<Vec<String>> {
        before
    }

    fn picks(&self) -> Option<Cow<'_, SearchExpr>> {
        Some(Cow::Borrowed(&self.expression))
    }

    async fn plan(&self, input: Option<Plan>, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
        if let Some(input) = input {
            let predicate =
                subsearch::predicate(&self.expression, Position::Later, stage.context).await?;
            return filter(input, predicate, stage);
        }
        if let Some((certain, subsearches)) =
            predicate::split(&self.expression, &subsearch::may_bound_time)
        {
            return find_within(&certain, &subsearches, stage).await;
        }
        let predicate =
            subsearch::predicate(&self.expression, Position::Leading, stage.context).await?;
        if self.expression.any(&|part| matches!(part, SearchExpr::Subsearch { .. })) {
            observe_nothing(&predicate, stage.context);
        }
        find(predicate, stage).await
    }
}

/// Records it if the results of subsearches made an expression that no event can match.
fn observe_nothing(predicate: &Predicate, context: &SearchContext) {
    if predicate.outcome(&|_| None) == Some(false) {
        context.observations.nothing_to_find();
    }
}

/// Plans a leading search that has subsearches in one part.
///
/// The events that match `certain`, the other part, are requested before the subsearches run.
/// They are a superset of the wanted events, which the results of the subsearches then filter.
/// Without a usable superset, the source is asked for the events of the complete predicate.
async fn find_within(
    certain: &SearchExpr,
    subsearches: &SearchExpr,
    stage: &Stage<'_>,
) -> Result<Plan, Diagnostic> {
    let context = stage.context;
    let mut demand = demand(stage);
    let wanted = demand.clone();
    subsearch::field_names(subsearches).iter().for_each(|name| demand.add(name));
    let outer = subsearch::predicate(certain, Position::Leading, context).await?;
    let superset = scan::Superset::of(context, outer.clone(), &demand)
        .await
        .map_err(|error| stage.refused(error))?;
    let inner = subsearch::predicate(subsearches, Position::Narrowing, context).await?;
    observe_nothing(&inner, context);
    if let Some(superset) = superset {
        let narrowed = superset.narrowed(context, inner.clone(), &wanted);
        if let Some(plan) = narrowed.map_err(|error| stage.refused(error))? {
            return ordered(plan, stage);
        }
    }
    find(Predicate::and(vec![outer, inner]), stage).await
}

fn filter(input: Plan, predicate: Predicate, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
    if predicate == Predicate::All {
        return Ok(input);
    }
    let condition = predicate_udf::condition(predicate, &input);
    input.filter(condition).map_err(|error| stage.refused(error))
}

/// Plans the leading search. The source applies the predicate, and the events are sorted newest
/// first if the order can affect the result of the pipeline.
pub(super) async fn find(predicate: Predicate, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
    let plan = scan::scan(stage.context, predicate, &demand(stage))
        .await
        .map_err(|error| stage.refused(error))?;
    ordered(plan, stage)
}

/// Returns the fields to read from the events: those that later commands need, and `_time` if the
/// events must be sorted.
fn demand(stage: &Stage<'_>) -> Demand {
    let mut demand = stage.after.fields.clone();
    if stage.after.order {
        demand.add(fields::TIME);
    }
    demand
}

fn ordered(plan: Plan, stage: &Stage<'_>) -> Result<Plan, Diagnostic> {
    if !stage.after.order {
        return Ok(plan);
    }
    let names = plan.names();
    let plan = order::newest_first(plan).map_err(|error| stage.refused(error))?;
    if stage.after.fields.wants(fields::TIME) {
        return Ok(plan);
    }
    let names: Vec<String> = names.into_iter().filter(|name| name != fields::TIME).collect();
    plan.select(&names).map_err(|error| stage.refused(error))
}
