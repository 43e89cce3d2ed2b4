//! Recognizes compressions, archives and encodings from the first bytes of a file.

use flate2::{Decompress, FlushDecompress};
use tar::Header;

use super::base64;
use super::unread::{self, LZMA, Remedy, UnreadFormat};
use crate::parquet::{ENCRYPTED, MAGIC};

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
    /// Deflated data in zlib's own format.
    Zlib,
    /// A text in base64, of JSON or of a compression.
    Base64,
    Parquet,
    /// A format that is not read.
    Unread(UnreadFormat),
    Utf16Le,
    Utf16Be,
    Utf32Le,
    Utf32Be,
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
            Self::Zlib => "compressed with zlib",
            Self::Parquet => "a Parquet file",
            Self::Base64 => "text in base64",
            Self::Unread(format) => format.name,
            Self::Utf16Le | Self::Utf16Be | Self::Utf32Le | Self::Utf32Be | Self::Other => {
                return None;
            }
        })
    }
}

const ENCRYPTED_PARQUET: UnreadFormat =
    UnreadFormat { name: "an encrypted Parquet file", remedy: Remedy::Decrypt };

/// The bytes with which files of a format begin.
const MAGICS: &[(&[u8], FileFormat)] = &[
    (b"\x1f\x8b", FileFormat::Gzip),
    (b"\x28\xb5\x2f\xfd", FileFormat::Zstd),
    (b"\xfd7zXZ\0", FileFormat::Xz),
    (b"PK\x03\x04", FileFormat::Zip),
    (b"PK\x05\x06", FileFormat::Zip),
    (MAGIC, FileFormat::Parquet),
    (ENCRYPTED, FileFormat::Unread(ENCRYPTED_PARQUET)),
    // Before UTF-16, whose mark this begins with; a text never begins with NUL.
    (b"\xff\xfe\0\0", FileFormat::Utf32Le),
    (b"\0\0\xfe\xff", FileFormat::Utf32Be),
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
    if let Some(format) = unread::recognize(head) {
        return FileFormat::Unread(format);
    }
    if is_bzip2(head) {
        return FileFormat::Bzip2;
    }
    // The magic number of a frame of metadata, which some compressors put first.
    if matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]) {
        return FileFormat::Zstd;
    }
    if is_lzma(head) {
        return FileFormat::Unread(LZMA);
    }
    if is_tar(head) {
        return FileFormat::Tar;
    }
    if is_zlib(head) {
        return FileFormat::Zlib;
    }
    if let Some(format) = wide_without_mark(head) {
        return format;
    }
    if base64::begins(head) { FileFormat::Base64 } else { FileFormat::Other }
}

/// A bzip2 stream begins with its block size and then with a block, or ends at once.
fn is_bzip2(head: &[u8]) -> bool {
    let [b'B', b'Z', b'h', b'1'..=b'9', rest @ ..] = head else { return false };
    let rest = &rest[..rest.len().min(6)];
    [b"1AY&SY", b"\x17\x72\x45\x38\x50\x90"].iter().any(|magic| magic.starts_with(rest))
}

