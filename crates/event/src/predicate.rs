//! Defines the compiled form of a search expression and evaluates it.
//!
//! `search` has two-valued logic: a comparison with an absent field is false, even `!=`; `NOT`
//! negates that result (Splunk, "Difference between NOT and !=").

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::fields::{RAW, TIME};
use crate::keyword::Keyword;
use crate::lookups;
use crate::number::{compare_numbers, parse_number};
use crate::pattern::Pattern;
use crate::values::{Cases, ValueSet};

/// A comparison operator of `search`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Comparison {
    /// `=`: at least one value matches.
    Eq,
    /// `!=`: at least one value does not match.
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

/// A compiled search expression.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Predicate {
    /// Every event.
    All,
    /// No event.
    Nothing,
    /// All parts hold.
    And(Vec<Predicate>),
    /// At least one part holds.
    Or(Vec<Predicate>),
    /// The part does not hold.
    Not(Box<Predicate>),
    /// The field has at least one value.
    Exists(String),
    /// At least one value of the field satisfies the comparison with the literal.
    Compare {
        /// The field.
        field: String,
        /// The operator.
        op: Comparison,
        /// The literal.
        value: Pattern,
    },
    /// At least one value of the field equals one of the literals.
    In {
        /// The field.
        field: String,
        /// The literals.
        values: ValueSet,
    },
    /// At least one value of the field equals the literal of a case whose condition holds.
    Cases {
        /// The field.
        field: String,
        /// The literals and their conditions.
        cases: Cases,
    },
    /// The term occurs in the event's text.
    Keyword(Keyword),
    /// `_time` is within the bounds.
    Time(TimeBounds),
}

impl Eq for Predicate {}

/// A time range in epoch seconds; `earliest` is inclusive and `latest` exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct TimeBounds {
    /// The first instant of the range, or `None` if it is unbounded.
    #[serde(with = "crate::exact::option", default)]
    pub earliest: Option<f64>,
    /// The first instant after the range, or `None` if it is unbounded.
    #[serde(with = "crate::exact::option", default)]
    pub latest: Option<f64>,
}

impl TimeBounds {
    /// Returns true if `time` is in the range.
    #[must_use]
    pub fn contains(&self, time: f64) -> bool {
        self.earliest.is_none_or(|earliest| time >= earliest)
            && self.latest.is_none_or(|latest| time < latest)
    }

    /// Returns the intersection of both ranges.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let pick = |a: Option<f64>, b: Option<f64>, f: fn(f64, f64) -> f64| match (a, b) {
            (Some(a), Some(b)) => Some(f(a, b)),
            (a, b) => a.or(b),
        };
        Self {
            earliest: pick(self.earliest, other.earliest, f64::max),
            latest: pick(self.latest, other.latest, f64::min),
        }
    }
}

/// What all events of a kind have in common in one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known<'k> {
    /// Every event has this value, and no other.
    Value(&'k str),
    /// No event has the field.
    Absent,
}

impl Known<'_> {
    /// Returns whether the value satisfies `test`; an absent field satisfies nothing.
    fn is_some_and(self, test: impl FnOnce(&str) -> bool) -> bool {
        match self {
            Self::Value(text) => test(text),
            Self::Absent => false,
        }
    }
}

/// A record with fields: an event during decoding, or a row of a batch.
pub trait Record {
    /// Calls `visit` with each value of the field, in order, until it returns true; returns whether
    /// it did.
    ///
    /// An absent field has no values.
    fn any_value(&self, field: &str, visit: &mut dyn FnMut(&str) -> bool) -> bool;

    /// Returns `_time` in epoch seconds, or `None` if the record has no such number.
    fn time(&self) -> Option<f64> {
        let mut time = None;
        self.any_value(TIME, &mut |text| {
            time = parse_number(text);
            true
        });
        time
    }
}

