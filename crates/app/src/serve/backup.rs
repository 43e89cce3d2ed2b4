//! Copies a data folder while a server works in it, so that the copy is one that a server can go on with.
//!
//! Findings are copied first, so that they know of no event that the copied lake lacks, and then the log of
//! arriving events: again, until no move and no run for late events has ended meanwhile. Then the table is copied as it is then:
//! each event is in it or in the log.

use std::fs;
use std::io;
use std::path::Path;

use spilltrail_lake::{EventTable, LakeError, TableFile, WalReader};
use spilltrail_store::StoreReader;

use super::folder::DataFolder;
use crate::error::{AppError, blocking};
use crate::lake::DAMAGED_INPUTS;

/// What a copy has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    /// The number of files of the table.
    pub files: u64,
    /// The bytes of all that was copied.
    pub bytes: u64,
}

/// The folder of the table's own log.
const LOG: &str = "_delta_log";

/// How often the log is copied before a backup is given up, because events moved meanwhile each time.
const MOST_COPIES: u32 = 20;

/// The files beside the databases and the table that a server needs again.
const BESIDE: &[&str] = &["hec-tokens.json", "api-token", DAMAGED_INPUTS];

/// Copies a data folder to another one, which must not be there or be empty.
///
/// # Errors
/// Fails if no server has worked in the folder, if the other one has something in it, or if something cannot
/// be read or written. What was copied by then is removed: a part of a data folder looks like all of one.
pub async fn copy_data(from: &Path, to: &Path) -> Result<Copied, AppError> {
    let is_empty = fs::read_dir(to).map_or(true, |mut entries| entries.next().is_none());
    let copied = copy_all(from, to).await;
    if copied.is_err() && is_empty {
        let entries = fs::read_dir(to).into_iter().flatten().filter_map(Result::ok);
        for path in entries.map(|entry| entry.path()) {
            // The first error is the one to report.
            let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        }
    }
    copied
}

async fn copy_all(from: &Path, to: &Path) -> Result<Copied, AppError> {
    let (source, target) = (DataFolder::new(from), DataFolder::new(to));
    let failed = |path: &Path, reason: String| AppError::Lake { path: path.to_owned(), reason };
    if !source.store().is_file() || !source.lake().is_there() {
        return Err(failed(from, "no server has worked in this folder".to_owned()));
    }
    let is_empty = fs::read_dir(to).map_or(true, |mut entries| entries.next().is_none());
    if !is_empty {
        return Err(failed(to, "there is something in it; name a new folder".to_owned()));
    }
    super::make_private(to).map_err(|error| failed(to, error.to_string()))?;
    let unreadable = |error: LakeError| failed(from, error.to_string());
    let table = EventTable::find(&source.lake().table()).await.map_err(LakeError::from);
    let mut table = table.map_err(unreadable)?;
    let mut moved = last_number(table.as_ref()).await.map_err(unreadable)?;
    let copied = {
        let (source, target) = (source.clone(), target.clone());
        blocking(move || copy_beside(&source, &target)).await?
    };
    copied.map_err(|reason| failed(from, reason))?;
    // The table must not know of batches whose numbers the copied log would give out again, and the log
    // must have noted the times of all that the table has.
    for attempt in 1.. {
        let (of, to) = (source.clone(), target.clone());
        let copied = blocking(move || copy_databases(&of, &to)).await?;
        let is_whole = copied.map_err(|reason| failed(from, reason))?;
        match &mut table {
            Some(table) => table.refresh().await.map_err(LakeError::from).map_err(unreadable)?,
            None => {
                let found = EventTable::find(&source.lake().table()).await;
                table = found.map_err(LakeError::from).map_err(unreadable)?;
            }
        }
        let now = last_number(table.as_ref()).await.map_err(unreadable)?;
        if now == moved && is_whole {
            break;
        }
        if attempt == MOST_COPIES {
            let reason = "events move to the table, or runs end, faster than the databases can be copied; \
                          try again later";
            return Err(failed(from, reason.to_owned()));
        }
        moved = now;
    }
    if let Some(table) = table {
        let files = table.files().map_err(|error| failed(from, error.to_string()))?;
        let version = table.version();
        let to = target.lake().table();
        // The files are named from there.
        let from = source.lake().table().canonicalize();
        let from = from.map_err(|error| failed(source.path(), error.to_string()))?;
        let copy = move || copy_table(&from, &to, &files, version);
        blocking(copy).await?.map_err(|error| failed(source.path(), error.to_string()))?;
    }
    let of = target.path().to_owned();
    let sizes = blocking(move || sizes(&of)).await?;
    sizes.map_err(|error| failed(to, error.to_string()))
}

