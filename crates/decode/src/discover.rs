//! Learns which fields the matching events have, for searches that want all of them.

use indexmap::IndexMap;
use spilltrail_event::{Demand, Field, Kind, Predicate};

use crate::cloudtrail::{Derived, Profile, Values, derived_field, derived_fields};
use crate::decoder::Extracted;
use crate::event_view::{BUILTINS, EventTime, EventView, FieldSet, FieldSource, Origin, arrays};
use crate::extract::{Sourcetype, sourcetype_of};
use crate::paths::{Slots, flatten};
use crate::record::{Format, RawRecord};

/// How many names are kept.
pub const MAX_FIELDS: usize = 50_000;

/// What is known of a field so far.
#[derive(Debug, Clone, Copy)]
struct Seen {
    kind: Kind,
    /// The number of the event that had it last.
    event: u64,
}

/// Collects the names and kinds of fields, in the order in which they are first seen.
#[derive(Debug)]
pub struct Discovery {
    predicate: Predicate,
    demand: Demand,
    profile: Profile,
    sourcetype: Option<Sourcetype>,
    tested: Vec<FieldSet>,
    /// Derived fields that the demand covers.
    derived: Vec<&'static Derived>,
    all: FieldSet,
    seen: IndexMap<String, Seen>,
    left_out: u64,
    events: u64,
    slots: Slots,
}

impl Discovery {
    /// Begins with no field known. Only fields that `demand` wants, of events that `predicate` takes,
    /// are collected.
    #[must_use]
    pub fn new(
        predicate: &Predicate,
        demand: &Demand,
        profile: Profile,
        sourcetype: Option<&str>,
    ) -> Self {
        let formats = [Format::CloudTrail, Format::Lake, Format::Json, Format::Other];
        let tested = formats.into_iter().map(|format| {
            let mut set = FieldSet::new(format, profile);
            predicate.fields().into_iter().for_each(|name| {
                set.add(name);
            });
            set
        });
        let derived: Vec<_> =
            derived_fields(profile).iter().filter(|field| demand.wants(field.name)).collect();
        let mut all = FieldSet::new(Format::CloudTrail, profile);
        for field in &derived {
            all.add(field.name);
        }
        Self {
            predicate: predicate.clone(),
            demand: demand.clone(),
            profile,
            sourcetype: sourcetype.map(Sourcetype::named),
            tested: tested.collect(),
            derived,
            all,
            seen: IndexMap::new(),
            left_out: 0,
            events: 0,
            slots: Slots::default(),
        }
    }

    /// Takes note of the fields of an event that was cut out before, if it matches.
    pub fn see_event(&mut self, event: &RawRecord<'_>, origin: &Origin) {
        self.push(event, origin);
    }

    /// Takes note of an event's fields if it matches.
    pub(crate) fn push(&mut self, event: &RawRecord<'_>, origin: &Origin) -> Extracted {
        let record = event.text;
        let (format, sourcetype) = match &self.sourcetype {
            Some(named) => (named.format, named.name.as_str()),
            None => (event.format, sourcetype_of(event.format)),
        };
        let set = &self.tested[format as usize];
        set.paths.pick(record, arrays(format), None, &mut self.slots);
        let time = EventTime::of(record, set, &self.slots);
        let view = EventView { record, sourcetype, origin, set, slots: &self.slots, time };
        let matched = self.predicate.matches(&view);
        if matched {
            self.events += 1;
            self.see_builtins(time);
            self.see_members(record, format);
            if format == Format::CloudTrail {
                self.see_derived(record, origin, time);
            }
        }
        Extracted { matched, time: time.epoch }
    }

    fn see_builtins(&mut self, time: EventTime) {
        for (name, builtin) in BUILTINS {
            let is_there = match builtin {
                crate::event_view::Builtin::Time => time.epoch.is_some(),
                _ if name.starts_with("date_") => time.written.is_some(),
                _ => true,
            };
            if is_there {
                let kind = if name == "_time" { Kind::Number } else { Kind::Text };
                self.see(name, kind);
            }
        }
    }

    fn see_members(&mut self, record: &str, format: Format) {
        let is_cloudtrail = format == Format::CloudTrail;
        flatten(record, arrays(format), &mut |name, _| {
            let is_builtin = BUILTINS.iter().any(|(builtin, _)| *builtin == name);
            // A derived field of that name stands for the member, even where it has no value.
            if is_builtin || (is_cloudtrail && derived_field(name, self.profile).is_some()) {
                return;
            }
            // Of a key that a CloudTrail record repeats, the last value counts.
            let again = self.seen.get(name).is_some_and(|seen| seen.event == self.events);
            let is_multi = name.contains("{}") || (!is_cloudtrail && again);
            self.see(name, if is_multi { Kind::Multi } else { Kind::Text });
        });
    }

    fn see_derived(&mut self, record: &str, origin: &Origin, time: EventTime) {
        let sourcetype = sourcetype_of(Format::CloudTrail);
        self.all.paths.pick(record, arrays(Format::CloudTrail), None, &mut self.slots);
        for index in 0..self.derived.len() {
            let field = self.derived[index];
            let set = &self.all;
            let view = EventView { record, sourcetype, origin, set, slots: &self.slots, time };
            if view.values(FieldSource::Derived(field)) != Values::None {
                self.see(field.name, field.kind);
            }
        }
    }

    fn see(&mut self, name: &str, kind: Kind) {
        let event = self.events;
        if let Some(seen) = self.seen.get_mut(name) {
            *seen = Seen { kind: seen.kind.or(kind), event };
        } else if self.demand.wants(name) {
            if self.seen.len() < MAX_FIELDS {
                self.seen.insert(name.to_owned(), Seen { kind, event });
            } else {
                self.left_out += 1;
            }
        }
    }

    /// Returns the fields, in the order in which they were first seen.
    #[must_use]
    pub fn fields(&self) -> Vec<Field> {
        self.seen.iter().map(|(name, seen)| Field::new(name, seen.kind)).collect()
    }

    /// Returns how often a field was met that is left out because there are more than
    /// [`MAX_FIELDS`]; that has to be told to the user.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Adds what another discovery of the same request found, after one's own fields.
    pub fn merge(&mut self, other: &Self) {
        for (name, seen) in &other.seen {
            self.see(name, seen.kind);
        }
        self.left_out += other.left_out;
    }
}
