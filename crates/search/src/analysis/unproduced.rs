//! Finds fields that a command reads and that no command before it can have made.

use spilltrail_diagnostic::{Code, Diagnostic, Span, Spanned, similar};
use spilltrail_spl::{Command as Written, Doubt, Pipeline, Required, Weight};

use super::Analysis;
use crate::commands::CommandKind;
use crate::commands::named::{CHOOSE_ROWS, Names, adds, place};
use crate::commands::pipeline::{self, Step};
use crate::planning::facts::{Facts, Role};

/// Commands that fill in texts before they run what is inside them.
const FILLED_IN: &[&str] = &["foreach", "map"];

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
    /// Returns the fields that commands read by name, and that the commands before them do not
    /// produce, as `count` in `stats count as n | where count > 3`. Such a command may drop every row,
    /// leave the rows in any order, or make nothing.
    ///
    /// Fields that a command only lists, as `table` does, or of which it asks whether they have a
    /// value, are returned if the rows have one of a similar name: searches often name more fields
    /// than there are. Pipelines inside commands are followed, too.
    #[must_use]
    pub fn unproduced(&self) -> Vec<Unproduced> {
        let mut found = Vec::new();
        follow(&self.pipeline, Rows::default(), &mut found);
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
    /// Whether a pipeline inside a command has added to them.
    are_joined: bool,
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

/// Adds what the commands of a pipeline on `rows`, and of those inside it, read and nothing produces.
/// Returns what is known of its rows.
fn follow(commands: &Pipeline, mut rows: Rows, found: &mut Vec<Unproduced>) -> Rows {
    let (steps, _) = pipeline::read_all(commands);
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
        let inner: Vec<Rows> = nested
            .iter()
            .map(|nested| {
                let given = if nested.role == Role::Piped { rows.clone() } else { Rows::default() };
                follow(&nested.pipeline, given, &mut inside)
            })
            .collect();
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
        let is_added = !nested.is_empty() && adds(step.entry.doc.name);
        rows.are_joined |= is_added;
        let keeps = |known: &Vec<String>| {
            before.as_ref().is_some_and(|before| before.iter().all(|name| known.contains(name)))
        };
        if rows.known.as_ref().is_some_and(|known| !keeps(known)) {
            rows.closed_by = step.entry.doc.name;
        }
        rows.without_internal = match (&rows.known, step.entry.doc.name) {
            (None, _) => false,
            (Some(_), "fields") => rows.without_internal,
            // The rows of a pipeline inside may have internal fields.
            (Some(_), _) if is_added => false,
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
    let keys = step.command.reads().into_iter().filter(|name| inner.lacks(name));
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

fn absent(step: &Step, rows: &Rows, written: &Written) -> Vec<Unproduced> {
    let known = rows.known.as_deref().unwrap_or_default();
    let command = step.entry.doc.name;
    let names = Names::of(step, written);
    let alike = |field: &str| {
        // A field that is listed as well is not the one that was meant.
        let others = known.iter().filter(|name| !names.optional.contains(name));
        similar(field, others.map(String::as_str)).map(str::to_owned)
    };
    let unproduced = |field: &String, span, similar, weight| Unproduced {
        span,
        command,
        field: field.clone(),
        similar,
        dropped_by: rows.closed_by,
        weight,
        is_inside: false,
    };
    let optional = names.optional.iter();
    let optional = optional.filter(|name| rows.lacks(name) && !name.starts_with('_'));
    let misspelled = optional.filter_map(|field| {
        // Every name of one letter is like any other.
        let meant = alike(field).filter(|_| field.chars().count() > 1)?;
        let shows = matches!(command, "fields" | "table") || CHOOSE_ROWS.contains(&command);
        let weight = if shows { Weight::Doubtful } else { Weight::IfNothing };
        Some(unproduced(field, place(field, written), Some(meant), weight))
    });
    // A group or a row without its field is dropped; a condition may hold without one.
    let required = Required::of(written).fields;
    let grouping = step.command.grouping().unwrap_or_default();
    let weight = |field: &String, is_similar: bool| match command {
        "stats" | "dedup" if grouping.contains(field) || command == "dedup" => Weight::NeverMet,
        _ if required.iter().any(|required| required.name == *field) => Weight::NeverMet,
        // Rows that have lost their time are still in its order.
        "sort" if field.starts_with('_') => Weight::Advice,
        _ if CHOOSE_ROWS.contains(&command) && !rows.are_joined => Weight::Doubtful,
        // A slip of the pen may be why nothing is found.
        _ if is_similar => Weight::IfNothing,
        _ => Weight::Advice,
    };
    let read = names.read.iter().filter(|read| rows.lacks(&read.value));
    let read = read.map(|Spanned { value: field, span }| {
        let similar = nearest(field, known).or_else(|| alike(field));
        let weight = weight(field, similar.is_some());
        unproduced(field, *span, similar, weight)
    });
    misspelled.chain(read).collect()
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
            ("* | stats count by user | eval count=cuont+1", "cuont of eval (count)"),
            ("* | stats count by user | eval usr=lower(usr)", "usr of eval (user)"),
            ("* | stats count by user | eval a=1, b=a+c, c=1", "c of eval"),
            ("* | stats count by user | eval t=strftime(_time, \"%F\")", "_time of eval"),
            ("* | stats count as cnt by user | stats sum(cn) by user", "cn of stats (cnt)"),
            (
                "* | stats count by user | stats avg(src) count(eval(dest=1))",
                "dest of stats, src of stats",
            ),
            ("* | stats count by user | eventstats dc(usr)", "usr of eventstats (user)"),
            ("* | table user | streamstats sum(n) by user", "n of streamstats"),
            ("* | table user _time | timechart sum(n) by user", "n of timechart"),
            ("* | table user | top usr", "usr of top (user)"),
            ("* | table user | makemv usr", "usr of makemv (user)"),
            ("* | table user | nomv usr", "usr of nomv (user)"),
            ("* | table user | mvcombine usr", "usr of mvcombine (user)"),
            ("* | table user | mvexpand src", "src of mvexpand"),
            ("* | table user | untable usr name value", "usr of untable (user)"),
            ("* | table user | xyseries user b c", "b of xyseries, c of xyseries"),
            ("* | table user | delta n as m", "n of delta"),
            ("* | table user | accum n", "n of accum"),
            ("* | table user | strcat user \"@\" src id", "src of strcat"),
            ("* | table user | rangemap field=n low=0-1", "n of rangemap"),
            ("* | table user | iplocation src", "src of iplocation"),
            ("* | table user | lookup t usr OUTPUT a", "usr of lookup (user)"),
            ("* | table user | lookup t a AS src OUTPUT b", "src of lookup"),
            ("* | table user | rex field=src \"(?<a>.)\"", "src of rex"),
            ("* | table user | spath input=src", "src of spath"),
            ("* | table user | head (n<3)", "n of head"),
            ("* | table user | foreach mode=multivalue src [eval a=1]", "src of foreach"),
            // What commands only list, or ask for a value.
            ("* | table user | rename usr as u", "usr of rename (user)"),
            ("* | table user | rename src as u, user as v, a* as b*", ""),
            ("* | table user | convert ctime(usr)", "usr of convert (user)"),
            ("* | table user | convert ctime(src) timeformat=\"%F\"", ""),
            ("* | table user | fillnull usr | where usr=0", "usr of fillnull (user)"),
            ("* | table user | filldown usr src", "usr of filldown (user)"),
            ("* | table user | replace a with b in usr, src", "usr of replace (user)"),
            ("* | table user | foreach usr src [eval a=1]", "usr of foreach (user)"),
            ("* | table user | where isnull(src)", ""),
            ("* | table user | where isnotnull(src)", "src of where"),
            ("* | table user | where isnull(usr) OR usr=1", "usr of where (user)"),
            ("* | table user | eval a=if(isnotnull(src), src, user)", ""),
            ("* | table user | eval a=coalesce(usr, user)", ""),
            ("* | table user | eval a=coalesce(usr, src)", "usr of eval (user)"),
            ("* | table user | stats count(eval(isnull(src))) as n", ""),
            // Commands that add fields of known names.
            (
                "* | table user, doc | spath input=doc path=a output=b | where usr=b",
                "usr of where (user)",
            ),
            ("* | table doc | spath input=doc a.b | where 'a.b'=1", ""),
            ("* | table doc | spath input=doc | where b=1", ""),
            ("* | table user | append [search * | table src] | where a=src", "a of where"),
            ("* | table user | append [search *] | where a=1", ""),
            ("* | table user | append [search * | fields a] | where _time=1", ""),
            (
                "* | table user | appendcols [search * | table first] | where first=other",
                "other of where",
            ),
            (
                "* | table user | appendpipe [stats count by usr] | where n=count",
                "usr of stats (user), n of where",
            ),
            (
                "* | table user | join user [search * | table user, first] | where first=other",
                "other of where",
            ),
            (
                "* | table user | addcoltotals labelfield=total | where total=other",
                "other of where",
            ),
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
