//! The floor: what reading these logs costs at the least.
//!
//! Every file is read, inflated whole with libdeflate, and three members of each record are found
//! with plain byte search, on one thread. That is less than any correct reader can do: nothing is
//! parsed, no escape is undone, no damage would be noticed. Costs are given as multiples of it, since
//! a ratio says the same on a fast machine and on a slow one.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use libdeflater::{DecompressionError, Decompressor};
use memchr::memmem::Finder;
use walkdir::WalkDir;

/// The task of this program that [`run`] is.
pub const TASK: &str = "floor";

/// Files larger than this, inflated, are not for a program that holds them whole.
const MAX_TEXT: usize = 4 << 30;

/// What was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Floor {
    /// How many files.
    pub files: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// How many bytes are in them.
    pub bytes_inflated: u64,
    /// How many records.
    pub records: u64,
    /// How many of those are GetObject calls.
    pub reads: u64,
}

/// Reads all objects below a folder.
pub fn run(folder: &Path) -> Result<Floor> {
    let mut floor = Floor::default();
    let mut inflater = Inflater { inner: Decompressor::new(), text: Vec::new() };
    let fields = Fields::new();
    for entry in WalkDir::new(folder) {
        let entry = entry.context("listing the logs")?;
        let path = entry.path();
        if entry.file_type().is_dir() || path.extension().is_none_or(|end| end != "gz") {
            continue;
        }
        let bytes = fs::read(path).with_context(|| format!("reading `{}`", path.display()))?;
        let text = inflater.inflate(&bytes);
        let text = text.with_context(|| format!("inflating `{}`", path.display()))?;
        floor.files += 1;
        floor.bytes += bytes.len() as u64;
        floor.bytes_inflated += text.len() as u64;
        fields.find(text, &mut floor);
    }
    ensure!(floor.files > 0, "no `.gz` files below `{}`", folder.display());
    Ok(floor)
}

struct Inflater {
    inner: Decompressor,
    /// Never made smaller, so that its pages are touched once.
    text: Vec<u8>,
}

impl Inflater {
    fn inflate(&mut self, bytes: &[u8]) -> Result<&[u8]> {
        // The last four bytes of a gzip file are its text's size; that is only a hint.
        let end = bytes.last_chunk::<4>().context("the file is too short")?;
        let mut size = (u32::from_le_bytes(*end) as usize).min(MAX_TEXT);
        loop {
            if self.text.len() < size {
                self.text.resize(size, 0);
            }
            match self.inner.gzip_decompress(bytes, &mut self.text) {
                Ok(length) => return Ok(&self.text[..length]),
                Err(DecompressionError::InsufficientSpace) if size < MAX_TEXT => {
                    size = (size * 2).clamp(1 << 16, MAX_TEXT);
                }
                Err(error) => bail!("{error}"),
            }
        }
    }
}

struct Fields {
    time: Finder<'static>,
    source: Finder<'static>,
    name: Finder<'static>,
}

impl Fields {
    fn new() -> Self {
        Self {
            time: Finder::new(r#""eventTime":""#),
            source: Finder::new(r#""eventSource":""#),
            name: Finder::new(r#""eventName":""#),
        }
    }

    /// Finds three fields of each record, in the order in which CloudTrail writes them. Within a JSON
    /// string their quotes would be escaped, so that a value never looks like them.
    fn find(&self, text: &[u8], floor: &mut Floor) {
        let mut at = 0;
        while let Some(time) = self.time.find(&text[at..]) {
            at += time + 13;
            let Some(source) = self.source.find(&text[at..]) else { break };
            at += source + 15;
            let Some(name) = self.name.find(&text[at..]) else { break };
            at += name + 13;
            floor.records += 1;
            floor.reads += u64::from(text[at..].starts_with(b"GetObject\""));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::{Files, Recipe, generate};

    #[test]
    fn it_reads_every_record() {
        let folder = tempfile::tempdir().unwrap();
        let recipe = Recipe { events: 2000, days: 1, seed: 3, files: Files::Of(500) };
        let truth = generate(&recipe, folder.path()).unwrap();
        let floor = run(folder.path()).unwrap();
        let total = |key: &str| truth["totals"][key].as_u64().unwrap();
        assert_eq!(floor.records, 2000);
        assert_eq!(floor.files, total("files"));
        assert_eq!(floor.bytes, total("bytes_gz"));
        assert_eq!(floor.bytes_inflated, total("bytes_json"));
        assert_eq!(Some(floor.reads), truth["event_names"]["GetObject"].as_u64());
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let message = || format!("{:#}", run(folder.path()).unwrap_err());
        assert!(message().starts_with("no `.gz` files below"));
        fs::write(folder.path().join("a.gz"), "not gzip at all").unwrap();
        assert!(message().contains("a.gz"), "{}", message());
    }
}
