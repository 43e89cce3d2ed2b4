//! Finds fields that a command reads and that no command before it can have made.

use spilltrail_diagnostic::{Code, Diagnostic, Span, similar};
use spilltrail_spl::{Command as Written, Doubt, EvalNode, Required, Weight};

use super::Analysis;
use crate::commands::pipeline::{self, Step};
use crate::planning::plan::Needs;

/// Commands of which the rows, or their order, depend on the fields that they read.
const CHOOSE_ROWS: &[&str] = &[
    "where",
    "search",
    "regex",
    "dedup",
    "stats",
    "sort",
    "selfjoin",
    "kmeans",
    "concurrency",
    "diff",
];

/// Functions of eval that ask whether there is a value.
const ASK_FOR_VALUES: &[&str] = &["coalesce", "isnotnull", "isnull"];

/// Names that are written for a value, and not for a field.
const CONSTANTS: &[&str] = &["null", "true", "false"];

/// A field that a command reads and that its rows cannot have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unproduced {
    /// The field, as the search writes it.
    pub field: String,
    /// The name of the command that reads it.
    pub command: &'static str,
    /// The most similar name of a field that the rows have.
    pub similar: Option<String>,
    /// The name of the command that leaves only other fields.
    pub dropped_by: &'static str,
    /// The field in the expanded text.
    span: Span,
    /// What follows for the rows of the command.
    weight: Weight,
}

impl Unproduced {
    /// Returns the warning, with its place in the expanded text.
    pub(super) fn doubt(&self) -> Doubt {
        let Self { field, command, similar, dropped_by, span, weight } = self;
        let message = format!("no command before `{command}` produces the field `{field}`");
        let help = match similar {
            Some(similar) => format!("did you mean `{similar}`?"),
            None => format!("let `{dropped_by}` keep `{field}`, or read it before"),
        };
        let label = format!("`{dropped_by}` leaves only other fields");
        let diagnostic =
            Diagnostic::warning(Code::LOST_FIELD, message).label(*span, label).help(help);
        Doubt { diagnostic, weight: *weight }
    }
}

impl Analysis {
    /// Returns the fields that commands read to choose or sort rows, and that the commands before
    /// them do not produce, as `count` in `stats count as n | where count > 3`. Such a command may
    /// drop every row, or leave the rows in any order.
    ///
    /// Fields that a command only lists, as `table` does, are returned if the rows have one of a
    /// similar name: searches often list more fields than there are.
    #[must_use]
    pub fn unproduced(&self) -> Vec<Unproduced> {
        let (steps, _) = pipeline::read_all(&self.pipeline);
        let mut found = Vec::new();
        // The fields of the rows, while they are known, and the command that left only these.
        let mut known: Option<Vec<String>> = None;
        let mut closed_by = "";
        for (place, step) in steps.iter().enumerate() {
            // A command that cannot be read may produce anything.
            if step.index != place {
                break;
            }
            let written = self.pipeline.commands.get(step.index);
            if let (Some(known), Some(written)) = (&known, written) {
                found.extend(absent(step, known, closed_by, written));
            }
            let before = known.clone();
            known = step.command.output(known);
            if let (Some(before), Some(after)) = (&before, &known) {
                found.extend(computed(step, before, after, closed_by));
            }
            let keeps = |known: &Vec<String>| {
                before.as_ref().is_some_and(|before| before.iter().all(|name| known.contains(name)))
            };
            if known.as_ref().is_some_and(|known| !keeps(known)) {
                closed_by = step.entry.doc.name;
            }
        }
        found
    }
}

/// Returns the place of a field in a command.
fn place(field: &str, command: &Written) -> Span {
    let (text, start) = (&command.arguments.value, command.arguments.span.start);
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
    let found = text.match_indices(field).find(|(at, _)| {
        let before = text.get(..*at).and_then(|before| before.chars().next_back());
        let after = text.get(at + field.len()..).and_then(|after| after.chars().next());
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    });
    found.map_or(command.arguments.span, |(at, _)| Span::new(start + at, start + at + field.len()))
}

fn absent(
    step: &Step,
    known: &[String],
    dropped_by: &'static str,
    written: &Written,
) -> Vec<Unproduced> {
    let unproduced = |field: String, similar: Option<String>, is_required: bool| Unproduced {
        span: place(&field, written),
        command: step.entry.doc.name,
        field,
        similar,
        dropped_by,
        weight: if is_required { Weight::NeverMet } else { Weight::Doubtful },
    };
    let command = step.entry.doc.name;
    let is_absent =
        |name: &String| !name.starts_with('_') && !name.contains('*') && !known.contains(name);
    let alike = |field: &str| {
        // A field that is listed as well is not the one that was meant.
        let others = known.iter().filter(|name| !step.command.listed().contains(name));
        similar(field, others.map(String::as_str)).map(str::to_owned)
    };
    let listed = step.command.listed().iter().filter(|name| is_absent(name));
    let misspelled =
        listed.filter_map(|field| Some(unproduced(field.clone(), Some(alike(field)?), false)));
    let read = if CHOOSE_ROWS.contains(&command) { fields_read(step) } else { Vec::new() };
    // A group or a row without its field is dropped; a condition may hold without one.
    let required = Required::of(written).fields;
    let is_required = |field: &String| match command {
        "stats" | "dedup" => true,
        _ => required.iter().any(|required| required.name == *field),
    };
    let read = read.into_iter().filter(is_absent).map(|field| {
        let similar = nearest(&field, known).or_else(|| alike(&field));
        let is_required = is_required(&field);
        unproduced(field, similar, is_required)
    });
    misspelled.chain(read).collect()
}

