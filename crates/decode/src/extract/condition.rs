//! Prepares leading searches to be tested on many events, for many searches at a time.
//!
//! The comparisons of all searches that may match an event share one table, so that each distinct
//! comparison runs once, however many searches contain it.

use std::cell::RefCell;

use spilltrail_event::{
    Cases, Comparison, Keyword, Known, Pattern, Predicate, Record, TimeBounds, ValueSet, compare,
    fields,
};

use super::class::Reading;

/// A search's expression; its leaves are indices into a table of comparisons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    Certain(bool),
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Test(usize),
}

/// One comparison.
#[derive(Debug, Clone, PartialEq)]
struct Test {
    /// The index of the compared value in the class; not used for times.
    value: usize,
    kind: TestKind,
}

#[derive(Debug, Clone, PartialEq)]
enum TestKind {
    Exists,
    Compare(Comparison, Pattern),
    In(ValueSet),
    /// The cases, and the index in the class's values of each field that their conditions read.
    Cases(Cases, Vec<(String, usize)>),
    Keyword(Keyword),
    Time(TimeBounds),
}

/// The distinct comparisons of several searches.
#[derive(Debug, Default)]
pub(super) struct Tests {
    tests: Vec<Test>,
}

/// How expensive a comparison is, from cheapest to most expensive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cost {
    /// Compares one value with another.
    Word,
    /// Matches a value against a pattern.
    Pattern,
    /// Searches the text of the whole event.
    Event,
}

/// The results of the comparisons for one event, by index; `None` until a comparison runs.
#[derive(Debug, Default)]
pub(super) struct Outcomes(Vec<Option<bool>>);

impl Tests {
    /// Adds an expression's comparisons to the table and returns its condition.
    ///
    /// `known` returns the values that are the same for all events; `value` returns a field's index
    /// among the values of an event.
    pub(super) fn add<'k>(
        &mut self,
        predicate: &Predicate,
        known: &dyn Fn(&str) -> Option<Known<'k>>,
        value: &mut dyn FnMut(&str) -> usize,
    ) -> Condition {
        if let Some(certain) = predicate.outcome(known) {
            return Condition::Certain(certain);
        }
        let kind = match predicate {
            Predicate::All => return Condition::Certain(true),
            Predicate::Nothing => return Condition::Certain(false),
            Predicate::And(parts) => return Condition::All(self.add_all(parts, known, value)),
            Predicate::Or(parts) => return Condition::Any(self.add_all(parts, known, value)),
            Predicate::Not(part) => {
                return Condition::Not(Box::new(self.add(part, known, value)));
            }
            Predicate::Exists(field) => (value(field), TestKind::Exists),
            Predicate::Compare { field, op, value: pattern } => {
                (value(field), TestKind::Compare(*op, pattern.clone()))
            }
            Predicate::In { field, values } => (value(field), TestKind::In(values.clone())),
            Predicate::Cases { field, cases } => {
                let fields = predicate.fields().into_iter();
                let places = fields.map(|name| (name.to_owned(), value(name))).collect();
                (value(field), TestKind::Cases(cases.clone(), places))
            }
            Predicate::Keyword(keyword) => (value(fields::RAW), TestKind::Keyword(keyword.clone())),
            Predicate::Time(bounds) => (value(fields::TIME), TestKind::Time(*bounds)),
        };
        let test = Test { value: kind.0, kind: kind.1 };
        // A comparison that another search already contains is shared, so that it runs once per
        // event.
        let place = self.tests.iter().position(|other| *other == test);
        Condition::Test(place.unwrap_or_else(|| {
            self.tests.push(test);
            self.tests.len() - 1
        }))
    }

    /// Adds expressions and sorts them so that the cheapest are tested first.
    fn add_all<'k>(
        &mut self,
        parts: &[Predicate],
        known: &dyn Fn(&str) -> Option<Known<'k>>,
        value: &mut dyn FnMut(&str) -> usize,
    ) -> Vec<Condition> {
        let mut parts: Vec<_> = parts.iter().map(|part| self.add(part, known, value)).collect();
        parts.sort_by_key(|part| self.cost(part));
        parts
    }

    fn cost(&self, condition: &Condition) -> Cost {
        match condition {
            Condition::Certain(_) => Cost::Word,
            Condition::All(parts) | Condition::Any(parts) => {
                parts.iter().map(|part| self.cost(part)).max().unwrap_or(Cost::Word)
            }
            Condition::Not(part) => self.cost(part),
            Condition::Test(place) => match &self.tests[*place].kind {
                TestKind::Keyword(_) => Cost::Event,
                TestKind::Compare(_, pattern) if pattern.is_wild() => Cost::Pattern,
                TestKind::In(values) if values.has_wildcards() => Cost::Pattern,
                TestKind::Cases(..) => Cost::Pattern,
                TestKind::Compare(..) | TestKind::In(_) | TestKind::Exists | TestKind::Time(_) => {
                    Cost::Word
                }
            },
        }
    }

    /// Returns true if an event satisfies a condition.
    pub(super) fn holds(
        &self,
        condition: &Condition,
        event: &mut Reading<'_>,
        outcomes: &mut Outcomes,
    ) -> bool {
        match condition {
            Condition::Certain(certain) => *certain,
            Condition::All(parts) => parts.iter().all(|part| self.holds(part, event, outcomes)),
            Condition::Any(parts) => parts.iter().any(|part| self.holds(part, event, outcomes)),
            Condition::Not(part) => !self.holds(part, event, outcomes),
            Condition::Test(place) => match outcomes.0[*place] {
                Some(outcome) => outcome,
                None => {
                    let outcome = self.tests[*place].holds(event);
                    outcomes.0[*place] = Some(outcome);
                    outcome
                }
            },
        }
    }
}

