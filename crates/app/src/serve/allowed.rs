//! Entries of the allow-list that people add while a server runs.

use jiff::tz::TimeZone;
use spilltrail_detect::Finding;
use spilltrail_schedule::Moment;
use spilltrail_store::AllowEntry as StoredEntry;

use crate::allow::{AllowEntry, AllowList, AllowedValues};

/// The entries that hide findings now, each with what it hid.
pub(super) struct Allowed(Vec<(i64, AllowList, u64)>);

impl Allowed {
    /// Takes the entries that are active at `now`.
    pub(super) fn new(entries: Vec<StoredEntry>, now: Moment) -> Self {
        let active = entries.into_iter().filter(|entry| entry.is_active(now));
        let lists = active.map(|entry| {
            let StoredEntry { id, rule, .. } = entry;
            let values = match rule.value.parse() {
                Ok(network) => AllowedValues::Network(network),
                Err(_) => AllowedValues::Pattern(rule.value),
            };
            let entry = AllowEntry {
                detection: rule.detection,
                field: rule.field,
                values,
                owner: rule.owner,
                reason: rule.reason,
                // Whether it is over is decided above, to the second.
                expires: None,
                origin: format!("entry {id}"),
            };
            (id, AllowList::new(&[entry], now.0 as f64, &TimeZone::UTC), 0)
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
