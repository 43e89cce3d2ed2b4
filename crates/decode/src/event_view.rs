//! Views one event during decoding: its text, the values picked so far, and the fields that every
//! event has.

use std::borrow::Cow;
use std::collections::HashMap;

use spilltrail_event::{Record, fields};

use crate::cloudtrail::inputs::{Input, Inputs};
use crate::cloudtrail::{Derived, Profile, Values, derived_field};
use crate::extract::LAKE_SOURCETYPES;
use crate::given::Given;
use crate::json::{self, text_member};
use crate::origin::Origin;
use crate::paths::{Arrays, At, Paths, PlainPath, Slots};
use crate::record::Format;
use crate::time::WrittenTime;

/// A field that is not looked up by its name in the JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Builtin {
    Time,
    Raw,
    Index,
    Host,
    Source,
    Sourcetype,
    Linecount,
    Hour,
    MonthDay,
    Minute,
    Month,
    Second,
    Weekday,
    Year,
    Zone,
}

/// The builtin fields, in the order in which they are listed.
pub(crate) const BUILTINS: [(&str, Builtin); 15] = [
    (fields::TIME, Builtin::Time),
    (fields::RAW, Builtin::Raw),
    ("date_hour", Builtin::Hour),
    ("date_mday", Builtin::MonthDay),
    ("date_minute", Builtin::Minute),
    ("date_month", Builtin::Month),
    ("date_second", Builtin::Second),
    ("date_wday", Builtin::Weekday),
    ("date_year", Builtin::Year),
    ("date_zone", Builtin::Zone),
    (fields::HOST, Builtin::Host),
    (fields::INDEX, Builtin::Index),
    ("linecount", Builtin::Linecount),
    (fields::SOURCE, Builtin::Source),
    (fields::SOURCETYPE, Builtin::Sourcetype),
];

/// The source of a field's values.
#[derive(Debug, Clone, Copy)]
pub(crate) enum FieldSource {
    Builtin(Builtin),
    Derived(&'static Derived),
    Raw(usize),
    /// A part of `_raw`, by its index in the set.
    Part(usize),
    Whole(Whole),
}

impl FieldSource {
    /// Returns false for what every event has, whatever is given beside its text.
    pub(crate) fn may_be_given(self) -> bool {
        matches!(self, Self::Derived(_) | Self::Raw(_))
    }
}

/// What a whole event is kept with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whole {
    Text,
    Source,
    Format,
}

impl Whole {
    fn named(name: &str) -> Option<Self> {
        match name {
            fields::EVENT_TEXT => Some(Self::Text),
            fields::EVENT_SOURCE => Some(Self::Source),
            fields::EVENT_FORMAT => Some(Self::Format),
            _ => None,
        }
    }
}

/// A set of fields of one format, with everything needed to pick their values.
#[derive(Debug)]
pub(crate) struct FieldSet {
    pub(crate) paths: Paths,
    pub(crate) by_name: HashMap<String, FieldSource>,
    /// The parts of `_raw`.
    parts: Vec<RawPart>,
    slot_of: [usize; Input::COUNT],
    /// The slots of the members that may hold the time; the first one with a time counts.
    time_slots: Vec<usize>,
    /// The slot of a row's own member with the name of each builtin field; `usize::MAX` if it is
    /// not picked.
    own: [usize; BUILTINS.len()],
    format: Format,
    profile: Profile,
}

/// A part of `_raw`: a document that holds only the value at these keys.
#[derive(Debug)]
struct RawPart {
    keys: Vec<String>,
    head: String,
    /// The path that picks the value, if every key is plain.
    path: Option<PlainPath>,
}

impl FieldSet {
    pub(crate) fn new(format: Format, profile: Profile) -> Self {
        let mut paths = Paths::new();
        let time_slots = time_paths(format).iter().map(|path| paths.add(path)).collect();
        Self {
            paths,
            by_name: HashMap::new(),
            parts: Vec::new(),
            slot_of: [usize::MAX; Input::COUNT],
            time_slots,
            own: [usize::MAX; BUILTINS.len()],
            format,
            profile,
        }
    }

