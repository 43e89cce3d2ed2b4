//! Parses field names as paths into JSON and picks the values at those paths out of a record.
//!
//! Names follow Splunk's JSON extraction: keys joined by a dot, with `{}` after the name of an
//! array. A key that contains a dot gives the same name as two nested keys.

mod flatten;
mod quick;

use std::borrow::Cow;
use std::ops::Range;

use crate::delivered::Marks;
use crate::json::{skip_space, string_end, unescape, value_end, word_end};
pub(crate) use flatten::flatten;

/// The byte range of a value in its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    end: u32,
    has_escapes: bool,
}

impl Span {
    /// Returns the value as written in the record, including its quotes.
    pub(crate) fn written(self, record: &str) -> &str {
        let (start, end) = (self.start as usize, self.end as usize);
        let quoted = record.get(start.wrapping_sub(1)..end + 1);
        let quoted = quoted.filter(|text| text.starts_with('"') && text.ends_with('"'));
        quoted.or_else(|| record.get(start..end)).unwrap_or_default()
    }

    /// Returns the value's text: the unescaped contents of a string, the literal text of any other
    /// scalar.
    pub(crate) fn text(self, record: &str) -> Cow<'_, str> {
        let text = record.get(self.start as usize..self.end as usize).unwrap_or_default();
        if self.has_escapes { unescape(text) } else { Cow::Borrowed(text) }
    }
}

/// How arrays directly under the record are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrays {
    /// `name{}` everywhere.
    Braced,
    /// An outermost array of scalars is a multivalue under its own name.
    PlainRows,
}

/// The values found for each wanted path in one record, in the order of the text.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    values: Vec<Vec<Span>>,
    /// How often the walk visited each node of the path tree, indexed by node.
    visits: Vec<Visits>,
}

/// How many values the walk found at a node, and whether it reached them by plain keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Visits {
    None,
    One,
    /// Several values, or a single value whose key contains a dot, a brace or an escape.
    Odd,
}

impl Slots {
    /// Returns the values of a slot.
    pub(crate) fn get(&self, slot: usize) -> &[Span] {
        self.values.get(slot).map_or(&[], Vec::as_slice)
    }

    /// Returns the value at a path, or [`At::Unknown`] if only a second walk of the record can
    /// decide it.
    pub(crate) fn at(&self, path: &PlainPath) -> At {
        for node in &path.nodes {
            match self.visits.get(*node) {
                Some(Visits::One) => {}
                Some(Visits::None) => return At::Nothing,
                Some(Visits::Odd) | None => return At::Unknown,
            }
        }
        match self.get(path.slot) {
            [value] => At::Scalar(*value),
            _ => At::Unknown,
        }
    }

    fn reset(&mut self, paths: &Paths) {
        self.values.resize_with(paths.names.len(), Vec::new);
        self.values.iter_mut().for_each(Vec::clear);
        self.visits.clear();
        self.visits.resize(paths.nodes.len(), Visits::None);
    }

    /// Counts a value at a node; returns true if there was one before.
    fn visit(&mut self, node: usize) -> bool {
        let visits = &mut self.visits[node];
        let is_again = *visits != Visits::None;
        *visits = if is_again { Visits::Odd } else { Visits::One };
        is_again
    }
}

/// The result of looking up a path in the [`Slots`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    Nothing,
    /// Exactly one scalar value.
    Scalar(Span),
    Unknown,
}

/// A path that consists only of keys (no arrays), with its slot.
#[derive(Debug)]
pub(crate) struct PlainPath {
    nodes: Vec<usize>,
    slot: usize,
}

#[derive(Debug)]
struct Node {
    children: Vec<Child>,
    /// For each result of [`key_bits`], the one-based index of the first child in the chain of
    /// children with that result; zero if the chain is empty.
    first: [u32; KEY_BITS],
    array: Option<usize>,
    slot: Option<usize>,
    /// True if a record may have several values here: those of an array, or below one.
    is_repeated: bool,
}

#[derive(Debug)]
struct Child {
    key: Box<[u8]>,
    node: usize,
    /// The one-based index of the next child whose key has the same bits; zero ends the chain.
    next: u32,
}

impl Default for Node {
    fn default() -> Self {
        Self {
            children: Vec::new(),
            first: [0; KEY_BITS],
            array: None,
            slot: None,
            is_repeated: false,
        }
    }
}

