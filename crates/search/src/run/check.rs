//! Finds the mistakes in a search before it is planned.
//!
//! Planning stops at the first mistake, because the commands after it have no input. The mistakes
//! that can be found without an input are therefore collected first, from all commands and
//! subsearches: unknown commands, functions and options, and invalid arguments, regular expressions
//! and times.

use spilltrail_diagnostic::Diagnostic;
use spilltrail_eval::{Expression, Scope};
use spilltrail_event::Kind;
use spilltrail_spl::{EvalExpr, EvalNode, Pipeline, SearchExpr};

use crate::commands::{self, Parts, subsearch};
use crate::context::SearchContext;
use crate::lookups::Lookups;
use crate::planning::{eval, predicate};

/// Returns the errors and warnings of a pipeline, in the order of the text.
pub(crate) fn check(pipeline: &Pipeline, context: &SearchContext) -> Vec<Diagnostic> {
    let mut check = Check { context, found: Vec::new() };
    check.pipeline(pipeline);
    check.found.sort_by_key(|diagnostic| diagnostic.span());
    check.found
}

struct Check<'a> {
    context: &'a SearchContext,
    found: Vec<Diagnostic>,
}

/// A scope for expressions whose input fields are not known yet. It accepts every name as a text
/// field, which may hold any value.
struct AnyField;

impl Scope for AnyField {
    fn kind(&self, _: &str) -> Option<Kind> {
        Some(Kind::Text)
    }
}

impl Check<'_> {
    fn pipeline(&mut self, pipeline: &Pipeline) {
        for written in &pipeline.commands {
            let Some(entry) = commands::command(&written.name.value) else {
                self.found.push(commands::unknown(&written.name.value, written.name.span));
                continue;
            };
            let (command, reported) = entry.read(written);
            self.found.extend(reported);
            if let Some(command) = command {
                self.parts(&command.parts());
                self.found.extend(command.check(self.context));
            }
        }
    }

    fn parts(&mut self, parts: &Parts<'_>) {
        for expr in &parts.values {
            self.expression(expr, |compiled| compiled.storable().map(|_| ()));
        }
        for expr in &parts.conditions {
            self.expression(expr, Expression::require_condition);
        }
        for expr in &parts.operands {
            self.expression(expr, |_| Ok(()));
        }
        for search in &parts.searches {
            self.search(search);
        }
        for pipeline in &parts.pipelines {
            self.pipeline(pipeline);
        }
    }

    fn expression(
        &mut self,
        expr: &EvalExpr,
        is_usable: impl Fn(&Expression) -> Result<(), Diagnostic>,
    ) {
        let mut expr = expr.clone();
        self.take_subsearches(&mut expr);
        let (now, zone) = (self.context.now, self.context.zone.clone());
        let lookups = match Lookups::named_in(&expr, self.context) {
            Ok(lookups) => lookups,
            Err(error) => return self.found.push(error),
        };
        let eval = eval::eval_context(now, zone, lookups);
        match Expression::compile(&expr, &AnyField, &eval) {
            Ok(compiled) => self.found.extend(is_usable(&compiled).err()),
            Err(diagnostics) => self.found.extend(diagnostics),
        }
    }

    /// Checks the subsearches of an expression, and replaces each with a field, whose value is
    /// unknown like the subsearch's result.
    fn take_subsearches(&mut self, expr: &mut EvalExpr) {
        if let EvalNode::Subsearch(pipeline) = &expr.node {
            self.pipeline(pipeline);
            expr.node = EvalNode::Field(String::new());
            return;
        }
        expr.children_mut().into_iter().for_each(|child| self.take_subsearches(child));
    }

    fn search(&mut self, expression: &SearchExpr) {
        expression.walk(&mut |part| match part {
            SearchExpr::Subsearch { value_of, pipeline } => {
                self.pipeline(pipeline);
                let compared = value_of.as_ref();
                self.found.extend(
                    compared.and_then(|compared| subsearch::returns_no_value(compared, pipeline)),
                );
            }
            SearchExpr::Time { .. } => {
                self.found.extend(predicate::wrong_time(part, self.context));
            }
            _ => {}
        });
    }
}
