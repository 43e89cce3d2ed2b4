//! Reads untrusted YAML with limits on file size, alias expansion and nesting.
//!
//! Users get content folders from other people, so scalars are read leniently: `1`, `'1'` and `1.0`
//! are all numbers, and a single text is a list with one item. An error is a [`Diagnostic`] that
//! names the key and its location.

mod repeated;

use std::cell::Cell;
use std::fmt;

use indexmap::IndexMap;
use serde::Deserialize;
use serde::de::{DeserializeOwned, DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use spilltrail_diagnostic::{Code, Diagnostic, Span};

/// Maximum size of a YAML file, in bytes. The parser needs up to a hundred times as much memory.
pub const MAX_YAML_BYTES: u64 = 1 << 20;

/// Maximum number of scalars, and of bytes in scalars, after a document's aliases are expanded.
const MAX_EXPANDED_NODES: usize = 200_000;
const MAX_EXPANDED_BYTES: usize = 16 << 20;

/// Maximum number of open brackets, including brackets in values. The library's time grows with the
/// square of this number; no legitimate file has nearly as many.
const MAX_OPEN_BRACKETS: usize = 1000;

/// Parses one YAML document into a `T`.
///
/// The diagnostic is an error at the location where parsing stopped. Its message contains the path
/// of the key, such as `tags.observable[0].name: …`.
pub(crate) fn read<T: DeserializeOwned>(text: &str) -> Result<T, Diagnostic> {
    check(text)?;
    serde_yaml_ng::from_str(text).map_err(|error| diagnose(&error, text))
}

/// Parses one YAML document like [`read`], and passes the path of every key that `T` does not have.
/// In a path, `*` stands for an item of a list.
pub(crate) fn read_noting<T: DeserializeOwned>(
    text: &str,
    mut ignored: impl FnMut(&[&str]),
) -> Result<T, Diagnostic> {
    check(text)?;
    let mut note = |path: serde_ignored::Path<'_>| ignored(&segments(&path));
    serde_ignored::deserialize(serde_yaml_ng::Deserializer::from_str(text), &mut note)
        .map_err(|error| diagnose(&error, text))
}

fn segments<'a>(path: &'a serde_ignored::Path<'_>) -> Vec<&'a str> {
    use serde_ignored::Path;
    let (parent, segment) = match path {
        Path::Root => return Vec::new(),
        Path::Map { parent, key } => (parent, Some(key.as_str())),
        Path::Seq { parent, .. } => (parent, Some("*")),
        Path::Some { parent }
        | Path::NewtypeStruct { parent }
        | Path::NewtypeVariant { parent } => (parent, None),
    };
    let mut segments = segments(parent);
    segments.extend(segment);
    segments
}

/// Refuses documents whose nesting or aliases would need too much time or memory.
fn check(text: &str) -> Result<(), Diagnostic> {
    if let Some(start) = deepest_beyond(text, MAX_OPEN_BRACKETS) {
        let message = format!("more than {MAX_OPEN_BRACKETS} brackets are open here");
        return Err(Diagnostic::error(Code::YAML, message).at(Span::new(start, start + 1)));
    }
    if may_expand(text) {
        let budget =
            Budget { nodes: Cell::new(MAX_EXPANDED_NODES), bytes: Cell::new(MAX_EXPANDED_BYTES) };
        Measure(&budget)
            .deserialize(serde_yaml_ng::Deserializer::from_str(text))
            .map_err(|error| diagnose(&error, text))?;
    }
    Ok(())
}

/// Returns an error about a missing required key.
pub(crate) fn missing_key(text: &str, key: &str, help: &str) -> Diagnostic {
    let place = key_span(text, "name").unwrap_or_else(|| first_line(text));
    Diagnostic::error(Code::YAML, format!("missing key `{key}`"))
        .label(place, format!("expected `{key}:` in this file"))
        .help(help)
}

/// Returns the span of the first line that sets `key`, at any depth.
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

/// Returns the span from a key to the end of its line. In `path`, the last segment is the key, and
/// those before it are the keys that contain it; `*` stands for an item of a list.
///
/// Returns the innermost containing key that is found if the key itself is not.
pub(crate) fn path_span(text: &str, path: &[&str]) -> Span {
    let mut found = first_line(text);
    let mut start = 0;
    for key in path.iter().filter(|key| **key != "*") {
        let rest = text.get(start..).unwrap_or_default();
        let Some(span) = key_span(rest, key).or_else(|| flow_key_span(rest, key)) else { break };
        found = Span::new(start + span.start, start + span.end);
        start = found.start + key.len();
    }
    found
}

/// Returns the span of a value of `key`, at any depth; `None` if it is written in another way.
pub(crate) fn value_span(text: &str, key: &str, value: &str) -> Option<Span> {
    let from = key_span(text, key)?.start;
    let start = from + text.get(from..)?.find(value)?;
    Some(Span::new(start, start + value.len()))
}

/// Returns the span of a key in flow style, such as `{key: value}`, to the end of its line.
fn flow_key_span(text: &str, key: &str) -> Option<Span> {
    text.match_indices(key).find_map(|(start, _)| {
        let before = text[..start].trim_end_matches(['"', '\'', ' ']);
        let after = text[start + key.len()..].trim_start_matches(['"', '\'']);
        let is_key = before.ends_with(['{', ',']) && after.trim_start().starts_with(':');
        let end = text[start..].find('\n').map_or(text.len(), |length| start + length);
        is_key.then(|| Span::new(start, end))
    })
}

fn first_line(text: &str) -> Span {
    Span::new(0, text.lines().next().map_or(0, str::len))
}

/// Returns the offset at which more than `limit` brackets are open.
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

/// Returns true if the document may contain an anchor and an alias. Only aliases can make a document
/// expand, so other documents need no measuring pass.
///
/// In flow style an anchor needs no blank before it (`"a":&a`), so every `&` counts that does not
/// follow a letter or digit, as the one in `AT&T` does.
fn may_expand(text: &str) -> bool {
    let bytes = text.as_bytes();
    let has_anchor = bytes.iter().enumerate().any(|(index, byte)| {
        let begins = index == 0 || !bytes[index - 1].is_ascii_alphanumeric();
        let named = bytes.get(index + 1).is_some_and(|next| !next.is_ascii_whitespace());
        *byte == b'&' && begins && named
    });
    has_anchor && bytes.contains(&b'*')
}

fn diagnose(error: &serde_yaml_ng::Error, text: &str) -> Diagnostic {
    // The library appends the location to its message, but the diagnostic's label shows it already.
    let whole = error.to_string();
    let message = whole.split(" at line ").next().unwrap_or(&whole);
    let diagnostic = Diagnostic::error(Code::YAML, shortened(message));
    let diagnostic = match message {
        "mapping values are not allowed in this context" => {
            diagnostic.help("put a text with `: ` in quotes, or in lines of its own after `|-`")
        }
        "repetition limit exceeded" => diagnostic
            .help("aliases repeat more than a file can hold; write out the values that you need"),
        _ if message.starts_with("missing field") => diagnostic.help("add the key"),
        _ if [", expected ", "invalid type"].iter().any(|words| message.contains(words)) => {
            diagnostic.help("write the value as the message says what is expected")
        }
        _ if message.contains("duplicate") => diagnostic,
        _ => diagnostic.help(
            "compare the line with those around it: its indentation, its quotes and its brackets",
        ),
    };
    // A message without a place would not say whose it is.
    let place = error.location().map(|place| line_span(text, place.line(), place.column()));
    let place = place.unwrap_or_else(|| first_line(text));
    let repeated = message.rsplit_once("duplicate field `");
    if let Some((path, key)) = repeated.and_then(|(path, key)| Some((path, key.strip_suffix('`')?)))
    {
        let message = format!("{path}the key `{key}` is there twice");
        // The library's place is that of the map.
        let place = repeated::place(text, place.start, key).unwrap_or(place);
        let help = "keep one of them, or join what they say";
        return Diagnostic::error(Code::YAML, message).at(place).help(help);
    }
    diagnostic.at(place)
}

/// Returns a message of the library, which may have a whole value in it, at a length that can be read.
fn shortened(message: &str) -> String {
    /// The most characters of a message, and those at its end that say what was expected.
    const MOST: usize = 240;
    const END: usize = 80;
    let length = message.chars().count();
    if length <= MOST {
        return message.to_owned();
    }
    let start: String = message.chars().take(MOST - END).collect();
    let end: String = message.chars().skip(length - END).collect();
    format!("{start} … {end}")
}

/// Returns the span from a column to the end of its line. Both count from one; columns are
/// characters.
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

/// Deserializes a document, following aliases, only to count its scalars.
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

/// Parses a scalar from its text as written, because `1.0` must not become `1`. Errors are created
/// inside the visitor, since only there does the library add the key and the location.
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

/// A scalar as text, whatever its YAML type: `1`, `'1'`, `true`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Text(pub(crate) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Scalar(|text| Ok(Self(text.to_owned()))))
    }
}

/// A list of texts; a single text becomes a list with one item, and null an empty list.
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

/// A map of texts whose keys are there once: of two, one would be lost.
#[derive(Debug)]
pub(crate) struct Pairs(pub(crate) IndexMap<String, Text>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor;

        impl<'de> Visitor<'de> for PairsVisitor {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of texts")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Pairs, A::Error> {
                let mut pairs = IndexMap::new();
                while let Some((key, value)) = entries.next_entry::<String, Text>()? {
                    if pairs.contains_key(&key) {
                        return Err(A::Error::custom(format!("duplicate field `{key}`")));
                    }
                    pairs.insert(key, value);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(PairsVisitor)
    }
}

/// A boolean, also written as `1`, `'true'` or `on`.
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

/// A number from 0 to 100, also written as text or with a fraction, which is rounded.
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

/// An integer, also written as text.
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
        // Flow style, in which no blank stands before the anchor.
        let (items, aliases) = ("x,".repeat(2000), "*a,".repeat(1000));
        let flow = format!("{{\"a\":&a [{items}],\"tags\":[{aliases}]}}");
        let message = read::<Sample>(&flow).unwrap_err().message;
        assert!(message.contains("aliases expand"), "{message}");
        // Not nested: one long text with many aliases.
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
