//! What is known about an expression's results before it runs.

use serde::{Deserialize, Serialize};
use spilltrail_event::Kind;

/// What an expression yields, as far as its text and the kinds of its fields tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ResultKind {
    /// True, false or null; it may not be stored in a field.
    Bool,
    /// Every result that is not null is a number.
    Number,
    /// A single value, of which some may be numbers.
    Text,
    /// Possibly several values.
    Multi,
}

impl ResultKind {
    /// Returns the kind of the field that the results are stored in; Booleans may not be stored.
    #[must_use]
    pub fn stored(self) -> Option<Kind> {
        match self {
            Self::Bool => None,
            Self::Number => Some(Kind::Number),
            Self::Text => Some(Kind::Text),
            Self::Multi => Some(Kind::Multi),
        }
    }
}

/// The finer classes that inference works with.
///
/// Text of a field is untyped: it is a number if it looks like one. A string literal, and what a
/// text function returns, is a string whatever it looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Type {
    /// Certainly null.
    Null,
    /// True, false or null.
    Bool,
    /// A number or null.
    Number,
    /// A string or null, never taken for a number by `+`, `isnum` and their like.
    String,
    /// A single value of any class.
    Untyped,
    /// Possibly several values.
    Multi,
}

impl Type {
    /// Returns the type of a field of this kind.
    pub(crate) fn of_field(kind: Kind) -> Self {
        match kind {
            Kind::Number => Self::Number,
            Kind::Text => Self::Untyped,
            Kind::Multi => Self::Multi,
        }
    }

    /// Returns the type of a value that is of this type or of the other.
    pub(crate) fn or(self, other: Self) -> Self {
        match (self, other) {
            (left, right) if left == right => left,
            (Self::Null, known) | (known, Self::Null) => known,
            (Self::Multi, _) | (_, Self::Multi) => Self::Multi,
            _ => Self::Untyped,
        }
    }

    /// Returns the type of any of the values.
    pub(crate) fn any(types: impl IntoIterator<Item = Self>) -> Self {
        types.into_iter().fold(Self::Null, Self::or)
    }

    /// Returns what callers need to know.
    pub(crate) fn result_kind(self) -> ResultKind {
        match self {
            Self::Bool => ResultKind::Bool,
            Self::Number => ResultKind::Number,
            Self::Null | Self::String | Self::Untyped => ResultKind::Text,
            Self::Multi => ResultKind::Multi,
        }
    }
}

/// Returns the type of `left + right`: addition or, for strings, concatenation.
pub(crate) fn sum(left: Type, right: Type) -> Type {
    match (left, right) {
        (Type::String, _) | (_, Type::String) => Type::String,
        (Type::Number | Type::Null, _) | (_, Type::Number | Type::Null) => Type::Number,
        _ => Type::Untyped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn union_of_types() {
        for (left, right, both) in [
            (Type::Null, Type::Number, Type::Number),
            (Type::Number, Type::String, Type::Untyped),
            (Type::String, Type::Multi, Type::Multi),
            (Type::Bool, Type::Null, Type::Bool),
        ] {
            assert_eq!(left.or(right), both);
            assert_eq!(right.or(left), both);
        }
        assert_eq!(sum(Type::Untyped, Type::Number), Type::Number);
        assert_eq!(sum(Type::Untyped, Type::Untyped), Type::Untyped);
        assert_eq!(sum(Type::Number, Type::String), Type::String);
    }
}
