//! Decides to which transaction each event belongs, while events are read newest first.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

/// The rules by which events form transactions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Rules {
    /// The number of fields by which events are grouped.
    pub(super) fields: usize,
    /// The largest difference in seconds between the times of a transaction's events.
    #[serde(with = "spilltrail_event::exact")]
    pub(super) max_span: f64,
    /// The largest difference in seconds between the times of two neighbors.
    #[serde(with = "spilltrail_event::exact")]
    pub(super) max_pause: f64,
    /// The largest number of events.
    pub(super) max_events: usize,
    /// Whether a condition for the first event was given.
    pub(super) has_start: bool,
    /// Whether a condition for the last event was given.
    pub(super) has_end: bool,
    /// Whether an event that shares no field with an open transaction, but contradicts none, opens
    /// one instead of joining it.
    pub(super) is_connected: bool,
    /// Whether the first and the last event must share a field with the others.
    pub(super) unifies_ends: bool,
    /// The largest number of open transactions.
    pub(super) max_open: usize,
    /// The largest number of events in open transactions.
    pub(super) max_open_events: usize,
}

/// How a transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// It still takes events.
    Open,
    /// It ended before it had all that it needs.
    Evicted,
    /// It is complete.
    Closed,
    /// There were no more events, and no condition said what it needs.
    Left,
    /// It is an event without a transaction.
    Orphan,
}

/// An event as far as it matters here.
#[derive(Debug, Clone)]
pub(super) struct Event<'a> {
    /// The members of each field.
    pub(super) values: Vec<Vec<Cow<'a, str>>>,
    pub(super) time: Option<f64>,
    /// Whether it satisfies the condition for the first event.
    pub(super) is_start: bool,
    /// Whether it satisfies the condition for the last event.
    pub(super) is_end: bool,
}

/// A transaction that still takes events.
#[derive(Debug)]
struct Open {
    /// The values of each field; they are few.
    values: Vec<Vec<String>>,
    newest: Option<f64>,
    oldest: Option<f64>,
    events: usize,
    has_start: bool,
    has_end: bool,
    /// When it got its last event, as a number that grows with each event.
    touched: u64,
}

/// Estimated bytes of an open transaction and of each of its values, besides their text.
const HELD: usize = 240;
const HELD_VALUE: usize = 180;

/// The open transactions.
#[derive(Debug)]
pub(super) struct Grouper {
    rules: Rules,
    open: BTreeMap<u32, Open>,
    /// The open transactions that have a value, by the index of the field and the value.
    by_value: HashMap<(usize, String), Vec<u32>>,
    /// The open transactions by [`Open::touched`].
    by_age: BTreeMap<u64, u32>,
    /// The open transactions that lack a field.
    lacking: BTreeSet<u32>,
    events: u64,
    open_events: usize,
    held: usize,
    endings: Vec<Ending>,
}

