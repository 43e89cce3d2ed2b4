//! Turns events into Arrow batches of the wanted fields, for one search or for many at a time.
//!
//! An event's `eventName` alone rules out most searches. The searches that remain form the event's
//! *class*: one walk over the event picks all the values that they read, each distinct comparison
//! runs once, and the values go to the columns of every search that matches the event.

mod class;
mod condition;
mod output;

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::ArrowError;
use foldhash::fast::RandomState;
use spilltrail_event::{Known, ScanRequest, fields};

use crate::cloudtrail::Profile;
use crate::decoder::Extracted;
use crate::event_view::{arrays, quick_time};
use crate::given::Given;
use crate::json::member;
use crate::needles::Needles;
use crate::origin::Origin;
use crate::parquet::Need;
use crate::paths::{Outer, Slots};
use crate::record::{FORMATS, Format, RawRecord};
use crate::rows::Rows;
pub use class::needed_words;
use class::{Class, Reading};
use condition::Outcomes;
use output::Outputs;

/// When one search has this many rows, the rows of all searches are handed on.
pub const BATCH_ROWS: usize = 8192;
/// The maximum number of event names whose class is cached; all of AWS has a few thousand names.
const MAX_NAMES: usize = 16 * 1024;

/// A sourcetype named by the user, with the format in which its events are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sourcetype {
    pub(crate) name: String,
    pub(crate) format: Format,
}

impl Sourcetype {
    pub(crate) fn named(name: &str) -> Self {
        let format = match name {
            "aws:cloudtrail" => Format::CloudTrail,
            name if LAKE_SOURCETYPES.contains(&name) => Format::Lake,
            // What Splunk itself writes: rows with lists, as searches gave them.
            "json" | "stash" => Format::Json,
            "csv" => Format::Csv,
            "parquet" => Format::Parquet,
            _ => Format::Other,
        };
        Self { name: name.to_owned(), format }
    }
}

/// The sourcetypes to which OCSF events answer; the field shows the first one.
///
/// CloudTrail Lake and Security Lake deliver the same events, and content asks for either.
pub const LAKE_SOURCETYPES: [&str; 2] = ["aws:cloudtrail:lake", "aws:asl"];

/// Returns the sourcetype of events of this format.
pub(crate) fn sourcetype_of(format: Format) -> &'static str {
    match format {
        Format::CloudTrail => "aws:cloudtrail",
        Format::Lake => LAKE_SOURCETYPES[0],
        Format::ModelInvocation => "json_no_timestamp",
        Format::Json | Format::Other => "json",
        Format::Csv => "csv",
        Format::Parquet => "parquet",
    }
}

/// The sourcetypes of events whose sourcetype the user does not name.
///
/// A row of plain JSON may have another one, in its own field `sourcetype`; such rows are reported
/// in [`FileReport::own_names`](crate::FileReport::own_names).
pub const SOURCETYPES: &[&str] = &[
    "aws:cloudtrail",
    "aws:cloudtrail:lake",
    "aws:asl",
    "json",
    "json_no_timestamp",
    "csv",
    "parquet",
];

/// An event to test against the searches.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event<'a> {
    pub(crate) text: &'a str,
    pub(crate) format: Format,
    /// Its `eventName`, if the event has exactly one and it is plain text.
    pub(crate) name: Option<&'a str>,
    /// The pieces of its outermost object, if they are known.
    pub(crate) outer: Option<Outer<'a>>,
}

/// Counts of the events seen so far, by how far they were processed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extraction {
    /// Events rejected by their name: no search can match it.
    pub by_name: u64,
    /// Further events rejected because they contain none of the words that their searches require.
    pub by_needle: u64,
    /// Events whose fields were read.
    pub read: u64,
    /// Rows added to the results of searches.
    pub rows: u64,
    /// Values missing from these rows: an event had several of a field that was requested as one
    /// with a single value.
    pub values_left_out: u64,
}

impl std::ops::AddAssign for Extraction {
    fn add_assign(&mut self, other: Self) {
        self.by_name += other.by_name;
        self.by_needle += other.by_needle;
        self.read += other.read;
        self.rows += other.rows;
        self.values_left_out += other.values_left_out;
    }
}

/// Tests events and collects the wanted fields of matching events for each search.
#[derive(Debug)]
pub(crate) struct Extractor {
    requests: Arc<[ScanRequest]>,
    profile: Profile,
    /// The sourcetype that the user named for all events.
    named: Option<Sourcetype>,
    /// The sourcetype of the current origin, instead of the detected one.
    sourcetype: Option<Sourcetype>,
    outputs: Outputs,
    classes: Vec<Class>,
    /// The class of each `eventName` of CloudTrail events; `None` if no search can match the name.
    by_name: HashMap<Box<str>, Option<usize>, RandomState>,
    /// For each format, the class of events whose name is not known.
    unnamed: [Option<Option<usize>>; FORMATS],
    by_searches: HashMap<(Format, Vec<usize>), usize>,
    /// The origin whose index, host and sourcetype the classes assume for all events.
    origin: Option<Origin>,
    slots: Slots,
    outcomes: Outcomes,
    counts: Extraction,
}

