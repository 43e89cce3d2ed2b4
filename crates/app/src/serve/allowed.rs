//! Entries of the allow-list that people add while a server runs.

use jiff::tz::TimeZone;
use spilltrail_detect::Finding;
use spilltrail_schedule::Moment;
use spilltrail_store::{AllowEntry as StoredEntry, AllowRule};

use crate::allow::{AllowEntry, AllowList, AllowedValues};

/// Returns an entry as hunts have them, but for its end.
#[must_use]
pub fn entry_of(id: i64, rule: AllowRule) -> AllowEntry {
    let values = match rule.value.parse() {
        Ok(network) => AllowedValues::Network(network),
        Err(_) => AllowedValues::Pattern(rule.value),
    };
    AllowEntry {
        detection: rule.detection,
        field: rule.field,
        values,
        owner: rule.owner,
        reason: rule.reason,
        expires: None,
        origin: format!("entry {id}"),
    }
}

/// The entries that hide findings now, each with what it hid.
pub(super) struct Allowed(Vec<(i64, AllowList, u64)>);

impl Allowed {
    /// Takes the entries that are active at `now`.
    pub(super) fn new(entries: Vec<StoredEntry>, now: Moment) -> Self {
        let active = entries.into_iter().filter(|entry| entry.is_active(now));
        let lists = active.map(|entry| {
            let StoredEntry { id, rule, .. } = entry;
            // Whether it is over is decided above, to the second.
            (id, AllowList::new(&[entry_of(id, rule)], now.0 as f64, &TimeZone::UTC), 0)
        });
        Self(lists.collect())
    }

    /// Returns the id of the first entry that hides a finding.
    pub(super) fn hides(&mut self, finding: &Finding) -> Option<i64> {
        self.0.iter_mut().find_map(|(id, list, hits)| {
            let hides = list.hides(finding);
            *hits += u64::from(hides);
            hides.then_some(*id)
        })
    }

    /// Returns how many findings each entry hid, for those that hid any.
    pub(super) fn hits(&self) -> Vec<(i64, u64)> {
        self.0.iter().filter(|(_, _, hits)| *hits > 0).map(|(id, _, hits)| (*id, *hits)).collect()
    }
}
