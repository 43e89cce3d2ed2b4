//! Counts which fields the events of a search have, and with which values.

use std::collections::HashMap;

use indexmap::IndexMap;
use spilltrail_event::Value;
use spilltrail_search::rows::Row;

use crate::content::Content;
use crate::error::AppError;
use crate::options::{SearchOptions, SearchText};
use crate::search::{Search, search};

/// Maximum number of different values of a field that are counted. A field with more, such as an id,
/// has no frequent values worth naming.
const MAX_VALUES: usize = 1000;

/// Number of values kept as examples of a field with more values than are counted.
const EXAMPLES: usize = 3;

/// Number of characters of a value that are kept.
const MAX_LENGTH: usize = 200;

/// Maximum size in bytes of the values of all fields together. A field that would exceed it is
/// treated as one with too many values.
const BUDGET: usize = 32 << 20;

/// Size in bytes that a value counts in addition to its text.
const OVERHEAD: usize = 64;

/// A field of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldUse {
    /// Name of the field.
    pub name: String,
    /// Number of events that have the field.
    pub events: u64,
    /// Number of different values; `None` if there are too many to count.
    pub values: Option<u64>,
    /// The values with the numbers of events that have them, the most frequent first. If there are too
    /// many values to count, a few examples without numbers.
    pub top: Vec<(String, Option<u64>)>,
}

/// The fields of the events of a search.
#[derive(Debug)]
pub struct FieldList {
    /// Number of events.
    pub events: u64,
    /// The fields: those that most events have come first, and equally frequent ones are sorted by name.
    pub fields: Vec<FieldUse>,
    /// The search, for what it could not read and for its messages.
    pub search: Search,
    /// Warnings of the search.
    pub messages: Vec<spilltrail_diagnostic::Diagnostic>,
}

/// Runs a search and counts the fields of its rows, with the `top` most frequent values of each.
/// Memory is bounded, however many events there are. The raw text of events is not counted.
///
/// # Errors
/// As [`search`] and [`Search::run`].
pub async fn fields(
    content: &Content,
    options: &SearchOptions,
    top: usize,
) -> Result<FieldList, AppError> {
    let mut options = options.clone();
    if let SearchText::Spl(text) = &mut options.search {
        // The raw text is the largest field, and different in each event.
        text.push_str(" | fields - _raw");
    }
    let search = search(content, &options).await?;
    let mut found = search.run().await?;
    let mut tally = Tally::default();
    while let Some(batch) = found.next().await? {
        batch.rows().for_each(|row| tally.add(&row));
    }
    let messages = found.messages();
    drop(found);
    Ok(FieldList { events: tally.events, fields: tally.finish(top), search, messages })
}

/// The counts so far.
#[derive(Debug, Default)]
struct Tally {
    events: u64,
    fields: IndexMap<String, Counts>,
    /// Size of the values of all fields.
    size: usize,
}

#[derive(Debug, Default)]
struct Counts {
    events: u64,
    values: HashMap<String, u64>,
    /// Examples, once there are too many values to count.
    examples: Option<Vec<String>>,
}

impl Tally {
    fn add(&mut self, row: &Row) {
        self.events += 1;
        for (name, value) in row.iter().filter(|(_, value)| !value.is_null()) {
            if !self.fields.contains_key(name) {
                self.fields.insert(name.clone(), Counts::default());
            }
            let Some(counts) = self.fields.get_mut(name) else { continue };
            counts.events += 1;
            if counts.examples.is_none() {
                count_values(counts, value, &mut self.size);
            }
        }
    }

    fn finish(self, top: usize) -> Vec<FieldUse> {
        let mut fields: Vec<FieldUse> =
            self.fields.into_iter().map(|(name, counts)| counts.finish(name, top)).collect();
        fields.sort_by(|a, b| b.events.cmp(&a.events).then_with(|| a.name.cmp(&b.name)));
        fields
    }
}

/// Counts the different values of one event.
fn count_values(counts: &mut Counts, value: &Value<'_>, size: &mut usize) {
    let members = value.members();
    for (index, member) in members.iter().enumerate() {
        if members[..index].contains(member) {
            continue;
        }
        if let Some(count) = counts.values.get_mut(&**member) {
            *count += 1;
            continue;
        }
        *size += member.len() + OVERHEAD;
        counts.values.insert(member.to_string(), 1);
        if counts.values.len() > MAX_VALUES || *size > BUDGET {
            let dropped = std::mem::take(&mut counts.values);
            *size -= dropped.keys().map(|text| text.len() + OVERHEAD).sum::<usize>();
            let mut values: Vec<String> = dropped.into_keys().collect();
            values.sort();
            values.truncate(EXAMPLES);
            counts.examples = Some(values);
            return;
        }
    }
}

/// Returns a value as it is shown: a long one is cut, and says so.
fn shown(text: String) -> String {
    match text.char_indices().nth(MAX_LENGTH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

impl Counts {
    fn finish(self, name: String, top: usize) -> FieldUse {
        let events = self.events;
        if let Some(examples) = self.examples {
            let top = examples.into_iter().map(|text| (shown(text), None)).collect();
            return FieldUse { name, events, values: None, top };
        }
        let distinct = self.values.len() as u64;
        let mut values: Vec<(String, u64)> = self.values.into_iter().collect();
        values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        values.truncate(top);
        let top = values.into_iter().map(|(text, count)| (shown(text), Some(count))).collect();
        FieldUse { name, events, values: Some(distinct), top }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(fields: &[(&str, Value<'static>)]) -> Row {
        fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    #[test]
    fn events_are_counted_by_field_and_by_value() {
        let mut tally = Tally::default();
        let twice = Value::multi(vec!["x".into(), "x".into(), "y".into()]);
        tally.add(&row(&[("a", Value::text("x")), ("b", Value::Number(1.0))]));
        tally.add(&row(&[("a", twice), ("b", Value::Null)]));
        let fields = tally.finish(1);
        let a = FieldUse {
            name: "a".to_owned(),
            events: 2,
            values: Some(2),
            top: vec![("x".to_owned(), Some(2))],
        };
        assert_eq!(fields[0], a);
        assert_eq!((fields[1].name.as_str(), fields[1].events), ("b", 1));
    }

    #[test]
    fn a_field_with_too_many_values_has_examples() {
        let mut tally = Tally::default();
        for number in 0..2 * MAX_VALUES {
            tally.add(&row(&[("id", Value::text(format!("{number:05}")))]));
        }
        assert_eq!(tally.size, 0, "the values are dropped");
        let fields = tally.finish(10);
        assert_eq!((fields[0].events, fields[0].values), (2 * MAX_VALUES as u64, None));
        assert_eq!(fields[0].top.len(), EXAMPLES);
    }
}
