//! Input that was not read, or not whole.

use serde::{Serialize, Serializer};
use serde_json::json;
use spilltrail_source::Logs;

/// Damages of one file that are named; the rest is counted.
const NAMED_DAMAGES: usize = 3;

/// Input that was not read, or not whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// What was named, or the file in a named folder.
    pub name: String,
    /// How far it was read.
    pub kind: UnreadKind,
    /// Why, each by itself; at least one.
    pub reasons: Vec<String>,
    /// Damages beyond those in `reasons`.
    pub more: u64,
}

/// How far input was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnreadKind {
    /// It could not be found or listed.
    NotFound,
    /// Parts of it are damaged; what surrounds them was read.
    Damaged,
    /// It holds no JSON, and was skipped.
    Foreign,
}

impl Unread {
    /// Returns what of the logs was not read so far, in their order.
    pub(crate) fn of(logs: &Logs) -> Vec<Self> {
        let not_found = logs.problems().iter().map(|problem| Self {
            name: problem.name.clone(),
            kind: UnreadKind::NotFound,
            reasons: vec![problem.reason.clone()],
            more: 0,
        });
        let files = logs.report().problems.into_iter().map(|file| {
            let name = file.name.to_string();
            if file.report.damage_count == 0 {
                let reasons = vec!["holds no JSON".to_owned()];
                return Self { name, kind: UnreadKind::Foreign, reasons, more: 0 };
            }
            let damages = file.report.damages.iter().take(NAMED_DAMAGES);
            let reasons: Vec<String> = damages.map(ToString::to_string).collect();
            let more = file.report.damage_count.saturating_sub(reasons.len() as u64);
            Self { name, kind: UnreadKind::Damaged, reasons, more }
        });
        not_found.chain(files).collect()
    }

    /// Returns true if that is a failure, false if the file only is no log.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        self.kind != UnreadKind::Foreign
    }
}

/// As an object with `name`, `reason` and `is_damage`.
impl Serialize for Unread {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut reason = self.reasons.join("; ");
        if self.more > 0 {
            reason.push_str(&format!("; {} more", self.more));
        }
        json!({ "name": self.name, "reason": reason, "is_damage": self.is_damage() })
            .serialize(serializer)
    }
}
