//! Cuts a whole text into its records by brackets alone, without parsing nested values.
//!
//! Accepts only what CloudTrail itself writes: `{"Records":[…]}`, an array of records, or
//! consecutive records; in a text that is read in parts, as many records as one part holds. Any
//! other text, especially damaged text, goes to the [splitter](crate::Splitter), which reports what
//! is wrong and at which offset.

use std::ops::Range;

use super::blocks::{BLOCK, Carry};
use super::head::{Head, head};
use super::marks::Marks;
use crate::json::skip_space;
use crate::record::MAX_DEPTH;
use crate::record::{Format, MAX_RECORD, RawRecord};

/// The records of a text, as byte ranges.
#[derive(Debug, Default)]
pub(crate) struct Records {
    records: Vec<Record>,
    /// The pieces of all records: the ranges between the outermost braces that lie outside nested
    /// values.
    pieces: Vec<Piece>,
    marks: Marks,
}

/// Runs from a brace or the end of a nested value to the start of the next nested value or the last
/// brace.
pub(crate) type Piece = Range<u32>;

#[derive(Debug)]
struct Record {
    text: Range<u32>,
    pieces: Range<u32>,
    is_plain: bool,
    head: Head,
}

/// One record, with its pieces and head.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WholeRecord<'a> {
    /// The record's own text.
    pub(crate) text: &'a str,
    /// The record's offset in the whole text.
    pub(crate) start: u32,
    /// The record's pieces, as offsets in the whole text.
    pub(crate) pieces: &'a [Piece],
    /// True if the record contains no escapes.
    pub(crate) is_plain: bool,
    /// The record's first members, as offsets in the whole text.
    pub(crate) head: &'a Head,
    /// The marks of the whole text.
    pub(crate) marks: &'a Marks,
}

impl<'a> WholeRecord<'a> {
    /// Returns the record in the splitter's form; `base` is the offset of the text in the stream.
    pub(crate) fn raw(&self, base: u64) -> RawRecord<'a> {
        let offset = base + u64::from(self.start);
        RawRecord { text: self.text, offset, format: Format::CloudTrail }
    }
}

/// The brackets that surround the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frame {
    /// `{"Records":[…]}`
    Envelope,
    /// `[…]`
    Array,
    /// No brackets: consecutive records.
    Row,
    /// Brackets that the splitter has already read: this text is one part of a larger one.
    Passed,
}

impl Frame {
    fn of(text: &[u8]) -> Option<Self> {
        let at = skip_space(text, 0);
        match text.get(at)? {
            b'[' => Some(Self::Array),
            b'{' => {
                let key = skip_space(text, at + 1);
                let Some(rest) = text[key.min(text.len())..].strip_prefix(b"\"Records\"") else {
                    return Some(Self::Row);
                };
                let colon = skip_space(rest, 0);
                let value = skip_space(rest, colon + 1);
                let is_array = rest.get(colon) == Some(&b':') && rest.get(value) == Some(&b'[');
                is_array.then_some(Self::Envelope)
            }
            _ => None,
        }
    }

    /// Returns the number of open brackets around a record.
    fn depth(self) -> usize {
        match self {
            Self::Envelope => 2,
            Self::Array => 1,
            Self::Row | Self::Passed => 0,
        }
    }
}

impl Records {
    /// Reads a text; returns false, with unusable contents, if the text has another form.
    pub(crate) fn read(&mut self, text: &[u8]) -> bool {
        let Some(frame) = Frame::of(text) else { return false };
        self.clear(text);
        let mut cutter = Cutter::new(text, frame, self);
        let Some(high) = cutter.cut() else { return false };
        let is_whole = cutter.is_at_end();
        is_whole && (high == 0 || simdutf8::basic::from_utf8(text).is_ok())
    }

    /// Reads the records at the start of a part of a text, with commas and white space before and
    /// between them.
    ///
    /// Returns the end of the last record, and whether something other than more records follows
    /// it. The caller checks that the records are UTF-8.
    pub(crate) fn read_part(&mut self, text: &[u8]) -> (usize, bool) {
        self.clear(text);
        let mut cutter = Cutter::new(text, Frame::Passed, self);
        let is_stuck = cutter.cut().is_none();
        (cutter.last_end, is_stuck)
    }