impl Extractor {
    /// Returns an extractor for the requests.
    ///
    /// A `sourcetype` given by the user replaces the detected one: `aws:cloudtrail`,
    /// `aws:cloudtrail:lake` and `json` select their own format, any other is read as JSON with
    /// `{}` names.
    #[must_use]
    pub(crate) fn new(
        requests: Arc<[ScanRequest]>,
        profile: Profile,
        sourcetype: Option<&str>,
    ) -> Self {
        Self {
            outputs: Outputs::new(&requests),
            requests,
            profile,
            named: sourcetype.map(Sourcetype::named),
            sourcetype: sourcetype.map(Sourcetype::named),
            classes: Vec::new(),
            by_name: HashMap::default(),
            unnamed: [None; FORMATS],
            by_searches: HashMap::new(),
            origin: None,
            slots: Slots::default(),
            outcomes: Outcomes::default(),
            counts: Extraction::default(),
        }
    }

    /// Returns the counts of the events seen so far.
    #[must_use]
    pub(crate) fn counts(&self) -> Extraction {
        self.counts
    }

    /// Prepares for events of this index, host and sourcetype, dropping cached classes if any of them
    /// has changed.
    pub(crate) fn begin(&mut self, origin: &Origin) {
        let assumed =
            self.origin.as_ref().map(|known| (&known.index, &known.host, &known.sourcetype));
        if assumed != Some((&origin.index, &origin.host, &origin.sourcetype)) {
            self.origin = Some(origin.clone());
            let own = origin.sourcetype.as_deref().map(Sourcetype::named);
            self.sourcetype = own.or_else(|| self.named.clone());
            self.classes.clear();
            self.by_name.clear();
            self.unnamed = [None; FORMATS];
            self.by_searches.clear();
        }
    }

    /// Works like [`Extractor::push`] for an event that has not been parsed yet; also returns its
    /// time.
    pub(crate) fn push_raw(&mut self, event: &RawRecord<'_>, origin: &Origin) -> Extracted {
        let RawRecord { text, format, .. } = *event;
        let name = if format == Format::CloudTrail { name_of(text) } else { None };
        let matched = self.push(&Event { text, format, name, outer: None }, origin);
        Extracted { matched, time: quick_time(text, self.format_of(format), &origin.given) }
    }

    /// Tests an event and stores its wanted fields for each request that matches it; returns
    /// whether any matches.
    ///
    /// Call [`Extractor::begin`] with the same index, host and sourcetype first.
    pub(crate) fn push(&mut self, event: &Event<'_>, origin: &Origin) -> bool {
        let format = self.format_of(event.format);
        // Of which name an event is, a given field says, too.
        let name = event.name.filter(|_| origin.given.values("eventName").is_none());
        let Some(class) = self.class_of(&Event { name, ..*event }, format) else {
            self.counts.by_name += 1;
            return false;
        };
        let class = &self.classes[class];
        // Searching the text for a few words is much cheaper than reading the event's fields.
        if class
            .needles
            .as_ref()
            .is_some_and(|needles| !may_match(needles, event.text, &origin.given))
        {
            self.counts.by_needle += 1;
            return false;
        }
        self.counts.read += 1;
        class.set.paths.pick(event.text, arrays(format), event.outer, &mut self.slots);
        let sourcetype = match &self.sourcetype {
            Some(named) => named.name.as_str(),
            None => sourcetype_of(format),
        };
        let mut reading = Reading::new(class, event.text, sourcetype, origin, &self.slots);
        self.outcomes.reset(&class.tests);
        self.outputs.begin(class.values());
        let mut is_taken = false;
        for search in &class.searches {
            if !reading.satisfies(search, &mut self.outcomes) {
                continue;
            }
            is_taken = true;
            self.counts.rows += 1;
            let left_out = self.outputs.add(search, &mut reading);
            // If a CloudTrail record repeats a key, only the last value counts.
            if format != Format::CloudTrail || origin.given.fields.is_some() {
                self.counts.values_left_out += left_out;
            }
        }
        is_taken
    }

    /// Returns the format in which events of the detected format are read.
    pub(crate) fn format_of(&self, recognised: Format) -> Format {
        self.sourcetype.as_ref().map_or(recognised, |named| named.format)
    }

    /// Returns what the requests need of events of a detected format.
    pub(crate) fn need(&self, recognised: Format) -> Need {
        let format = self.format_of(recognised);
        let mut need = Need::nothing(format, self.profile);
        for place in self.candidates(format, None) {
            let request = &self.requests[place];
            need.add_condition(&request.predicate);
            request.fields.iter().for_each(|field| need.add_field(&field.name));
        }
        need
    }

