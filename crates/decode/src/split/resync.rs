//! Finds the next record after damage.

use memchr::memmem;

/// The maximum white space between a record's brace and its first key.
const MAX_INDENT: usize = 64;
/// The bytes searched again after each read, enough for a brace, white space and a key.
const OVERLAP: usize = 256;

/// The first keys of the records read so far, which later records of the file probably share.
#[derive(Debug, Default)]
pub(crate) struct FirstKeys {
    /// The keys, each including its quotes.
    needles: Vec<Vec<u8>>,
}

impl FirstKeys {
    const MOST: usize = 4;
    const LONGEST: usize = 64;

    pub(crate) fn remember(&mut self, key: &[u8]) {
        let known = |needle: &Vec<u8>| needle[1..needle.len() - 1] == *key;
        if key.is_empty()
            || key.len() > Self::LONGEST
            || self.needles.len() >= Self::MOST
            || self.needles.iter().any(known)
        {
            return;
        }
        self.needles.push([b"\"", key, b"\""].concat());
    }
}

/// A search that can continue after more input has been read.
#[derive(Debug, Default)]
pub(crate) struct Resync {
    searched: usize,
}

impl Resync {
    /// Returns the offset in `rest` of the next record or line of records.
    ///
    /// A record starts at a brace at the beginning of a line, or at one followed by the first key
    /// of a known record. The search proceeds in pieces, so that its cost is proportional to the
    /// distance.
    pub(crate) fn search(
        &mut self,
        rest: &[u8],
        first_keys: &FirstKeys,
        is_last: bool,
    ) -> Option<usize> {
        let mut piece = 4096;
        let limit = if is_last { rest.len() } else { rest.len().saturating_sub(OVERLAP) };
        while self.searched < limit {
            let end = limit.min(self.searched + piece);
            let text = &rest[self.searched..rest.len().min(end + OVERLAP)];
            let keys = first_keys.needles.iter().map(Vec::as_slice);
            let known = [&b"\"eventVersion\""[..], b"\"Records\""].into_iter().chain(keys);
            let by_key = known.filter_map(|key| first_opening(text, key)).min();
            let by_line = memmem::find(text, b"\n{").map(|at| at + 1);
            let first = by_key.into_iter().chain(by_line).min();
            // A record that begins in the overlap is found again with the next piece. One exactly
            // at the start of the overlap is returned now, because the line end before it is not
            // part of the next piece.
            if let Some(at) = first.filter(|at| self.searched + at <= end) {
                return Some(self.searched + at);
            }
            self.searched = end;
            piece *= 2;
        }
        None
    }

    /// Returns how many of `length` bytes need no further search.
    pub(crate) fn forget(&mut self, length: usize) -> usize {
        let done = self.searched.min(length);
        self.searched -= done;
        done
    }
}

/// Returns true if a text that does not begin like JSON contains CloudTrail records further on.
pub(crate) fn shows_records(text: &[u8]) -> bool {
    let marks: [(&[u8], &[u8]); 2] = [(b"\"eventVersion\"", b"\""), (b"\"Records\"", b"{]")];
    marks.iter().any(|(key, values)| {
        openings(text, key).any(|(_, after)| begins_value(&text[after..], values))
    })
}

/// Returns true if a colon and one of these bytes follow a key, or the text ends before. A text about
/// records may say `{"Records": [...]}`.
fn begins_value(after: &[u8], values: &[u8]) -> bool {
    let mut rest =
        after.iter().filter(|byte| !byte.is_ascii_whitespace() && !matches!(byte, b':' | b'['));
    rest.next().is_none_or(|byte| values.contains(byte))
}

/// Returns the offset of the first brace that is followed by white space and `key`.
fn first_opening(text: &[u8], key: &[u8]) -> Option<usize> {
    openings(text, key).next().map(|(brace, _)| brace)
}

/// Returns the offsets of the braces that are followed by white space and `key`, each with the end of
/// the key.
fn openings<'a>(text: &'a [u8], key: &'a [u8]) -> impl Iterator<Item = (usize, usize)> + 'a {
    memmem::find_iter(text, key).filter_map(move |at| {
        let before = &text[at.saturating_sub(MAX_INDENT)..at];
        let indent = before.iter().rev().take_while(|b| b.is_ascii_whitespace()).count();
        let brace = at.checked_sub(indent + 1)?;
        (text[brace] == b'{').then_some((brace, at + key.len()))
    })
}
