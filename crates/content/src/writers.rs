//! Which lookups searches write.

use spilltrail_spl::expand_macros;

use crate::lookup::LookupSource;
use crate::set::ContentSet;

impl ContentSet {
    /// Returns whether a detection or a baseline writes this lookup, by any of its names.
    #[must_use]
    pub fn fills_lookup(&self, name: &str) -> bool {
        let names = names_of(name, self);
        let mut searches = self.detections.iter().chain(&self.baselines);
        searches.any(|writer| writes(&expand_macros(&writer.search, &self.macros).0.text, &names))
    }
}

/// Returns the names that a lookup goes by: its own and its file's, without the extension.
fn names_of<'a>(name: &'a str, content: &'a ContentSet) -> Vec<&'a str> {
    let mut names = vec![stem(name)];
    for lookup in content.lookups.values() {
        let file = match &lookup.source {
            LookupSource::File(path) => path.file_name().and_then(|name| name.to_str()),
            LookupSource::Missing(file) => Some(file.as_str()),
            LookupSource::Collection(collection) => Some(collection.as_str()),
            LookupSource::Embedded(_) => None,
        };
        let known = [Some(lookup.name.as_str()), file];
        if known.iter().flatten().any(|known| stem(known) == stem(name)) {
            names.extend(known.into_iter().flatten().map(stem));
        }
    }
    names
}

fn stem(name: &str) -> &str {
    name.strip_suffix(".csv").unwrap_or(name)
}

/// Returns whether a search's text has an `outputlookup` with one of these names among its words.
/// That may find one too many, in a quoted text, and never one too few.
fn writes(search: &str, names: &[&str]) -> bool {
    let lower = search.to_ascii_lowercase();
    lower.match_indices("outputlookup").any(|(at, command)| {
        let arguments = &search[at + command.len()..];
        let end = arguments.find(['|', ']']).unwrap_or(arguments.len());
        arguments[..end]
            .split(|c: char| c.is_whitespace() || matches!(c, '"' | ',' | '='))
            .any(|word| names.contains(&stem(word)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_search_writes() {
        for (search, expected) in [
            ("a=b | outputlookup seen.csv", true),
            ("a=b [search c | OUTPUTLOOKUP append=t \"seen\"] | d", true),
            ("a=b | outputlookup unseen | lookup seen x", false),
            ("a=b | lookup seen x OUTPUT y", false),
            ("a=b | outputlookup create_empty=false seen|table x", true),
        ] {
            assert_eq!(writes(search, &["seen"]), expected, "{search}");
        }
    }
}
