//! Reads texts that were written for HTML, XML or an address of the web: it undoes their escapes.

use std::io::{self, ErrorKind, Read};

/// The size of reads.
const CHUNK: usize = 16 * 1024;
/// The most bytes of an escape; fewer at the end of a chunk wait for the next.
const LONGEST: usize = 10;

/// The kind of escapes of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escapes {
    /// `&quot;`.
    Entities,
    /// `%22`.
    Percent,
}

/// Returns the escapes in which a text has its JSON, as its beginning shows; `None` for any other text.
pub(super) fn recognize(head: &[u8]) -> Option<Escapes> {
    let start = head.trim_ascii_start();
    let is_percent = |begin: &[u8]| start.get(..3).is_some_and(|b| b.eq_ignore_ascii_case(begin));
    if is_percent(b"%7b") || is_percent(b"%5b") {
        return Some(Escapes::Percent);
    }
    let is_escaped = match start.first() {
        Some(b'{') => opens(start) == Some(Quote::Escaped),
        // A list of texts has its own quotes.
        Some(b'[') => {
            let is_open = |byte: &u8| *byte == b'[' || byte.is_ascii_whitespace();
            let brackets = start.iter().take_while(|byte| is_open(byte)).count();
            start[brackets..].starts_with(b"{") && opens(&start[brackets..]) == Some(Quote::Escaped)
        }
        // A page has braces of other languages, too.
        Some(b'<') => {
            let mut objects = memchr::memchr_iter(b'{', start).filter_map(|at| opens(&start[at..]));
            let first = objects.next();
            first == Some(Quote::Escaped) && objects.all(|quote| quote == Quote::Escaped)
        }
        _ => false,
    };
    is_escaped.then_some(Escapes::Entities)
}

/// How the first key of an object is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quote {
    Plain,
    Escaped,
}

/// Returns how the first key is written of an object with which a text begins; `None` if there is no key.
fn opens(text: &[u8]) -> Option<Quote> {
    let inside = text.get(1..)?.trim_ascii_start();
    if inside.starts_with(b"\"") {
        return Some(Quote::Plain);
    }
    let is_entity =
        [&b"&quot;"[..], b"&#34;", b"&#x22;"].iter().any(|mark| inside.starts_with(mark));
    is_entity.then_some(Quote::Escaped)
}

/// Undoes escapes while reading.
pub(super) struct Unescaped<R> {
    source: R,
    escapes: Escapes,
    /// The beginning of an escape whose rest has not been read yet.
    pending: Vec<u8>,
    ready: Vec<u8>,
    taken: usize,
    has_ended: bool,
}

impl<R: Read> Unescaped<R> {
    pub(super) fn new(source: R, escapes: Escapes) -> Self {
        let (pending, ready) = (Vec::new(), Vec::new());
        Self { source, escapes, pending, ready, taken: 0, has_ended: false }
    }

    fn read_more(&mut self) -> io::Result<()> {
        let mut chunk = [0; CHUNK];
        let count = match self.source.read(&mut chunk) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            Err(error) => return Err(error),
        };
        self.has_ended = count == 0;
        self.pending.extend_from_slice(&chunk[..count]);
        self.ready.clear();
        self.taken = 0;
        let mark = if self.escapes == Escapes::Entities { b'&' } else { b'%' };
        let mut rest = &*self.pending;
        while let Some(at) = memchr::memchr(mark, rest) {
            self.ready.extend_from_slice(&rest[..at]);
            rest = &rest[at..];
            if rest.len() < LONGEST && !self.has_ended {
                break;
            }
            let length = match self.escapes {
                Escapes::Entities => entity(rest).map(|(character, length)| {
                    let mut bytes = [0; 4];
                    self.ready.extend_from_slice(character.encode_utf8(&mut bytes).as_bytes());
                    length
                }),
                Escapes::Percent => hexadecimal(rest, 1).map(|byte| {
                    self.ready.push(byte);
                    3
                }),
            };
            if length.is_none() {
                self.ready.push(mark);
            }
            rest = &rest[length.unwrap_or(1)..];
        }
        if rest.first() != Some(&mark) {
            self.ready.extend_from_slice(rest);
            rest = &[];
        }
        self.pending = rest.to_vec();
        Ok(())
    }
}

