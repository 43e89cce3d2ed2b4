//! Subsearches: they run first, and their rows become an expression, a text, or rows to add.

use async_trait::async_trait;
use datafusion::common::DataFusionError;
use datafusion::physical_plan::ExecutionPlanProperties;
use futures::StreamExt;
use spilltrail_diagnostic::{Code, Diagnostic, Span, Spanned};
use spilltrail_event::{Field, Predicate, Value, fields};
use spilltrail_spl::{
    CompareOp, EvalExpr, EvalNode, Pipeline, SearchExpr, SearchLiteral, is_time_bound, parse_eval,
    parse_search,
};

use super::pipeline;
use crate::context::{Purpose, SearchContext};
use crate::operators::KeptRows;
use crate::planning::execution;
use crate::planning::plan::{Needs, Plan};
use crate::planning::predicate::{self, Position};

/// Rows of a subsearch that become an expression, at most (limits.conf `[subsearch] maxout`).
pub(crate) const MAX_EXPRESSION_ROWS: usize = 10_000;

/// Rows of a subsearch that `append` and `join` take, at most (limits.conf `[searchresults]`).
pub(crate) const MAX_APPENDED_ROWS: usize = 50_000;

/// Runs a subsearch and returns its rows.
///
/// `needs` is what is used of the rows. A result cut off at `limit` is told in the search's messages.
///
/// # Errors
/// What the subsearch fails with.
pub(crate) async fn run(
    subsearch: &Pipeline,
    context: &SearchContext,
    limit: usize,
    needs: Needs,
) -> Result<KeptRows, Diagnostic> {
    run_nested(subsearch, &context.nested(Purpose::Used), limit, needs).await
}

async fn run_nested(
    subsearch: &Pipeline,
    context: &SearchContext,
    limit: usize,
    needs: Needs,
) -> Result<KeptRows, Diagnostic> {
    let plan = pipeline::plan_pipeline(subsearch, context, needs).await.map_err(first)?;
    let rows = collect(plan, context, Some(limit + 1))
        .await
        .map_err(|error| crate::error::from_engine(&error).at(subsearch.span))?;
    if rows.len() > limit {
        context.observations.message(
            Diagnostic::warning(
                Code::LIMIT,
                format!("the subsearch has more than {limit} rows; the rest is left out"),
            )
            .at(subsearch.span),
        );
        return Ok(rows.truncated(limit));
    }
    Ok(rows)
}

/// Runs a plan and keeps its rows, at most `limit` of them and what else their batch has.
///
/// # Errors
/// What the engine fails with.
pub(crate) async fn collect(
    plan: Plan,
    context: &SearchContext,
    limit: Option<usize>,
) -> Result<KeptRows, DataFusionError> {
    let fields: Vec<Field> = plan.fields().map(|(name, kind)| Field::new(name, kind)).collect();
    let mut rows = KeptRows::new(fields, plan.transformed, &context.session.runtime_env());
    let physical = execution::physical(plan.logical(), context).await?;
    debug_assert_eq!(physical.output_partitioning().partition_count(), 1);
    let mut stream = execution::stream(physical, context)?;
    while let Some(batch) = stream.next().await {
        rows.push(&batch?)?;
        if limit.is_some_and(|limit| rows.len() >= limit) {
            break;
        }
    }
    Ok(rows)
}

