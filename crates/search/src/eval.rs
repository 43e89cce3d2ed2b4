//! Eval expressions over a plan's columns.

use async_trait::async_trait;
use datafusion::logical_expr::Expr;
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::Kind;
use spilltrail_spl::{EvalExpr, EvalNode, parse_eval, parse_search};

use crate::context::SearchContext;
use crate::expression::{EvalContext, Expression, ResultKind, Scope};
use crate::lookups::Lookups;
use crate::plan::Plan;
use crate::{predicate, subsearch};

/// An expression of DataFusion and what it gives.
#[derive(Debug)]
pub struct Compiled {
    /// The expression.
    pub expr: Expr,
    /// What it gives.
    pub kind: ResultKind,
}

impl Scope for Plan {
    fn kind(&self, field: &str) -> Option<Kind> {
        Self::kind(self, field)
    }
}

/// Compiles an expression over the columns of `plan`; its warnings go to the search's messages.
///
/// # Errors
/// The first thing wrong with the expression.
pub fn compile(
    expr: &EvalExpr,
    plan: &Plan,
    context: &SearchContext,
) -> Result<Compiled, Diagnostic> {
    let compiled = expression(expr, plan, context)?;
    let kind = compiled.kind();
    Ok(Compiled { expr: compiled.into_expr(), kind })
}

/// Compiles an expression for evaluation row by row.
///
/// # Errors
/// As [`compile`].
pub fn expression(
    expr: &EvalExpr,
    scope: &dyn Scope,
    context: &SearchContext,
) -> Result<Expression, Diagnostic> {
    let mut eval_context = EvalContext::new(context.now, context.zone.clone());
    eval_context.compile_search = Some(predicate::searchmatch(context));
    eval_context.lookups = Some(std::sync::Arc::new(Lookups::new(context)));
    let compiled = Expression::compile(expr, scope, &eval_context).map_err(|diagnostics| {
        diagnostics
            .into_iter()
            .max_by_key(|diagnostic| diagnostic.severity)
            .unwrap_or_else(|| Diagnostic::error(Code::SYNTAX, "invalid expression").at(expr.span))
    })?;
    for warning in compiled.warnings() {
        context.observations.message(warning.clone());
    }
    Ok(compiled)
}

/// Compiles a condition over the columns of `plan`.
///
/// # Errors
/// As [`compile`], and if the expression is no condition.
pub fn condition(
    expr: &EvalExpr,
    plan: &Plan,
    context: &SearchContext,
) -> Result<Expr, Diagnostic> {
    let compiled = expression(expr, plan, context)?;
    compiled.require_condition()?;
    Ok(compiled.into_condition())
}

/// Returns the names of the fields that an expression reads, `*` where that is not known.
#[must_use]
pub fn field_names(expr: &EvalExpr) -> Vec<String> {
    let mut names = Vec::new();
    collect(expr, &mut names);
    names
}

fn collect(expr: &EvalExpr, names: &mut Vec<String>) {
    match &expr.node {
        EvalNode::Number(_) | EvalNode::Text(_) | EvalNode::Subsearch(_) => {}
        EvalNode::Field(name) => names.push(name.clone()),
        EvalNode::Call { name, arguments } => {
            if name.value == "searchmatch"
                && let [EvalExpr { node: EvalNode::Text(text), .. }] = arguments.as_slice()
                && let Ok(search) = parse_search(text)
            {
                names.extend(predicate::field_names(&search));
            }
            arguments.iter().for_each(|argument| collect(argument, names));
        }
        EvalNode::Unary(_, inner) => collect(inner, names),
        EvalNode::Binary(_, left, right) => {
            collect(left, names);
            collect(right, names);
        }
        EvalNode::In(left, members) => {
            collect(left, names);
            members.iter().for_each(|member| collect(member, names));
        }
    }
}

/// Runs the subsearches of an expression and puts what they return in their places.
///
/// # Errors
/// What a subsearch fails with, or the parser for what it returns.
pub async fn splice(expr: &EvalExpr, context: &SearchContext) -> Result<EvalExpr, Diagnostic> {
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
        match &mut expr.node {
            EvalNode::Number(_) | EvalNode::Text(_) | EvalNode::Field(_) => {}
            EvalNode::Call { arguments, .. } => {
                for argument in arguments {
                    self.splice(argument).await?;
                }
            }
            EvalNode::Unary(_, inner) => self.splice(inner).await?,
            EvalNode::Binary(_, left, right) => {
                self.splice(left).await?;
                self.splice(right).await?;
            }
            EvalNode::In(left, members) => {
                self.splice(left).await?;
                for member in members {
                    self.splice(member).await?;
                }
            }
            EvalNode::Subsearch(pipeline) => {
                let text = subsearch::as_text(pipeline, self.context).await?;
                let spliced = parse_eval(&text).map_err(|diagnostic| {
                    let message = format!("the subsearch gives `{text}`: {}", diagnostic.message);
                    Diagnostic { labels: Vec::new(), message, ..diagnostic }.at(expr.span)
                })?;
                expr.node = spliced.node;
            }
        }
        Ok(())
    }
}
