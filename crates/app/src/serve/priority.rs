//! How much the things matter that findings are about.
//!
//! As in Splunk Enterprise Security, the priority of a finding is the highest of those of what it names. It
//! makes the urgency, together with the severity of the detection.

use std::borrow::Cow;

use spilltrail_detect::RiskObjectValue;
use spilltrail_event::{CaseRule, Pattern, Value};
use spilltrail_search::rows::Row;
use spilltrail_store::Level;

/// Fields of a result that name hosts and identities. What a finding gives risk to counts, too.
const NAMED: [&str; 8] =
    ["host", "orig_host", "src", "dest", "dvc", "user", "src_user", "risk_object"];

/// What has a priority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriorityEntry {
    /// Names of identities and hosts, and addresses, ignoring case. `*` stands for any text, and
    /// `10.0.0.0/8` for the addresses of a network.
    pub entities: Vec<String>,
    /// Their priority.
    pub priority: Level,
}

/// The priorities of entities.
#[derive(Debug, Default)]
pub(super) struct Priorities(Vec<(Pattern, Level)>);

impl Priorities {
    pub(super) fn new(entries: &[PriorityEntry]) -> Self {
        let patterns = entries.iter().flat_map(|entry| {
            let pattern = |name: &String| (Pattern::new(&**name, CaseRule::Ignore), entry.priority);
            entry.entities.iter().map(pattern)
        });
        Self(patterns.collect())
    }

    /// Returns the priority of a finding by its row and what it gives risk to; unknown if nothing says one.
    pub(super) fn of(&self, result: &Row, risk_objects: &[RiskObjectValue]) -> Level {
        let members = |name: &&str| result.get(*name).map(Value::members);
        let stated = result.iter().filter(|(name, _)| states_priority(name));
        let stated = stated.flat_map(|(_, value)| value.members());
        let stated = stated.filter_map(|name| Level::parse(name.trim()));
        let of_risk = risk_objects.iter().map(|object| Cow::Borrowed(&*object.value));
        let named = NAMED.iter().filter_map(members).flatten().chain(of_risk);
        let of_names = named.flat_map(|name| {
            let of_name = self.0.iter().filter(move |(pattern, _)| pattern.matches(&name));
            of_name.map(|(_, level)| *level)
        });
        stated.chain(of_names).max().unwrap_or_default()
    }
}

/// Returns true if a field of a result states a priority, as searches take it from lookups.
fn states_priority(field: &str) -> bool {
    field == "priority"
        || field.ends_with("_owner_priority")
        || field.strip_suffix("_priority").is_some_and(|name| NAMED.contains(&name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use spilltrail_search::rows::json::row;

    use super::*;

    #[test]
    fn the_highest_priority_counts() {
        let entries = [
            (&["ann", "arn:aws:iam::*:user/Admin-*"][..], Level::High),
            (&["10.1.0.0/16", "prod-*"], Level::Critical),
            (&["*"], Level::Low),
        ];
        let entries = entries.map(|(names, priority)| PriorityEntry {
            entities: names.iter().map(|name| (*name).to_owned()).collect(),
            priority,
        });
        for (entries, result, risk, expected) in [
            (&entries[..2], json!({"user": "bob"}), "bob", Level::Unknown),
            (&entries, json!({"count": "prod-1"}), "", Level::Low),
            (&entries, json!({"user": "ANN"}), "", Level::High),
            (&entries, json!({}), "arn:aws:iam::111122223333:user/admin-1", Level::High),
            (&entries, json!({"user": ["bob", "ann"], "src": "10.1.2.3"}), "bob", Level::Critical),
            (&entries, json!({"risk_object": "prod-backups"}), "", Level::Critical),
            (&[], json!({"dest_priority": "High", "user_priority": "low"}), "", Level::High),
            (&[], json!({"priority": ["none", " medium"]}), "", Level::Medium),
            (&[], json!({"src_owner_priority": "urgent"}), "ann", Level::Unknown),
        ] {
            let serde_json::Value::Object(fields) = result.clone() else { unreachable!() };
            let risk = RiskObjectValue {
                field: "user".to_owned(),
                object_type: "user".to_owned(),
                value: risk.to_owned(),
                score: 1,
                message: None,
            };
            let found = Priorities::new(entries).of(&row(fields), &[risk]);
            assert_eq!(found, expected, "{result}");
        }
    }
}