    /// Reads a text that is a single record from its first byte to its last; returns false, with
    /// unusable contents, if it is anything else.
    pub(crate) fn read_one(&mut self, text: &str) -> bool {
        self.clear(text.as_bytes());
        let mut cutter = Cutter::new(text.as_bytes(), Frame::Row, self);
        let is_whole = cutter.cut().is_some() && cutter.is_at_end();
        let all = 0..u32::try_from(text.len()).unwrap_or(0);
        is_whole && matches!(&self.records[..], [record] if record.text == all)
    }

    /// Drops the records that end after `end`; returns the end of the last record kept.
    pub(crate) fn keep_before(&mut self, end: usize) -> usize {
        self.records.retain(|record| record.text.end as usize <= end);
        self.records.last().map_or(0, |record| record.text.end as usize)
    }

    fn clear(&mut self, text: &[u8]) {
        self.records.clear();
        self.pieces.clear();
        self.marks.clear(text.len());
    }

    /// Returns the records in order; `text` is the text that was read.
    pub(crate) fn iter<'a>(&'a self, text: &'a str) -> impl Iterator<Item = WholeRecord<'a>> {
        self.records.iter().filter_map(|record| {
            Some(WholeRecord {
                text: text.get(wide(&record.text))?,
                start: record.text.start,
                pieces: &self.pieces[wide(&record.pieces)],
                is_plain: record.is_plain,
                head: &record.head,
                marks: &self.marks,
            })
        })
    }
}

pub(crate) fn wide(range: &Range<u32>) -> Range<usize> {
    range.start as usize..range.end as usize
}

fn narrow(range: Range<usize>) -> Range<u32> {
    // A whole text is far smaller than 4 GiB.
    range.start as u32..range.end as u32
}

/// Cuts records by tracking the depth of brackets.
struct Cutter<'a> {
    text: &'a [u8],
    records: &'a mut Records,
    frame: Frame,
    /// The number of brackets around a record.
    around: usize,
    depth: usize,
    /// The offset of the current record.
    start: usize,
    /// The offset of the current piece.
    piece: usize,
    first_piece: usize,
    /// The bracket that opened the nested value.
    nested: u8,
    /// The end of the last record or of the last bracket around the records.
    last_end: usize,
    /// True once a bracket around the records has closed.
    is_closed: bool,
    carry: Carry,
    /// The end of the last block that contains a backslash.
    escapes_end: usize,
}

impl<'a> Cutter<'a> {
    fn new(text: &'a [u8], frame: Frame, records: &'a mut Records) -> Self {
        Self {
            text,
            records,
            frame,
            around: frame.depth(),
            depth: 0,
            start: 0,
            piece: 0,
            first_piece: 0,
            nested: 0,
            last_end: 0,
            is_closed: false,
            carry: Carry::default(),
            escapes_end: 0,
        }
    }

    /// Cuts the text; returns nonzero if it contains bytes that are not ASCII, or `None` if it has
    /// another form.
    fn cut(&mut self) -> Option<u64> {
        let mut high = 0;
        let (blocks, rest) = self.text.as_chunks::<BLOCK>();
        for (number, block) in blocks.iter().enumerate() {
            high |= self.read(number * BLOCK, block)?;
        }
        let mut last = [b' '; BLOCK];
        last[..rest.len()].copy_from_slice(rest);
        Some(high | self.read(blocks.len() * BLOCK, &last)?)
    }

    #[inline]
    fn read(&mut self, offset: usize, block: &[u8; BLOCK]) -> Option<u64> {
        let bits = self.carry.read(block);
        if bits.control != 0 {
            return None;
        }
        let (brackets, high) = (bits.brackets, bits.high);
        if bits.backslashes != 0 {
            self.escapes_end = offset + BLOCK;
        }
        self.records.marks.push(bits);
        self.block(offset, brackets)?;
        Some(high)
    }