impl Grouper {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            rules,
            open: BTreeMap::new(),
            by_value: HashMap::new(),
            by_age: BTreeMap::new(),
            lacking: BTreeSet::new(),
            events: 0,
            open_events: 0,
            held: 0,
            endings: Vec::new(),
        }
    }

    /// Returns the bytes that are held.
    pub(super) fn held(&self) -> usize {
        self.held + self.endings.len()
    }

    /// Returns the transaction of an event, or `None` if there is none for it.
    pub(super) fn take(&mut self, event: &Event<'_>) -> Option<u32> {
        self.events += 1;
        if let Some(time) = event.time {
            self.expire(time);
        }
        let found = self.found(event);
        let takes_loose_end = (event.is_start || event.is_end) && !self.rules.unifies_ends;
        let has_field = event.values.iter().any(|members| !members.is_empty());
        let may_open = self.rules.fields == 0 || has_field || takes_loose_end;
        let id = match found {
            // Events come newest first, so the last event of another transaction ends this one.
            Some(id) if event.is_end => {
                self.end(id);
                self.open(event)?
            }
            Some(id) => id,
            None if may_open && (!self.rules.has_end || event.is_end) => self.open(event)?,
            None => return None,
        };
        self.add(id, event);
        Some(id)
    }

    /// Returns a number for an event without a transaction.
    pub(super) fn orphan(&mut self) -> Option<u32> {
        let id = u32::try_from(self.endings.len()).ok()?;
        self.endings.push(Ending::Orphan);
        Some(id)
    }

    /// Ends all transactions, and returns how each ended.
    pub(super) fn finish(mut self) -> Vec<Ending> {
        let has_condition = self.rules.has_start || self.rules.has_end;
        for (id, open) in std::mem::take(&mut self.open) {
            let ending = if has_condition { self.ending(&open) } else { Ending::Left };
            self.endings[id as usize] = ending;
        }
        self.endings
    }

    fn ending(&self, open: &Open) -> Ending {
        let is_complete =
            (open.has_start || !self.rules.has_start) && (open.has_end || !self.rules.has_end);
        if is_complete { Ending::Closed } else { Ending::Evicted }
    }

    /// Ends the transactions that no event as old as `time` can join.
    fn expire(&mut self, time: f64) {
        while let Some((_, &id)) = self.by_age.first_key_value() {
            let is_over = |oldest: f64| oldest - time > self.rules.max_pause;
            if !self.open[&id].oldest.is_some_and(is_over) {
                break;
            }
            self.end(id);
        }
        while let Some((&id, open)) = self.open.first_key_value() {
            if !open.newest.is_some_and(|newest| newest - time > self.rules.max_span) {
                break;
            }
            self.end(id);
        }
    }

    /// Returns the open transaction that an event belongs to.
    fn found(&self, event: &Event<'_>) -> Option<u32> {
        if self.rules.fields == 0 {
            return self.by_age.last_key_value().map(|(_, id)| *id);
        }
        let mut candidates: BTreeSet<u32> = BTreeSet::new();
        for (field, members) in event.values.iter().enumerate() {
            for member in members {
                let key = (field, member.clone().into_owned());
                candidates.extend(self.by_value.get(&key).into_iter().flatten());
            }
        }
        let youngest = |ids: &mut dyn Iterator<Item = u32>| {
            ids.filter(|id| !Self::contradicts(&self.open[id], event))
                .max_by_key(|id| self.open[id].touched)
        };
        if let Some(id) = youngest(&mut candidates.into_iter()) {
            return Some(id);
        }
        let has_field = event.values.iter().any(|members| !members.is_empty());
        let is_loose_end = (event.is_start || event.is_end) && !self.rules.unifies_ends;
        match (has_field, is_loose_end) {
            (false, true) => self.by_age.last_key_value().map(|(_, id)| *id),
            (true, loose) if loose || !self.rules.is_connected => {
                youngest(&mut self.lacking.iter().copied())
            }
            _ => None,
        }
    }

    /// Returns true if a field of the event has another value in the transaction.
    fn contradicts(open: &Open, event: &Event<'_>) -> bool {
        open.values.iter().zip(&event.values).any(|(own, members)| {
            !own.is_empty()
                && !members.is_empty()
                && !members.iter().any(|member| own.iter().any(|value| value == member))
        })
    }

    fn open(&mut self, event: &Event<'_>) -> Option<u32> {
        while self.open.len() >= self.rules.max_open {
            self.evict();
        }
        let id = u32::try_from(self.endings.len()).ok()?;
        self.endings.push(Ending::Open);
        let open = Open {
            values: vec![Vec::new(); self.rules.fields],
            newest: event.time,
            oldest: event.time,
            events: 0,
            has_start: false,
            has_end: false,
            touched: self.events,
        };
        self.held += HELD;
        self.by_age.insert(open.touched, id);
        if self.rules.fields > 0 {
            self.lacking.insert(id);
        }
        self.open.insert(id, open);
        Some(id)
    }

    fn add(&mut self, id: u32, event: &Event<'_>) {
        let Some(open) = self.open.get_mut(&id) else { return };
        self.by_age.remove(&open.touched);
        open.touched = self.events;
        self.by_age.insert(open.touched, id);
        open.oldest = event.time.or(open.oldest);
        open.newest = open.newest.or(event.time);
        open.events += 1;
        open.has_start |= event.is_start;
        open.has_end |= event.is_end;
        for (field, members) in event.values.iter().enumerate() {
            for member in members {
                if !open.values[field].iter().any(|value| value == member) {
                    open.values[field].push(member.clone().into_owned());
                    self.held += 2 * member.len() + HELD_VALUE;
                    let key = (field, member.clone().into_owned());
                    self.by_value.entry(key).or_default().push(id);
                }
            }
        }
        if open.values.iter().all(|values| !values.is_empty()) {
            self.lacking.remove(&id);
        }
        let is_over = open.has_start || open.events >= self.rules.max_events;
        self.open_events += 1;
        if is_over {
            self.end(id);
        }
        while self.open_events > self.rules.max_open_events && !self.open.is_empty() {
            self.evict();
        }
    }

    /// Ends a transaction.
    fn end(&mut self, id: u32) {
        if let Some(open) = self.remove(id) {
            self.endings[id as usize] = self.ending(&open);
        }
    }

    /// Ends the transaction whose last event is the longest ago.
    fn evict(&mut self) {
        let Some((_, &id)) = self.by_age.first_key_value() else { return };
        if self.remove(id).is_some() {
            self.endings[id as usize] = Ending::Evicted;
        }
    }

    fn remove(&mut self, id: u32) -> Option<Open> {
        let open = self.open.remove(&id)?;
        self.by_age.remove(&open.touched);
        self.lacking.remove(&id);
        self.open_events -= open.events;
        self.held = self.held.saturating_sub(HELD);
        for (field, values) in open.values.iter().enumerate() {
            for value in values {
                self.held = self.held.saturating_sub(2 * value.len() + HELD_VALUE);
                let key = (field, value.clone());
                if let Some(ids) = self.by_value.get_mut(&key) {
                    ids.retain(|other| *other != id);
                    if ids.is_empty() {
                        self.by_value.remove(&key);
                    }
                }
            }
        }
        Some(open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(fields: usize) -> Rules {
        Rules {
            fields,
            max_span: f64::INFINITY,
            max_pause: f64::INFINITY,
            max_events: usize::MAX,
            has_start: false,
            has_end: false,
            is_connected: true,
            unifies_ends: false,
            max_open: usize::MAX,
            max_open_events: usize::MAX,
        }
    }

    /// Takes events written as `time:value,value`, with `-` for a missing value and the marks `S`
    /// and `E` for the first and last event. Returns the transactions of the events and the endings.
    fn grouped(rules: Rules, events: &str) -> (String, String) {
        let fields = rules.fields;
        let mut grouper = Grouper::new(rules);
        let ids: Vec<String> = events
            .split_whitespace()
            .map(|event| {
                let (time, rest) = event.split_once(':').unwrap();
                let values = rest.trim_end_matches(['S', 'E']).split(',');
                let mut values: Vec<Vec<Cow<'_, str>>> = values
                    .map(|value| match value {
                        "-" | "" => Vec::new(),
                        value => value.split('/').map(Cow::Borrowed).collect(),
                    })
                    .collect();
                values.truncate(fields);
                let id = grouper.take(&Event {
                    values,
                    time: time.parse().ok(),
                    is_start: rest.contains('S'),
                    is_end: rest.contains('E'),
                });
                id.map_or("-".to_owned(), |id| id.to_string())
            })
            .collect();
        let endings = grouper.finish();
        assert!(!endings.contains(&Ending::Open));
        let letter = |ending: &Ending| match ending {
            Ending::Closed => 'c',
            Ending::Evicted => 'e',
            Ending::Left => 'l',
            Ending::Open | Ending::Orphan => '?',
        };
        (ids.join(" "), endings.iter().map(letter).collect())
    }

    #[test]
    fn events_are_grouped_by_their_fields() {
        let none = rules(0);
        let one = rules(1);
        let two = rules(2);
        let loose = Rules { is_connected: false, ..two.clone() };
        for (rules, events, ids, endings) in [
            (&none, "9:a 8:b 7:", "0 0 0", "l"),
            (&one, "9:a 8:b 7:a 6:- 5:b", "0 1 0 - 1", "ll"),
            (&one, "9:a/b 8:b 7:c", "0 0 1", "ll"),
            // Fields are connected by an event that has both.
            (&two, "9:a,- 8:a,x 7:-,x 6:b,x", "0 0 0 1", "ll"),
            (&two, "9:a,- 8:-,x", "0 1", "ll"),
            (&loose, "9:a,- 8:-,x 7:b,-", "0 0 1", "ll"),
        ] {
            let found = grouped(rules.clone(), events);
            assert_eq!(found, (ids.to_owned(), endings.to_owned()), "{rules:?} {events}");
        }
    }

    #[test]
    fn limits_end_transactions() {
        let span = Rules { max_span: 10.0, ..rules(1) };
        let pause = Rules { max_pause: 5.0, ..rules(1) };
        let events = Rules { max_events: 2, ..rules(0) };
        let open = Rules { max_open: 2, ..rules(1) };
        let open_events = Rules { max_open_events: 2, ..rules(1) };
        for (rules, given, ids, endings) in [
            (&span, "30:a 25:a 20:a 19:a", "0 0 0 1", "cl"),
            (&pause, "30:a 25:a 19:a 14:b", "0 0 1 2", "cll"),
            (&events, "5: 4: 3:", "0 0 1", "cl"),
            (&open, "5:a 4:b 3:c 2:a", "0 1 2 3", "eell"),
            (&open_events, "5:a 4:b 3:b", "0 1 1", "el"),
        ] {
            let found = grouped(rules.clone(), given);
            assert_eq!(found, (ids.to_owned(), endings.to_owned()), "{rules:?} {given}");
        }
    }

    #[test]
    fn first_and_last_events_end_transactions() {
        let start = Rules { has_start: true, ..rules(1) };
        let end = Rules { has_end: true, ..rules(1) };
        let both = Rules { has_start: true, has_end: true, ..rules(1) };
        let unified = Rules { unifies_ends: true, ..both.clone() };
        let short = Rules { max_span: 2.0, ..both.clone() };
        for (rules, events, ids, endings) in [
            (&start, "9:a 8:aS 7:a 6:bS", "0 0 1 2", "cec"),
            (&end, "9:a 8:aE 7:a 6:aE 5:a", "- 0 0 1 1", "cc"),
            (&both, "9:aE 8:a 7:aS 6:a 5:aE 4:a", "0 0 0 - 1 1", "ce"),
            (&both, "9:aE 8:aE 7:aS", "0 1 1", "ec"),
            (&both, "9:aSE 8:aS", "0 -", "c"),
            (&short, "9:aE 8:a 6:aS", "0 0 -", "e"),
            // The end of a transaction need not have the field, unless it must.
            (&both, "9:E 8:a 7:aS", "0 - 0", "c"),
            (&both, "9:aE 8:-S", "0 0", "c"),
            (&unified, "9:aE 8:-S 7:aS", "0 - 0", "c"),
        ] {
            let found = grouped(rules.clone(), events);
            assert_eq!(found, (ids.to_owned(), endings.to_owned()), "{rules:?} {events}");
        }
    }
}
