//! Speeds up long disjunctions: alternatives that compare the same fields with different values
//! become lookups by value.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::pattern::Pattern;
use crate::predicate::{Comparison, Predicate};
use crate::values::{Cases, ValueSet};

/// The minimum number of alternatives for a lookup.
///
/// Comparing fewer of them takes no longer, and needles can then find them in an event's bytes.
const FEWEST: usize = 8;

/// Returns the disjunction of `parts`; see [`Predicate::any`].
pub(crate) fn any(parts: Vec<Predicate>) -> Predicate {
    let mut alternatives = Vec::new();
    if flatten(parts, &mut alternatives) {
        return Predicate::All;
    }
    if alternatives.len() >= FEWEST {
        alternatives = with_cases(with_sets(alternatives));
    }
    match alternatives.len() {
        0 => Predicate::Nothing,
        1 => alternatives.remove(0),
        _ => Predicate::Or(alternatives),
    }
}

/// Combines the exclusions of a conjunction if they are many: `NOT a NOT b` becomes `NOT (a OR b)`.
pub(crate) fn with_exclusions(parts: Vec<Predicate>) -> Vec<Predicate> {
    let is_exclusion = |part: &Predicate| matches!(part, Predicate::Not(_));
    if parts.iter().filter(|part| is_exclusion(part)).count() < FEWEST {
        return parts;
    }
    let mut rest = Vec::new();
    let mut excluded = Vec::new();
    for part in parts {
        match part {
            Predicate::Not(inner) => excluded.push(*inner),
            other => rest.push(other),
        }
    }
    rest.push(Predicate::Not(Box::new(any(excluded))));
    rest
}

/// Collects the alternatives of nested disjunctions; returns true if one of them always holds.
fn flatten(parts: Vec<Predicate>, alternatives: &mut Vec<Predicate>) -> bool {
    for part in parts {
        let always_holds = match part {
            Predicate::All => true,
            Predicate::Nothing => false,
            Predicate::Or(inner) => flatten(inner, alternatives),
            other => {
                alternatives.push(other);
                false
            }
        };
        if always_holds {
            return true;
        }
    }
    false
}

/// Replaces many comparisons with the same field by a set of their literals.
fn with_sets(alternatives: Vec<Predicate>) -> Vec<Predicate> {
    let mut rest = Vec::new();
    let mut groups = Groups::default();
    for alternative in alternatives {
        match alternative {
            Predicate::Compare { field, op: Comparison::Eq, value } => {
                groups.of(field).push(value);
            }
            other => rest.push(other),
        }
    }
    for (field, values) in groups.groups {
        if values.len() < FEWEST {
            let compare =
                |value| Predicate::Compare { field: field.clone(), op: Comparison::Eq, value };
            rest.extend(values.into_iter().map(compare));
        } else {
            rest.push(Predicate::In { field, values: ValueSet::new(values) });
        }
    }
    rest
}

/// Replaces conjunctions that compare the same fields with different values by cases.
fn with_cases(alternatives: Vec<Predicate>) -> Vec<Predicate> {
    let mut rest = Vec::new();
    let mut groups = Groups::default();
    for alternative in alternatives {
        let Predicate::And(parts) = alternative else {
            rest.push(alternative);
            continue;
        };
        let mut fields: Vec<String> =
            parts.iter().filter_map(looked_up).map(|(field, _)| field.to_owned()).collect();
        fields.sort_unstable();
        fields.dedup();
        if fields.is_empty() {
            rest.push(Predicate::And(parts));
        } else {
            groups.of(fields).push(parts);
        }
    }
    for (fields, rows) in groups.groups {
        if rows.len() < FEWEST {
            rest.extend(rows.into_iter().map(Predicate::And));
        } else {
            rest.push(cases_of(&fields, rows));
        }
    }
    rest
}

