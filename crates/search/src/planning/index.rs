//! Knows which indexes hold logs, and which hold what Splunk itself writes.

/// Indexes that contain the findings of other searches.
pub(crate) const OF_FINDINGS: &[&str] = &["risk", "notable"];

/// The index to which `collect` and summary indexing write.
const OF_SUMMARIES: &str = "summary";

/// Returns true if an index, or every index that a pattern such as `_*` can name, holds what Splunk
/// itself writes: findings, summaries or, in indexes whose names begin with `_`, its own logs.
#[must_use]
pub fn is_splunks_own(name: &str) -> bool {
    let name = name.trim_end_matches('*').to_ascii_lowercase();
    name.starts_with('_') || name == OF_SUMMARIES || OF_FINDINGS.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

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
