//! Defines macros and the set of macros that a search may use.

use indexmap::IndexMap;

/// A macro: a named piece of search text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MacroDefinition {
    /// The name, without the argument count that `macros.conf` appends to it.
    pub name: String,
    /// The arguments' names, in order.
    pub arguments: Vec<String>,
    /// The text, with `$argument$` in the positions of arguments.
    pub definition: String,
    /// True if the definition is an eval expression that returns the text.
    pub is_eval: bool,
    /// An eval expression over the arguments: a Boolean that must be true, or a message that must
    /// be null.
    pub validation: Option<String>,
    /// The error message for a Boolean validation that is not true.
    pub error_message: Option<String>,
    /// The file that defines the macro, or `built-in`.
    pub origin: String,
}

impl MacroDefinition {
    /// Returns the name with the argument count, as in `rename_to(2)`.
    #[must_use]
    pub fn title(&self) -> String {
        title(&self.name, self.arguments.len())
    }
}

/// Macros by name and argument count; a name may have several definitions. Also the saved searches
/// that a search may run by name.
#[derive(Default, Clone, Debug)]
pub struct MacroSet {
    macros: IndexMap<(String, usize), MacroDefinition>,
    /// The saved searches, by name in lowercase.
    searches: IndexMap<String, SavedSearch>,
}

/// A search that others run by its name.
#[derive(Clone, Debug)]
pub(super) struct SavedSearch {
    pub(super) name: String,
    pub(super) text: String,
}

impl MacroSet {
    /// Returns a set without macros.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a macro; returns the macro with the same name and argument count that it replaces, if
    /// any.
    pub fn insert(&mut self, definition: MacroDefinition) -> Option<MacroDefinition> {
        self.macros.insert((definition.name.clone(), definition.arguments.len()), definition)
    }

    /// Returns the macro `name` that takes `arity` arguments.
    #[must_use]
    pub fn get(&self, name: &str, arity: usize) -> Option<&MacroDefinition> {
        self.macros.get(&(name.to_owned(), arity))
    }

    /// Returns all macros, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &MacroDefinition> {
        self.macros.values()
    }

    /// Adds a search that others run by its name; a search of the same name is replaced.
    pub fn insert_search(&mut self, name: &str, text: &str) {
        let search = SavedSearch { name: name.to_owned(), text: text.to_owned() };
        self.searches.insert(name.to_lowercase(), search);
    }

    /// Returns the search with this name, in any case. The name may be the one that Splunk's content
    /// apps give a detection, such as `ESCU - Name - Rule`.
    pub(super) fn search(&self, name: &str) -> Option<&SavedSearch> {
        let wanted = name.trim().to_lowercase();
        let short = || {
            let (_, rest) = wanted.split_once(" - ")?;
            self.searches.get(rest.strip_suffix(" - rule").unwrap_or(rest))
        };
        self.searches.get(&wanted).or_else(short)
    }

    /// Returns the names of the saved searches.
    pub fn search_names(&self) -> impl Iterator<Item = &str> {
        self.searches.values().map(|search| search.name.as_str())
    }

    /// Returns the macros of Splunk's own apps, which searches expect but no content folder
    /// defines.
    #[must_use]
    pub fn builtin() -> Self {
        let mut set = Self::new();
        for definition in super::builtin::definitions() {
            set.insert(definition);
        }
        set
    }
}

/// Returns a macro's name, with its argument count if it has arguments.
pub(super) fn title(name: &str, arity: usize) -> String {
    if arity == 0 { name.to_owned() } else { format!("{name}({arity})") }
}
