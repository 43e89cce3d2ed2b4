//! Field names as paths into JSON, and the walk that picks their values out of a record.
//!
//! Names follow Splunk's JSON extraction: keys joined by a point, `{}` after the name of an array.
//! A key that has a point in it gives the same name as two nested keys.

use std::borrow::Cow;
use std::ops::Range;

use crate::json::{for_each_member, skip_space, string_end, unescape, value_end, word_end};

/// Where a value lies in its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    end: u32,
    has_escapes: bool,
}

impl Span {
    /// Returns the value as it is written, quotes included.
    pub(crate) fn written(self, record: &str) -> &str {
        let (start, end) = (self.start as usize, self.end as usize);
        let quoted = record.get(start.wrapping_sub(1)..end + 1);
        let quoted = quoted.filter(|text| text.starts_with('"') && text.ends_with('"'));
        quoted.or_else(|| record.get(start..end)).unwrap_or_default()
    }

    /// Returns the value's text: of a string its contents, of anything else its own spelling.
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

/// The values of each wanted path in one record, in the order of the text.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    values: Vec<Vec<Span>>,
    /// The nodes whose object was walked.
    opened: Vec<bool>,
    is_odd: bool,
}

impl Slots {
    /// Returns the values of a slot.
    pub(crate) fn get(&self, slot: usize) -> &[Span] {
        self.values.get(slot).map_or(&[], Vec::as_slice)
    }

    /// Returns true if a slot's only value may not be all that is at its path: a key is repeated, has a
    /// point or an escape in it, or there is an object or an array, too.
    pub(crate) fn is_odd(&self) -> bool {
        self.is_odd
    }

    fn reset(&mut self, paths: &Paths) {
        self.values.resize_with(paths.names.len(), Vec::new);
        self.values.iter_mut().for_each(Vec::clear);
        self.opened.clear();
        self.opened.resize(paths.nodes.len(), false);
        self.is_odd = false;
    }

    fn open(&mut self, node: usize) {
        self.is_odd |= std::mem::replace(&mut self.opened[node], true);
    }
}

#[derive(Debug, Default)]
struct Node {
    children: Vec<(Box<[u8]>, usize)>,
    /// A bit for each length that a child's key has; all of 63 and more have one.
    lengths: u64,
    array: Option<usize>,
    slot: Option<usize>,
}

/// The wanted paths as a tree of keys.
#[derive(Debug)]
pub(crate) struct Paths {
    nodes: Vec<Node>,
    names: Vec<String>,
    /// The keys that objects at each node had, in their order.
    orders: Vec<KeyOrder>,
}

/// The keys of the last objects at a node. Those of the next one come in the same order, most of them,
/// and then need not be looked for.
#[derive(Debug, Default)]
struct KeyOrder {
    keys: Vec<KnownKey>,
}

#[derive(Debug)]
struct KnownKey {
    /// The key and the quote that ends it.
    text: Box<[u8]>,
    child: Option<usize>,
}

impl KeyOrder {
    /// Keys that are remembered of a node.
    const MAX: usize = 64;
    /// Keys that may be left out at a time.
    const AHEAD: usize = 8;

    /// Returns the place of the key that `text` begins with, if it is one of the next.
    fn find(&self, next: usize, text: &[u8]) -> Option<usize> {
        let ahead = self.keys.iter().enumerate().skip(next).take(Self::AHEAD);
        let mut is_it = ahead.filter(|(_, known)| text.starts_with(&known.text));
        is_it.next().map(|(place, _)| place)
    }

    /// Remembers a key, which came before what was expected next.
    fn learn(&mut self, next: usize, text: &[u8], child: Option<usize>) {
        let known = KnownKey { text: text.into(), child };
        if self.keys.len() < Self::MAX {
            self.keys.insert(next.min(self.keys.len()), known);
        } else if let Some(other) = self.keys.get_mut(next) {
            *other = known;
        }
    }
}

/// Returns the bit of a key's length.
fn length_bit(key: &[u8]) -> u64 {
    1 << key.len().min(63)
}

/// One step of a path.
enum Part<'a> {
    Key(&'a [u8]),
    Array,
}

