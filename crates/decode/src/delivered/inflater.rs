//! Inflates a gzip file in a single step.

use libdeflater::Decompressor;
use memchr::memmem;

/// The maximum size of a file that is inflated in a single step; a larger file is streamed.
pub const MAX_WHOLE: usize = 4 * 1024 * 1024;

/// The first bytes of every gzip member; the third is the only compression method.
const MAGIC: &[u8] = &[0x1f, 0x8b, 0x08];
/// The size of the header and trailer of the shortest member.
const LEAST: usize = 18;

/// Inflates one file at a time into a buffer that is reused.
pub(crate) struct Inflater {
    decompressor: Decompressor,
    text: Vec<u8>,
}

impl std::fmt::Debug for Inflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inflater").field("held", &self.text.len()).finish_non_exhaustive()
    }
}

impl Inflater {
    pub(crate) fn new() -> Self {
        Self { decompressor: Decompressor::new(), text: Vec::new() }
    }

    /// Returns the text of a file that is plain JSON or a single valid gzip member, and at most
    /// [`MAX_WHOLE`] long.
    pub(crate) fn text<'a>(&'a mut self, file: &'a [u8]) -> Option<&'a [u8]> {
        if !file.starts_with(MAGIC) {
            let is_json = matches!(file.first(), Some(b'{' | b'[' | b' ' | b'\n' | b'\r' | b'\t'));
            return (is_json && file.len() <= MAX_WHOLE).then_some(file);
        }
        // A member ends with the length of its text. It is certainly the only member if the magic
        // bytes do not occur again.
        let length = u32::from_le_bytes(*file.last_chunk::<4>()?) as usize;
        if file.len() < LEAST || length > MAX_WHOLE || memmem::find(&file[1..], MAGIC).is_some() {
            return None;
        }
        if self.text.len() < length {
            self.text.resize(length, 0);
        }
        // This call also verifies the checksum.
        let written = self.decompressor.gzip_decompress(file, &mut self.text[..length]).ok()?;
        (written == length).then(|| &self.text[..length])
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn one_sound_member_or_plain_text() {
        let mut inflater = Inflater::new();
        let mut text = |file: &[u8]| inflater.text(file).map(<[u8]>::to_vec);
        let member = gzip(b"{\"a\":1}");
        assert_eq!(text(&member).as_deref(), Some(&b"{\"a\":1}"[..]));
        assert_eq!(text(b"[1]").as_deref(), Some(&b"[1]"[..]));
        let twice = [member.clone(), member.clone()].concat();
        let padded = [member.clone(), vec![0; 8]].concat();
        let followed = [member.clone(), b"more".to_vec()].concat();
        let mut corrupt = member.clone();
        corrupt[14] ^= 0x10;
        let mut lying = member.clone();
        let last = lying.len() - 4;
        lying[last] += 1;
        let bomb = gzip(&vec![b' '; MAX_WHOLE + 1]);
        for file in [&twice, &padded, &followed, &corrupt, &lying, &bomb] {
            assert_eq!(text(file), None);
        }
        for file in [&b""[..], b"PK\x03\x04", &member[..10], &member[..member.len() - 1]] {
            assert_eq!(text(file), None);
        }
    }
}
