//! YAML from outside, read with bounds: file size, what aliases may expand to, and nesting.
//!
//! Content folders are other people's files, so scalars are read leniently (`1`, `'1'` and `1.0` are
//! all a number; one text stands for a list of one), and a mistake is a [`Diagnostic`] that names
//! the key and its place.

use std::cell::Cell;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeOwned, DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use spilltrail_diagnostic::{Code, Diagnostic, Span};

/// Largest YAML file that is read, in bytes.
pub const MAX_YAML_BYTES: u64 = 4 << 20;

/// Most scalars, and most bytes of scalars, that a document may expand to through its aliases.
const MAX_EXPANDED_NODES: usize = 200_000;
const MAX_EXPANDED_BYTES: usize = 16 << 20;

/// Most brackets that may be open at a time, in values too. The library's time grows with the square
/// of it; no honest file comes near.
const MAX_OPEN_BRACKETS: usize = 1000;

/// Reads one YAML document as a `T`.
///
/// The diagnostic is an error at the place where reading stopped, and its message holds the path of
/// the key (`tags.observable[0].name: …`).
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, Diagnostic> {
    if let Some(start) = deepest_beyond(text, MAX_OPEN_BRACKETS) {
        let message = format!("more than {MAX_OPEN_BRACKETS} brackets are open here");
        return Err(Diagnostic::error(Code::YAML, message).at(Span::new(start, start + 1)));
    }
    if may_have_anchor(text) {
        let budget =
            Budget { nodes: Cell::new(MAX_EXPANDED_NODES), bytes: Cell::new(MAX_EXPANDED_BYTES) };
        Measure(&budget)
            .deserialize(serde_yaml_ng::Deserializer::from_str(text))
            .map_err(|error| diagnose(&error, text))?;
    }
    serde_yaml_ng::from_str(text).map_err(|error| diagnose(&error, text))
}

/// Returns an error about a key that must be there and is not.
pub(crate) fn missing_key(text: &str, key: &str, help: &str) -> Diagnostic {
    let place = key_span(text, "name").unwrap_or_else(|| first_line(text));
    Diagnostic::error(Code::YAML, format!("missing key `{key}`"))
        .label(place, format!("expected `{key}:` in this file"))
        .help(help)
}

/// Returns the place of the first line that sets `key`, at any depth.
pub(crate) fn key_span(text: &str, key: &str) -> Option<Span> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let bare = line.trim_start().trim_start_matches("- ").trim_start();
        let found = bare.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with(':'));
        if found {
            let offset = start + (line.len() - bare.len());
            return Some(Span::new(offset, start + line.trim_end().len()));
        }
        start += line.len();
    }
    None
}

fn first_line(text: &str) -> Span {
    Span::new(0, text.lines().next().map_or(0, str::len))
}

/// Returns where more than `limit` brackets are open.
fn deepest_beyond(text: &str, limit: usize) -> Option<usize> {
    let mut open = 0usize;
    text.bytes().position(|byte| {
        match byte {
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        open > limit
    })
}

/// An anchor is an `&` that begins a token; `ATT&CK` has none. Only documents with anchors can
/// expand, so all others are spared the measuring pass.
fn may_have_anchor(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().any(|(index, byte)| {
        let begins = index == 0 || matches!(bytes[index - 1], b' ' | b'\t' | b'\n' | b'[' | b',');
        let named = bytes.get(index + 1).is_some_and(|next| !next.is_ascii_whitespace());
        *byte == b'&' && begins && named
    })
}

fn diagnose(error: &serde_yaml_ng::Error, text: &str) -> Diagnostic {
    // The library ends its messages with the place, which the label shows.
    let whole = error.to_string();
    let message = whole.split(" at line ").next().unwrap_or(&whole);
    let diagnostic = Diagnostic::error(Code::YAML, message.to_owned());
    match error.location() {
        Some(place) => diagnostic.at(line_span(text, place.line(), place.column())),
        None => diagnostic,
    }
}

/// Returns the rest of a line from a column; both count from one, columns in characters.
fn line_span(text: &str, line: usize, column: usize) -> Span {
    let mut start = 0;
    for (index, content) in text.split_inclusive('\n').enumerate() {
        if index + 1 == line {
            let trimmed = content.trim_end();
            let offset =
                trimmed.char_indices().nth(column.saturating_sub(1)).map_or(trimmed.len(), |c| c.0);
            return Span::new(start + offset, start + trimmed.len());
        }
        start += content.len();
    }
    Span::new(text.len(), text.len())
}

struct Budget {
    nodes: Cell<usize>,
    bytes: Cell<usize>,
}

impl Budget {
    fn spend<E: serde::de::Error>(&self, bytes: usize) -> Result<(), E> {
        let nodes = self.nodes.get().checked_sub(1);
        let bytes = self.bytes.get().checked_sub(bytes);
        let (Some(nodes), Some(bytes)) = (nodes, bytes) else {
            return Err(E::custom("the document's aliases expand to more than is read"));
        };
        self.nodes.set(nodes);
        self.bytes.set(bytes);
        Ok(())
    }
}

/// Walks a document as a reader would, aliases followed, and only counts.
#[derive(Clone, Copy)]
struct Measure<'a>(&'a Budget);

impl<'de> DeserializeSeed<'de> for Measure<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Measure<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YAML")
    }
    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<(), E> {
        self.0.spend(1)
    }
    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<(), E> {
        self.0.spend(8)
    }
    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<(), E> {
        self.0.spend(8)
    }
    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<(), E> {
        self.0.spend(8)
    }
    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        self.0.spend(text.len())
    }
    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.0.spend(1)
    }
    fn visit_none<E: serde::de::Error>(self) -> Result<(), E> {
        self.0.spend(1)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.0.spend(1)?;
        while items.next_element_seed(self)?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        self.0.spend(1)?;
        while entries.next_key_seed(self)?.is_some() {
            entries.next_value_seed(self)?;
        }
        Ok(())
    }
    fn visit_enum<A: serde::de::EnumAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(A::Error::custom("YAML tags (`!name`) are not read here"))
    }
}