/// Splits a name, or a key with points in it, into steps.
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
        Self { nodes: vec![Node::default()], names: Vec::new(), orders: Vec::new() }
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
                self.nodes.push(Node::default());
                match part {
                    Part::Key(key) => {
                        self.nodes[node].children.push((key.into(), new));
                        self.nodes[node].lengths |= length_bit(key);
                    }
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
        let Node { children, lengths, .. } = &self.nodes[node];
        if lengths & length_bit(key) == 0 {
            return None;
        }
        children.iter().find(|(name, _)| **name == *key).map(|(_, child)| *child)
    }

    /// Follows a key with escapes, points or brackets in it, which may stand for several steps.
    fn step(
        &self,
        node: usize,
        key: &[u8],
        has_escapes: bool,
        slots: &mut Slots,
    ) -> Option<usize> {
        slots.is_odd = true;
        let text = std::str::from_utf8(key).ok()?;
        self.steps(node, if has_escapes { unescape(text) } else { text.into() }.as_bytes())
    }

    fn steps(&self, node: usize, key: &[u8]) -> Option<usize> {
        parts(key).try_fold(node, |node, part| match part {
            Part::Key(key) => self.child(node, key),
            Part::Array => self.nodes[node].array,
        })
    }

    /// Picks the values of all paths out of a record. Where it is known what lies in the outermost
    /// object, nested values that nobody wants are passed over without being looked at.
    pub(crate) fn pick(
        &mut self,
        record: &str,
        arrays: Arrays,
        outer: Option<Outer<'_>>,
        slots: &mut Slots,
    ) {
        slots.reset(self);
        if self.is_empty() {
            return;
        }
        let mut orders = std::mem::take(&mut self.orders);
        orders.resize_with(self.nodes.len(), KeyOrder::default);
        let mut walk = Walk { paths: self, orders: &mut orders, bytes: record.as_bytes(), arrays };
        match outer {
            Some(outer) => walk.pieces(outer, slots),
            None => {
                walk.object(skip_space(walk.bytes, 0), 0, true, slots);
            }
        }
        self.orders = orders;
    }
}

/// The pieces of a record's outermost object that are not in nested values: from its brace or the end
/// of a nested value to the beginning of the next one or its last brace.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outer<'a> {
    pub(crate) pieces: &'a [Range<u32>],
    /// The record's own place in the text that the pieces' places are in.
    pub(crate) start: u32,
}

struct Walk<'a> {
    paths: &'a Paths,
    orders: &'a mut [KeyOrder],
    bytes: &'a [u8],
    arrays: Arrays,
}

impl Walk<'_> {
    /// Reads the key whose quote is at `at`: returns the child of the node that it leads to, and the end
    /// of the key with its quote. `next` is the place of the key that is expected.
    fn key(
        &mut self,
        at: usize,
        node: usize,
        next: &mut usize,
        slots: &mut Slots,
    ) -> (Option<usize>, usize) {
        let text = &self.bytes[at + 1..];
        if let Some(place) = self.orders[node].find(*next, text) {
            *next = place + 1;
            let KnownKey { text, child } = &self.orders[node].keys[place];
            return (*child, at + 1 + text.len());
        }
        let (end, has_escapes) = string_end(text, 0);
        let after = at + (end + 2).min(text.len() + 1);
        let key = &text[..end];
        if has_escapes || key.contains(&b'.') || key.contains(&b'{') {
            return (self.paths.step(node, key, has_escapes, slots), after);
        }
        let child = self.paths.child(node, key);
        if end < text.len() {
            self.orders[node].learn(*next, &text[..=end], child);
            *next += 1;
        }
        (child, after)
    }

    /// Walks the members in the pieces of the outermost object.
    fn pieces(&mut self, outer: Outer<'_>, slots: &mut Slots) {
        let bytes = self.bytes;
        let mut next = 0;
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
                let (child, key_end) = self.key(at, 0, &mut next, slots);
                let colon = skip_space(bytes, key_end);
                let value = skip_space(bytes, colon + 1);
                if value >= end {
                    if let Some(child) = child {
                        self.value(value, child, true, slots);
                    }
                    break;
                }
                at = match child {
                    Some(child) => self.value(value, child, true, slots),
                    None => value_end(bytes, value).max(value + 1),
                };
            }
        }
    }

    /// Walks the object that begins at `at`; returns its end.
    fn object(&mut self, at: usize, node: usize, is_outermost: bool, slots: &mut Slots) -> usize {
        let bytes = self.bytes;
        let mut next = 0;
        let mut at = skip_space(bytes, at + 1);
        while bytes.get(at) == Some(&b'"') {
            let (child, key_end) = self.key(at, node, &mut next, slots);
            let colon = skip_space(bytes, key_end);
            let value = skip_space(bytes, colon + 1);
            at = match child {
                Some(child) => self.value(value, child, is_outermost, slots),
                None => value_end(bytes, value),
            };
            at = skip_space(bytes, at);
            if bytes.get(at) == Some(&b',') {
                at = skip_space(bytes, at + 1);
            }
        }
        (at + 1).min(bytes.len())
    }

    fn value(
        &mut self,
        at: usize,
        node: usize,
        is_outermost: bool,
        slots: &mut Slots,
    ) -> usize {
        let bytes = self.bytes;
        let Node { children, array, slot, .. } = &self.paths.nodes[node];
        if matches!(bytes.get(at), Some(b'{' | b'[')) {
            slots.is_odd |= slot.is_some();
        }
        match bytes.get(at) {
            Some(b'{') if !children.is_empty() => {
                slots.open(node);
                self.object(at, node, false, slots)
            }
            Some(b'{') => value_end(bytes, at),
            Some(b'[') => {
                let is_plain =
                    is_outermost && self.arrays == Arrays::PlainRows && is_scalar_array(bytes, at);
                let items = if is_plain { Some(node) } else { *array };
                match items {
                    Some(items) => self.items(at, items, slots),
                    None => value_end(bytes, at),
                }
            }
            _ => {
                let (span, end) = scalar(bytes, at);
                if let Some(slot) = slot {
                    slots.values[*slot].push(span);
                }
                end
            }
        }
    }

    /// Walks the array that begins at `at`; returns its end.
    fn items(&mut self, at: usize, node: usize, slots: &mut Slots) -> usize {
        let bytes = self.bytes;
        let mut at = skip_space(bytes, at + 1);
        while at < bytes.len() && bytes[at] != b']' {
            at = skip_space(bytes, self.value(at, node, false, slots).max(at + 1));
            if bytes.get(at) == Some(&b',') {
                at = skip_space(bytes, at + 1);
            }
        }
        (at + 1).min(bytes.len())
    }
}

