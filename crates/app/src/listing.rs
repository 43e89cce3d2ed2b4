//! Lists the log files of a run, without files whose paths rule them out.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use spilltrail_event::{StopToken, TimeBounds};
use spilltrail_lake::{LakeFolder, Origins};
use spilltrail_search::analysis::{Analysis, OF_FINDINGS};
use spilltrail_source::{Logs, Progress, ReadOptions as LogOptions, Wanted};

use crate::error::{AppError, blocking};
use crate::lake;
use crate::options::{Lake, ReadOptions};
use crate::serve::DataFolder;
use crate::unread::{Times, Unread};

/// Returns the part of the logs in which the searches can match events, as far as it is known
/// before planning. `range` applies unless a search sets its own times, which take precedence.
pub(crate) fn wanted<'a>(
    range: TimeBounds,
    mut searches: impl Iterator<Item = &'a Analysis>,
) -> Wanted {
    let has_own_times = searches.any(|search| search.facts.has_own_times());
    if has_own_times { Wanted::default() } else { Wanted::in_time(range) }
}

/// Lists the log files that match `names`, or opens the lake that is read in place of them. Standard input
/// is read to its end. `stop` stops the listing and all later reading.
///
/// # Errors
/// Fails if no file is left to read, unless all files were skipped because of their time.
pub(crate) async fn list(
    names: &[String],
    read: &ReadOptions,
    wanted: Wanted,
    progress: Option<Progress>,
    stop: StopToken,
) -> Result<Arc<Logs>, AppError> {
    let options = LogOptions {
        profile: read.profile,
        sourcetype: read.sourcetype.clone(),
        index: read.index.clone(),
        duplicates: read.duplicates,
        progress,
        threads: read.threads,
        notice: read.notice.clone(),
        wanted,
        s3: read.s3.clone(),
        stop,
    };
    if let Some(Lake { folder, served }) = &read.lake {
        let is_served = served.is_some();
        let logs = lake::open(folder, !is_served, options).await?;
        if logs.files().is_empty() && !is_served {
            let unread = Unread::of(&logs, Times::Unused);
            if !unread.is_empty() {
                return Err(AppError::NoLogs { unread });
            }
            let reason = "the lake has no events; `spilltrail ingest` brings logs into it";
            return Err(AppError::Lake { path: folder.clone(), reason: reason.to_owned() });
        }
        return Ok(Arc::new(logs));
    }
    // Its files may hold events that were replaced, and lack those that have just arrived.
    if let Some(name) = names.iter().find(|name| LakeFolder::new(Path::new(name)).is_there()) {
        let reason = format!("it is a lake; write `--lake {name}`");
        return Err(AppError::Lake { path: name.into(), reason });
    }
    let names = names.to_vec();
    let listed = move || Logs::open(&names, Box::new(std::io::stdin()), options);
    let logs = blocking(listed).await?;
    if logs.files().is_empty() && logs.report().skips.is_empty() {
        return Err(AppError::NoLogs { unread: Unread::of(&logs, Times::Unused) });
    }
    if let Some(path) = in_a_lake(&logs) {
        let reason = "it is in a lake: name other folders, or write `--lake` and the lake's";
        return Err(AppError::Lake { path, reason: reason.to_owned() });
    }
    Ok(Arc::new(logs))
}

/// Returns the indexes that events can be in; `None` if events have none, as those of files.
///
/// # Errors
/// Fails if the lake cannot be read.
pub(crate) async fn indexes(read: &ReadOptions) -> Result<Option<BTreeSet<String>>, AppError> {
    let Some(Lake { folder, served }) = &read.lake else { return Ok(None) };
    let mut indexes: BTreeSet<String> = lake::index_sizes(folder).await?.into_keys().collect();
    if served.is_some() || DataFolder::new(folder).store().is_file() {
        indexes.extend(OF_FINDINGS.iter().map(|name| (*name).to_owned()));
    }
    Ok(Some(indexes))
}

/// Returns what events may say of where they are from, beside what is recognized: nothing of files, whose
/// names say it.
///
/// # Errors
/// Fails if the lake cannot be read.
pub(crate) async fn origins(read: &ReadOptions) -> Result<Origins, AppError> {
    match &read.lake {
        None => Ok(Origins::default()),
        Some(Lake { served: Some(sourcetypes), .. }) => {
            Ok(Origins { sourcetypes: sourcetypes.clone(), ..Origins::default() })
        }
        Some(Lake { folder, served: None }) => lake::origins(folder).await,
    }
}

/// Returns the first file that is part of a lake.
fn in_a_lake(logs: &Logs) -> Option<PathBuf> {
    let mut others: HashSet<PathBuf> = HashSet::new();
    let mut is_in_lake = |path: &Path| {
        for folder in path.ancestors().skip(1) {
            // What is above a known folder is known, too.
            if others.contains(folder) {
                break;
            }
            if LakeFolder::new(folder).is_there() {
                return true;
            }
            others.insert(folder.to_owned());
        }
        false
    };
    let mut paths = logs.files().iter().filter_map(|file| file.path());
    paths.find(|path| is_in_lake(path)).map(Path::to_owned)
}
