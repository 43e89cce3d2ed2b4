//! A leading search made ready for many events and for many searches at a time.
//!
//! The comparisons of all searches that may take an event stand in one table, so that each is made
//! once, however many searches have it.

use std::cell::RefCell;

use spilltrail_event::{
    Cases, Comparison, Keyword, Pattern, Predicate, Record, TimeBounds, ValueSet, compare, fields,
};

use super::class::Reading;

/// A search's expression over the comparisons of a table.
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
    /// Which of the class's values; those of a time or a keyword are not used.
    value: usize,
    kind: TestKind,
}

#[derive(Debug, Clone, PartialEq)]
enum TestKind {
    Exists,
    Compare(Comparison, Pattern),
    In(ValueSet),
    /// The cases, and where the fields of their conditions are among the class's values.
    Cases(Cases, Vec<(String, usize)>),
    Keyword(Keyword),
    Time(TimeBounds),
}

/// The comparisons of several searches.
#[derive(Debug, Default)]
pub(super) struct Tests {
    tests: Vec<Test>,
}

/// How long a comparison takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cost {
    /// A value is compared with another.
    Word,
    /// A value is matched with a pattern.
    Pattern,
    /// The whole event is searched.
    Event,
}

/// What the comparisons came to for one event.
#[derive(Debug, Default)]
pub(super) struct Outcomes(Vec<Option<bool>>);

impl Tests {
    /// Adds an expression's comparisons; `known` gives the values that are the same for all events,
    /// `value` the place of a field among the values of an event.
    pub(super) fn add<'k>(
        &mut self,
        predicate: &Predicate,
        known: &dyn Fn(&str) -> Option<&'k str>,
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
        let place = self.tests.iter().position(|other| *other == test);
        Condition::Test(place.unwrap_or_else(|| {
            self.tests.push(test);
            self.tests.len() - 1
        }))
    }

    /// Adds expressions, in the order in which they are best looked at: what takes longest comes last.
    fn add_all<'k>(
        &mut self,
        parts: &[Predicate],
        known: &dyn Fn(&str) -> Option<&'k str>,
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
            TestKind::Exists => event.values(self.value).any(&mut |_| true),
            TestKind::Compare(op, pattern) => {
                event.values(self.value).any(&mut |text| compare(text, *op, pattern))
            }
            TestKind::In(values) => event.values(self.value).any(&mut |text| values.matches(text)),
            TestKind::Cases(cases, places) => {
                let values = event.values(self.value);
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

/// An event as the conditions of cases see it.
struct CaseRecord<'e, 'r, 'a> {
    event: RefCell<&'e mut Reading<'r>>,
    places: &'a [(String, usize)],
}

impl Record for CaseRecord<'_, '_, '_> {
    fn any_value(&self, field: &str, visit: &mut dyn FnMut(&str) -> bool) -> bool {
        let Some((_, place)) = self.places.iter().find(|(name, _)| name == field) else {
            return false;
        };
        // Conditions may be nested: the event is free again before `visit` looks at it.
        let values = self.event.borrow_mut().values(*place);
        values.any(visit)
    }

    fn time(&self) -> Option<f64> {
        self.event.borrow_mut().time().epoch
    }
}

impl Outcomes {
    /// Forgets the last event.
    pub(super) fn reset(&mut self, tests: &Tests) {
        self.0.clear();
        self.0.resize(tests.tests.len(), None);
    }
}