/// Reads a scalar from its text as written, so that `1.0` is not `1`. Errors are made inside the
/// visitor: only there does the library add the key and the place.
struct Scalar<T>(fn(&str) -> Result<T, String>);

impl<T> Visitor<'_> for Scalar<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }
    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        (self.0)(text.trim()).map_err(E::custom)
    }
    fn visit_unit<E: serde::de::Error>(self) -> Result<T, E> {
        self.visit_str("")
    }
}

/// A scalar as text, whatever YAML takes it for: `1`, `'1'`, `true`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Text(pub(crate) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Scalar(|text| Ok(Self(text.to_owned()))))
    }
}

/// A list of texts; one text stands for a list of one, and nothing for none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Texts(pub(crate) Vec<String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextsVisitor)
    }
}

struct TextsVisitor;

impl TextsVisitor {
    fn one(text: &str) -> Texts {
        let text = text.trim();
        Texts(if text.is_empty() { Vec::new() } else { vec![text.to_owned()] })
    }
}

impl<'de> Visitor<'de> for TextsVisitor {
    type Value = Texts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text or a list of texts")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Texts, E> {
        Ok(Self::one(&value.to_string()))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Texts, E> {
        Ok(Self::one(&value.to_string()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Texts, E> {
        Ok(Self::one(&value.to_string()))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Texts, E> {
        Ok(Self::one(&value.to_string()))
    }
    fn visit_str<E>(self, value: &str) -> Result<Texts, E> {
        Ok(Self::one(value))
    }
    fn visit_unit<E>(self) -> Result<Texts, E> {
        Ok(Texts::default())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Texts, A::Error> {
        let mut texts = Vec::new();
        while let Some(Text(text)) = items.next_element()? {
            if !text.is_empty() {
                texts.push(text);
            }
        }
        Ok(Texts(texts))
    }
}

/// A yes or no, also as `1`, `'true'`, `on`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Flag(pub(crate) bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Scalar(|text| match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" | "t" => Ok(Self(true)),
            "false" | "0" | "no" | "off" | "f" | "" => Ok(Self(false)),
            _ => Err(format!("expected `true` or `false`, found `{text}`")),
        }))
    }
}

/// A number from 0 to 100, also as text or with a fraction, which is rounded away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Percentage(pub(crate) u32);

impl<'de> Deserialize<'de> for Percentage {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Scalar(|text| match text.parse::<f64>() {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "the guard keeps the value within 0 to 100"
            )]
            Ok(number) if (0.0..=100.0).contains(&number) => {
                Ok(Self(number.round_ties_even() as u32))
            }
            _ => Err(format!("expected a number from 0 to 100, found `{text}`")),
        }))
    }
}

/// A whole number, also as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count(pub(crate) u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Scalar(|text| {
            let number = text.parse().map(Self);
            number.map_err(|_| format!("expected a whole number, found `{text}`"))
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Sample {
        name: Option<Text>,
        #[serde(default)]
        tags: Texts,
        enabled: Option<Flag>,
        score: Option<Percentage>,
    }

    #[test]
    fn scalars_are_read_leniently() {
        let sample: Sample =
            read("name: 5\ntags: one\nenabled: 'True'\nscore: 64.0\nother: {a: 1}\n").unwrap();
        assert_eq!(sample.name, Some(Text("5".into())));
        assert_eq!(sample.tags.0, ["one"]);
        assert_eq!(sample.enabled, Some(Flag(true)));
        assert_eq!(sample.score, Some(Percentage(64)));
    }

    #[test]
    fn a_mistake_names_its_key_and_its_line() {
        let text = "name: x\nscore: many\n";
        let diagnostic = read::<Sample>(text).unwrap_err();
        assert_eq!(diagnostic.message, "score: expected a number from 0 to 100, found `many`");
        let span = diagnostic.span().unwrap();
        assert_eq!(text[..span.start].matches('\n').count(), 1);
        let broken = read::<Sample>("name: 'x\n").unwrap_err();
        assert!(broken.span().is_some(), "{broken:?}");
    }

    #[test]
    fn aliases_work_and_cannot_explode() {
        let sample: Sample = read("name: &n x\ntags: [*n, *n]\n").unwrap();
        assert_eq!(sample.tags.0, ["x", "x"]);
        let mut laughs = String::from("a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]\n");
        for level in 1..9 {
            let items = vec![format!("*a{}", level - 1); 10].join(", ");
            laughs.push_str(&format!("a{level}: &a{level} [{items}]\n"));
        }
        assert!(read::<Sample>(&laughs).is_err());
        // Flat: one long text named very often.
        let flat = format!("x: &x {}\ntags: [{}]\n", "y".repeat(100_000), "*x,".repeat(50_000));
        assert!(read::<Sample>(&flat).is_err());
    }

    #[test]
    fn deep_nesting_is_an_error() {
        for depth in [200, 1_000_000] {
            let text = format!("tags: {}", "[".repeat(depth));
            assert!(read::<Sample>(&text).is_err());
        }
    }

    #[test]
    fn keys_are_found_at_any_depth() {
        let text = "a: 1\nb:\n  - search : x\n";
        let span = key_span(text, "search").unwrap();
        assert_eq!(&text[span.start..span.end], "search : x");
        assert_eq!(key_span(text, "sea"), None);
    }
}
