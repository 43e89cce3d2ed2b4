//! All event types, tags and data models of a run.

use std::collections::BTreeSet;
use std::sync::Arc;

use indexmap::IndexMap;
use spilltrail_diagnostic::{Code, Diagnostic, Spanned, similar};
use spilltrail_event::{CaseRule, Comparison, Pattern, compare};
use spilltrail_spl::{CompareOp, SearchExpr, SearchLiteral};

use crate::builtin::Embedded;
use crate::event_type::EventType;
use crate::model::DataModel;
use crate::scope::Scope;

/// The fields whose values follow from event types.
pub(crate) const CLASSES: [&str; 3] = ["eventtype", "tag", "tag::eventtype"];

/// The field with the event types of an event.
const EVENT_TYPE: &str = "eventtype";

/// A value of a field, with its tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaggedValue<'k> {
    /// The field.
    pub field: &'k str,
    /// The value. In any case, and with `*` for any text, as in a search.
    pub value: &'k str,
    /// The tags.
    pub tags: &'k [String],
}

/// Event types with their tags, and data models.
#[derive(Debug, Clone, Default)]
pub struct Knowledge {
    models: IndexMap<String, Model>,
    event_types: Vec<EventType>,
}

#[derive(Debug, Clone)]
enum Model {
    Read(Arc<DataModel>),
    /// Read when it is first asked for.
    Embedded(&'static Embedded),
}

impl Model {
    fn get(&self) -> &DataModel {
        match self {
            Self::Read(model) => model,
            Self::Embedded((_, model)) => model,
        }
    }
}

impl Knowledge {
    /// Adds a data model, which replaces one of the same name.
    pub fn add_model(&mut self, model: DataModel) {
        self.models.insert(model.name.clone(), Model::Read(Arc::new(model)));
    }

    pub(crate) fn add_embedded(&mut self, embedded: &'static Embedded) {
        self.models.insert(embedded.0.to_owned(), Model::Embedded(embedded));
    }

    /// Adds an event type, which replaces one of the same name.
    pub fn add_event_type(&mut self, event_type: EventType) {
        let is_named = !event_type.name.is_empty();
        self.event_types.retain(|other| !is_named || other.name != event_type.name);
        self.event_types.push(event_type);
    }

    /// Adds tags to the event type with this name; returns false if there is none.
    pub fn add_tags(&mut self, name: &str, tags: impl IntoIterator<Item = String>) -> bool {
        let Some(found) = self.event_types.iter_mut().find(|known| known.name == name) else {
            return false;
        };
        for tag in tags {
            if !found.tags.contains(&tag) {
                found.tags.push(tag);
            }
        }
        true
    }

    /// Returns the data models.
    pub fn models(&self) -> impl Iterator<Item = &DataModel> {
        self.models.values().map(Model::get)
    }

    /// Returns the event types.
    #[must_use]
    pub fn event_types(&self) -> &[EventType] {
        &self.event_types
    }

    /// Returns the tags of values of fields, in the order of their definition. The tags of an event
    /// type are those of a value of `eventtype`.
    pub fn tagged_values(&self) -> impl Iterator<Item = TaggedValue<'_>> {
        self.event_types.iter().filter_map(|known| {
            let tags = known.tags.as_slice();
            if !known.name.is_empty() {
                return Some(TaggedValue { field: EVENT_TYPE, value: &known.name, tags });
            }
            // Tags of a field's value have a search for it, and no name.
            match &known.search {
                SearchExpr::Compare { field, op: CompareOp::Eq, value } => {
                    Some(TaggedValue { field: &field.value, value: &value.value.text, tags })
                }
                _ => None,
            }
        })
    }