fn fields_read(step: &Step) -> Vec<String> {
    step.command.grouping().unwrap_or_else(|| {
        let nothing = Needs::only(std::iter::empty::<String>());
        step.command.needs(nothing).fields.names.into_iter().collect()
    })
}

/// Returns the fields that a command computes values with and that its rows cannot have; the values
/// are then null. Functions that ask whether there is a value are asked on purpose.
fn computed(
    step: &Step,
    before: &[String],
    after: &[String],
    dropped_by: &'static str,
) -> Vec<Unproduced> {
    if step.entry.doc.name != "eval" {
        return Vec::new();
    }
    let mut found: Vec<Unproduced> = Vec::new();
    let mut waiting = step.command.parts().values;
    waiting.reverse();
    while let Some(part) = waiting.pop() {
        match &part.node {
            EvalNode::Call { name, .. } if ASK_FOR_VALUES.contains(&name.value.as_str()) => {}
            EvalNode::Field(field) => {
                let is_known = |names: &[String]| names.contains(field);
                let is_told = found.iter().any(|told| told.field == *field);
                let is_constant = CONSTANTS.iter().any(|name| field.eq_ignore_ascii_case(name));
                let is_field = !field.starts_with('_') && !is_constant;
                if is_field && !is_known(before) && !is_known(after) && !is_told {
                    found.push(Unproduced {
                        field: field.clone(),
                        command: step.entry.doc.name,
                        similar: similar(field, before.iter().map(String::as_str))
                            .map(str::to_owned),
                        dropped_by,
                        span: part.span,
                        weight: Weight::Advice,
                    });
                }
            }
            _ => waiting.extend(part.children().into_iter().rev()),
        }
    }
    found
}

/// Returns the only field that there is if `count` is read: it has another name then.
fn nearest(field: &str, known: &[String]) -> Option<String> {
    match known {
        [only] if field == "count" && only != field => Some(only.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_spl::MacroSet;

    use crate::analysis::analyze;

    #[test]
    fn the_warning_names_the_command_that_drops_the_field() {
        let search =
            "* | stats count by src, user | fields src | eval a=1 | where a=1 AND user=\"u\"";
        let doubts = analyze(search, &MacroSet::builtin()).doubts();
        let [doubt] = doubts.as_slice() else { panic!("{doubts:?}") };
        let span = doubt.diagnostic.span().unwrap();
        assert_eq!((span.start, &search[span.start..span.end]), (search.len() - 8, "user"));
        assert_eq!(doubt.diagnostic.labels[0].text, "`fields` leaves only other fields");
        let help = doubt.diagnostic.help.as_deref();
        assert_eq!(help, Some("let `fields` keep `user`, or read it before"));
    }

    #[test]
    fn what_no_command_before_produces() {
        for (search, expected) in [
            ("* | stats count as n | where count>3", "count of where (n)"),
            ("* | stats count by user | where cuont>3", "cuont of where (count)"),
            ("* | stats count as n by user | search usr=a", "usr of search (user)"),
            ("* | stats count as n by user | stats sum(n) by src", "src of stats"),
            ("* | table alpha, beta | dedup gamma", "gamma of dedup"),
            ("* | stats count as n by user | sort - count", "count of sort"),
            ("* | stats count by user | sort -cuont", "cuont of sort (count)"),
            ("* | stats count by user | table usr count", "usr of table (user)"),
            ("* | stats count by user | fields - cuont", "cuont of fields (count)"),
            ("* | fields user, src | table usr", "usr of table (user)"),
            (
                "* | stats count min(_time) as t by user | convert ctime(t) | where eventName=\"a\"",
                "eventName of where",
            ),
            ("* | stats count by user | eval n=cuont*2", "cuont of eval (count)"),
            ("* | stats count by user | eval n=lower(src)", "src of eval"),
            // What is known to be there, or not known.
            ("* | stats count by user | eval n=count, m=n, s=coalesce(src, user)", ""),
            ("* | stats count by user | where count>3 AND user=\"a\"", ""),
            ("* | stats count by user | eval x=1 | where x>0", ""),
            ("* | stats count as t by user | convert ctime(t) as u | where u!=t", ""),
            ("* | stats count by user | fillnull value=0 other | where other>0", ""),
            ("* | where count>3", ""),
            ("* | stats count as n | frobnicate | where count>3", ""),
            ("* | stats count as n | rename n as count | where count>3", ""),
            ("* | stats first(*) | where x=1", ""),
            ("* | stats count as n | sort - n", ""),
            ("* | stats count by user | table user users count other", ""),
            ("* | stats count by user | fields - _raw, co*, other", ""),
            ("* | table usr user | lookup l user | sort count", ""),
        ] {
            let found = analyze(search, &MacroSet::builtin()).unproduced();
            let found: Vec<String> = found
                .iter()
                .map(|found| {
                    let similar =
                        found.similar.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
                    format!("{} of {}{similar}", found.field, found.command)
                })
                .collect();
            assert_eq!(found.join(", "), expected, "{search}");
        }
    }
}
