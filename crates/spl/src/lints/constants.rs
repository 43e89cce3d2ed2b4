//! Comparisons in `eval` and `where` whose result does not depend on what they seem to compare.

use spilltrail_diagnostic::Code;

use super::{Doubt, Evaluated, Weight};
use crate::{BinaryOp, Command, CompareOp, EvalNode};

/// Returns a field as an eval expression writes it.
pub(super) fn name_of(field: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || c == '_';
    if field.chars().all(is_plain) { field.to_owned() } else { format!("'{field}'") }
}

/// Returns true for a text that can be the name of a field.
fn is_name(text: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '{' | '}' | '(' | ')');
    text.starts_with(char::is_alphabetic) && text.chars().all(is_part)
}

/// Finds a comparison of two literals, the left one of which is meant as a field.
pub(super) fn compared(part: &Evaluated<'_>, found: &mut Vec<Doubt>) {
    let expr = part.expression;
    let EvalNode::Binary(BinaryOp::Compare(op), left, right) = &expr.node else { return };
    let is_literal = matches!(right.node, EvalNode::Text(_) | EvalNode::Number(_));
    if let EvalNode::Text(name) = &left.node
        && is_literal
        && is_name(name)
    {
        let message = format!("`\"{name}\"` is a text here, so this compares two texts");
        let help = format!("write `'{name}'` to mean the field");
        // Two texts can be in order, as `"count">10` is.
        let is_equal = left.node == right.node;
        let never = *op == CompareOp::Eq && !is_equal;
        let weight = if never { Weight::NeverMet } else { Weight::Doubtful };
        found.push(Doubt::new(weight, Code::NEVER_MET, message, expr.span).help(help));
    }
}

/// Finds a comparison with null, which is null itself.
pub(super) fn null(part: &Evaluated<'_>, found: &mut Vec<Doubt>) {
    let expr = part.expression;
    let EvalNode::Binary(BinaryOp::Compare(op), left, right) = &expr.node else { return };
    let is_null = match &right.node {
        EvalNode::Field(name) => name.eq_ignore_ascii_case("null"),
        EvalNode::Call { name, arguments } => name.value == "null" && arguments.is_empty(),
        _ => false,
    };
    if let (EvalNode::Field(field), true) = (&left.node, is_null) {
        let function = if *op == CompareOp::Ne { "isnotnull" } else { "isnull" };
        let help = format!("write `{function}({})`", name_of(field));
        let message = "a comparison with null is never true";
        found.push(Doubt::new(Weight::NeverMet, Code::NEVER_MET, message, expr.span).help(help));
    }
}

/// Finds a word that is meant as a text.
pub(super) fn bare_word(part: &Evaluated<'_>, found: &mut Vec<Doubt>) {
    let expr = part.expression;
    let EvalNode::Binary(BinaryOp::Compare(CompareOp::Eq), left, right) = &expr.node else {
        return;
    };
    let (EvalNode::Field(field), EvalNode::Field(word)) = (&left.node, &right.node) else { return };
    // Names in CamelCase are those of values; fields of CloudTrail begin with a small letter.
    let is_written_bare = right.span.end - right.span.start == word.len();
    let is_made = |command: &Command| command.arguments.value.contains(word.as_str());
    // Logs of Windows have fields in CamelCase.
    if field.starts_with(char::is_uppercase) || part.before.iter().any(is_made) {
        return;
    }
    if is_written_bare && word.starts_with(char::is_uppercase) && word.contains(char::is_lowercase)
    {
        let message = format!("`{word}` without quotes is a field");
        let help = format!("write `\"{word}\"` to mean the text");
        found.push(Doubt::new(Weight::IfNothing, Code::NEVER_MET, message, right.span).help(help));
    }
}
