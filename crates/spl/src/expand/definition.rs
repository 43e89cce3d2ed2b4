//! Macro definitions and the set that a search may use.

use indexmap::IndexMap;

/// A macro: a named piece of search text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MacroDefinition {
    /// The name, without the number of arguments that `macros.conf` puts behind it.
    pub name: String,
    /// The arguments' names, in order.
    pub arguments: Vec<String>,
    /// The text, with `$argument$` where an argument goes.
    pub definition: String,
    /// True if the definition is an eval expression whose result is the text.
    pub is_eval: bool,
    /// An eval expression over the arguments: a Boolean that must be true, or a message that must be null.
    pub validation: Option<String>,
    /// What to say when a Boolean validation is not true.
    pub error_message: Option<String>,
    /// The file that it comes from, or `built-in`.
    pub origin: String,
}

impl MacroDefinition {
    /// Returns the name with the number of arguments, as in `rename_to(2)`.
    #[must_use]
    pub fn title(&self) -> String {
        title(&self.name, self.arguments.len())
    }
}

/// Macros by name and number of arguments: one name may have several definitions.
#[derive(Default, Clone, Debug)]
pub struct MacroSet {
    macros: IndexMap<(String, usize), MacroDefinition>,
}

impl MacroSet {
    /// Returns a set without macros.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a macro and returns the one of the same name and number of arguments that it replaces.
    pub fn insert(&mut self, definition: MacroDefinition) -> Option<MacroDefinition> {
        self.macros.insert((definition.name.clone(), definition.arguments.len()), definition)
    }

    /// Returns the macro `name` that takes `arity` arguments.
    #[must_use]
    pub fn get(&self, name: &str, arity: usize) -> Option<&MacroDefinition> {
        self.macros.get(&(name.to_owned(), arity))
    }

    /// Returns all macros, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = &MacroDefinition> {
        self.macros.values()
    }

    /// Returns the macros that searches expect of Splunk's own apps, which no content folder defines.
    #[must_use]
    pub fn builtin() -> Self {
        let mut set = Self::new();
        for definition in super::builtin::definitions() {
            set.insert(definition);
        }
        set
    }
}

/// Returns a macro's name with its number of arguments, if it has any.
pub(super) fn title(name: &str, arity: usize) -> String {
    if arity == 0 { name.to_owned() } else { format!("{name}({arity})") }
}
