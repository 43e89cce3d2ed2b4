//! Rows kept for searches that run later: in memory, and on disk beyond a limit.

use std::fs::File;
use std::io::{BufReader, BufWriter, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, LargeStringArray, RecordBatch, RecordBatchOptions, StringViewBuilder,
};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::ipc::reader::StreamReader;
use datafusion::arrow::ipc::writer::StreamWriter;
use spilltrail_decode::{CodedRows, Rows};

use crate::blocking::blocking;

/// Number of waiting rows after which they are merged into one batch.
const ROWS: usize = 8192;
/// Bytes of waiting batches, per search, after which they are merged.
const WAITING: usize = 512 * 1024;

/// Kept rows, in memory or on disk.
#[derive(Debug, Clone)]
enum Entry {
    Memory(Rows),
    /// A batch on disk.
    Disk(Offset),
    /// Rows on disk that hold indexes into a text array, and the text array, also on disk.
    Coded {
        codes: Offset,
        texts: Offset,
    },
}

/// The offset in the spill file at which a complete IPC stream begins.
type Offset = u64;

/// The rows of one search.
#[derive(Debug)]
struct Slot {
    schema: SchemaRef,
    entries: Vec<Entry>,
    waiting: Vec<RecordBatch>,
    waiting_rows: usize,
    waiting_bytes: usize,
    rows: u64,
}

/// The rows of several searches, each in the order in which they were added.
#[derive(Debug)]
pub(crate) struct Spool {
    slots: Vec<Slot>,
    /// Bytes of rows that are kept in memory; further rows are written to disk.
    bound: usize,
    held: usize,
    /// The text array of the last coded rows, and its offset if it was written to disk.
    shared: Option<(Arc<LargeStringArray>, Option<Offset>)>,
    spill: Option<Spill>,
}

#[derive(Debug)]
struct Spill {
    /// An unnamed file, which is deleted when its last handle is closed.
    file: Arc<Mutex<File>>,
    end: Offset,
}

impl Spool {
    pub(crate) fn new(schemas: Vec<SchemaRef>, bound: usize) -> Self {
        let slot = |schema| Slot {
            schema,
            entries: Vec::new(),
            waiting: Vec::new(),
            waiting_rows: 0,
            waiting_bytes: 0,
            rows: 0,
        };
        let slots = schemas.into_iter().map(slot).collect();
        Self { slots, bound, held: 0, shared: None, spill: None }
    }

    /// Adds rows of a search. Rows that share a text array must be added directly one after
    /// another.
    ///
    /// # Errors
    /// Fails if the temporary file cannot be written.
    pub(crate) fn push(&mut self, search: usize, rows: Rows) -> Result<(), ArrowError> {
        self.slots[search].rows += rows.count() as u64;
        match rows {
            Rows::Plain(batch) => {
                let slot = &mut self.slots[search];
                slot.waiting_rows += batch.num_rows();
                slot.waiting_bytes += batch.get_array_memory_size();
                slot.waiting.push(batch);
                if slot.waiting_rows >= ROWS || slot.waiting_bytes >= WAITING {
                    self.settle(search)?;
                }
                Ok(())
            }
            Rows::Coded(rows) => {
                // Merging the waiting rows first keeps the order of rows.
                self.settle(search)?;
                self.push_coded(search, rows)
            }
        }
    }