    /// Returns the part of a data model that `model` and `dataset` name.
    ///
    /// # Errors
    /// Fails if there is no such model or dataset; the error suggests the most similar name.
    pub fn scope(
        &self,
        model: &Spanned<String>,
        dataset: Option<&Spanned<String>>,
    ) -> Result<Scope, Diagnostic> {
        let Some(found) = self.models.get(&model.value).map(Model::get) else {
            let message = format!("there is no data model `{}`", model.value);
            let names = || self.models.keys().map(String::as_str);
            let help = nearest(&model.value, names)
                .unwrap_or_else(|| "add a file with it to the content's `data_models/`".to_owned());
            return Err(Diagnostic::error(Code::UNKNOWN_MODEL, message).at(model.span).help(help));
        };
        let Some(dataset) = dataset else { return Ok(Scope::new(found, None)) };
        if let Some(index) = found.dataset(&dataset.value) {
            return Ok(Scope::new(found, Some(index)));
        }
        let message = format!("the data model `{}` has no dataset `{}`", found.name, dataset.value);
        let names = || found.datasets.iter().map(|dataset| dataset.name.as_str());
        let help = nearest(&dataset.value, names)
            .unwrap_or_else(|| format!("it has `{}`", names().collect::<Vec<_>>().join("`, `")));
        Err(Diagnostic::error(Code::UNKNOWN_MODEL, message).at(dataset.span).help(help))
    }

    /// Returns warnings about the event types and tags that an expression asks for and nothing defines.
    #[must_use]
    pub fn undefined(&self, expression: &SearchExpr) -> Vec<Diagnostic> {
        let mut warnings = Vec::new();
        expression.walk(&mut |part| {
            let (field, values) = match part {
                SearchExpr::Compare { field, op: CompareOp::Eq | CompareOp::Ne, value } => {
                    (field, std::slice::from_ref(value))
                }
                SearchExpr::In { field, values } => (field, values.as_slice()),
                _ => return,
            };
            if !CLASSES.contains(&field.value.as_str()) {
                return;
            }
            let is_defined = |literal: &SearchLiteral| {
                let mut types = self.event_types.iter();
                types.any(|known| known.satisfies(&field.value, CompareOp::Eq, &[literal]))
            };
            for value in values.iter().filter(|value| !is_defined(&value.value)) {
                warnings.push(self.undefined_value(&field.value, value));
            }
        });
        warnings
    }

    /// Returns true unless an expression asks for event types or tags that nothing defines, so that
    /// only events that have fields of these names can match it.
    #[must_use]
    pub fn may_match(&self, expression: &SearchExpr) -> bool {
        let is_met = |field: &str, literals: &[&SearchLiteral]| {
            let mut types = self.event_types.iter();
            !CLASSES.contains(&field)
                || types.any(|known| known.satisfies(field, CompareOp::Eq, literals))
        };
        match expression {
            SearchExpr::And(parts) => parts.iter().all(|part| self.may_match(part)),
            SearchExpr::Or(parts) => parts.iter().any(|part| self.may_match(part)),
            SearchExpr::Compare { field, op: CompareOp::Eq, value } => {
                is_met(&field.value, &[&value.value])
            }
            SearchExpr::In { field, values } => {
                let values: Vec<&SearchLiteral> = values.iter().map(|value| &value.value).collect();
                is_met(&field.value, &values)
            }
            _ => true,
        }
    }

    fn undefined_value(&self, field: &str, value: &Spanned<SearchLiteral>) -> Diagnostic {
        let text = &value.value.text;
        let (message, names): (String, BTreeSet<&str>) = if field == "eventtype" {
            let names = self.event_types.iter().map(|known| known.name.as_str());
            (format!("nothing defines the event type `{text}`"), names.collect())
        } else {
            let tags = self.event_types.iter().flat_map(|known| &known.tags).map(String::as_str);
            (format!("no event type has the tag `{text}`"), tags.collect())
        };
        let help = nearest(text, || names.iter().copied()).unwrap_or_else(|| {
            "only events with a field of this name can match; define it in the content's `event_types/`"
                .to_owned()
        });
        Diagnostic::warning(Code::UNKNOWN_EVENT_TYPE, message).at(value.span).help(help)
    }
}

