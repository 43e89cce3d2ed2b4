//! Reads Parquet files, as Athena, Firehose and Security Lake write them.
//!
//! Each row becomes JSON and then goes the way of all events: a CloudTrail record if the columns have
//! CloudTrail's names, in any case (`schema`, with the rules of `csv`), an OCSF event, or else a row
//! that is searched for events inside it like any other JSON. Only the columns that searches can
//! read are read of CloudTrail and OCSF tables (`need`), and row groups in which no event can match
//! are only counted (`prune`). A damaged row group costs its own rows. What a file makes its reader
//! allocate is checked first (`thrift`, `pages`, `delta`); what remains is caught (`guard`).

mod covered;
mod delta;
mod guard;
mod json;
mod leads;
mod need;
mod pages;
mod prune;
mod schema;
mod source;
mod stored;
mod thrift;

use std::collections::VecDeque;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;
use parquet::arrow::FieldLevels;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, RowSelection};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData};
use parquet::file::reader::Length;

use crate::inflate::{ReadSeek, shown};
use crate::left_out::{Member, MemberSet};
use crate::record::{Format, MAX_RECORD};
use crate::report::{Damage, DamageKind};
pub(crate) use need::Need;
use pages::{Held, RowGroup};
use prune::Group;
use schema::{Projection, Schema};
use source::Source;
pub(crate) use stored::{Passed, Stored, StoredEvent, StoredStep};
use thrift::Refusal;

/// A file begins and ends with these bytes.
pub(crate) const MAGIC: &[u8; 4] = b"PAR1";
/// The same for a file whose footer is encrypted.
pub(crate) const ENCRYPTED: &[u8; 4] = b"PARE";

/// The maximum size of a footer.
const MAX_FOOTER: u32 = 16 * 1024 * 1024;
/// The number of rows of a batch: at most the first, and fewer if they would have more bytes than
/// the second.
const BATCH_ROWS: u64 = 1024;
const BATCH_BYTES: u64 = 4 * 1024 * 1024;
/// Text of rows below this is never a decompression bomb; beyond it, so many bytes of text for each
/// byte of the file are one. A row counts for at least [`LEAST_ROW`] bytes.
const BOMB_FLOOR: u64 = 64 * 1024 * 1024;
const BOMB_RATIO: u64 = 1000;
const LEAST_ROW: u64 = 16;

/// A file whose footer was read.
pub(crate) struct Parquet {
    source: Source,
    metadata: ParquetMetaData,
    schema: Schema,
    /// Tells the file from others.
    identity: String,
    /// What of the file no row group has, if that is more than writers leave.
    left_out: Option<Damage>,
}

/// The next item of a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A row, which begins in the row group at this offset.
    Row { offset: u64 },
    /// Something that could not be read.
    Damage(Damage),
}

fn damage(offset: u64, kind: DamageKind, message: impl Into<String>) -> Damage {
    Damage { offset, kind, message: message.into() }
}

impl Parquet {
    /// Reads the footer of a file.
    pub(crate) fn open(file: Box<dyn ReadSeek + Send>) -> Result<Self, Damage> {
        let unread = |error: io::Error| damage(0, DamageKind::Io, error.to_string());
        let source = Source::new(file).map_err(unread)?;
        let footer = footer(&source)?;
        let corrupt = |text: &str| {
            let message = format!("the footer of the Parquet file is damaged: {text}");
            damage(source.len(), DamageKind::CorruptCompression, message)
        };
        let opened = guard::caught(|| {
            let metadata = ParquetMetaDataReader::decode_metadata(&footer)?;
            let schema = Schema::new(metadata.file_metadata().schema_descr())?;
            Ok((metadata, schema))
        });
        match opened {
            Some(Ok((metadata, schema))) => {
                let mut hasher = DefaultHasher::new();
                footer.hash(&mut hasher);
                let identity = format!("{:x}", hasher.finish());
                let left_out = covered::what_is_left_out(&source, &metadata, footer.len() as u64);
                Ok(Self { source, metadata, schema, identity, left_out })
            }
            Some(Err(ParquetError::NYI(reason))) => {
                let message = format!("the Parquet file cannot be read: {}", shown(&reason));
                Err(damage(source.len(), DamageKind::UnreadableEntry, message))
            }
            Some(Err(error)) => Err(corrupt(&plain(&error.to_string()))),
            None => Err(corrupt("what it says is impossible")),
        }
    }

