//! Finds fields without which a command keeps no row, and that no event has.

use spilltrail_diagnostic::{Code, Diagnostic, Span};
use spilltrail_search::analysis::{Analysis, Weight};
use spilltrail_spl::{
    Arguments, BinaryOp, Command, CompareOp, Doubt, EvalExpr, EvalNode, SearchExpr, parse_search,
};

use super::{is_fixed, is_same_field};

/// Commands that keep the fields of events, and add only those that they name.
const KEEP_FIELDS: &[&str] = &[
    "bin", "convert", "dedup", "eval", "fillnull", "head", "makemv", "mvexpand", "nomv", "regex",
    "rename", "rex", "search", "sort", "where",
];

/// A field that a command compares.
struct Read {
    field: String,
    span: Span,
    /// Whether it stands where a text is usual, as `b` in `a=b`.
    is_word: bool,
}

/// Returns a warning for each field that is not among `known`, those of the events, and that a
/// command behind the first one needs to keep a row: if a similar one is there, or if a text is
/// meant. A field that events merely lack is no mistake.
pub(super) fn absent(analysis: &Analysis, known: &[String]) -> Vec<Doubt> {
    let commands = analysis.pipeline().commands.as_slice();
    let mut found = Vec::new();
    for (index, command) in commands.iter().enumerate() {
        let name = command.name.value.as_str();
        // Wildcards and values can make any name.
        let makes_any = match name {
            "rename" => command.arguments.value.contains('*'),
            "eval" => command.arguments.value.contains('{'),
            _ => false,
        };
        if !KEEP_FIELDS.contains(&name) || makes_any {
            break;
        }
        let before = commands.get(..index).unwrap_or_default();
        let is_made = |field: &str| {
            before.iter().skip(1).any(|command| command.arguments.value.contains(field))
        };
        for read in needed(command).into_iter().filter(|_| index > 0) {
            let is_there = known.contains(&read.field) || is_made(&read.field);
            if !is_there && let Some(warning) = warning(&read, known) {
                let diagnostic = analysis.expansion.relocate(warning);
                found.push(Doubt { diagnostic, weight: Weight::NeverMet });
            }
        }
    }
    found
}

/// Returns the fields without which the first command matches no event.
pub(super) fn of_leading(analysis: &Analysis) -> Vec<String> {
    let expression = analysis.leading.as_deref().and_then(|text| parse_search(text).ok());
    let mut found = Vec::new();
    expression.iter().for_each(|expression| of_search(expression, &mut found));
    found.into_iter().map(|read| read.field).collect()
}

fn warning(read: &Read, known: &[String]) -> Option<Diagnostic> {
    let Read { field, span, is_word } = read;
    let is_meant = |name: &&String| is_fixed(name) && is_same_field(field, name);
    if let Some(meant) = known.iter().find(is_meant) {
        let message = format!("no event has the field `{field}`");
        let warning = Diagnostic::warning(Code::OTHER_NAME, message).at(*span);
        return Some(warning.help(format!("did you mean `{meant}`?")));
    }
    // Fields of several words have an underscore, a dot, or a capital inside.
    let is_one = field.chars().all(char::is_alphanumeric)
        && (field.starts_with(char::is_uppercase) || field.chars().all(char::is_lowercase));
    (*is_word && is_one).then(|| {
        let message = format!("`{field}` without quotes is a field, and no event has it");
        let warning = Diagnostic::warning(Code::NEVER_MET, message).at(*span);
        warning.help(format!("write `\"{field}\"` to mean the text"))
    })
}

/// Returns the fields without which a command keeps no row.
fn needed(command: &Command) -> Vec<Read> {
    let mut found = Vec::new();
    match command.name.value.as_str() {
        "where" => {
            if let Ok(condition) = Arguments::new(command).eval() {
                of_condition(&condition, &mut found);
            }
        }
        "search" => {
            if let Ok(expression) = Arguments::new(command).search() {
                of_search(&expression, &mut found);
            }
        }
        "regex" => {
            let mut arguments = Arguments::new(command);
            if let Ok(field) = arguments.field()
                && arguments.symbol("=").is_some()
            {
                found.push(Read { field: field.value, span: field.span, is_word: false });
            }
        }
        _ => {}
    }
    found
}

fn of_condition(condition: &EvalExpr, found: &mut Vec<Read>) {
    let mut waiting = vec![condition];
    while let Some(part) = waiting.pop() {
        let (op, left, right) = match &part.node {
            EvalNode::Binary(op, left, right) => (op, left, right),
            EvalNode::In(field, _) => {
                found.extend(field_of(field, false));
                continue;
            }
            _ => continue,
        };
        match op {
            BinaryOp::And => waiting.extend([left.as_ref(), right.as_ref()]),
            BinaryOp::Like => found.extend(field_of(left, false)),
            BinaryOp::Compare(op) => {
                let is_word = *op == CompareOp::Eq && matches!(left.node, EvalNode::Field(_));
                found.extend(field_of(left, false));
                found.extend(field_of(right, is_word));
            }
            _ => {}
        }
    }
}

fn field_of(operand: &EvalExpr, is_word: bool) -> Option<Read> {
    let EvalNode::Field(field) = &operand.node else { return None };
    Some(Read { field: field.clone(), span: operand.span, is_word })
}

fn of_search(expression: &SearchExpr, found: &mut Vec<Read>) {
    let mut waiting = vec![expression];
    while let Some(part) = waiting.pop() {
        match part {
            SearchExpr::And(parts) => waiting.extend(parts),
            SearchExpr::Compare { field, .. } | SearchExpr::In { field, .. } => {
                found.push(Read { field: field.value.clone(), span: field.span, is_word: false });
            }
            _ => {}
        }
    }
}