    /// Adds a field and returns its source.
    ///
    /// A row of sourcetype `json` may have its own `source` or `date_hour`, which takes precedence;
    /// for events of other formats, these fields come from their origin and time.
    pub(crate) fn add(&mut self, name: &str) -> FieldSource {
        if let Some(source) = self.by_name.get(name) {
            return *source;
        }
        let builtin = BUILTINS.iter().find(|(builtin, _)| *builtin == name);
        let source = if let Some((_, builtin)) = builtin {
            if self.format.has_own_names() {
                self.own[*builtin as usize] = self.paths.add(name);
            }
            FieldSource::Builtin(*builtin)
        } else if let Some(whole) = Whole::named(name) {
            FieldSource::Whole(whole)
        } else if let Some(keys) = fields::keys_of_part(name) {
            let keys: Vec<String> = keys.into_iter().map(str::to_owned).collect();
            let path = self.paths.add_plain(&keys);
            self.parts.push(RawPart { head: json::part_head(&keys), keys, path });
            FieldSource::Part(self.parts.len() - 1)
        } else if self.format == Format::CloudTrail
            && let Some(derived) = derived_field(name, self.profile)
        {
            for input in derived.inputs() {
                self.slot_of[*input as usize] = self.paths.add(input.path());
            }
            FieldSource::Derived(derived)
        } else {
            FieldSource::Raw(self.paths.add(name))
        };
        self.by_name.insert(name.to_owned(), source);
        source
    }
}

/// Returns the members from which a field of a format gets its values, or `None` if it needs the whole
/// text. The members with the time are not among them.
pub(crate) fn members_of(name: &str, format: Format, profile: Profile) -> Option<Vec<&str>> {
    if Whole::named(name).is_some() {
        return None;
    }
    if let Some(keys) = fields::keys_of_part(name) {
        return Some(keys.into_iter().take(1).collect());
    }
    match BUILTINS.iter().find(|(builtin, _)| *builtin == name) {
        Some((_, Builtin::Raw | Builtin::Linecount)) => return None,
        Some(_) if !format.has_own_names() => return Some(Vec::new()),
        _ => {}
    }
    match derived_field(name, profile) {
        Some(derived) if format == Format::CloudTrail => {
            Some(derived.inputs().iter().map(|input| input.path()).collect())
        }
        _ => Some(vec![name]),
    }
}

/// Returns all members that may hold the time of an event.
pub(crate) fn all_time_members(format: Format) -> impl Iterator<Item = &'static str> {
    let others: &[&str] = if format == Format::CloudTrail { &OTHER_TIMES } else { &[] };
    time_paths(format).iter().chain(others).copied()
}

/// Returns how outermost arrays are named in a format.
pub(crate) fn arrays(format: Format) -> Arrays {
    if format.has_own_names() { Arrays::PlainRows } else { Arrays::Braced }
}

fn time_paths(format: Format) -> &'static [&'static str] {
    match format {
        Format::CloudTrail => &["eventTime"],
        Format::Lake => &["time"],
        Format::ModelInvocation => &["timestamp"],
        Format::Json => &[fields::TIME],
        Format::Csv => &[fields::TIME, "@timestamp", "timestamp", "eventTime"],
        Format::Parquet => &[fields::TIME, "@timestamp", "timestamp", "eventTime", "time"],
        Format::Other => &[fields::TIME, "eventTime", "timestamp", "time"],
    }
}

/// The members that may hold the time of a CloudTrail record that came through another tool.
///
/// They are looked up only in records without `eventTime`.
pub(crate) const OTHER_TIMES: [&str; 4] = ["@timestamp", "timestamp", "time", fields::TIME];
/// Numbers below this one, in the year 1973, are no times of events.
const FIRST_TIME: f64 = 1e8;

