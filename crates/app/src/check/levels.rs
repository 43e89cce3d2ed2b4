//! How much each kind of warning counts.

use std::collections::BTreeMap;
use std::fmt;

use spilltrail_diagnostic::{Code, Diagnostic, Severity};

/// How much a warning counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It is not told.
    Allow,
    /// It is a warning.
    Warning,
    /// It is an error.
    Error,
}

impl Level {
    /// All levels.
    pub const ALL: [Self; 3] = [Self::Allow, Self::Warning, Self::Error];

    /// Returns the level with this name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.to_string().eq_ignore_ascii_case(text))
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allow => "allow",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// The levels of codes. A code without one has the severity of its diagnostics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Levels(BTreeMap<Code, Level>);

impl Levels {
    /// Sets the level of a code. A later level wins.
    pub fn set(&mut self, code: Code, level: Level) {
        self.0.insert(code, level);
    }

    /// Adds levels, which win over these.
    pub fn extend(&mut self, later: &Self) {
        self.0.extend(&later.0);
    }

    /// Returns the diagnostic as its level says; `None` if it is not told. Only warnings have levels:
    /// what keeps a search from running does so whatever its level is.
    pub(super) fn apply(&self, mut diagnostic: Diagnostic) -> Option<Diagnostic> {
        if diagnostic.severity != Severity::Warning {
            return Some(diagnostic);
        }
        match self.0.get(&diagnostic.code) {
            Some(Level::Allow) => return None,
            Some(Level::Error) => diagnostic.severity = Severity::Error,
            Some(Level::Warning) | None => {}
        }
        Some(diagnostic)
    }
}
