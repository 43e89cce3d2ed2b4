//! The files that define data models, event types and tags.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use spilltrail_diagnostic::{Code, Diagnostic, Few, Span};
use spilltrail_spl::{SearchExpr, parse_eval, parse_search};

use crate::event_type::EventType;
use crate::model::{DataModel, Dataset, FieldValue};

/// A file with one data model.
#[derive(Debug, Deserialize)]
#[serde(expecting = "the keys of a data model")]
pub struct ModelFile {
    data_model: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    datasets: Vec<WrittenDataset>,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "the keys of a dataset")]
struct WrittenDataset {
    name: String,
    parent: Option<String>,
    #[serde(default)]
    search: String,
    /// Fields taken from events as they are.
    #[serde(default)]
    fields: Vec<String>,
    /// Fields that are `unknown` where an event has no value.
    #[serde(default)]
    unknown: Vec<String>,
    /// Texts that count as no value for the fields of `unknown`.
    #[serde(default)]
    blanks: Vec<String>,
    /// Fields with another text where an event has no value.
    #[serde(default, deserialize_with = "once_each")]
    defaults: IndexMap<String, String>,
    /// Whether it has the field `vendor_product`, which names the product that made an event.
    #[serde(default)]
    vendor_product: bool,
    /// Fields with an eval expression.
    #[serde(default, deserialize_with = "once_each")]
    calculated: IndexMap<String, String>,
}

/// Reads a map whose keys are there once: of two, the first would be lost.
fn once_each<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<IndexMap<String, String>, D::Error> {
    struct Entries;

    impl<'de> Visitor<'de> for Entries {
        type Value = IndexMap<String, String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("fields with their values")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
            let mut fields = IndexMap::new();
            while let Some((name, value)) = entries.next_entry::<String, String>()? {
                if fields.contains_key(&name) {
                    return Err(A::Error::custom(format!("duplicate field `{name}`")));
                }
                fields.insert(name, value);
            }
            Ok(fields)
        }
    }
    deserializer.deserialize_map(Entries)
}

/// The product as the event names it, or made of vendor and product, or else the sourcetype. A blank
/// and the text `unknown` are no names.
const VENDOR_PRODUCT: &str = r#"coalesce(
    nullif(nullif(vendor_product, ""), "unknown"),
    if(
        isnull(nullif(nullif(vendor, ""), "unknown"))
            AND isnull(nullif(nullif(product, ""), "unknown")),
        nullif(sourcetype, ""),
        coalesce(nullif(vendor, ""), "unknown") . " " . coalesce(nullif(product, ""), "unknown")
    ),
    "unknown"
)"#;

/// A file with event types, and tags for values of fields.
#[derive(Debug, Deserialize)]
#[serde(expecting = "the keys of a file of event types")]
pub struct EventTypesFile {
    #[serde(default)]
    event_types: Vec<Entry<WrittenType>>,
    #[serde(default)]
    tags: Vec<Entry<WrittenTag>>,
}

/// An entry of a list: its keys, or what is written in place of them. An entry of another kind must not
/// cost the file.
#[derive(Debug)]
enum Entry<T> {
    Keys(T),
    Other,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entry<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EntryVisitor(PhantomData))
    }
}

struct EntryVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for EntryVisitor<T> {
    type Value = Entry<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an entry of a list")
    }
    fn visit_map<A: MapAccess<'de>>(self, keys: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(keys)).map(Entry::Keys)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Entry::Other)
    }
    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Entry::Other)
    }
    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Entry::Other)
    }
    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Entry::Other)
    }
    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Entry::Other)
    }
    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Entry::Other)
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Entry::Other)
    }
}

/// A value of an entry: one of the kind that it should be, or another one.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Written<T> {
    Right(T),
    Wrong(IgnoredAny),
}

impl<T> Written<T> {
    fn right(self) -> Option<T> {
        match self {
            Self::Right(value) => Some(value),
            Self::Wrong(_) => None,
        }
    }
}

impl Written<String> {
    /// Returns the text; `None` for an empty one, too.
    fn filled(self) -> Option<String> {
        self.right().filter(|text| !text.trim().is_empty())
    }
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "the keys of an event type")]
struct WrittenType {
    name: Option<Written<String>>,
    search: Option<Written<String>>,
    tags: Option<Written<Vec<String>>>,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "the keys of a tag")]
