//! Picks values by jumping from quote to quote.
//!
//! This works for a record without escapes and white space, as CloudTrail writes it.

use std::ops::Range;

use super::{Outer, Paths, Slots, Span, has_steps};
use crate::delivered::{Marks, Quotes};
use crate::json::word_end;

/// Picks the values of all paths out of a record.
///
/// Returns `None` if the record is written differently or has a key that spans several steps; the
/// contents of `slots` are then unusable.
pub(super) fn walk(paths: &Paths, outer: Outer<'_>, slots: &mut Slots) -> Option<()> {
    let Outer { pieces, start, text, marks, .. } = outer;
    let mut walk = Walk { paths, text, marks, start, quotes: marks.quotes(start as usize), slots };
    for (number, piece) in pieces.iter().enumerate() {
        let Range { start, end } = piece.start as usize..piece.end as usize;
        let is_last = number + 1 == pieces.len();
        if number > 0 {
            if is_last && start == end {
                break;
            }
            if text[start] != b',' {
                return None;
            }
            walk.quotes.seek(start);
        }
        let mut at = start + 1;
        // A piece ends at a nested value or at the brace after the last member.
        while at < end {
            let (child, value) = walk.key(0, at)?;
            if value >= end {
                if let Some(child) = child {
                    walk.value(child, value)?;
                }
                break;
            }
            at = walk.value_of(child, value)?;
            if at < end {
                at = walk.comma(at)?;
            }
        }
    }
    Some(())
}

struct Walk<'a> {
    paths: &'a Paths,
    text: &'a [u8],
    marks: &'a Marks,
    /// The offset of the record.
    start: u32,
    quotes: Quotes<'a>,
    slots: &'a mut Slots,
}

impl Walk<'_> {
    /// Reads the key whose opening quote is at `at`; returns the child node it leads to, if any,
    /// and the offset of its value.
    #[inline]
    fn key(&mut self, node: usize, at: usize) -> Option<(Option<usize>, usize)> {
        if self.quotes.next()? != at {
            return None;
        }
        let end = self.quotes.next()?;
        if self.text.get(end + 1) != Some(&b':') {
            return None;
        }
        let key = &self.text[at + 1..end];
        let child = self.paths.child(node, key);
        if child.is_none() && has_steps(key) {
            return None;
        }
        Some((child, end + 2))
    }

    /// Returns the offset after the comma at `at`, or `None` if another byte is there.
    #[inline]
    fn comma(&self, at: usize) -> Option<usize> {
        (self.text.get(at) == Some(&b',')).then_some(at + 1)
    }

    /// Reads the value at `at` if it has a node, otherwise skips it; returns its end.
    #[inline]
    fn value_of(&mut self, node: Option<usize>, at: usize) -> Option<usize> {
        match node {
            Some(node) => self.value(node, at),
            None => self.pass(at),
        }
    }

    /// Skips the value at `at`; returns its end.
    #[inline]
    fn pass(&mut self, at: usize) -> Option<usize> {
        match self.text.get(at)? {
            b'"' => {
                self.quotes.next()?;
                Some(self.quotes.next()? + 1)
            }
            b'{' | b'[' => {
                let end = self.marks.nested_end(self.text, at + 1)?;
                self.quotes.seek(end);
                Some(end)
            }
            b' ' | b'\n' | b'\r' | b'\t' => None,
            _ => Some(word_end(self.text, at)),
        }
    }

    /// Reads the value at `at` for a node; returns its end.
    fn value(&mut self, node: usize, at: usize) -> Option<usize> {
        let found = &self.paths.nodes[node];
        if self.slots.visit(node) && !found.is_repeated {
            return None;
        }
        match (self.text.get(at)?, found.array) {
            (b'{', _) if !found.children.is_empty() => self.object(node, at),
            (b'[', Some(items)) => self.items(items, at),
            (b'{' | b'[', _) => self.pass(at),
            (byte, _) => {
                let quote = usize::from(*byte == b'"');
                let end = self.pass(at)?;
                if let Some(slot) = found.slot {
                    let place = |at: usize| at as u32 - self.start;
                    let (start, end) = (place(at + quote), place(end - quote));
                    self.slots.values[slot].push(Span { start, end, has_escapes: false });
                }
                Some(end)
            }
        }
    }

    /// Walks the object whose opening brace is at `at`; returns its end.
    fn object(&mut self, node: usize, at: usize) -> Option<usize> {
        let mut at = at + 1;
        if self.text.get(at) == Some(&b'}') {
            return Some(at + 1);
        }
        loop {
            let (child, value) = self.key(node, at)?;
            at = self.value_of(child, value)?;
            if self.text.get(at) == Some(&b'}') {
                return Some(at + 1);
            }
            at = self.comma(at)?;
        }
    }

    /// Walks the array whose opening bracket is at `at`; returns its end.
    fn items(&mut self, node: usize, at: usize) -> Option<usize> {
        let mut at = at + 1;
        if self.text.get(at) == Some(&b']') {
            return Some(at + 1);
        }
        loop {
            at = self.value(node, at)?;
            if self.text.get(at) == Some(&b']') {
                return Some(at + 1);
            }
            at = self.comma(at)?;
        }
    }
}
