//! Reads as much of Thrift's compact protocol as is needed to check sizes before they are believed.
//!
//! The footer of a Parquet file and the headers of its pages say how much memory their reader
//! allocates and how deep it recurses. A wrong number there ends the process, which no error can
//! catch, so that all of them are compared with the bytes that exist first.

/// The maximum nesting depth of columns, and of anything else in a footer.
const MAX_DEPTH: usize = 64;
/// The maximum number of elements of a schema.
const MAX_ELEMENTS: usize = 16 * 1024;

/// The reason why a structure was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The bytes end early.
    Ends,
    /// A size or type is impossible.
    Wrong,
    /// Columns are nested too deeply, or too many.
    TooComplex,
    /// The columns are encrypted.
    Encrypted,
}

type Result<T> = std::result::Result<T, Refusal>;

/// The types of fields.
mod kind {
    pub(super) const TRUE: u8 = 1;
    pub(super) const FALSE: u8 = 2;
    pub(super) const BYTE: u8 = 3;
    pub(super) const DOUBLE: u8 = 7;
    pub(super) const BINARY: u8 = 8;
    pub(super) const LIST: u8 = 9;
    pub(super) const SET: u8 = 10;
    pub(super) const MAP: u8 = 11;
    pub(super) const STRUCT: u8 = 12;
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn byte(&mut self) -> Result<u8> {
        let byte = *self.bytes.get(self.at).ok_or(Refusal::Ends)?;
        self.at += 1;
        Ok(byte)
    }

    fn pass(&mut self, count: u64) -> Result<()> {
        if count > self.left() as u64 {
            return Err(Refusal::Ends);
        }
        self.at += count as usize;
        Ok(())
    }

    fn varint(&mut self) -> Result<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Refusal::Wrong)
    }

    fn integer(&mut self) -> Result<i64> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// Returns the type of the elements of a list and their number, which the bytes must have room
    /// for.
    fn list(&mut self) -> Result<(u8, usize)> {
        let head = self.byte()?;
        let count = match head >> 4 {
            15 => self.varint()?,
            count => u64::from(count),
        };
        if count > self.left() as u64 {
            return Err(Refusal::Wrong);
        }
        Ok((head & 0x0f, count as usize))
    }

    /// Calls `visit` with the number and type of each field of a structure; it must read the value.
    fn fields(&mut self, mut visit: impl FnMut(&mut Self, i64, u8) -> Result<()>) -> Result<()> {
        let mut id = 0i64;
        loop {
            let head = self.byte()?;
            if matches!(head & 0x0f, 0) {
                return Ok(());
            }
            id = match head >> 4 {
                0 => self.integer()?,
                step => id + i64::from(step),
            };
            visit(self, id, head & 0x0f)?;
        }
    }

    /// Passes a value; `is_element` means that it stands in a list, where a flag takes a byte.
    fn skip(&mut self, kind: u8, is_element: bool, depth: usize) -> Result<()> {
        if depth == MAX_DEPTH {
            return Err(Refusal::TooComplex);
        }
        match kind {
            kind::TRUE | kind::FALSE => self.pass(u64::from(is_element)),
            kind::BYTE => self.pass(1),
            4..=6 => self.varint().map(|_| ()),
            kind::DOUBLE => self.pass(8),
            kind::BINARY => {
                let length = self.varint()?;
                self.pass(length)
            }
            kind::LIST | kind::SET => {
                let (kind, count) = self.list()?;
                (0..count).try_for_each(|_| self.skip(kind, true, depth + 1))
            }
            kind::MAP => {
                let count = self.varint()?;
                if count > self.left() as u64 {
                    return Err(Refusal::Wrong);
                }
                let kinds = if count == 0 { 0 } else { self.byte()? };
                for _ in 0..count {
                    self.skip(kinds >> 4, true, depth + 1)?;
                    self.skip(kinds & 0x0f, true, depth + 1)?;
                }
                Ok(())
            }
            kind::STRUCT => self.fields(|reader, _, kind| reader.skip(kind, false, depth + 1)),
            _ => Err(Refusal::Wrong),
        }
    }
}

/// Checks that a footer can be decoded with memory in proportion to its length.
pub(super) fn check_footer(footer: &[u8]) -> Result<()> {
    let mut reader = Reader { bytes: footer, at: 0 };
    reader.fields(|reader, id, kind| match (id, kind) {
        (2, kind::LIST) => check_schema(reader),
        (8, _) => Err(Refusal::Encrypted),
        _ => reader.skip(kind, false, 0),
    })
}