    fn push_coded(&mut self, search: usize, rows: CodedRows) -> Result<(), ArrowError> {
        let known = self.shared.as_ref().filter(|(texts, _)| Arc::ptr_eq(texts, &rows.texts));
        let texts = match known {
            Some((_, written)) => *written,
            None => {
                let size = rows.texts.get_array_memory_size();
                let written = if self.held + size <= self.bound {
                    self.held += size;
                    None
                } else {
                    let texts = rows.texts.clone() as ArrayRef;
                    let fields = vec![Field::new("texts", DataType::LargeUtf8, false)];
                    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), vec![texts])?;
                    Some(self.spill()?.write(&batch)?)
                };
                self.shared = Some((rows.texts.clone(), written));
                written
            }
        };
        let entry = match texts {
            // The codes are small and useless without their texts, so they stay in memory with
            // them, even beyond the limit.
            None => {
                self.held += rows.codes.get_array_memory_size();
                Entry::Memory(Rows::Coded(rows))
            }
            Some(texts) => Entry::Coded { codes: self.spill()?.write(&rows.codes)?, texts },
        };
        self.slots[search].entries.push(entry);
        Ok(())
    }

    /// Merges the waiting batches of each search.
    ///
    /// # Errors
    /// Fails like [`Spool::push`].
    pub(crate) fn finish(&mut self) -> Result<(), ArrowError> {
        self.shared = None;
        (0..self.slots.len()).try_for_each(|search| self.settle(search))
    }

    fn settle(&mut self, search: usize) -> Result<(), ArrowError> {
        let slot = &mut self.slots[search];
        if slot.waiting.is_empty() {
            return Ok(());
        }
        let waiting = std::mem::take(&mut slot.waiting);
        (slot.waiting_rows, slot.waiting_bytes) = (0, 0);
        let batch = compact(&concat_batches(&slot.schema, &waiting)?)?;
        drop(waiting);
        let size = batch.get_array_memory_size();
        let entry = if self.held + size <= self.bound {
            self.held += size;
            Entry::Memory(Rows::Plain(batch))
        } else {
            Entry::Disk(self.spill()?.write(&batch)?)
        };
        self.slots[search].entries.push(entry);
        Ok(())
    }

    fn spill(&mut self) -> Result<&mut Spill, ArrowError> {
        if self.spill.is_none() {
            let file = tempfile::tempfile()?;
            self.spill = Some(Spill { file: Arc::new(Mutex::new(file)), end: 0 });
        }
        self.spill.as_mut().ok_or_else(no_spill)
    }

    /// Returns the number of rows of a search.
    pub(crate) fn rows(&self, search: usize) -> u64 {
        self.slots[search].rows
    }

    /// Returns the number of bytes kept in memory and on disk.
    pub(crate) fn size(&self) -> (usize, u64) {
        (self.held, self.spill.as_ref().map_or(0, |spill| spill.end))
    }

    /// Returns an iterator over the rows of a search, limited to `columns`; batches on disk are
    /// read on demand.
    pub(crate) fn batches(
        &self,
        search: usize,
        columns: Vec<usize>,
    ) -> impl Iterator<Item = Result<RecordBatch, ArrowError>> + use<> {
        let file = self.spill.as_ref().map(|spill| spill.file.clone());
        let entries = self.slots[search].entries.clone().into_iter();
        entries.map(move |entry| {
            let on_disk =
                |offset, columns| read(file.as_ref().ok_or_else(no_spill)?, offset, columns);
            let (codes, texts) = match entry {
                Entry::Memory(Rows::Plain(batch)) => return batch.project(&columns),
                Entry::Memory(Rows::Coded(rows)) => (rows.codes, rows.texts),
                Entry::Disk(offset) => return on_disk(offset, Some(columns.clone())),
                Entry::Coded { codes, texts } => {
                    let codes = on_disk(codes, Some(columns.clone()))?;
                    let texts = on_disk(texts, None)?;
                    let texts = texts.column(0).as_string_opt().cloned().ok_or_else(gone)?;
                    return CodedRows { codes, texts: Arc::new(texts) }.batch();
                }
            };
            CodedRows { codes: codes.project(&columns)?, texts }.batch()
        })
    }
}

impl Spill {
    fn write(&mut self, batch: &RecordBatch) -> Result<Offset, ArrowError> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let start = self.end;
        file.seek(SeekFrom::Start(start))?;
        let mut writer = StreamWriter::try_new(BufWriter::new(&mut *file), &batch.schema())?;
        writer.write(batch)?;
        writer.finish()?;
        writer.into_inner()?.flush()?;
        self.end = file.stream_position()?;
        Ok(start)
    }
}

