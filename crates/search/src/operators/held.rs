//! Rows that are held until the last one has been read: in memory up to a limit, then on disk.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::compute::concat_batches;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::ipc::reader::StreamReader;
use datafusion::arrow::ipc::writer::StreamWriter;
use datafusion::common::{DataFusionError, Result, internal_datafusion_err};
use datafusion::execution::TaskContext;
use datafusion::execution::disk_manager::DiskManager;
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SpillFile, SpillWriter};

use super::blocking::blocking;
use super::gather::compacted;
use crate::rows::cut::BATCH_ROWS;

/// The memory pool and the disk manager that held rows use.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    pub(crate) pool: Arc<dyn MemoryPool>,
    disk: Arc<DiskManager>,
}

impl Room {
    /// Returns the memory pool and disk manager of a search.
    pub(crate) fn of(context: &TaskContext) -> Self {
        Self::in_environment(&context.runtime_env())
    }

    /// Returns the memory pool and disk manager of a runtime environment.
    pub(crate) fn in_environment(environment: &RuntimeEnv) -> Self {
        Self { pool: environment.memory_pool.clone(), disk: environment.disk_manager.clone() }
    }

    /// Creates a temporary file and returns it; error messages mention `purpose`.
    ///
    /// # Errors
    /// Fails if the temporary folder cannot be written to.
    pub(crate) fn file(&self, purpose: &str) -> Result<Arc<dyn SpillFile>> {
        self.disk.create_tmp_file(purpose)
    }

    /// Returns the memory limit in bytes, or `usize::MAX` if memory is unlimited.
    pub(crate) fn limit(&self) -> usize {
        match self.pool.memory_limit() {
            MemoryLimit::Finite(bytes) => bytes,
            MemoryLimit::Infinite | MemoryLimit::Unknown => usize::MAX,
        }
    }
}

/// Held batches in their order, each with buffers of its own size ([`compacted`]).
pub(crate) struct HeldRows {
    schema: SchemaRef,
    rows: usize,
    batches: Vec<RecordBatch>,
    name: String,
    room: Room,
    /// The memory of the batches; `None` if no batch is in memory, so that the pool does not count
    /// this consumer.
    memory: Option<MemoryReservation>,
    /// The memory of what the operator has learned about the rows, which cannot be written to disk.
    knowledge: MemoryReservation,
    /// The most bytes of rows held in memory; the rest is left to other operators.
    most: usize,
    spill: Option<Spill>,
}

/// Rows are written to disk when they take more than the memory limit divided by this.
const PART: usize = 4;

/// The most bytes of rows that [`HeldRows::on_disk`] collects before it writes them to disk.
const FEW: usize = 256 << 10;

/// The first rows, which were written to disk.
struct Spill {
    batches: usize,
    file: Arc<dyn SpillFile>,
    writer: StreamWriter<BufWriter<Box<dyn SpillWriter>>>,
}

impl HeldRows {
    /// Returns an empty list of rows; `name` is the operator that holds them.
    pub(crate) fn new(name: &str, schema: SchemaRef, room: &Room) -> Self {
        let most = room.limit() / PART;
        Self {
            most,
            schema,
            rows: 0,
            batches: Vec::new(),
            name: name.to_owned(),
            memory: None,
            knowledge: MemoryConsumer::new(name).register(&room.pool),
            room: room.clone(),
            spill: None,
        }
    }

    /// Returns an empty list for rows that are kept while a search runs.
    ///
    /// It holds only a few rows in memory.
    pub(crate) fn kept(name: &str, schema: SchemaRef, room: &Room) -> Self {
        let rows = Self::new(name, schema, room);
        Self { most: rows.most / PART, ..rows }
    }

    /// Returns an empty list for rows that are held on disk unless they are few.
    pub(crate) fn on_disk(name: &str, schema: SchemaRef, room: &Room) -> Self {
        let rows = Self::new(name, schema, room);
        Self { most: rows.most.min(FEW), ..rows }
    }

