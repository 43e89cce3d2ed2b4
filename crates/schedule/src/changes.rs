//! What a run that ran again changed about its findings.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How the findings of a run differ from those of the same run before, as ids in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// Findings that were not there before.
    pub new: Vec<String>,
    /// Findings with another content.
    pub changed: Vec<String>,
    /// Findings that are no longer there.
    pub withdrawn: Vec<String>,
    /// Findings that are as they were.
    pub same: Vec<String>,
}

/// Compares findings, given as hashes of their contents by id.
#[must_use]
pub fn changes(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Changes {
    let mut changes = Changes::default();
    for (id, hash) in after {
        let list = match before.get(id) {
            None => &mut changes.new,
            Some(old) if old != hash => &mut changes.changed,
            Some(_) => &mut changes.same,
        };
        list.push(id.clone());
    }
    changes.withdrawn = before.keys().filter(|id| !after.contains_key(*id)).cloned().collect();
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_finding_is_in_one_list() {
        let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(id, hash)| ((*id).to_owned(), (*hash).to_owned())).collect()
        };
        let before = map(&[("a", "1"), ("b", "1"), ("c", "1")]);
        let after = map(&[("b", "1"), ("c", "2"), ("d", "1")]);
        let list = |id: &str| vec![id.to_owned()];
        let expected =
            Changes { new: list("d"), changed: list("c"), withdrawn: list("a"), same: list("b") };
        assert_eq!(changes(&before, &after), expected);
        let all = |found: Changes| found.same.len();
        assert_eq!(all(changes(&before, &before)), 3);
        assert_eq!(changes(&map(&[]), &map(&[])), Changes::default());
    }
}
