//! The columns of the table, and rows of it.

use std::sync::Arc;

use deltalake_core::arrow::array::{
    Array, ArrayRef, BinaryViewBuilder, RecordBatch, StringViewBuilder,
    TimestampMicrosecondBuilder, new_null_array,
};
use deltalake_core::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use deltalake_core::arrow::error::ArrowError;
use deltalake_core::kernel::{DataType as DeltaType, StructField};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;

use spilltrail_event::stored::{self, LEADS};

use crate::batch::MAX_BATCH_EVENTS;
use crate::error::BatchError;

/// The columns by whose values files are put into folders.
pub(super) const PARTITIONS: [&str; 2] = ["index", "day"];

/// The folder of events without a time that has a day.
pub(super) const NO_DAY: &str = "none";

/// Columns whose values are long and the same in many rows. Each value is kept once.
const REPEATED: [&str; 3] = [stored::SOURCE, stored::SOURCETYPE, stored::HOST];

/// Rows that are read or left out together: about 50 MB of CloudTrail's texts.
const ROWS_OF_GROUP: usize = 40_000;

/// The microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// The most bytes of the texts of rows that are added together.
const MOST_BYTES: usize = 512 << 20;

/// The text of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Raw<'a> {
    /// A text that is known to be UTF-8.
    Text(&'a str),
    /// Bytes that may be none. They are kept byte for byte, and what is no UTF-8 in them is U+FFFD in the
    /// text.
    Bytes(&'a [u8]),
}

impl Default for Raw<'_> {
    fn default() -> Self {
        Self::Text("")
    }
}

impl<'a> From<&'a str> for Raw<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a [u8]> for Raw<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes)
    }
}

/// An event as a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EventRow<'a> {
    /// The index.
    pub index: &'a str,
    /// The time, in microseconds since the epoch. One outside of the years 1 to 9999 counts as none,
    /// because it has no day.
    pub time: Option<i64>,
    /// When the event arrived, in microseconds since the epoch.
    pub received: i64,
    /// The source.
    pub source: Option<&'a str>,
    /// The sourcetype.
    pub sourcetype: Option<&'a str>,
    /// The host.
    pub host: Option<&'a str>,
    /// The fields that the sender gave beside the text, as a JSON object.
    pub fields: Option<&'a str>,
    /// The format in which the text is read, by its name.
    pub format: &'a str,
    /// The values of [`LEADS`], for events of a format that has them.
    pub leads: [Option<&'a str>; LEADS.len()],
    /// The text.
    pub raw: Raw<'a>,
}

/// How a column is called, and what it holds.
const COLUMNS: [(&str, Kind); 11] = [
    ("index", Kind::Text),
    ("day", Kind::Text),
    (stored::TIME, Kind::Time),
    (stored::INDEX_TIME, Kind::Time),
    (stored::SOURCE, Kind::Text),
    (stored::SOURCETYPE, Kind::Text),
    (stored::HOST, Kind::Text),
    (stored::FORMAT, Kind::Text),
    (stored::FIELDS, Kind::Text),
    (stored::RAW, Kind::Text),
    // The bytes of a text that is not UTF-8; what is none in it is U+FFFD in `_raw`.
    ("_raw_bytes", Kind::Bytes),
];

#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    Time,
    Bytes,
}

impl Kind {
    /// Returns how a column of rows in memory holds it.
    fn arrow(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8View,
            Self::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Bytes => DataType::BinaryView,
        }
    }

    fn delta(self) -> DeltaType {
        match self {
            Self::Text => DeltaType::STRING,
            Self::Time => DeltaType::TIMESTAMP,
            Self::Bytes => DeltaType::BINARY,
        }
    }
}

fn all_columns() -> impl Iterator<Item = (&'static str, Kind)> {
    COLUMNS.into_iter().chain(LEADS.map(|name| (name, Kind::Text)))
}

/// Returns the columns of the table.
pub(super) fn columns() -> impl Iterator<Item = StructField> {
    all_columns().map(|(name, kind)| StructField::new(name, kind.delta(), true))
}

/// Returns the columns whose smallest and largest values the log of the table has for each file.
pub(super) fn compared() -> Vec<&'static str> {
    [stored::TIME, stored::INDEX_TIME, stored::SOURCETYPE, stored::FORMAT, stored::FIELDS]
        .into_iter()
        .chain(LEADS)
        .collect()
}

