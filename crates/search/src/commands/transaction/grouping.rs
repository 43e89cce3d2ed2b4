//! Decides to which transaction each event belongs, while events are read newest first.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::rows::instant::Instant;

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
    /// The values of each field.
    values: Vec<HashSet<String>>,
    newest: Option<f64>,
    oldest: Option<f64>,
    events: usize,
    has_start: bool,
    has_end: bool,
    /// When it got its last event, as a number that grows with each event.
    touched: u64,
}

/// Estimated bytes of an open transaction, of each of its fields, and of each of its values besides
/// their text.
const HELD: usize = 240;
const HELD_FIELD: usize = 100;
const HELD_VALUE: usize = 220;

/// The number of transactions that are compared with an event without looking for a shorter way.
const FEW: usize = 32;

/// The open transactions.
#[derive(Debug)]
pub(super) struct Grouper {
    rules: Rules,
    open: BTreeMap<u32, Open>,
    /// For each field, the open transactions that have a value.
    by_value: Vec<HashMap<String, BTreeSet<u32>>>,
    /// For each field, the open transactions that lack it, by [`Open::touched`].
    lacking: Vec<BTreeMap<u64, u32>>,
    /// The open transactions by [`Open::touched`].
    by_age: BTreeMap<u64, u32>,
    /// The open transactions by [`Open::newest`] and [`Open::oldest`], without those that have no
    /// time.
    by_newest: BTreeSet<(Instant, u32)>,
    by_oldest: BTreeSet<(Instant, u32)>,
    events: u64,
    open_events: usize,
    held: usize,
    endings: Vec<Ending>,
}

impl Grouper {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            open: BTreeMap::new(),
            by_value: vec![HashMap::new(); rules.fields],
            lacking: vec![BTreeMap::new(); rules.fields],
            by_age: BTreeMap::new(),
            by_newest: BTreeSet::new(),
            by_oldest: BTreeSet::new(),
            rules,
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

    /// Ends the transactions that no event as old as `time` can join. Events come newest first, so
    /// that no later event can join them, either.
    fn expire(&mut self, time: f64) {
        while let Some(&(Instant(oldest), id)) = self.by_oldest.last()
            && oldest - time > self.rules.max_pause
        {
            self.end(id);
        }
        while let Some(&(Instant(newest), id)) = self.by_newest.last()
            && newest - time > self.rules.max_span
        {
            self.end(id);
        }
    }

    /// Returns the open transaction that an event belongs to: of those that it fits, the one that
    /// got its last event most recently.
    fn found(&self, event: &Event<'_>) -> Option<u32> {
        if self.rules.fields == 0 {
            return self.by_age.last_key_value().map(|(_, id)| *id);
        }
        if let Some(id) = self.sharing(event) {
            return Some(id);
        }
        let has_field = event.values.iter().any(|members| !members.is_empty());
        let is_loose_end = (event.is_start || event.is_end) && !self.rules.unifies_ends;
        match (has_field, is_loose_end) {
            (false, true) => self.by_age.last_key_value().map(|(_, id)| *id),
            (true, loose) if loose || !self.rules.is_connected => self.without_fields_of(event),
            _ => None,
        }
    }

    /// Returns the youngest transaction that shares a value with the event and does not contradict
    /// it.
    fn sharing(&self, event: &Event<'_>) -> Option<u32> {
        let fields = || event.values.iter().enumerate().filter(|(_, members)| !members.is_empty());
        let having = |field: usize| {
            event.values[field]
                .iter()
                .filter_map(move |member| self.by_value[field].get(member.as_ref()))
        };
        let number = |field: usize| having(field).map(BTreeSet::len).sum::<usize>();
        // A transaction that fits has a value of the event, and of each field either one of the
        // event's values or none. The shortest of these lists has all that fit.
        let of_all: usize = fields().map(|(field, _)| number(field)).sum();
        if of_all == 0 {
            return None;
        }
        let of_field = |field: usize| number(field) + self.lacking[field].len();
        let (rarest, of_rarest) = fields()
            .map(|(field, _)| (field, of_field(field)))
            .min_by_key(|(_, number)| *number)?;
        let number = of_all.min(of_rarest);
        let fits = |id: &u32| Self::fits(&self.open[id], event);
        // If many are listed, the youngest of all is often among them.
        if number > FEW {
            let youngest = self.by_age.values().rev().take(number);
            if let Some(id) = youngest.copied().find(fits) {
                return Some(id);
            }
        }
        let touched = |id: &u32| self.open[id].touched;
        if of_all <= of_rarest {
            let listed = fields().flat_map(|(field, _)| having(field)).flatten().copied();
            listed.filter(fits).max_by_key(touched)
        } else {
            let listed = having(rarest).flatten().chain(self.lacking[rarest].values()).copied();
            listed.filter(fits).max_by_key(touched)
        }
    }

