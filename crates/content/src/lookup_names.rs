//! The names of lookups: a search reads and writes the same rows by the name of a definition, and by
//! that of its file or collection.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use crate::lookup::{Lookup, LookupSource, lookup_stem};

/// Returns the name, without an extension, that all names of a lookup have in common: that of its first
/// definition, or of its file if there is none.
#[must_use]
pub fn common_lookup_name<'a>(lookups: &'a IndexMap<String, Lookup>, name: &'a str) -> &'a str {
    let Some(lookup) = named(lookups, name) else { return lookup_stem(name) };
    let is_defined = |other: &&Lookup| !is_table(other) && is_same(other, lookup);
    match lookups.values().find(is_defined) {
        Some(definition) => lookup_stem(&definition.name),
        None => store(lookup),
    }
}

/// Returns all names of a lookup, without extensions.
#[must_use]
pub fn lookup_names<'a>(lookups: &'a IndexMap<String, Lookup>, name: &'a str) -> BTreeSet<&'a str> {
    let mut names = BTreeSet::from([lookup_stem(name)]);
    let Some(lookup) = named(lookups, name) else { return names };
    let same = lookups.values().filter(|other| is_same(other, lookup));
    names.extend(same.map(|lookup| lookup_stem(&lookup.name)));
    // The name of a file or collection can be that of another lookup.
    let stored = store(lookup);
    names.extend(named(lookups, stored).filter(|other| is_same(other, lookup)).map(|_| stored));
    names
}

/// Returns the lookup with a name: that of a definition, or of a file or collection.
fn named<'a>(lookups: &'a IndexMap<String, Lookup>, name: &str) -> Option<&'a Lookup> {
    let stem = lookup_stem(name);
    let of_file = |lookup: &&Lookup| {
        store(lookup) == stem && !matches!(lookup.source, LookupSource::Collection(_))
    };
    let of_any = |lookup: &&Lookup| store(lookup) == stem;
    lookups
        .get(name)
        .or_else(|| lookups.get(stem))
        .or_else(|| lookups.values().find(of_file))
        .or_else(|| lookups.values().find(of_any))
}

/// Returns true if two lookups have the same rows: those of one file or one collection.
fn is_same(one: &Lookup, other: &Lookup) -> bool {
    match (&one.source, &other.source) {
        (LookupSource::Embedded(_), _) => one.name == other.name,
        (LookupSource::Missing(file), LookupSource::Missing(same)) => {
            file == same && one.path.parent() == other.path.parent()
        }
        (source, same) => source == same,
    }
}

/// Returns the name of the file or collection of a lookup, without an extension.
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
                assert_eq!(lookup_names(&lookups, name), all, "{name}");
            }
        }
    }

    /// A collection and a file, or the files of two folders, can have one name.
    #[test]
    fn other_rows_with_the_same_name() {
        let path = |name: &str| PathBuf::from(name);
        let defined = |name: &str, source| Lookup {
            name: name.to_owned(),
            ..Lookup::of_csv(name, source, &path("x.yml"))
        };
        let file = |name: &str| LookupSource::File(path(name));
        let lookups: IndexMap<String, Lookup> = [
            defined("users_kv", LookupSource::Collection("users".to_owned())),
            defined("first", file("one/users.csv")),
            defined("second", file("two/users.csv")),
        ]
        .into_iter()
        .map(|lookup| (lookup.name.clone(), lookup))
        .collect();
        for (name, common, names) in [
            ("users_kv", "users_kv", &["users_kv"][..]),
            ("second", "second", &["second"]),
            ("first", "first", &["first", "users"]),
            ("users.csv", "first", &["first", "users"]),
        ] {
            assert_eq!(common_lookup_name(&lookups, name), common, "{name}");
            let all: BTreeSet<&str> = names.iter().copied().collect();
            assert_eq!(lookup_names(&lookups, name), all, "{name}");
        }
    }
}
