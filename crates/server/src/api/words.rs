//! Words of the API that are names in the store.

use spilltrail_store::{DeliveryState, Disposition, Level, Status, TriageStatus};

use super::errors::ApiError;

/// The statuses of findings.
pub(super) const TRIAGE: &[&str] = &["new", "in-progress", "pending", "resolved", "closed"];

/// The levels of severity and urgency, lowest first.
pub(super) const LEVELS: &[&str] = &["informational", "low", "medium", "high", "critical"];

/// What findings turn out to be.
pub(super) const DISPOSITIONS: &[&str] = &[
    "undetermined",
    "true-positive",
    "benign-positive",
    "false-positive-logic",
    "false-positive-data",
    "other",
];

/// What becomes of runs.
pub(super) const RUNS: &[&str] = &["done", "late", "failed", "skipped", "gap"];

/// How far deliveries are.
pub(super) const DELIVERIES: &[&str] = &["waiting", "done", "dead"];

/// Which hidden findings a list has.
pub(super) const SUPPRESSED: &[&str] = &["hide", "show", "only"];

/// Reads a word of a body.
///
/// # Errors
/// Fails if it is not one of `words`.
pub(super) fn word<T>(
    name: &str,
    words: &[&str],
    parse: impl Fn(&str) -> Option<T>,
    text: &str,
) -> Result<T, ApiError> {
    let found = words.contains(&text).then(|| parse(text)).flatten();
    found.ok_or_else(|| ApiError::parameter(name, &format!("one of {}", words.join(", ")), text))
}

pub(super) fn triage(text: &str) -> Option<TriageStatus> {
    TriageStatus::parse(text)
}

pub(super) fn level(text: &str) -> Option<Level> {
    Level::parse(text)
}

pub(super) fn disposition(text: &str) -> Option<Disposition> {
    Disposition::parse(text)
}

pub(super) fn run(text: &str) -> Option<Status> {
    Status::ALL.into_iter().find(|status| status.name() == text)
}

pub(super) fn delivery(text: &str) -> Option<DeliveryState> {
    DeliveryState::parse(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_names_of_the_store() {
        assert_eq!(TriageStatus::ALL.map(TriageStatus::name), TRIAGE);
        assert_eq!(Level::ALL.map(Level::name)[1..], *LEVELS);
        assert_eq!(Disposition::ALL.map(Disposition::name), DISPOSITIONS);
        assert_eq!(Status::ALL.map(Status::name), RUNS);
        assert_eq!(DeliveryState::ALL.map(DeliveryState::name), DELIVERIES);
        for word in RUNS {
            assert_eq!(run(word).map(Status::name), Some(*word));
        }
        // The store reads more than one way of writing a word; the API reads only one.
        assert!(super::word("status", TRIAGE, triage, "In Progress").is_err());
        assert_eq!(super::word("status", TRIAGE, triage, "new").unwrap(), TriageStatus::New);
    }
}
