//! Groups the searches that may match the same events: the fields they read, test and keep.

use std::collections::HashMap;

use spilltrail_event::{Kind, Known, ScanRequest};

use super::condition::{Condition, Outcomes, Tests};
use super::output::Repeats;
use crate::cloudtrail::{Profile, Values};
use crate::event_view::{Builtin, EventTime, EventView, FieldSet, FieldSource, Whole};
use crate::given::GivenFields;
use crate::needles::Needles;
use crate::origin::Origin;
use crate::paths::Slots;
use crate::record::Format;

/// Describes how to read events that the same searches may match.
#[derive(Debug)]
pub(super) struct Class {
    /// Words of which an event must contain at least one.
    pub(super) needles: Option<Needles>,
    pub(super) set: FieldSet,
    /// The name of each value.
    names: Vec<String>,
    /// The source of each value.
    sources: Vec<FieldSource>,
    /// For each value, whether it repeats from event to event.
    repeats: Vec<Repeats>,
    pub(super) tests: Tests,
    pub(super) searches: Vec<ClassSearch>,
}

/// One search of a class.
#[derive(Debug)]
pub(super) struct ClassSearch {
    /// Its index among all searches.
    pub(super) place: usize,
    pub(super) condition: Condition,
    /// For each column, the index of its value, or `None` for `_time` as a number.
    pub(super) columns: Vec<Option<usize>>,
}

impl Class {
    /// Prepares to read events of one format for the searches with the indices `places`.
    pub(super) fn new<'k>(
        requests: &[ScanRequest],
        places: &[usize],
        format: Format,
        profile: Profile,
        known: &dyn Fn(&str) -> Option<Known<'k>>,
    ) -> Self {
        let set = FieldSet::new(format, profile);
        let mut fields =
            Fields { set, names: Vec::new(), sources: Vec::new(), indices: HashMap::new() };
        let mut tests = Tests::default();
        let searches = places
            .iter()
            .map(|place| {
                let request = &requests[*place];
                let condition =
                    tests.add(&request.predicate, known, &mut |name| fields.place(name));
                let columns = request.fields.iter().map(|field| {
                    let is_time = field.name == spilltrail_event::fields::TIME;
                    (!(is_time && field.kind == Kind::Number)).then(|| fields.place(&field.name))
                });
                ClassSearch { place: *place, columns: columns.collect(), condition }
            })
            .collect();
        let needles = needles(requests, places, format, profile);
        let repeats = vec![Repeats::default(); fields.sources.len()];
        let Fields { set, names, sources, .. } = fields;
        Self { needles, set, names, sources, repeats, tests, searches }
    }

    /// Returns the number of values that the searches read from an event.
    pub(super) fn values(&self) -> usize {
        self.sources.len()
    }
}

/// The fields of a class, each read once.
struct Fields {
    set: FieldSet,
    names: Vec<String>,
    sources: Vec<FieldSource>,
    /// The index in `sources` of each field.
    indices: HashMap<String, usize>,
}

impl Fields {
    fn place(&mut self, name: &str) -> usize {
        if let Some(index) = self.indices.get(name) {
            return *index;
        }
        let index = self.sources.len();
        self.sources.push(self.set.add(name));
        self.names.push(name.to_owned());
        self.indices.insert(name.to_owned(), index);
        index
    }
}

/// Returns lowercase words of which a CloudTrail event must contain at least one to match a search.
///
/// Returns `None` if the search may match events that contain none of a known set of words.
#[must_use]
pub fn needed_words(request: &ScanRequest, profile: Profile) -> Option<Vec<String>> {
    let needles = needles(std::slice::from_ref(request), &[0], Format::CloudTrail, profile);
    needles.map(|needles| needles.words().collect())
}

/// Returns the words required by any of the searches, or `None` if one of them requires no word.
fn needles(
    requests: &[ScanRequest],
    places: &[usize],
    format: Format,
    profile: Profile,
) -> Option<Needles> {
    let predicates = places.iter().map(|place| &requests[*place].predicate);
    Needles::of_all(predicates, format, profile)
}

/// Reads one event of a class.
pub(super) struct Reading<'a> {
    class: &'a Class,
    view: EventView<'a>,
    time: Option<EventTime>,
    given: Option<&'a GivenFields>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(
        class: &'a Class,
        record: &'a str,
        sourcetype: &'a str,
        origin: &'a Origin,
        slots: &'a Slots,
    ) -> Self {
        let time = EventTime::default();
        let view = EventView { record, sourcetype, origin, set: &class.set, slots, time };
        Self { class, view, time: None, given: origin.given.fields.as_deref() }
    }

    /// Returns true if the field with an index is a sourcetype of which the event has several.
    pub(super) fn has_several_names(&self, place: usize) -> bool {
        self.view.has_several_names(self.class.sources[place])
    }

    /// Returns the time of the event.
    pub(super) fn time(&mut self) -> EventTime {
        *self.time.get_or_insert_with(|| {
            let EventView { record, set, slots, origin, .. } = self.view;
            self.view.time = EventTime::of(record, set, slots, &origin.given);
            self.view.time
        })
    }

    /// Returns true if it is certain at once that the field with an index has no value.
    pub(super) fn is_absent(&self, place: usize) -> bool {
        self.given(place).is_none() && self.view.is_absent(self.class.sources[place])
    }

    /// Returns the given values of the field with an index, which count instead of those of the text.
    fn given(&self, place: usize) -> Option<&'a [String]> {
        let fields = self.given?;
        let class = self.class;
        class.sources[place].may_be_given().then(|| fields.values(&class.names[place]))?
    }

    /// Returns the values of the field with an index.
    pub(super) fn values(&mut self, place: usize) -> Values<'a> {
        if let Some(given) = self.given(place) {
            return given.into();
        }
        let source = self.source(place);
        self.view.values(source)
    }

    /// Returns the values with which a search compares.
    pub(super) fn compared_values(&mut self, place: usize) -> Values<'a> {
        if let Some(given) = self.given(place) {
            return given.into();
        }
        let source = self.source(place);
        self.view.compared_values(source)
    }

    /// Returns the source of the field with an index, with everything known that it needs.
    fn source(&mut self, place: usize) -> FieldSource {
        let source = self.class.sources[place];
        if self.needs_time(source) {
            self.time();
        }
        source
    }

    fn needs_time(&self, source: FieldSource) -> bool {
        match source {
            FieldSource::Builtin(builtin) => needs_time(builtin),
            // A time that is not in the text is kept with an event.
            FieldSource::Whole(Whole::Source) => self.view.origin.given.time.is_some(),
            _ => false,
        }
    }

    /// Returns the repeat statistics of the value with an index.
    pub(super) fn repeats(&self, place: usize) -> &Repeats {
        &self.class.repeats[place]
    }

    /// Returns true if a search matches the event.
    pub(super) fn satisfies(&mut self, search: &ClassSearch, outcomes: &mut Outcomes) -> bool {
        let class = self.class;
        class.tests.holds(&search.condition, self, outcomes)
    }
}

fn needs_time(builtin: Builtin) -> bool {
    !matches!(
        builtin,
        Builtin::Raw
            | Builtin::Index
            | Builtin::Host
            | Builtin::Source
            | Builtin::Sourcetype
            | Builtin::Linecount
    )
}