    #[inline]
    fn block(&mut self, offset: usize, mut brackets: u64) -> Option<()> {
        while brackets != 0 {
            let at = offset + brackets.trailing_zeros() as usize;
            brackets &= brackets - 1;
            let byte = self.text[at];
            if matches!(byte, b'{' | b'[') { self.open(at, byte) } else { self.close(at, byte) }?;
        }
        Some(())
    }

    #[inline]
    fn open(&mut self, at: usize, byte: u8) -> Option<()> {
        if self.depth == self.around + 1 {
            self.records.pieces.push(narrow(self.piece..at));
            self.nested = byte;
        } else if self.depth == self.around {
            if byte != b'{' || !self.may_begin(at) {
                return None;
            }
            self.start = at;
            self.piece = at;
            self.first_piece = self.records.pieces.len();
        } else if self.depth < self.around {
            // The brackets around the records open only once; [`Frame::of`] has checked the text
            // before them.
            if self.is_closed {
                return None;
            }
            self.last_end = at + 1;
        }
        self.depth += 1;
        (self.depth <= MAX_DEPTH).then_some(())
    }

    #[inline]
    fn close(&mut self, at: usize, byte: u8) -> Option<()> {
        self.depth = self.depth.checked_sub(1)?;
        if self.depth == self.around + 1 {
            // The codes of `{` and `}`, and of `[` and `]`, differ by two.
            if byte != self.nested + 2 {
                return None;
            }
            self.piece = at + 1;
        } else if self.depth == self.around {
            if byte != b'}' || at + 1 - self.start > MAX_RECORD {
                return None;
            }
            let Records { records, pieces, marks } = &mut *self.records;
            pieces.push(narrow(self.piece..at));
            let is_plain = self.escapes_end <= self.start;
            let head = head(self.text, marks, &pieces[self.first_piece..], is_plain)?;
            let pieces = narrow(self.first_piece..pieces.len());
            records.push(Record { text: narrow(self.start..at + 1), pieces, is_plain, head });
            self.last_end = at + 1;
        } else if self.depth < self.around {
            let expected = if self.depth == 0 && self.around == 2 { b'}' } else { b']' };
            if byte != expected || !self.is_between(at, 0) {
                return None;
            }
            self.last_end = at + 1;
            self.is_closed = true;
        }
        Some(())
    }

    /// Returns true if a record may start at the brace at `at`.
    fn may_begin(&self, at: usize) -> bool {
        let is_first = self.records.records.is_empty();
        match self.frame {
            Frame::Row => self.is_between(at, 0),
            Frame::Envelope | Frame::Array => self.is_between(at, usize::from(!is_first)),
            // Only the end of an envelope would show that it is not a record, so the splitter reads
            // it.
            Frame::Passed => {
                let key = skip_space(self.text, at + 1);
                let is_envelope = self.text[key..].starts_with(b"\"Records\"");
                !is_envelope && self.text[self.last_end..at].iter().copied().all(is_passed)
            }
        }
    }

    /// Returns true if only white space and exactly this many commas follow the last end.
    fn is_between(&self, at: usize, commas: usize) -> bool {
        let between = &self.text[self.last_end..at];
        if between.len() == commas && commas == 1 {
            return between == b",";
        }
        between.iter().copied().all(is_passed)
            && memchr::memchr_iter(b',', between).count() == commas
    }

    fn is_at_end(&self) -> bool {
        let is_closed = self.depth == 0 && !self.carry.is_in_text();
        is_closed && self.last_end > 0 && self.is_between(self.text.len(), 0)
    }
}

