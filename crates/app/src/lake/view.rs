//! Opens the events of a lake as logs: those in its table, and those that have just arrived.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use spilltrail_event::stored;
use spilltrail_lake::{ListedBatch, RowsBuilder, TableFile, View, file_of};
use spilltrail_source::{
    KeptTable, Logs, ReadOptions as LogOptions, StoredFacts, StoredPlace, StoredTable,
};

use super::arrived::rows_of;
use super::damages::Damages;
use super::{findings, lake_in};
use crate::error::{AppError, blocking};

const MICROS: f64 = 1e6;

/// Opens the events that a lake has at this moment. What comes later is not seen. Damages of what was ingested
/// are problems of the lake if somebody `asks`; the runs of a server tell them when they happen.
///
/// # Errors
/// Fails if the folder has no lake, or if it cannot be read.
pub(crate) async fn open(folder: &Path, asks: bool, options: LogOptions) -> Result<Logs, AppError> {
    let failed = |reason: String| AppError::Lake { path: folder.to_owned(), reason };
    let lake = lake_in(folder)?;
    let view =
        View::open(&lake.log(), &lake.table()).await.map_err(|error| failed(error.to_string()))?;
    let of_table = view.files().to_vec();
    let (mut tables, damaged) = blocking(move || whole_tables(&of_table)).await?;
    let arrived = view.arrived().map_err(|error| failed(error.to_string()))?;
    let aside = view.set_aside().map_err(|error| failed(error.to_string()))?;
    let problems = (aside > 0).then(|| {
        let are = if aside == 1 { "batch of events is" } else { "batches of events are" };
        let reason = format!("{aside} {are} damaged and set aside; their events are not read");
        (lake.log().display().to_string(), reason)
    });
    let view = Arc::new(Mutex::new(view));
    tables.extend(arrived.into_iter().map(|batch| kept(batch, &view)));
    let of_server = folder.to_owned();
    let findings = blocking(move || findings::tables(&of_server)).await?;
    tables.extend(findings.map_err(|error| failed(error.to_string()))?);
    let mut problems: Vec<_> = problems.into_iter().chain(damaged).collect();
    if asks {
        let of_lake = folder.to_owned();
        problems.extend(blocking(move || Damages::of(&of_lake)).await?.told());
    }
    Ok(Logs::of_stored(tables, problems, options))
}

/// Returns the files of the table, and why some of them cannot be those that it has. A file that looks like
/// something else, such as an empty one, would be taken for one without events.
fn whole_tables(files: &[TableFile]) -> (Vec<StoredTable>, Vec<(String, String)>) {
    let (mut tables, mut damaged) = (Vec::new(), Vec::new());
    for file in files {
        let reason = match std::fs::metadata(&file.path) {
            Ok(found) if !found.is_file() => Some("it is no file".to_owned()),
            Ok(found) if found.len() != file.bytes => {
                Some(format!("it has {} bytes, and {} were written", found.len(), file.bytes))
            }
            // Why it cannot be opened is told by whoever opens it.
            Ok(_) | Err(_) => None,
        };
        match reason {
            Some(reason) => {
                let events = if file.rows == 1 { "event is" } else { "events are" };
                let reason = format!("it is damaged: {reason}; {} {events} not read", file.rows);
                damaged.push((file.path.display().to_string(), reason));
            }
            None => tables.push(table_of(file)),
        }
    }
    (tables, damaged)
}

fn table_of(file: &TableFile) -> StoredTable {
    let seconds = |(first, last): (i64, i64)| (first as f64 / MICROS, last as f64 / MICROS);
    StoredTable {
        name: file.path.display().to_string().into(),
        place: StoredPlace::File(file.path.clone()),
        size: file.bytes,
        facts: StoredFacts {
            index: file.index.as_str().into(),
            events: file.rows,
            times: file.min_time.zip(file.max_time).map(seconds),
            // What senders gave beside an event can have lists, as rows have.
            has_rows: file.has_fields
                || !file.formats.as_ref().is_some_and(|(least, most)| {
                    least == stored::WITH_LEADS && most == stored::WITH_LEADS
                }),
        },
    }
}

fn kept(batch: ListedBatch, view: &Arc<Mutex<View>>) -> StoredTable {
    StoredTable {
        name: format!("events that arrived as batch {}", batch.number).into(),
        size: batch.bytes,
        facts: StoredFacts {
            index: batch.index.as_str().into(),
            events: batch.events,
            times: None,
            has_rows: batch.format != stored::WITH_LEADS,
        },
        place: StoredPlace::Kept(Arc::new(Arrived { view: view.clone(), number: batch.number })),
    }
}

/// A batch that is not in the table yet.
#[derive(Debug)]
struct Arrived {
    view: Arc<Mutex<View>>,
    number: u64,
}

impl KeptTable for Arrived {
    fn bytes(&self) -> io::Result<Vec<u8>> {
        let failed = |error: &dyn std::error::Error| io::Error::other(error.to_string());
        let view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        let batch = view.batch(self.number).map_err(|error| failed(&error))?;
        drop(view);
        let batch = batch.ok_or_else(|| io::Error::other("the batch is not there any more"))?;
        let mut rows = RowsBuilder::new();
        rows_of(&batch, &mut rows, &mut |_| ()).map_err(|error| failed(&error))?;
        file_of(&rows.finish()).map_err(|error| failed(&error))
    }
}