fn read(
    file: &Mutex<File>,
    offset: Offset,
    columns: Option<Vec<usize>>,
) -> Result<RecordBatch, ArrowError> {
    blocking(|| {
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset))?;
        let mut reader = StreamReader::try_new(BufReader::new(&mut *file), columns)?;
        reader.next().ok_or_else(gone)?
    })
}

fn no_spill() -> ArrowError {
    ArrowError::IpcError("no spill file".to_owned())
}

fn gone() -> ArrowError {
    ArrowError::IpcError("the spilled rows are gone".to_owned())
}

/// Copies the batch so that each text is stored once, in buffers of exactly the needed size: the
/// original buffers may be shared with rows of other searches, and logs repeat many texts.
fn compact(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().map(|column| match column.as_string_view_opt() {
        Some(texts) => {
            let size = texts.total_buffer_bytes_used().max(1);
            let mut builder = StringViewBuilder::with_capacity(texts.len())
                .with_fixed_block_size(u32::try_from(size).unwrap_or(u32::MAX))
                .with_deduplicate_strings();
            texts.iter().for_each(|text| builder.append_option(text));
            Arc::new(builder.finish()) as ArrayRef
        }
        None => Arc::clone(column),
    });
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(batch.schema(), columns.collect(), &options)
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{StringViewArray, UInt32Array};
    use spilltrail_decode::coded_schema;

    use super::*;

    /// Fills two searches: the first has rows of its own and rows that both share, in turn; the
    /// second has only shared rows.
    fn filled(bound: usize) -> (Spool, Vec<String>, Vec<String>) {
        let field = |name| Field::new(name, DataType::Utf8View, true);
        let schema = Arc::new(Schema::new(vec![field("a"), field("b")]));
        let empty = Arc::new(Schema::empty());
        let mut spool = Spool::new(vec![schema.clone(), schema.clone(), empty], bound);
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for number in 0..300 {
            let text: Vec<_> =
                (0..100).map(|row| format!("row {row} of batch {number:>9}")).collect();
            if number % 3 > 0 {
                let array = Arc::new(StringViewArray::from_iter_values(&text)) as ArrayRef;
                let batch = RecordBatch::try_new(schema.clone(), vec![array.clone(), array]);
                spool.push(0, Rows::Plain(batch.unwrap())).unwrap();
                first.extend(text);
                continue;
            }
            let codes = |codes: Vec<u32>| {
                let last = Arc::new(UInt32Array::from(codes)) as ArrayRef;
                let nulls = Arc::new(UInt32Array::new_null(last.len())) as ArrayRef;
                RecordBatch::try_new(coded_schema(&schema), vec![nulls, last]).unwrap()
            };
            let texts = Arc::new(LargeStringArray::from_iter_values(&text));
            let rows =
                |numbers| Rows::Coded(CodedRows { codes: codes(numbers), texts: texts.clone() });
            spool.push(0, rows((0..100).collect())).unwrap();
            spool.push(1, rows(vec![7, 99, 7])).unwrap();
            second.extend([7, 99, 7].map(|row: usize| text[row].clone()));
            first.extend(text);
        }
        spool.finish().unwrap();
        (spool, first, second)
    }

    #[test]
    fn rows_come_back_in_order_from_memory_and_disk() {
        for bound in [0, 300_000, usize::MAX] {
            let (spool, first, second) = filled(bound);
            for (search, expected) in [(0, first), (1, second)] {
                let mut found = Vec::new();
                for batch in spool.batches(search, vec![1]) {
                    let batch = batch.unwrap();
                    let texts = batch.column(0).as_string_view();
                    found.extend(texts.iter().flatten().map(str::to_owned));
                }
                assert_eq!(found, expected, "{bound}");
                assert_eq!(spool.rows(search), expected.len() as u64);
            }
            assert_eq!((spool.rows(2), spool.batches(2, vec![]).count()), (0, 0));
            let (held, spilled) = spool.size();
            assert!(held <= bound && (spilled > 0) == (bound < usize::MAX), "{held} {spilled}");
        }
    }
}
