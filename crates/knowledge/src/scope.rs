//! The part of a data model that a search reads.

use std::borrow::Cow;

use indexmap::IndexMap;
use spilltrail_diagnostic::{Code, Diagnostic, Spanned, similar};
use spilltrail_spl::SearchExpr;

use crate::model::{DataModel, FieldValue};

/// Fields that every event has, and that searches of a data model name without a dataset.
pub const EVERY_EVENT_HAS: &[&str] = &[
    "_time",
    "_raw",
    "_indextime",
    "host",
    "source",
    "sourcetype",
    "index",
    "splunk_server",
    "linecount",
    "eventtype",
    "tag",
];

/// A dataset with its parts, or all datasets of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The name of the model.
    pub model: String,
    /// The name of the dataset; `None` for all.
    pub dataset: Option<String>,
    /// Which events are in it.
    pub search: SearchExpr,
    /// The fields by their qualified names: the path of the dataset that has the field, and the field.
    pub fields: IndexMap<String, ScopedField>,
    /// The datasets that are in it or contain it, by their paths, and which of its events each has.
    pub nodes: IndexMap<String, SearchExpr>,
}

/// A field within a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopedField {
    /// The name without its dataset.
    pub name: String,
    /// How it gets its value.
    pub value: FieldValue,
    /// Which events of the scope have it: [`SearchExpr::All`], or those of a part.
    pub within: SearchExpr,
}

impl Scope {
    /// Returns the scope of a dataset, or of all datasets of a model. A model with a single root is
    /// the same as its root.
    pub(crate) fn new(model: &DataModel, dataset: Option<usize>) -> Self {
        let mut roots = (0..model.datasets.len()).filter(|i| model.datasets[*i].parent.is_none());
        let top = dataset.or_else(|| roots.next().filter(|_| roots.next().is_none()));
        let above = top.map(|top| model.line(top)).unwrap_or_default();
        let within = |line: &[usize]| {
            let parts = line.iter().filter(|index| !above.contains(index));
            conjunction(parts.map(|index| model.datasets[*index].search.clone()))
        };
        let search = match top {
            Some(_) => conjunction(above.iter().map(|i| model.datasets[*i].search.clone())),
            None => {
                let roots = model.datasets.iter().filter(|dataset| dataset.parent.is_none());
                SearchExpr::Or(roots.map(|root| root.search.clone()).collect())
            }
        };
        let (mut fields, mut nodes) = (IndexMap::new(), IndexMap::new());
        for (index, dataset) in model.datasets.iter().enumerate() {
            let line = model.line(index);
            let is_part = top.is_none_or(|top| line.contains(&top));
            if !is_part && !above.contains(&index) {
                continue;
            }
            let (path, within) = (model.path(index), within(&line));
            for (name, value) in &dataset.fields {
                let (name, value) = (name.clone(), value.clone());
                let qualified = format!("{path}.{name}");
                fields.insert(qualified, ScopedField { name, value, within: within.clone() });
            }
            nodes.insert(path, within);
        }
        let dataset = dataset.map(|index| model.datasets[index].name.clone());
        Self { model: model.name.clone(), dataset, search, fields, nodes }
    }

    /// Returns the field with a qualified name. The name may also be that of a part and a field that
    /// the part has from its parents; only the events of the part have it.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<Cow<'_, ScopedField>> {
        if let Some(own) = self.fields.get(name) {
            return Some(Cow::Borrowed(own));
        }
        let split = |(path, within): (&String, _)| {
            let rest = name.strip_prefix(path.as_str())?.strip_prefix('.')?;
            Some((path.len(), rest, within))
        };
        let parts = self.nodes.iter().filter_map(split);
        let (length, rest, within) = parts.max_by_key(|(length, ..)| *length)?;
        let path = name.get(..length)?;
        let mut above = path.split('.');
        let parent = std::iter::from_fn(|| above.next_back().map(|_| above.clone()))
            .map(|above| above.collect::<Vec<_>>().join("."))
            .find_map(|parent| self.fields.get(&format!("{parent}.{rest}")))?;
        let within: &SearchExpr = within;
        Some(Cow::Owned(ScopedField { within: within.clone(), ..parent.clone() }))
    }

    /// Returns true if a search of the scope may use the name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.field(name).is_some() || EVERY_EVENT_HAS.contains(&name)
    }

    /// Returns the title: the model, and the dataset if there is one.
    #[must_use]
    pub fn title(&self) -> String {
        match &self.dataset {
            Some(dataset) => format!("{}.{dataset}", self.model),
            None => self.model.clone(),
        }
    }

    /// Returns the error about a name that is no field of the scope.
    #[must_use]
    pub fn unknown_field(&self, name: &Spanned<String>) -> Diagnostic {
        let message = format!("the data model `{}` has no field `{}`", self.title(), name.value);
        let written = name.value.as_str();
        let qualified = self.fields.keys().find(|field| field.rsplit('.').next() == Some(written));
        let known = || self.fields.keys().map(String::as_str);
        let ignoring_case = known().find(|field| field.eq_ignore_ascii_case(written));
        let nearest = qualified
            .map(String::as_str)
            .or(ignoring_case)
            .or_else(|| similar(written, known().chain(EVERY_EVENT_HAS.iter().copied())));
        let help = match nearest {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => {
                let example = self.fields.keys().next().map_or("_time", String::as_str);
                format!("its fields are written as `{example}`")
            }
        };
        Diagnostic::error(Code::UNKNOWN_MODEL, message).at(name.span).help(help)
    }
}

