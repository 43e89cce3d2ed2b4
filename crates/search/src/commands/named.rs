//! The fields that commands name: which ones, where they are, and which commands depend on them.

use spilltrail_diagnostic::{Span, Spanned};
use spilltrail_event::fields::RAW;
use spilltrail_spl::{Command as Written, EvalExpr, EvalNode};

use super::pipeline::Step;
use crate::planning::eval::field_names;

/// Commands that add the rows or fields of another pipeline.
const ADD_ROWS: &[&str] =
    &["append", "appendcols", "appendpipe", "join", "multisearch", "set", "union"];

/// Returns true for a command that adds the rows or fields of another pipeline.
pub(crate) fn adds(command: &str) -> bool {
    ADD_ROWS.contains(&command)
}

/// Most names in a list that a message shows.
const MOST_NAMES: usize = 10;

/// Returns a list of names for a message, and the number of those that it leaves out.
pub(crate) fn some_of(names: &[String]) -> String {
    let shown = names.iter().take(MOST_NAMES).map(|name| format!("`{name}`"));
    let shown = shown.collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MOST_NAMES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Commands of which the rows, or their order, depend on the fields that they read.
pub(crate) const CHOOSE_ROWS: &[&str] = &[
    "where",
    "search",
    "regex",
    "dedup",
    "sort",
    "selfjoin",
    "kmeans",
    "concurrency",
    "diff",
    "head",
];

/// Functions of eval that ask whether there is a value.
const ASK_FOR_VALUES: &[&str] = &["coalesce", "isnotnull", "isnull"];

/// Returns the place of a field in a command; that of its arguments if they do not have it.
pub(crate) fn place(field: &str, command: &Written) -> Span {
    let (text, start) = (&command.arguments.value, command.arguments.span.start);
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
    let found = text.match_indices(field).find(|(at, _)| {
        let before = text.get(..*at).and_then(|before| before.chars().next_back());
        let after = text.get(at + field.len()..).and_then(|after| after.chars().next());
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    });
    found.map_or(command.arguments.span, |(at, _)| Span::new(start + at, start + at + field.len()))
}

/// Names that are written for a value, and not for a field.
pub(crate) const CONSTANTS: &[&str] = &["null", "true", "false"];

/// The fields that a command names.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// Those that it reads.
    pub(crate) read: Vec<Spanned<String>>,
    /// Those that it only lists, or of which it asks whether they have a value.
    pub(crate) optional: Vec<String>,
}

impl Names {
    /// Returns the fields that a command names, with their places.
    pub(crate) fn of(step: &Step, written: &Written) -> Self {
        let command = &step.command;
        let listed = command.listed();
        let mut optional: Vec<String> = listed.iter().map(|name| (*name).to_owned()).collect();
        let parts = command.parts();
        for expression in parts.values.iter().chain(&parts.operands) {
            add_asked(expression, &mut optional, ASK_FOR_VALUES);
        }
        // A row is kept only with the value of `where isnotnull(a)`.
        for expression in &parts.conditions {
            add_asked(expression, &mut optional, &["coalesce", "isnull"]);
        }
        let name = step.entry.doc.name;
        let mut read = match name {
            "eval" => computed(&parts.values, &command.output(Some(Vec::new()))),
            _ if !listed.is_empty() => Vec::new(),
            _ => {
                let named = |field: String| Spanned { span: place(&field, written), value: field };
                command.reads().into_iter().map(named).collect()
            }
        };
        // Words in `search` are looked for in `_raw`; that rows without it have none is no mistake of
        // theirs.
        let is_word = |field: &str| name == "search" && field == RAW;
        let is_constant = |field: &str| CONSTANTS.iter().any(|one| field.eq_ignore_ascii_case(one));
        read.retain(|Spanned { value: field, .. }| {
            !is_word(field) && !is_constant(field) && !optional.contains(field)
        });
        Self { read, optional }
    }
}

/// Adds the fields of which an expression asks by one of these functions whether they have a value.
fn add_asked(expression: &EvalExpr, names: &mut Vec<String>, functions: &[&str]) {
    expression.walk(&mut |part| {
        if let EvalNode::Call { name, arguments } = &part.node
            && functions.contains(&name.value.as_str())
        {
            names.extend(arguments.iter().flat_map(field_names));
        }
    });
}

/// Returns the fields that assignments read, each once, but not those that `assigned` fields before them
/// make.
fn computed(values: &[&EvalExpr], assigned: &Option<Vec<String>>) -> Vec<Spanned<String>> {
    let mut found: Vec<Spanned<String>> = Vec::new();
    for (place, value) in values.iter().enumerate() {
        let made = assigned.as_ref().and_then(|names| names.get(..place)).unwrap_or_default();
        value.walk(&mut |part| {
            if let EvalNode::Field(field) = &part.node
                && !made.contains(field)
                && !found.iter().any(|told| told.value == *field)
            {
                found.push(Spanned { value: field.clone(), span: part.span });
            }
        });
    }
    found
}
