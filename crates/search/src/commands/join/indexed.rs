//! Rows that are asked for by their numbers: in memory if they are small, else in a file.

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

/// Rows that are read at a time: for each that is asked for, its neighbors are read, too.
const TOGETHER: usize = 16;

/// Rows that are put together before what they do not need is forgotten.
const CHUNK: usize = 64;

/// The part of the limit that rows may have in memory.
const PART: usize = 8;

/// Rows by their numbers.
pub(super) struct IndexedRows {
    schema: SchemaRef,
    room: Room,
    memory: MemoryReservation,
    place: Place,
    /// Rows that do not fill a batch yet.
    waiting: Vec<RecordBatch>,
    waiting_rows: usize,
}

enum Place {
    /// Batches of [`TOGETHER`] rows.
    Memory(Vec<RecordBatch>),
    Writing(Mutex<FileWriter<Box<dyn SpillWriter>>>, Arc<dyn SpillFile>),
    /// The file is there as long as somebody has it.
    Disk(Mutex<FileReader<BufReader<File>>>, #[expect(dead_code)] Arc<dyn SpillFile>),
}

impl fmt::Debug for IndexedRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IndexedRows").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl IndexedRows {
    /// Returns no rows yet.
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

    /// Adds rows.
    ///
    /// # Errors
    /// Fails if there is room neither in memory nor on disk.
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

    /// Moves the rows to disk.
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

    /// Ends the rows; then they can be asked for.
    ///
    /// # Errors
    /// As [`IndexedRows::push`].
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

    /// Returns rows in the order of the numbers, which may repeat themselves.
    ///
    /// # Errors
    /// Fails if what is on disk cannot be read.
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
