//! Remembers the first few of many files for a message.

use std::collections::BTreeSet;
use std::sync::Arc;

/// Number of files that are named.
const NAMED: usize = 3;

/// Files in which something was found: the first few by name, and how many there are beyond these.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct NamedFiles {
    /// The names of the first files, in the order of listing.
    pub names: Vec<Arc<str>>,
    /// The number of further files.
    pub more: u64,
}

impl std::fmt::Display for NamedFiles {
    /// Writes a list such as `a.json, b.json, c.json and 2 more files`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.names.join(", "))?;
        match self.more {
            0 => Ok(()),
            1 => f.write_str(" and 1 more file"),
            more => write!(f, " and {more} more files"),
        }
    }
}

/// The indexes of the first files, and the number of all.
#[derive(Debug, Default)]
pub(crate) struct FirstFiles {
    first: BTreeSet<usize>,
    count: u64,
}

impl FirstFiles {
    /// Adds a file. Files may come in any order, and each only once.
    pub(crate) fn add(&mut self, index: usize) {
        self.count += 1;
        self.first.insert(index);
        if self.first.len() > NAMED {
            self.first.pop_last();
        }
    }

    /// Returns the files by name.
    pub(crate) fn named(&self, name: impl Fn(usize) -> Arc<str>) -> NamedFiles {
        let names: Vec<Arc<str>> = self.first.iter().map(|index| name(*index)).collect();
        NamedFiles { more: self.count - names.len() as u64, names }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_files_are_named() {
        for (indexes, text) in [
            (&[][..], ""),
            (&[7], "7"),
            (&[3, 1, 2], "1, 2, 3"),
            (&[4, 3, 1, 2], "1, 2, 3 and 1 more file"),
            (&[9, 1, 8, 2, 7, 3], "1, 2, 3 and 3 more files"),
        ] {
            let mut files = FirstFiles::default();
            indexes.iter().for_each(|index| files.add(*index));
            assert_eq!(files.named(|index| index.to_string().into()).to_string(), text);
        }
    }
}