struct WrittenTag {
    field: Option<Written<String>>,
    value: Option<Written<String>>,
    tags: Option<Written<Vec<String>>>,
}

/// The event types and tags of a file, and what is wrong with others.
#[derive(Debug, Clone, Default)]
pub struct EventTypes {
    /// The event types.
    pub types: Vec<EventType>,
    /// The tags for values of fields.
    pub tags: Vec<PlainTag>,
    /// Why entries of the file are left out.
    pub problems: Vec<Diagnostic>,
}

/// Tags for the events that have a value in a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainTag {
    /// The field; tags of `eventtype` are added to the event type.
    pub field: String,
    /// The value.
    pub value: String,
    /// The tags.
    pub tags: Vec<String>,
    /// Where the file has the value.
    pub span: Span,
}

impl ModelFile {
    /// Checks the file and returns its data model. `text` is the text of the file, for the places of
    /// mistakes.
    ///
    /// # Errors
    /// Fails if a search or an expression is not valid, or a parent or a name does not fit.
    pub fn build(self, text: &str) -> Result<DataModel, Diagnostic> {
        let mut model = DataModel {
            name: self.data_model,
            description: self.description,
            datasets: Vec::new(),
        };
        if model.name.is_empty() || self.datasets.is_empty() {
            let message = "a data model needs a name and datasets";
            return Err(Diagnostic::error(Code::YAML, message).at(find(text, "data_model")));
        }
        for written in self.datasets {
            let refused = |message: String| {
                Diagnostic::error(Code::YAML, message).at(find(text, &written.name))
            };
            if written.name.is_empty() || written.name.contains(['.', ' ']) {
                let name = &written.name;
                return Err(refused(format!("`{name}` is not the name of a dataset")));
            }
            if model.datasets.iter().any(|other| other.name == written.name) {
                let message = format!("two datasets are named `{}`", written.name);
                return Err(Diagnostic::error(Code::YAML, message).at(second(text, &written.name)));
            }
            let parent = match &written.parent {
                None => None,
                Some(parent) => {
                    let found = model.datasets.iter().position(|other| other.name == *parent);
                    let missing = || {
                        let message = format!("no dataset before this one is named `{parent}`");
                        refused(message).help("write a dataset after its parent")
                    };
                    Some(found.ok_or_else(missing)?)
                }
            };
            let search = search_of(&written.search, text)?;
            let (name, fields) = (written.name.clone(), written.values(text)?);
            model.datasets.push(Dataset { name, parent, search, fields });
        }
        Ok(model)
    }
}

impl WrittenDataset {
    fn values(self, text: &str) -> Result<IndexMap<String, FieldValue>, Diagnostic> {
        let mut fields = IndexMap::new();
        let mut add = |name: String, value: FieldValue| {
            if fields.contains_key(&name) {
                let message = format!("the field `{name}` is listed twice");
                return Err(Diagnostic::error(Code::YAML, message).at(second(text, &name)));
            }
            fields.insert(name, value);
            Ok(())
        };
        for name in self.fields {
            add(name, FieldValue::AsIs)?;
        }
        let mut blanks = vec![String::new()];
        blanks.extend(self.blanks);
        for name in self.unknown {
            let value = FieldValue::Default { text: "unknown".to_owned(), blanks: blanks.clone() };
            add(name, value)?;
        }
        for (name, default) in self.defaults {
            add(name, FieldValue::Default { text: default, blanks: vec![String::new()] })?;
        }
        for (name, expression) in self.calculated {
            let parsed =
                parse_eval(&expression).map_err(|error| misread(error, &expression, text))?;
            add(name, FieldValue::Calculated(Arc::new(parsed)))?;
        }
        if self.vendor_product {
            let parsed = parse_eval(VENDOR_PRODUCT)?;
            add("vendor_product".to_owned(), FieldValue::Calculated(Arc::new(parsed)))?;
        }
        Ok(fields)
    }
}

