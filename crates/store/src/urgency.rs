//! How urgent a finding is.

use serde::{Deserialize, Serialize};

/// A level of severity, priority or urgency, lowest first.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It is not known. No urgency is.
    #[default]
    Unknown,
    /// For information.
    Informational,
    /// Low.
    Low,
    /// Medium.
    Medium,
    /// High.
    High,
    /// Critical.
    Critical,
}

impl Level {
    /// All of them, lowest first.
    pub const ALL: [Self; 6] =
        [Self::Unknown, Self::Informational, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// Returns its name, as Splunk writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// Returns the level with a name in any case, or `None`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name().eq_ignore_ascii_case(name))
    }

    /// Returns the number by which levels are compared in the file.
    pub(crate) fn rank(self) -> i64 {
        self as i64
    }

    /// Returns the level with a number; unknown if there is none.
    pub(crate) fn of_rank(rank: i64) -> Self {
        Self::ALL.into_iter().find(|level| level.rank() == rank).unwrap_or_default()
    }
}

/// Returns the urgency of a finding from the severity of its detection and the priority of what it is
/// about, by the table of Splunk Enterprise Security. An informational priority counts as a low one,
/// which counts as an unknown one.
#[must_use]
pub fn urgency(severity: Level, priority: Level) -> Level {
    use Level::{Critical, High, Informational, Low, Medium, Unknown};
    match (severity, priority) {
        (Informational, _) => Informational,
        (Unknown | Low, High | Critical) => Medium,
        (Unknown | Low, _) => Low,
        (Medium, Critical) => High,
        (Medium, Medium | High) => Medium,
        (Medium, _) => Low,
        (High, Critical) => Critical,
        (High, Medium | High) => High,
        (High, _) => Medium,
        (Critical, Medium | High | Critical) => Critical,
        (Critical, _) => High,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows are severities, the columns priorities.
    const TABLE: &str = "
        severity      unknown       low           medium        high          critical
        unknown       low           low           low           medium        medium
        informational informational informational informational informational informational
        low           low           low           low           medium        medium
        medium        low           low           medium        medium        high
        high          medium        medium        high          high          critical
        critical      high          high          critical      critical      critical";

    #[test]
    fn as_in_splunk() {
        let mut lines = TABLE.trim().lines().map(|line| line.split_whitespace());
        let priorities: Vec<&str> = lines.next().unwrap().skip(1).collect();
        let level = |name| Level::parse(name).unwrap();
        let mut cells = 0;
        for mut line in lines {
            let severity = line.next().unwrap();
            for (priority, expected) in priorities.iter().zip(line) {
                let found = urgency(level(severity), level(priority));
                assert_eq!(found.name(), expected, "{severity} {priority}");
                cells += 1;
            }
            let informational = urgency(level(severity), Level::Informational);
            assert_eq!(informational, urgency(level(severity), Level::Low));
        }
        assert_eq!(cells, 30);
        assert_eq!((Level::parse("HIGH"), Level::parse("urgent")), (Some(Level::High), None));
        assert!(Level::ALL.into_iter().all(|level| Level::of_rank(level.rank()) == level));
    }
}