    /// Returns the youngest transaction that has none of the event's fields.
    fn without_fields_of(&self, event: &Event<'_>) -> Option<u32> {
        let fields = || event.values.iter().enumerate().filter(|(_, members)| !members.is_empty());
        let (rarest, _) = fields().min_by_key(|(field, _)| self.lacking[*field].len())?;
        let lacks = |id: &u32| {
            let open = &self.open[id];
            fields().all(|(field, _)| open.values[field].is_empty())
        };
        self.lacking[rarest].values().rev().copied().find(lacks)
    }

    /// Returns true if the event shares a value with the transaction, and no field of the event has
    /// only other values there.
    fn fits(open: &Open, event: &Event<'_>) -> bool {
        let mut shares = false;
        for (own, members) in open.values.iter().zip(&event.values) {
            if own.is_empty() || members.is_empty() {
                continue;
            }
            if !members.iter().any(|member| own.contains(member.as_ref())) {
                return false;
            }
            shares = true;
        }
        shares
    }

    fn open(&mut self, event: &Event<'_>) -> Option<u32> {
        while self.open.len() >= self.rules.max_open {
            self.evict();
        }
        let id = u32::try_from(self.endings.len()).ok()?;
        self.endings.push(Ending::Open);
        let open = Open {
            values: vec![HashSet::new(); self.rules.fields],
            newest: event.time,
            oldest: event.time,
            events: 0,
            has_start: false,
            has_end: false,
            touched: self.events,
        };
        self.held += HELD + self.rules.fields * HELD_FIELD;
        self.index(id, &open);
        self.open.insert(id, open);
        Some(id)
    }

    /// Enters a transaction into the lists by age and time.
    fn index(&mut self, id: u32, open: &Open) {
        self.by_age.insert(open.touched, id);
        for (lacking, values) in self.lacking.iter_mut().zip(&open.values) {
            if values.is_empty() {
                lacking.insert(open.touched, id);
            }
        }
        self.by_newest.extend(open.newest.map(|time| (Instant(time), id)));
        self.by_oldest.extend(open.oldest.map(|time| (Instant(time), id)));
    }

    /// Removes a transaction from the lists by age and time.
    fn forget(&mut self, id: u32, open: &Open) {
        self.by_age.remove(&open.touched);
        for lacking in &mut self.lacking {
            lacking.remove(&open.touched);
        }
        for (list, time) in [(&mut self.by_newest, open.newest), (&mut self.by_oldest, open.oldest)]
        {
            if let Some(time) = time {
                list.remove(&(Instant(time), id));
            }
        }
    }

