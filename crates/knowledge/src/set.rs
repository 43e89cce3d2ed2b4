//! All event types, tags and data models of a run.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use indexmap::IndexMap;
use spilltrail_diagnostic::{Code, Diagnostic, Spanned, similar};
use spilltrail_event::{CaseRule, Comparison, Pattern, compare};
use spilltrail_spl::{CompareOp, SearchExpr, SearchLiteral};

use crate::builtin::Embedded;
use crate::event_type::EventType;
use crate::model::DataModel;
use crate::scope::Scope;

/// The field with the event types of an event.
const EVENT_TYPE: &str = "eventtype";

/// What the name of a field begins with that has the tags of another field's value.
const TAGS_OF: &str = "tag::";

/// Returns true for a field whose values follow from event types and tags: `eventtype`, `tag`, and
/// `tag::` with the name of a field.
#[must_use]
pub fn is_class(field: &str) -> bool {
    field == EVENT_TYPE || field == "tag" || field.starts_with(TAGS_OF)
}

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
    /// The place of each event type with a name.
    places: HashMap<String, usize>,
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

    /// Adds an event type, which takes the place of one of the same name.
    pub fn add_event_type(&mut self, event_type: EventType) {
        let place = self.event_types.len();
        if event_type.name.is_empty() {
            self.event_types.push(event_type);
            return;
        }
        match self.places.entry(event_type.name.clone()) {
            Entry::Occupied(known) => self.event_types[*known.get()] = event_type,
            Entry::Vacant(new) => {
                new.insert(place);
                self.event_types.push(event_type);
            }
        }
    }

    /// Adds tags to the event type with this name; returns false if there is none.
    pub fn add_tags(&mut self, name: &str, tags: impl IntoIterator<Item = String>) -> bool {
        let Some(place) = self.places.get(name) else { return false };
        let known = &mut self.event_types[*place].tags;
        let mut seen: HashSet<String> = known.iter().cloned().collect();
        known.extend(tags.into_iter().filter(|tag| seen.insert(tag.clone())));
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
        self.event_types.iter().filter_map(EventType::tagged)
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
            if !is_class(&field.value) {
                return;
            }
            let is_defined = |literal: &SearchLiteral| {
                let asked = Asked::new(&field.value, CompareOp::Eq, &[literal]);
                self.event_types.iter().any(|known| asked.is_met_by(known))
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
            let asked = Asked::new(field, CompareOp::Eq, literals);
            !is_class(field) || self.event_types.iter().any(|known| asked.is_met_by(known))
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
        let (message, names): (String, BTreeSet<&str>) = if field == EVENT_TYPE {
            let names = self.event_types.iter().map(|known| known.name.as_str());
            (format!("nothing defines the event type `{text}`"), names.collect())
        } else {
            let known = self.event_types.iter().filter(|known| known.tags_of(field).is_some());
            let tags = known.flat_map(|known| &known.tags).map(String::as_str).collect();
            let message = match field.strip_prefix(TAGS_OF) {
                None | Some(EVENT_TYPE) => format!("no event type has the tag `{text}`"),
                Some(tagged) => format!("no value of `{tagged}` has the tag `{text}`"),
            };
            (message, tags)
        };
        let help = nearest(text, || names.iter().copied()).unwrap_or_else(|| {
            "only events with a field of this name can match; define it in the content's `event_types/`"
                .to_owned()
        });
        Diagnostic::warning(Code::UNKNOWN_EVENT_TYPE, message).at(value.span).help(help)
    }
}

