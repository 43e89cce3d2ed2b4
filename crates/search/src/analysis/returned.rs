//! Fields that subsearches compare with those of events.

use spilltrail_diagnostic::Spanned;
use spilltrail_spl::{Pipeline, SearchExpr, parse_search};

use super::{Analysis, unproduced};
use crate::commands::subsearch;

impl Analysis {
    /// Returns the fields whose values the subsearches of the leading search compare with those of
    /// events, as far as they are known. Their places are those in the expanded text.
    #[must_use]
    pub fn returned(&self) -> Vec<Spanned<String>> {
        let (Some(_), Some(first)) = (&self.leading, self.pipeline.commands.first()) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        if let Ok(expression) = spilltrail_spl::Arguments::new(first).search() {
            expression.walk(&mut |part| {
                if let SearchExpr::Subsearch { value_of: None, pipeline } = part {
                    let names = subsearch::compared(pipeline).unwrap_or_default();
                    found.extend(names.into_iter().map(|name| placed(name, pipeline)));
                }
            });
        }
        found
    }

    /// Returns true if the leading search asks for events of this sourcetype, or of one that begins
    /// with it, besides what subsearches ask for.
    #[must_use]
    pub fn leads_with(&self, sourcetype: &str) -> bool {
        let read = self.leading.as_deref().and_then(|text| parse_search(text).ok());
        let mut leads = false;
        read.iter().for_each(|expression| {
            expression.walk(&mut |part| {
                if let SearchExpr::Compare { field, value, .. } = part {
                    let value = value.value.text.to_ascii_lowercase();
                    leads |= field.value == "sourcetype" && value.starts_with(sourcetype);
                }
            });
        });
        leads
    }
}

/// Puts a name to the last command that has it.
fn placed(name: String, pipeline: &Pipeline) -> Spanned<String> {
    let of_command = |command| {
        let span = unproduced::place(&name, command);
        (span != command.arguments.span).then_some(span)
    };
    let span = pipeline.commands.iter().rev().find_map(of_command).unwrap_or(pipeline.span);
    Spanned::new(name, span)
}

#[cfg(test)]
mod tests {
    use spilltrail_spl::MacroSet;

    use crate::analysis::analyze;

    #[test]
    fn fields_of_subsearches() {
        for (search, expected) in [
            ("a=1 [search b=2 | stats count by user]", "user@user, count@count"),
            ("a=1 NOT [search b=2 | stats dc(x) by user | fields user]", "user@user"),
            ("a=1 [search b=2 | table user src | format]", "user@user, src@src"),
            ("a=1 [search b=2 | stats count | return 10 user]", "user@user"),
            ("a=1 [search b=2 | return $user]", ""),
            ("a=1 [search b=2]", ""),
            ("| tstats count", ""),
        ] {
            let found = analyze(search, &MacroSet::builtin()).returned();
            let shown = found.iter().map(|field| {
                format!("{}@{}", field.value, &search[field.span.start..field.span.end])
            });
            assert_eq!(shown.collect::<Vec<_>>().join(", "), expected, "{search}");
        }
    }
}
