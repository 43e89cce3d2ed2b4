//! What the sender of an event gives beside its text.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::de::IgnoredAny;

use crate::cloudtrail::Values;
use crate::json::{for_each_element, for_each_member, unescape, value_end};

/// What the sender of an event gives beside its text: nothing for most events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Given {
    /// The time, in microseconds since the epoch. That of a CloudTrail record counts only if the record
    /// has none that can be read.
    pub(crate) time: Option<i64>,
    /// The fields.
    pub(crate) fields: Option<Arc<GivenFields>>,
}

impl Given {
    /// Returns the time in epoch seconds.
    pub(crate) fn seconds(&self) -> Option<f64> {
        self.time.map(|time| time as f64 / 1e6)
    }

    /// Returns true if a time in epoch seconds is the one that is given.
    pub(crate) fn is_at(&self, epoch: f64) -> bool {
        self.time == Some((epoch * 1e6).round() as i64)
    }

    /// Returns the values of a field.
    pub(crate) fn values(&self, field: &str) -> Option<&[String]> {
        self.fields.as_ref()?.values(field)
    }
}

/// The fields that the sender of an event gives beside its text. They count instead of fields of the text
/// that have the same names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GivenFields {
    text: Box<str>,
    /// The names, each with at least one value.
    fields: IndexMap<String, Vec<String>>,
}

impl GivenFields {
    /// Reads the fields from a JSON object, whose values are scalars, which stay as they are written, and
    /// lists of them. A null is no value. Returns `None` for any other text.
    pub(crate) fn read(text: &str) -> Option<Self> {
        if !text.trim_start().starts_with('{') || serde_json::from_str::<IgnoredAny>(text).is_err()
        {
            return None;
        }
        let bytes = text.as_bytes();
        let mut fields: IndexMap<String, Vec<String>> = IndexMap::new();
        let mut is_flat = true;
        for_each_member(bytes, |key, at| {
            let (name, end) = (unescape(&text[key]), value_end(bytes, at));
            let mut values = Vec::new();
            let mut take = |at: usize| {
                let end = value_end(bytes, at);
                match bytes[at] {
                    b'{' | b'[' => is_flat = false,
                    b'"' => values.push(unescape(&text[at + 1..end - 1]).into_owned()),
                    _ if &text[at..end] == "null" => {}
                    _ => values.push(text[at..end].to_owned()),
                }
                end
            };
            match bytes[at] {
                b'[' => for_each_element(&bytes[at..end], |offset| take(at + offset) - at),
                _ => {
                    take(at);
                }
            }
            if !values.is_empty() {
                fields.entry(name.into_owned()).or_default().append(&mut values);
            }
            Some(end)
        });
        is_flat.then(|| Self { text: text.into(), fields })
    }

    /// Returns the text that they were read from.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the fields, each with at least one value.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.fields.iter().map(|(name, values)| (name.as_str(), values.as_slice()))
    }

    /// Returns the values of a field.
    pub(crate) fn values(&self, field: &str) -> Option<&[String]> {
        self.fields.get(field).map(Vec::as_slice)
    }
}

impl<'a> From<&'a [String]> for Values<'a> {
    fn from(values: &'a [String]) -> Self {
        match values {
            [] => Self::None,
            [value] => Self::One(value.as_str().into()),
            values => Self::Many(values.iter().map(|value| value.as_str().into()).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fields_are_read_as_they_are_written() {
        let shown = |text: &str| {
            let fields = GivenFields::read(text)?;
            let one = |(name, values): (&str, &[String])| format!("{name}={}", values.join("|"));
            Some(fields.iter().map(one).collect::<Vec<_>>().join(" "))
        };
        for (text, expected) in [
            ("{}", Some("")),
            (r#" { "region" : "eu" , "n":1.50,"on":true } "#, Some("region=eu n=1.50 on=true")),
            (r#"{"tags":["a",2,null,false],"one":["x"]}"#, Some("tags=a|2|false one=x")),
            (r#"{"none":null,"empty":[],"blank":""}"#, Some("blank=")),
            (r#"{"a":"1","b":"x","a":["2"]}"#, Some("a=1|2 b=x")),
            (r#"{"a.b":"q\"u\u00e9","\u0063":"]}"}"#, Some("a.b=q\"ué c=]}")),
            ("", None),
            ("[1]", None),
            ("null", None),
            (r#"{"a":1"#, None),
            (r#"{"a":1}}"#, None),
            (r#"{"a" 1}"#, None),
            (r#"{"a":{"b":1}}"#, None),
            (r#"{"a":[["b"]]}"#, None),
        ] {
            assert_eq!(shown(text).as_deref(), expected, "{text}");
        }
        // However deep it is.
        assert_eq!(
            shown(&format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000))),
            None
        );
    }

    proptest! {
        #[test]
        fn any_text_is_harmless(text in "[\\[\\]{}\",:\\\\a1é nu]{0,40}") {
            if let Some(fields) = GivenFields::read(&text) {
                prop_assert!(fields.iter().all(|(_, values)| !values.is_empty()));
            }
        }
    }
}
