//! Decides from the ranges of values whether any of many events can match an expression.
//!
//! Files in columns tell the smallest and the largest value of each column for thousands of events.
//! The answer is `false` only if no event within the ranges matches.

use crate::pattern::{CaseRule, Pattern};
use crate::predicate::{Comparison, Predicate, TimeBounds};

/// What is known of a field's values in a number of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueRange<'r> {
    /// No event has the field.
    Absent,
    /// All values are between these texts, byte by byte; both are included.
    Between(&'r [u8], &'r [u8]),
}

impl Predicate {
    /// Returns false if no event matches whose values are within the ranges.
    ///
    /// `range` returns what is known of a field, or `None`; `times` contains the times of all events
    /// that have one, if it is known.
    #[must_use]
    pub fn may_match<'r>(
        &self,
        range: &dyn Fn(&str) -> Option<ValueRange<'r>>,
        times: Option<(f64, f64)>,
    ) -> bool {
        let may_be = |field: &str, value: &Pattern| match range(field) {
            None => true,
            Some(ValueRange::Absent) => false,
            Some(ValueRange::Between(least, most)) => value.may_match_between(least, most),
        };
        match self {
            Self::Nothing => false,
            Self::And(parts) => parts.iter().all(|part| part.may_match(range, times)),
            Self::Or(parts) => parts.iter().any(|part| part.may_match(range, times)),
            Self::Exists(field) => range(field) != Some(ValueRange::Absent),
            Self::Compare { field, op: Comparison::Eq, value } => may_be(field, value),
            Self::Compare { field, .. } => range(field) != Some(ValueRange::Absent),
            Self::In { field, values } => {
                values.patterns().iter().any(|value| may_be(field, value))
            }
            Self::Cases { field, cases } => cases.all().iter().any(|(value, condition)| {
                may_be(field, value) && condition.may_match(range, times)
            }),
            Self::Time(bounds) => times.is_none_or(|times| bounds.may_contain(times)),
            // What is not true of some values may be true of others.
            Self::All | Self::Not(_) | Self::Keyword(_) => true,
        }
    }
}

impl TimeBounds {
    fn may_contain(&self, (first, last): (f64, f64)) -> bool {
        self.earliest.is_none_or(|earliest| last >= earliest)
            && self.latest.is_none_or(|latest| first < latest)
    }
}

impl Pattern {
    /// Returns false if no text between two others, byte by byte, matches.
    fn may_match_between(&self, least: &[u8], most: &[u8]) -> bool {
        // Addresses in a block have no common beginning, and case folding beyond ASCII changes
        // lengths.
        if self.block.is_some() || !self.text.is_ascii() {
            return true;
        }
        let end = self.text.find('*').unwrap_or(self.text.len());
        let beginning = Beginning {
            text: &self.text.as_bytes()[..end],
            is_whole: !self.is_wild(),
            ignores_case: self.case == CaseRule::Ignore,
            least,
            most,
        };
        beginning.may_be(0, true, true)
    }
}

/// The texts that begin with, or are, a text in ASCII.
struct Beginning<'a> {
    text: &'a [u8],
    is_whole: bool,
    ignores_case: bool,
    least: &'a [u8],
    most: &'a [u8],
}

