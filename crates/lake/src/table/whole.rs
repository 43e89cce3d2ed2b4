//! Looks for damages of the table that its library takes for a table with less in it.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use crate::error::TableError;

/// The folder of the table's own log.
const LOG: &str = "_delta_log";

/// How much of a commit is looked at. Its first action is far shorter.
const HEAD: u64 = 4096;

/// The actions with which a line of a commit begins.
const ACTIONS: [&str; 8] =
    ["add", "remove", "metaData", "protocol", "commitInfo", "txn", "cdc", "domainMetadata"];

/// Fails if a commit has no action, as after a loss of power: the files that it names would not be there, and
/// be deleted in the end.
///
/// # Errors
/// Fails also if the folder cannot be read.
pub(super) fn check_commits(table: &Path) -> Result<(), TableError> {
    let log = table.join(LOG);
    let failed = |source| TableError::Folder { path: log.clone(), source };
    let entries = match fs::read_dir(&log) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    let (mut commits, mut checkpoint) = (Vec::new(), None);
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        match version_of(&path) {
            Some((version, Kind::Commit)) => commits.push((version, path)),
            Some((version, Kind::Checkpoint)) => checkpoint = checkpoint.max(Some(version)),
            None => {}
        }
    }
    // A checkpoint has what those before it say, and nobody reads these. A server makes thousands a day.
    commits.retain(|(version, _)| checkpoint.is_none_or(|checkpoint| *version > checkpoint));
    for (_, path) in commits {
        let mut head = Vec::new();
        match File::open(&path).and_then(|file| file.take(HEAD).read_to_end(&mut head)) {
            Ok(_) => {}
            // Old commits are removed by whoever makes a checkpoint.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(error)),
        }
        if !has_action(&head) {
            return Err(TableError::EmptyCommit { path });
        }
    }
    Ok(())
}

/// Fails if files of events are in a folder that has no log: a new table would not have them.
///
/// # Errors
/// Fails also if the folder cannot be read.
pub(super) fn check_new(table: &Path) -> Result<(), TableError> {
    let failed = |source| TableError::Folder { path: table.to_owned(), source };
    for entry in fs::read_dir(table).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if name.to_string_lossy().starts_with("index=") {
            return Err(TableError::NoLog { path: table.to_owned() });
        }
    }
    Ok(())
}

/// What a file of the log is.
enum Kind {
    Commit,
    Checkpoint,
}

/// Returns the version of a file of the log, which its name begins with in twenty digits, and what it is.
fn version_of(path: &Path) -> Option<(u64, Kind)> {
    let (version, rest) = path.file_name()?.to_str()?.split_once('.')?;
    let kind = match rest {
        "json" => Kind::Commit,
        "checkpoint.parquet" => Kind::Checkpoint,
        _ => return None,
    };
    let is_whole = version.len() == 20 && version.bytes().all(|byte| byte.is_ascii_digit());
    Some((version.parse().ok().filter(|_| is_whole)?, kind))
}

fn has_action(head: &[u8]) -> bool {
    let head = String::from_utf8_lossy(head);
    ACTIONS.iter().any(|action| head.trim_start().starts_with(&format!("{{\"{action}\":")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_without_an_action_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let table = folder.path();
        assert!(check_commits(table).is_ok() && check_new(table).is_ok());
        fs::create_dir(table.join(LOG)).unwrap();
        let commit = |version: u32, text: &str| {
            fs::write(table.join(LOG).join(format!("{version:020}.json")), text).unwrap();
        };
        commit(0, "{\"commitInfo\":{}}\n");
        commit(1, "\n{\"add\":{");
        fs::write(table.join(LOG).join("_last_checkpoint"), "").unwrap();
        fs::write(table.join(LOG).join("tmp.json"), "").unwrap();
        assert!(check_commits(table).is_ok());
        for damaged in ["", "\n\n", "{}", "[]", "\0\0\0\0", "{\"other\":1}"] {
            commit(2, damaged);
            let error = check_commits(table).unwrap_err().to_string();
            assert!(error.contains("00000000000000000002.json"), "{damaged:?}: {error}");
        }
        // What a checkpoint has is not read any more.
        for (version, is_read) in [(1, true), (2, false)] {
            let checkpoint = format!("{version:020}.checkpoint.parquet");
            fs::write(table.join(LOG).join(checkpoint), "").unwrap();
            assert_eq!(check_commits(table).is_err(), is_read, "{version}");
        }
    }

    #[test]
    fn files_without_a_log_are_no_new_table() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("index=main")).unwrap();
        let error = check_new(folder.path()).unwrap_err().to_string();
        assert!(error.contains("_delta_log"), "{error}");
    }
}