    /// Appends a batch.
    ///
    /// # Errors
    /// Fails if neither memory nor disk has room for it.
    pub(crate) fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        let batch = compacted(batch)?;
        self.rows += batch.num_rows();
        let size = batch.get_array_memory_size();
        self.batches.push(batch);
        let memory = self.memory.get_or_insert_with(|| {
            MemoryConsumer::new(&self.name).with_can_spill(true).register(&self.room.pool)
        });
        if memory.size() + size > self.most || memory.try_grow(size).is_err() {
            self.spill()?;
        }
        Ok(())
    }

    /// Returns the schema of the rows.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Returns the number of rows.
    pub(crate) fn count(&self) -> usize {
        self.rows
    }

    /// Reserves memory for what the operator has learned about the rows.
    ///
    /// If the pool refuses, the rows are written to disk first.
    ///
    /// # Errors
    /// Fails if the pool still refuses once the rows are on disk.
    pub(crate) fn learn(&mut self, bytes: usize) -> Result<()> {
        if self.knowledge.try_grow(bytes).is_ok() {
            return Ok(());
        }
        self.spill()?;
        self.knowledge.try_grow(bytes)
    }

    /// Gives back memory that was reserved by [`HeldRows::learn`].
    pub(crate) fn forget(&mut self, bytes: usize) {
        self.knowledge.shrink(bytes.min(self.knowledge.size()));
    }

    fn spill(&mut self) -> Result<()> {
        if self.batches.is_empty() {
            return Ok(());
        }
        let spill = match self.spill.take() {
            Some(spill) => spill,
            None => {
                let file = self.room.file("rows that are held")?;
                let writer = BufWriter::new(file.open_writer()?);
                Spill { batches: 0, file, writer: StreamWriter::try_new(writer, &self.schema)? }
            }
        };
        let spill = self.spill.insert(spill);
        let Self { batches, memory, schema, .. } = self;
        blocking(|| {
            for batches in few_batches(batches) {
                spill.writer.write(&concat_batches(schema, &batches)?)?;
                spill.batches += 1;
            }
            Ok::<(), DataFusionError>(())
        })?;
        // Dropping the reservation unregisters the consumer, so the pool no longer counts it.
        *memory = None;
        Ok(())
    }

    /// Returns the rows in order; may be called any number of times.
    ///
    /// # Errors
    /// Fails if the rows on disk cannot be read.
    pub(crate) fn replay(&mut self) -> Result<Replay> {
        let on_disk = match &mut self.spill {
            Some(Spill { batches, file, writer }) => {
                writer.get_mut().flush()?;
                let path = file.path().ok_or_else(|| {
                    internal_datafusion_err!("rows that are held must be in a file of this machine")
                })?;
                let reader = StreamReader::try_new(BufReader::new(File::open(path)?), None)?;
                Some(OnDisk { reader, left: *batches, _file: file.clone() })
            }
            None => None,
        };
        Ok(Replay { on_disk, in_memory: self.batches.clone().into_iter(), memory: (None, None) })
    }

    /// Returns the rows in order for the last time.
    ///
    /// The memory reserved by [`HeldRows::learn`] stays reserved until the iterator is dropped.
    ///
    /// # Errors
    /// As [`HeldRows::replay`].
    pub(crate) fn give(mut self) -> Result<Replay> {
        let replay = self.replay()?;
        Ok(Replay { memory: (self.memory, Some(self.knowledge)), ..replay })
    }
}

/// Drains the batches and returns them in groups that each have at most one batch's worth of rows.
///
/// Small batches are combined because each batch on disk takes space besides its rows.
fn few_batches(batches: &mut Vec<RecordBatch>) -> Vec<Vec<RecordBatch>> {
    let mut together: Vec<Vec<RecordBatch>> = Vec::new();
    let mut rows = 0;
    for batch in batches.drain(..) {
        match together.last_mut() {
            Some(last) if rows + batch.num_rows() <= BATCH_ROWS => {
                rows += batch.num_rows();
                last.push(batch);
            }
            _ => {
                rows = batch.num_rows();
                together.push(vec![batch]);
            }
        }
    }
    together
}

/// An iterator over held rows, batch by batch.
pub(crate) struct Replay {
    on_disk: Option<OnDisk>,
    in_memory: std::vec::IntoIter<RecordBatch>,
    /// The reservations for the batches and for what the operator has learned about them.
    memory: (Option<MemoryReservation>, Option<MemoryReservation>),
}

struct OnDisk {
    reader: StreamReader<BufReader<File>>,
    /// The batches still to read. Those written to the file after this replay began are not read
    /// from it, because the replay has them in memory.
    left: usize,
    /// Keeps the file: it is deleted when the last reference is dropped.
    _file: Arc<dyn SpillFile>,
}