impl EventType {
    /// Returns true if an event of the type satisfies a comparison of `eventtype` or `tag` with one
    /// of the literals.
    pub(crate) fn satisfies(
        &self,
        field: &str,
        op: CompareOp,
        literals: &[&SearchLiteral],
    ) -> bool {
        let op = match op {
            CompareOp::Eq => Comparison::Eq,
            CompareOp::Ne => Comparison::Ne,
            CompareOp::Lt => Comparison::Lt,
            CompareOp::Le => Comparison::Le,
            CompareOp::Gt => Comparison::Gt,
            CompareOp::Ge => Comparison::Ge,
        };
        let any = |value: &str| {
            literals.iter().any(|literal| {
                let case = if literal.exact_case { CaseRule::Exact } else { CaseRule::Ignore };
                compare(value, op, &Pattern::new(literal.text.as_str(), case))
            })
        };
        match field {
            "eventtype" => !self.name.is_empty() && any(&self.name),
            _ => self.tags.iter().any(|tag| any(tag)),
        }
    }
}

fn nearest<'n, I: Iterator<Item = &'n str>>(
    written: &str,
    names: impl Fn() -> I,
) -> Option<String> {
    let ignoring_case = names().find(|name| name.eq_ignore_ascii_case(written));
    let found = ignoring_case.or_else(|| similar(written, names()))?;
    Some(format!("did you mean `{found}`?"))
}

#[cfg(test)]
mod tests {
    use spilltrail_spl::parse_search;

    use super::*;

    fn knowledge() -> Knowledge {
        let mut knowledge = Knowledge::default();
        for (name, search, tags) in [
            ("login", "action=login", &["authentication", "default"][..]),
            ("vpn", "eventtype=login app=vpn", &["network"]),
        ] {
            let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
            let search = parse_search(search).unwrap();
            knowledge.add_event_type(EventType { name: name.to_owned(), search, tags });
        }
        knowledge
    }

    #[test]
    fn values_have_tags() {
        let mut knowledge = knowledge();
        for (search, tag) in [("host=\"web 1\"", "web"), ("host!=x", "not_a_value")] {
            let (name, tags) = (String::new(), vec![tag.to_owned()]);
            let search = parse_search(search).unwrap();
            knowledge.add_event_type(EventType { name, search, tags });
        }
        let shown =
            |one: TaggedValue<'_>| format!("{}={} {}", one.field, one.value, one.tags.join(","));
        let found: Vec<String> = knowledge.tagged_values().map(shown).collect();
        assert_eq!(
            found,
            ["eventtype=login authentication,default", "eventtype=vpn network", "host=web 1 web"]
        );
    }

    #[test]
    fn what_nothing_defines_matches_nothing() {
        for (search, may_match) in [
            ("tag=authentication user=x", true),
            ("tag=authentication tag=nothing", false),
            ("tag=authentication OR tag=nothing", true),
            ("tag IN (nothing, network)", true),
            ("a=1 (tag=nothing OR eventtype IN (no, none))", false),
            ("NOT tag=nothing", true),
            ("tag!=nothing", true),
            ("nothing=1 x", true),
        ] {
            assert_eq!(
                knowledge().may_match(&parse_search(search).unwrap()),
                may_match,
                "{search}"
            );
        }
    }

    #[test]
    fn what_nothing_defines_is_told() {
        for (search, expected) in [
            ("tag=authentication eventtype=vpn", None),
            (
                "tag=authentcation",
                Some((
                    "no event type has the tag `authentcation`",
                    "did you mean `authentication`?",
                )),
            ),
            (
                "eventtype IN (login, vnp)",
                Some(("nothing defines the event type `vnp`", "did you mean `vpn`?")),
            ),
            (
                "tag!=vpn OR NOT eventtype!=logn",
                Some((
                    "no event type has the tag `vpn`",
                    "only events with a field of this name can match; define it in the content's `event_types/`",
                )),
            ),
            ("tag!=network OR NOT eventtype!=login", None),
        ] {
            let told = knowledge().undefined(&parse_search(search).unwrap());
            let told = told.first().map(|told| (told.message.clone(), told.help.clone().unwrap()));
            let expected = expected.map(|(message, help)| (message.to_owned(), help.to_owned()));
            assert_eq!(told, expected, "{search}");
        }
    }
}
