//! Lakes: how their events are read in place of log files, and how log files come into one.

mod arrived;
mod damages;
mod findings;
mod ingest;
mod sizes;
mod view;

pub(crate) use arrived::{MovedRows, TEXT_SOURCETYPE};
pub(crate) use damages::FILE as DAMAGED_INPUTS;
pub use damages::damaged_inputs;
pub use ingest::{IngestOptions, Ingested, ingest};
pub(crate) use ingest::{Stamp, check_folder, ingest_into};
pub(crate) use sizes::origins;
pub use sizes::{IndexUse, index_sizes};
pub(crate) use view::open;

use std::path::Path;

use spilltrail_lake::LakeFolder;

use crate::error::AppError;

/// Returns the lake in a folder.
///
/// # Errors
/// Fails if there is none.
fn lake_in(folder: &Path) -> Result<LakeFolder, AppError> {
    let lake = LakeFolder::new(folder);
    if !lake.is_there() {
        let reason = "there is no lake in this folder; `spilltrail ingest` makes one".to_owned();
        return Err(AppError::Lake { path: folder.to_owned(), reason });
    }
    Ok(lake)
}