impl Predicate {
    /// Returns the conjunction, without unnecessary nesting.
    ///
    /// Many exclusions become a single exclusion of a disjunction; see [`Predicate::any`].
    #[must_use]
    pub fn and(parts: Vec<Self>) -> Self {
        let mut flat = Vec::new();
        for part in parts {
            match part {
                Self::All => {}
                Self::And(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        let mut flat = lookups::with_exclusions(flat);
        match flat.len() {
            0 => Self::All,
            1 => flat.remove(0),
            _ => Self::And(flat),
        }
    }

    /// Returns the disjunction, without unnecessary nesting.
    ///
    /// Many comparisons with the same field become one lookup, and so do many alternatives that
    /// each compare several fields with values. The result holds for the same records.
    #[must_use]
    pub fn any(parts: Vec<Self>) -> Self {
        lookups::any(parts)
    }

    /// Returns true if the record satisfies the expression.
    pub fn matches(&self, record: &dyn Record) -> bool {
        match self {
            Self::All => true,
            Self::Nothing => false,
            Self::And(parts) => parts.iter().all(|part| part.matches(record)),
            Self::Or(parts) => parts.iter().any(|part| part.matches(record)),
            Self::Not(part) => !part.matches(record),
            Self::Exists(field) => record.any_value(field, &mut |_| true),
            Self::Compare { field, op, value } => {
                record.any_value(field, &mut |text| compare(text, *op, value))
            }
            Self::In { field, values } => record.any_value(field, &mut |text| values.matches(text)),
            Self::Cases { field, cases } => record.any_value(field, &mut |text| {
                cases.any_of(text, |condition| condition.matches(record))
            }),
            Self::Keyword(keyword) => record.any_value(RAW, &mut |raw| keyword.matches(raw)),
            Self::Time(bounds) => record.time().is_some_and(|time| bounds.contains(time)),
        }
    }

    /// Returns the result of the expression if the known fields determine it, else `None`.
    ///
    /// `known` returns what is known of a field, and `None` if events differ in it.
    #[must_use]
    pub fn outcome<'k>(&self, known: &dyn Fn(&str) -> Option<Known<'k>>) -> Option<bool> {
        match self {
            Self::All => Some(true),
            Self::Nothing => Some(false),
            Self::And(parts) => {
                let mut all = Some(true);
                for part in parts {
                    match part.outcome(known) {
                        Some(false) => return Some(false),
                        Some(true) => {}
                        None => all = None,
                    }
                }
                all
            }
            Self::Or(parts) => some(parts.iter().map(|part| part.outcome(known))),
            Self::Not(part) => part.outcome(known).map(|outcome| !outcome),
            Self::Exists(field) => known(field).map(|known| known.is_some_and(|_| true)),
            Self::Compare { field, op, value } => {
                known(field).map(|known| known.is_some_and(|text| compare(text, *op, value)))
            }
            Self::In { field, values } => {
                known(field).map(|known| known.is_some_and(|text| values.matches(text)))
            }
            Self::Cases { field, cases } => match known(field) {
                Some(Known::Absent) => Some(false),
                Some(Known::Value(text)) => {
                    let mut outcomes = Vec::new();
                    cases.any_of(text, |condition| {
                        outcomes.push(condition.outcome(known));
                        false
                    });
                    some(outcomes.into_iter())
                }
                None => {
                    let is_refuted =
                        |(_, condition): &(Pattern, Self)| condition.outcome(known) == Some(false);
                    cases.all().iter().all(is_refuted).then_some(false)
                }
            },
            Self::Keyword(_) | Self::Time(_) => None,
        }
    }

    /// Returns the fields that the expression reads, including `_raw` and `_time`.
    #[must_use]
    pub fn fields(&self) -> BTreeSet<&str> {
        let mut fields = BTreeSet::new();
        self.collect_fields(&mut fields);
        fields
    }

    fn collect_fields<'a>(&'a self, fields: &mut BTreeSet<&'a str>) {
        match self {
            Self::All | Self::Nothing => {}
            Self::And(parts) | Self::Or(parts) => {
                parts.iter().for_each(|part| part.collect_fields(fields));
            }
            Self::Not(part) => part.collect_fields(fields),
            Self::Exists(field) | Self::Compare { field, .. } | Self::In { field, .. } => {
                fields.insert(field);
            }
            Self::Cases { field, cases } => {
                fields.insert(field);
                cases.all().iter().for_each(|(_, condition)| condition.collect_fields(fields));
            }
            Self::Keyword(_) => {
                fields.insert(RAW);
            }
            Self::Time(_) => {
                fields.insert(TIME);
            }
        }
    }
}

/// Returns whether any outcome is true, or `None` if that is uncertain.
fn some(outcomes: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut any = Some(false);
    for outcome in outcomes {
        match outcome {
            Some(true) => return Some(true),
            Some(false) => {}
            None => any = None,
        }
    }
    any
}

/// Compares one value with the literal.
///
/// `=` and `!=` compare text; the other operators compare numbers if both sides are numbers, and
/// otherwise bytes.
#[must_use]
pub fn compare(text: &str, op: Comparison, value: &Pattern) -> bool {
    match op {
        Comparison::Eq => value.matches(text),
        Comparison::Ne => !value.matches(text),
        _ => {
            let numbers = compare_numbers(text, &value.text);
            let order = numbers.unwrap_or_else(|| text.cmp(value.text.as_str()));
            match op {
                Comparison::Lt => order.is_lt(),
                Comparison::Le => order.is_le(),
                Comparison::Gt => order.is_gt(),
                Comparison::Ge => order.is_ge(),
                Comparison::Eq | Comparison::Ne => false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::CaseRule;

    struct Row<'a>(&'a [(&'a str, &'a [&'a str])]);

    impl Record for Row<'_> {
        fn any_value(&self, field: &str, visit: &mut dyn FnMut(&str) -> bool) -> bool {
            self.0
                .iter()
                .filter(|(name, _)| *name == field)
                .any(|(_, v)| v.iter().any(|v| visit(v)))
        }
    }

    #[test]
    fn outcomes_with_some_fields_known() {
        let equals = |field: &str, text: &str| Predicate::Compare {
            field: field.to_owned(),
            op: Comparison::Eq,
            value: Pattern::new(text, CaseRule::Ignore),
        };
        let not = |part: Predicate| Predicate::Not(Box::new(part));
        let known = |field: &str| match field {
            "name" => Some(Known::Value("GetObject")),
            "index" => Some(Known::Absent),
            _ => None,
        };
        for (predicate, outcome) in [
            (equals("name", "get*"), Some(true)),
            (equals("other", "get*"), None),
            (Predicate::And(vec![equals("other", "a"), equals("name", "b")]), Some(false)),
            (Predicate::And(vec![equals("other", "a"), equals("name", "get*")]), None),
            (Predicate::Or(vec![equals("other", "a"), equals("name", "get*")]), Some(true)),
            (Predicate::Or(vec![equals("other", "a"), equals("name", "b")]), None),
            (not(equals("name", "b")), Some(true)),
            (not(equals("other", "b")), None),
            (Predicate::Exists("name".to_owned()), Some(true)),
            (Predicate::Exists("other".to_owned()), None),
            (Predicate::Exists("index".to_owned()), Some(false)),
            (equals("index", "*"), Some(false)),
            (not(equals("index", "b")), Some(true)),
            (Predicate::Time(TimeBounds::default()), None),
            (Predicate::And(vec![]), Some(true)),
            (Predicate::Or(vec![]), Some(false)),
        ] {
            assert_eq!(predicate.outcome(&known), outcome, "{predicate:?}");
        }
    }

    #[test]
    fn absent_fields_and_multivalues() {
        let row = Row(&[("a", &["1", "2"]), ("n", &["10"])]);
        let compare = |field: &str, op, text: &str| Predicate::Compare {
            field: field.to_owned(),
            op,
            value: Pattern::new(text, CaseRule::Ignore),
        };
        for (field, op, text, hit, negated) in [
            ("a", Comparison::Eq, "2", true, false),
            ("a", Comparison::Ne, "2", true, false),
            ("b", Comparison::Eq, "2", false, true),
            ("b", Comparison::Ne, "2", false, true),
            ("n", Comparison::Gt, "9", true, false),
            ("n", Comparison::Gt, "9x", false, true),
        ] {
            let predicate = compare(field, op, text);
            assert_eq!(predicate.matches(&row), hit, "{field} {op:?} {text}");
            assert_eq!(Predicate::Not(Box::new(predicate)).matches(&row), negated);
        }
    }
}
