//! The files that define data models, event types and tags.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::Deserialize;
use spilltrail_diagnostic::{Code, Diagnostic, Span};
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
    #[serde(default)]
    defaults: IndexMap<String, String>,
    /// Whether it has the field `vendor_product`, which names the product that made an event.
    #[serde(default)]
    vendor_product: bool,
    /// Fields with an eval expression.
    #[serde(default)]
    calculated: IndexMap<String, String>,
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
    event_types: Vec<WrittenType>,
    #[serde(default)]
    tags: Vec<WrittenTag>,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "the keys of an event type")]
struct WrittenType {
    name: String,
    search: String,
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "the keys of a tag")]
struct WrittenTag {
    field: String,
    value: String,
    tags: Vec<String>,
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
                return Err(refused(format!("two datasets are named `{}`", written.name)));
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
                return Err(Diagnostic::error(Code::YAML, message).at(find(text, &name)));
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
    /// Checks the file and returns its event types, and its tags for values of fields.
    ///
    /// # Errors
    /// Fails if a search is not valid or a name is missing.
    pub fn build(self, text: &str) -> Result<(Vec<EventType>, Vec<PlainTag>), Diagnostic> {
        let mut types = Vec::new();
        for WrittenType { name, search, tags } in self.event_types {
            if name.is_empty() || search.trim().is_empty() {
                let message = "an event type needs a name and a search";
                return Err(Diagnostic::error(Code::YAML, message).at(find(text, "event_types")));
            }
            types.push(EventType { name, search: search_of(&search, text)?, tags });
        }
        let tags = self.tags.into_iter();
        let tags = tags.map(|WrittenTag { field, value, tags }| {
            let span = find(text, &value);
            PlainTag { field, value, tags, span }
        });
        Ok((types, tags.collect()))
    }
}

/// Parses a search of a file. A mistake is at its place in the file.
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
    let search = parse_search(written)?;
    if search.any(&|part| matches!(part, SearchExpr::Subsearch(_) | SearchExpr::Time { .. })) {
        let message = "an event type has neither subsearches nor time modifiers";
        let help = "write its parts here, and choose the time with the search that names it";
        let span = Span::new(0, written.len());
        return Err(Diagnostic::error(Code::YAML, message).at(span).help(help));
    }
    Ok(search)
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
    let first = part.lines().next().unwrap_or_default();
    match text.find(first).filter(|_| !first.is_empty()) {
        Some(start) => Span::new(start, start + first.len()),
        None => Span::new(0, text.lines().next().map_or(0, str::len)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_have_their_places() {
        for (text, message, place) in [
            (
                "data_model: A\ndatasets:\n- name: B.C\n",
                "`B.C` is not the name of a dataset",
                "B.C",
            ),
            (
                "data_model: A\ndatasets:\n- {name: B, parent: Z}\n",
                "no dataset before this one is named `Z`",
                "B",
            ),
            ("data_model: A\ndatasets:\n- name: B\n- name: B\n", "two datasets are named `B`", "B"),
            (
                "data_model: A\ndatasets:\n- name: B\n  fields: [x]\n  unknown: [x]\n",
                "the field `x` is listed twice",
                "x",
            ),
            (
                "data_model: A\ndatasets:\n- name: B\n  search: tag=x [search y]\n",
                "an event type has neither subsearches nor time modifiers",
                "tag=x [search y]",
            ),
            (
                "data_model: A\ndatasets:\n- name: B\n  calculated: {y: len(}\n",
                "`(` is never closed",
                "(",
            ),
        ] {
            let file: ModelFile = serde_yaml_ng::from_str(text).unwrap();
            let error = file.build(text).unwrap_err();
            let span = error.span().unwrap();
            assert_eq!((error.message.as_str(), &text[span.start..span.end]), (message, place));
        }
    }
}
