//! Finds fields that a command reads and that no command before it can have made.

use spilltrail_diagnostic::{Code, Diagnostic, Span, similar};
use spilltrail_event::fields::{RAW, TIME};
use spilltrail_spl::{Command as Written, Doubt, EvalNode, Pipeline, Required, Weight};

use super::Analysis;
use crate::commands::CommandKind;
use crate::commands::pipeline::{self, Step};
use crate::planning::facts::Facts;
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

/// Commands that make nothing, or other values, without the fields that they read.
const MAKE_FROM_FIELDS: &[&str] = &[
    "bin",
    "chart",
    "cofilter",
    "gauge",
    "geostats",
    "join",
    "localize",
    "makemv",
    "mvexpand",
    "rare",
    "rex",
    "sichart",
    "sirare",
    "sitimechart",
    "sitop",
    "spath",
    "streamstats",
    "timechart",
    "top",
    "transaction",
];

/// Commands that fill in texts before they run what is inside them.
const FILLED_IN: &[&str] = &["foreach", "map"];

/// Functions of eval that ask whether there is a value.
const ASK_FOR_VALUES: &[&str] = &["coalesce", "isnotnull", "isnull"];

/// Names that are written for a value, and not for a field.
pub(super) const CONSTANTS: &[&str] = &["null", "true", "false"];

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
    /// Whether it is the subsearch of the command that should produce it.
    is_inside: bool,
}

