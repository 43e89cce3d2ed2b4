//! Formats files of SPL, and the searches in files of YAML.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use spilltrail_content::{FormatFailure, Formatted, format_file, formattable};
use spilltrail_diagnostic::{Code, Diagnostic, Span};

use crate::whole_file;

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormatOutcome {
    /// It has no search, or its search is formatted already.
    Same,
    /// Formatting changes it; the file was written unless it was only to be checked.
    Changed(Formatted),
    /// It stays as it is, for these reasons.
    Failed(FormatFailure),
}

/// Whether files are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormatMode {
    /// Changed files are replaced.
    Write,
    /// Nothing is written.
    Check,
}

/// Formats files, and the files of SPL and YAML in folders, and passes each to `sink`; files that the
/// caller names are SPL unless their names say YAML.
///
/// # Errors
/// Returns the error of `sink`, after which no more files are formatted.
pub fn format<E>(
    paths: &[PathBuf],
    mode: FormatMode,
    mut sink: impl FnMut(&Path, FormatOutcome) -> Result<(), E>,
) -> Result<(), E> {
    for path in paths {
        if !path.is_dir() {
            sink(path, format_one(path, mode))?;
            continue;
        }
        let (files, refused) = match formattable(path) {
            Ok(found) => found,
            Err(error) => {
                sink(path, failed(Code::UNREADABLE, format!("cannot open the folder: {error}")))?;
                continue;
            }
        };
        for problem in refused {
            let diagnostics = vec![problem.diagnostic];
            let failure = FormatFailure { diagnostics, text: problem.source_text.to_string() };
            sink(&problem.path, FormatOutcome::Failed(failure))?;
        }
        if files.is_empty() {
            let message = "no file ends in .spl, .yml or .yaml".to_owned();
            sink(path, failed(Code::NO_CONTENT, message))?;
        }
        for file in files {
            sink(&file, format_one(&file, mode))?;
        }
    }
    Ok(())
}

fn format_one(path: &Path, mode: FormatMode) -> FormatOutcome {
    let formatted = match format_file(path) {
        Ok(formatted) => formatted,
        Err(failure) => return FormatOutcome::Failed(failure),
    };
    let Some(after) = formatted.after.as_ref().filter(|_| formatted.is_changed()) else {
        return FormatOutcome::Same;
    };
    if mode == FormatMode::Write
        && let Err(error) = replace(path, after.as_bytes())
    {
        return failed(Code::UNREADABLE, format!("cannot write the file: {error}"));
    }
    FormatOutcome::Changed(formatted)
}

fn failed(code: Code, message: String) -> FormatOutcome {
    // The place is the start, so that the file or the folder is named.
    let diagnostics = vec![Diagnostic::error(code, message).at(Span::new(0, 0))];
    FormatOutcome::Failed(FormatFailure { diagnostics, text: String::new() })
}

/// Replaces a file, or what a link leads to.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = fs::canonicalize(path)?;
    let permissions = fs::metadata(&path)?.permissions();
    if permissions.readonly() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is read-only"));
    }
    whole_file::replace(&path, |file| {
        file.write_all(bytes)?;
        file.set_permissions(permissions)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes(paths: &[PathBuf], mode: FormatMode) -> Vec<(String, FormatOutcome)> {
        let mut found = Vec::new();
        let done: Result<(), ()> = format(paths, mode, |path, outcome| {
            found.push((path.file_name().unwrap().to_string_lossy().into_owned(), outcome));
            Ok(())
        });
        assert_eq!(done, Ok(()));
        found
    }

    #[test]
    fn files_and_folders_are_formatted() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("a.spl", "a=1|head");
        write("b.yml", "name: B\nsearch: a=1 | head\n");
        write("c.yml", "name: C\n");
        write("d.spl", "a=\"");
        write("e.txt", "a=1|head");
        let paths = [folder.path().to_owned(), folder.path().join("e.txt")];
        for mode in [FormatMode::Check, FormatMode::Write, FormatMode::Write] {
            let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
            let before = read("a.spl");
            let found = outcomes(&paths, mode);
            let names: Vec<_> = found.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, ["a.spl", "b.yml", "c.yml", "d.spl", "e.txt"]);
            let is_first = before == "a=1|head";
            for (name, outcome) in &found {
                let is_right = match name.as_str() {
                    "c.yml" => *outcome == FormatOutcome::Same,
                    "d.spl" => matches!(outcome, FormatOutcome::Failed(_)),
                    _ if is_first => matches!(outcome, FormatOutcome::Changed(_)),
                    _ => *outcome == FormatOutcome::Same,
                };
                assert!(is_right, "{name}: {outcome:?}");
            }
            if mode == FormatMode::Check {
                assert_eq!(read("a.spl"), "a=1|head");
            } else {
                assert_eq!(read("a.spl"), "a=1\n| head\n");
                assert_eq!(read("b.yml"), "name: B\nsearch: |-\n  a=1\n  | head\n");
                assert_eq!(read("e.txt"), "a=1\n| head\n");
            }
            assert_eq!((read("c.yml").as_str(), read("d.spl").as_str()), ("name: C\n", "a=\""));
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 5);
        }
    }

    #[test]
    fn what_is_not_there_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let found = outcomes(
            &[folder.path().to_owned(), folder.path().join("missing.spl")],
            FormatMode::Write,
        );
        assert!(found.iter().all(|(_, outcome)| matches!(outcome, FormatOutcome::Failed(_))));
        assert_eq!(found.len(), 2);
    }

    #[test]
    #[cfg(unix)]
    fn permissions_and_links_stay() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("a.spl"), folder.path().join("link.spl"));
        fs::write(&file, "a=1|head").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&file, &link).unwrap();
        outcomes(std::slice::from_ref(&link), FormatMode::Write);
        assert_eq!(fs::read_to_string(&file).unwrap(), "a=1\n| head\n");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }
}
