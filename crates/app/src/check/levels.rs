//! How much each kind of warning counts.

use std::collections::BTreeMap;
use std::fmt;

use spilltrail_content::allowed_in;
use spilltrail_diagnostic::{Code, Diagnostic, Severity, by_name};

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Levels(BTreeMap<Code, Level>);

impl Default for Levels {
    /// An option that has no effect here has one in Splunk, so it is no mistake of its author.
    fn default() -> Self {
        Self(BTreeMap::from([(Code::NO_EFFECT, Level::Allow)]))
    }
}

impl Levels {
    /// Sets the level of a code. A later level wins.
    pub fn set(&mut self, code: Code, level: Level) {
        self.0.insert(code, level);
    }

    /// Tells warnings of a code, if they are not.
    pub fn tell(&mut self, code: Code) {
        if self.0.get(&code) == Some(&Level::Allow) {
            self.0.remove(&code);
        }
    }

    /// Returns true if a level says that warnings of a code are told.
    pub(super) fn tells(&self, code: Code) -> bool {
        self.0.get(&code).is_some_and(|level| *level > Level::Allow)
    }

    /// Returns these levels with the codes allowed that comments in a file allow.
    pub(super) fn with_comments(&self, text: &str) -> Self {
        let mut levels = self.clone();
        let codes = allowed_in(text).into_iter().filter_map(by_name);
        codes.for_each(|entry| levels.set(entry.code, Level::Allow));
        levels
    }

    /// Returns true if the level of a diagnostic would make less of it, and only warnings have levels.
    pub(super) fn is_unheeded(&self, diagnostic: &Diagnostic) -> bool {
        let level = self.0.get(&diagnostic.code);
        diagnostic.severity != Severity::Warning && level.is_some_and(|level| *level < Level::Error)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_of_warnings_only() {
        let mut levels = Levels::default();
        levels.set(Code::NULL_GROUP, Level::Error);
        levels.set(Code::BAD_REGEX, Level::Allow);
        let severity = |levels: &Levels, diagnostic: Diagnostic| {
            levels.apply(diagnostic).map(|diagnostic| diagnostic.severity)
        };
        let warning = |code| Diagnostic::warning(code, "m");
        assert_eq!(severity(&levels, warning(Code::NULL_GROUP)), Some(Severity::Error));
        assert_eq!(severity(&levels, warning(Code::BAD_REGEX)), None);
        assert_eq!(severity(&levels, warning(Code::LOST_FIELD)), Some(Severity::Warning));
        assert_eq!(severity(&levels, warning(Code::NO_EFFECT)), None);
        let error = Diagnostic::error(Code::BAD_REGEX, "m");
        assert!(levels.is_unheeded(&error));
        assert!(!levels.is_unheeded(&Diagnostic::error(Code::NULL_GROUP, "m")));
        assert!(!levels.is_unheeded(&Diagnostic::error(Code::LOST_FIELD, "m")));
        assert_eq!(severity(&levels, error), Some(Severity::Error));
        let in_file = levels.with_comments("# spilltrail: allow SPL2022\n");
        assert_eq!(severity(&in_file, warning(Code::NULL_GROUP)), None);
    }
}
