//! The formats that are recognized by their first bytes and not read.
//!
//! A file that may hold events must never look like one that holds none, so that each is called by
//! its name.

/// What a user can do about a file in a format that is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remedy {
    Unpack,
    Decrypt,
    Export,
    Join,
    Attachment,
}

impl Remedy {
    /// Returns the advice for a message.
    pub(crate) fn advice(self) -> &'static str {
        match self {
            Self::Unpack => "unpack it first",
            Self::Decrypt => "decrypt it first",
            Self::Export => "export its events as JSON or CSV first",
            Self::Join => "join its parts first",
            Self::Attachment => "save its attachments as files first",
        }
    }
}

/// A format that is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnreadFormat {
    pub(crate) name: &'static str,
    pub(crate) remedy: Remedy,
}

/// An Office document is a zip archive with an entry of this name.
pub(super) const OFFICE_ENTRY: &str = "[Content_Types].xml";
pub(super) const OFFICE: UnreadFormat =
    UnreadFormat { name: "an Office document (.xlsx, .docx)", remedy: Remedy::Export };
/// An OpenDocument file is a zip archive whose first entry has this name.
pub(super) const OPEN_DOCUMENT_ENTRY: &str = "mimetype";
pub(super) const OPEN_DOCUMENT: UnreadFormat =
    UnreadFormat { name: "an OpenDocument file (.ods, .odt)", remedy: Remedy::Export };
/// LZMA without a container has no magic number.
pub(super) const LZMA: UnreadFormat =
    UnreadFormat { name: "compressed with LZMA", remedy: Remedy::Unpack };

/// The bytes with which files of these formats begin.
const MAGICS: &[(&[u8], &str, Remedy)] = &[
    // Archives.
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", Remedy::Unpack),
    (b"Rar!\x1a\x07", "a RAR archive", Remedy::Unpack),
    (b"PK\x07\x08", "a part of a split zip archive", Remedy::Join),
    (b"PK00PK\x03\x04", "a part of a split zip archive", Remedy::Join),
    (b"MSCF\0\0\0\0", "a cabinet archive", Remedy::Unpack),
    (b"!<arch>\n", "an ar archive", Remedy::Unpack),
    (b"\xed\xab\xee\xdb", "an RPM package", Remedy::Unpack),
    (b"070701", "a cpio archive", Remedy::Unpack),
    (b"070702", "a cpio archive", Remedy::Unpack),
    (b"070707", "a cpio archive", Remedy::Unpack),
    (b"\xc7\x71", "a cpio archive", Remedy::Unpack),
    (b"xar!", "a xar archive", Remedy::Unpack),
    (b"hsqs", "a SquashFS image", Remedy::Unpack),
    // Compressions.
    (b"\x04\x22\x4d\x18", "compressed with LZ4", Remedy::Unpack),
    (b"\x02\x21\x4c\x18", "compressed with LZ4", Remedy::Unpack),
    (b"\x1f\x9d", "compressed with compress", Remedy::Unpack),
    (b"\x1f\xa0", "compressed with compress", Remedy::Unpack),
    (b"\x1f\x1e", "compressed with pack", Remedy::Unpack),
    (b"LZIP\x01", "compressed with lzip", Remedy::Unpack),
    (b"LRZI", "compressed with lrzip", Remedy::Unpack),
    (b"\x89LZO\0\x0d\x0a\x1a\x0a", "compressed with lzop", Remedy::Unpack),
    (b"\xff\x06\0\0sNaPpY", "compressed with Snappy", Remedy::Unpack),
    (b"bvx", "compressed with LZFSE", Remedy::Unpack),
    // Encrypted data.
    (b"Salted__", "encrypted by OpenSSL", Remedy::Decrypt),
    (b"U2FsdGVkX1", "encrypted by OpenSSL", Remedy::Decrypt),
    (b"age-encryption.org/", "encrypted with age", Remedy::Decrypt),
    (b"-----BEGIN AGE ENCRYPTED FILE-----", "encrypted with age", Remedy::Decrypt),
    (b"-----BEGIN PGP MESSAGE-----", "encrypted with PGP", Remedy::Decrypt),
    (b"-----BEGIN PKCS7-----", "encrypted or signed (PKCS #7)", Remedy::Decrypt),
    (b"-----BEGIN CMS-----", "encrypted or signed (CMS)", Remedy::Decrypt),
    (b"$ANSIBLE_VAULT;", "encrypted with Ansible Vault", Remedy::Decrypt),
    (b"\0GITCRYPT\0", "encrypted with git-crypt", Remedy::Decrypt),
    (b"LUKS\xba\xbe", "an encrypted disk", Remedy::Decrypt),
    // Texts of other bytes.
    (b"begin 600 ", "uuencoded", Remedy::Unpack),
    (b"begin 640 ", "uuencoded", Remedy::Unpack),
    (b"begin 644 ", "uuencoded", Remedy::Unpack),
    (b"begin 664 ", "uuencoded", Remedy::Unpack),
    (b"begin-base64 ", "uuencoded", Remedy::Unpack),
    (b"00000000: ", "a hexadecimal dump", Remedy::Unpack),
    (b"00000000  ", "a hexadecimal dump", Remedy::Unpack),
    (b"MIME-Version: ", "an e-mail message", Remedy::Attachment),
    (b"Received: from ", "an e-mail message", Remedy::Attachment),
    (b"Return-Path: <", "an e-mail message", Remedy::Attachment),
    (b"Delivered-To: ", "an e-mail message", Remedy::Attachment),
    // Files of tables, and of other programs that keep events.
    (b"Obj\x01", "an Avro file", Remedy::Export),
    (b"ORC", "an ORC file", Remedy::Export),
    (b"RCF", "an RCFile", Remedy::Export),
    (b"SEQ\x06", "a Hadoop sequence file", Remedy::Export),
    (b"ARROW1", "an Arrow file", Remedy::Export),
    (b"FEA1", "a Feather file", Remedy::Export),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", Remedy::Export),
    (b"SQLite format 3\0", "an SQLite database", Remedy::Export),
    (b"DUCK", "a DuckDB database", Remedy::Export),
    (b"PGDMP", "a dump of PostgreSQL", Remedy::Export),
    (b"ElfFile\0", "a Windows event log", Remedy::Export),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Office document (.xls, .doc)", Remedy::Export),
    (b"\xd4\xc3\xb2\xa1", "a capture of network packets", Remedy::Export),
    (b"\xa1\xb2\xc3\xd4", "a capture of network packets", Remedy::Export),
    (b"\x4d\x3c\xb2\xa1", "a capture of network packets", Remedy::Export),
    (b"\xa1\xb2\x3c\x4d", "a capture of network packets", Remedy::Export),
    (b"\x0a\x0d\x0d\x0a", "a capture of network packets", Remedy::Export),
    (b"bplist", "a property list", Remedy::Export),
    (b"%PDF-", "a PDF document", Remedy::Export),
];