/// Returns rows of a file with the columns that all files have, in the order of the table.
pub(super) fn whole(rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let columns = columns_of_files().map(|(name, kind)| match rows.column_by_name(name) {
        Some(column) => column.clone(),
        // The file is older than the column.
        None => new_null_array(&kind.arrow(), rows.num_rows()),
    });
    RecordBatch::try_new(schema_of_files(), columns.collect())
}

/// Returns the columns of files, with texts as views. What says the folder is in no file.
pub(super) fn schema_of_files() -> SchemaRef {
    schema_of(columns_of_files())
}

fn columns_of_files() -> impl Iterator<Item = (&'static str, Kind)> {
    all_columns().filter(|(name, _)| !PARTITIONS.contains(name))
}

fn schema_of(columns: impl Iterator<Item = (&'static str, Kind)>) -> SchemaRef {
    let fields = columns.map(|(name, kind)| Field::new(name, kind.arrow(), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Returns how a file is read: its columns, with texts as views.
pub(super) fn as_views(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| {
        let kind = match field.data_type() {
            DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
            DataType::Binary | DataType::LargeBinary => DataType::BinaryView,
            other => other.clone(),
        };
        field.as_ref().clone().with_data_type(kind)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Returns how files are written.
pub(super) fn properties() -> WriterProperties {
    let text = || ColumnPath::from(stored::RAW);
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        // Pages of version 2: those of version 1 copy all values once more before they are compressed.
        .set_writer_version(WriterVersion::PARQUET_2_0)
        // What has no dictionary stands as it is, as in version 1: the text is what a search reads most.
        .set_encoding(Encoding::PLAIN)
        .set_created_by(concat!("spilltrail ", env!("CARGO_PKG_VERSION")).to_owned())
        // Texts and ids differ: a dictionary of them would be as large as they are. In large pages, the
        // compressor sees more of what texts have in common.
        .set_column_dictionary_enabled(text(), false)
        .set_column_dictionary_enabled(ColumnPath::from("eventID"), false)
        .set_column_statistics_enabled(text(), EnabledStatistics::None)
        .set_data_page_size_limit(4 << 20)
        .set_max_row_group_row_count(Some(ROWS_OF_GROUP))
        .build()
}

/// Returns rows as the bytes of a Parquet file, such as the table has, for a reader of its files. They are
/// compressed little.
///
/// # Errors
/// Fails if the rows do not have the columns of the table.
pub fn file_of(rows: &RecordBatch) -> Result<Vec<u8>, ParquetError> {
    let fast = Compression::ZSTD(ZstdLevel::try_new(1)?);
    let properties = properties().into_builder().set_compression(fast).build();
    // A reader takes texts as any file has them, and not as they are in memory here.
    let options = ArrowWriterOptions::new().with_properties(properties);
    let options = options.with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(Vec::new(), rows.schema(), options)?;
    writer.write(rows)?;
    writer.into_inner()
}

/// Collects rows. Texts are copied once, into blocks that do not move when more come.
#[derive(Debug)]
pub struct RowsBuilder {
    texts: Vec<StringViewBuilder>,
    time: TimestampMicrosecondBuilder,
    received: TimestampMicrosecondBuilder,
    bytes: BinaryViewBuilder,
    days: Days,
    rows: usize,
    held: usize,
}

impl Default for RowsBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl RowsBuilder {
    /// Creates a builder without rows.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(0)
    }

    /// Creates a builder that has room for so many rows, apart from their texts.
    #[must_use]
    pub fn with_capacity(rows: u64) -> Self {
        // Whatever a damaged batch claims.
        let rows = rows.min(MAX_BATCH_EVENTS) as usize;
        let texts = all_columns().filter(|(_, kind)| matches!(kind, Kind::Text));
        let texts = texts.map(|(name, _)| {
            if REPEATED.contains(&name) {
                // What finds values again would have room for as many of them as rows.
                StringViewBuilder::with_capacity(0).with_deduplicate_strings()
            } else {
                StringViewBuilder::with_capacity(rows)
            }
        });
        Self {
            texts: texts.collect(),
            time: TimestampMicrosecondBuilder::with_capacity(rows),
            received: TimestampMicrosecondBuilder::with_capacity(rows),
            bytes: BinaryViewBuilder::with_capacity(0),
            days: Days::default(),
            rows: 0,
            held: 0,
        }
    }

    /// Returns the number of bytes of their texts.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.held
    }

    /// Returns the number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Returns true if there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Adds a row.
    ///
    /// # Errors
    /// Fails with [`BatchError::Full`] if the rows must be added to the table first, and with
    /// [`BatchError::TooLong`] if it can be in none. The rows stay as they were.
    pub fn push(&mut self, row: &EventRow<'_>) -> Result<(), BatchError> {
        let day = row.time.and_then(|time| self.days.of(time));
        let time = row.time.filter(|_| day.is_some());
        let replaced;
        let (raw, bytes) = match row.raw {
            Raw::Text(text) => (text, None),
            Raw::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => (text, None),
                Err(_) => {
                    replaced = String::from_utf8_lossy(bytes);
                    (&*replaced, Some(bytes))
                }
            },
        };
        let own = [
            Some(row.index),
            Some(day.unwrap_or(NO_DAY)),
            row.source,
            row.sourcetype,
            row.host,
            Some(row.format),
            row.fields,
            Some(raw),
        ];
        let values = || own.into_iter().chain(row.leads);
        let text = values().flatten().map(str::len).sum::<usize>();
        let text = text + bytes.map_or(0, <[u8]>::len);
        if text > MOST_BYTES {
            return Err(BatchError::TooLong { bytes: text, most: MOST_BYTES });
        }
        if self.held + text > MOST_BYTES {
            return Err(BatchError::Full);
        }
        self.held += text;
        for (column, value) in self.texts.iter_mut().zip(values()) {
            column.append_option(value);
        }
        self.time.append_option(time);
        self.received.append_value(row.received);
        self.bytes.append_option(bytes);
        self.rows += 1;
        Ok(())
    }

    /// Returns the rows.
    #[must_use]
    pub fn finish(self) -> RecordBatch {
        let Self { texts, time, received, mut bytes, .. } = self;
        let mut texts = texts.into_iter();
        let mut times = [time, received].into_iter();
        let columns = all_columns().map(|(_, kind)| -> ArrayRef {
            match kind {
                Kind::Text => {
                    let mut texts = texts.next().unwrap_or_default().finish();
                    // There may be very many builders of few rows.
                    texts.shrink_to_fit();
                    Arc::new(texts)
                }
                Kind::Time => {
                    let times = times.next().unwrap_or_default().finish();
                    Arc::new(times.with_timezone("UTC"))
                }
                Kind::Bytes => {
                    let mut bytes = bytes.finish();
                    bytes.shrink_to_fit();
                    Arc::new(bytes)
                }
            }
        });
        let columns = columns.collect();
        RecordBatch::try_new(schema_of(all_columns()), columns)
            .expect("each row has a value or a null in each column")
    }
}

/// The days of times. Rows that follow each other mostly have the same.
#[derive(Debug, Default)]
struct Days {
    /// The number of the last day since the epoch, and how it is written if it can be.
    last: Option<(i64, Option<String>)>,
}

impl Days {
    /// Returns the day of a time as `2026-11-29`, in UTC.
    fn of(&mut self, time: i64) -> Option<&str> {
        // The last moment that there can be is within a day.
        let moment = Timestamp::from_microsecond(time).ok()?;
        let number = time.div_euclid(DAY);
        if self.last.as_ref().is_none_or(|(last, _)| *last != number) {
            self.last = Some((number, written(moment)));
        }
        self.last.as_ref().and_then(|(_, day)| day.as_deref())
    }
}

fn written(moment: Timestamp) -> Option<String> {
    let day = moment.to_zoned(TimeZone::UTC).date();
    (day.year() > 0).then(|| day.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The day of a time is the same whatever days came before it.
    #[test]
    fn days_do_not_depend_on_those_before() {
        let mut random = fastrand::Rng::with_seed(5);
        let mut days = Days::default();
        for (time, expected) in [
            (-1, Some("1969-12-31")),
            (0, Some("1970-01-01")),
            (DAY - 1, Some("1970-01-01")),
            (DAY, Some("1970-01-02")),
            (i64::MAX, None),
            (i64::MIN, None),
            ((Timestamp::MAX.as_second() + 1) * 1_000_000, None),
            (Timestamp::MAX.as_second() * 1_000_000, Some("9999-12-30")),
            ((Timestamp::MAX.as_second() + 1) * 1_000_000, None),
        ] {
            assert_eq!(days.of(time), expected, "{time}");
        }
        for _ in 0..10_000 {
            // Both ends of the years that have days, and beyond.
            let time = random.i64(-3_000_000 * DAY..4_000_000 * DAY);
            for time in [time, time + random.i64(0..DAY)] {
                let expected = Timestamp::from_microsecond(time).ok().and_then(written);
                assert_eq!(days.of(time), expected.as_deref(), "{time}");
            }
        }
    }
}