    fn class_of(&mut self, event: &Event<'_>, format: Format) -> Option<usize> {
        let Some(name) = event.name.filter(|_| format == Format::CloudTrail) else {
            if self.unnamed[format as usize].is_none() {
                self.unnamed[format as usize] = Some(self.new_class(format, None));
            }
            return self.unnamed[format as usize].flatten();
        };
        if let Some(class) = self.by_name.get(name) {
            return *class;
        }
        let class = self.new_class(format, Some(name));
        if self.by_name.len() < MAX_NAMES {
            self.by_name.insert(name.into(), class);
        }
        class
    }

    fn new_class(&mut self, format: Format, name: Option<&str>) -> Option<usize> {
        let places = self.candidates(format, name);
        (!places.is_empty()).then(|| self.class(format, places))
    }

    /// Returns the indices of the requests that may match events of this format and name.
    fn candidates(&self, format: Format, name: Option<&str>) -> Vec<usize> {
        let known = self.known(format);
        let known = |field: &str| match field {
            "eventName" => name.map(Known::Value),
            _ => known(field),
        };
        let may_match = |place: &usize| {
            let predicate = &self.requests[*place].predicate;
            let as_sourcetype = |name: &'static str| {
                predicate.outcome(&|field: &str| match field {
                    fields::SOURCETYPE => Some(Known::Value(name)),
                    _ => known(field),
                }) != Some(false)
            };
            match format {
                Format::Lake => LAKE_SOURCETYPES.into_iter().any(as_sourcetype),
                _ => predicate.outcome(&known) != Some(false),
            }
        };
        (0..self.requests.len()).filter(may_match).collect()
    }

    fn class(&mut self, format: Format, places: Vec<usize>) -> usize {
        let key = (format, places);
        if let Some(class) = self.by_searches.get(&key) {
            return *class;
        }
        let class = {
            let known = self.known(format);
            Class::new(&self.requests, &key.1, format, self.profile, &known)
        };
        self.classes.push(class);
        self.by_searches.insert(key, self.classes.len() - 1);
        self.classes.len() - 1
    }

    /// Returns what all events of a format have in common, by field.
    ///
    /// For formats other than CloudTrail's, only an index that the user named is known, because
    /// their events may have such fields of their own.
    fn known<'s>(&'s self, format: Format) -> impl Fn(&str) -> Option<Known<'s>> + 's {
        move |field: &str| {
            let is_fixed = !format.is_row();
            let index = self.origin.as_ref().and_then(|origin| origin.index.as_deref());
            match (field, index) {
                (fields::INDEX, Some(index)) => Some(Known::Value(index)),
                _ if !is_fixed => None,
                (fields::INDEX, None) => Some(Known::Absent),
                // Each row of a table of stored events has its own.
                (fields::HOST, _) => {
                    let origin = self.origin.as_ref().filter(|origin| !origin.is_stored);
                    origin.map(|origin| Known::Value(&origin.host))
                }
                // OCSF events answer to several, so that they are compared one by one.
                (fields::SOURCETYPE, _) if format == Format::Lake => None,
                (fields::SOURCETYPE, _) => Some(Known::Value(match &self.sourcetype {
                    Some(named) => &named.name,
                    None => sourcetype_of(format),
                })),
                _ => None,
            }
        }
    }

    /// Returns true if enough rows have collected to take them.
    pub(crate) fn is_full(&self) -> bool {
        self.outputs.are_full()
    }

    /// Passes the rows of each request that has any to `take`, with the request's index.
    ///
    /// # Errors
    /// Does not fail for columns of the request's own kinds; the error is Arrow's.
    pub(crate) fn take(&mut self, take: &mut dyn FnMut(usize, Rows)) -> Result<(), ArrowError> {
        self.outputs.take(take)
    }
}

/// Returns false if an event cannot match.
fn may_match(needles: &Needles, text: &str, given: &Given) -> bool {
    needles.may_match(text)
        || given.fields.as_ref().is_some_and(|fields| {
            fields.iter().any(|(_, values)| values.iter().any(|value| needles.may_match(value)))
        })
}

/// Returns the `eventName` of an event that has not been parsed yet, if it has only one and it is
/// plain.
fn name_of(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let mut names = memchr::memmem::find_iter(bytes, b"eventName");
    let is_single = names.next().is_some() && names.next().is_none();
    // An escape such as `\u0065` could hide another `eventName` key.
    let is_plain = memchr::memmem::find(bytes, b"\\u").is_none();
    let value = member(bytes, b"eventName").filter(|_| is_single && is_plain)?;
    let name = text.get(value)?.strip_prefix('"')?.strip_suffix('"')?;
    (!name.contains('\\')).then_some(name)
}

// Extractors move between threads.
const _: fn() = || {
    fn is_send<T: Send>() {}
    is_send::<Extractor>();
};