/// Returns the span and the end of the scalar that begins at `at`.
fn scalar(bytes: &[u8], at: usize) -> (Span, usize) {
    let (start, end, has_escapes, after) = if bytes.get(at) == Some(&b'"') {
        let (end, has_escapes) = string_end(bytes, at + 1);
        (at + 1, end, has_escapes, end + 1)
    } else {
        let end = word_end(bytes, at);
        (at, end, false, end)
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

/// Names longer than this are left out when all fields are wanted.
pub(crate) const MAX_NAME: usize = 4096;

/// Calls `visit` with the name and the place of every value in a record, in the order of the text.
///
/// Empty objects and arrays give no field; `null` is the text `null`.
pub(crate) fn flatten(record: &str, arrays: Arrays, visit: &mut dyn FnMut(&str, Span)) {
    let mut name = String::new();
    let start = skip_space(record.as_bytes(), 0);
    flatten_object(record, start, Some(arrays), &mut name, visit);
}

/// `outermost` is how arrays are named, in the outermost object only.
fn flatten_object(
    record: &str,
    start: usize,
    outermost: Option<Arrays>,
    name: &mut String,
    visit: &mut dyn FnMut(&str, Span),
) -> usize {
    let mut last = start + 1;
    let outer = name.len();
    for_each_member(&record.as_bytes()[start..], |key, value| {
        if outermost.is_none() {
            name.push('.');
        }
        let key = record.get(start + key.start..start + key.end).unwrap_or_default();
        name.push_str(&unescape(key));
        let arrays = outermost.unwrap_or(Arrays::Braced);
        last = flatten_value(record, start + value, arrays, name, visit);
        name.truncate(outer);
        Some(last - start)
    });
    (skip_space(record.as_bytes(), last) + 1).min(record.len())
}

fn flatten_value(
    record: &str,
    at: usize,
    arrays: Arrays,
    name: &mut String,
    visit: &mut dyn FnMut(&str, Span),
) -> usize {
    let bytes = record.as_bytes();
    if name.len() > MAX_NAME {
        return value_end(bytes, at);
    }
    match bytes.get(at) {
        Some(b'{') => flatten_object(record, at, None, name, visit),
        Some(b'[') => {
            let outer = name.len();
            if arrays == Arrays::Braced || !is_scalar_array(bytes, at) {
                name.push_str("{}");
            }
            let mut at = skip_space(bytes, at + 1);
            while at < bytes.len() && bytes[at] != b']' {
                let end = flatten_value(record, at, Arrays::Braced, name, visit);
                at = skip_space(bytes, end.max(at + 1));
                if bytes.get(at) == Some(&b',') {
                    at = skip_space(bytes, at + 1);
                }
            }
            name.truncate(outer);
            (at + 1).min(bytes.len())
        }
        _ => {
            let (span, end) = scalar(bytes, at);
            visit(name, span);
            end
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
            ("g.h", "dotted|nested"),
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