impl Node {
    fn child(&self, key: &[u8]) -> Option<usize> {
        let mut place = self.first[key_bits(key)];
        while let Some(child) = self.children.get((place as usize).wrapping_sub(1)) {
            if *child.key == *key {
                return Some(child.node);
            }
            place = child.next;
        }
        None
    }

    fn add(&mut self, key: &[u8], node: usize) {
        let first = &mut self.first[key_bits(key)];
        self.children.push(Child { key: key.into(), node, next: *first });
        *first = self.children.len() as u32;
    }
}

/// The wanted paths as a tree of keys.
#[derive(Debug)]
pub(crate) struct Paths {
    nodes: Vec<Node>,
    names: Vec<String>,
}

/// The number of hash values of [`key_bits`].
const KEY_BITS: usize = 64;

/// Returns a cheap hash of a key, so that most unwanted keys of an object are rejected without a
/// comparison.
fn key_bits(key: &[u8]) -> usize {
    let byte = |byte: Option<&u8>| byte.map_or(0, |byte| usize::from(*byte));
    (key.len() + byte(key.first()) * 5 + byte(key.last()) * 11) % KEY_BITS
}

/// Returns true if a key contains a dot or an opening brace, so that it may span several path
/// steps.
///
/// Checks eight bytes at a time, because this runs for every key of every record.
fn has_steps(key: &[u8]) -> bool {
    const ONES: u64 = u64::MAX / 255;
    // XOR turns each matching byte into zero; the subtraction then borrows into the high bit of
    // every zero byte. It may also flag a byte after a match, which does not change whether any bit
    // is set.
    let flags = |word: u64| {
        let (point, brace) = (word ^ (ONES * 0x2e), word ^ (ONES * 0x7b));
        (point.wrapping_sub(ONES) & !point | brace.wrapping_sub(ONES) & !brace) & (ONES * 0x80)
    };
    let mut rest = key;
    let mut found = 0;
    while let Some((word, after)) = rest.split_first_chunk() {
        found |= flags(u64::from_le_bytes(*word));
        rest = after;
    }
    if rest.is_empty() {
        return found != 0;
    }
    // The last eight bytes may overlap the words checked above; checking a byte twice is harmless.
    match key.last_chunk() {
        Some(word) => found | flags(u64::from_le_bytes(*word)) != 0,
        None => rest.iter().any(|byte| matches!(byte, b'.' | b'{')),
    }
}

/// One step of a path.
enum Part<'a> {
    Key(&'a [u8]),
    Array,
}

/// Splits a name, or a key that contains dots, into path steps.
fn parts(name: &[u8]) -> impl Iterator<Item = Part<'_>> {
    name.split(|b| *b == b'.').flat_map(|segment| {
        let mut key = segment;
        let mut arrays = 0;
        while let Some(shorter) = key.strip_suffix(b"{}") {
            key = shorter;
            arrays += 1;
        }
        std::iter::once(Part::Key(key)).chain((0..arrays).map(|_| Part::Array))
    })
}

impl Paths {
    pub(crate) fn new() -> Self {
        Self { nodes: vec![Node::default()], names: Vec::new() }
    }

