//! How much is in each index of a lake, and where its events are from.

use std::collections::BTreeMap;
use std::path::Path;

use spilltrail_lake::{EventTable, LakeError, Origins, View, WalReader};

use super::lake_in;

use crate::error::{AppError, blocking};

/// Returns what the events of a lake say of where they are from.
///
/// # Errors
/// Fails if there is no lake in the folder, or if it cannot be read.
pub(crate) async fn origins(folder: &Path) -> Result<Origins, AppError> {
    let lake = lake_in(folder)?;
    let failed = |reason: String| AppError::Lake { path: folder.to_owned(), reason };
    let view = View::open(&lake.log(), &lake.table()).await;
    let view = view.map_err(|error| failed(error.to_string()))?;
    let origins = blocking(move || view.origins()).await?;
    origins.map_err(|error| failed(error.to_string()))
}

/// How much is in an index.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct IndexUse {
    /// The number of its events in the table.
    pub events: u64,
    /// The number of files with them.
    pub files: u64,
    /// The bytes of these files.
    pub bytes: u64,
    /// The number of its events that are not in the table yet. A text that nobody has looked at counts as
    /// one.
    pub waiting: u64,
    /// The time of the first event in the table, in seconds since the epoch.
    pub first: Option<f64>,
    /// The time of the last one.
    pub last: Option<f64>,
}

const MICROS: f64 = 1e6;

/// Returns the indexes of a lake by name, and how much is in each.
///
/// # Errors
/// Fails if there is no lake in the folder, or if it cannot be read.
pub async fn index_sizes(folder: &Path) -> Result<BTreeMap<String, IndexUse>, AppError> {
    let failed = |reason: String| AppError::Lake { path: folder.to_owned(), reason };
    let lake = lake_in(folder)?;
    let mut indexes: BTreeMap<String, IndexUse> = BTreeMap::new();
    // The log comes first: what leaves it meanwhile is in the table.
    let log = lake.log();
    let listed = blocking(move || WalReader::open(&log)?.list_after(0)).await?;
    let listed = listed.map_err(|error| failed(error.to_string()))?;
    let table = EventTable::find(&lake.table()).await.map_err(LakeError::from);
    let table = table.map_err(|error| failed(error.to_string()))?;
    let mut last = 0;
    if let Some(table) = table {
        let read = |error: spilltrail_lake::TableError| failed(error.to_string());
        last = table.last_number().await.map_err(read)?;
        for size in table.indexes().map_err(read)? {
            let seconds = |time: i64| time as f64 / MICROS;
            let of_index = IndexUse {
                events: size.events,
                files: size.files,
                bytes: size.bytes,
                waiting: 0,
                first: size.first_time.map(seconds),
                last: size.last_time.map(seconds),
            };
            indexes.insert(size.index, of_index);
        }
    }
    for batch in listed.into_iter().filter(|batch| batch.number > last) {
        indexes.entry(batch.index).or_default().waiting += batch.events;
    }
    Ok(indexes)
}