impl EventTypesFile {
    /// Checks the file and returns its event types, and its tags for values of fields. An entry that is
    /// wrong is told, and the others are used.
    #[must_use]
    pub fn build(self, text: &str) -> EventTypes {
        let (mut types, mut tags) = (Vec::new(), Vec::new());
        let mut wrong = Few::new("event types that cannot be used");
        for entry in self.event_types {
            match entry.event_type() {
                Ok(found) => types.push(found),
                Err(error) => wrong.add(|| error.at(text)),
            }
        }
        let mut problems = wrong.into_vec();
        let mut wrong = Few::new("entries of `tags` that cannot be used");
        let mut places = TagPlaces::new(text);
        for entry in self.tags {
            let (field, value, words) = match entry {
                Entry::Keys(WrittenTag { field, value, tags }) => (
                    field.and_then(Written::right),
                    value.and_then(Written::right),
                    tags.and_then(Written::right).unwrap_or_default(),
                ),
                Entry::Other => (None, None, Vec::new()),
            };
            let span = value.as_deref().map_or(places.list, |value| places.next(value));
            match (field, value) {
                (Some(field), Some(value)) if !words.is_empty() => {
                    tags.push(PlainTag { field, value, tags: words, span });
                }
                _ => wrong.add(|| {
                    let message = "an entry of `tags` needs a field, a value and tags";
                    Diagnostic::error(Code::YAML, message).at(span)
                }),
            }
        }
        problems.extend(wrong.into_vec());
        EventTypes { types, tags, problems }
    }
}

/// Why an event type cannot be used. Its place is looked for only if it is told.
enum WrongType {
    /// It has no name or no search; with the one that it has.
    Incomplete(Option<String>),
    /// Its tags are no list of texts; with its name.
    Tags(String),
    /// Its search is wrong; with its name and its search.
    Search(String, String, Diagnostic),
}

impl WrongType {
    fn at(self, text: &str) -> Diagnostic {
        let error = |message: String, part: &str| {
            Diagnostic::error(Code::YAML, message).at(find(text, part))
        };
        match self {
            Self::Incomplete(part) => {
                let message = "an event type needs a name and a search".to_owned();
                let error = error(message, part.as_deref().unwrap_or("event_types"));
                error.help("write each as a text: put one that looks like a number into quotes")
            }
            Self::Tags(name) => {
                let message = format!("the event type `{name}`: its tags are no list of texts");
                error(message, &name).help("write them in brackets: `tags: [change, delete]`")
            }
            Self::Search(name, search, error) => {
                let error = misread(error, &search, text);
                let message = format!("the event type `{name}`: {}", error.message);
                Diagnostic { message, ..error }
            }
        }
    }
}

impl Entry<WrittenType> {
    fn event_type(self) -> Result<EventType, WrongType> {
        let Self::Keys(WrittenType { name, search, tags }) = self else {
            return Err(WrongType::Incomplete(None));
        };
        let filled = |text: Option<Written<String>>| text.and_then(Written::filled);
        let (name, search) = match (filled(name), filled(search)) {
            (Some(name), Some(search)) => (name, search),
            (name, search) => return Err(WrongType::Incomplete(name.or(search))),
        };
        let tags = match tags.map(Written::right) {
            Some(Some(tags)) => tags,
            Some(None) => return Err(WrongType::Tags(name)),
            None => Vec::new(),
        };
        match event_type_search(&search) {
            Ok(search) => Ok(EventType { name, search, tags }),
            Err(error) => Err(WrongType::Search(name, search, error)),
        }
    }
}

/// Finds the values of tags, each behind the one before, so that the file is read once.
struct TagPlaces<'t> {
    text: &'t str,
    /// The key of the list.
    list: Span,
    from: usize,
}

impl<'t> TagPlaces<'t> {
    fn new(text: &'t str) -> Self {
        match start_of_tags(text) {
            Some(start) => Self { text, list: Span::new(start, start + 4), from: start },
            None => Self { text, list: find(text, "tags"), from: text.len() },
        }
    }

    /// Returns the place of the value of the next tag. Behind one that is written in another way, none
    /// is looked for.
    fn next(&mut self, value: &str) -> Span {
        let rest = &self.text[self.from..];
        let found = scalars(rest, value).find(|span| {
            let before = rest[..span.start].trim_end_matches([' ', '"', '\'']);
            let key = before.strip_suffix(':').map(|key| key.trim_end_matches(['"', '\'']));
            key.is_some_and(|key| key.ends_with("value"))
        });
        let Some(span) = found else {
            self.from = self.text.len();
            return self.list;
        };
        let start = self.from + span.start;
        self.from += span.end;
        Span::new(start, self.from)
    }
}