/// Runs a subsearch and returns the expression that its rows stand for: rows are alternatives, the
/// fields of a row all hold, a multivalue is an alternative of its members, a field named `search` or
/// `query` is spliced in as written, one named like a time modifier bounds the time of the search around,
/// and no rows match nothing.
///
/// # Errors
/// What the subsearch fails with, or the parser for a spliced text.
pub(crate) async fn as_expression(
    subsearch: &Pipeline,
    purpose: Purpose,
    context: &SearchContext,
) -> Result<SearchExpr, Diagnostic> {
    let context = &context.nested(purpose);
    let rows = run_nested(subsearch, context, MAX_EXPRESSION_ROWS, Needs::everything()).await?;
    let rows = rows.in_memory().map_err(|error| crate::error::from_engine(&error))?;
    let mut alternatives = Vec::new();
    for row in rows.iter() {
        let mut parts = Vec::new();
        for (name, value) in row {
            match name.as_str() {
                "search" | "query" => {
                    let text = value.to_text().unwrap_or_default();
                    let mut part = parse_search(&text).map_err(|diagnostic| Diagnostic {
                        labels: Vec::new(),
                        ..diagnostic.note(format!("in the subsearch's result `{text}`"))
                    })?;
                    place(&mut part, subsearch.span);
                    parts.push(part);
                }
                bound if is_time_bound(bound) => parts.push(bounds(bound, &value, subsearch.span)),
                internal if internal.starts_with('_') => {}
                _ => parts.push(equals(&name, &value, subsearch.span)),
            }
        }
        if !parts.is_empty() {
            alternatives.push(SearchExpr::And(parts));
        }
    }
    if alternatives.is_empty() {
        // `NOT ( )`: nothing satisfies it.
        return Ok(SearchExpr::Not(Box::new(SearchExpr::All)));
    }
    if alternatives.len() == 1 {
        // Its time modifiers belong to the conjunction around it.
        return Ok(alternatives.remove(0));
    }
    Ok(SearchExpr::Or(alternatives))
}

/// Returns the names of the fields that the expression of a subsearch reads, if they are known before it
/// runs.
pub(crate) fn output_names(subsearch: &Pipeline) -> Option<Vec<String>> {
    let read = |name: String| if is_time_bound(&name) { fields::TIME.to_owned() } else { name };
    Some(compared(subsearch)?.into_iter().map(read).collect())
}

/// Returns true if the expression of a subsearch may bound the time of the search around it.
pub(crate) fn may_bound_time(subsearch: &Pipeline) -> bool {
    compared(subsearch).is_none_or(|names| names.iter().any(|name| is_time_bound(name)))
}

/// Returns the names that stand in the expression of a subsearch, if they are known before it runs.
fn compared(subsearch: &Pipeline) -> Option<Vec<String>> {
    let names = pipeline::compared_of(subsearch)?;
    let is_spliced = |name: &String| name == "search" || name == "query";
    (!names.iter().any(is_spliced)).then_some(names)
}

/// Returns the time modifier that a field of a subsearch's row stands for.
fn bounds(bound: &str, value: &Value<'_>, span: Span) -> SearchExpr {
    let modifier = |member: std::borrow::Cow<'_, str>| SearchExpr::Time {
        bound: Spanned::new(bound.to_ascii_lowercase(), span),
        modifier: Spanned::new(member.into_owned(), span),
    };
    let mut members: Vec<SearchExpr> = value.members().into_iter().map(modifier).collect();
    if members.len() == 1 { members.remove(0) } else { SearchExpr::Or(members) }
}

/// Spans of a spliced text mean nothing outside it: they all become the subsearch's.
fn place(expression: &mut SearchExpr, span: Span) {
    expression.walk_mut(&mut |part| match part {
        SearchExpr::Compare { field, value, .. } => {
            field.span = span;
            value.span = span;
        }
        SearchExpr::In { field, values } => {
            field.span = span;
            values.iter_mut().for_each(|value| value.span = span);
        }
        SearchExpr::Term { text, .. } => text.span = span,
        SearchExpr::Time { bound, modifier } => {
            bound.span = span;
            modifier.span = span;
        }
        _ => {}
    });
}

fn equals(field: &str, value: &Value<'_>, span: Span) -> SearchExpr {
    let mut members: Vec<SearchExpr> = value
        .members()
        .into_iter()
        .map(|member| SearchExpr::Compare {
            field: Spanned::new(field.to_owned(), span),
            op: CompareOp::Eq,
            value: Spanned::new(
                SearchLiteral { text: member.into_owned(), exact_case: false, quoted: true },
                span,
            ),
        })
        .collect();
    if members.len() == 1 { members.remove(0) } else { SearchExpr::Or(members) }
}

/// Returns the gravest diagnostic.
pub(crate) fn first(mut diagnostics: Vec<Diagnostic>) -> Diagnostic {
    diagnostics.sort_by_key(|diagnostic| std::cmp::Reverse(diagnostic.severity));
    diagnostics
        .into_iter()
        .next()
        .unwrap_or_else(|| Diagnostic::bug("a subsearch was refused without a reason"))
}

