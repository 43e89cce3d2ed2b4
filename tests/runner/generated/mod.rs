//! Tests that the generated pages of the book are up to date. With `BLESS` set, writes them.
//!
//! The documentation of commands, functions and diagnostics is data next to their code. [`pages`]
//! converts it to Markdown. A few hand-written files contain a generated part between two markers.

mod coverage;
mod pages;
mod reference;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Folders in which all Markdown files are generated.
const FOLDERS: &[&str] = &[
    "docs/src/reference/commands",
    "docs/src/reference/functions",
    "docs/src/reference/statistics",
];

const BEGIN: &str = "<!-- generated: cargo xtask codegen -->";
const END: &str = "<!-- end of the generated part -->";

/// The generated content of a file.
enum Content {
    /// The whole file is generated.
    Whole(String),
    /// Only the part between the markers is generated.
    Part(String),
}

#[test]
fn generated_pages_are_fresh() -> Result<()> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let bless = std::env::var_os("BLESS").is_some();
    let mut stale = Vec::new();
    let pages = pages::all();
    for (path, content) in &pages {
        let file = repository.join(path);
        let found = fs::read_to_string(&file).unwrap_or_default();
        let wanted = match content {
            Content::Whole(text) => text.clone(),
            Content::Part(text) => {
                with_part(&found, text).with_context(|| path.display().to_string())?
            }
        };
        if found != wanted {
            stale.push(path.display().to_string());
            if bless {
                write(&file, &wanted)?;
            }
        }
    }
    for path in left_over(&repository, &pages)? {
        stale.push(path.display().to_string());
        if bless {
            fs::remove_file(repository.join(path))?;
        }
    }
    if !bless && !stale.is_empty() {
        bail!("run `cargo xtask codegen` and commit these: {}", stale.join(", "));
    }
    Ok(())
}

fn write(file: &Path, text: &str) -> Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(file, text).with_context(|| file.display().to_string())
}

/// Returns `text` with the part between the markers replaced by `part`.
fn with_part(text: &str, part: &str) -> Result<String> {
    let (before, rest) =
        text.split_once(BEGIN).context("the marker of the beginning is missing")?;
    let (_, after) = rest.split_once(END).context("the marker of the end is missing")?;
    Ok(format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", part.trim()))
}

/// Returns the files in generated folders that are no longer generated.
fn left_over(repository: &Path, pages: &BTreeMap<PathBuf, Content>) -> Result<Vec<PathBuf>> {
    let mut left_over = Vec::new();
    for folder in FOLDERS {
        let Ok(entries) = fs::read_dir(repository.join(folder)) else { continue };
        for entry in entries {
            let path = Path::new(folder).join(entry?.file_name());
            if !pages.contains_key(&path) {
                left_over.push(path);
            }
        }
    }
    left_over.sort();
    Ok(left_over)
}
