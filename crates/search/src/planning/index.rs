//! Knows which indexes hold logs, and which hold what Splunk itself writes.

use spilltrail_diagnostic::Spanned;
use spilltrail_event::fields;
use spilltrail_spl::{CompareOp, SearchExpr, SearchLiteral};

/// Indexes that contain the findings of other searches.
pub const OF_FINDINGS: &[&str] = &["risk", "notable"];

/// The index to which `collect` and summary indexing write.
const OF_SUMMARIES: &str = "summary";

/// Returns true if an index, or every index that a pattern such as `_*` can name, holds what Splunk
/// itself writes: findings, summaries or, in indexes whose names begin with `_`, its own logs.
#[must_use]
pub fn is_splunks_own(name: &str) -> bool {
    let name = name.trim_end_matches('*').to_ascii_lowercase();
    name.starts_with('_') || name == OF_SUMMARIES || OF_FINDINGS.contains(&name.as_str())
}

/// The index of risk events.
pub const OF_RISK: &str = "risk";

/// Returns true if only risk events can match an expression.
pub(crate) fn asks_for_risk(expression: &SearchExpr) -> bool {
    let is_risk = |value: &Spanned<SearchLiteral>| value.value.text.eq_ignore_ascii_case(OF_RISK);
    match expression {
        SearchExpr::And(parts) => parts.iter().any(asks_for_risk),
        SearchExpr::Or(parts) => parts.iter().all(asks_for_risk),
        SearchExpr::Compare { field, op: CompareOp::Eq, value } => {
            field.value == fields::INDEX && is_risk(value)
        }
        SearchExpr::In { field, values } => {
            field.value == fields::INDEX && values.iter().all(is_risk)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_spl::parse_search;

    use super::*;

    #[test]
    fn searches_for_risk() {
        for (search, is_of_risk) in [
            ("index=risk", true),
            ("(index=Risk source=*AWS*) OR index IN (risk)", true),
            ("index=risk OR index=aws", false),
            ("NOT index=risk", false),
            ("index!=risk", false),
            ("index=risk*", false),
            ("source=*AWS*", false),
        ] {
            let expression = parse_search(search).unwrap();
            assert_eq!(asks_for_risk(&expression), is_of_risk, "{search}");
        }
    }

    #[test]
    fn indexes_of_splunks_own() {
        for (name, is_own) in [
            ("aws", false),
            ("*", false),
            ("risky", false),
            ("summary_aws", false),
            ("Risk", true),
            ("notable*", true),
            ("summary", true),
            ("_internal", true),
            ("_*", true),
        ] {
            assert_eq!(is_splunks_own(name), is_own, "{name}");
        }
    }
}
