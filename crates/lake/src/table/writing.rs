//! Writes the files of the table.
//!
//! The library could do that, but it takes no views: each text would be copied once more, and again on its
//! way through the store of objects.

use std::collections::HashMap;
use std::fs::{self, File};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use deltalake_core::kernel::Add;
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::errors::ParquetError;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tempfile::{Builder, TempPath};

use super::cluster::Sorted;
use super::{EventTable, rows, stats};
use crate::error::TableError;

/// What stands for an empty text as the value of a folder, as in Hive. In the log, it is none.
const EMPTY: &str = "__HIVE_DEFAULT_PARTITION__";

/// What is not itself in the name of a folder.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// The random part of the name of a file: as much as 128 bits.
const RANDOM_LETTERS: usize = 22;

/// Files that are being written, one after the other. Until they are all on the disk, they are deleted if
/// anything fails: a disk that is full gets its room back.
#[derive(Debug)]
pub(super) struct Files {
    table: PathBuf,
    open: Option<OpenFile>,
    ended: Vec<(TempPath, Add)>,
}

/// The file of a folder.
#[derive(Debug)]
struct OpenFile {
    /// The index and the day.
    values: [String; 2],
    path: TempPath,
    /// The path within the table.
    inside: String,
    writer: ArrowWriter<File>,
}

impl Files {
    /// Begins files of a table.
    pub(super) fn of(table: &EventTable) -> Self {
        Self { table: table.folder.clone(), open: None, ended: Vec::new() }
    }

    /// Adds rows to the file of a folder: those at places in the order. The rows of a folder come one after
    /// the other.
    pub(super) fn write(
        &mut self,
        rows: &Sorted,
        places: Range<usize>,
        folder: [&str; 2],
    ) -> Result<(), TableError> {
        let open = match self.open.take() {
            Some(open) if open.values == folder => open,
            other => {
                self.end_one(other)?;
                OpenFile::create(&self.table, folder)?
            }
        };
        let open = self.open.insert(open);
        for part in rows.parts(places, &rows::schema_of_files()) {
            let written = open.writer.write(&part?);
            written.map_err(|source| unwritten(&open.path, source))?;
        }
        Ok(())
    }

    fn end_one(&mut self, open: Option<OpenFile>) -> Result<(), TableError> {
        if let Some(open) = open {
            self.ended.push(open.end()?);
        }
        Ok(())
    }

    /// Ends the files, and waits until they are on the disk: a commit must not name files that a loss of
    /// power takes away.
    pub(super) fn end(mut self, table: &EventTable) -> Result<Vec<Add>, TableError> {
        let open = self.open.take();
        self.end_one(open)?;
        let paths: Vec<PathBuf> = self.ended.iter().map(|(path, _)| path.to_path_buf()).collect();
        table.disk.sync(&paths)?;
        let kept = self.ended.into_iter().map(|(path, file)| match path.keep() {
            Ok(_) => Ok(file),
            Err(error) => {
                Err(TableError::Folder { path: error.path.to_path_buf(), source: error.error })
            }
        });
        kept.collect()
    }
}

impl OpenFile {
    fn create(table: &Path, [index, day]: [&str; 2]) -> Result<Self, TableError> {
        let values = [index, day].map(str::to_owned);
        let [index, day] = [0, 1].map(|place| named(rows::PARTITIONS[place], &values[place]));
        let folder = table.join(&index).join(&day);
        let failed = |source| TableError::Folder { path: folder.clone(), source };
        fs::create_dir_all(&folder).map_err(failed)?;
        let mut new = Builder::new();
        new.prefix("part-").suffix(".zstd.parquet").rand_bytes(RANDOM_LETTERS);
        // Whoever may look into the folder may read its files, as any other.
        #[cfg(unix)]
        new.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let (file, path) = new.tempfile_in(&folder).map_err(failed)?.into_parts();
        // Programs that read it take texts as any file has them, and not as they are in memory here.
        let options = ArrowWriterOptions::new().with_properties(rows::properties());
        let options = options.with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(file, rows::schema_of_files(), options);
        let writer = writer.map_err(|source| unwritten(&path, source))?;
        // The name that was made for it is ASCII.
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let inside = format!("{index}/{day}/{name}");
        Ok(Self { values, path, inside, writer })
    }

    fn end(self) -> Result<(TempPath, Add), TableError> {
        let Self { values, path, inside, writer } = self;
        let metadata = writer.close().map_err(|source| unwritten(&path, source))?;
        let failed = |source| TableError::Folder { path: path.to_path_buf(), source };
        let file = fs::metadata(&path).map_err(failed)?;
        let modified = file.modified().map_err(failed)?;
        let modified = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
        let values = rows::PARTITIONS
            .into_iter()
            .zip(values)
            .map(|(name, value)| (name.to_owned(), Some(value).filter(|value| !value.is_empty())));
        let add = Add {
            path: inside,
            partition_values: values.collect::<HashMap<_, _>>(),
            size: i64::try_from(file.len()).unwrap_or(i64::MAX),
            modification_time: i64::try_from(modified.as_millis()).unwrap_or(i64::MAX),
            data_change: true,
            stats: Some(stats::of(&metadata).to_string()),
            ..Add::default()
        };
        Ok((path, add))
    }
}

/// Returns the name of a folder for the value of a column, as in Hive.
fn named(column: &str, value: &str) -> String {
    match value {
        "" => format!("{column}={EMPTY}"),
        value => format!("{column}={}", utf8_percent_encode(value, ESCAPED)),
    }
}

fn unwritten(path: &Path, source: ParquetError) -> TableError {
    TableError::Write { path: path.to_owned(), source }
}