    fn add(&mut self, id: u32, event: &Event<'_>) {
        let Some(mut open) = self.open.remove(&id) else { return };
        self.forget(id, &open);
        open.touched = self.events;
        open.oldest = event.time.or(open.oldest);
        open.newest = open.newest.or(event.time);
        open.events += 1;
        open.has_start |= event.is_start;
        open.has_end |= event.is_end;
        for (field, members) in event.values.iter().enumerate() {
            for member in members {
                if !open.values[field].contains(member.as_ref()) {
                    open.values[field].insert(member.clone().into_owned());
                    self.held += 2 * member.len() + HELD_VALUE;
                    let ids = self.by_value[field].entry(member.clone().into_owned());
                    ids.or_default().insert(id);
                }
            }
        }
        self.index(id, &open);
        let is_over = open.has_start || open.events >= self.rules.max_events;
        self.open.insert(id, open);
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
        self.forget(id, &open);
        self.open_events -= open.events;
        self.held = self.held.saturating_sub(HELD + self.rules.fields * HELD_FIELD);
        for (values, by_value) in open.values.iter().zip(&mut self.by_value) {
            #[expect(clippy::iter_over_hash_type, reason = "each is removed, in any order")]
            for value in values {
                self.held = self.held.saturating_sub(2 * value.len() + HELD_VALUE);
                if let Some(ids) = by_value.get_mut(value) {
                    ids.remove(&id);
                    if ids.is_empty() {
                        by_value.remove(value);
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
            // Of several that fit, the one with the most recent event counts; one that shares a
            // value comes before one that does not.
            (&one, "9:a 8:b 7:a 6:a/b 5:b", "0 1 0 0 0", "ll"),
            (&loose, "9:a,x 8:b,- 7:-,x 6:-,y 5:-,y", "0 1 0 1 1", "ll"),
            // An event that shares one field and contradicts another opens a transaction.
            (&two, "9:a,x 8:a,y 7:-,x 6:a,-", "0 1 0 0", "ll"),
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
            // Transactions of events without a time end only with the events, and those of others
            // end in time.
            (&span, "-:b 100:a 10:a 9:b", "0 1 2 0", "lcl"),
            (&pause, "-:b 100:a 10:a 3:b 2:-", "0 1 2 0 -", "lcc"),
            (&pause, "100:a -:a 97:a 93:a 10:a", "0 0 0 0 1", "cl"),
            (&open, "5:a 4:b 3:c 2:a", "0 1 2 3", "eell"),
            (&open_events, "5:a 4:b 3:b", "0 1 1", "el"),
        ] {
            let found = grouped(rules.clone(), given);
            assert_eq!(found, (ids.to_owned(), endings.to_owned()), "{rules:?} {given}");
        }
    }

    /// Many transactions are open, and for no event all of them are looked at.
    #[test]
    fn the_time_is_nearly_linear() {
        const EVENTS: usize = 10_000;
        type Row = fn(usize) -> Vec<Vec<String>>;
        let one_more: Row = |n| vec![vec!["c".to_owned()], vec![n.to_string()]];
        let every_other: Row = |n| {
            let odd = if n % 2 == 1 { vec![n.to_string()] } else { Vec::new() };
            vec![vec![n.to_string()], odd]
        };
        let halves: Row = |n| {
            let value = vec![n.to_string()];
            if n < EVENTS / 2 { vec![value, Vec::new()] } else { vec![Vec::new(), value] }
        };
        let shared: Row = |n| {
            let mut values = vec![(n / 2).to_string()];
            values.extend((n % 2 == 1).then(|| "x".to_owned()));
            vec![values, Vec::new()]
        };
        for (name, row, is_connected) in [
            ("a constant and an id", one_more, true),
            ("every other event has the second field", every_other, false),
            ("the first half lacks what the second has", halves, false),
            ("many share a value", shared, true),
        ] {
            let mut grouper = Grouper::new(Rules { is_connected, ..rules(2) });
            let started = std::time::Instant::now();
            for n in 0..EVENTS {
                let values = row(n).into_iter();
                let values = values.map(|one| one.into_iter().map(Cow::Owned).collect()).collect();
                let time = Some((EVENTS - n) as f64);
                grouper.take(&Event { values, time, is_start: false, is_end: false });
            }
            // If each event looked at all transactions, this would take minutes.
            assert!(started.elapsed().as_secs() < 20, "{name}: {:?}", started.elapsed());
        }
        // Events and transactions with many values.
        let mut grouper = Grouper::new(rules(1));
        let started = std::time::Instant::now();
        for n in 0..1_000 {
            let values = (0..500).map(|value| Cow::Owned(format!("{}", n * 250 + value))).collect();
            let event = Event { values: vec![values], time: None, is_start: false, is_end: false };
            assert_eq!(grouper.take(&event), Some(0));
        }
        assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
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