/// A zlib stream begins with two bytes of which the second checks the first; since many texts do, too,
/// its first block is tried.
fn is_zlib(head: &[u8]) -> bool {
    let [method, flags, ..] = head else { return false };
    let is_header = method & 0x0f == 8
        && method >> 4 <= 7
        && u16::from_be_bytes([*method, *flags]).is_multiple_of(31)
        && flags & 0x20 == 0;
    if !is_header || head.is_ascii() && head.iter().all(|byte| !byte.is_ascii_control()) {
        return false;
    }
    let mut stream = Decompress::new(true);
    let tried = stream.decompress(head, &mut [0; 64], FlushDecompress::None);
    tried.is_ok() && stream.total_out() > 0
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
/// With a magic number, a damaged checksum costs only the first entry; damage can be in the magic
/// number itself, too.
fn is_tar(head: &[u8]) -> bool {
    const ENOUGH: usize = 4;
    let is_like = |magic: &[u8], form: &[u8]| {
        magic.iter().zip(form).filter(|(found, expected)| found == expected).count() >= ENOUGH
    };
    let has_magic = head
        .get(257..263)
        .is_some_and(|magic| is_like(magic, b"ustar\0") || is_like(magic, b"ustar "));
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

/// Recognizes UTF-16 and UTF-32 by their first characters, if they are ASCII.
fn wide_without_mark(head: &[u8]) -> Option<FileFormat> {
    /// Characters that have to be ASCII; two are the shortest JSON.
    const LOOKED_AT: usize = 4;
    let is_text = |byte: u8| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n');
    let all = |width: usize, place: usize| {
        let is_ascii = |unit: &[u8]| {
            let rest = unit.iter().enumerate().filter(|(at, _)| *at != place);
            is_text(unit[place]) && rest.map(|(_, byte)| *byte).all(|byte| byte == 0)
        };
        head.len() >= 2 * width && head.chunks_exact(width).take(LOOKED_AT).all(is_ascii)
    };
    let forms = [
        (2, 0, FileFormat::Utf16Le),
        (2, 1, FileFormat::Utf16Be),
        (4, 0, FileFormat::Utf32Le),
        (4, 3, FileFormat::Utf32Be),
    ];
    forms.into_iter().find(|(width, place, _)| all(*width, *place)).map(|(_, _, format)| format)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_recognized_by_their_first_bytes() {
        let mut tar = vec![0; 512];
        tar[..6].copy_from_slice(b"a.json");
        tar[257..263].copy_from_slice(b"ustar\0");
        let mut damaged_tar = tar.clone();
        damaged_tar[257] = b't';
        let mut old_tar = Header::new_old();
        old_tar.set_path("[a].json").unwrap();
        old_tar.set_size(5);
        old_tar.set_cksum();
        for (head, format) in [
            (&tar[..], FileFormat::Tar),
            (&damaged_tar[..], FileFormat::Tar),
            (old_tar.as_bytes(), FileFormat::Tar),
            (b"BZh91AY&SYab", FileFormat::Bzip2),
            (b"BZh9", FileFormat::Bzip2),
            (b"BZh9 is a word", FileFormat::Other),
            (b"\x1f\x8b\x08", FileFormat::Gzip),
            (b"\xfd7zXZ\0", FileFormat::Xz),
            (b"\x50\x2a\x4d\x18", FileFormat::Zstd),
            (b"PK\x05\x06", FileFormat::Zip),
            (b"]\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\0", FileFormat::Unread(LZMA)),
            (MAGIC, FileFormat::Parquet),
            (ENCRYPTED, FileFormat::Unread(ENCRYPTED_PARQUET)),
            (b"\x78\x9c\xab\x56\x4a\x04\0", FileFormat::Zlib),
            (b"\x78\x9c and text", FileFormat::Other),
            (b"x^2 + y^2", FileFormat::Other),
            (b"ORChards and ORCs", FileFormat::Other),
            (b"hsqs of text", FileFormat::Other),
            (b"{\0\"\0", FileFormat::Utf16Le),
            (b"\0[\0]", FileFormat::Utf16Be),
            (b"{\0\0\0\"\0\0\0", FileFormat::Utf32Le),
            (b"\0\0\0[\0\0\0{", FileFormat::Utf32Be),
            (b"\xff\xfe\0\0{\0\0\0", FileFormat::Utf32Le),
            (b"\0\0\xfe\xff", FileFormat::Utf32Be),
            (b"\xff\xfe{\0", FileFormat::Utf16Le),
            (b"eyJldmVudE5hbWUiOiJBIn0=", FileFormat::Base64),
            (b"", FileFormat::Other),
            (b"B", FileFormat::Other),
            (b"version account-id", FileFormat::Other),
            (b"{}", FileFormat::Other),
            (&[0; 512], FileFormat::Other),
        ] {
            assert_eq!(recognize(head), format, "{head:?}");
        }
    }

    #[test]
    fn formats_that_are_not_read_have_names() {
        for (head, name) in [
            (&b"7z\xbc\xaf\x27\x1c"[..], "a 7-Zip archive"),
            (b"Rar!\x1a\x07\x01\0", "a RAR archive"),
            (b"PK\x07\x08PK\x03\x04", "a part of a split zip archive"),
            (b"ORC\x08\x03\x10\x01", "an ORC file"),
            (b"Obj\x01\x04\x14avro", "an Avro file"),
            (b"SQLite format 3\0\x10", "an SQLite database"),
            (b"\xd4\xc3\xb2\xa1\x02\0", "a capture of network packets"),
            (b"\x04\x22\x4d\x18\x64", "compressed with LZ4"),
            (b"\xff\x06\0\0sNaPpY\0", "compressed with Snappy"),
            (b"Salted__\x01\x02", "encrypted by OpenSSL"),
            (b"U2FsdGVkX18rAAAA", "encrypted by OpenSSL"),
            (b"age-encryption.org/v1\n", "encrypted with age"),
            (b"-----BEGIN PGP MESSAGE-----\n", "encrypted with PGP"),
            (b"7b226576656e744e616d65223a2241222c22", "text in hexadecimal"),
            (b"00000000: 7b22 6576 656e", "a hexadecimal dump"),
            (b"begin 644 a.json\nM>R)", "uuencoded"),
            (b"Received: from mail by host", "an e-mail message"),
            (b"\x8c\x0d\x04\x09\x03\x02", "encrypted with PGP"),
            (b"\x85\x02\x0c\x03\xaa", "encrypted with PGP"),
            (b"\xc1\xc0\x4c\x03\xaa", "encrypted with PGP"),
            (b"\xc3\x0d\x04\x09\x03", "encrypted with PGP"),
        ] {
            match recognize(head) {
                FileFormat::Unread(format) => assert_eq!(format.name, name),
                other => panic!("{other:?} {head:?}"),
            }
        }
    }
}
