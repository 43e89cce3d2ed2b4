//! Snapshots of the commands in README and book on narrow terminals.
//!
//! The documents show the output at 100 columns. A snapshot contains the commands of a document
//! whose output is different at another width. With `BLESS` set, the snapshots are written.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::blocks::{self, Shell};
use crate::{DOCUMENTED, documents, repository, run_at, without_times};

/// The widths besides that of the documents.
const NARROW: [u16; 2] = [60, 80];

#[test]
fn narrow_terminals_are_as_their_snapshots_show() -> Result<()> {
    let bless = std::env::var_os("BLESS").is_some();
    let mut differences = String::new();
    let mut wanted = Vec::new();
    for document in documents()? {
        for width in NARROW {
            let fresh = snapshot(&document, width)?;
            let file = file_of(&document, width)?;
            if fresh.is_empty() {
                continue;
            }
            let known = fs::read_to_string(&file).unwrap_or_default();
            if without_times(&fresh) != without_times(&known) {
                let path = file.display();
                differences += &format!("{path}:\n--- expected\n{known}--- printed\n{fresh}");
                if bless {
                    fs::create_dir_all(folder())?;
                    fs::write(&file, fresh)?;
                }
            }
            wanted.push(file);
        }
    }
    for entry in fs::read_dir(folder()).into_iter().flatten() {
        let file = entry?.path();
        if !wanted.contains(&file) {
            differences += &format!("{}: no document prints this\n", file.display());
            if bless {
                fs::remove_file(&file)?;
            }
        }
    }
    ensure!(bless || differences.is_empty(), "{differences}");
    Ok(())
}

/// Returns the commands of a document whose output is not that of the document's own width.
fn snapshot(document: &Path, width: u16) -> Result<String> {
    let text = fs::read_to_string(document)?;
    let mut snapshot = String::new();
    for block in blocks::of(&text, Shell::Console) {
        for command in blocks::commands(block.text) {
            let narrow = run_at(&command, width)?.shown;
            if without_times(&narrow) != without_times(&run_at(&command, DOCUMENTED)?.shown) {
                snapshot += &narrow;
            }
        }
    }
    Ok(snapshot)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/documents/snapshots")
}

/// Returns the file of a snapshot, such as `docs-src-guides-hunt.60.txt`.
fn file_of(document: &Path, width: u16) -> Result<PathBuf> {
    let path = document.strip_prefix(repository()).context("documents are in the repository")?;
    let name = path.with_extension("").display().to_string().replace('/', "-");
    Ok(folder().join(format!("{name}.{width}.txt")))
}
