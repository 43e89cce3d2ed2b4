//! Matches events to the rows of a search that they belong to, and collects ids, counts and times.

use std::collections::HashMap;
use std::hash::BuildHasher;

use foldhash::fast::{FixedState, RandomState};
use spilltrail_event::Value;
use spilltrail_event::fields::TIME;
use spilltrail_search::rows::Columns;
use spilltrail_search::rows::Row;
use spilltrail_search::rows::arrow::ColumnReader;
use spilltrail_search::run::outline::{EVENT_ID, EVENT_TIME, original_column};

use crate::evidence::{Evidence, Gathered, MAX_EVENT_IDS, members, term, with_terms};

/// Most combinations of multivalue members that are tried for one event or row.
const MAX_COMBINATIONS: usize = 64;

/// The rows of a run, indexed by the values of the grouping fields, which their events share.
pub(crate) struct Trails<'a> {
    grouping: &'a [String],
    originals: Vec<String>,
    trails: Vec<Trail>,
    /// For each row, the index of its trail. Rows with the same values share one trail.
    of_row: Vec<usize>,
    /// The index of the trail by all values of a row.
    by_values: HashMap<Key, usize, RandomState>,
    /// One entry for each set of grouping fields that are present in some row.
    index: Vec<Keyed>,
    /// True if the grouping contains the time, so the search for a row's events needs time bounds.
    is_timed: bool,
    /// True if an event may appear as several consecutive rows.
    repeats_events: bool,
}

/// The rows in which exactly `fields` are present, by the values of those fields.
#[derive(Debug)]
struct Keyed {
    fields: Vec<usize>,
    rows: HashMap<Key, Vec<usize>, RandomState>,
}

/// The values of a row, each preceded by its length, so that different lists have different keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Key(Vec<u8>);

impl Key {
    fn push(&mut self, value: &str) {
        self.0.extend_from_slice(&(value.len() as u64).to_le_bytes());
        self.0.extend_from_slice(value.as_bytes());
    }

    fn of_lists(lists: &[Vec<String>]) -> Self {
        let mut key = Self::default();
        for values in lists {
            key.0.extend_from_slice(&(values.len() as u64).to_le_bytes());
            values.iter().for_each(|value| key.push(value));
        }
        key
    }

    fn of<'a>(values: impl IntoIterator<Item = &'a str>) -> Self {
        let mut key = Self::default();
        values.into_iter().for_each(|value| key.push(value));
        key
    }
}

/// The columns of the events that are needed to find the rows they belong to.
struct EventColumns<'a> {
    grouping: Vec<Option<&'a ColumnReader>>,
    originals: Vec<Option<&'a ColumnReader>>,
    id: Option<&'a ColumnReader>,
    time: Option<&'a ColumnReader>,
}

/// The events found so far for all rows with the same values.
#[derive(Debug)]
struct Trail {
    /// The values of each grouping field in the row.
    values: Vec<Vec<String>>,
    ids: Vec<String>,
    /// For each field, whether all events had the row's value before the search changed the field.
    is_original: Vec<bool>,
    /// Number of events.
    events: u64,
    /// The hash of the id of the last counted event, if events repeat.
    counted: Option<u64>,
    oldest: f64,
    newest: f64,
}

impl<'a> Trails<'a> {
    /// Creates the index for the rows of a search that groups by the fields `grouping`.
    pub(crate) fn new(grouping: &'a [String], rows: &[Row], repeats_events: bool) -> Self {
        let mut trails = Self {
            grouping,
            originals: (0..grouping.len()).map(original_column).collect(),
            trails: Vec::new(),
            of_row: Vec::with_capacity(rows.len()),
            by_values: HashMap::default(),
            index: Vec::new(),
            repeats_events,
            is_timed: grouping.iter().any(|name| name == TIME),
        };
        for row in rows {
            trails.add(row);
        }
        trails
    }

