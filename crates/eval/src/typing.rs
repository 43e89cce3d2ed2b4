//! Infers the types of expressions before they run.

use serde::{Deserialize, Serialize};
use spilltrail_event::Kind;

/// The kind of an expression's results, inferred from its text and the kinds of its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ResultKind {
    /// True, false or null. Cannot be stored in a field.
    Bool,
    /// A number or null.
    Number,
    /// A single value; some rows may have numbers.
    Text,
    /// Possibly several values.
    Multi,
}

impl ResultKind {
    /// Returns the kind of the field that stores the results; `None` for Booleans, which cannot be
    /// stored.
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

/// Types used during inference, finer than [`ResultKind`].
///
/// The text of a field is untyped: it counts as a number if it looks like one. String literals and
/// results of text functions are strings, even if they look like numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Type {
    /// Always null.
    Null,
    /// True, false or null.
    Bool,
    /// A number or null.
    Number,
    /// A string or null, which `+`, `isnum` and similar functions never treat as a number.
    String,
    /// A single value of any type.
    Untyped,
    /// Possibly several values.
    Multi,
}

impl Type {
    /// Returns the type of the values of a field of this kind.
    pub(crate) fn of_field(kind: Kind) -> Self {
        match kind {
            Kind::Number => Self::Number,
            Kind::Text => Self::Untyped,
            Kind::Multi => Self::Multi,
        }
    }

    /// Returns the type of a value that has either this type or the other.
    pub(crate) fn or(self, other: Self) -> Self {
        match (self, other) {
            (left, right) if left == right => left,
            (Self::Null, known) | (known, Self::Null) => known,
            (Self::Multi, _) | (_, Self::Multi) => Self::Multi,
            _ => Self::Untyped,
        }
    }

    /// Returns the type of a value that has any one of these types.
    pub(crate) fn any(types: impl IntoIterator<Item = Self>) -> Self {
        types.into_iter().fold(Self::Null, Self::or)
    }

    /// Returns the result kind of this type.
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