    /// Returns the format of all rows, or `None` if each row has to be looked at.
    pub(crate) fn format(&self) -> Option<Format> {
        self.schema.format
    }

    /// Returns a text that is the same for copies of the file, and seldom for others: its footer has
    /// the sizes and bounds of all columns.
    pub(crate) fn identity(&self) -> &str {
        &self.identity
    }

    /// Returns the members of which the table has at least a part.
    pub(crate) fn members(&self) -> MemberSet {
        let has =
            |member: &Member| member.needed_paths().iter().any(|path| self.schema.has_member(path));
        Member::ALL.into_iter().filter(has).collect()
    }

    /// Returns the member of records whose keys the names of columns join in a way that is not known.
    pub(crate) fn oddly_joined(&self) -> Option<&'static str> {
        self.schema.oddly_joined()
    }

    /// Returns an event with all outermost members that events of the file can have.
    pub(crate) fn names(&self) -> String {
        self.schema.names_of_members()
    }

    /// Returns the number of bytes that were read of the file.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.source.bytes_read()
    }

    /// Returns the rows, with what is needed of them; `None` is everything.
    pub(crate) fn rows(&self, need: Option<Need>) -> Rows<'_> {
        Rows {
            file: self,
            need,
            next: 0,
            current: None,
            projections: [None, None],
            waiting: self.left_out.iter().cloned().collect(),
            written: 0,
            has_ended: false,
        }
    }
}

/// Returns the footer of a file, which can be decoded.
fn footer(source: &Source) -> Result<Vec<u8>, Damage> {
    let unread = |error: io::Error| damage(0, DamageKind::Io, error.to_string());
    let early = || {
        let message = "the Parquet file ends early, without the footer that says what is in it; \
                       nothing in it was read";
        damage(source.len(), DamageKind::TruncatedCompression, message)
    };
    let start = source.len().checked_sub(8).ok_or_else(early)?;
    let end = source.read(start, 8).map_err(unread)?;
    let (length, magic) = end.split_first_chunk::<4>().ok_or_else(early)?;
    let length = u32::from_le_bytes(*length);
    if magic != MAGIC {
        return Err(early());
    }
    let wrong = |refusal: Refusal| {
        let (kind, text) = match refusal {
            Refusal::Encrypted => (DamageKind::UnreadableEntry, "its columns are encrypted"),
            Refusal::TooComplex => (DamageKind::UnreadableEntry, "it has too many columns"),
            Refusal::Ends | Refusal::Wrong => {
                (DamageKind::CorruptCompression, "its footer is damaged")
            }
        };
        damage(source.len(), kind, format!("the Parquet file cannot be read: {text}"))
    };
    let start = start.checked_sub(u64::from(length)).ok_or_else(|| wrong(Refusal::Wrong))?;
    if length > MAX_FOOTER {
        let message = format!(
            "the Parquet file cannot be read: what its footer says of its row groups is larger than {} \
             MiB; write it anew with fewer of them",
            MAX_FOOTER / 1024 / 1024
        );
        return Err(damage(source.len(), DamageKind::UnreadableEntry, message));
    }
    let footer = source.read(start, length as usize).map_err(unread)?;
    thrift::check_footer(&footer).map_err(wrong)?;
    Ok(footer)
}

/// Returns the message of an error without the names of the types around it, on one line.
fn plain(message: &str) -> String {
    let mut rest = message;
    let prefixes =
        ["Parquet error: ", "Parquet argument error: ", "EOF: ", "Arrow: ", "External: ", "NYI: "];
    while let Some(inner) = prefixes.iter().find_map(|prefix| rest.strip_prefix(prefix)) {
        rest = inner;
    }
    shown(rest)
}

/// The rows of a file, one after another.
pub(crate) struct Rows<'a> {
    file: &'a Parquet,
    need: Option<Need>,
    /// The index of the next row group.
    next: usize,
    current: Option<Reading>,
    /// How row groups are read, and how those whose events are only counted.
    projections: [Option<Projection>; 2],
    waiting: VecDeque<Damage>,
    /// The number of bytes of text that were written.
    written: u64,
    has_ended: bool,
}

