//! The names of lookups: a search reads and writes the same rows by the name of a definition, and by
//! that of its file or collection.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use crate::lookup::{Lookup, LookupSource, lookup_stem};

/// Returns the name, without an extension, that all names of a lookup have in common: that of its first
/// definition, or of its file if there is none.
#[must_use]
pub fn common_lookup_name<'a>(lookups: &'a IndexMap<String, Lookup>, name: &'a str) -> &'a str {
    let stored = stored_name(lookups, name);
    let is_defined = |lookup: &&Lookup| !is_table(lookup) && store(lookup) == stored;
    let definition = lookups.values().find(is_defined);
    definition.map_or(stored, |lookup| lookup_stem(&lookup.name))
}

/// Returns all names of a lookup, without extensions.
pub(crate) fn names_of<'a>(
    lookups: &'a IndexMap<String, Lookup>,
    name: &'a str,
) -> BTreeSet<&'a str> {
    let stored = stored_name(lookups, name);
    let mut names = BTreeSet::from([lookup_stem(name), stored]);
    let same = lookups.values().filter(|lookup| store(lookup) == stored);
    names.extend(same.map(|lookup| lookup_stem(&lookup.name)));
    names
}

/// Returns the name of the file or collection of a lookup, without an extension.
fn stored_name<'a>(lookups: &'a IndexMap<String, Lookup>, name: &'a str) -> &'a str {
    let stem = lookup_stem(name);
    let definition = lookups.get(name).or_else(|| lookups.get(stem));
    definition.map_or(stem, store)
}

fn store(lookup: &Lookup) -> &str {
    lookup_stem(match &lookup.source {
        LookupSource::File(path) => {
            path.file_name().and_then(|name| name.to_str()).unwrap_or(&lookup.name)
        }
        LookupSource::Missing(file) => file,
        LookupSource::Collection(collection) => collection,
        LookupSource::Embedded(_) => &lookup.name,
    })
}

/// Returns true for a CSV without a definition of its own.
fn is_table(lookup: &Lookup) -> bool {
    match &lookup.source {
        LookupSource::File(path) => *path == lookup.path,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn names_with_the_same_rows() {
        let path = |name: &str| PathBuf::from(name);
        let table = |name: &str| Lookup::of_csv(name, LookupSource::File(path(name)), &path(name));
        let defined = |name: &str, source| Lookup {
            name: name.to_owned(),
            ..Lookup::of_csv(name, source, &path("x.yml"))
        };
        let collection = |name: &str| LookupSource::Collection(name.to_owned());
        let lookups: IndexMap<String, Lookup> = [
            table("plain.csv"),
            table("people.csv"),
            defined("known_users", collection("users_coll")),
            defined("same_users", collection("users_coll")),
            defined("staff", LookupSource::File(path("people.csv"))),
            defined("gone", LookupSource::Missing("gone_file.csv".to_owned())),
        ]
        .into_iter()
        .map(|lookup| (lookup.name.clone(), lookup))
        .collect();
        for (common, names) in [
            ("known_users", &["known_users", "same_users", "users_coll"][..]),
            ("staff", &["people", "people.csv", "staff"]),
            ("gone", &["gone", "gone_file", "gone_file.csv"]),
            ("plain", &["plain", "plain.csv"]),
            ("unknown", &["unknown", "unknown.csv"]),
        ] {
            for name in names {
                assert_eq!(common_lookup_name(&lookups, name), common, "{name}");
                let all: BTreeSet<&str> = names.iter().map(|name| lookup_stem(name)).collect();
                assert_eq!(names_of(&lookups, name), all, "{name}");
            }
        }
    }
}
