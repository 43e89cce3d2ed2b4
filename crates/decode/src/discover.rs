//! Collects the fields of the matching events, for searches that want all fields.

use std::collections::HashSet;
use std::ops::ControlFlow;

use foldhash::fast::RandomState;
use indexmap::IndexMap;
use spilltrail_event::{Demand, Field, Kind, Predicate, ScanRequest, StopToken, fields};

use crate::cloudtrail::{Derived, Profile, Values, derived_fields};
use crate::decoder::{Consumer, Extracted, FileReader, event_of};
use crate::delivered::WholeRecord;
use crate::event_view::{BUILTINS, Builtin, EventTime, EventView, FieldSet, FieldSource, arrays};
use crate::extract::{Extractor, sourcetype_of};
use crate::given::GivenFields;
use crate::inflate::{Input, MakeScratch};
use crate::origin::Origin;
use crate::parquet::Need;
use crate::paths::{Outer, Slots, flatten};
use crate::record::{FORMATS, Format, RawRecord};
use crate::report::FileReport;
use crate::split::Part;

/// The maximum number of field names kept.
pub const MAX_FIELDS: usize = 50_000;

/// The state of one field.
#[derive(Debug, Clone, Copy)]
struct Seen {
    kind: Kind,
    /// The number of the last event that has the field.
    event: u64,
}

impl Seen {
    fn again(&mut self, kind: Kind, event: u64) {
        *self = Self { kind: self.kind.or(kind), event };
    }
}

/// Collects the names and kinds of fields, in the order in which they first appear.
#[derive(Debug)]
pub struct Discovery {
    reader: FileReader,
    collector: Collector,
}

/// Fields found in a part of the logs.
#[derive(Debug, Default)]
pub struct FoundFields {
    seen: IndexMap<String, Seen, RandomState>,
    left_out: u64,
}

impl FoundFields {
    /// Returns the memory used by the collected fields, in bytes.
    #[must_use]
    pub fn memory(&self) -> usize {
        let names: usize = self.seen.keys().map(String::capacity).sum();
        names + self.seen.capacity() * size_of::<(usize, String, Seen)>()
    }

    fn see(&mut self, name: &str, kind: Kind, event: u64) {
        match self.seen.get_mut(name) {
            Some(seen) => seen.again(kind, event),
            None => self.add(name, kind, event),
        }
    }

    /// Adds a field that has not been seen yet.
    fn add(&mut self, name: &str, kind: Kind, event: u64) {
        if self.seen.len() < MAX_FIELDS {
            self.seen.insert(name.to_owned(), Seen { kind, event });
        } else {
            self.left_out += 1;
        }
    }
}

impl Discovery {
    /// Returns a discovery without any fields.
    ///
    /// It collects only fields that `demand` wants, from events that match `predicate`. `stop` ends
    /// the reading of a file between two events; `scratch` returns storage for nested archives.
    #[must_use]
    pub fn new(
        predicate: &Predicate,
        demand: &Demand,
        profile: Profile,
        sourcetype: Option<&str>,
        stop: StopToken,
        scratch: MakeScratch,
    ) -> Self {
        let collector = Collector::new(predicate, demand, profile, sourcetype);
        Self { reader: FileReader::new(None, stop, scratch), collector }
    }

    /// Collects the fields of one file's matching events.
    pub fn read(&mut self, input: Input, origin: &Origin) -> FileReport {
        self.collector.extractor.begin(origin);
        self.reader.read(input, origin, &mut self.collector)
    }

    /// Works like [`Discovery::read`] for a file that is completely in memory; discards its bytes.
    pub fn read_whole(&mut self, file: &mut Vec<u8>, origin: &Origin) -> FileReport {
        self.collector.extractor.begin(origin);
        self.reader.read_whole(file, origin, &mut self.collector)
    }

    /// Collects the fields of an already separated event if it matches.
    pub fn see_event(&mut self, event: &RawRecord<'_>, origin: &Origin) {
        self.collector.extractor.begin(origin);
        // The collector never stops early.
        let _ = self.collector.event(event, origin);
    }

    /// Returns the fields found so far and starts over without any.
    pub fn take(&mut self) -> FoundFields {
        std::mem::take(&mut self.collector.found)
    }

    /// Adds the fields that another discovery of the same request found, after this one's fields.
    pub fn add(&mut self, other: FoundFields) {
        let found = &mut self.collector.found;
        for (name, Seen { kind, event }) in &other.seen {
            found.see(name, *kind, *event);
        }
        found.left_out += other.left_out;
    }

    /// Returns the fields, in the order in which they first appeared.
    #[must_use]
    pub fn fields(&self) -> Vec<Field> {
        let seen = &self.collector.found.seen;
        seen.iter().map(|(name, seen)| Field::new(name, seen.kind)).collect()
    }

    /// Returns how many field occurrences were dropped because more than [`MAX_FIELDS`] names were
    /// found.
    ///
    /// The user must see this count.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.collector.found.left_out
    }
}

/// Collects the fields of matching events.
#[derive(Debug)]
struct Collector {
    /// Decides which events match; its request contains no fields.
    extractor: Extractor,
    demand: Demand,
    /// The values to read from matching events, by format: the time and, for CloudTrail, the inputs
    /// of derived fields.
    sets: [FieldSet; FORMATS],
    /// The derived fields that the demand covers.
    derived: Vec<&'static Derived>,
    /// The names of all derived fields, which replace members of CloudTrail events.
    replaced: HashSet<&'static str, RandomState>,
    /// The names of fields that every event has, whatever its members.
    builtin: HashSet<&'static str, RandomState>,
    found: FoundFields,
    events: u64,
    slots: Slots,
}

