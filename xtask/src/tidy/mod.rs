//! Checks that no other tool does: dependencies between and inside crates, structure of files, and
//! links.
//!
//! A finding is one line that names its location. All findings are collected before the task fails,
//! so that one run shows everything to fix.

mod arrows;
mod links;
mod modules;
mod rooms;
mod sources;
mod texts;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// A text file of the repository.
struct SourceFile {
    /// Path relative to the repository, with `/` as the separator.
    path: String,
    text: String,
}

/// Runs all checks.
pub(crate) fn run(repository: &Path) -> Result<()> {
    let files = read_files(repository)?;
    let mut findings = arrows::check(repository)?;
    findings.extend(modules::check(&files));
    findings.extend(rooms::check(&files));
    findings.extend(links::check(repository, &files));
    findings.extend(files.iter().flat_map(sources::check));
    findings.extend(files.iter().flat_map(texts::check));
    findings.extend(texts::check_changelog(&files));
    if findings.is_empty() {
        println!("{} files are tidy", files.len());
        return Ok(());
    }
    for finding in &findings {
        eprintln!("tidy: {finding}");
    }
    bail!("{} untidy places", findings.len())
}

/// Reads all text files of the repository, sorted by path.
fn read_files(repository: &Path) -> Result<Vec<SourceFile>> {
    let mut files = Vec::new();
    let mut folders = vec![repository.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder)
            .with_context(|| format!("reading the folder `{}`", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let path = entry.path();
            let kind = entry.file_type()?;
            if is_left_out(&path) {
                continue;
            }
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file()
                && let Ok(text) = fs::read_to_string(&path)
            {
                files.push(SourceFile { path: relative(repository, &path), text });
            }
        }
    }
    files.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(files)
}

/// Returns true for Git's own files and for build output.
fn is_left_out(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name == ".git" || name == "target" || name == "book"
}

fn relative(repository: &Path, path: &Path) -> String {
    let below: PathBuf = path.strip_prefix(repository).unwrap_or(path).to_owned();
    below.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}