/// Returns the number of the last batch that is in a table.
async fn last_number(table: Option<&EventTable>) -> Result<u64, LakeError> {
    match table {
        Some(table) => Ok(table.last_number().await?),
        None => Ok(0),
    }
}

/// Copies the log as it is now, in place of a copy of before.
fn copy_log(log: &Path, to: &Path) -> Result<(), String> {
    match fs::remove_file(to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.to_string()),
        _ => {}
    }
    let log = WalReader::open(log).map_err(|error| error.to_string())?;
    log.copy_to(to).map_err(|error| error.to_string())
}

/// Copies lookups, tokens and the certificate of the server.
fn copy_beside(source: &DataFolder, target: &DataFolder) -> Result<(), String> {
    let text = |error: &dyn std::error::Error| error.to_string();
    for name in BESIDE {
        copy_if_there(&source.path().join(name), &target.path().join(name))
            .map_err(|error| text(&error))?;
    }
    // Clients may trust the certificate that the server has made.
    let tls = source.path().join("tls");
    if tls.is_dir() {
        super::make_private(&target.path().join("tls")).map_err(|error| text(&error))?;
        copy_folder(&tls, &target.path().join("tls")).map_err(|error| text(&error))?;
    }
    copy_folder(&source.lookups(), &target.lookups()).map_err(|error| text(&error))
}

/// Copies findings, and then the log of arriving events. Returns false if a run ended meanwhile that was
/// made again for late events: these may no longer be noted in the log, and the copy would not know of the run.
fn copy_databases(source: &DataFolder, target: &DataFolder) -> Result<bool, String> {
    let text = |error: &dyn std::error::Error| error.to_string();
    let store = StoreReader::open(&source.store()).map_err(|error| text(&error))?;
    match fs::remove_file(target.store()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(text(&error)),
        _ => {}
    }
    store.copy_to(&target.store()).map_err(|error| text(&error))?;
    copy_log(&source.lake().log(), &target.lake().log())?;
    let copy = StoreReader::open(&target.store()).map_err(|error| text(&error))?;
    let last = |store: &StoreReader| store.last_late_run().map_err(|error| text(&error));
    Ok(last(&store)? == last(&copy)?)
}

/// Copies the files that a version of the table has, and its log up to there.
fn copy_table(from: &Path, to: &Path, files: &[TableFile], version: u64) -> io::Result<()> {
    for TableFile { path: file, bytes, .. } in files {
        let inside = file.strip_prefix(from).map_err(io::Error::other)?;
        let to = to.join(inside);
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder)?;
        }
        if !fs::metadata(file)?.is_file() || fs::copy(file, to)? != *bytes {
            let reason = format!("{} is damaged: it is not what was written", file.display());
            return Err(io::Error::other(reason));
        }
    }
    fs::create_dir_all(to.join(LOG))?;
    for entry in fs::read_dir(from.join(LOG))? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // Commits and checkpoints begin with their version; `_last_checkpoint` is a hint that others make
        // do without.
        let of = name.split('.').next().and_then(|number| number.parse::<u64>().ok());
        if of.is_some_and(|of| of <= version) && entry.file_type()?.is_file() {
            copy_if_there(&entry.path(), &to.join(LOG).join(&*name))?;
        }
    }
    Ok(())
}

fn copy_if_there(from: &Path, to: &Path) -> io::Result<()> {
    match fs::copy(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        copied => copied.map(drop),
    }
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        match fs::metadata(entry.path()) {
            Ok(found) if found.is_dir() => copy_folder(&entry.path(), &to)?,
            Ok(found) if found.is_file() => copy_if_there(&entry.path(), &to)?,
            // What is neither, such as a pipe, is no lookup, and reading it may never end.
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn sizes(folder: &Path) -> io::Result<Copied> {
    let mut copied = Copied::default();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            let inside = sizes(&entry.path())?;
            copied.files += inside.files;
            copied.bytes += inside.bytes;
        } else {
            let is_of_table = entry.path().extension().is_some_and(|kind| kind == "parquet");
            copied.files += u64::from(is_of_table);
            copied.bytes += entry.metadata()?.len();
        }
    }
    Ok(copied)
}