/// Returns where the key `tags` of a file is, which is at the start of a line.
fn start_of_tags(text: &str) -> Option<usize> {
    let mut start = 0;
    text.split_inclusive('\n').find_map(|line| {
        let key = line.trim_start_matches(['{', '"', '\'']);
        let at = start + (line.len() - key.len());
        start += line.len();
        let rest = key.strip_prefix("tags")?.trim_start_matches(['"', '\'', ' ']);
        rest.starts_with(':').then_some(at)
    })
}

/// Parses the search of a dataset; without one, it has all events. A mistake is at its place in the file.
fn search_of(written: &str, text: &str) -> Result<SearchExpr, Diagnostic> {
    if written.trim().is_empty() {
        return Ok(SearchExpr::All);
    }
    event_type_search(written).map_err(|error| misread(error, written, text))
}

/// Parses the search of an event type or a dataset, which has neither pipes nor subsearches.
///
/// # Errors
/// Fails if the text is not such a search; spans are those of `written`.
pub fn event_type_search(written: &str) -> Result<SearchExpr, Diagnostic> {
    if let Some(at) = macro_call(written) {
        let message = "a search in this file has no macros";
        let help = "write the text of the macro here";
        let span = Span::new(at, at + 1);
        return Err(Diagnostic::error(Code::YAML, message).at(span).help(help));
    }
    let search = parse_search(written)?;
    if search.any(&|part| matches!(part, SearchExpr::Subsearch { .. } | SearchExpr::Time { .. })) {
        let message = "a search in this file has neither subsearches nor time modifiers";
        let help = "write its parts here, and choose the time with the search that names it";
        let span = Span::new(0, written.len());
        return Err(Diagnostic::error(Code::YAML, message).at(span).help(help));
    }
    Ok(search)
}

/// Returns the place of a backtick outside of quotes, which begins the call of a macro.
fn macro_call(search: &str) -> Option<usize> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    search.char_indices().find_map(|(at, c)| {
        let is_call = c == '`' && !is_quoted && !is_escaped;
        is_quoted ^= c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        is_call.then_some(at)
    })
}

/// Returns a mistake in a part of a file, at that part.
fn misread(error: Diagnostic, part: &str, text: &str) -> Diagnostic {
    let offset = text.find(part);
    let span = match (offset, error.span()) {
        (Some(offset), Some(span)) => Span::new(offset + span.start, offset + span.end),
        _ => find(text, part),
    };
    Diagnostic { labels: Vec::new(), ..error }.at(span)
}

/// Returns the place of a part of a file, or its first line if the part is written in another way.
fn find(text: &str, part: &str) -> Span {
    let part = part.lines().next().unwrap_or_default();
    let anywhere = || text.find(part).map(|start| Span::new(start, start + part.len()));
    let found = scalars(text, part).next().or_else(anywhere).filter(|_| !part.is_empty());
    found.unwrap_or_else(|| Span::new(0, text.lines().next().map_or(0, str::len)))
}

/// Returns the second place of a word in a file, or its only one.
fn second(text: &str, word: &str) -> Span {
    scalars(text, word).nth(1).unwrap_or_else(|| find(text, word))
}