impl EventType {
    /// Returns the value of a field that has the tags.
    fn tagged(&self) -> Option<TaggedValue<'_>> {
        let tags = self.tags.as_slice();
        if !self.name.is_empty() {
            return Some(TaggedValue { field: EVENT_TYPE, value: &self.name, tags });
        }
        // Tags of a field's value have a search for it, and no name.
        match &self.search {
            SearchExpr::Compare { field, op: CompareOp::Eq, value } => {
                Some(TaggedValue { field: &field.value, value: &value.value.text, tags })
            }
            _ => None,
        }
    }

    /// Returns the values that an event of the type has in a field for which [`is_class`] is true.
    #[must_use]
    pub fn values(&self, field: &str) -> &[String] {
        if field == EVENT_TYPE {
            return if self.name.is_empty() { &[] } else { std::slice::from_ref(&self.name) };
        }
        self.tags_of(field).unwrap_or_default()
    }

    /// Returns the tags that an event of the type has in `tag`, or in the `tag::` of a field.
    fn tags_of(&self, field: &str) -> Option<&[String]> {
        let has_them = match field.strip_prefix(TAGS_OF) {
            None => true,
            Some(tagged) => self.tagged().is_some_and(|value| value.field == tagged),
        };
        has_them.then_some(self.tags.as_slice())
    }
}

/// A comparison of `eventtype` or `tag` with one of several values.
#[derive(Debug)]
pub(crate) struct Asked {
    field: String,
    op: Comparison,
    values: Vec<Pattern>,
}

impl Asked {
    pub(crate) fn new(field: &str, op: CompareOp, literals: &[&SearchLiteral]) -> Self {
        let op = match op {
            CompareOp::Eq => Comparison::Eq,
            CompareOp::Ne => Comparison::Ne,
            CompareOp::Lt => Comparison::Lt,
            CompareOp::Le => Comparison::Le,
            CompareOp::Gt => Comparison::Gt,
            CompareOp::Ge => Comparison::Ge,
        };
        let pattern = |literal: &&SearchLiteral| {
            let case = if literal.exact_case { CaseRule::Exact } else { CaseRule::Ignore };
            Pattern::new(literal.text.as_str(), case)
        };
        let values = literals.iter().map(pattern).collect();
        Self { field: field.to_owned(), op, values }
    }

    /// Returns true if an event of the type satisfies the comparison.
    pub(crate) fn is_met_by(&self, event_type: &EventType) -> bool {
        let any = |value: &str| self.values.iter().any(|other| compare(value, self.op, other));
        event_type.values(&self.field).iter().any(|value| any(value))
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

    /// The help if no name is similar.
    const DEFINE: &str = "only events with a field of this name can match; define it in the content's `event_types/`";

    fn knowledge() -> Knowledge {
        let mut knowledge = Knowledge::default();
        for (name, search, tags) in [
            ("login", "action=login", &["authentication", "default"][..]),
            ("vpn", "eventtype=login app=vpn", &["network"]),
            ("", "host=\"web 1\"", &["web"]),
            ("", "host!=x", &["not_a_value"]),
        ] {
            let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
            let search = parse_search(search).unwrap();
            knowledge.add_event_type(EventType { name: name.to_owned(), search, tags });
        }
        knowledge
    }

    #[test]
    fn values_have_tags() {
        let knowledge = knowledge();
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
            ("tag=web tag::host=web", true),
            ("tag::eventtype=web", false),
            ("tag::host=network", false),
            ("tag::user=web", false),
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
            ("tag::eventtype=network OR tag::host=web", None),
            ("tag::eventtype=web", Some(("no event type has the tag `web`", DEFINE))),
            (
                "tag::host=webb",
                Some(("no value of `host` has the tag `webb`", "did you mean `web`?")),
            ),
            ("tag::user=web", Some(("no value of `user` has the tag `web`", DEFINE))),
            (
                "eventtype IN (login, vnp)",
                Some(("nothing defines the event type `vnp`", "did you mean `vpn`?")),
            ),
            ("tag!=vpn OR NOT eventtype!=logn", Some(("no event type has the tag `vpn`", DEFINE))),
            ("tag!=network OR NOT eventtype!=login", None),
        ] {
            let told = knowledge().undefined(&parse_search(search).unwrap());
            let told = told.first().map(|told| (told.message.clone(), told.help.clone().unwrap()));
            let expected = expected.map(|(message, help)| (message.to_owned(), help.to_owned()));
            assert_eq!(told, expected, "{search}");
        }
    }
}