/// An event and the values that were picked from it.
pub(crate) struct EventView<'a> {
    pub(crate) record: &'a str,
    pub(crate) sourcetype: &'a str,
    pub(crate) origin: &'a Origin,
    pub(crate) set: &'a FieldSet,
    pub(crate) slots: &'a Slots,
    pub(crate) time: EventTime,
}

/// Times from this number on are in milliseconds, from a thousand times this number on in
/// microseconds, and so on; as seconds, this number is in the year 5138.
const FIRST_MILLIS: f64 = 1e11;

/// The time of an event.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct EventTime {
    pub(crate) epoch: Option<f64>,
    /// The calendar fields as written, if the time was written as a date.
    pub(crate) written: Option<WrittenTime>,
    /// Whether it does not stand in the text, but is given beside it.
    pub(crate) is_given: bool,
}

impl EventTime {
    /// Returns an event's time: the one that is given beside its text, or the one that is read from its
    /// picked values.
    pub(crate) fn of(record: &str, set: &FieldSet, slots: &Slots, given: &Given) -> Self {
        let read = Self::of_text(record, set, slots);
        match (given.seconds(), read.epoch) {
            (None, _) => read,
            (Some(_), Some(_)) if set.format == Format::CloudTrail => read,
            // The text has it more exactly, and as it was written.
            (Some(_), Some(epoch)) if given.is_at(epoch) => read,
            (epoch, _) => Self { epoch, written: None, is_given: true },
        }
    }

    fn of_text(record: &str, set: &FieldSet, slots: &Slots) -> Self {
        let spans = set.time_slots.iter().filter_map(|slot| slots.get(*slot).last());
        spans
            .map(|span| Self::read(&span.text(record)))
            .find(|time| time.epoch.is_some())
            .or_else(|| Self::of_other_member(record, set.format))
            .unwrap_or_default()
    }

    /// Returns the time of a CloudTrail record without `eventTime`.
    fn of_other_member(record: &str, format: Format) -> Option<Self> {
        if format != Format::CloudTrail {
            return None;
        }
        OTHER_TIMES.iter().find_map(|key| {
            let time = Self::read(&text_member(record, key)?);
            time.epoch.is_some_and(|epoch| epoch >= FIRST_TIME).then_some(time)
        })
    }

    /// Parses the text of a time: a date, or seconds since 1970 or a thousandth, millionth or
    /// billionth of them, which is told from the size of the number.
    pub(crate) fn read(text: &str) -> Self {
        let Some(number) = spilltrail_event::parse_number(text.trim()) else {
            let written = WrittenTime::parse(text);
            return Self { epoch: written.map(|time| time.epoch), written, is_given: false };
        };
        let units = [1e6, 1e3, 1.0].into_iter().find(|unit| number.abs() > FIRST_MILLIS * unit);
        let epoch = units.map_or(number, |unit| number / (unit * 1000.0));
        let epoch = Some(epoch).filter(|epoch| epoch.abs() <= FIRST_MILLIS);
        Self { epoch, ..Self::default() }
    }
}

/// Returns the time of an event that is not parsed any further: the one that is given beside its text, or
/// the text's own.
pub(crate) fn quick_time(record: &str, format: Format, given: &Given) -> Option<f64> {
    match given.seconds() {
        Some(time) if format != Format::CloudTrail => Some(time),
        time => quick_time_of_text(record, format).or(time),
    }
}

/// Returns the time in the text of an event.
///
/// If the event repeats the time's key, the first value counts, so that the search can stop there.
fn quick_time_of_text(record: &str, format: Format) -> Option<f64> {
    let usual = time_paths(format)
        .iter()
        .find_map(|path| EventTime::read(&text_member(record, path)?).epoch);
    usual.or_else(|| EventTime::of_other_member(record, format)?.epoch)
}

