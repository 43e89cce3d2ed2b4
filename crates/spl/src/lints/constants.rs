//! Comparisons in `eval` and `where` whose result does not depend on what they seem to compare.

use spilltrail_diagnostic::Code;

use super::values::is_member;
use super::{Doubt, Evaluated, Weight};
use crate::{BinaryOp, Command, CompareOp, EvalExpr, EvalNode};

/// Returns a field as an eval expression writes it.
pub(super) fn name_of(field: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || c == '_';
    if field.chars().all(is_plain) { field.to_owned() } else { format!("'{field}'") }
}

/// A comparison of a field with values of which one has to be equal, or none.
#[derive(Debug, Clone, Copy)]
pub struct Equality<'a> {
    /// The field.
    pub field: &'a str,
    /// The values.
    pub values: &'a [EvalExpr],
    /// Whether none has to be equal.
    pub is_negated: bool,
}

/// Returns the comparison of a field by `=`, `!=` or `IN`.
#[must_use]
pub fn equality(expr: &EvalExpr) -> Option<Equality<'_>> {
    let (field, values, is_negated) = match &expr.node {
        EvalNode::Binary(BinaryOp::Compare(op @ (CompareOp::Eq | CompareOp::Ne)), left, right) => {
            (left, std::slice::from_ref(right.as_ref()), *op == CompareOp::Ne)
        }
        EvalNode::In(field, values) => (field, values.as_slice(), false),
        _ => return None,
    };
    match &field.node {
        EvalNode::Field(field) => Some(Equality { field, values, is_negated }),
        _ => None,
    }
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
    let is_meant = |name: &str| match right.node {
        EvalNode::Text(_) => is_name(name),
        // Nobody compares a sentence with a number.
        EvalNode::Number(_) => is_name(&name.replace(' ', "")),
        _ => false,
    };
    if let EvalNode::Text(name) = &left.node
        && is_meant(name)
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
    let Some(Equality { field, values, .. }) = equality(part.expression) else { return };
    // Logs of Windows have fields in CamelCase.
    if field.starts_with(char::is_uppercase) {
        return;
    }
    for value in values {
        let word = match &value.node {
            // Names in CamelCase are those of values; fields of CloudTrail begin with a small letter.
            EvalNode::Field(word)
                if word.starts_with(char::is_uppercase) && word.contains(char::is_lowercase) =>
            {
                word.clone()
            }
            // A difference is no text, so a field of texts is hardly compared with one.
            EvalNode::Binary(BinaryOp::Subtract, ..) if is_member(field) => match joined(value) {
                Some(word) => word,
                None => continue,
            },
            _ => continue,
        };
        let is_written_bare = value.span.end - value.span.start == word.len();
        let names = || word.split('-').filter(|name| name.starts_with(char::is_alphabetic));
        let is_made =
            |command: &Command| names().any(|name| command.arguments.value.contains(name));
        if is_written_bare && !part.before.iter().any(is_made) {
            let what = if word.contains('-') { "a difference of fields" } else { "a field" };
            let message = format!("`{word}` without quotes is {what}");
            let help = format!("write `\"{word}\"` to mean the text");
            let doubt = Doubt::new(Weight::IfNothing, Code::NEVER_MET, message, value.span);
            found.push(doubt.help(help));
        }
    }
}

/// Returns the text of a difference of names and numbers, such as `eu-central-1`, as it is without
/// blanks.
fn joined(expr: &EvalExpr) -> Option<String> {
    match &expr.node {
        EvalNode::Binary(BinaryOp::Subtract, left, right) => {
            Some(format!("{}-{}", joined(left)?, joined(right)?))
        }
        EvalNode::Field(name) => Some(name.clone()),
        EvalNode::Number(number) => Some(number.clone()),
        _ => None,
    }
}