impl Beginning<'_> {
    /// Returns true if such a text lies between the bounds, given that its first `at` bytes do;
    /// `is_least` and `is_most` tell whether these are the beginning of either bound.
    fn may_be(&self, at: usize, is_least: bool, is_most: bool) -> bool {
        if !is_least && !is_most {
            return true;
        }
        if at == self.text.len() {
            // A text that ends here comes before all longer ones.
            return !self.is_whole || !is_least || self.least.len() <= at;
        }
        // Where one bound ends, any longer text comes after it.
        if is_most && self.most.len() == at {
            return false;
        }
        let is_least = is_least && self.least.len() > at;
        if !is_least && !is_most {
            return true;
        }
        let byte = self.text[at];
        let (lower, upper) = (byte.to_ascii_lowercase(), byte.to_ascii_uppercase());
        let goes_on = |byte: u8| {
            let (is_least_byte, is_most_byte) = (
                is_least.then(|| byte.cmp(&self.least[at])),
                is_most.then(|| byte.cmp(&self.most[at])),
            );
            if is_least_byte.is_some_and(std::cmp::Ordering::is_lt)
                || is_most_byte.is_some_and(std::cmp::Ordering::is_gt)
            {
                return false;
            }
            let is_equal = |order: Option<std::cmp::Ordering>| order.is_some_and(|o| o.is_eq());
            self.may_be(at + 1, is_equal(is_least_byte), is_equal(is_most_byte))
        };
        if !self.ignores_case {
            return goes_on(byte);
        }
        // The Kelvin sign is the only other character whose lower case is in ASCII.
        let kelvin = lower == b'k' && (!is_most || self.most[at] >= 0xe2);
        kelvin || goes_on(lower) || (lower != upper && goes_on(upper))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::values::ValueSet;

    fn pattern(text: &str) -> Pattern {
        Pattern::new(text, CaseRule::Ignore)
    }

    fn is(field: &str, text: &str) -> Predicate {
        Predicate::Compare { field: field.to_owned(), op: Comparison::Eq, value: pattern(text) }
    }

    #[test]
    fn patterns_between_bounds() {
        for (text, least, most, expected) in [
            ("CreateTask", "AbortX", "UpdateY", true),
            ("createtask", "AbortX", "UpdateY", true),
            ("CreateTask", "DeleteX", "GetY", false),
            ("CreateTask", "CreateTask", "CreateTask", true),
            // `Createtask` lies between these.
            ("CreateTask", "CreateTaskX", "D", true),
            ("CreateTrail", "Createtrailx", "D", false),
            ("CreateTask", "A", "CREATETAS", false),
            ("Create*", "A", "CreateTas", true),
            ("Create*", "CreateTas", "CreateTas", true),
            ("Create*", "Cs", "D", false),
            ("*Task", "x", "y", true),
            ("", "", "a", true),
            ("", "a", "b", false),
            ("10.0.0.0/8", "9", "9", true),
            ("é", "a", "b", true),
            // The Kelvin sign folds to a letter of ASCII.
            ("k", "\u{212a}", "\u{212a}", true),
            ("k", "l", "z", false),
        ] {
            let found = pattern(text).may_match_between(least.as_bytes(), most.as_bytes());
            assert_eq!(found, expected, "{text} {least} {most}");
        }
        let exact = Pattern::new("create", CaseRule::Exact);
        assert!(!exact.may_match_between(b"A", b"Z") && exact.may_match_between(b"a", b"z"));
    }

    #[test]
    fn expressions_over_ranges() {
        let range = |field: &str| match field {
            "name" => Some(ValueRange::Between(b"DeleteX", b"GetY")),
            "code" => Some(ValueRange::Absent),
            _ => None,
        };
        let not = |part: Predicate| Predicate::Not(Box::new(part));
        let time = |earliest, latest| Predicate::Time(TimeBounds { earliest, latest });
        let among = |values: &[&str]| Predicate::In {
            field: "name".to_owned(),
            values: ValueSet::new(values.iter().map(|text| pattern(text)).collect()),
        };
        for (predicate, expected) in [
            (Predicate::All, true),
            (Predicate::Nothing, false),
            (is("name", "CreateTask"), false),
            (is("name", "GetObject"), true),
            (is("code", "*"), false),
            (is("other", "x"), true),
            (not(is("name", "CreateTask")), true),
            (Predicate::Exists("code".to_owned()), false),
            (Predicate::Exists("name".to_owned()), true),
            (among(&["A", "B"]), false),
            (among(&["A", "Delete*"]), true),
            (Predicate::And(vec![is("other", "x"), is("name", "A")]), false),
            (Predicate::Or(vec![is("other", "x"), is("name", "A")]), true),
            (Predicate::Or(vec![is("code", "x"), is("name", "A")]), false),
            (time(Some(20.0), None), true),
            (time(Some(20.5), None), false),
            (time(None, Some(10.0)), false),
            (time(None, Some(10.5)), true),
        ] {
            assert_eq!(predicate.may_match(&range, Some((10.0, 20.0))), expected, "{predicate:?}");
        }
        assert!(time(Some(20.5), None).may_match(&range, None));
    }

    proptest! {
        /// Whatever a pattern matches is possible within any range that contains it.
        #[test]
        fn what_matches_is_never_ruled_out(
            text in "[akK\u{212a}*/1.]{0,4}", value in "[aAkKb\u{212a}1.]{0,5}",
            others in prop::collection::vec("[aAkKb\u{212a}1.]{0,5}", 0..3),
        ) {
            let least = others.iter().chain([&value]).min().unwrap();
            let most = others.iter().chain([&value]).max().unwrap();
            for case in [CaseRule::Ignore, CaseRule::Exact] {
                let pattern = Pattern::new(text.clone(), case);
                if pattern.matches(&value) {
                    prop_assert!(pattern.may_match_between(least.as_bytes(), most.as_bytes()));
                }
            }
        }
    }
}