impl<R: Read> Read for Unescaped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.ready.len() && !self.has_ended && !buffer.is_empty() {
            self.read_more()?;
        }
        let count = buffer.len().min(self.ready.len() - self.taken);
        buffer[..count].copy_from_slice(&self.ready[self.taken..self.taken + count]);
        self.taken += count;
        Ok(count)
    }
}

/// Returns the character of an entity of HTML or XML at the beginning of `text`, and the entity's
/// length. Only those are known that programs write instead of the marks of their language.
pub(crate) fn entity(text: &[u8]) -> Option<(char, usize)> {
    let head = &text[..text.len().min(LONGEST)];
    let end = memchr::memchr(b';', head)?;
    let of_code = |digits: &[u8], radix: u32| {
        char::from_u32(u32::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()?)
    };
    let character = match head.get(1..end)? {
        b"quot" => '"',
        b"apos" => '\'',
        b"amp" => '&',
        b"lt" => '<',
        b"gt" => '>',
        b"nbsp" => ' ',
        [b'#', b'x' | b'X', digits @ ..] => of_code(digits, 16)?,
        [b'#', digits @ ..] => of_code(digits, 10)?,
        _ => return None,
    };
    Some((character, end + 1))
}

/// Returns the byte of two hexadecimal digits.
pub(crate) fn hexadecimal(text: &[u8], from: usize) -> Option<u8> {
    let digit = |at: usize| char::from(*text.get(at)?).to_digit(16);
    u8::try_from(digit(from)? << 4 | digit(from + 1)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that returns one byte at a time.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.0.len().min(1);
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    /// JSON may have escapes in its texts, which stay as they are.
    #[test]
    fn the_first_key_shows_whether_json_is_escaped() {
        for (text, escapes) in [
            ("{&quot;a&quot;:1}", Some(Escapes::Entities)),
            (" {\n &#34;a&#34;:1}", Some(Escapes::Entities)),
            ("[\n {&quot;a&quot;:1}]", Some(Escapes::Entities)),
            ("<p>{&quot;a&quot;:1}</p>", Some(Escapes::Entities)),
            ("<style>p { color: red }</style>{&quot;a&quot;:1}", Some(Escapes::Entities)),
            ("%7B%22a%22:1}", Some(Escapes::Percent)),
            ("{\"a\":\"{&quot;b&quot;:1}\"}", None),
            ("{\n  \"a\": \"x&amp;y {&quot;b\"\n}", None),
            ("[\"{&quot;a&quot;:1}\"]", None),
            ("<a>{ \"a\": \"{&quot;\" }</a>", None),
            ("<p>{}</p>", None),
            ("text {&quot;a&quot;:1}", None),
        ] {
            assert_eq!(recognize(text.as_bytes()), escapes, "{text}");
        }
    }

    #[test]
    fn escapes_are_undone_across_reads() {
        for (text, escapes, plain) in [
            ("{&quot;a&quot;:&#34;é&#233;&#x20AC;&quot;}", Escapes::Entities, "{\"a\":\"éé€\"}"),
            ("a & b &none; &quot", Escapes::Entities, "a & b &none; &quot"),
            ("&amp;quot;", Escapes::Entities, "&quot;"),
            ("%7b%22a%22%3A1%7D", Escapes::Percent, "{\"a\":1}"),
            ("100%, %zz%4", Escapes::Percent, "100%, %zz%4"),
        ] {
            for slow in [false, true] {
                let mut found = String::new();
                let bytes = text.as_bytes();
                let read = if slow {
                    Unescaped::new(Slow(bytes), escapes).read_to_string(&mut found)
                } else {
                    Unescaped::new(bytes, escapes).read_to_string(&mut found)
                };
                assert!(read.is_ok() && found == plain, "{text} {found}");
            }
        }
    }

    #[test]
    fn texts_with_escapes_are_recognized() {
        for (text, escapes) in [
            ("<pre>{&quot;a&quot;:1}</pre>", Some(Escapes::Entities)),
            ("{&#34;a&#34;:1}", Some(Escapes::Entities)),
            (" %7B%22a%22%3A1%7D", Some(Escapes::Percent)),
            ("<script>{\"a\":1}</script>{&quot;a&quot;:1}", None),
            ("<p>&quot;a&quot;</p>", None),
            ("Write {&quot;a&quot;:1} like this.", None),
            ("{\"a\":\"{&quot;\"}", None),
        ] {
            assert_eq!(recognize(text.as_bytes()), escapes, "{text}");
        }
    }
}
