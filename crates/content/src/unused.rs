//! Finds macros that were given to a run and that none of its searches uses.

use std::collections::BTreeSet;

use spilltrail_diagnostic::{Code, Diagnostic, similar};

use crate::set::ContentSet;

impl ContentSet {
    /// Returns the names of the macros that are defined, or that a search or a macro calls.
    #[must_use]
    pub fn macro_names(&self) -> BTreeSet<String> {
        let mut names = self.called_macros();
        names.extend(self.macros.iter().map(|definition| definition.name.clone()));
        names
    }

    /// Returns a warning for each macro that is not among the names `before` it was given, that
    /// nothing calls, and whose name is similar to one of them: it is most likely misspelled, and
    /// has no effect.
    ///
    /// A macro of another name may be meant for searches that are not part of the content.
    #[must_use]
    pub fn misspelled_macros(&self, before: &BTreeSet<String>) -> Vec<Diagnostic> {
        let called = self.called_macros();
        let given = self.macros.iter().filter(|given| !before.contains(&given.name));
        given
            .filter(|given| !called.contains(&given.name))
            .filter_map(|given| {
                let meant = similar(&given.name, before.iter().map(String::as_str))?;
                let message = format!("no detection uses the macro `{}`", given.title());
                let help = format!("did you mean `{meant}`?");
                Some(Diagnostic::warning(Code::UNKNOWN_MACRO, message).help(help))
            })
            .collect()
    }

    fn called_macros(&self) -> BTreeSet<String> {
        let searches = self.detections.iter().chain(&self.baselines).map(|one| one.search.as_str());
        let definitions = self.macros.iter().map(|definition| definition.definition.as_str());
        searches.chain(definitions).flat_map(calls).map(str::to_owned).collect()
    }
}

/// Returns the names of the macros that a text calls. What is between two calls may be returned,
/// too, if backticks are not in pairs.
fn calls(text: &str) -> impl Iterator<Item = &str> {
    let inside = text.split('`').skip(1).step_by(2);
    inside.map(|call| call.split('(').next().unwrap_or_default().trim())
}

#[cfg(test)]
mod tests {
    use crate::set::{BuiltinPack, ContentSet};

    #[test]
    fn a_macro_that_nothing_uses_is_compared_with_those_that_are_used() {
        let (set, _) = ContentSet::load(&[], BuiltinPack::Included);
        let before = set.macro_names();
        let known = before.iter().next().expect("the pack uses macros").clone();
        for (given, expected) in [
            (format!("{known}=x"), None),
            (format!("{known}q=x"), Some(format!("did you mean `{known}`?"))),
            ("of_searches_that_are_typed=x".to_owned(), None),
        ] {
            let mut set = set.clone();
            set.override_macro(&given).expect("the definition is valid");
            let warnings = set.misspelled_macros(&before);
            let help = warnings.first().and_then(|warning| warning.help.clone());
            assert_eq!(
                (warnings.len(), help),
                (usize::from(expected.is_some()), expected),
                "{given}"
            );
        }
        // A macro that another one calls is used.
        let mut set = set.clone();
        set.override_macro(&format!("{known}q=x")).expect("the definition is valid");
        set.override_macro(&format!("{known}=`{known}q`")).expect("the definition is valid");
        assert_eq!(set.misspelled_macros(&before), []);
    }
}
