//! Rows that are read by row number, held in memory while they are small and else in a file.

use std::fmt;
use std::fs::File;
use std::io::BufReader;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::{concat_batches, interleave_record_batch};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::ipc::reader::FileReader;
use datafusion::arrow::ipc::writer::FileWriter;
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SpillFile, SpillWriter};

use crate::operators::gather::{self, Room};

/// Rows in a stored batch. A read of one row from disk reads its whole batch.
const TOGETHER: usize = 16;

/// Rows gathered at a time. After each chunk, the batches read from disk are dropped.
const CHUNK: usize = 64;

/// Divisor of the memory limit: rows that take more than this part of it move to disk.
const PART: usize = 8;

/// The rows of a subsearch, indexed by row number.
pub(super) struct IndexedRows {
    schema: SchemaRef,
    room: Room,
    memory: MemoryReservation,
    place: Place,
    /// Rows that do not fill a batch of [`TOGETHER`] rows yet.
    waiting: Vec<RecordBatch>,
    waiting_rows: usize,
}

enum Place {
    /// Batches of [`TOGETHER`] rows each; the last may have fewer.
    Memory(Vec<RecordBatch>),
    Writing(Mutex<FileWriter<Box<dyn SpillWriter>>>, Arc<dyn SpillFile>),
    /// The reader, and the file's handle, which keeps the file from being deleted.
    Disk(Mutex<FileReader<BufReader<File>>>, #[expect(dead_code)] Arc<dyn SpillFile>),
}

impl fmt::Debug for IndexedRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IndexedRows").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl IndexedRows {
    /// Returns an empty collection of rows with this schema.
    pub(super) fn new(schema: SchemaRef, room: &Room) -> Self {
        Self {
            schema,
            memory: MemoryConsumer::new("join").with_can_spill(true).register(&room.pool),
            room: room.clone(),
            place: Place::Memory(Vec::new()),
            waiting: Vec::new(),
            waiting_rows: 0,
        }
    }

    /// Appends the rows of a batch.
    ///
    /// # Errors
    /// Fails if the rows fit neither in memory nor on disk.
    pub(super) fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        self.waiting_rows += batch.num_rows();
        self.waiting.push(batch.clone());
        if self.waiting_rows < TOGETHER {
            return Ok(());
        }
        let rows = concat_batches(&self.schema, &self.waiting)?;
        let whole = rows.num_rows() / TOGETHER * TOGETHER;
        for start in (0..whole).step_by(TOGETHER) {
            self.put(&rows.slice(start, TOGETHER))?;
        }
        self.waiting_rows = rows.num_rows() - whole;
        self.waiting = vec![rows.slice(whole, self.waiting_rows)];
        Ok(())
    }

    fn put(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch = gather::compacted(batch)?;
        match &mut self.place {
            Place::Memory(batches) => {
                let size = batch.get_array_memory_size();
                // The batch is stored before memory is checked, so `write` moves it to disk too.
                batches.push(batch);
                let most = self.room.limit() / PART;
                if self.memory.size() + size > most || self.memory.try_grow(size).is_err() {
                    self.write()?;
                }
                Ok(())
            }
            Place::Writing(writer, _) => {
                let writer = writer.get_mut().unwrap_or_else(PoisonError::into_inner);
                Ok(writer.write(&batch)?)
            }
            Place::Disk(..) => Err(internal_datafusion_err!("rows are added after the last one")),
        }
    }

    /// Moves all rows from memory to a new file, which later batches are appended to.
    fn write(&mut self) -> Result<()> {
        let file = self.room.file("rows of a join")?;
        let mut writer = FileWriter::try_new(file.open_writer()?, &self.schema)?;
        if let Place::Memory(batches) = &self.place {
            batches.iter().try_for_each(|batch| writer.write(batch))?;
        }
        self.place = Place::Writing(Mutex::new(writer), file);
        self.memory.free();
        Ok(())
    }

    /// Stores the last, partly filled batch and prepares the rows for [`IndexedRows::get`].
    ///
    /// # Errors
    /// Fails as [`IndexedRows::push`] does, and if the file cannot be read back.
    pub(super) fn finish(&mut self) -> Result<()> {
        if self.waiting_rows > 0 {
            let rows = concat_batches(&self.schema, &std::mem::take(&mut self.waiting))?;
            self.put(&rows)?;
        }
        let place = std::mem::replace(&mut self.place, Place::Memory(Vec::new()));
        self.place = match place {
            Place::Writing(writer, file) => {
                writer.into_inner().unwrap_or_else(PoisonError::into_inner).finish()?;
                let path = file.path().ok_or_else(|| {
                    internal_datafusion_err!("rows of a join must be in a file of this machine")
                })?;
                let reader = FileReader::try_new(BufReader::new(File::open(path)?), None)?;
                Place::Disk(Mutex::new(reader), file)
            }
            other => other,
        };
        Ok(())
    }

    /// Returns the rows with these row numbers, in this order; a number may occur repeatedly.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub(super) fn get(&self, rows: &[usize]) -> Result<RecordBatch> {
        let chunks =
            rows.chunks(CHUNK).map(|chunk| self.chunk(chunk)).collect::<Result<Vec<_>>>()?;
        Ok(concat_batches(&self.schema, &chunks)?)
    }

    fn chunk(&self, rows: &[usize]) -> Result<RecordBatch> {
        let mut numbers: Vec<usize> = rows.iter().map(|row| row / TOGETHER).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let batches =
            numbers.iter().map(|number| self.batch(*number)).collect::<Result<Vec<_>>>()?;
        let batches: Vec<&RecordBatch> = batches.iter().collect();
        let at = |row: &usize| {
            let number = numbers.binary_search(&(row / TOGETHER)).unwrap_or_default();
            (number, row % TOGETHER)
        };
        let indices: Vec<(usize, usize)> = rows.iter().map(at).collect();
        let rows = interleave_record_batch(&batches, &indices)?;
        match self.place {
            // Uncopied texts would keep the batches read from disk in memory.
            Place::Disk(..) => gather::compacted(&rows),
            _ => Ok(rows),
        }
    }

    fn batch(&self, number: usize) -> Result<RecordBatch> {
        let missing = || internal_datafusion_err!("a row of a join is missing");
        match &self.place {
            Place::Memory(batches) => batches.get(number).cloned().ok_or_else(missing),
            Place::Disk(reader, _) => {
                let mut reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
                reader.set_index(number)?;
                Ok(reader.next().ok_or_else(missing)??)
            }
            Place::Writing(..) => Err(missing()),
        }
    }
}
