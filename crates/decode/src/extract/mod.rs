//! Events in, Arrow batches of the wanted fields out, for one search or for many at a time.
//!
//! An event's `eventName` alone tells most searches that it is not theirs. The searches that remain
//! are its *class*: what these read is picked out of the event in one walk, their comparisons are made
//! once each, and the values go to the columns of every search that takes the event.

mod class;
mod condition;
mod output;

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::ArrowError;
use foldhash::fast::RandomState;
use spilltrail_event::{ScanRequest, fields};

use crate::cloudtrail::Profile;
use crate::decoder::Extracted;
use crate::event_view::{Origin, arrays, quick_time};
use crate::json::member;
use crate::paths::{Outer, Slots};
use crate::record::{Format, RawRecord};
use crate::rows::Rows;
pub use class::needed_words;
use class::{Class, Reading};
use condition::Outcomes;
use output::Outputs;

/// Rows of one search after which those of all are handed on.
pub const BATCH_ROWS: usize = 8192;
/// Names of which is remembered who may want them; there are some thousand in all of AWS.
const MAX_NAMES: usize = 16 * 1024;

/// How a sourcetype that the user named is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sourcetype {
    pub(crate) name: String,
    pub(crate) format: Format,
}

impl Sourcetype {
    pub(crate) fn named(name: &str) -> Self {
        let format = match name {
            "aws:cloudtrail" => Format::CloudTrail,
            "aws:cloudtrail:lake" => Format::Lake,
            "json" => Format::Json,
            _ => Format::Other,
        };
        Self { name: name.to_owned(), format }
    }
}

/// Returns the sourcetype of events of this format.
pub(crate) fn sourcetype_of(format: Format) -> &'static str {
    match format {
        Format::CloudTrail => "aws:cloudtrail",
        Format::Lake => "aws:cloudtrail:lake",
        Format::Json | Format::Other => "json",
    }
}

/// An event to be tested.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event<'a> {
    pub(crate) text: &'a str,
    pub(crate) format: Format,
    /// Its name, if that is known to be the only one and plain text.
    pub(crate) name: Option<&'a str>,
    /// Where its outermost members are, if that is known.
    pub(crate) outer: Option<Outer<'a>>,
}

/// What became of the events so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extraction {
    /// Events whose name told that no search wants them.
    pub by_name: u64,
    /// Further ones that have none of the words that some search asks for.
    pub by_needle: u64,
    /// Events that were taken apart.
    pub read: u64,
    /// Rows that searches took.
    pub rows: u64,
}

impl std::ops::AddAssign for Extraction {
    fn add_assign(&mut self, other: Self) {
        self.by_name += other.by_name;
        self.by_needle += other.by_needle;
        self.read += other.read;
        self.rows += other.rows;
    }
}

/// Tests events and collects for each search the wanted fields of those that match.
#[derive(Debug)]
pub(crate) struct Extractor {
    requests: Arc<[ScanRequest]>,
    profile: Profile,
    sourcetype: Option<Sourcetype>,
    outputs: Outputs,
    classes: Vec<Class>,
    /// The class of each name of CloudTrail events; none if nobody may want them.
    by_name: HashMap<Box<str>, Option<usize>, RandomState>,
    /// The class of events of each format whose name is not known.
    unnamed: [Option<Option<usize>>; 4],
    by_searches: HashMap<(Format, Vec<usize>), usize>,
    /// What the classes hold to be the same for all events.
    index: Option<Arc<str>>,
    host: Option<Arc<str>>,
    slots: Slots,
    outcomes: Outcomes,
    counts: Extraction,
}