/// Returns the format that is not read of a file that begins with `head`.
pub(super) fn recognize(head: &[u8]) -> Option<UnreadFormat> {
    if is_pgp(head) {
        return Some(UnreadFormat { name: "encrypted with PGP", remedy: Remedy::Decrypt });
    }
    if is_hexadecimal(head) {
        return Some(UnreadFormat { name: "text in hexadecimal", remedy: Remedy::Unpack });
    }
    let found = MAGICS.iter().find(|(magic, ..)| {
        // What begins with a few letters may be a text.
        let is_certain = magic.len() > 4 || !magic.iter().all(u8::is_ascii_graphic);
        head.starts_with(magic) && (is_certain || is_binary(head))
    });
    found.map(|(_, name, remedy)| UnreadFormat { name, remedy: *remedy })
}

/// Returns true unless the first bytes of a file are text.
fn is_binary(head: &[u8]) -> bool {
    head.iter().any(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace())
}

/// A message of PGP begins with the packet of a session key: encrypted for a key (tag 1, version 3),
/// or with a password (tag 3, version 4 or 5).
fn is_pgp(head: &[u8]) -> bool {
    let (tag, version) = match head {
        // The old form of a header, with a length of one or two bytes.
        [first @ (0x84 | 0x8c), _, version, ..] => ((first >> 2) & 0x0f, version),
        [first @ (0x85 | 0x8d), _, _, version, ..] => ((first >> 2) & 0x0f, version),
        // The new form, with a length below 192 in one byte, or below 8384 in two.
        [first @ (0xc1 | 0xc3), 0..=191, version, ..] => (first & 0x3f, version),
        [first @ (0xc1 | 0xc3), 192..=223, _, version, ..] => (first & 0x3f, version),
        _ => return false,
    };
    matches!((tag, version), (1, 3) | (3, 4..=6))
}

/// Returns true for the digits of JSON or of gzip.
fn is_hexadecimal(head: &[u8]) -> bool {
    /// `{"`, an object or array over several lines, an array of objects, and gzip.
    const STARTS: [&[u8]; 6] = [b"7b22", b"7b0a", b"7b0d0a", b"5b7b", b"5b0a", b"1f8b08"];
    const LOOKED_AT: usize = 32;
    let is_start = |start: &&[u8]| {
        head.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start))
    };
    head.len() >= LOOKED_AT
        && STARTS.iter().any(is_start)
        && head[..LOOKED_AT].iter().all(u8::is_ascii_hexdigit)
}
