//! Subsearches: they run before the outer search, and their rows become a search expression, a
//! text, or rows for a command such as `append`.

use std::borrow::Cow;

use async_trait::async_trait;
use datafusion::common::DataFusionError;
use datafusion::physical_plan::ExecutionPlanProperties;
use futures::StreamExt;
use indexmap::IndexMap;
use spilltrail_diagnostic::{Code, Diagnostic, Span, Spanned};
use spilltrail_event::{Field, Kind, Predicate, Value, fields};
use spilltrail_spl::{
    BinaryOp, CompareOp, Compared, EvalExpr, EvalNode, Pipeline, SearchExpr, SearchLiteral,
    UnaryOp, is_time_bound, parse_eval, parse_search,
};

use super::pipeline;
use crate::context::{Purpose, SearchContext};
use crate::operators::{KeptRows, widened};
use crate::planning::execution;
use crate::planning::plan::{Needs, Plan};
use crate::planning::predicate::{self, Position};
use crate::rows::Rows;
use crate::rows::arrow::schema_of;
use crate::rows::styles::Styles;

/// The maximum number of a subsearch's rows that become an expression (limits.conf `[subsearch]
/// maxout`).
pub(crate) const MAX_EXPRESSION_ROWS: usize = 10_000;

/// The maximum number of a subsearch's rows that `append` and `join` read (limits.conf
/// `[searchresults]`).
pub(crate) const MAX_APPENDED_ROWS: usize = 50_000;

/// Runs a subsearch and returns its first `limit` rows.
///
/// The rows have the fields and the order in `needs`, and no styles: those of a subsearch end with
/// it. If there are more rows than `limit`, a
/// message of the search reports it.
///
/// # Errors
/// Returns the error of the subsearch.
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
    // One row more than the limit shows whether rows are left out.
    let mut rows = collect(plan, context, Some(limit + 1))
        .await
        .map_err(|error| crate::error::from_engine(&error).at(subsearch.span))?;
    rows.styles = Styles::default();
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

/// Returns a name or value in double quotes, as a text of a search that a command writes itself.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