fn conjunction(parts: impl Iterator<Item = SearchExpr>) -> SearchExpr {
    let mut parts: Vec<SearchExpr> = parts.filter(|part| *part != SearchExpr::All).collect();
    match parts.len() {
        0 => SearchExpr::All,
        1 => parts.remove(0),
        _ => SearchExpr::And(parts),
    }
}

#[cfg(test)]
mod tests {
    use spilltrail_diagnostic::Span;

    use super::*;
    use crate::Knowledge;

    fn named(name: &str) -> Spanned<String> {
        Spanned::new(name.to_owned(), Span::new(0, 0))
    }

    fn scope(model: &str, dataset: Option<&str>) -> Scope {
        let knowledge = Knowledge::builtin();
        knowledge.scope(&named(model), dataset.map(named).as_ref()).unwrap()
    }

    #[test]
    fn fields_have_the_names_of_their_datasets() {
        let change = scope("Change", None);
        assert_eq!(change, Scope { dataset: None, ..scope("Change", Some("All_Changes")) });
        for (name, has) in [
            ("All_Changes.user", true),
            ("All_Changes.Instance_Changes.image_id", true),
            // A part has the fields of its parent.
            ("All_Changes.Instance_Changes.user", true),
            ("All_Changes.image_id", false),
            ("All_Changes.Users", false),
            ("user", false),
            ("_time", true),
            ("sourcetype", true),
        ] {
            assert_eq!(change.has(name), has, "{name}");
        }
        assert_eq!(change.fields["All_Changes.user"].within, SearchExpr::All);
        assert_ne!(
            change.fields["All_Changes.Account_Management.src_nt_domain"].within,
            SearchExpr::All
        );
        // Through a part, only its events have the fields of its parents.
        let through = change.field("All_Changes.Instance_Changes.user").unwrap();
        assert_eq!(through.within, change.nodes["All_Changes.Instance_Changes"]);
        assert_ne!(through.within, SearchExpr::All);
        assert_eq!(through.name, "user");
        // Within the part itself, all events have its fields.
        let part = scope("Change", Some("All_Changes.Account_Management"));
        assert_eq!(
            part.fields["All_Changes.Account_Management.src_nt_domain"].within,
            SearchExpr::All
        );
        let through = part.field("All_Changes.Account_Management.user").unwrap();
        assert_eq!(through.within, SearchExpr::All);
        assert!(part.has("All_Changes.user") && !part.has("All_Changes.Instance_Changes.image_id"));
    }

    #[test]
    fn several_roots_are_alternatives() {
        let endpoint = scope("Endpoint", None);
        assert!(matches!(&endpoint.search, SearchExpr::Or(roots) if roots.len() == 5));
        assert_ne!(endpoint.fields["Processes.process"].within, SearchExpr::All);
        assert_eq!(scope("Endpoint", Some("Processes")).title(), "Endpoint.Processes");
    }

    #[test]
    fn a_wrong_name_has_the_nearest_one() {
        for (name, help) in [
            ("All_Changes.usr", "did you mean `All_Changes.user`?"),
            ("all_changes.USER", "did you mean `All_Changes.user`?"),
            ("user", "did you mean `All_Changes.user`?"),
            ("image_id", "did you mean `All_Changes.Instance_Changes.image_id`?"),
            ("nothing_like_it", "its fields are written as `All_Changes.dest_bunit`"),
        ] {
            let error = scope("Change", None).unknown_field(&named(name));
            assert_eq!(error.help.as_deref(), Some(help), "{name}");
        }
        let knowledge = Knowledge::builtin();
        for (model, dataset, message, help) in [
            ("change", None, "there is no data model `change`", "did you mean `Change`?"),
            (
                "Web",
                Some("Prox"),
                "the data model `Web` has no dataset `Prox`",
                "did you mean `Proxy`?",
            ),
            (
                "Web",
                Some("x"),
                "the data model `Web` has no dataset `x`",
                "it has `Web`, `Proxy`, `Storage`",
            ),
        ] {
            let error = knowledge.scope(&named(model), dataset.map(named).as_ref()).unwrap_err();
            assert_eq!((error.message.as_str(), error.help.as_deref()), (message, Some(help)));
        }
    }
}
