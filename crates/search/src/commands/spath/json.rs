//! Extraction of values from JSON documents.

use spilltrail_eval::functions::path::{self, Step};
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value as Json};

/// Returns the values at a path; objects and arrays are returned as compact JSON.
pub(super) fn at_path(document: &str, steps: &[Step]) -> Vec<String> {
    let Ok(json) = serde_json::from_str::<Json>(document) else { return Vec::new() };
    path::find_in_document(&json, steps)
        .into_iter()
        .map(|value| match value {
            Json::String(text) => text.clone(),
            other => other.to_string(),
        })
        .collect()
}

/// Returns the scalar values of a document with their paths, in document order.
///
/// A path is written `a.b` for a key in an object and `a{}` for an array element. `null` becomes
/// the text `null`. A document that is cut off has the values before the cut; an invalid document
/// has none.
pub(super) fn leaves(document: &str, is_cut: bool) -> Vec<(String, String)> {
    let mut leaves = Vec::new();
    let mut deserializer = serde_json::Deserializer::from_str(document);
    let walk = Walk { name: String::new(), leaves: &mut leaves };
    let read = walk.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    if read.is_err() && !is_cut {
        leaves.clear();
    }
    leaves
}

/// Collects the scalar values of the JSON value whose path is `name`.
struct Walk<'l> {
    name: String,
    leaves: &'l mut Vec<(String, String)>,
}

impl Walk<'_> {
    fn leaf<E>(self, text: String) -> Result<(), E> {
        self.leaves.push((self.name, text));
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.leaf("null".to_owned())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.leaf(value.to_string())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.leaf(value.to_string())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.leaf(value.to_string())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        let text = Number::from_f64(value).map_or_else(|| value.to_string(), |n| n.to_string());
        self.leaf(text)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.leaf(value.to_owned())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let name = format!("{}{{}}", self.name);
        while let Some(()) =
            elements.next_element_seed(Walk { name: name.clone(), leaves: &mut *self.leaves })?
        {
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while let Some(key) = entries.next_key::<String>()? {
            let name = if self.name.is_empty() { key } else { format!("{}.{key}", self.name) };
            entries.next_value_seed(Walk { name, leaves: &mut *self.leaves })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(document: &str, is_cut: bool) -> String {
        let leaves = leaves(document, is_cut);
        leaves.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn names_of_leaves() {
        for (document, expected) in [
            (r#"{"a":{"b":1,"c":[true,null]},"d":"x"}"#, "a.b=1 a.c{}=true a.c{}=null d=x"),
            (r#"[{"a":1.0},{"a":-2}]"#, "{}.a=1.0 {}.a=-2"),
            (r#"{"a":[[1],[2]],"e":{},"f":[]}"#, "a{}{}=1 a{}{}=2"),
            (r#"{"a":1} x"#, ""),
        ] {
            assert_eq!(shown(document, false), expected, "{document}");
        }
        assert_eq!(shown(r#"{"a":1,"b":"cut"#, true), "a=1");
        assert_eq!(shown(&"[".repeat(100_000), true), "");
    }

    #[test]
    fn values_at_paths() {
        let document = r#"{"a":{"b":[{"c":1},{"c":"x"}]},"n":null}"#;
        for (path, expected) in [
            ("a.b{}.c", "1|x"),
            ("a.b{1}", r#"{"c":"x"}"#),
            ("a.b", r#"[{"c":1},{"c":"x"}]"#),
            ("a{}.b{}.c", "1|x"),
            ("n", "null"),
            ("a.z", ""),
        ] {
            assert_eq!(at_path(document, &path::parse(path)).join("|"), expected, "{path}");
        }
    }
}