/// Returns the text of an event's time, which [`quick_time`] could not read.
pub(crate) fn unread_time(record: &str, format: Format) -> Option<String> {
    let texts = time_paths(format).iter().filter_map(|path| text_member(record, path));
    texts.filter(|text| text != "null").map(Cow::into_owned).next()
}

impl<'a> EventView<'a> {
    /// Returns the values of a field that was added to the set.
    pub(crate) fn values(&self, source: FieldSource) -> Values<'a> {
        match source {
            FieldSource::Builtin(builtin) => match self.raw(self.set.own[builtin as usize]) {
                Values::None => self.builtin(builtin),
                // A row's own `_time` is returned as the parsed time, not as its text.
                _ if builtin == Builtin::Time => self.builtin(builtin),
                // An index that the user named replaces a row's own.
                _ if builtin == Builtin::Index && self.origin.index.is_some() => {
                    self.builtin(builtin)
                }
                own => own,
            },
            FieldSource::Derived(derived) => derived.values(&Inputs {
                record: self.record,
                slots: self.slots,
                slot_of: &self.set.slot_of,
            }),
            FieldSource::Raw(slot) => self.raw(slot),
            FieldSource::Whole(Whole::Text) => Values::One(Cow::Borrowed(self.record)),
            FieldSource::Whole(Whole::Source) => {
                Values::One(self.origin.key_of_event(self.time.is_given))
            }
            FieldSource::Whole(Whole::Format) => Values::One(Cow::Borrowed(self.set.format.name())),
            FieldSource::Part(part) => self.part(&self.set.parts[part]).map(Cow::Owned).into(),
        }
    }

    /// Returns the values of a field that a search compares.
    ///
    /// An OCSF event answers to both of its sourcetypes, whichever the field shows.
    pub(crate) fn compared_values(&self, source: FieldSource) -> Values<'a> {
        if self.has_several_names(source) {
            return Values::Many(LAKE_SOURCETYPES.map(Cow::Borrowed).to_vec());
        }
        self.values(source)
    }

    /// Returns true for the sourcetype of an event that answers to several.
    pub(crate) fn has_several_names(&self, source: FieldSource) -> bool {
        let is_sourcetype = matches!(source, FieldSource::Builtin(Builtin::Sourcetype));
        is_sourcetype && self.set.format == Format::Lake
    }

    /// Returns true if it is certain at once that a field has no value.
    pub(crate) fn is_absent(&self, source: FieldSource) -> bool {
        matches!(source, FieldSource::Raw(slot) if self.slots.get(slot).is_empty())
    }

    fn part(&self, part: &RawPart) -> Option<String> {
        match part.path.as_ref().map_or(At::Unknown, |path| self.slots.at(path)) {
            At::Nothing => None,
            At::Scalar(value) => {
                let value = value.written(self.record);
                Some(json::part_of(&part.head, value, part.keys.len()))
            }
            At::Unknown => json::part(self.record, &part.keys),
        }
    }

    fn raw(&self, slot: usize) -> Values<'a> {
        match self.slots.get(slot) {
            [] => Values::None,
            [span] => Values::One(span.text(self.record)),
            spans => Values::Many(spans.iter().map(|span| span.text(self.record)).collect()),
        }
    }

    fn builtin(&self, builtin: Builtin) -> Values<'a> {
        let written = |part: fn(&WrittenTime) -> Cow<'static, str>| {
            self.time.written.as_ref().map_or(Values::None, |time| Values::One(part(time)))
        };
        match builtin {
            Builtin::Time => {
                let epoch = self.time.epoch;
                epoch.map(|t| Cow::Owned(spilltrail_event::format_number(t))).into()
            }
            Builtin::Raw => Values::One(Cow::Borrowed(self.record)),
            Builtin::Index => self.origin.index.as_deref().map(Cow::Borrowed).into(),
            Builtin::Host => Values::One(Cow::Borrowed(&self.origin.host)),
            Builtin::Source => Values::One(Cow::Borrowed(&self.origin.source)),
            Builtin::Sourcetype => Values::One(Cow::Borrowed(self.sourcetype)),
            Builtin::Linecount => {
                let lines = memchr::memchr_iter(b'\n', self.record.as_bytes()).count() + 1;
                Values::One(Cow::Owned(lines.to_string()))
            }
            Builtin::Hour => written(|time| Cow::Owned(time.hour.to_string())),
            Builtin::MonthDay => written(|time| Cow::Owned(time.day.to_string())),
            Builtin::Minute => written(|time| Cow::Owned(time.minute.to_string())),
            Builtin::Month => written(|time| Cow::Borrowed(time.month_name())),
            Builtin::Second => written(|time| Cow::Owned(time.second.to_string())),
            Builtin::Weekday => written(|time| Cow::Borrowed(time.weekday_name())),
            Builtin::Year => written(|time| Cow::Owned(time.year.to_string())),
            Builtin::Zone => written(|time| Cow::Owned(time.zone.to_string())),
        }
    }
}

