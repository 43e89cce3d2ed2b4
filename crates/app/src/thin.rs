//! Finds out which searches read what thin events of CloudTrail cannot have: sources such as the
//! console's event history give no `requestParameters`.

use std::collections::BTreeSet;

use spilltrail_decode::FileReport;
use spilltrail_detect::Missing;
use spilltrail_search::analysis::Analysis;

/// The member of records that thin events lack.
pub(crate) const MEMBER: &str = "requestParameters";

/// Returns the names of fields in `requestParameters` that a search reads.
fn names(analysis: &Analysis) -> impl Iterator<Item = &String> {
    let demand = &analysis.demand;
    let names = analysis.facts.fields.iter().chain(&demand.names).chain(&demand.patterns);
    names.filter(|name| is_inside(name))
}

/// Returns true for the name of a field in `requestParameters`.
pub(crate) fn is_inside(name: &str) -> bool {
    name.strip_prefix(MEMBER).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '{']))
}

/// Returns true if a search reads fields in `requestParameters`.
pub(crate) fn are_read(analysis: &Analysis) -> bool {
    names(analysis).next().is_some()
}

/// Returns the fields that a search reads and that no event can have, if all events that were read
/// are thin.
pub(crate) fn missing(read: &FileReport, analysis: &Analysis) -> Option<Missing> {
    if read.thin == 0 || read.has_parameters {
        return None;
    }
    let fields: BTreeSet<&String> = names(analysis).collect();
    let fields: Vec<String> = fields.into_iter().cloned().collect();
    (!fields.is_empty()).then_some(Missing { fields, rows: read.thin })
}

#[cfg(test)]
mod tests {
    use spilltrail_search::analysis::analyze;
    use spilltrail_spl::MacroSet;

    use super::*;

    #[test]
    fn fields_that_searches_read() {
        let thin = FileReport { events: 5, thin: 5, ..FileReport::default() };
        for (search, fields) in [
            ("eventName=A | stats count by user", &[][..]),
            ("eventName=A requestParameters.a=1 | stats count", &["requestParameters.a"]),
            (
                "eventName=A | where 'requestParameters.b{}.c'=1 | stats count by requestParameters.a",
                &["requestParameters.a", "requestParameters.b{}.c"],
            ),
            ("eventName=A | stats values(requestParameters.*) as *", &["requestParameters.*"]),
            ("eventName=A requestParametersX=1", &[]),
        ] {
            let analysis = analyze(search, &MacroSet::default());
            assert_eq!(are_read(&analysis), !fields.is_empty(), "{search}");
            let missing = missing(&thin, &analysis).map(|missing| missing.fields);
            assert_eq!(missing.unwrap_or_default(), fields, "{search}");
        }
        let analysis = analyze("requestParameters.a=1", &MacroSet::default());
        let mixed = FileReport { has_parameters: true, ..thin };
        assert_eq!(missing(&mixed, &analysis), None);
    }
}
