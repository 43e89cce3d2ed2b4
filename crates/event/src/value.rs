//! Represents a field's value in one event.

use std::borrow::Cow;

use crate::number::{format_number, parse_number};

/// A field's value in one event or result, as eval sees it.
///
/// Text that looks like a number acts as a number wherever one is expected. A multivalue has at
/// least two members; [`Value::multi`] turns one member into text and an empty list into
/// [`Value::Null`].
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// The field is absent.
    Null,
    /// The result of a comparison; never stored in a field.
    Bool(bool),
    /// A double.
    Number(f64),
    /// Untyped text.
    Text(Cow<'a, str>),
    /// Two or more values in order.
    Multi(Vec<Cow<'a, str>>),
}

impl<'a> Value<'a> {
    /// Returns a text value.
    pub fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(text.into())
    }

    /// Returns a multivalue of these members, or text for one member, or null for an empty list.
    #[must_use]
    pub fn multi(mut members: Vec<Cow<'a, str>>) -> Self {
        match members.len() {
            0 => Self::Null,
            1 => Self::Text(members.remove(0)),
            _ => Self::Multi(members),
        }
    }

    /// Returns true for an absent field.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Returns the number that the value is or looks like, or `None` for null, multivalues and
    /// other text.
    #[must_use]
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => parse_number(text),
            _ => None,
        }
    }

    /// Returns the printed form, or `None` for null.
    ///
    /// The members of a multivalue are joined by a blank, as Splunk does where it needs a single
    /// value.
    #[must_use]
    pub fn to_text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Null => None,
            Self::Bool(true) => Some(Cow::Borrowed("True")),
            Self::Bool(false) => Some(Cow::Borrowed("False")),
            Self::Number(number) => Some(Cow::Owned(format_number(*number))),
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Multi(members) => Some(Cow::Owned(members.join(" "))),
        }
    }

    /// Returns the members: an empty list for null, one member for a single value.
    #[must_use]
    pub fn members(&self) -> Vec<Cow<'_, str>> {
        match self {
            Self::Null => Vec::new(),
            Self::Multi(members) => members.iter().map(|m| Cow::Borrowed(m.as_ref())).collect(),
            single => single.to_text().into_iter().collect(),
        }
    }

    /// Returns the members as owned values that outlive `self`.
    #[must_use]
    pub fn into_members(self) -> Vec<Cow<'a, str>> {
        match self {
            Self::Null => Vec::new(),
            Self::Multi(members) => members,
            Self::Text(text) => vec![text],
            other => other.to_text().map(|t| Cow::Owned(t.into_owned())).into_iter().collect(),
        }
    }

    /// Returns a copy that borrows nothing.
    #[must_use]
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::Number(number) => Value::Number(number),
            Self::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Self::Multi(members) => {
                Value::Multi(members.into_iter().map(|m| Cow::Owned(m.into_owned())).collect())
            }
        }
    }
}