    fn add(&mut self, row: &Row) {
        let values: Vec<Vec<String>> =
            self.grouping.iter().map(|name| members(row, name)).collect();
        let number = self.trails.len();
        let known = *self.by_values.entry(Key::of_lists(&values)).or_insert(number);
        self.of_row.push(known);
        if known < number {
            return;
        }
        let present: Vec<usize> = (0..values.len()).filter(|i| !values[*i].is_empty()).collect();
        // A row without any value of its grouping fields does not identify its events.
        if !present.is_empty() || self.grouping.is_empty() {
            let known = self.index.iter().position(|keyed| keyed.fields == present);
            let place = known.unwrap_or_else(|| {
                self.index.push(Keyed { fields: present.clone(), rows: HashMap::default() });
                self.index.len() - 1
            });
            for chosen in combinations(present.iter().map(|i| values[*i].as_slice())) {
                let key = Key::of(chosen.iter().map(String::as_str));
                self.index[place].rows.entry(key).or_default().push(number);
            }
        }
        self.trails.push(Trail {
            is_original: vec![true; values.len()],
            values,
            ids: Vec::new(),
            events: 0,
            counted: None,
            oldest: f64::INFINITY,
            newest: f64::NEG_INFINITY,
        });
    }

    /// Adds events to the trails of the rows that they belong to.
    pub(crate) fn follow_all(&mut self, events: &Columns) {
        let columns = EventColumns {
            grouping: self.grouping.iter().map(|name| events.get(name)).collect(),
            originals: self.originals.iter().map(|name| events.get(name)).collect(),
            id: events.get(EVENT_ID),
            time: events.get(EVENT_TIME),
        };
        let names: Vec<&str> =
            self.grouping.iter().chain(&self.originals).map(String::as_str).collect();
        let mut memo = events.memo(&names);
        let (mut found, mut key) = (Vec::new(), Key::default());
        for row in 0..events.rows() {
            // Events with the same values belong to the same rows, so the result is reused.
            let places = memo.get_or(row, || {
                let start = found.len();
                self.find(&columns, row, &mut key, &mut found);
                for number in &found[start..] {
                    self.trails[*number].compare(&columns, row);
                }
                start..found.len()
            });
            if found[places.clone()].is_empty() {
                continue;
            }
            let event = if self.repeats_events { columns.event(row) } else { None };
            for number in &found[places] {
                self.trails[*number].add(&columns, row, event);
            }
        }
    }

    /// Appends the indexes of the trails that an event belongs to. `key` is a reusable buffer.
    fn find(&self, events: &EventColumns<'_>, row: usize, key: &mut Key, found: &mut Vec<usize>) {
        let start = found.len();
        let value = |field: &usize| events.grouping[*field].map(|column| column.value(row));
        for Keyed { fields, rows } in &self.index {
            key.0.clear();
            let mut is_single = true;
            let mut is_whole = true;
            for field in fields {
                match value(field) {
                    None | Some(Value::Null) => is_whole = false,
                    Some(Value::Text(text)) => key.push(&text),
                    Some(Value::Multi(_)) => is_single = false,
                    Some(single) => key.push(&single.to_text().unwrap_or_default()),
                }
            }
            if !is_whole {
                continue;
            }
            if is_single {
                found.extend(rows.get(key).into_iter().flatten());
                continue;
            }
            let values: Vec<Vec<String>> = fields
                .iter()
                .map(|field| {
                    let members = value(field).map(Value::into_members).unwrap_or_default();
                    members.into_iter().map(std::borrow::Cow::into_owned).collect()
                })
                .collect();
            for chosen in combinations(values.iter().map(Vec::as_slice)) {
                let key = Key::of(chosen.iter().map(String::as_str));
                found.extend(rows.get(&key).into_iter().flatten());
            }
        }
        let mut own = found.split_off(start);
        // Several combinations may lead to the same row.
        own.sort_unstable();
        own.dedup();
        found.append(&mut own);
    }

