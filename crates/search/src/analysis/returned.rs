//! Fields that subsearches compare with those of events.

use spilltrail_diagnostic::Spanned;
use spilltrail_event::fields;
use spilltrail_spl::{CompareOp, Pipeline, SearchExpr, SearchLiteral, parse_search};

use super::Analysis;
use crate::commands::named::place;
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

    /// Returns true if the leading search finds only events of this sourcetype, or of those that begin
    /// with it, besides what subsearches ask for.
    #[must_use]
    pub fn leads_with(&self, sourcetype: &str) -> bool {
        let read = self.leading.as_deref().and_then(|text| parse_search(text).ok());
        read.is_some_and(|expression| asks_for(&expression, sourcetype))
    }
}

/// Returns true if only events of sourcetypes that begin with `sourcetype` match.
fn asks_for(expression: &SearchExpr, sourcetype: &str) -> bool {
    let begins = |value: &Spanned<SearchLiteral>| {
        value.value.text.to_ascii_lowercase().starts_with(sourcetype)
    };
    match expression {
        SearchExpr::And(parts) => parts.iter().any(|part| asks_for(part, sourcetype)),
        SearchExpr::Or(parts) => parts.iter().all(|part| asks_for(part, sourcetype)),
        SearchExpr::Compare { field, op: CompareOp::Eq, value } => {
            field.value == fields::SOURCETYPE && begins(value)
        }
        SearchExpr::In { field, values } => {
            field.value == fields::SOURCETYPE && values.iter().all(begins)
        }
        _ => false,
    }
}

/// Puts a name to the last command that has it.
fn placed(name: String, pipeline: &Pipeline) -> Spanned<String> {
    let of_command = |command| {
        let span = place(&name, command);
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
    fn searches_of_one_sourcetype() {
        for (search, expected) in [
            ("sourcetype=aws:cloudtrail a=1", true),
            (
                "sourcetype IN (aws:cloudtrail, AWS:CloudTrail:lake) OR sourcetype=aws:cloudtrail",
                true,
            ),
            ("sourcetype=aws:cloudtrail OR sourcetype=json", false),
            ("sourcetype IN (aws:cloudtrail, json)", false),
            ("sourcetype=aws:cloudtrail OR a=1", false),
            ("sourcetype!=aws:cloudtrail", false),
            ("NOT sourcetype=aws:cloudtrail", false),
            ("sourcetype=aws*", false),
            ("a=1 [search sourcetype=aws:cloudtrail | table b]", false),
        ] {
            let analysis = analyze(search, &MacroSet::builtin());
            assert_eq!(analysis.leads_with("aws:cloudtrail"), expected, "{search}");
        }
    }

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
