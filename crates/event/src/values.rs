//! Looks up a field's values among many literals, from `IN` lists and the rows of subsearches.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::pattern::{CaseRule, Pattern};
use crate::predicate::Predicate;

/// A set of literals; a value matches the set if it matches at least one of them.
///
/// The result is the same as comparing the value with each literal in turn. Literals without a
/// wildcard are hashed, so that the time does not grow with their number.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "Vec<Pattern>", into = "Vec<Pattern>")]
pub struct ValueSet(Arc<Literals>);

#[derive(Debug)]
struct Literals {
    /// All distinct literals, in the order in which they were given.
    patterns: Vec<Pattern>,
    texts: Texts<()>,
    blocks: Blocks,
    /// The indices of the patterns with a wildcard.
    wild: Vec<usize>,
}

impl ValueSet {
    /// Returns the set of these literals.
    #[must_use]
    pub fn new(patterns: Vec<Pattern>) -> Self {
        let mut known = HashSet::new();
        let is_new: Vec<bool> = patterns.iter().map(|pattern| known.insert(pattern)).collect();
        let mut is_new = is_new.into_iter();
        let mut patterns = patterns;
        patterns.retain(|_| is_new.next().unwrap_or(true));
        let mut texts = Texts::default();
        let mut blocks = Blocks::default();
        let mut wild = Vec::new();
        for (index, pattern) in patterns.iter().enumerate() {
            // A block also equals its own text, so it is both a block and a text.
            blocks.extend(pattern.block);
            if pattern.is_wild() {
                wild.push(index);
            } else {
                texts.entry(pattern);
            }
        }
        Self(Arc::new(Literals { patterns, texts, blocks, wild }))
    }

    /// Returns true if at least one literal matches `value`.
    #[must_use]
    pub fn matches(&self, value: &str) -> bool {
        let Literals { patterns, texts, blocks, wild } = &*self.0;
        texts.any(value, |()| true)
            || blocks.contain(value)
            || wild.iter().any(|index| patterns[*index].matches(value))
    }

    /// Returns the distinct literals, in the order in which they were given.
    #[must_use]
    pub fn patterns(&self) -> &[Pattern] {
        &self.0.patterns
    }

    /// Returns true if at least one literal contains a wildcard.
    #[must_use]
    pub fn has_wildcards(&self) -> bool {
        !self.0.wild.is_empty()
    }
}

impl PartialEq for ValueSet {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.patterns == other.0.patterns
    }
}

impl Eq for ValueSet {}

impl From<Vec<Pattern>> for ValueSet {
    fn from(patterns: Vec<Pattern>) -> Self {
        Self::new(patterns)
    }
}

impl From<ValueSet> for Vec<Pattern> {
    fn from(set: ValueSet) -> Self {
        set.0.patterns.clone()
    }
}

/// Conditions that apply to events with certain values of one field.
///
/// Rows with several fields are alternatives such as `user=ann host=a OR user=bob host=b`. As cases
/// of `user`, they become `ann` with the condition `host=a` and `bob` with `host=b`. Only the
/// conditions for an event's own value are then evaluated.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "Vec<(Pattern, Predicate)>", into = "Vec<(Pattern, Predicate)>")]
pub struct Cases(Arc<KnownCases>);

#[derive(Debug)]
struct KnownCases {
    cases: Vec<(Pattern, Predicate)>,
    /// The indices of the cases with each text.
    texts: Texts<Vec<usize>>,
}

impl Cases {
    /// Returns the cases for these literals, which contain neither wildcards nor CIDR blocks.
    #[must_use]
    pub fn new(cases: Vec<(Pattern, Predicate)>) -> Self {
        let mut texts = Texts::<Vec<usize>>::default();
        for (index, (pattern, _)) in cases.iter().enumerate() {
            texts.entry(pattern).push(index);
        }
        Self(Arc::new(KnownCases { cases, texts }))
    }

    /// Calls `visit` with the condition of each case whose literal matches `value`, until it
    /// returns true.
    ///
    /// Returns whether it did.
    pub fn any_of(&self, value: &str, mut visit: impl FnMut(&Predicate) -> bool) -> bool {
        self.0
            .texts
            .any(value, |indexes| indexes.iter().any(|index| visit(&self.0.cases[*index].1)))
    }

