//! A hash table of literals, to test whether a value equals any of them without comparing it with
//! each one.

use std::collections::HashMap;

use spilltrail_event::Value;
use spilltrail_spl::CompareOp;

use super::operators;

/// Minimum number of literals for which a hash table is used.
pub(crate) const FEWEST: usize = 8;

/// A list of literals, indexed by key.
#[derive(Debug)]
pub(crate) struct Literals {
    literals: Vec<Value<'static>>,
    by_key: HashMap<Key, Vec<usize>>,
    /// Indexes of literals without a key, which are compared one by one.
    others: Vec<usize>,
}

/// A hash key. If two equal values both have keys, these are equal; values with equal keys need
/// not be equal.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Key {
    /// The bits of a finite number.
    Number(u64),
    Text(String),
}

impl Key {
    fn of(value: &Value<'_>) -> Option<Self> {
        if matches!(value, Value::Null | Value::Bool(_) | Value::Multi(_)) {
            return None;
        }
        match value.as_number() {
            // Adding 0.0 converts -0.0 to 0.0, because the two zeros are equal.
            Some(number) if number.is_finite() => Some(Self::Number((number + 0.0).to_bits())),
            // NaN and infinity have no key: they equal numeric texts, and also their own names,
            // which are not numeric.
            Some(_) => None,
            None => {
                let text = value.to_text()?;
                let is_name = matches!(&*text, "inf" | "-inf" | "nan");
                (!is_name).then(|| Self::Text(text.into_owned()))
            }
        }
    }
}

impl Literals {
    pub(crate) fn new(literals: Vec<Value<'static>>) -> Self {
        let mut by_key: HashMap<Key, Vec<usize>> = HashMap::new();
        let mut others = Vec::new();
        for (index, literal) in literals.iter().enumerate() {
            match Key::of(literal) {
                Some(key) => by_key.entry(key).or_default().push(index),
                None => others.push(index),
            }
        }
        Self { literals, by_key, others }
    }

    /// Returns whether the value equals any of the literals; `None` if the value is null.
    pub(crate) fn equal(&self, value: &Value<'_>) -> Option<bool> {
        let equals = |literal: &Value<'static>| {
            // Text in a list is a quoted literal.
            let is_text = matches!(literal, Value::Text(_));
            let compare = if is_text { operators::compare_text } else { operators::compare };
            compare(CompareOp::Eq, value, literal) == Some(true)
        };
        match value {
            Value::Null => None,
            Value::Multi(members) => {
                Some(members.iter().any(|member| self.equal(&Value::text(&**member)) == Some(true)))
            }
            _ => Some(match Key::of(value) {
                Some(key) => {
                    let same = self.by_key.get(&key).into_iter().flatten();
                    same.chain(&self.others).any(|index| equals(&self.literals[*index]))
                }
                None => self.literals.iter().any(equals),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::any_equal;

    fn value() -> impl Strategy<Value = Value<'static>> {
        let texts = [
            "1",
            "1.0",
            "+1",
            "-0",
            "0",
            "1e0",
            "01",
            "nan",
            "NaN",
            "inf",
            "true",
            "false",
            "",
            "a",
            "A",
            "1e400",
            "12345678901234567890",
            "12345678901234567891",
        ];
        let numbers =
            [1.0, 0.0, -0.0, f64::NAN, f64::INFINITY, 1e300, 12_345_678_901_234_567_890.0];
        let text = prop::sample::select(texts.to_vec());
        prop_oneof![
            6 => text.clone().prop_map(Value::text),
            3 => prop::sample::select(numbers.to_vec()).prop_map(Value::Number),
            1 => any::<bool>().prop_map(Value::Bool),
            1 => Just(Value::Null),
            1 => prop::collection::vec(text, 2..4)
                .prop_map(|members| Value::Multi(members.into_iter().map(Into::into).collect())),
        ]
    }

    proptest! {
        /// A lookup returns the same result as a comparison with each literal.
        #[test]
        fn looked_up_as_compared(literals in prop::collection::vec(value(), 0..20), value in value()) {
            let as_compared =
                |literal: &Value<'static>| (literal.clone(), matches!(literal, Value::Text(_)));
            let compared = any_equal(&value, literals.iter().map(as_compared));
            prop_assert_eq!(Literals::new(literals).equal(&value), compared);
        }
    }
}
