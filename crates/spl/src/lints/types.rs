//! Comparisons of a number with a text that is none.

use std::collections::BTreeMap;

use spilltrail_diagnostic::Code;

use super::{Doubt, Weight};
use crate::{
    AggregateArgument, Arguments, BinaryOp, Command, CompareOp, EvalExpr, EvalNode, Pipeline,
    SearchExpr, UnaryOp,
};

/// Functions of eval whose results are numbers.
const NUMBERS: &[&str] = &[
    "abs",
    "ceil",
    "ceiling",
    "floor",
    "len",
    "mvcount",
    "now",
    "pi",
    "pow",
    "random",
    "relative_time",
    "round",
    "sqrt",
    "strptime",
    "time",
    "tonumber",
];

/// Statistics that are numbers.
const COUNTS: &[&str] =
    &["avg", "c", "count", "dc", "distinct_count", "mean", "stdev", "sum", "var"];

/// What values are.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Is {
    Number,
    /// A text that is no number, with what made it.
    Text(String),
}

/// Finds comparisons of a number with a text that is none.
pub(super) fn compared(pipeline: &Pipeline, found: &mut Vec<Doubt>) {
    let mut fields: BTreeMap<String, Is> = BTreeMap::new();
    for command in &pipeline.commands {
        let mut arguments = Arguments::new(command);
        match command.name.value.as_str() {
            "where" => {
                if let Ok(condition) = arguments.eval() {
                    of_condition(&condition, &fields, found);
                }
            }
            "search" => {
                if let Ok(expression) = arguments.search() {
                    of_search(&expression, &fields, found);
                }
            }
            "eval" => {
                for assigned in arguments.assignments().unwrap_or_default() {
                    of_condition(&assigned.value, &fields, found);
                    let is = kind(&assigned.value, &fields);
                    fields.remove(&assigned.target.value);
                    if let Some(is) = is {
                        fields.insert(assigned.target.value, is);
                    }
                }
            }
            "convert" => of_convert(command, &mut fields),
            "stats" | "eventstats" | "streamstats" => of_stats(command, &mut fields),
            "sort" | "head" | "tail" | "fields" | "table" | "dedup" | "regex" | "reverse" => {}
            _ => fields.clear(),
        }
    }
}

fn of_stats(command: &Command, fields: &mut BTreeMap<String, Is>) {
    let mut arguments = Arguments::new(command);
    while arguments.any_option().is_some() {}
    let stats = arguments.stats();
    if command.name.value == "stats" || stats.is_err() {
        fields.clear();
    }
    for aggregate in stats.unwrap_or_default().aggregates {
        let is_pattern = matches!(&aggregate.argument, Some(AggregateArgument::Field(field)) if field.value.contains('*'));
        fields.remove(&aggregate.output.value);
        if COUNTS.contains(&aggregate.function.value.as_str()) && !is_pattern {
            fields.insert(aggregate.output.value, Is::Number);
        }
    }
}

/// `convert ctime(x)` makes a date of a number.
fn of_convert(command: &Command, fields: &mut BTreeMap<String, Is>) {
    let text = command.arguments.value.as_str();
    let Some(at) = text.to_ascii_lowercase().find("ctime(") else {
        fields.clear();
        return;
    };
    let rest = text.get(at + "ctime(".len()..).unwrap_or_default();
    let Some((name, after)) = rest.split_once(')') else { return };
    let is_kept = after.trim_start().get(..3).is_some_and(|word| word.eq_ignore_ascii_case("as "));
    let name = name.trim();
    if !is_kept && !name.contains('*') && text.matches('(').count() == 1 {
        fields.insert(name.to_owned(), Is::Text("`convert ctime` made a date of it".to_owned()));
    }
}

fn of_condition(condition: &EvalExpr, fields: &BTreeMap<String, Is>, found: &mut Vec<Doubt>) {
    condition.walk(&mut |part| {
        let EvalNode::Binary(BinaryOp::Compare(op), left, right) = &part.node else { return };
        // A literal on the left is most likely meant as a field.
        if matches!(left.node, EvalNode::Text(_)) {
            return;
        }
        let (one, other) = (kind(left, fields), kind(right, fields));
        let ((Some(Is::Number), Some(Is::Text(why))) | (Some(Is::Text(why)), Some(Is::Number))) =
            (one, other)
        else {
            return;
        };
        // A placeholder such as `"N/A"` is compared on purpose.
        if matches!(op, CompareOp::Eq | CompareOp::Ne) && !why.starts_with("`convert") {
            return;
        }
        let message = format!("this compares a number with a text: {why}");
        let doubt = Doubt::new(Weight::Advice, Code::TEXT_AND_NUMBER, message, part.span);
        found.push(doubt.help("compare numbers, and make texts of them afterwards"));
    });
}

fn of_search(expression: &SearchExpr, fields: &BTreeMap<String, Is>, found: &mut Vec<Doubt>) {
    expression.walk(&mut |part| {
        let SearchExpr::Compare { field, op, value } = part else { return };
        let text = &value.value.text;
        let is_order = !matches!(op, CompareOp::Eq | CompareOp::Ne);
        let is_number = is_number(text);
        match fields.get(&field.value) {
            Some(Is::Number) if is_order && !is_number => {
                let message = format!("`{}` is a number, and `{text}` is none", field.value);
                let doubt = Doubt::new(Weight::Advice, Code::TEXT_AND_NUMBER, message, value.span);
                found.push(doubt.help("compare with a number; for another field, use `where`"));
            }
            Some(Is::Text(why)) if is_order && is_number => {
                let message = format!("`{}` is a text here: {why}", field.value);
                let doubt = Doubt::new(Weight::Advice, Code::TEXT_AND_NUMBER, message, field.span);
                found.push(doubt.help("compare numbers, and make texts of them afterwards"));
            }
            _ => {}
        }
    });
}

/// Returns true for the text of a number. Words such as `nan` and `inf` are numbers to Rust only.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') && text.parse::<f64>().is_ok()
}

/// Returns what the values of an expression are, if that is certain.
fn kind(expression: &EvalExpr, fields: &BTreeMap<String, Is>) -> Option<Is> {
    match &expression.node {
        EvalNode::Number(_) => Some(Is::Number),
        EvalNode::Text(text) => {
            let is_number = is_number(text.trim());
            (!is_number).then(|| Is::Text(format!("`\"{text}\"` is no number")))
        }
        EvalNode::Field(name) => fields.get(name).cloned(),
        EvalNode::Unary(UnaryOp::Minus | UnaryOp::Plus, inner) => kind(inner, fields),
        EvalNode::Binary(
            BinaryOp::Subtract | BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::Modulo,
            ..,
        ) => Some(Is::Number),
        EvalNode::Call { name, .. } if NUMBERS.contains(&name.value.as_str()) => Some(Is::Number),
        EvalNode::Call { name, arguments } if name.value == "tostring" => {
            let form = arguments.get(1).map(|form| &form.node);
            matches!(form, Some(EvalNode::Text(_)))
                .then(|| Is::Text("`tostring` with a format makes a text for people".to_owned()))
        }
        _ => None,
    }
}