impl Record for EventView<'_> {
    fn any_value(&self, field: &str, visit: &mut dyn FnMut(&str) -> bool) -> bool {
        let source = self.set.by_name.get(field);
        source.is_some_and(|source| self.compared_values(*source).any(visit))
    }

    fn time(&self) -> Option<f64> {
        self.time.epoch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A part of `_raw` from picked values equals the part found by a search of the record.
    #[test]
    fn parts_of_raw() {
        let name = fields::part_of_raw(&["a", "b"]);
        let keys = ["a", "b"].map(str::to_owned);
        for record in [
            r#"{"a":{"b":"x","c":{"b":1}},"b":2}"#,
            r#"{ "a" : { "b" : -1.50 } }"#,
            r#"{"a":{"b":"q\"\u00e9"}}"#,
            r#"{"a":{"b":null}}"#,
            r#"{"a":{"b":{"c":1}}}"#,
            r#"{"a":{"b":[1,"x"]}}"#,
            r#"{"a":{"c":1}}"#,
            r#"{"a":"x"}"#,
            r#"{"a":["b",{"b":1}]}"#,
            r#"{"c":1}"#,
            // Keys with escapes or dots, and repeated keys.
            r#"{"a":{"b":1,"b":2}}"#,
            r#"{"a":{"b":1},"a":{"b":2}}"#,
            r#"{"a":{"b":1},"a":{"c":2}}"#,
            r#"{"a":{"b":1},"a":2}"#,
            r#"{"a":2,"a":{"b":1}}"#,
            r#"{"a":{"b":1,"b":{"c":2}}}"#,
            r#"{"a.b":1}"#,
            r#"{"a.b":1,"a":{"b":2}}"#,
            r#"{"a":{"b":2},"a.b":1}"#,
            r#"{"a":{"\u0062":1}}"#,
            r#"{"\u0061":{"b":1}}"#,
            r#"{"a":{"b":1,"\u0062":2}}"#,
            r#"{"a":{"b":1},"\u0061":{"c":2}}"#,
        ] {
            let mut set = FieldSet::new(Format::CloudTrail, Profile::Superset);
            // These fields are also wanted on their own.
            set.add("a");
            set.add("a.b");
            let source = set.add(&name);
            let mut slots = Slots::default();
            set.paths.pick(record, Arrays::Braced, None, &mut slots);
            let origin = Origin::new("f");
            let time = EventTime::default();
            let view = EventView {
                record,
                sourcetype: "aws:cloudtrail",
                origin: &origin,
                set: &set,
                slots: &slots,
                time,
            };
            let found: Values<'_> = json::part(record, &keys).map(Cow::Owned).into();
            assert_eq!(view.values(source), found, "{record}");
        }
    }
}
