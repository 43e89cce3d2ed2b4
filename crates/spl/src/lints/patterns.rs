//! Patterns in the notation of another operator.

use spilltrail_diagnostic::{Code, Span};

use super::constants::{Equality, equality, name_of};
use super::{Doubt, Evaluated, Weight};
use crate::{BinaryOp, EvalExpr, EvalNode};

/// Returns true for a word with an asterisk at an end, which is hardly meant as one.
fn has_wildcard(text: &str) -> bool {
    let word = text.trim_matches('*');
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    word.len() < text.len() && !word.is_empty() && word.chars().all(is_word)
}

/// Finds `*` in a pattern of `like`.
pub(super) fn of_like(part: &Evaluated<'_>, found: &mut Vec<Doubt>) {
    let expr = part.expression;
    let pattern = match &expr.node {
        EvalNode::Call { name, arguments } if name.value == "like" => arguments.get(1),
        EvalNode::Binary(BinaryOp::Like, _, pattern) => Some(pattern.as_ref()),
        _ => None,
    };
    let Some(EvalExpr { node: EvalNode::Text(text), span }) = pattern else { return };
    if has_wildcard(text) {
        let help = format!("write `\"{}\"`", text.replace('*', "%"));
        found.push(doubt("`*` is no wildcard of `like`", *span).help(help));
    }
}

/// Finds `*` in a text that `=`, `!=` or `IN` compares.
pub(super) fn of_equality(part: &Evaluated<'_>, found: &mut Vec<Doubt>) {
    let Some(Equality { field, values, is_negated }) = equality(part.expression) else { return };
    for value in values {
        if let EvalNode::Text(text) = &value.node
            && has_wildcard(text)
        {
            let not = if is_negated { "NOT " } else { "" };
            let (field, pattern) = (name_of(field), text.replace('*', "%"));
            let mut doubt = doubt("`*` is no wildcard in `eval` and `where`", value.span);
            if is_negated {
                doubt.weight = Weight::Doubtful;
            }
            found.push(doubt.help(format!("write `{not}like({field}, \"{pattern}\")`")));
        }
    }
}

/// Finds slashes around a regular expression.
pub(super) fn of_regex(part: &Evaluated<'_>, found: &mut Vec<Doubt>) {
    let expr = part.expression;
    let EvalNode::Call { name, arguments } = &expr.node else { return };
    let Some(EvalExpr { node: EvalNode::Text(text), span }) = arguments.get(1) else { return };
    let inner = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
    if name.value == "match"
        && let Some(inner) = inner.filter(|inner| !inner.is_empty() && !inner.contains('/'))
    {
        let message = "the slashes are part of the regular expression";
        // Paths can begin and end with a slash.
        let doubt = Doubt::new(Weight::IfNothing, Code::WILDCARD, message, *span);
        found.push(doubt.help(format!("write `\"{inner}\"`")));
    }
}

/// Names and addresses have no `*`, so that the comparison never holds.
fn doubt(message: &str, span: Span) -> Doubt {
    Doubt::new(Weight::NeverMet, Code::WILDCARD, message, span)
}