/// Returns a text as it stands between double quotes.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// Runs a plan and returns its rows, with the styles of its fields. Stops reading once there are `limit` rows; more rows of the
/// last batch are kept.
///
/// # Errors
/// Returns the error of the engine.
pub(crate) async fn collect(
    plan: Plan,
    context: &SearchContext,
    limit: Option<usize>,
) -> Result<KeptRows, DataFusionError> {
    let fields: Vec<Field> = plan.fields().map(|(name, kind)| Field::new(name, kind)).collect();
    let mut rows = KeptRows::new(fields, plan.transformed, &context.session.runtime_env());
    rows.styles = plan.styles();
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

/// Returns the rows of several searches, one after another.
///
/// They have the columns of all, without styles. The kind of each column can represent the values of
/// all.
///
/// # Errors
/// Fails if rows on disk cannot be read, or if there is no room for the result.
pub(crate) fn together(
    all: Vec<KeptRows>,
    context: &SearchContext,
) -> Result<KeptRows, DataFusionError> {
    let mut kinds: IndexMap<String, Kind> = IndexMap::new();
    for field in all.iter().flat_map(|rows| &rows.fields) {
        kinds
            .entry(field.name.clone())
            .and_modify(|kind| *kind = kind.or(field.kind))
            .or_insert(field.kind);
    }
    let schema = schema_of(kinds.iter().map(|(name, kind)| (name.as_str(), *kind)));
    let fields = kinds.into_iter().map(|(name, kind)| Field::new(name, kind)).collect();
    let transformed = all.iter().any(|rows| rows.transformed);
    let mut joined = KeptRows::new(fields, transformed, &context.session.runtime_env());
    for rows in all {
        for batch in rows.batches()? {
            joined.push(&widened(&batch?, &schema)?)?;
        }
    }
    Ok(joined)
}

/// Runs a subsearch and returns the search expression that its rows become.
///
/// - Rows are joined with `OR`, the fields of a row with `AND`, and the values of a multivalue with
///   `OR`.
/// - The text of a field named `search` or `query` is parsed as an expression.
/// - A field named like a time modifier bounds the time of the outer search.
/// - Other fields whose names begin with `_` are ignored.
/// - An expression made from no rows matches nothing.
///
/// # Errors
/// Returns the error of the subsearch, or of parsing the text of a field.
pub(crate) async fn as_expression(
    subsearch: &Pipeline,
    purpose: Purpose,
    context: &SearchContext,
) -> Result<SearchExpr, Diagnostic> {
    let rows = rows_for_text(subsearch, purpose, context).await?;
    let mut alternatives = Vec::new();
    for row in rows.iter() {
        let mut parts = Vec::new();
        for (name, value) in row {
            match name.as_str() {
                "search" | "query" => {
                    let text = value.to_text().unwrap_or_default();
                    parts.push(parse_result(&text, &text, subsearch.span)?);
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
        return Ok(nothing());
    }
    if alternatives.len() == 1 {
        // Without an `OR` around it, its time modifiers apply to the outer conjunction.
        return Ok(alternatives.remove(0));
    }
    Ok(SearchExpr::Or(alternatives))
}

/// Runs a subsearch and returns its rows, which become a part of an expression.
async fn rows_for_text(
    subsearch: &Pipeline,
    purpose: Purpose,
    context: &SearchContext,
) -> Result<Rows, Diagnostic> {
    let context = &context.nested(purpose);
    let rows = run_nested(subsearch, context, MAX_EXPRESSION_ROWS, Needs::everything()).await?;
    rows.in_memory().map_err(|error| crate::error::from_engine(&error))
}

/// Returns the expression that matches nothing, `NOT ( )`.
fn nothing() -> SearchExpr {
    SearchExpr::Not(Box::new(SearchExpr::All))
}

/// Parses an expression that contains the text `result` of the subsearch at `span`.
fn parse_result(written: &str, result: &str, span: Span) -> Result<SearchExpr, Diagnostic> {
    let mut parsed = parse_search(written).map_err(|diagnostic| Diagnostic {
        labels: Vec::new(),
        ..diagnostic.note(format!("in the subsearch's result `{result}`"))
    })?;
    // Offsets in that text do not exist in the search.
    parsed.place(span);
    Ok(parsed)
}

/// Runs a subsearch and returns the comparison of a field, or the time modifier, with the value that
/// it returns. A comparison with the value of no rows matches nothing.
async fn as_comparison(
    compared: &Compared,
    subsearch: &Pipeline,
    purpose: Purpose,
    context: &SearchContext,
) -> Result<SearchExpr, Diagnostic> {
    let rows = rows_for_text(subsearch, purpose, context).await?;
    let mut texts: Vec<String> = Vec::new();
    for row in rows.iter() {
        let Some(value) = row.get("search").or_else(|| row.get("query")) else {
            return Err(no_value(compared, subsearch.span));
        };
        texts.extend(value.to_text().map(Cow::into_owned));
    }
    let text = texts.join(" ");
    if text.trim().is_empty() {
        return Ok(nothing());
    }
    let Compared { field, op } = compared;
    let written = format!("{}{}{text}", quoted(&field.value), op.as_str());
    let expression = parse_result(&written, &text, subsearch.span)?;
    if matches!(expression, SearchExpr::Compare { .. } | SearchExpr::Time { .. }) {
        return Ok(expression);
    }
    let message = format!("the subsearch returns `{text}`, which is not one value");
    Err(Diagnostic::error(Code::BAD_ARGUMENT, message)
        .at(subsearch.span)
        .help("return one row, and put a text with blanks in double quotes"))
}

/// Returns the error for a subsearch that returns no text to compare a field with.
fn no_value(compared: &Compared, span: Span) -> Diagnostic {
    let name = &compared.field.value;
    let message = format!("the subsearch returns no text to compare `{name}` with");
    Diagnostic::error(Code::BAD_ARGUMENT, message)
        .at(span)
        .help(format!("end it with `| return ${name}`, or leave out `{name}` before it"))
}

/// Returns the error for a subsearch that is known to return no text to compare a field with.
pub(crate) fn returns_no_value(compared: &Compared, subsearch: &Pipeline) -> Option<Diagnostic> {
    self::compared(subsearch).map(|_| no_value(compared, subsearch.span))
}

/// Returns the fields that the expression made from a subsearch reads, or `None` if they are not
/// known before it runs.
pub(crate) fn output_names(subsearch: &Pipeline) -> Option<Vec<String>> {
    let read = |name: String| if is_time_bound(&name) { fields::TIME.to_owned() } else { name };
    Some(compared(subsearch)?.into_iter().map(read).collect())
}

/// Returns true if the expression made from a subsearch may bound the time of the outer search.
pub(crate) fn may_bound_time(subsearch: &Pipeline) -> bool {
    compared(subsearch).is_none_or(|names| names.iter().any(|name| is_time_bound(name)))
}

/// Returns the names of the fields and time modifiers in the expression made from a subsearch, or
/// `None` if they are not known before it runs.
pub(crate) fn compared(subsearch: &Pipeline) -> Option<Vec<String>> {
    let mut names = pipeline::compared_of(subsearch)?;
    // An expression compares no internal fields.
    names.retain(|name| !name.starts_with('_') || is_time_bound(name));
    // The text of these fields may be any expression.
    let is_spliced = |name: &String| name == "search" || name == "query";
    (!names.iter().any(is_spliced)).then_some(names)
}

/// Returns the expression for a field whose name is a time modifier, such as `earliest`.
fn bounds(bound: &str, value: &Value<'_>, span: Span) -> SearchExpr {
    let modifier = |member: Cow<'_, str>| SearchExpr::Time {
        bound: Spanned::new(bound.to_ascii_lowercase(), span),
        modifier: Spanned::new(member.into_owned(), span),
    };
    let mut members: Vec<SearchExpr> = value.members().into_iter().map(modifier).collect();
    if members.len() == 1 { members.remove(0) } else { SearchExpr::Or(members) }
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

/// Returns the most severe diagnostic, and the first of several equally severe ones.
pub(crate) fn first(mut diagnostics: Vec<Diagnostic>) -> Diagnostic {
    diagnostics.sort_by_key(|diagnostic| std::cmp::Reverse(diagnostic.severity));
    diagnostics
        .into_iter()
        .next()
        .unwrap_or_else(|| Diagnostic::bug("a subsearch was refused without a reason"))
}

/// Runs a subsearch and returns its rows as text for an eval expression; `None` if there are none.
///
/// The text of a row is that of its field `search` or `query`, as `return` and `format` set it. Other
/// rows become a condition, as with `format`, without the fields whose names begin with `_`.
///
/// # Errors
/// Returns the error of the subsearch.
async fn as_text(
    subsearch: &Pipeline,
    context: &SearchContext,
) -> Result<Option<String>, Diagnostic> {
    let rows = rows_for_text(subsearch, Purpose::Used, context).await?;
    let (mut texts, mut conditions) = (Vec::new(), Vec::new());
    for row in rows.iter() {
        if let Some(spliced) = row.get("search").or_else(|| row.get("query")) {
            texts.extend(spliced.to_text().map(Cow::into_owned));
            continue;
        }
        let fields = || row.iter().filter(|(name, _)| !name.starts_with('_'));
        if let Some((name, _)) = fields().find(|(name, _)| name.contains('\'')) {
            let message = format!("no expression can name the field `{name}` of the subsearch");
            return Err(Diagnostic::error(Code::BAD_ARGUMENT, message)
                .at(subsearch.span)
                .help("rename it, or leave it out with `fields`"));
        }
        let parts: Vec<String> = fields()
            .map(|(name, value)| {
                let members = value.members();
                let equal = members.iter().map(|member| format!("'{name}'={}", quoted(member)));
                format!("({})", equal.collect::<Vec<_>>().join(" OR "))
            })
            .collect();
        if !parts.is_empty() {
            conditions.push(format!("({})", parts.join(" AND ")));
        }
    }
    if !conditions.is_empty() {
        texts.push(format!("({})", conditions.join(" OR ")));
    }
    let text = texts.join(" ");
    Ok((!text.trim().is_empty()).then_some(text))
}

/// Runs the subsearches of a search expression and returns its predicate.
///
/// # Errors
/// Fails if a time modifier is invalid or a subsearch fails.
pub(crate) async fn predicate(
    expression: &SearchExpr,
    position: Position,
    context: &SearchContext,
) -> Result<Predicate, Diagnostic> {
    let mut resolved = expression.clone();
    Resolver { context }.resolve(&mut resolved, Purpose::Used).await?;
    predicate::compile(&resolved, position, context)
}

/// Returns the names of the fields that a search expression reads.
///
/// These include the fields that the expressions made from subsearches read, or `*` if those are
/// not known.
#[must_use]
pub(crate) fn field_names(expression: &SearchExpr) -> Vec<String> {
    predicate::field_names(expression, &output_names)
}

struct Resolver<'a> {
    context: &'a SearchContext,
}

/// Makes the recursion over a tree possible: `async_trait` boxes the future of each call.
#[async_trait]
trait Resolve {
    /// Replaces each subsearch by the expression made from its rows. `purpose` says how the matches
    /// of `expression` are used; `NOT` reverses it.
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
                    Purpose::Unread => Purpose::Unread,
                };
                self.resolve(part, inside).await?;
            }
            SearchExpr::Subsearch { value_of: Some(compared), pipeline } => {
                *expression = as_comparison(compared, pipeline, purpose, self.context).await?;
            }
            SearchExpr::Subsearch { value_of: None, pipeline } => {
                *expression = as_expression(pipeline, purpose, self.context).await?;
                // The parsed text of a result may contain a subsearch too.
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

/// Runs the subsearches of an eval expression, and replaces each by its text, parsed as eval.
///
/// # Errors
/// Returns the error of a subsearch, or of parsing its text.
pub(crate) async fn splice(
    expr: &EvalExpr,
    as_what: Spliced,
    context: &SearchContext,
) -> Result<EvalExpr, Diagnostic> {
    let mut expr = expr.clone();
    Splicer { context }.splice(&mut expr, as_what).await?;
    Ok(expr)
}

/// What an expression with subsearches is, which says what a subsearch without rows is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spliced {
    /// A condition, which is false without rows.
    Condition,
    /// A value, which is null without rows.
    Value,
}

struct Splicer<'a> {
    context: &'a SearchContext,
}

/// Makes the recursion over a tree possible: `async_trait` boxes the future of each call.
#[async_trait]
trait Splice {
    async fn splice(&self, expr: &mut EvalExpr, as_what: Spliced) -> Result<(), Diagnostic>;
}

#[async_trait]
impl Splice for Splicer<'_> {
    async fn splice(&self, expr: &mut EvalExpr, as_what: Spliced) -> Result<(), Diagnostic> {
        if let EvalNode::Subsearch(pipeline) = &expr.node {
            let none = match as_what {
                Spliced::Condition => "false()",
                Spliced::Value => "null()",
            };
            let text = as_text(pipeline, self.context).await?.unwrap_or_else(|| none.to_owned());
            let spliced = parse_eval(&text).map_err(|diagnostic| {
                let message = format!("the subsearch gives `{text}`: {}", diagnostic.message);
                Diagnostic { labels: Vec::new(), message, ..diagnostic }.at(expr.span)
            })?;
            expr.node = spliced.node;
            return Ok(());
        }
        let inside = match expr.node {
            EvalNode::Unary(UnaryOp::Not, _)
            | EvalNode::Binary(BinaryOp::And | BinaryOp::Or | BinaryOp::Xor, ..) => {
                Spliced::Condition
            }
            _ => Spliced::Value,
        };
        for child in expr.children_mut() {
            self.splice(child, inside).await?;
        }
        Ok(())
    }
}