fn is_passed(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | b',')
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = r#"{"eventVersion":"1.08","userIdentity":{"type":"Root","a":[{}]},"eventTime":"2026-03-17T00:00:00Z","eventSource":"s3.amazonaws.com","eventName":"GetObject","x":[1]}"#;
    const SECOND: &str =
        r#"{ "eventName" : "Put}\"{" , "eventVersion":"1.08", "resources":[], "é":"\\" }"#;

    fn read(text: &str) -> Option<Vec<String>> {
        let mut records = Records::default();
        records.read(text.as_bytes()).then(|| {
            records
                .iter(text)
                .map(|record| {
                    let name = record.head.name.clone().map(|name| &text[wide(&name)]);
                    let pieces = record.pieces.iter().map(|piece| &text[wide(piece)]);
                    format!("{} {name:?} {:?}", record.text, pieces.collect::<Vec<_>>())
                })
                .collect()
        })
    }

    #[test]
    fn records_in_their_frames() {
        let first = format!(
            r#"{FIRST} Some("GetObject") ["{{\"eventVersion\":\"1.08\",\"userIdentity\":", ",\"eventTime\":\"2026-03-17T00:00:00Z\",\"eventSource\":\"s3.amazonaws.com\",\"eventName\":\"GetObject\",\"x\":", ""]"#
        );
        let second = read(SECOND).unwrap().remove(0);
        assert!(second.contains(r#" None ["{ \"eventName\""#), "{second}");
        let both = [first, second];
        for text in [
            format!("{{\"Records\":[{FIRST},{SECOND}]}}"),
            format!(" {{ \"Records\" : [ {FIRST} , {SECOND} ] }}\n"),
            format!("[{FIRST},\n{SECOND}]"),
            format!("{FIRST}\n{SECOND}\n"),
        ] {
            assert_eq!(read(&text).as_deref(), Some(&both[..]), "{text}");
        }
        assert_eq!(read("{\"Records\":[]}"), Some(vec![]));
    }

    #[test]
    fn anything_else_is_left_to_the_splitter() {
        for text in [
            String::new(),
            format!("{{\"Records\":[{FIRST}"),
            format!("{{\"Records\":[{FIRST}]"),
            format!("{{\"Records\":[{FIRST}]}}{{}}"),
            format!("{{\"Records\":[{FIRST}]}} x"),
            format!("{{\"Records\":[{FIRST}{SECOND}]}}"),
            format!("{{\"Records\":[{FIRST},,{SECOND}]}}"),
            format!("{{\"Records\":[{FIRST},1]}}"),
            format!("{{\"Records\":[{FIRST}],\"a\":1}}"),
            format!("{{\"Records\":[{FIRST}],\"a\":[{FIRST}]}}"),
            format!("{{\"Records\":[{FIRST}}}]"),
            format!("{{\"Events\":[{FIRST}]}}"),
            format!("{FIRST},{SECOND}"),
            format!("{FIRST}\n{{\"a\":1}}"),
            FIRST.replace("GetObject", "Get\nObject"),
            FIRST.replace("[1]", "[1}"),
            FIRST.replace("[1]", "1}"),
            FIRST.replace(",\"x\"", "\"x\""),
            FIRST.replace(",\"x\"", ",,\"x\""),
            FIRST.replace("\"x\":", "\"x\""),
            FIRST.replace("\"x\":[1]", "\"x\":01"),
            FIRST.replace("\"x\":[1]", "\"x\":"),
            FIRST.replace("\"x\":[1]", "\"x\":[1],"),
            FIRST.replace("\"x\":[1]", "\"x\":[1] 1"),
            FIRST.replace("\"x\":[1]", "[1]"),
            FIRST.replace("\"x\":", ""),
            FIRST.replace("s3.amazonaws.com", "aws:s3"),
            // What is not spelled as CloudTrail does.
            FIRST.replace("eventName", "event\\u004eame"),
            FIRST.replace("eventName", "EventName"),
            FIRST.replace("eventName", "event_name"),
            FIRST.replace("\"x\":[1]", "\"requestParameters\":\"{'a': 1}\""),
            FIRST.replace("\"x\":[1]", "\"requestParameters.a\":1"),
            FIRST.replace("\"x\":[1]", "\"useragent\":\"a\""),
            format!("\u{feff}{FIRST}"),
        ] {
            assert_eq!(read(&text), None, "{text}");
        }
        let mut wrong = FIRST.as_bytes().to_vec();
        wrong[20] = 0xff;
        assert!(!Records::default().read(&wrong));
    }
}
