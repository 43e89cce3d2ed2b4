//! Data models, their datasets and fields.

use std::sync::Arc;

use indexmap::IndexMap;
use spilltrail_spl::{EvalExpr, SearchExpr};

/// A data model: datasets, each with the events and fields of one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataModel {
    /// The name.
    pub name: String,
    /// What the model is about, in one sentence.
    pub description: String,
    /// The datasets; each stands after its parent.
    pub datasets: Vec<Dataset>,
}

/// A dataset of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// The name, without those of its parents.
    pub name: String,
    /// The index of the dataset of which this one is a part. `None` for a root.
    pub parent: Option<usize>,
    /// Which of the parent's events are in it; for a root, which of all events.
    pub search: SearchExpr,
    /// Its own fields, without those of its parents.
    pub fields: IndexMap<String, FieldValue>,
}

/// How a field gets its value from an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldValue {
    /// From the event's field with the same name.
    AsIs,
    /// From the event's field with the same name, or else a fixed text.
    Default {
        /// The text for events without a value.
        text: String,
        /// Texts that count as no value; the empty text is one of them.
        blanks: Vec<String>,
    },
    /// From an eval expression over the event's fields.
    Calculated(Arc<EvalExpr>),
}

impl DataModel {
    /// Returns the index of the dataset with this name, or with this path from its root.
    #[must_use]
    pub fn dataset(&self, name: &str) -> Option<usize> {
        let is_it = |index: &usize| self.datasets[*index].name == name || self.path(*index) == name;
        (0..self.datasets.len()).find(is_it)
    }

    /// Returns the names of a dataset and its parents, from the root, joined by dots.
    #[must_use]
    pub fn path(&self, index: usize) -> String {
        let names = self.line(index).into_iter().map(|index| self.datasets[index].name.as_str());
        names.collect::<Vec<_>>().join(".")
    }

    /// Returns the indexes of a dataset and its parents, from the root.
    pub(crate) fn line(&self, index: usize) -> Vec<usize> {
        let mut line = vec![index];
        // A parent stands before its parts, so this ends.
        while let Some(parent) = self.datasets[line[0]].parent {
            line.insert(0, parent);
        }
        line
    }
}
