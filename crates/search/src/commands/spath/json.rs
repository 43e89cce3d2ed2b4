//! Extraction of values from JSON documents.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use spilltrail_eval::functions::digits;
use spilltrail_eval::functions::path::{self, Step};

/// The text of `null`.
const NULL: &str = "null";

/// Returns the values at a path; objects and arrays are returned as compact JSON.
pub(super) fn at_path(document: &str, steps: &[Step]) -> Vec<String> {
    let Some(json) = digits::parsed(document) else { return Vec::new() };
    path::find_in_document(&json, steps)
        .into_iter()
        .map(|value| digits::native(value).unwrap_or_else(|| NULL.to_owned()))
        .collect()
}

/// Returns the scalar values of a document with their paths, in document order.
///
/// A path is written `a.b` for a key in an object and `a{}` for an array element. `null` becomes
/// the text `null`. A document that is cut off has the values before the cut; an invalid document
/// has none.
pub(super) fn leaves(document: &str, is_cut: bool) -> Vec<(String, String)> {
    let mut leaves = Vec::new();
    let document = digits::marked(document);
    let mut deserializer = serde_json::Deserializer::from_str(&document);
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
    /// Returns the walk over a value inside of this one.
    fn inside(&mut self, name: String) -> Walk<'_> {
        Walk { name, leaves: &mut *self.leaves }
    }

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
        self.leaf(NULL.to_owned())
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
        let text = digits::unmarked(value).to_owned();
        self.leaf(text)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        let name = format!("{}{{}}", self.name);
        while let Some(()) = elements.next_element_seed(self.inside(name.clone()))? {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<(), A::Error> {
        while let Some(key) = entries.next_key::<String>()? {
            let name = if self.name.is_empty() { key } else { format!("{}.{key}", self.name) };
            entries.next_value_seed(self.inside(name))?;
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
            (
                r#"{"a":123456789012345678901,"b":[1.10,1e400]}"#,
                "a=123456789012345678901 b{}=1.10 b{}=1e400",
            ),
        ] {
            assert_eq!(shown(document, false), expected, "{document}");
        }
        assert_eq!(shown(r#"{"a":1,"b":"cut"#, true), "a=1");
        assert_eq!(shown(&"[".repeat(100_000), true), "");
    }

    #[test]
    fn values_at_paths() {
        let document =
            r#"{"a":{"b":[{"c":1},{"c":"x"}]},"n":null,"d":[1.10,123456789012345678901]}"#;
        for (path, expected) in [
            ("a.b{}.c", "1|x"),
            ("a.b{1}", r#"{"c":"x"}"#),
            ("a.b", r#"[{"c":1},{"c":"x"}]"#),
            ("a{}.b{}.c", "1|x"),
            ("n", "null"),
            ("d{0}", "1.10"),
            ("d", "[1.10,123456789012345678901]"),
            ("a.z", ""),
        ] {
            assert_eq!(at_path(document, &path::parse(path)).join("|"), expected, "{path}");
        }
    }
}
