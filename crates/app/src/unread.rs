//! Reports input that was not read, or only read in part.

use serde::{Serialize, Serializer};
use serde_json::json;
use spilltrail_source::Logs;

/// Number of damaged parts that are described per file; further ones are only counted.
const NAMED_DAMAGES: usize = 3;

/// An input that was not read, or only read in part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The name that the caller gave, or the path of a file in a folder that the caller named.
    pub name: String,
    /// Whether the input is missing, damaged or not a log.
    pub kind: UnreadKind,
    /// Reasons, one per problem; never empty.
    pub reasons: Vec<String>,
    /// Number of damaged parts that are not described in `reasons`.
    pub more: u64,
}

/// Why input was not read completely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnreadKind {
    /// The input could not be found or listed.
    NotFound,
    /// Parts of the file are damaged; the rest was read.
    Damaged,
    /// The file contains no JSON and was skipped.
    Foreign,
}

impl Unread {
    /// Returns the inputs of `logs` that were not read completely so far: first those that were not
    /// found, then damaged and skipped files.
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

    /// Returns true if this is a failure, and false if the file is simply not a log.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        self.kind != UnreadKind::Foreign
    }
}

/// Serializes to an object with `name`, `reason` and `is_damage`.
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