/// Returns the places at which a text is no part of a longer word.
fn scalars<'t>(text: &'t str, part: &'t str) -> impl Iterator<Item = Span> + 't {
    let is_of_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let starts = text.match_indices(part).map(|(start, _)| start);
    starts.map(|start| Span::new(start, start + part.len())).filter(move |span| {
        !text[..span.start].ends_with(is_of_word) && !text[span.end..].starts_with(is_of_word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_have_their_places() {
        for (text, message, place) in [
            (
                "data_model: AB.C\ndatasets:\n- name: B.C\n",
                "`B.C` is not the name of a dataset",
                "3:B.C",
            ),
            (
                "data_model: AB\ndatasets:\n- {name: B, parent: Z}\n",
                "no dataset before this one is named `Z`",
                "3:B",
            ),
            (
                "data_model: A\ndatasets:\n- name: B\n- name: B\n",
                "two datasets are named `B`",
                "4:B",
            ),
            (
                "data_model: A\ndatasets:\n- name: B\n  fields: [x]\n  unknown: [x]\n",
                "the field `x` is listed twice",
                "5:x",
            ),
            (
                "data_model: A\ndatasets:\n- name: B\n  search: tag=x [search y]\n",
                "a search in this file has neither subsearches nor time modifiers",
                "4:tag=x [search y]",
            ),
            (
                "data_model: A\ndatasets:\n- name: B\n  calculated: {y: len(}\n",
                "`(` is never closed",
                "4:(",
            ),
        ] {
            let file: ModelFile = serde_yaml_ng::from_str(text).unwrap();
            let error = file.build(text).unwrap_err();
            let found = placed(text, error.span().unwrap());
            assert_eq!((error.message.as_str(), found.as_str()), (message, place));
        }
    }

    /// Returns the line of a place, and the text there.
    fn placed(text: &str, span: Span) -> String {
        let line = text[..span.start].matches('\n').count() + 1;
        format!("{line}:{}", &text[span.start..span.end])
    }

    #[test]
    fn tags_have_the_places_of_their_values() {
        let types = "event_types:\n- {name: nothing, search: a=no, tags: [no]}\n";
        for (tags, expected) in [
            ("tags:\n- {field: eventtype, value: no, tags: [x]}\n", "4:no"),
            ("tags:\n- field: no\n  value:  \"no\"\n  tags: [no]\n", "5:no"),
            ("\"tags\": [{\"field\": \"no\", \"value\": \"no\", \"tags\": [\"x\"]}]\n", "3:no"),
            ("tags:\n- {tags: [no], field: eventtype, value: &a no}\n", "3:tags"),
        ] {
            let text = format!("{types}{tags}");
            let file: EventTypesFile = serde_yaml_ng::from_str(&text).unwrap();
            let tags = file.build(&text).tags;
            assert_eq!(placed(&text, tags[0].span), expected, "{text}");
        }
    }

    #[test]
    fn an_entry_in_error_leaves_the_others() {
        let text = "event_types:\n\
            - {name: a, search: x=1}\n\
            - {name: b, search: x=(}\n\
            - {name: c}\n\
            - {name: d, search: \"`m` x=1\"}\n\
            - {name: e, search: 'x=\"`m`\"'}\n\
            - {name: f, search: x=2, tags: change}\n\
            - {name: 7, search: x=3}\n\
            - {name: '', search: x=4}\n\
            - x=5\n\
            - [x=6]\n\
            -\n\
            - {name: g, search: [x=7], more: 1}\n\
            tags:\n\
            - {field: host, value: h}\n\
            - {field: host, value: i, tags: [x]}\n\
            - {field: host, value: j, tags: x}\n\
            - 8\n";
        let file: EventTypesFile = serde_yaml_ng::from_str(text).unwrap();
        let found = file.build(text);
        let names: Vec<&str> = found.types.iter().map(|found| found.name.as_str()).collect();
        assert_eq!(names, ["a", "e"]);
        assert_eq!(found.tags.len(), 1);
        let told: Vec<String> = found
            .problems
            .iter()
            .map(|told| format!("{}: {}", placed(text, told.span().unwrap()), told.message))
            .collect();
        let incomplete = |place: &str| format!("{place}: an event type needs a name and a search");
        let tag =
            |place: &str| format!("{place}: an entry of `tags` needs a field, a value and tags");
        let expected = [
            "3:(: the event type `b`: expected a value to compare `x` with, found `(`".to_owned(),
            incomplete("4:c"),
            "5:`: the event type `d`: a search in this file has no macros".to_owned(),
            "7:f: the event type `f`: its tags are no list of texts".to_owned(),
            incomplete("8:x=3"),
            incomplete("9:x=4"),
            incomplete("1:event_types"),
            incomplete("1:event_types"),
            incomplete("1:event_types"),
            incomplete("13:g"),
            tag("15:h"),
            tag("17:j"),
            tag("14:tags"),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn many_entries_in_error_are_counted() {
        for (text, last) in [
            ("event_types:\n", "7980 more event types that cannot be used"),
            ("tags:\n", "7980 more entries of `tags` that cannot be used"),
        ] {
            let text = format!("{text}{}", "- {}\n".repeat(8000));
            let file: EventTypesFile = serde_yaml_ng::from_str(&text).unwrap();
            let problems = file.build(&text).problems;
            assert_eq!(problems.len(), Few::MOST + 1);
            assert_eq!(problems[Few::MOST].message, last);
        }
    }
}