impl Iterator for Replay {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(on_disk) = &mut self.on_disk {
            if on_disk.left > 0 {
                on_disk.left -= 1;
                let gone = || internal_datafusion_err!("rows that were held are gone");
                let read = blocking(|| on_disk.reader.next());
                return Some(read.ok_or_else(gone).and_then(|read| Ok(read?)));
            }
            self.on_disk = None;
        }
        let batch = self.in_memory.next()?;
        if let (Some(memory), _) = &self.memory {
            memory.shrink(batch.get_array_memory_size().min(memory.size()));
        }
        Some(Ok(batch))
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{AsArray, StringViewArray};
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use datafusion::prelude::{SessionConfig, SessionContext};
    use futures::TryStreamExt;
    use indexmap::IndexMap;
    use spilltrail_event::{Kind, Value};

    use super::*;
    use crate::rows::Row;
    use crate::rows::Rows;
    use crate::rows::arrow::schema_of;
    use crate::run;
    use crate::testing::context;

    fn task(memory: usize) -> Arc<TaskContext> {
        let runtime = RuntimeEnvBuilder::new().with_memory_limit(memory, 1.0).build_arc().unwrap();
        SessionContext::new_with_config_rt(SessionConfig::new(), runtime).task_ctx()
    }

    fn texts(replay: Replay) -> Vec<String> {
        let batches: Vec<RecordBatch> = replay.collect::<Result<_>>().unwrap();
        let texts = batches.iter().flat_map(|batch| batch.column(0).as_string_view().iter());
        texts.flatten().map(str::to_owned).collect()
    }

    #[test]
    fn rows_come_back_in_their_order_from_wherever_they_were() {
        let schema = schema_of([("a", Kind::Text)]);
        for (memory, spills) in [(1 << 24, false), (1 << 16, true), (0, true)] {
            let mut held = HeldRows::new("test", schema.clone(), &Room::of(&task(memory)));
            let mut want = Vec::new();
            for number in 0..100 {
                let rows: Vec<_> =
                    (0..50).map(|row| format!("row {row} of batch {number:>20}")).collect();
                let column = Arc::new(StringViewArray::from_iter_values(&rows)) as _;
                held.push(&RecordBatch::try_new(schema.clone(), vec![column]).unwrap()).unwrap();
                want.extend(rows);
            }
            assert_eq!((held.count(), held.spill.is_some()), (5000, spills), "{memory}");
            let early = held.replay().unwrap();
            // Memory for what is learned is freed by writing rows to disk.
            let learnt = held.learn(memory.saturating_sub(1 << 10));
            assert!(learnt.is_ok() && held.spill.is_some(), "{memory}");
            assert_eq!(texts(early), want, "a replay that began before, {memory}");
            assert_eq!(texts(held.replay().unwrap()), want, "{memory}");
            assert!(held.learn(1 << 30).is_err());
        }
    }

    /// Searches whose operators read all rows before they return one.
    const SEARCHES: [&str; 9] = [
        "| anomalydetection n user action=annotate",
        "| anomalydetection n user",
        "| anomalydetection method=zscore n user action=annotate",
        "| anomalydetection n action=summary",
        "| outlier n",
        "| outlier action=transform mark=true n",
        "| eventstats count avg(n) as mean by user",
        "| bin n bins=7",
        "| convert auto(n) auto(user) | fillnull value=none",
    ];

    #[tokio::test]
    async fn a_search_that_spills_finds_the_same() {
        let events: Vec<Row> = (0..20_000)
            .map(|number: u32| {
                let user = if number % 5000 == 7 { 99 } else { number % 13 };
                IndexMap::from([
                    ("_time".to_owned(), Value::Number(f64::from(number))),
                    ("n".to_owned(), Value::text((number % 977).to_string())),
                    ("user".to_owned(), Value::text(format!("user {user}"))),
                    ("more".to_owned(), Value::text(format!("{number:>200}"))),
                    ("none".to_owned(), Value::Null),
                ])
            })
            .collect();
        for search in SEARCHES {
            let mut found = Vec::new();
            // The rows take more than four megabytes.
            for memory in [256 << 20, 3 << 20] {
                let context = context(events.clone(), memory);
                let prepared = run::prepare(search, None, &context).await.unwrap();
                let fields = prepared.fields();
                let stream = prepared.stream(&context).await.unwrap();
                let batches: Vec<RecordBatch> = stream.try_collect().await.unwrap();
                found.push(Rows::new(fields, batches, true).iter().collect::<Vec<_>>());
            }
            assert!(!found[0].is_empty(), "{search}");
            assert!(found[0] == found[1], "{search}");
        }
    }
}