/// Runs a subsearch and returns its text for an eval expression: what `return` or `format` made, or
/// the only value.
///
/// # Errors
/// What the subsearch fails with.
pub(crate) async fn as_text(
    subsearch: &Pipeline,
    context: &SearchContext,
) -> Result<String, Diagnostic> {
    let rows = run(subsearch, context, MAX_EXPRESSION_ROWS, Needs::everything()).await?;
    let rows = rows.in_memory().map_err(|error| crate::error::from_engine(&error))?;
    let texts: Vec<String> = rows
        .iter()
        .flat_map(|row| {
            let spliced = row.get("search").or_else(|| row.get("query")).cloned();
            let values: Vec<Value<'static>> = match spliced {
                Some(value) => vec![value],
                None => row.into_iter().filter(|(n, _)| !n.starts_with('_')).map(|r| r.1).collect(),
            };
            values
        })
        .filter_map(|value| value.to_text().map(std::borrow::Cow::into_owned))
        .collect();
    Ok(texts.join(" "))
}

/// Runs the subsearches of a search expression and returns its predicate.
///
/// # Errors
/// Fails at a time modifier that is none, and where a subsearch fails.
pub(crate) async fn predicate(
    expression: &SearchExpr,
    position: Position,
    context: &SearchContext,
) -> Result<Predicate, Diagnostic> {
    let mut resolved = expression.clone();
    Resolver { context }.resolve(&mut resolved, Purpose::Used).await?;
    predicate::compile(&resolved, position, context)
}

/// Returns the names of the fields that a search expression reads; a subsearch counts with those that
/// its rows can have, and with `*` if that cannot be said.
#[must_use]
pub(crate) fn field_names(expression: &SearchExpr) -> Vec<String> {
    predicate::field_names(expression, &output_names)
}

struct Resolver<'a> {
    context: &'a SearchContext,
}

/// Boxes the recursion of an async function over a tree.
#[async_trait]
trait Resolve {
    /// Puts what subsearches return in their places; `purpose` is what becomes of what the expression
    /// matches.
    async fn resolve(
        &self,
        expression: &mut SearchExpr,
        purpose: Purpose,
    ) -> Result<(), Diagnostic>;
}

#[async_trait]
impl Resolve for Resolver<'_> {
    async fn resolve(
        &self,
        expression: &mut SearchExpr,
        purpose: Purpose,
    ) -> Result<(), Diagnostic> {
        match expression {
            SearchExpr::Not(part) => {
                let inside = match purpose {
                    Purpose::Used => Purpose::Excluded,
                    Purpose::Excluded => Purpose::Used,
                };
                self.resolve(part, inside).await?;
            }
            SearchExpr::Subsearch(subsearch) => {
                *expression = as_expression(subsearch, purpose, self.context).await?;
                // A result's own text may have a subsearch, too.
                self.resolve(expression, purpose).await?;
            }
            _ => {
                for part in expression.children_mut() {
                    self.resolve(part, purpose).await?;
                }
            }
        }
        Ok(())
    }
}

/// Runs the subsearches of an expression and puts what they return in their places.
///
/// # Errors
/// What a subsearch fails with, or the parser for what it returns.
pub(crate) async fn splice(
    expr: &EvalExpr,
    context: &SearchContext,
) -> Result<EvalExpr, Diagnostic> {
    let mut expr = expr.clone();
    Splicer { context }.splice(&mut expr).await?;
    Ok(expr)
}

struct Splicer<'a> {
    context: &'a SearchContext,
}

/// Boxes the recursion of an async function over a tree.
#[async_trait]
trait Splice {
    async fn splice(&self, expr: &mut EvalExpr) -> Result<(), Diagnostic>;
}

#[async_trait]
impl Splice for Splicer<'_> {
    async fn splice(&self, expr: &mut EvalExpr) -> Result<(), Diagnostic> {
        if let EvalNode::Subsearch(pipeline) = &expr.node {
            let text = as_text(pipeline, self.context).await?;
            let spliced = parse_eval(&text).map_err(|diagnostic| {
                let message = format!("the subsearch gives `{text}`: {}", diagnostic.message);
                Diagnostic { labels: Vec::new(), message, ..diagnostic }.at(expr.span)
            })?;
            expr.node = spliced.node;
            return Ok(());
        }
        for child in expr.children_mut() {
            self.splice(child).await?;
        }
        Ok(())
    }
}