    /// Adds a path and returns its slot; a known path keeps its slot.
    pub(crate) fn add(&mut self, name: &str) -> usize {
        let mut node = 0;
        for part in parts(name.as_bytes()) {
            let next = match part {
                Part::Key(key) => self.child(node, key),
                Part::Array => self.nodes[node].array,
            };
            node = next.unwrap_or_else(|| {
                let new = self.nodes.len();
                let is_repeated = self.nodes[node].is_repeated || matches!(part, Part::Array);
                self.nodes.push(Node { is_repeated, ..Node::default() });
                match part {
                    Part::Key(key) => self.nodes[node].add(key, new),
                    Part::Array => self.nodes[node].array = Some(new),
                }
                new
            });
        }
        *self.nodes[node].slot.get_or_insert_with(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    fn child(&self, node: usize, key: &[u8]) -> Option<usize> {
        self.nodes[node].child(key)
    }

    /// Follows a key that contains escapes, dots or braces, which may span several path steps.
    #[cold]
    fn steps_of(
        &self,
        node: usize,
        key: &[u8],
        has_escapes: bool,
        slots: &mut Slots,
    ) -> Option<usize> {
        let text = std::str::from_utf8(key).ok()?;
        let key = if has_escapes { unescape(text) } else { text.into() };
        let child = self.steps(node, key.as_bytes())?;
        // The walk counts the value it reads next as a second visit, which marks the node as odd.
        slots.visits[child] = Visits::One;
        Some(child)
    }

    /// Returns the slot of a path, adding the path if it is new, or `None` unless it consists of
    /// plain keys only.
    pub(crate) fn add_plain(&mut self, keys: &[String]) -> Option<PlainPath> {
        let is_plain = |key: &String| !key.is_empty() && !has_steps(key.as_bytes());
        if !keys.iter().all(is_plain) {
            return None;
        }
        let slot = self.add(&keys.join("."));
        let mut nodes = Vec::new();
        for key in keys {
            nodes.push(self.child(nodes.last().copied().unwrap_or(0), key.as_bytes())?);
        }
        Some(PlainPath { nodes, slot })
    }

    /// Drops the values found at a node and below it: of repeated keys, the last one counts.
    #[cold]
    fn forget(&self, node: usize, slots: &mut Slots) {
        let Node { children, array, slot, .. } = &self.nodes[node];
        if let Some(slot) = slot {
            slots.values[*slot].clear();
        }
        for below in children.iter().map(|child| child.node).chain(*array) {
            self.forget(below, slots);
        }
    }

    fn steps(&self, node: usize, key: &[u8]) -> Option<usize> {
        parts(key).try_fold(node, |node, part| match part {
            Part::Key(key) => self.child(node, key),
            Part::Array => self.nodes[node].array,
        })
    }

    /// Picks the values of all paths out of a record.
    ///
    /// If `outer` lists the pieces of the outermost object, the walk skips unwanted nested values
    /// without reading them.
    pub(crate) fn pick(
        &self,
        record: &str,
        arrays: Arrays,
        outer: Option<Outer<'_>>,
        slots: &mut Slots,
    ) {
        slots.reset(self);
        if self.is_empty() {
            return;
        }
        if let Some(outer) = outer.filter(|outer| outer.is_plain && arrays == Arrays::Braced) {
            if quick::walk(self, outer, slots).is_some() {
                return;
            }
            // The quick walk may have filled some slots before it gave up.
            slots.reset(self);
        }
        let walk = Walk { paths: self, bytes: record.as_bytes(), arrays, outer };
        match outer {
            Some(outer) => walk.pieces(outer, slots),
            None => {
                walk.object(skip_space(walk.bytes, 0), 0, true, slots);
            }
        }
    }
}

/// The pieces of a record's outermost object that lie outside nested values.
///
/// Each piece runs from the opening brace or the end of a nested value to the start of the next
/// nested value or the closing brace.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outer<'a> {
    pub(crate) pieces: &'a [Range<u32>],
    /// The record's offset in `text`, to which the offsets of the pieces refer.
    pub(crate) start: u32,
    pub(crate) text: &'a [u8],
    /// True if the record contains no escapes.
    pub(crate) is_plain: bool,
    /// The marks of `text`.
    pub(crate) marks: &'a Marks,
}

struct Walk<'a> {
    paths: &'a Paths,
    bytes: &'a [u8],
    arrays: Arrays,
    outer: Option<Outer<'a>>,
}