/// Checks the elements of a schema: a tree, of which each element gives its number of children.
fn check_schema(reader: &mut Reader<'_>) -> Result<()> {
    let (kind, count) = reader.list()?;
    if kind != kind::STRUCT {
        return Err(Refusal::Wrong);
    }
    if count > MAX_ELEMENTS {
        return Err(Refusal::TooComplex);
    }
    // The number of children that are still missing, of each element around the current one.
    let mut missing: Vec<u64> = Vec::new();
    for _ in 0..count {
        let mut children = 0;
        reader.fields(|reader, id, kind| match (id, kind) {
            (5, 4..=6) => {
                children = u64::try_from(reader.integer()?).map_err(|_| Refusal::Wrong)?;
                Ok(())
            }
            _ => reader.skip(kind, false, 0),
        })?;
        if children > count as u64 {
            return Err(Refusal::Wrong);
        }
        if let Some(left) = missing.last_mut() {
            *left -= 1;
        }
        if children > 0 {
            missing.push(children);
        }
        while missing.last() == Some(&0) {
            missing.pop();
        }
        if missing.len() > MAX_DEPTH {
            return Err(Refusal::TooComplex);
        }
    }
    Ok(())
}

/// What the header of a page says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct PageHeader {
    /// The length of the header itself.
    pub(super) length: usize,
    pub(super) page: PageKind,
    pub(super) compressed: u64,
    pub(super) uncompressed: u64,
    pub(super) values: u64,
}

/// The type of a page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum PageKind {
    #[default]
    Data,
    /// Not read by anything.
    Index,
    Dictionary,
}

/// Reads the header of a page at the start of `bytes`.
pub(super) fn page_header(bytes: &[u8]) -> Result<PageHeader> {
    let mut reader = Reader { bytes, at: 0 };
    let mut header = PageHeader::default();
    // Sizes are signed numbers of 32 bits.
    let size = |reader: &mut Reader<'_>| {
        let size = i32::try_from(reader.integer()?).map_err(|_| Refusal::Wrong)?;
        u64::try_from(size).map_err(|_| Refusal::Wrong)
    };
    reader.fields(|reader, id, kind| {
        match (id, kind) {
            (1, 4..=6) => {
                header.page = match reader.integer()? {
                    1 => PageKind::Index,
                    2 => PageKind::Dictionary,
                    _ => PageKind::Data,
                }
            }
            (2, 4..=6) => header.uncompressed = size(reader)?,
            (3, 4..=6) => header.compressed = size(reader)?,
            (5 | 7 | 8, kind::STRUCT) => reader.fields(|reader, id, kind| match (id, kind) {
                (1, 4..=6) => {
                    header.values = size(reader)?;
                    Ok(())
                }
                _ => reader.skip(kind, false, 1),
            })?,
            _ => reader.skip(kind, false, 1)?,
        }
        Ok(())
    })?;
    header.length = reader.at;
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An element of a schema that has so many children.
    fn element(children: u8) -> Vec<u8> {
        // Field 4, a name of one letter; field 5, the number of children.
        vec![0x48, 1, b'a', 0x15, children * 2, 0]
    }

    fn footer(elements: &[u8], count: u8) -> Vec<u8> {
        let list = [vec![0x15, 2, 0x19, 0xf0 | kind::STRUCT, count]].concat();
        [list, elements.to_vec(), vec![0]].concat()
    }

    #[test]
    fn footers_are_checked_before_they_are_believed() {
        let chain = |count: u8| element(1).repeat(usize::from(count));
        for (footer, expected) in [
            (footer(&[element(2), element(0), element(0)].concat(), 3), Ok(())),
            (footer(&chain(60), 60), Ok(())),
            (footer(&chain(100), 100), Err(Refusal::TooComplex)),
            (footer(&element(100), 1), Err(Refusal::Wrong)),
            (footer(&element(0), 90), Err(Refusal::Wrong)),
            (footer(&element(0), 2), Err(Refusal::Ends)),
            // A list of a billion row groups, encrypted columns, and structures without end.
            (vec![0x49, 0xfc, 0x80, 0x94, 0xeb, 0xdc, 3, 0], Err(Refusal::Wrong)),
            (vec![0x8c, 0, 0], Err(Refusal::Encrypted)),
            (vec![0x1c; 200], Err(Refusal::TooComplex)),
            (vec![0x1d, 0], Err(Refusal::Wrong)),
            (vec![0x18, 0xff, 0xff, 0xff, 0xff, 0x0f, 0], Err(Refusal::Ends)),
            (vec![], Err(Refusal::Ends)),
        ] {
            assert_eq!(check_footer(&footer), expected, "{footer:x?}");
        }
    }

    #[test]
    fn headers_of_pages() {
        // A dictionary of three values: 20 bytes, 40 when inflated.
        let header = [0x15, 4, 0x15, 80, 0x15, 40, 0x4c, 0x15, 6, 0x15, 0, 0, 0, 9, 9];
        let expected = PageHeader {
            length: 13,
            page: PageKind::Dictionary,
            compressed: 20,
            uncompressed: 40,
            values: 3,
        };
        assert_eq!(page_header(&header), Ok(expected));
        assert_eq!(page_header(&header[..8]), Err(Refusal::Ends));
        // A negative size.
        assert_eq!(page_header(&[0x15, 4, 0x15, 81, 0]), Err(Refusal::Wrong));
    }
}