impl Unproduced {
    /// Returns the warning, with its place in the expanded text.
    pub(super) fn doubt(&self) -> Doubt {
        let Self { field, command, similar, dropped_by, span, weight, is_inside } = self;
        let message = if *is_inside {
            format!("the subsearch of `{command}` does not return the field `{field}`")
        } else {
            format!("no command before `{command}` produces the field `{field}`")
        };
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
    /// similar name: searches often list more fields than there are. Pipelines inside commands are
    /// followed, too.
    #[must_use]
    pub fn unproduced(&self) -> Vec<Unproduced> {
        let mut found = Vec::new();
        follow(&self.pipeline, &mut found);
        found
    }
}

/// What is known of the fields of rows.
#[derive(Debug, Clone, Default)]
struct Rows {
    /// The fields, if they are known.
    known: Option<Vec<String>>,
    /// Whether the known fields are all that there are: `fields` leaves internal ones, too.
    without_internal: bool,
    /// The command that left only these.
    closed_by: &'static str,
}

impl Rows {
    fn lacks(&self, name: &String) -> bool {
        let is_internal = name.starts_with('_');
        (!is_internal || self.without_internal)
            && !name.contains('*')
            && self.known.as_ref().is_some_and(|known| !known.contains(name))
    }
}

/// Adds what the commands of a pipeline, and of those inside it, read and nothing produces. Returns what
/// is known of its rows.
fn follow(commands: &Pipeline, found: &mut Vec<Unproduced>) -> Rows {
    let (steps, _) = pipeline::read_all(commands);
    let mut rows = Rows::default();
    for (place, step) in steps.iter().enumerate() {
        // A command that cannot be read may produce anything.
        if step.index != place {
            return Rows::default();
        }
        let Some(written) = commands.commands.get(step.index) else { return Rows::default() };
        let mut facts = Facts::default();
        step.command.facts(&mut facts);
        // What is filled in for each row or field is not there yet, and has no place of its own.
        let nested =
            if FILLED_IN.contains(&step.entry.doc.name) { Vec::new() } else { facts.take_nested() };
        let mut inside = Vec::new();
        let inner: Vec<Rows> =
            nested.iter().map(|nested| follow(&nested.pipeline, &mut inside)).collect();
        // The search may find something without what it has inside.
        inside.iter_mut().for_each(|one| one.weight = one.weight.min(Weight::Doubtful));
        found.extend(inside);
        if let ("join", [inner]) = (step.entry.doc.name, inner.as_slice()) {
            found.extend(unpaired(step, inner, written));
        }
        if rows.known.is_some() {
            found.extend(absent(step, &rows, written));
        }
        let before = rows.known.clone();
        rows.known = step.command.output(rows.known);
        if let (Some(before), Some(after)) = (&before, &rows.known) {
            found.extend(computed(step, before, after, rows.closed_by));
        }
        let keeps = |known: &Vec<String>| {
            before.as_ref().is_some_and(|before| before.iter().all(|name| known.contains(name)))
        };
        if rows.known.as_ref().is_some_and(|known| !keeps(known)) {
            rows.closed_by = step.entry.doc.name;
        }
        rows.without_internal = match (&rows.known, step.entry.doc.name) {
            (None, _) => false,
            (Some(_), "fields") => rows.without_internal,
            (Some(_), _) => {
                let is_table = step.entry.doc.kind == CommandKind::Transforming;
                is_table || before.is_none() || rows.without_internal
            }
        };
    }
    rows
}

/// Returns the keys of a `join` that its subsearch does not return.
fn unpaired(step: &Step, inner: &Rows, written: &Written) -> Vec<Unproduced> {
    let options = written.arguments.value.split('[').next().unwrap_or_default();
    // With aliases, the sides have keys of other names.
    if options.contains("left") {
        return Vec::new();
    }
    let keys = fields_read(step).into_iter().filter(|name| inner.lacks(name));
    let keys = keys.map(|field| Unproduced {
        span: place(&field, written),
        command: "join",
        similar: similar(&field, inner.known.iter().flatten().map(String::as_str))
            .map(str::to_owned),
        field,
        dropped_by: inner.closed_by,
        weight: Weight::Advice,
        is_inside: true,
    });
    keys.collect()
}

/// Returns the place of a field in a command; that of its arguments if they do not have it.
pub(super) fn place(field: &str, command: &Written) -> Span {
    let (text, start) = (&command.arguments.value, command.arguments.span.start);
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
    let found = text.match_indices(field).find(|(at, _)| {
        let before = text.get(..*at).and_then(|before| before.chars().next_back());
        let after = text.get(at + field.len()..).and_then(|after| after.chars().next());
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    });
    found.map_or(command.arguments.span, |(at, _)| Span::new(start + at, start + at + field.len()))
}

fn absent(step: &Step, rows: &Rows, written: &Written) -> Vec<Unproduced> {
    let known = rows.known.as_deref().unwrap_or_default();
    let command = step.entry.doc.name;
    let unproduced = |field: String, similar: Option<String>, weight: Weight| Unproduced {
        span: place(&field, written),
        command,
        field,
        similar,
        dropped_by: rows.closed_by,
        weight,
        is_inside: false,
    };
    // Words in `search` are looked for in `_raw`; that rows without it have none is no mistake of theirs.
    let is_word = |name: &str| command == "search" && name == RAW;
    let is_absent = |name: &String| rows.lacks(name) && !is_word(name);
    let alike = |field: &str| {
        // A field that is listed as well is not the one that was meant.
        let others = known.iter().filter(|name| !step.command.listed().contains(name));
        similar(field, others.map(String::as_str)).map(str::to_owned)
    };
    let listed = step.command.listed().iter();
    let listed = listed.filter(|name| is_absent(name) && !name.starts_with('_'));
    let misspelled = listed
        .filter_map(|field| Some(unproduced(field.clone(), Some(alike(field)?), Weight::Doubtful)));
    let mut read = match command {
        _ if CHOOSE_ROWS.contains(&command) => fields_read(step),
        _ if MAKE_FROM_FIELDS.contains(&command) => fields_read(step),
        _ => Vec::new(),
    };
    // A statistic of a time is nothing without it.
    if matches!(command, "stats" | "eventstats" | "streamstats")
        && step.command.needs(Needs::everything()).fields.names.contains(TIME)
        && !read.iter().any(|name| name == TIME)
    {
        read.push(TIME.to_owned());
    }
    // A group or a row without its field is dropped; a condition may hold without one.
    let required = Required::of(written).fields;
    let grouping = step.command.grouping().unwrap_or_default();
    let weight = |field: &String| match command {
        _ if !CHOOSE_ROWS.contains(&command) => Weight::Advice,
        "stats" | "dedup" if grouping.contains(field) || command == "dedup" => Weight::NeverMet,
        "stats" => Weight::Advice,
        _ if required.iter().any(|required| required.name == *field) => Weight::NeverMet,
        // Rows that have lost their time are still in its order.
        "sort" if field.starts_with('_') => Weight::Advice,
        _ => Weight::Doubtful,
    };
    let read = read.into_iter().filter(is_absent).map(|field| {
        let similar = nearest(&field, known).or_else(|| alike(&field));
        let weight = weight(&field);
        unproduced(field, similar, weight)
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
                        is_inside: false,
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
            // Internal fields are fields.
            ("* | stats count by user | where _time>5", "_time of where"),
            ("* | stats count by user | search _time>5", "_time of search"),
            ("* | stats count by user | regex _raw=\"x\"", "_raw of regex"),
            ("* | stats count by user | rex \"(?<u>.)\" | stats count by u", "_raw of rex"),
            ("* | stats count by user | spath path=a output=b", "_raw of spath"),
            ("* | stats count by user | timechart sum(count)", "_time of timechart"),
            ("* | stats count by user | bin _time span=1h", "_time of bin"),
            ("* | stats count by user | transaction user", "_time of transaction"),
            ("* | table user | stats min(_time) as t by user", "_time of stats"),
            (
                "* | stats count by user | streamstats time_window=1h sum(count)",
                "_time of streamstats",
            ),
            ("* | fields user | stats min(_time) as t by user | where _time>t", "_time of where"),
            ("* | stats count by user | search word", ""),
            ("* | fields user | where _time>5 AND like(_raw, \"x\")", ""),
            ("* | table _time user | bin _time span=1h | stats count by _time user", ""),
            ("* | timechart count | where _time>5", ""),
            ("* | bin _time | stats count by _time | timechart sum(count)", ""),
            // Subsearches.
            ("* | append [search * | stats count by user | where src=1]", "src of where"),
            ("* [search * | stats count by user | dedup src]", "src of dedup"),
            ("* | join user [search * | table src]", "user of join"),
            ("* | stats count by src | join user [search * | table user]", "user of join"),
            ("* | join user [search * | table user src]", ""),
            ("* | join user [search * | fields - src]", ""),
            ("* | join left=L right=R where L.a=R.b [search * | table b]", ""),
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
