//! Recognizes compressions, archives and encodings from the first bytes of a file.

use tar::Header;

/// The number of first bytes that are looked at: a tar archive is recognized by its first block.
pub(crate) const HEAD: usize = 512;

/// What a file is, as far as its first bytes tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileFormat {
    Gzip,
    Zstd,
    Bzip2,
    Xz,
    Zip,
    Tar,
    /// A format that is not read.
    Unread(&'static str),
    Utf16Le,
    Utf16Be,
    /// Anything else, UTF-8 text above all.
    Other,
}

impl FileFormat {
    /// Returns what a file of this format is called in a message; `None` for text.
    pub(crate) fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::Gzip => "compressed with gzip",
            Self::Zstd => "compressed with zstd",
            Self::Bzip2 => "compressed with bzip2",
            Self::Xz => "compressed with xz",
            Self::Zip => "a zip archive",
            Self::Tar => "a tar archive",
            Self::Unread(name) => name,
            Self::Utf16Le | Self::Utf16Be | Self::Other => return None,
        })
    }
}

/// The bytes with which files of a format begin.
const MAGICS: &[(&[u8], FileFormat)] = &[
    (b"\x1f\x8b", FileFormat::Gzip),
    (b"\x28\xb5\x2f\xfd", FileFormat::Zstd),
    (b"\xfd7zXZ\0", FileFormat::Xz),
    (b"PK\x03\x04", FileFormat::Zip),
    (b"PK\x05\x06", FileFormat::Zip),
    (b"7z\xbc\xaf\x27\x1c", FileFormat::Unread("a 7-Zip archive")),
    (b"Rar!\x1a\x07", FileFormat::Unread("a RAR archive")),
    (b"\x04\x22\x4d\x18", FileFormat::Unread("compressed with LZ4")),
    (b"\x1f\x9d", FileFormat::Unread("compressed with compress")),
    (b"LZIP\x01", FileFormat::Unread("compressed with lzip")),
    (b"PAR1", FileFormat::Unread("a Parquet file")),
    (b"Obj\x01", FileFormat::Unread("an Avro file")),
    (b"\xff\xfe", FileFormat::Utf16Le),
    (b"\xfe\xff", FileFormat::Utf16Be),
];

/// Returns the format of a file that begins with `head`, which may be shorter than [`HEAD`].
pub(crate) fn recognize(head: &[u8]) -> FileFormat {
    let is_text = matches!(head, [b'{' | b'[', second, ..] if *second != 0);
    // A name in a tar archive may begin with a bracket too, but its block has NUL bytes.
    if is_text && !head.contains(&0) {
        return FileFormat::Other;
    }
    if let Some((_, format)) = MAGICS.iter().find(|(magic, _)| head.starts_with(magic)) {
        return *format;
    }
    if is_bzip2(head) {
        return FileFormat::Bzip2;
    }
    // The magic number of a frame of metadata, which some compressors put first.
    if matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]) {
        return FileFormat::Zstd;
    }
    if is_lzma(head) {
        return FileFormat::Unread("compressed with LZMA");
    }
    if is_tar(head) {
        return FileFormat::Tar;
    }
    utf16_without_mark(head).unwrap_or(FileFormat::Other)
}

/// A bzip2 stream begins with its block size and then with a block, or ends at once.
fn is_bzip2(head: &[u8]) -> bool {
    let [b'B', b'Z', b'h', b'1'..=b'9', rest @ ..] = head else { return false };
    let rest = &rest[..rest.len().min(6)];
    [b"1AY&SY", b"\x17\x72\x45\x38\x50\x90"].iter().any(|magic| magic.starts_with(rest))
}

/// LZMA without a container begins with its usual properties, then the size of its history, which is
/// a power of two, and that of its output, which is often not known.
fn is_lzma(head: &[u8]) -> bool {
    let [b']', a, b, c, d, size @ ..] = head else { return false };
    let history = u32::from_le_bytes([*a, *b, *c, *d]);
    let is_known = |size: [u8; 8]| u64::from_le_bytes(size) < 1 << 40 || size == [0xff; 8];
    history >= 4096
        && history.is_power_of_two()
        && size.first_chunk().copied().is_some_and(is_known)
}

/// A tar archive has no magic number in its oldest form; the checksum of a header serves as one.
/// With a magic number, a damaged checksum costs only the first entry.
fn is_tar(head: &[u8]) -> bool {
    let has_magic = head.get(257..263).is_some_and(|magic| matches!(magic, b"ustar\0" | b"ustar "));
    if has_magic && head[..257].contains(&0) {
        return true;
    }
    <&[u8; 512]>::try_from(head).is_ok_and(|block| has_checksum(block) && block.contains(&0))
}

/// Returns true if the checksum in a header of a tar archive is that of its bytes.
pub(crate) fn has_checksum(block: &[u8; 512]) -> bool {
    let header = Header::from_byte_slice(block);
    // The checksum's own eight bytes count as blanks.
    let sum = |bytes: &[u8]| bytes.iter().map(|byte| u32::from(*byte)).sum::<u32>();
    let expected = sum(&block[..148]) + 8 * u32::from(b' ') + sum(&block[156..]);
    header.cksum().is_ok_and(|found| found == expected)
}

/// Recognizes UTF-16 by its first characters, if they are ASCII.
fn utf16_without_mark(head: &[u8]) -> Option<FileFormat> {
    /// Characters that have to be ASCII; two are the shortest JSON.
    const LOOKED_AT: usize = 4;
    let units: Vec<[u8; 2]> =
        head.chunks_exact(2).take(LOOKED_AT).map(|unit| [unit[0], unit[1]]).collect();
    let is_text = |byte: u8| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n');
    if units.len() < 2 {
        return None;
    }
    if units.iter().all(|[first, second]| is_text(*first) && *second == 0) {
        return Some(FileFormat::Utf16Le);
    }
    let is_big = units.iter().all(|[first, second]| *first == 0 && is_text(*second));
    is_big.then_some(FileFormat::Utf16Be)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_recognized_by_their_first_bytes() {
        let mut tar = vec![0; 512];
        tar[..6].copy_from_slice(b"a.json");
        tar[257..263].copy_from_slice(b"ustar\0");
        let mut old_tar = Header::new_old();
        old_tar.set_path("[a].json").unwrap();
        old_tar.set_size(5);
        old_tar.set_cksum();
        for (head, format) in [
            (&tar[..], FileFormat::Tar),
            (old_tar.as_bytes(), FileFormat::Tar),
            (b"BZh91AY&SYab", FileFormat::Bzip2),
            (b"BZh9", FileFormat::Bzip2),
            (b"BZh9 is a word", FileFormat::Other),
            (b"\x1f\x8b\x08", FileFormat::Gzip),
            (b"\xfd7zXZ\0", FileFormat::Xz),
            (b"\x50\x2a\x4d\x18", FileFormat::Zstd),
            (b"PK\x05\x06", FileFormat::Zip),
            (
                b"]\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\0",
                FileFormat::Unread("compressed with LZMA"),
            ),
            (b"PAR1", FileFormat::Unread("a Parquet file")),
            (b"{\0\"\0", FileFormat::Utf16Le),
            (b"\0[\0]", FileFormat::Utf16Be),
            (b"{\0\0\0\"\0\0\0", FileFormat::Other),
            (b"", FileFormat::Other),
            (b"B", FileFormat::Other),
            (b"version account-id", FileFormat::Other),
            (b"{}", FileFormat::Other),
            (&[0; 512], FileFormat::Other),
        ] {
            assert_eq!(recognize(head), format, "{head:?}");
        }
    }
}