/// Returns the cases of conjunctions, keyed by the field with the most distinct values.
fn cases_of(fields: &[String], rows: Vec<Vec<Predicate>>) -> Predicate {
    let values_of = |field: &&String| {
        let values = rows.iter().filter_map(|row| value_in(row, field));
        values.map(hash).collect::<HashSet<u64>>().len()
    };
    // If several fields qualify, the first one is chosen, so that the same rows give the same
    // predicate.
    let field = fields.iter().rev().max_by_key(values_of);
    let Some(field) = field.filter(|field| values_of(field) > 1).cloned() else {
        let mut rows = rows;
        rows.dedup();
        return Predicate::Or(rows.into_iter().map(Predicate::And).collect());
    };
    let mut groups = Groups::default();
    let mut rest = Vec::new();
    for mut row in rows {
        let place = row.iter().position(|part| looked_up(part).is_some_and(|(f, _)| f == field));
        match place.map(|place| row.remove(place)) {
            Some(Predicate::Compare { value, .. }) => {
                groups.of(value).push(Predicate::and(row));
            }
            // Every row has the field, so this arm is not reached in practice.
            Some(_) | None => rest.push(Predicate::and(row)),
        }
    }
    let cases = groups.groups.into_iter().map(|(value, conditions)| (value, any(conditions)));
    rest.push(Predicate::Cases { field, cases: Cases::new(cases.collect()) });
    if rest.len() == 1 { rest.remove(0) } else { Predicate::Or(rest) }
}

/// Returns the field and the literal of a comparison that a lookup can replace.
fn looked_up(part: &Predicate) -> Option<(&str, &Pattern)> {
    match part {
        Predicate::Compare { field, op: Comparison::Eq, value }
            if !value.is_wild() && value.block.is_none() =>
        {
            Some((field, value))
        }
        _ => None,
    }
}

/// Returns the first literal that a conjunction requires a field to equal.
fn value_in<'a>(row: &'a [Predicate], field: &str) -> Option<&'a Pattern> {
    row.iter().filter_map(looked_up).find(|(other, _)| *other == field).map(|(_, value)| value)
}

fn hash(pattern: &Pattern) -> u64 {
    let mut hasher = DefaultHasher::new();
    (pattern.case, pattern.folded()).hash(&mut hasher);
    hasher.finish()
}

/// Groups of items, in the order in which their keys first appear.
struct Groups<K, T> {
    groups: Vec<(K, Vec<T>)>,
    places: HashMap<K, usize>,
}

impl<K, T> Default for Groups<K, T> {
    fn default() -> Self {
        Self { groups: Vec::new(), places: HashMap::new() }
    }
}