impl Walk<'_> {
    /// Reads the key whose opening quote is at `at`; returns the child node it leads to, if any,
    /// and the offset after the closing quote.
    fn key(&self, at: usize, node: usize, slots: &mut Slots) -> (Option<usize>, usize) {
        let (end, has_escapes) = self.string_end(at + 1);
        let after = (end + 1).min(self.bytes.len());
        let key = &self.bytes[at + 1..end];
        if has_escapes || has_steps(key) {
            return (self.paths.steps_of(node, key, has_escapes, slots), after);
        }
        (self.paths.child(node, key), after)
    }

    /// Works like [`string_end`], but uses the marks if the walk has them.
    fn string_end(&self, at: usize) -> (usize, bool) {
        let Some(Outer { start, marks, .. }) = self.outer else {
            return string_end(self.bytes, at);
        };
        let start = start as usize;
        match marks.string_end(start + at) {
            Some((end, has_escapes)) => ((end - start).min(self.bytes.len()), has_escapes),
            None => (self.bytes.len(), false),
        }
    }

    /// Works like [`value_end`], but uses the marks if the walk has them.
    fn value_end(&self, at: usize) -> usize {
        let Some(Outer { start, marks, text, .. }) = self.outer else {
            return value_end(self.bytes, at);
        };
        let start = start as usize;
        let end = match self.bytes.get(at) {
            Some(b'"') => self.string_end(at + 1).0 + 1,
            Some(b'{' | b'[') => {
                let end = marks.nested_end(text, start + at + 1);
                end.map_or(self.bytes.len(), |end| end - start)
            }
            _ => word_end(self.bytes, at),
        };
        end.min(self.bytes.len())
    }

    /// Returns the span of the scalar that begins at `at`, and the offset after it.
    fn scalar(&self, at: usize) -> (Span, usize) {
        let is_text = self.bytes.get(at) == Some(&b'"');
        let end = is_text.then(|| self.string_end(at + 1));
        scalar(self.bytes, at, end)
    }

    /// Walks the members of the outermost object, piece by piece.
    fn pieces(&self, outer: Outer<'_>, slots: &mut Slots) {
        let bytes = self.bytes;
        for (number, piece) in outer.pieces.iter().enumerate() {
            let start = (piece.start - outer.start) as usize + usize::from(number == 0);
            let end = (piece.end - outer.start) as usize;
            let mut at = start;
            loop {
                at = skip_space(bytes, at);
                if bytes.get(at) == Some(&b',') {
                    at = skip_space(bytes, at + 1);
                }
                if at >= end || bytes[at] != b'"' {
                    break;
                }
                let (child, key_end) = self.key(at, 0, slots);
                let colon = skip_space(bytes, key_end);
                let value = skip_space(bytes, colon + 1);
                // A key at the end of a piece belongs to the nested value that follows the piece.
                if value >= end {
                    if let Some(child) = child {
                        self.value(value, child, true, slots);
                    }
                    break;
                }
                at = match child {
                    Some(child) => self.value(value, child, true, slots),
                    None => self.value_end(value).max(value + 1),
                };
            }
        }
    }

    /// Walks the object that begins at `at`; returns the offset after it.
    fn object(&self, at: usize, node: usize, is_outermost: bool, slots: &mut Slots) -> usize {
        let bytes = self.bytes;
        let mut at = skip_space(bytes, at + 1);
        while bytes.get(at) == Some(&b'"') {
            let (child, key_end) = self.key(at, node, slots);
            let colon = skip_space(bytes, key_end);
            let value = skip_space(bytes, colon + 1);
            at = match child {
                Some(child) => self.value(value, child, is_outermost, slots),
                None => self.value_end(value),
            };
            at = skip_space(bytes, at);
            if bytes.get(at) == Some(&b',') {
                at = skip_space(bytes, at + 1);
            }
        }
        (at + 1).min(bytes.len())
    }

    fn value(&self, at: usize, node: usize, is_outermost: bool, slots: &mut Slots) -> usize {
        if slots.visit(node) && !self.paths.nodes[node].is_repeated {
            self.paths.forget(node, slots);
        }
        self.contents(at, node, is_outermost, slots)
    }

    fn contents(&self, at: usize, node: usize, is_outermost: bool, slots: &mut Slots) -> usize {
        let bytes = self.bytes;
        let Node { children, array, slot, .. } = &self.paths.nodes[node];
        match bytes.get(at) {
            Some(b'{') if !children.is_empty() => self.object(at, node, false, slots),
            Some(b'{') => self.value_end(at),
            Some(b'[') => {
                let is_plain =
                    is_outermost && self.arrays == Arrays::PlainRows && is_scalar_array(bytes, at);
                let items = if is_plain { Some(node) } else { *array };
                match items {
                    Some(items) => self.items(at, items, slots),
                    None => self.value_end(at),
                }
            }
            _ => {
                let (span, end) = self.scalar(at);
                if let Some(slot) = slot {
                    slots.values[*slot].push(span);
                }
                end
            }
        }
    }

    /// Walks the array that begins at `at`; returns the offset after it.
    fn items(&self, at: usize, node: usize, slots: &mut Slots) -> usize {
        let bytes = self.bytes;
        let mut at = skip_space(bytes, at + 1);
        while at < bytes.len() && bytes[at] != b']' {
            // An outermost array of scalars has its values at the node of the array itself.
            slots.visit(node);
            at = skip_space(bytes, self.contents(at, node, false, slots).max(at + 1));
            if bytes.get(at) == Some(&b',') {
                at = skip_space(bytes, at + 1);
            }
        }
        (at + 1).min(bytes.len())
    }
}

