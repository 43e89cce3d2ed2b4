//! Finds the searches that may write lookups, without an analysis of all others.

use spilltrail_spl::MacroSet;

/// The words of which every search that writes a lookup has one.
///
/// Few searches have any of them, and to analyze thousands takes longer than a short hunt.
#[derive(Debug)]
pub struct LookupWriters {
    /// In lowercase: commands, and the names of macros that may expand to them.
    words: Vec<String>,
}

impl LookupWriters {
    /// Returns the words for searches that use these macros.
    #[must_use]
    pub fn new(macros: &MacroSet) -> Self {
        let mut words = ["outputcsv", "outputlookup", "savedsearch"].map(str::to_owned).to_vec();
        let mut others: Vec<_> = macros.iter().collect();
        loop {
            let known = words.len();
            others.retain(|definition| {
                // The text of a macro that is an expression is only known when it is called.
                let may_write = definition.is_eval || has_one(&definition.definition, &words);
                if may_write {
                    words.push(definition.name.to_lowercase());
                }
                !may_write
            });
            if words.len() == known {
                return Self { words };
            }
        }
    }

    /// Returns true if the text has one of the words.
    #[must_use]
    pub fn may_include(&self, text: &str) -> bool {
        has_one(text, &self.words)
    }
}

fn has_one(text: &str, words: &[String]) -> bool {
    let text = text.to_lowercase();
    words.iter().any(|word| text.contains(word.as_str()))
}

#[cfg(test)]
mod tests {
    use spilltrail_spl::MacroDefinition;

    use super::*;

    #[test]
    fn macros_that_write_are_followed() {
        let mut macros = MacroSet::new();
        for (name, definition, is_eval) in [
            ("outer", "`Keep(seen)`", false),
            ("keep", "| OutputLookup $name$", false),
            ("made", r#""output" . "lookup x""#, true),
            ("read", "| inputlookup x", false),
        ] {
            macros.insert(MacroDefinition {
                name: name.to_owned(),
                arguments: Vec::new(),
                definition: definition.to_owned(),
                is_eval,
                validation: None,
                error_message: None,
                origin: "test".to_owned(),
            });
        }
        let writers = LookupWriters::new(&macros);
        for (search, may_write) in [
            ("* | outputlookup x", true),
            ("* | append [search * | OUTPUTLOOKUP x]", true),
            ("* `outer`", true),
            ("* | `made`", true),
            ("* | outputcsv x", true),
            ("| savedsearch y", true),
            ("* `read` | inputlookup x", false),
        ] {
            assert_eq!(writers.may_include(search), may_write, "{search}");
        }
    }
}
