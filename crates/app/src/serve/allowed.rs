//! Entries of the allow-list that people add while a server runs.

use jiff::tz::TimeZone;
use spilltrail_detect::Finding;
use spilltrail_schedule::Moment;
use spilltrail_store::{AllowCondition, AllowEntry as StoredEntry, AllowRule};

use crate::allow::{AllowEntry, AllowList, AllowedValues, Condition};

/// Returns an entry as hunts have them, but for its start and its end.
#[must_use]
pub fn entry_of(id: i64, rule: AllowRule) -> AllowEntry {
    let condition = |AllowCondition { field, value }| Condition {
        field,
        values: match value.parse() {
            Ok(network) => AllowedValues::Network(network),
            Err(_) => AllowedValues::Pattern(value),
        },
    };
    AllowEntry {
        detection: rule.detection,
        conditions: rule.conditions.into_iter().map(condition).collect(),
        owner: rule.owner,
        reason: rule.reason,
        expires: None,
        origin: format!("entry {id}"),
    }
}

/// What stands for the id of an entry of the configuration. Entries of the store have ids from 1 on.
const CONFIGURED: i64 = 0;

/// The entries that can hide findings of a run.
pub(super) struct Allowed {
    entries: Vec<Entry>,
    /// The entries of the configuration, which the store does not have.
    configured: AllowList,
    /// The time of findings that have none of their own.
    nominal: Moment,
}

struct Entry {
    stored: StoredEntry,
    list: AllowList,
    hits: u64,
}

impl Allowed {
    /// Takes the entries that are neither turned off nor removed, and those of the configuration, for a run of
    /// a nominal time.
    pub(super) fn new(entries: Vec<StoredEntry>, configured: AllowList, nominal: Moment) -> Self {
        let in_force = entries.into_iter().filter(StoredEntry::is_in_force);
        let prepare = |stored: StoredEntry| {
            let written = entry_of(stored.id, stored.rule.clone());
            // Start and end are those of the stored entry, to the second.
            let list = AllowList::new(&[written], nominal.0 as f64, &TimeZone::UTC);
            Entry { stored, list, hits: 0 }
        };
        Self { entries: in_force.map(prepare).collect(), configured, nominal }
    }

    /// Returns the id of the first entry that hides a finding. Whether an entry has started and is not
    /// over goes by the time of the finding, so that a run that is late or made again hides the same.
    pub(super) fn hides(&mut self, finding: &Finding) -> Option<i64> {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "entries start and end at whole seconds"
        )]
        let time = finding.time.map_or(self.nominal, |time| Moment(time.floor() as i64));
        let stored = self.entries.iter_mut().find_map(|Entry { stored, list, hits }| {
            let hides = stored.is_active(time) && list.hides(finding);
            *hits += u64::from(hides);
            hides.then_some(stored.id)
        });
        stored.or_else(|| self.configured.hides(finding).then_some(CONFIGURED))
    }

    /// Returns how many findings each entry hid, for those that hid any.
    pub(super) fn hits(&self) -> Vec<(i64, u64)> {
        let hiding = self.entries.iter().filter(|entry| entry.hits > 0);
        hiding.map(|entry| (entry.stored.id, entry.hits)).collect()
    }
}
