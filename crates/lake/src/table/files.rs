//! The files of the table, and what its log knows of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use deltalake_core::arrow::array::{Array, AsArray, RecordBatch};
use deltalake_core::arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use jiff::civil::Date;
use percent_encoding::percent_decode_str;

use super::EventTable;
use crate::error::TableError;

/// A file of the table that counts.
///
/// It is Parquet, with a row for each event and these columns. Any of them may be null but `_indextime`, and
/// one may be missing in a file that is older than the column.
///
/// | Column | Type | What it has |
/// |---|---|---|
/// | `_time` | timestamp, microseconds, UTC | the time of the event |
/// | `_indextime` | the same | when it arrived |
/// | `source`, `sourcetype`, `host` | text | where it is from |
/// | `format` | text | the format in which the text is read, by its name |
/// | `fields` | text | what the sender gave beside the text, as a JSON object |
/// | `_raw` | text | the text, byte for byte; with U+FFFD for what is not UTF-8 in it |
/// | `_raw_bytes` | bytes | the text, byte for byte, if it is not UTF-8; null otherwise |
/// | those of [`LEADS`](spilltrail_event::stored::LEADS) | text | these fields of the text, if the mover found them |
///
/// The index and the day are not columns of the file, because all its rows have them in common.
///
/// A reader need not open a file whose index it does not search, or whose times are all before or after
/// its range. Rows are in no order that it could rely on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFile {
    /// Where it is. It stays there until [`EventTable::vacuum`] deletes it.
    pub path: PathBuf,
    /// The index of its events.
    pub index: String,
    /// The day of its events, in UTC. `None` for events without a time, or with one outside of the years
    /// 1 to 9999.
    pub day: Option<Date>,
    /// The number of its events.
    pub rows: u64,
    /// Its size in bytes.
    pub bytes: u64,
    /// No event has an earlier time, in microseconds since the epoch. `None` if no event has a time.
    pub min_time: Option<i64>,
    /// No event has a later time, in microseconds since the epoch. `None` if no event has a time. The
    /// log has times to the millisecond, so that the last event may be up to a millisecond earlier.
    pub max_time: Option<i64>,
    /// The first and the last name of the formats of the events, in the order of bytes.
    pub formats: Option<(String, String)>,
    /// Whether the log says that senders gave fields beside the texts of some events. A table of an older
    /// version does not say.
    pub has_fields: bool,
    /// No event arrived later, in microseconds since the epoch, in the same way.
    pub max_received: Option<i64>,
}

/// What the table holds of an index.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IndexSize {
    /// The index.
    pub index: String,
    /// The number of files.
    pub files: u64,
    /// The number of events.
    pub events: u64,
    /// The size of the files in bytes.
    pub bytes: u64,
    /// The time of the first event, in microseconds since the epoch, rounded down to milliseconds.
    pub first_time: Option<i64>,
    /// The time of the last event, in the same way.
    pub last_time: Option<i64>,
}

/// The log has times in milliseconds, rounded down: this is how much later an event may be.
const ROUNDED: i64 = 999;

impl EventTable {
    /// Returns the files that count, as of the last time that the log was read.
    ///
    /// # Errors
    /// Fails if the log cannot be read, or if it lacks what it should say of a file.
    pub fn files(&self) -> Result<Vec<TableFile>, TableError> {
        let mut files = Vec::new();
        for batch in self.table.snapshot()?.add_actions_batches(true)? {
            for row in 0..batch.num_rows() {
                files.push(file(&batch, row, &self.folder)?);
            }
        }
        Ok(files)
    }

    /// Returns what the table holds of each index, by name, without reading any file.
    ///
    /// # Errors
    /// Fails if the log cannot be read.
    pub fn indexes(&self) -> Result<Vec<IndexSize>, TableError> {
        let mut indexes: BTreeMap<String, IndexSize> = BTreeMap::new();
        for file in self.files()? {
            let size = indexes.entry(file.index.clone()).or_default();
            size.index = file.index;
            size.files += 1;
            size.events += file.rows;
            size.bytes += file.bytes;
            size.first_time = size.first_time.into_iter().chain(file.min_time).min();
            let last = file.max_time.map(|time| time.saturating_sub(ROUNDED));
            size.last_time = size.last_time.into_iter().chain(last).max();
        }
        Ok(indexes.into_values().collect())
    }
}

/// Returns what a row of the log's table of files says.
fn file(batch: &RecordBatch, row: usize, folder: &Path) -> Result<TableFile, TableError> {
    let column = |name: &str| batch.column_by_name(name).filter(|column| column.is_valid(row));
    let text = |name: &str| Some(column(name)?.as_string_opt::<i32>()?.value(row));
    let count = |name: &str| {
        let count = column(name)?.as_primitive_opt::<Int64Type>()?.value(row);
        u64::try_from(count).ok()
    };
    let time =
        |name: &str| Some(column(name)?.as_primitive_opt::<TimestampMicrosecondType>()?.value(row));
    let path = text("path").ok_or_else(|| TableError::Log("a file without a path".to_owned()))?;
    let path = folder.join(percent_decode_str(path).decode_utf8_lossy().as_ref());
    let lacks = |what: &str| TableError::Log(format!("{} without {what}", path.display()));
    let later = |time: i64| time.saturating_add(ROUNDED);
    Ok(TableFile {
        // Delta has no empty text as the value of a folder; it is none.
        index: text("partition.index").unwrap_or_default().to_owned(),
        day: text("partition.day").and_then(|day| day.parse().ok()),
        rows: count("num_records").ok_or_else(|| lacks("a number of rows"))?,
        bytes: count("size_bytes").ok_or_else(|| lacks("a size"))?,
        min_time: time("min._time"),
        max_time: time("max._time").map(later),
        formats: text("min.format")
            .zip(text("max.format"))
            .map(|(least, most)| (least.to_owned(), most.to_owned())),
        has_fields: count("null_count.fields")
            .zip(count("num_records"))
            .is_some_and(|(absent, rows)| absent < rows),
        max_received: time("max._indextime").map(later),
        path,
    })
}