impl<K: Clone + Eq + Hash, T> Groups<K, T> {
    fn of(&mut self, key: K) -> &mut Vec<T> {
        let place = *self.places.entry(key.clone()).or_insert_with(|| {
            self.groups.push((key, Vec::new()));
            self.groups.len() - 1
        });
        &mut self.groups[place].1
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pattern::CaseRule;
    use crate::predicate::Record;

    type Fields = Vec<(String, Vec<String>)>;

    #[derive(Debug)]
    struct Row(Fields);

    impl Record for Row {
        fn any_value(&self, field: &str, visit: &mut dyn FnMut(&str) -> bool) -> bool {
            let values = self.0.iter().filter(|(name, _)| name == field);
            values.flat_map(|(_, values)| values).any(|value| visit(value))
        }
    }

    fn equals(field: &str, text: &str, case: CaseRule) -> Predicate {
        let value = Pattern::new(text, case);
        Predicate::Compare { field: field.to_owned(), op: Comparison::Eq, value }
    }

    /// Returns texts that match each other in ways that are easy to get wrong.
    ///
    /// They differ in case within and outside ASCII, have a lowercase form that is longer or in
    /// another script, or are CIDR blocks or wildcards.
    fn text() -> impl Strategy<Value = String> {
        let texts = [
            "ann",
            "ANN",
            "Ann",
            "straße",
            "STRASSE",
            "É",
            "é",
            "k",
            "\u{212a}",
            "İ",
            "i\u{307}",
            "Σ",
            "ς",
            "σ",
            "10.0.0.0/8",
            "10.0.0.0/30",
            "10.0.0.3",
            "10.1.2.3",
            "2001:db8::/32",
            "2001:db8::1",
            "::ffff:10.0.0.3",
            "*",
            "a*",
            "*É",
            "1",
            "1.0",
            "",
            " ",
        ];
        prop::sample::select(texts.to_vec()).prop_map(str::to_owned)
    }

    fn case() -> impl Strategy<Value = CaseRule> {
        prop_oneof![4 => Just(CaseRule::Ignore), 1 => Just(CaseRule::Exact)]
    }

    fn field() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec!["a", "b", "c"])
    }

    fn comparison() -> impl Strategy<Value = Predicate> {
        (field(), text(), case()).prop_map(|(field, text, case)| equals(field, &text, case))
    }

    fn part() -> impl Strategy<Value = Predicate> {
        prop_oneof![
            8 => comparison(),
            1 => comparison().prop_map(|inner| Predicate::Not(Box::new(inner))),
            1 => prop::collection::vec(comparison(), 0..12).prop_map(Predicate::Or),
        ]
    }

    fn alternative() -> impl Strategy<Value = Predicate> {
        prop_oneof![
            2 => part(),
            3 => prop::collection::vec(part(), 1..4).prop_map(Predicate::And),
        ]
    }

    fn row() -> impl Strategy<Value = Row> {
        let field = (field().prop_map(str::to_owned), prop::collection::vec(text(), 0..3));
        prop::collection::vec(field, 0..4).prop_map(|mut fields: Fields| {
            fields.sort();
            fields.dedup_by(|one, other| one.0 == other.0);
            Row(fields)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        /// A set matches the same values as the list of its literals.
        #[test]
        fn a_set_is_its_list(
            literals in prop::collection::vec((text(), case()), 0..20),
            value in text(),
        ) {
            let patterns: Vec<Pattern> =
                literals.iter().map(|(text, case)| Pattern::new(text.as_str(), *case)).collect();
            let in_list = patterns.iter().any(|pattern| pattern.matches(&value));
            prop_assert_eq!(ValueSet::new(patterns).matches(&value), in_list);
        }

        #[test]
        fn exclusions_are_the_conjunction(
            parts in prop::collection::vec(alternative(), 0..20),
            row in row(),
        ) {
            let parts: Vec<_> = parts.into_iter().map(|part| Predicate::Not(Box::new(part))).collect();
            let list = Predicate::And(parts.clone());
            prop_assert_eq!(Predicate::and(parts).matches(&row), list.matches(&row));
        }

        /// Lookups match the same records as the alternatives, and their outcome is known whenever
        /// that of the alternatives is.
        #[test]
        fn lookups_are_the_alternatives(
            parts in prop::collection::vec(alternative(), 0..40),
            row in row(),
            known in prop::option::of(text()),
        ) {
            let list = Predicate::Or(parts.clone());
            let quick = Predicate::any(parts);
            prop_assert_eq!(quick.matches(&row), list.matches(&row), "{:?}", quick);
            let text = serde_json::to_string(&quick).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Predicate>(&text).unwrap(), &quick);
            let known = |field: &str| known.as_deref().filter(|_| field == "a").map(crate::Known::Value);
            if let Some(outcome) = list.outcome(&known) {
                prop_assert_eq!(quick.outcome(&known), Some(outcome));
            }
        }
    }

    #[test]
    fn rows_become_lookups() {
        let single = |n: usize| equals("user", &format!("u{}", n % 9), CaseRule::Ignore);
        assert!(
            matches!(Predicate::any((0..20).map(single).collect()), Predicate::In { values, .. }
            if values.patterns().len() == 9)
        );
        let row = |n: usize| {
            let host = equals("host", &format!("h{}", n % 4), CaseRule::Ignore);
            Predicate::And(vec![host, equals("user", &format!("u{n}"), CaseRule::Ignore)])
        };
        let Predicate::Cases { field, cases } = Predicate::any((0..20).map(row).collect()) else {
            panic!("no cases");
        };
        assert_eq!((field.as_str(), cases.all().len()), ("user", 20));
        assert_eq!(cases.all()[0].1, equals("host", "h0", CaseRule::Ignore));
        // A few alternatives stay a disjunction.
        assert!(
            matches!(Predicate::any((0..7).map(single).collect()), Predicate::Or(parts) if parts.len() == 7)
        );
    }
}
