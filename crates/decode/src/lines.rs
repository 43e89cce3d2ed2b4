//! Reads the lines of files that hold no JSON, such as events of Windows as XML.

use std::io::{self, BufRead, BufReader, Read};
use std::ops::ControlFlow;

use crate::inflate::{Input, MakeScratch, Parts, ReadSeek, Scratch, for_each_part, shown};
use crate::report::Damage;

/// The most bytes of a line.
pub const MAX_LINE: u64 = 8 << 20;

/// The bytes that are looked at to tell text from anything else.
const HEAD: usize = 4096;

/// Calls `visit` with each line of the texts in a file that is not blank, until it breaks. Compressions
/// and archives are undone as they are for events; what is no text has no lines. `scratch` returns
/// storage for nested archives.
///
/// # Errors
/// Returns why the file cannot be read further. The lines before that were visited.
pub fn for_each_line(
    input: Input,
    scratch: MakeScratch,
    visit: &mut dyn FnMut(&str) -> ControlFlow<()>,
) -> Result<(), String> {
    let mut lines = Lines { visit, scratch, failure: None };
    for_each_part(input, &mut lines);
    lines.failure.map_or(Ok(()), Err)
}

struct Lines<'a> {
    visit: &'a mut dyn FnMut(&str) -> ControlFlow<()>,
    scratch: MakeScratch,
    failure: Option<String>,
}

impl Lines<'_> {
    fn fail(&mut self, name: &str, reason: &str) {
        let place = if name.is_empty() { String::new() } else { format!("{}: ", shown(name)) };
        self.failure.get_or_insert_with(|| format!("{place}{reason}"));
    }

    fn read(&mut self, mut text: &mut dyn Read) -> io::Result<ControlFlow<()>> {
        let mut head = Vec::new();
        Read::take(&mut text, HEAD as u64).read_to_end(&mut head)?;
        if !is_text(&head) {
            return Ok(ControlFlow::Continue(()));
        }
        let mut reader = BufReader::new(head.as_slice().chain(text));
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)?;
            if read == 0 {
                return Ok(ControlFlow::Continue(()));
            }
            if read as u64 == MAX_LINE && line.last() != Some(&b'\n') {
                let reason = format!("a line has more than {} MiB", MAX_LINE >> 20);
                return Err(io::Error::other(reason));
            }
            let text = String::from_utf8_lossy(&line);
            // A byte order mark is at the beginning of the first line.
            let text = text.trim_start_matches('\u{feff}').trim_end_matches(['\n', '\r']);
            if !text.trim().is_empty() && (self.visit)(text).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }
}

impl Parts for Lines<'_> {
    fn part(&mut self, name: &str, text: &mut dyn Read) -> ControlFlow<()> {
        self.read(text).unwrap_or_else(|error| {
            self.fail(name, &error.to_string());
            ControlFlow::Break(())
        })
    }

    fn table(&mut self, _: &str, _: Box<dyn ReadSeek + Send>) -> (ControlFlow<()>, u64) {
        (ControlFlow::Continue(()), 0)
    }

    fn damage(&mut self, name: &str, damage: Damage) {
        self.fail(name, &damage.message);
    }

    fn scratch(&self) -> Box<dyn Scratch> {
        (self.scratch)()
    }
}

/// Returns true if the first bytes of a file are text.
fn is_text(head: &[u8]) -> bool {
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text.len(),
        Err(error) => error.valid_up_to(),
    };
    // The last character may be cut off.
    let is_cut = head.len() - valid < char::MAX_LEN_UTF8 && head.len() == HEAD;
    !head.is_empty() && (valid == head.len() || is_cut) && !head.contains(&0)
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn lines(bytes: &[u8]) -> (Vec<String>, Result<(), String>) {
        let mut lines = Vec::new();
        let input = Input::Stream(Box::new(Cursor::new(bytes.to_vec())));
        let read = for_each_line(input, crate::inflate::in_memory, &mut |line| {
            lines.push(line.to_owned());
            ControlFlow::Continue(())
        });
        (lines, read)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn texts_have_lines_and_other_files_have_none() {
        let text = "one\r\n\n  \nt\u{e9}o";
        let wide: Vec<u8> = "\u{feff}one\ntéo".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let long = format!("{}\u{e9}{}", "x".repeat(HEAD - 1), "y".repeat(HEAD));
        for (bytes, expected) in [
            (text.as_bytes().to_vec(), &["one", "t\u{e9}o"][..]),
            (gzip(text.as_bytes()), &["one", "t\u{e9}o"]),
            (wide, &["one", "t\u{e9}o"]),
            (long.clone().into_bytes(), &[long.as_str()]),
            (b"\x89PNG\r\n\x1a\n\0\0".to_vec(), &[]),
            (b"text\0and more".to_vec(), &[]),
            (b"caf\xe9".to_vec(), &[]),
            (Vec::new(), &[]),
        ] {
            assert_eq!(lines(&bytes), (expected.iter().map(|l| (*l).to_owned()).collect(), Ok(())));
        }
    }

    #[test]
    fn a_line_without_end_and_a_cut_file_are_errors() {
        let endless = [b"first\n".to_vec(), vec![b'x'; MAX_LINE as usize + 1]].concat();
        let (found, read) = lines(&endless);
        assert_eq!(found, ["first"]);
        assert_eq!(read.unwrap_err(), "a line has more than 8 MiB");
        let whole = gzip(&b"a line of text\n".repeat(100));
        assert!(lines(&whole[..whole.len() / 2]).1.is_err());
    }

    #[test]
    fn nothing_is_read_after_the_visitor_breaks() {
        let input = Input::Stream(Box::new(Cursor::new(b"a\nb\nc\n".to_vec())));
        let mut seen = 0;
        let read = for_each_line(input, crate::inflate::in_memory, &mut |_| {
            seen += 1;
            if seen == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!((seen, read), (2, Ok(())));
    }
}