/// A row group that is being read.
struct Reading {
    index: usize,
    offset: u64,
    reader: ParquetRecordBatchReader,
    /// The index of its projection.
    projection: usize,
    held: Arc<Held>,
    batch: Option<RecordBatch>,
    /// The next row of the batch.
    row: usize,
    /// The number of rows that are left.
    left: u64,
}

impl Rows<'_> {
    /// Sets `text` to the next row; returns `None` at the end.
    pub(crate) fn next(&mut self, text: &mut String) -> Option<Step> {
        loop {
            if let Some(damage) = self.waiting.pop_front() {
                return Some(Step::Damage(damage));
            }
            if self.has_ended {
                return None;
            }
            let Some(current) = &mut self.current else {
                self.begin()?;
                continue;
            };
            let Some(batch) = current.batch.as_ref().filter(|b| current.row < b.num_rows()) else {
                self.read_on();
                continue;
            };
            text.clear();
            let Some(projection) = &mut self.projections[current.projection] else { return None };
            let remarks = projection.writer.write(batch.columns(), current.row, text);
            current.row += 1;
            self.written = self.written.saturating_add(LEAST_ROW.max(text.len() as u64));
            let (index, offset) = (current.index, current.offset);
            let mut warn = |kind, message: &str| {
                self.waiting.push_back(in_group(index, offset, kind, message));
            };
            for cell in &remarks.cells {
                warn(DamageKind::UnreadableCell, cell);
            }
            if remarks.has_invalid_utf8 {
                let message = "the text is not UTF-8; the event is kept";
                warn(DamageKind::InvalidUtf8, message);
            }
            if remarks.is_too_large {
                let limit = MAX_RECORD / 1024 / 1024;
                let message = format!("a row of more than {limit} MiB is left out");
                warn(DamageKind::RecordTooLarge, &message);
                continue;
            }
            self.check_size();
            return Some(Step::Row { offset });
        }
    }

    /// Ends reading if far more text comes out of the file than logs ever have.
    fn check_size(&mut self) {
        let most = self.file.source.len().saturating_mul(BOMB_RATIO).max(BOMB_FLOOR);
        if self.written > most {
            self.has_ended = true;
            let message = format!(
                "more than {BOMB_RATIO} bytes of text came out of each byte of the Parquet file; \
                 the rest is not read"
            );
            self.waiting.push_back(damage(0, DamageKind::DecompressionBomb, message));
        }
    }

    /// Begins the next row group; returns `None` if there is none.
    fn begin(&mut self) -> Option<()> {
        let index = self.next;
        let metadata = &self.file.metadata;
        let group = metadata.row_groups().get(index)?;
        self.next += 1;
        let offset = group
            .columns()
            .first()
            .map_or(0, |column| u64::try_from(column.data_page_offset()).unwrap_or(0));
        let opened = guard::caught(|| self.open(group));
        match opened {
            Some(Ok((reader, projection, held))) => {
                let left = group_rows(group);
                let reading =
                    Reading { index, offset, reader, projection, held, batch: None, row: 0, left };
                self.current = Some(reading);
            }
            Some(Err(ParquetError::NYI(reason))) => {
                self.waiting.push_back(in_group(
                    index,
                    offset,
                    DamageKind::UnreadableEntry,
                    &format!("{}; it is not read", shown(&reason)),
                ));
            }
            Some(Err(error)) => {
                self.give_up(index, offset, &plain(&error.to_string()), group_rows(group));
            }
            None => {
                self.give_up(index, offset, "what its pages say is impossible", group_rows(group));
            }
        }
        Some(())
    }

    /// Returns the reader of a row group, with the index of its projection.
    fn open(
        &mut self,
        group: &RowGroupMetaData,
    ) -> Result<(ParquetRecordBatchReader, usize, Arc<Held>), ParquetError> {
        let Parquet { metadata, schema, .. } = self.file;
        let described = Group { metadata, group, schema };
        let (members, place) = match &self.need {
            None => (None, 0),
            Some(need) if described.is_ruled_out(need) => (Some(&need.counted), 1),
            Some(need) => (need.members.as_ref(), 0),
        };
        let projection = match self.projections[place].take() {
            Some(projection) => projection,
            None => schema.project(members)?,
        };
        let projection = self.projections[place].insert(projection);
        let Projection { levels, leaves, .. } = projection;
        let (reader, held) = reader_of(self.file, group, leaves, levels, None)?;
        Ok((reader, place, held))
    }

    /// Reads the next batch of the current row group, or leaves it.
    fn read_on(&mut self) {
        let Some(mut current) = self.current.take() else { return };
        current.batch = None;
        current.held.begin_batch();
        let read = guard::caught(|| current.reader.next());
        let Reading { index, offset, left, .. } = current;
        match read {
            Some(Some(Ok(batch))) => {
                current.left = left.saturating_sub(batch.num_rows() as u64);
                current.row = 0;
                current.batch = Some(batch);
                self.current = Some(current);
            }
            Some(None) if left == 0 => {}
            Some(None) => self.give_up(index, offset, "its columns end early", left),
            Some(Some(Err(error))) => self.give_up(index, offset, &plain(&error.to_string()), left),
            None => self.give_up(index, offset, "what its pages say is impossible", left),
        }
    }

    fn give_up(&mut self, index: usize, offset: u64, reason: &str, left: u64) {
        let rows = if left == 1 { "1 row is".to_owned() } else { format!("{left} rows are") };
        let message = format!("it is damaged: {reason}; {rows} not read");
        self.waiting.push_back(in_group(index, offset, DamageKind::CorruptCompression, &message));
    }
}