impl Collector {
    fn new(
        predicate: &Predicate,
        demand: &Demand,
        profile: Profile,
        sourcetype: Option<&str>,
    ) -> Self {
        let derived: Vec<_> =
            derived_fields(profile).iter().filter(|field| demand.wants(field.name)).collect();
        let sets = Format::ALL.map(|format| {
            let mut set = FieldSet::new(format, profile);
            if format == Format::CloudTrail {
                for field in &derived {
                    set.add(field.name);
                }
            }
            set
        });
        let request = ScanRequest { predicate: predicate.clone(), fields: Vec::new() };
        Self {
            extractor: Extractor::new([request].into(), profile, sourcetype),
            demand: demand.clone(),
            sets,
            derived,
            replaced: derived_fields(profile).iter().map(|field| field.name).collect(),
            builtin: BUILTINS.iter().map(|(name, _)| *name).collect(),
            found: FoundFields::default(),
            events: 0,
            slots: Slots::default(),
        }
    }

    /// Collects the fields of a matching event.
    fn see_fields(
        &mut self,
        record: &str,
        format: Format,
        outer: Option<Outer<'_>>,
        origin: &Origin,
    ) {
        if self.extractor.is_full() {
            // The request has no fields, so its rows hold no values worth keeping.
            let _ = self.extractor.take(&mut |_, _| {});
        }
        self.events += 1;
        let set = &self.sets[format as usize];
        set.paths.pick(record, arrays(format), outer, &mut self.slots);
        let time = EventTime::of(record, set, &self.slots, &origin.given);
        self.see_builtins(time, origin);
        self.see_members(record, format, origin);
        if format == Format::CloudTrail {
            self.see_derived(record, origin, time);
        }
        if let Some(fields) = &origin.given.fields {
            self.see_given(fields);
        }
    }

    fn see_given(&mut self, fields: &GivenFields) {
        for (name, values) in fields.iter() {
            // What every event has is not given.
            if !self.builtin.contains(name) {
                self.see(name, if values.len() > 1 { Kind::Multi } else { Kind::Text });
            }
        }
    }

    fn see_builtins(&mut self, time: EventTime, origin: &Origin) {
        for (name, builtin) in BUILTINS {
            let is_there = match builtin {
                Builtin::Time => time.epoch.is_some(),
                Builtin::Index => origin.index.is_some(),
                _ if name.starts_with("date_") => time.written.is_some(),
                _ => true,
            };
            if is_there {
                let kind = if name == "_time" { Kind::Number } else { Kind::Text };
                self.see(name, kind);
            }
        }
    }

    fn see_members(&mut self, record: &str, format: Format, origin: &Origin) {
        let is_cloudtrail = format == Format::CloudTrail;
        let has_own_index = format.has_own_names() && origin.index.is_none();
        flatten(record, arrays(format), &mut |name, _| {
            let is_builtin =
                self.builtin.contains(name) && !(name == fields::INDEX && has_own_index);
            // A derived field replaces the member of the same name, even where it has no value.
            if is_builtin || (is_cloudtrail && self.replaced.contains(name)) {
                return;
            }
            let is_multi = name.contains("{}");
            let kind = |is_multi| if is_multi { Kind::Multi } else { Kind::Text };
            match self.found.seen.get_mut(name) {
                Some(seen) => {
                    // If a CloudTrail record repeats a key, only the last value counts.
                    let is_repeated = !is_cloudtrail && seen.event == self.events;
                    seen.again(kind(is_multi || is_repeated), self.events);
                }
                None if self.demand.wants(name) => {
                    self.found.add(name, kind(is_multi), self.events);
                }
                None => {}
            }
        });
    }

    fn see_derived(&mut self, record: &str, origin: &Origin, time: EventTime) {
        let sourcetype = sourcetype_of(Format::CloudTrail);
        for index in 0..self.derived.len() {
            let field = self.derived[index];
            let set = &self.sets[Format::CloudTrail as usize];
            let view = EventView { record, sourcetype, origin, set, slots: &self.slots, time };
            if view.values(FieldSource::Derived(field)) != Values::None {
                self.see(field.name, field.kind);
            }
        }
    }

    fn see(&mut self, name: &str, kind: Kind) {
        if self.demand.wants(name) {
            self.found.see(name, kind, self.events);
        }
    }
}

impl Consumer for Collector {
    fn need(&self, format: Format) -> Need {
        let mut need = self.extractor.need(format);
        if self.demand.is_open() {
            need.add_all_members();
        }
        self.demand.names.iter().for_each(|name| need.add_field(name));
        need
    }

    fn begin(&mut self, origin: &Origin) {
        self.extractor.begin(origin);
    }

    fn event(&mut self, event: &RawRecord<'_>, origin: &Origin) -> (Extracted, ControlFlow<()>) {
        let extracted = self.extractor.push_raw(event, origin);
        if extracted.matched {
            self.see_fields(event.text, self.extractor.format_of(event.format), None, origin);
        }
        (extracted, ControlFlow::Continue(()))
    }

    fn record(
        &mut self,
        record: &WholeRecord<'_>,
        part: Part<'_>,
        origin: &Origin,
    ) -> (bool, ControlFlow<()>) {
        let event = event_of(record, part);
        let matched = self.extractor.push(&event, origin);
        if matched {
            let format = self.extractor.format_of(event.format);
            self.see_fields(event.text, format, event.outer, origin);
        }
        (matched, ControlFlow::Continue(()))
    }
}