impl Extractor {
    /// Prepares for requests. A `sourcetype` that the user named is used in place of the recognised
    /// one: `aws:cloudtrail` and `json` are read as such, any other as JSON with `{}` names.
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
            sourcetype: sourcetype.map(Sourcetype::named),
            classes: Vec::new(),
            by_name: HashMap::default(),
            unnamed: [None; 4],
            by_searches: HashMap::new(),
            index: None,
            host: None,
            slots: Slots::default(),
            outcomes: Outcomes::default(),
            counts: Extraction::default(),
        }
    }

    /// Returns what became of the events so far.
    #[must_use]
    pub(crate) fn counts(&self) -> Extraction {
        self.counts
    }

    /// Makes ready for events of this index and host.
    pub(crate) fn begin(&mut self, origin: &Origin) {
        let is_same =
            self.index.as_ref() == Some(&origin.index) && self.host.as_ref() == Some(&origin.host);
        if !is_same {
            self.index = Some(origin.index.clone());
            self.host = Some(origin.host.clone());
            self.classes.clear();
            self.by_name.clear();
            self.unnamed = [None; 4];
            self.by_searches.clear();
        }
    }

    /// As [`Extractor::push`], of an event that was cut out and not looked into; tells its time, too.
    pub(crate) fn push_raw(&mut self, event: &RawRecord<'_>, origin: &Origin) -> Extracted {
        let RawRecord { text, format, .. } = *event;
        let name = if format == Format::CloudTrail { name_of(text) } else { None };
        let matched = self.push(&Event { text, format, name, outer: None }, origin);
        Extracted { matched, time: quick_time(text, self.format_of(format)) }
    }

    /// Tests an event and keeps its wanted fields for each request that takes it; returns whether any
    /// does. [`Extractor::begin`] was called with the same index and host.
    pub(crate) fn push(&mut self, event: &Event<'_>, origin: &Origin) -> bool {
        let format = self.format_of(event.format);
        let Some(class) = self.class_of(event, format) else {
            self.counts.by_name += 1;
            return false;
        };
        let class = &self.classes[class];
        if class.needles.as_ref().is_some_and(|needles| !needles.may_match(event.text)) {
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
            self.outputs.add(search, &mut reading);
        }
        is_taken
    }

    /// Returns how events that were recognised as of this format are read.
    pub(crate) fn format_of(&self, recognised: Format) -> Format {
        self.sourcetype.as_ref().map_or(recognised, |named| named.format)
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

    /// Returns the requests that may take events of this format and name.
    fn candidates(&self, format: Format, name: Option<&str>) -> Vec<usize> {
        let known = self.known(format);
        let known = |field: &str| if field == "eventName" { name } else { known(field) };
        let may_match =
            |place: &usize| self.requests[*place].predicate.outcome(&known) != Some(false);
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

    /// Returns the fields that are the same for all events of a format. Rows may have such fields of
    /// their own.
    fn known<'s>(&'s self, format: Format) -> impl Fn(&str) -> Option<&'s str> + 's {
        move |field: &str| {
            let is_fixed = matches!(format, Format::CloudTrail | Format::Lake);
            match field {
                _ if !is_fixed => None,
                fields::INDEX => self.index.as_deref(),
                fields::HOST => self.host.as_deref(),
                fields::SOURCETYPE => match &self.sourcetype {
                    Some(named) => Some(&named.name),
                    None => Some(sourcetype_of(format)),
                },
                _ => None,
            }
        }
    }

    /// Returns true if it is time to take the rows.
    pub(crate) fn is_full(&self) -> bool {
        self.outputs.are_full()
    }

    /// Calls `take` with the rows of each request that has any.
    ///
    /// # Errors
    /// Never for columns of the request's own kinds; Arrow's error type is kept.
    pub(crate) fn take(&mut self, take: &mut dyn FnMut(usize, Rows)) -> Result<(), ArrowError> {
        self.outputs.take(take)
    }
}

/// Returns the name of an event that was not looked into yet.
fn name_of(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let mut names = memchr::memmem::find_iter(bytes, b"eventName");
    let is_single = names.next().is_some() && names.next().is_none();
    let is_plain = memchr::memmem::find(bytes, b"\\u").is_none();
    let value = member(bytes, b"eventName").filter(|_| is_single && is_plain)?;
    let name = text.get(value)?.strip_prefix('"')?.strip_suffix('"')?;
    (!name.contains('\\')).then_some(name)
}

// Extractors are moved between threads.
const _: fn() = || {
    fn is_send<T: Send>() {}
    is_send::<Extractor>();
};
