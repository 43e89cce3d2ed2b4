//! Compiles eval expressions over a plan's columns.

use std::sync::Arc;

use datafusion::logical_expr::Expr;
use jiff::tz::TimeZone;
use spilltrail_diagnostic::Diagnostic;
use spilltrail_eval::functions::{self, Asks};
use spilltrail_eval::{EvalContext, Expression, ResultKind, Scope};
use spilltrail_event::Kind;
use spilltrail_spl::{EvalExpr, EvalNode, parse_search};

use crate::context::SearchContext;
use crate::lookups::Lookups;
use crate::planning::eval_udf;
use crate::planning::plan::Plan;
use crate::planning::predicate;

/// A compiled eval expression: a DataFusion expression and the kind of its result.
#[derive(Debug)]
pub struct Compiled {
    /// The DataFusion expression.
    pub expr: Expr,
    /// The kind of the result.
    pub kind: ResultKind,
}

impl Scope for Plan {
    fn kind(&self, field: &str) -> Option<Kind> {
        Self::kind(self, field)
    }
}

/// Compiles an operand of a statistic over the columns of `plan`; its warnings become messages of the
/// search. Products in it are not rounded, because they are neither stored nor printed.
///
/// # Errors
/// Returns a diagnostic of the highest severity if the expression is not valid.
pub fn compile(
    expr: &EvalExpr,
    plan: &Plan,
    context: &SearchContext,
) -> Result<Compiled, Diagnostic> {
    let compiled = with_products(expr, plan, context, false)?;
    let kind = compiled.kind();
    Ok(Compiled { expr: eval_udf::into_expr(compiled), kind })
}

/// Compiles an expression that the caller evaluates row by row.
///
/// # Errors
/// As [`compile`].
pub fn expression(
    expr: &EvalExpr,
    scope: &dyn Scope,
    context: &SearchContext,
) -> Result<Expression, Diagnostic> {
    with_products(expr, scope, context, true)
}

fn with_products(
    expr: &EvalExpr,
    scope: &dyn Scope,
    context: &SearchContext,
    rounds_products: bool,
) -> Result<Expression, Diagnostic> {
    let lookups = Lookups::of(expr, context)?;
    let mut eval_context = eval_context(context.now, context.zone.clone(), lookups);
    eval_context.rounds_products = rounds_products;
    let compiled = Expression::compile(expr, scope, &eval_context).map_err(|diagnostics| {
        diagnostics.into_iter().max_by_key(|diagnostic| diagnostic.severity).unwrap_or_else(|| {
            Diagnostic::bug("an expression was refused without a reason").at(expr.span)
        })
    })?;
    for warning in compiled.warnings() {
        context.observations.message(warning.clone());
    }
    Ok(compiled)
}

/// Returns the context for compiling an expression: clock, time zone, lookups, and the compiler of
/// `searchmatch()`.
pub(crate) fn eval_context(now: f64, zone: TimeZone, lookups: Lookups) -> EvalContext {
    let mut context = EvalContext::new(now, zone.clone());
    context.compile_search = Some(predicate::searchmatch(now, zone));
    context.lookups = Some(Arc::new(lookups));
    context
}

/// Compiles a condition over the columns of `plan`.
///
/// # Errors
/// As [`compile`]; fails also if the expression is not a condition.
pub fn condition(
    expr: &EvalExpr,
    plan: &Plan,
    context: &SearchContext,
) -> Result<Expr, Diagnostic> {
    let compiled = expression(expr, plan, context)?;
    compiled.require_condition()?;
    Ok(eval_udf::into_condition(compiled))
}

/// Returns the names of the fields that an expression reads; `*` means that any field may be read.
#[must_use]
pub fn field_names(expr: &EvalExpr) -> Vec<String> {
    let mut names = Vec::new();
    expr.walk(&mut |expr| match &expr.node {
        EvalNode::Field(name) => names.push(name.clone()),
        // The text of a subsearch may name any field.
        EvalNode::Subsearch(_) => names.push("*".to_owned()),
        EvalNode::Call { name, arguments } => {
            if functions::find(&name.value).is_some_and(|function| function.asks == Asks::Search)
                && let [EvalExpr { node: EvalNode::Text(text), .. }] = arguments.as_slice()
                && let Ok(search) = parse_search(text)
            {
                names.extend(predicate::field_names(&search, &|_| None));
            }
        }
        _ => {}
    });
    names
}

/// Returns true if an expression may give different results for the same row in different runs,
/// because it uses the current time or a random number.
#[must_use]
pub fn differs_between_runs(expr: &EvalExpr) -> bool {
    let mut differs = false;
    expr.walk(&mut |expr| {
        if let EvalNode::Call { name, .. } = &expr.node {
            differs |= functions::find(&name.value)
                .is_some_and(|function| function.volatile || function.asks == Asks::Present);
        }
    });
    differs
}