/// Returns the reader of some leaves of a row group, or of some of its rows.
fn reader_of(
    file: &Parquet,
    group: &RowGroupMetaData,
    leaves: &[usize],
    levels: &FieldLevels,
    rows: Option<RowSelection>,
) -> Result<(ParquetRecordBatchReader, Arc<Held>), ParquetError> {
    let mut size = 0u64;
    for leaf in leaves {
        let missing = || ParquetError::General(format!("column {leaf} is missing"));
        let column = group.columns().get(*leaf).ok_or_else(missing)?;
        let name = match column.compression() {
            Compression::BROTLI(_) => Some("brotli"),
            Compression::LZO => Some("LZO"),
            _ => None,
        };
        if let Some(name) = name {
            return Err(ParquetError::NYI(format!("it is compressed with {name}")));
        }
        let bytes = u64::try_from(column.uncompressed_size()).unwrap_or(u64::MAX);
        size = size.saturating_add(bytes);
    }
    let row = (size / group_rows(group).max(1)).max(1);
    let batch = (BATCH_BYTES / row).clamp(1, BATCH_ROWS) as usize;
    let held = Arc::new(Held::default());
    let Parquet { source, metadata, .. } = file;
    let pages = RowGroup { source, metadata, group, held: held.clone() };
    let reader = ParquetRecordBatchReader::try_new_with_row_groups(levels, &pages, batch, rows)?;
    Ok((reader, held))
}

fn group_rows(group: &RowGroupMetaData) -> u64 {
    u64::try_from(group.num_rows()).unwrap_or(0)
}

/// Returns a damage in a row group; people count from one.
fn in_group(index: usize, offset: u64, kind: DamageKind, message: &str) -> Damage {
    damage(offset, kind, format!("row group {}: {message}", index + 1))
}

/// The rows of a file as lines of JSON.
pub(crate) struct Lines<'a> {
    rows: Rows<'a>,
    line: String,
    at: usize,
    damages: Damages,
}

/// The damages that were found while lines were read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Damages(Arc<Mutex<Vec<Damage>>>);

impl Damages {
    /// Returns the damages since the last call.
    pub(crate) fn take(&self) -> Vec<Damage> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<'a> Lines<'a> {
    pub(crate) fn new(rows: Rows<'a>) -> Self {
        Self { rows, line: String::new(), at: 0, damages: Damages::default() }
    }

    pub(crate) fn damages(&self) -> Damages {
        self.damages.clone()
    }
}

impl Read for Lines<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.line.len() {
            self.at = 0;
            match self.rows.next(&mut self.line) {
                Some(Step::Row { .. }) => self.line.push('\n'),
                Some(Step::Damage(damage)) => {
                    self.line.clear();
                    self.damages.0.lock().unwrap_or_else(PoisonError::into_inner).push(damage);
                }
                None => {
                    self.line.clear();
                    return Ok(0);
                }
            }
        }
        let rest = &self.line.as_bytes()[self.at..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Ok(count)
    }
}
