//! Content that later content has replaced: whoever reads a result must know that a detection or a
//! macro is not the one that its name suggests.

use std::path::PathBuf;

use spilltrail_spl::MacroDefinition;

use crate::detection::Detection;

/// The definition of a filter that lets everything through, which is there to be replaced.
const NO_FILTER: &str = "search *";

/// A detection or a macro that content of a later folder has replaced by another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// Whether it is a macro.
    pub is_macro: bool,
    /// Its name; that of a macro has the number of its arguments, as in `m(1)`.
    pub name: String,
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
            by: PathBuf::from(&new.origin),
        })
    }
}
