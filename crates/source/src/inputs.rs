//! What a user names as logs, as a list of files.

use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::NamedTempFile;
use walkdir::WalkDir;

/// A file to read.
#[derive(Debug, Clone)]
pub struct LogFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its name in messages and in the field `source`.
    pub name: Arc<str>,
    /// Its size in bytes.
    pub size: u64,
}

/// Something named as logs that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct InputProblem {
    /// What was named, or the file in a named folder.
    pub name: String,
    /// Why it cannot be read.
    pub reason: String,
}

impl InputProblem {
    fn new(name: impl Into<String>, reason: impl ToString) -> Self {
        Self { name: name.into(), reason: reason.to_string() }
    }
}

/// The files that were named, in the order named; those of a folder sorted by path.
#[derive(Debug, Default)]
pub(crate) struct Inputs {
    pub(crate) files: Vec<LogFile>,
    pub(crate) problems: Vec<InputProblem>,
    /// Standard input, put by so that it can be read more than once.
    pub(crate) spooled: Option<NamedTempFile>,
}

impl Inputs {
    /// Lists what `names` stand for: files, folders, patterns, and `-` for standard input.
    pub(crate) fn list(names: &[String], standard_input: &mut dyn Read) -> Self {
        let mut inputs = Self::default();
        for name in names {
            if name == "-" {
                inputs.spool(standard_input);
            } else {
                inputs.add(name);
            }
        }
        inputs
    }

    fn spool(&mut self, input: &mut dyn Read) {
        if self.spooled.is_some() {
            return;
        }
        let spooled = NamedTempFile::new().and_then(|mut file| {
            std::io::copy(input, &mut file)?;
            file.rewind()?;
            Ok(file)
        });
        match spooled {
            Ok(file) => {
                let size = file.as_file().metadata().map_or(0, |metadata| metadata.len());
                self.files.push(LogFile { path: file.path().to_owned(), name: "-".into(), size });
                self.spooled = Some(file);
            }
            Err(error) => self.problems.push(InputProblem::new("standard input", error)),
        }
    }

    fn add(&mut self, name: &str) {
        let path = Path::new(name);
        match path.metadata() {
            Ok(metadata) if metadata.is_dir() => self.walk(path),
            Ok(metadata) => self.push(path, metadata.len()),
            Err(_) if name.contains(['*', '?', '[']) => self.add_pattern(name),
            Err(error) => self.problems.push(InputProblem::new(name, error)),
        }
    }

    fn add_pattern(&mut self, pattern: &str) {
        let paths = match glob::glob(pattern) {
            Ok(paths) => paths,
            Err(error) => return self.problems.push(InputProblem::new(pattern, error)),
        };
        let mut found = false;
        for path in paths {
            found = true;
            match path {
                Ok(path) => match path.metadata() {
                    Ok(metadata) if metadata.is_dir() => self.walk(&path),
                    Ok(metadata) => self.push(&path, metadata.len()),
                    Err(error) => self.problem(&path, error),
                },
                Err(error) => self.problem(error.path(), &error),
            }
        }
        if !found {
            self.problems.push(InputProblem::new(pattern, "no file matches this pattern"));
        }
    }

    fn walk(&mut self, folder: &Path) {
        for entry in WalkDir::new(folder).follow_links(true).sort_by_file_name() {
            match entry {
                Ok(entry) if entry.file_type().is_file() => match entry.metadata() {
                    Ok(metadata) => self.push(entry.path(), metadata.len()),
                    Err(error) => self.problem(entry.path(), error),
                },
                Ok(_) => {}
                Err(error) => {
                    let path = error.path().unwrap_or(folder).to_owned();
                    self.problem(&path, error);
                }
            }
        }
    }

    fn push(&mut self, path: &Path, size: u64) {
        let name = path.display().to_string().into();
        self.files.push(LogFile { path: path.to_owned(), name, size });
    }

    fn problem(&mut self, path: &Path, reason: impl ToString) {
        self.problems.push(InputProblem::new(path.display().to_string(), reason));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_patterns_and_standard_input() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("b")).unwrap();
        for name in ["b/2.json", "b/1.json", "a.gz"] {
            std::fs::write(folder.path().join(name), "{}").unwrap();
        }
        let root = folder.path().display().to_string();
        let names = |inputs: &[String]| {
            let listed = Inputs::list(inputs, &mut "{}".as_bytes());
            let names: Vec<String> = listed
                .files
                .iter()
                .map(|file| file.name.trim_start_matches(&root).to_owned())
                .collect();
            (names, listed.problems.len())
        };
        assert_eq!(names(std::slice::from_ref(&root)).0, ["/a.gz", "/b/1.json", "/b/2.json"]);
        assert_eq!(names(&[format!("{root}/b/*.json")]).0, ["/b/1.json", "/b/2.json"]);
        assert_eq!(names(&["-".to_owned()]).0, ["-"]);
        assert_eq!(names(&[format!("{root}/none"), format!("{root}/none*")]), (vec![], 2));
    }
}
