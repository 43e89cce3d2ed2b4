//! Recognizes archives and compressions that are not read, so that they are not taken for files without
//! logs.

/// The bytes by which formats are recognized: their offset, and what the format is called.
const FORMATS: &[(usize, &[u8], &str)] = &[
    (257, b"ustar", "a tar archive"),
    (0, b"BZh", "compressed with bzip2"),
    (0, b"\xfd7zXZ\0", "compressed with xz"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (0, b"Rar!\x1a\x07", "a RAR archive"),
    (0, b"\x1f\x8b", "compressed with gzip twice"),
    (0, b"\x04\x22\x4d\x18", "compressed with LZ4"),
    (0, b"PAR1", "a Parquet file"),
    (0, b"PK\x03\x04", "a zip archive in another archive"),
];

/// Returns what a file is that begins so; `None` if it is no archive.
pub(super) fn format(head: &[u8]) -> Option<&'static str> {
    let is = |(offset, magic, _): &&(usize, &[u8], &str)| {
        head.get(*offset..).is_some_and(|rest| rest.starts_with(magic))
    };
    FORMATS.iter().find(is).map(|(_, _, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_are_known_by_their_first_bytes() {
        let mut tar = vec![b'a'; 512];
        tar[257..262].copy_from_slice(b"ustar");
        assert_eq!(format(&tar), Some("a tar archive"));
        assert_eq!(format(b"BZh91AY"), Some("compressed with bzip2"));
        for text in [&b""[..], b"B", b"version account-id", b"{}"] {
            assert_eq!(format(text), None);
        }
    }
}
