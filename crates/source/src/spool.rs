//! Rows put by for searches that run later: in memory, and beyond a bound on disk.

use std::fs::File;
use std::io::{BufReader, BufWriter, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StringViewBuilder,
};
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::ipc::reader::StreamReader;
use datafusion::arrow::ipc::writer::StreamWriter;

/// Rows that are put together into one batch.
const ROWS: usize = 8192;
/// Memory of batches that wait to be put together, for each search.
const WAITING: usize = 512 * 1024;

/// A batch that was put by.
#[derive(Debug, Clone)]
enum Entry {
    Memory(RecordBatch),
    /// A whole IPC stream from this offset of the spill file on.
    Disk(u64),
}

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

/// The rows of several searches, each in the order in which they came.
#[derive(Debug)]
pub(crate) struct Spool {
    slots: Vec<Slot>,
    /// Memory that batches may take.
    bound: usize,
    held: usize,
    spill: Option<Spill>,
}

#[derive(Debug)]
struct Spill {
    /// Has no name: it is gone with the last handle.
    file: Arc<Mutex<File>>,
    end: u64,
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
        Self { slots: schemas.into_iter().map(slot).collect(), bound, held: 0, spill: None }
    }

    /// Adds rows of a search.
    ///
    /// # Errors
    /// Fails if the temporary folder cannot be written to.
    pub(crate) fn push(&mut self, search: usize, batch: RecordBatch) -> Result<(), ArrowError> {
        let slot = &mut self.slots[search];
        slot.rows += batch.num_rows() as u64;
        slot.waiting_rows += batch.num_rows();
        slot.waiting_bytes += batch.get_array_memory_size();
        slot.waiting.push(batch);
        if slot.waiting_rows >= ROWS || slot.waiting_bytes >= WAITING {
            self.settle(search)?;
        }
        Ok(())
    }

    /// Puts the waiting batches of all searches together.
    ///
    /// # Errors
    /// As [`Spool::push`].
    pub(crate) fn finish(&mut self) -> Result<(), ArrowError> {
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
            Entry::Memory(batch)
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
        self.spill.as_mut().ok_or_else(|| ArrowError::IpcError("no spill file".to_owned()))
    }

    /// Returns the number of rows of a search.
    pub(crate) fn rows(&self, search: usize) -> u64 {
        self.slots[search].rows
    }

    /// Returns how many bytes are held in memory and on disk.
    pub(crate) fn size(&self) -> (usize, u64) {
        (self.held, self.spill.as_ref().map_or(0, |spill| spill.end))
    }

    /// Returns the batches of a search, read as they are wanted.
    pub(crate) fn batches(
        &self,
        search: usize,
    ) -> impl Iterator<Item = Result<RecordBatch, ArrowError>> + use<> {
        let file = self.spill.as_ref().map(|spill| spill.file.clone());
        self.slots[search].entries.clone().into_iter().map(move |entry| match (entry, &file) {
            (Entry::Memory(batch), _) => Ok(batch),
            (Entry::Disk(offset), Some(file)) => read(file, offset),
            (Entry::Disk(_), None) => Err(ArrowError::IpcError("no spill file".to_owned())),
        })
    }
}

impl Spill {
    fn write(&mut self, batch: &RecordBatch) -> Result<u64, ArrowError> {
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

fn read(file: &Mutex<File>, offset: u64) -> Result<RecordBatch, ArrowError> {
    let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
    file.seek(SeekFrom::Start(offset))?;
    let mut reader = StreamReader::try_new(BufReader::new(&mut *file), None)?;
    reader.next().ok_or_else(|| ArrowError::IpcError("the spilled rows are gone".to_owned()))?
}

/// Returns the batch with every text once, in buffers of just their size: those that it came in may be
/// shared with rows of others, and logs repeat themselves.
fn compact(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().map(|column| match column.as_string_view_opt() {
        Some(texts) => {
            let mut builder =
                StringViewBuilder::with_capacity(texts.len()).with_deduplicate_strings();
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
    use datafusion::arrow::array::StringViewArray;
    use datafusion::arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    #[test]
    fn rows_come_back_in_order_from_memory_and_disk() {
        let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Utf8View, true)]));
        let empty = Arc::new(Schema::empty());
        for bound in [0, 300_000, usize::MAX] {
            let mut spool = Spool::new(vec![schema.clone(), empty.clone()], bound);
            let mut expected = Vec::new();
            for number in 0..300 {
                let text: Vec<_> =
                    (0..100).map(|row| format!("row {row} of batch {number:>9}")).collect();
                let array = Arc::new(StringViewArray::from_iter_values(&text)) as ArrayRef;
                spool.push(0, RecordBatch::try_new(schema.clone(), vec![array]).unwrap()).unwrap();
                expected.extend(text);
            }
            spool.finish().unwrap();
            let mut found = Vec::new();
            for batch in spool.batches(0) {
                let batch = batch.unwrap();
                let texts = batch.column(0).as_string_view();
                found.extend(texts.iter().flatten().map(str::to_owned));
            }
            assert_eq!(found, expected, "{bound}");
            assert_eq!((spool.rows(0), spool.rows(1), spool.batches(1).count()), (30_000, 0, 0));
            let (held, spilled) = spool.size();
            assert!(held <= bound && (spilled > 0) == (bound < usize::MAX), "{held} {spilled}");
        }
    }
}
