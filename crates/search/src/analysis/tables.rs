//! Tables of lookups that a search writes, with their columns.

use super::Analysis;
use crate::commands::pipeline;
use crate::planning::facts::Facts;

impl Analysis {
    /// Returns the lookups that the search writes outside of pipelines inside commands, with the columns
    /// that it writes; `None` for columns that are not known.
    #[must_use]
    pub fn tables_written(&self) -> Vec<(String, Option<Vec<String>>)> {
        let (steps, _) = pipeline::read_all(&self.pipeline);
        let mut known: Option<Vec<String>> = None;
        let mut found = Vec::new();
        for (place, step) in steps.iter().enumerate() {
            let mut facts = Facts::default();
            step.command.facts(&mut facts);
            // A command that cannot be read before may have made anything.
            let columns = known.clone().filter(|_| step.index == place);
            found.extend(facts.lookups_written.into_iter().map(|name| (name, columns.clone())));
            known = step.command.output(known);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_spl::MacroSet;

    use crate::analysis::analyze;

    #[test]
    fn columns_of_tables() {
        for (search, expected) in [
            ("* | stats avg(n) as a by user | outputlookup t", "t: user a"),
            (
                "* | stats count by user | outputlookup append=t t | outputlookup u.csv",
                "t: user count, u.csv: user count",
            ),
            ("* | outputlookup t", "t: ?"),
            ("* | stats count | frobnicate | outputlookup t", "t: ?"),
            ("* | stats count", ""),
        ] {
            let written = analyze(search, &MacroSet::builtin()).tables_written();
            let shown = written.into_iter().map(|(name, columns)| {
                format!("{name}: {}", columns.map_or("?".to_owned(), |names| names.join(" ")))
            });
            assert_eq!(shown.collect::<Vec<_>>().join(", "), expected, "{search}");
        }
    }
}
