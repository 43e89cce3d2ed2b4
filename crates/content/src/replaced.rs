//! Content that later content has replaced: whoever reads a result must know that a detection or a
//! macro is not the one that its name suggests.

use std::path::PathBuf;

use spilltrail_spl::MacroDefinition;

use crate::detection::Detection;

/// The definition of a filter that lets everything through, which is there to be replaced.
const NO_FILTER: &str = "search *";

/// A detection of a folder that another file has replaced, whatever it searches for: it is not loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Superseded {
    /// Its file.
    pub file: PathBuf,
    /// The file that replaced it.
    pub by: PathBuf,
    /// Whether both have the same id; else they have the same name.
    pub has_same_id: bool,
}

impl Superseded {
    /// Returns `None` for a detection of the built-in pack, which has no file.
    pub(crate) fn new(old: &Detection, new: &Detection) -> Option<Self> {
        old.root.as_ref()?;
        Some(Self { file: old.path.clone(), by: new.path.clone(), has_same_id: old.id == new.id })
    }
}

/// A detection or a macro that content of a later folder has replaced by another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// Whether it is a macro.
    pub is_macro: bool,
    /// Its name; that of a macro has the number of its arguments, as in `m(1)`.
    pub name: String,
    /// The file that it was in; `None` for a macro, and for a detection of the built-in pack.
    pub file: Option<PathBuf>,
    /// The file that replaced it.
    pub by: PathBuf,
}

/// Returns a text without what makes no difference to a search.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Replaced {
    /// Returns that a detection was replaced, unless by one with the same search.
    pub(crate) fn detection(old: &Detection, new: &Detection) -> Option<Self> {
        (plain(&old.search) != plain(&new.search)).then(|| Self {
            is_macro: false,
            name: old.name.clone(),
            file: old.root.is_some().then(|| old.path.clone()),
            by: new.path.clone(),
        })
    }

    /// Returns that a macro was replaced, unless by one with the same definition, or unless it was a
    /// filter that was still empty.
    pub(crate) fn of_macro(old: &MacroDefinition, new: &MacroDefinition) -> Option<Self> {
        let before = plain(&old.definition);
        let is_unused_filter = old.name.ends_with("_filter") && before == NO_FILTER;
        let is_same = before == plain(&new.definition) || is_unused_filter;
        (!is_same).then(|| Self {
            is_macro: true,
            name: old.title(),
            file: None,
            by: PathBuf::from(&new.origin),
        })
    }
}
