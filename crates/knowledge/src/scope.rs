//! The part of a data model that a search reads.

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

    /// Returns true if a search of the scope may use the name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.fields.contains_key(name) || EVERY_EVENT_HAS.contains(&name)
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
