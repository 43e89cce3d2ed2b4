//! Whether the value of a field that commands read is that of the events.

use super::Analysis;
use crate::commands;
use crate::commands::pipeline::{self, Step};
use crate::planning::plan::Needs;

/// A name that no field has.
const PROBE: &str = "a field that no command names";

impl Analysis {
    /// Returns the fields that a command of the pipeline adds to those of its rows; `None` if it does not
    /// keep them all, or if their names are not known before the search runs.
    #[must_use]
    pub fn fields_added(&self, index: usize) -> Option<Vec<String>> {
        let written = self.pipeline.commands.get(index)?;
        let entry = commands::command(&written.name.value)?;
        // The names of the rows decide what is added.
        let is_by_pattern = match entry.doc.name {
            "rename" | "foreach" => written.arguments.value.contains('*'),
            "tags" => true,
            _ => false,
        };
        let (command, _) = entry.read(written);
        let mut names = command?.output(Some(vec![PROBE.to_owned()]))?;
        let is_kept = names.iter().any(|name| name == PROBE);
        names.retain(|name| name != PROBE);
        (is_kept && !is_by_pattern).then_some(names)
    }

    /// Returns true if a command makes this field before any reads it, so that what is read is not the
    /// field of the events. A command that cannot be read may make anything.
    #[must_use]
    pub fn is_made_first(&self, field: &str) -> bool {
        if self.facts.fields.contains(field) {
            return false;
        }
        let (steps, _) = pipeline::read_all(&self.pipeline);
        for (place, step) in steps.iter().enumerate() {
            if step.index != place {
                return true;
            }
            if reads(step, field) {
                return false;
            }
            if place > 0 && makes(step, field) {
                return true;
            }
        }
        steps.len() < self.pipeline.commands.len()
    }
}

/// Returns true if a command reads a field, whatever is read of its own rows.
fn reads(step: &Step, field: &str) -> bool {
    let name = || vec![field.to_owned()];
    // Nobody needs the old name of a field that is renamed.
    let is_renamed =
        || step.entry.doc.name == "rename" && step.command.output(Some(name())) != Some(name());
    step.command.needs(nothing()).fields.names.contains(field) || is_renamed()
}

/// Returns true if a command computes a field: rows without fields have it then, or the command needs
/// something else than the field itself.
pub(super) fn makes(step: &Step, field: &str) -> bool {
    let is_made = match step.command.output(Some(Vec::new())) {
        Some(made) => made.iter().any(|name| name == field),
        // What is not known may have any name.
        None => true,
    };
    if is_made {
        return true;
    }
    let always = step.command.needs(nothing()).fields;
    let with = step.command.needs(Needs::only([field])).fields;
    let is_other = |name: &String| name != field && !always.names.contains(name);
    !with.names.contains(field)
        || with.names.iter().any(is_other)
        || (with.is_open() && !always.is_open())
}

fn nothing() -> Needs {
    Needs::only(std::iter::empty::<&str>())
}

#[cfg(test)]
mod tests {
    use spilltrail_spl::MacroSet;

    use crate::analysis::analyze;

    #[test]
    fn fields_that_a_command_adds() {
        for (command, expected) in [
            ("spath path=a.b output=c", "c"),
            ("lookup l a OUTPUT b AS d e", "d, e"),
            ("eventstats count by user", "count"),
            ("where a=1", ""),
            ("head 5", ""),
            ("rename a as b", ""),
            ("rename a* as b*", "?"),
            ("spath", "?"),
            ("lookup l a", "?"),
            ("eval {a}=1", "?"),
            ("foreach a* [eval <<FIELD>>2=1]", "?"),
            ("fields a", "?"),
            ("stats count by a", "?"),
            ("frobnicate a", "?"),
        ] {
            let analysis = analyze(&format!("* | {command}"), &MacroSet::builtin());
            let added = analysis.fields_added(1);
            assert_eq!(
                added.map_or("?".to_owned(), |names| names.join(", ")),
                expected,
                "{command}"
            );
        }
    }

    #[test]
    fn a_field_is_made_before_it_is_read() {
        for (search, expected) in [
            ("* | rename a as f | where f=1", true),
            ("* | eval f=a | stats count by f", true),
            ("* | eval f=1 | stats count by f", true),
            ("* | rex field=a \"(?<f>x)\" | where f=1", true),
            ("* | lookup l a OUTPUT b as f | where f=1", true),
            ("* | eventstats count as f by a | where f=1", true),
            ("* | spath | where f=1", true),
            ("* | fields a, f | eval f=1", true),
            ("f=1 | rename a as f", false),
            ("* | where f=1 | eval f=2", false),
            ("* | eval f=f+1", false),
            ("* | stats count by f | rename a as f", false),
            ("* | rename f as a | eval f=1", false),
            ("* | dedup f | sort f", false),
            ("* | bin _time | outputlookup l | mvcombine a | stats count by f", false),
            ("* | fillnull a | eventstats count | streamstats count | stats count by f", false),
            ("* | eventstats count(*) as * | where f=1", true),
            ("* | bin a as f | where f=1", true),
            ("* | stats count by f", false),
            ("* | table f", false),
        ] {
            let made = analyze(search, &MacroSet::builtin()).is_made_first("f");
            assert_eq!(made, expected, "{search}");
        }
    }
}
