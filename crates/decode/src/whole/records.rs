//! Cuts a whole text into its records without looking at what is in them.
//!
//! Only what CloudTrail itself writes is taken: `{"Records":[…]}`, an array of records, records in a
//! row. Anything that is not exactly so, damage above all, is left to the [splitter](crate::Splitter),
//! which tells what is wrong and where.

use std::ops::Range;

use super::blocks::{BLOCK, Carry};
use super::head::{Head, head};
use super::marks::Marks;
use crate::json::skip_space;
use crate::split::scan::MAX_DEPTH;
use crate::split::{Format, MAX_RECORD, RawRecord};

/// A text's records.
#[derive(Debug, Default)]
pub(crate) struct Records {
    records: Vec<Record>,
    /// Of every record the pieces between its outermost braces that are not in nested values.
    pieces: Vec<Piece>,
    marks: Marks,
}

/// From a brace or the end of a nested value to the beginning of the next one or the last brace.
pub(crate) type Piece = Range<u32>;

#[derive(Debug)]
struct Record {
    text: Range<u32>,
    pieces: Range<u32>,
    head: Head,
}

/// One record of a text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WholeRecord<'a> {
    /// The record's own text.
    pub(crate) text: &'a str,
    /// Where it begins in the whole text.
    pub(crate) start: u32,
    /// Positions in the whole text.
    pub(crate) pieces: &'a [Piece],
    /// Positions in the whole text.
    pub(crate) head: &'a Head,
    /// The marks of the whole text.
    pub(crate) marks: &'a Marks,
}

impl<'a> WholeRecord<'a> {
    /// Returns the record as the splitter would.
    pub(crate) fn raw(&self) -> RawRecord<'a> {
        RawRecord { text: self.text, offset: u64::from(self.start), format: Format::CloudTrail }
    }
}

/// What lies around the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frame {
    /// `{"Records":[…]}`
    Envelope,
    /// `[…]`
    Array,
    /// Nothing.
    Row,
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

    /// Returns how many brackets are open around a record.
    fn depth(self) -> usize {
        match self {
            Self::Envelope => 2,
            Self::Array => 1,
            Self::Row => 0,
        }
    }
}

impl Records {
    /// Reads a text; returns false, and holds nothing of use, if it is not what this can read.
    pub(crate) fn read(&mut self, text: &[u8]) -> bool {
        self.records.clear();
        self.pieces.clear();
        self.marks.clear(text.len());
        self.cut(text).is_some() && self.look_into(text).is_some()
    }

    /// Returns the records in order; `text` is the text that was read.
    pub(crate) fn iter<'a>(&'a self, text: &'a str) -> impl Iterator<Item = WholeRecord<'a>> {
        self.records.iter().filter_map(|record| {
            Some(WholeRecord {
                text: text.get(wide(&record.text))?,
                start: record.text.start,
                pieces: &self.pieces[wide(&record.pieces)],
                head: &record.head,
                marks: &self.marks,
            })
        })
    }

    fn cut(&mut self, text: &[u8]) -> Option<()> {
        let frame = Frame::of(text)?;
        let mut cutter = Cutter {
            text,
            records: self,
            frame,
            around: frame.depth(),
            depth: 0,
            start: 0,
            piece: 0,
            first_piece: 0,
            nested: 0,
            last_end: 0,
            is_closed: false,
        };
        let mut carry = Carry::default();
        let mut high = 0;
        let (blocks, rest) = text.as_chunks::<BLOCK>();
        for (number, block) in blocks.iter().enumerate() {
            let bits = carry.read(block);
            high |= bits.high;
            if bits.control != 0 {
                return None;
            }
            cutter.records.marks.push(bits);
            cutter.block(number * BLOCK, bits.brackets)?;
        }
        let mut last = [b' '; BLOCK];
        last[..rest.len()].copy_from_slice(rest);
        let bits = carry.read(&last);
        cutter.records.marks.push(bits);
        cutter.block(blocks.len() * BLOCK, bits.brackets)?;
        let is_sound = bits.control == 0 && !carry.is_in_text() && cutter.is_at_end();
        let is_utf8 = (high | bits.high) == 0 || std::str::from_utf8(text).is_ok();
        (is_sound && is_utf8).then_some(())
    }

    fn look_into(&mut self, text: &[u8]) -> Option<()> {
        for record in &mut self.records {
            record.head = head(text, &self.marks, &self.pieces[wide(&record.pieces)])?;
        }
        Some(())
    }
}

pub(crate) fn wide(range: &Range<u32>) -> Range<usize> {
    range.start as usize..range.end as usize
}

fn narrow(range: Range<usize>) -> Range<u32> {
    // A whole text is far smaller than 4 GiB.
    range.start as u32..range.end as u32
}

/// Follows the brackets of a text.
struct Cutter<'a> {
    text: &'a [u8],
    records: &'a mut Records,
    frame: Frame,
    /// Brackets around a record.
    around: usize,
    depth: usize,
    /// Where the record begins.
    start: usize,
    /// Where the piece begins.
    piece: usize,
    first_piece: usize,
    /// The bracket that opened the nested value.
    nested: u8,
    /// After the last record or bracket around records.
    last_end: usize,
    /// Whether a bracket around the records was closed.
    is_closed: bool,
}

impl Cutter<'_> {
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
            let follows = !self.records.records.is_empty() && self.frame != Frame::Row;
            if byte != b'{' || !self.is_between(at, usize::from(follows)) {
                return None;
            }
            self.start = at;
            self.piece = at;
            self.first_piece = self.records.pieces.len();
        } else if self.depth < self.around {
            // The brackets around the records open once; what is before them was looked at.
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
            // `{` and `}`, `[` and `]` are two apart.
            if byte != self.nested + 2 {
                return None;
            }
            self.piece = at + 1;
        } else if self.depth == self.around {
            let is_fit = byte == b'}' && at + 1 - self.start <= MAX_RECORD;
            self.records.pieces.push(narrow(self.piece..at));
            self.records.records.push(Record {
                text: narrow(self.start..at + 1),
                pieces: narrow(self.first_piece..self.records.pieces.len()),
                head: Head::default(),
            });
            self.last_end = at + 1;
            return is_fit.then_some(());
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

    /// Returns true if since the last end there is white space only, and this many commas.
    fn is_between(&self, at: usize, commas: usize) -> bool {
        let between = &self.text[self.last_end..at];
        if between.len() == commas && commas == 1 {
            return between == b",";
        }
        let is_fit = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | b',');
        between.iter().all(is_fit) && memchr::memchr_iter(b',', between).count() == commas
    }

    fn is_at_end(&self) -> bool {
        self.depth == 0 && self.last_end > 0 && self.is_between(self.text.len(), 0)
    }
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
            format!("\u{feff}{FIRST}"),
        ] {
            assert_eq!(read(&text), None, "{text}");
        }
        let mut wrong = FIRST.as_bytes().to_vec();
        wrong[20] = 0xff;
        assert!(!Records::default().read(&wrong));
    }
}