    /// Returns the literals with their conditions.
    #[must_use]
    pub fn all(&self) -> &[(Pattern, Predicate)] {
        &self.0.cases
    }
}

impl PartialEq for Cases {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.cases == other.0.cases
    }
}

impl Eq for Cases {}

impl From<Vec<(Pattern, Predicate)>> for Cases {
    fn from(cases: Vec<(Pattern, Predicate)>) -> Self {
        Self::new(cases)
    }
}

impl From<Cases> for Vec<(Pattern, Predicate)> {
    fn from(cases: Cases) -> Self {
        cases.0.cases.clone()
    }
}

/// Stores an entry for each literal without a wildcard, by the text that the literal matches.
#[derive(Debug, Default)]
struct Texts<T> {
    exact: HashMap<String, T>,
    /// The entries of literals that ignore case, by their lowercase text.
    folded: HashMap<String, T>,
}

impl<T: Default> Texts<T> {
    fn entry(&mut self, pattern: &Pattern) -> &mut T {
        let texts = match pattern.case {
            CaseRule::Exact => &mut self.exact,
            CaseRule::Ignore => &mut self.folded,
        };
        texts.entry(pattern.folded().to_owned()).or_default()
    }

    /// Calls `visit` for each literal that [`Pattern::matches`] `value`, until it returns true.
    fn any(&self, value: &str, mut visit: impl FnMut(&T) -> bool) -> bool {
        if !self.exact.is_empty() && self.exact.get(value).is_some_and(&mut visit) {
            return true;
        }
        if self.folded.is_empty() {
            return false;
        }
        let has_upper_case = value.bytes().any(|byte| byte.is_ascii_uppercase());
        let found = if has_upper_case {
            self.folded.get(&value.to_ascii_lowercase())
        } else {
            self.folded.get(value)
        };
        if found.is_some_and(&mut visit) {
            return true;
        }
        // A comparison with a single literal accepts both ASCII and Unicode lowercase, so try both
        // here.
        !value.is_ascii() && self.folded.get(&value.to_lowercase()).is_some_and(&mut visit)
    }
}

/// A set of CIDR blocks.
#[derive(Debug, Default)]
struct Blocks {
    /// The blocks, with the bits after the prefix cleared.
    blocks: HashSet<IpNet>,
    /// The distinct prefix lengths.
    lengths: Vec<u8>,
}

impl Blocks {
    fn extend(&mut self, block: Option<IpNet>) {
        let Some(block) = block else { return };
        self.blocks.insert(block.trunc());
        if !self.lengths.contains(&block.prefix_len()) {
            self.lengths.push(block.prefix_len());
        }
    }

    fn contain(&self, value: &str) -> bool {
        if self.lengths.is_empty() {
            return false;
        }
        let Ok(address) = value.parse::<IpAddr>() else { return false };
        // A prefix that is longer than the address belongs to the other address family.
        let block = |length: &u8| IpNet::new(address, *length).ok().map(|block| block.trunc());
        self.lengths.iter().filter_map(block).any(|block| self.blocks.contains(&block))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(literals: &[(&str, CaseRule)]) -> ValueSet {
        ValueSet::new(literals.iter().map(|(text, case)| Pattern::new(*text, *case)).collect())
    }

    #[test]
    fn literals_are_kept_once_and_in_order() {
        use CaseRule::{Exact, Ignore};
        let set = set(&[("b", Ignore), ("a*", Ignore), ("b", Ignore), ("b", Exact)]);
        let texts: Vec<&str> = set.patterns().iter().map(|pattern| &*pattern.text).collect();
        assert_eq!(texts, ["b", "a*", "b"]);
        let text = serde_json::to_string(&set).unwrap();
        let read: ValueSet = serde_json::from_str(&text).unwrap();
        assert_eq!(read, set);
        assert!(read.matches("AX") && read.matches("B") && !read.matches("c"));
    }

    #[test]
    fn cases_of_a_value() {
        let cases = ["a", "A", "b"].map(|text| {
            let condition = Predicate::Exists(text.to_owned());
            (Pattern::new(text, CaseRule::Ignore), condition)
        });
        let cases = Cases::new(cases.to_vec());
        let found = |value: &str| {
            let mut found = Vec::new();
            cases.any_of(value, |condition| {
                found.push(condition.clone());
                false
            });
            found.len()
        };
        assert_eq!([found("A"), found("b"), found("c")], [2, 1, 0]);
    }
}