/// Returns the span of the scalar that begins at `at`, and the offset after it.
///
/// For a string, `string` holds the offset of its closing quote and whether it has escapes.
fn scalar(bytes: &[u8], at: usize, string: Option<(usize, bool)>) -> (Span, usize) {
    let (start, end, has_escapes, after) = match string {
        Some((end, has_escapes)) => (at + 1, end, has_escapes, end + 1),
        None => {
            let end = word_end(bytes, at);
            (at, end, false, end)
        }
    };
    // A record is far smaller than 4 GiB.
    let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    (Span { start: narrow(start), end: narrow(end), has_escapes }, after.min(bytes.len()))
}

fn is_scalar_array(bytes: &[u8], at: usize) -> bool {
    let mut at = skip_space(bytes, at + 1);
    loop {
        match bytes.get(at) {
            None | Some(b']') => return true,
            Some(b'{' | b'[') => return false,
            Some(b',') => at = skip_space(bytes, at + 1),
            Some(_) => at = skip_space(bytes, value_end(bytes, at).max(at + 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = r#" {"a":"x","b":{"c":[{"d":1.0},{"d":null},{"e":{}}],"f":[[true],["\u00e9"]]},
        "g.h":"dotted","g":{"h":"nested"},"tags":["p","q"],"none":[],"empty":"","i{}":3} "#;

    fn picked(name: &str, arrays: Arrays) -> String {
        let mut paths = Paths::new();
        let slot = paths.add(name);
        let mut slots = Slots::default();
        paths.pick(RECORD, arrays, None, &mut slots);
        let values: Vec<_> = slots.get(slot).iter().map(|span| span.text(RECORD)).collect();
        values.join("|")
    }

    #[test]
    fn picking() {
        for (name, values) in [
            ("a", "x"),
            ("b.c{}.d", "1.0|null"),
            ("b.c", ""),
            ("b.f{}{}", "true|é"),
            ("g.h", "nested"),
            ("tags{}", "p|q"),
            ("tags", ""),
            ("i{}", "3"),
            ("b", ""),
        ] {
            assert_eq!(picked(name, Arrays::Braced), values, "{name}");
        }
        assert_eq!(picked("tags", Arrays::PlainRows), "p|q");
        assert_eq!(picked("tags{}", Arrays::PlainRows), "");
        assert_eq!(picked("b.f{}{}", Arrays::PlainRows), "true|é");
    }

    #[test]
    fn the_last_of_repeated_keys_counts() {
        for (record, name, values) in [
            (r#"{"a":1,"a":2}"#, "a", "2"),
            (r#"{"a":1,"a":null}"#, "a", "null"),
            (r#"{"a":1,"a":{}}"#, "a", ""),
            (r#"{"a":{"b":1},"a":{"c":2}}"#, "a.b", ""),
            (r#"{"a":{"b":1,"b":2}}"#, "a.b", "2"),
            (r#"{"a":[1,2],"a":[3]}"#, "a{}", "3"),
            (r#"{"a":1,"\u0061":2}"#, "a", "2"),
            (r#"{"a":[{"b":1},{"b":2,"b":3}]}"#, "a{}.b", "1|2|3"),
        ] {
            let mut paths = Paths::new();
            let slot = paths.add(name);
            let mut slots = Slots::default();
            paths.pick(record, Arrays::Braced, None, &mut slots);
            let found: Vec<_> = slots.get(slot).iter().map(|span| span.text(record)).collect();
            assert_eq!(found.join("|"), values, "{name} of {record}");
        }
    }

    #[test]
    fn keys_of_several_steps() {
        for (key, has) in [
            ("", false),
            ("a", false),
            (".", true),
            ("userIdentity", false),
            ("userId.ntity", true),
            ("12345678{}", true),
            ("12345678", false),
            ("12345678.", true),
            ("12345678..345678", true),
            ("12345678901234567.", true),
            ("\u{7f}-/z|\u{fffd}\u{fffd}", false),
        ] {
            assert_eq!(has_steps(key.as_bytes()), has, "{key}");
        }
    }

    #[test]
    fn flattening() {
        let all = |arrays| {
            let mut all = Vec::new();
            flatten(RECORD, arrays, &mut |name, span| {
                all.push(format!("{name}={}", span.text(RECORD)));
            });
            all.join(" ")
        };
        assert_eq!(
            all(Arrays::Braced),
            "a=x b.c{}.d=1.0 b.c{}.d=null b.f{}{}=true b.f{}{}=é g.h=dotted g.h=nested tags{}=p \
             tags{}=q empty= i{}=3"
        );
        assert!(all(Arrays::PlainRows).contains(" tags=p tags=q "));
    }
}