    /// Returns the evidence of each row. Time bounds are not added to a search that already has
    /// some.
    pub(crate) fn finish(self, leading: &str, has_own_times: bool) -> Vec<Gathered> {
        let grouping = self.grouping;
        let bounded = self.is_timed && !has_own_times;
        let trails = self.trails.into_iter();
        let gathered: Vec<Gathered> =
            trails.map(|trail| trail.finish(grouping, leading, bounded)).collect();
        self.of_row.into_iter().map(|number| gathered[number].clone()).collect()
    }
}

impl EventColumns<'_> {
    /// Returns a hash of the event's id, if it has one.
    fn event(&self, row: usize) -> Option<u64> {
        let id = self.id?.value(row);
        let id = id.to_text()?;
        Some(FixedState::default().hash_one(id.as_bytes()))
    }
}

impl Trail {
    fn is_full(&self) -> bool {
        self.ids.len() >= MAX_EVENT_IDS
    }

    /// Checks for each field whether the unchanged event has one of the row's values.
    fn compare(&mut self, events: &EventColumns<'_>, row: usize) {
        for (index, column) in events.originals.iter().enumerate() {
            if self.is_original[index] {
                let own = column.map_or(Value::Null, |column| column.value(row));
                let values = &self.values[index];
                let is_one = |own: &str| values.iter().any(|value| value == own);
                self.is_original[index] = match &own {
                    Value::Text(text) => is_one(text),
                    other => other.members().iter().any(|own| is_one(own)),
                };
            }
        }
    }

    /// Adds an event. If events repeat, `event` is its hash, so that it is counted once.
    fn add(&mut self, events: &EventColumns<'_>, row: usize, event: Option<u64>) {
        if event.is_none() || event != self.counted {
            self.events += 1;
            self.counted = event;
        }
        if let Some(time) = events.time.and_then(|column| column.value(row).as_number()) {
            self.oldest = self.oldest.min(time);
            self.newest = self.newest.max(time);
        }
        if self.is_full() {
            return;
        }
        let ids = events.id.map_or(Value::Null, |column| column.value(row));
        for id in ids.members() {
            if !self.is_full() && !self.ids.iter().any(|known| *known == id) {
                self.ids.push(id.into_owned());
            }
        }
    }

    fn finish(self, grouping: &[String], leading: &str, bounded: bool) -> Gathered {
        let mut terms = Vec::new();
        if self.events > 0 {
            let fields = grouping.iter().zip(&self.values).zip(&self.is_original);
            terms.extend(
                fields
                    .filter(|((name, _), is_original)| **is_original && !name.starts_with('_'))
                    .filter_map(|((name, values), _)| term(name, values)),
            );
        }
        if bounded && self.oldest <= self.newest {
            let number = spilltrail_event::format_number;
            terms.push(format!("earliest={}", number(self.oldest.floor())));
            terms.push(format!("latest={}", number(self.newest.floor() + 1.0)));
        }
        let evidence = Evidence {
            search: with_terms(leading, &terms),
            event_ids: self.ids,
            events: (self.events > 0).then_some(self.events),
        };
        let known = |time: f64| time.is_finite().then_some(time);
        Gathered { evidence, oldest: known(self.oldest), newest: known(self.newest) }
    }
}

/// Returns all combinations of one member from each value, at most [`MAX_COMBINATIONS`].
fn combinations<'a>(values: impl Iterator<Item = &'a [String]>) -> Vec<Vec<String>> {
    let mut chosen: Vec<Vec<String>> = vec![Vec::new()];
    for members in values {
        chosen = chosen
            .iter()
            .flat_map(|start| {
                members.iter().map(move |member| {
                    let mut longer = start.clone();
                    longer.push(member.clone());
                    longer
                })
            })
            .take(MAX_COMBINATIONS)
            .collect();
    }
    chosen
}