impl Test {
    fn holds(&self, event: &mut Reading<'_>) -> bool {
        match &self.kind {
            // An event with several sourcetypes is of another one only if none of them is compared.
            TestKind::Compare(Comparison::Ne, pattern) if event.has_several_names(self.value) => {
                !event.compared_values(self.value).any(&mut |text| pattern.matches(text))
            }
            TestKind::Exists => event.values(self.value).any(&mut |_| true),
            TestKind::Compare(op, pattern) => {
                event.compared_values(self.value).any(&mut |text| compare(text, *op, pattern))
            }
            TestKind::In(values) => {
                event.compared_values(self.value).any(&mut |text| values.matches(text))
            }
            TestKind::Cases(cases, places) => {
                let values = event.compared_values(self.value);
                let record = CaseRecord { event: RefCell::new(event), places };
                values.any(&mut |text| cases.any_of(text, |condition| condition.matches(&record)))
            }
            TestKind::Keyword(keyword) => {
                event.values(self.value).any(&mut |raw| keyword.matches(raw))
            }
            TestKind::Time(bounds) => event.time().epoch.is_some_and(|time| bounds.contains(time)),
        }
    }
}

/// Gives the conditions of cases access to the fields of an event.
struct CaseRecord<'e, 'r, 'a> {
    event: RefCell<&'e mut Reading<'r>>,
    places: &'a [(String, usize)],
}

impl Record for CaseRecord<'_, '_, '_> {
    fn any_value(&self, field: &str, visit: &mut dyn FnMut(&str) -> bool) -> bool {
        let Some((_, place)) = self.places.iter().find(|(name, _)| name == field) else {
            return false;
        };
        // The borrow ends before `visit` runs, because a nested condition borrows the event again.
        let values = self.event.borrow_mut().compared_values(*place);
        values.any(visit)
    }

    fn time(&self) -> Option<f64> {
        self.event.borrow_mut().time().epoch
    }
}

impl Outcomes {
    /// Discards the results of the previous event.
    pub(super) fn reset(&mut self, tests: &Tests) {
        self.0.clear();
        self.0.resize(tests.tests.len(), None);
    }
}
