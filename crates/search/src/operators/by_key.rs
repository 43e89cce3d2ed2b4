//! Operators that keep state for each key, such as its number of rows or its group's statistics.
//!
//! If memory cannot hold the state of all keys, the keys seen so far stay in memory, and their rows
//! are processed as before. Rows of other keys are written to disk, partitioned by the key's hash.
//! After the last row, each partition is processed separately in the same way; if it has too many
//! keys, it is partitioned again.
//!
//! The rows of all partitions are then merged by their serial numbers, so the output has the same
//! order as without partitions.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, RecordBatch, UInt32Array, UInt64Array,
};
use datafusion::arrow::compute::{interleave_record_batch, take_record_batch};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt32Type, UInt64Type};
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use foldhash::fast::FixedState;
use indexmap::IndexMap;

use super::gather::Given;
use super::held::{HeldRows, Replay, Room};
use super::{Running, key};
use crate::rows::arrow::ColumnReader;
use crate::rows::cut::BATCH_ROWS;

/// The number of partitions per level.
const PARTITIONS: usize = 16;

/// The maximum number of levels of partitions; a partition of the last level must fit into memory.
const LEVELS: usize = 6;

/// New keys are written to disk once the state takes more than the memory limit divided by this.
const PART: usize = 4;

/// The column of serial numbers, which is the last column of every batch.
const SERIAL: &str = "\u{4}serial";

/// A row with one of its keys.
#[derive(Debug, Clone)]
pub(crate) struct KeyedRow {
    pub(crate) row: u32,
    /// The key; `None` if the row has no key and counts for no group.
    pub(crate) key: Option<Vec<u8>>,
    /// How many times the row counts for the key.
    pub(crate) times: u32,
    /// True if this key determines the row's result; exactly one entry of each row has it set.
    pub(crate) is_own: bool,
}

/// An operator's work on rows with keys.
///
/// A row's result must depend only on rows with the same key, unless [`KeyedWork::may_wait`]
/// returns false.
pub(crate) trait KeyedWork: Send + Sized {
    /// Returns the same work without any state.
    fn fresh(&self) -> Self;

    /// Returns the entries of each row, in row order.
    ///
    /// Called once for every batch, in input order.
    fn entries(&mut self, batch: &RecordBatch) -> Result<Vec<KeyedRow>>;

    /// Returns true if the rows of some keys may be processed after those of others.
    ///
    /// If false, the state of all keys must fit into memory.
    fn may_wait(&self) -> bool {
        true
    }

    /// Returns true if the work has state for the key.
    fn knows(&self, key: &[u8]) -> bool;

    /// Returns the size of the state of all keys, in bytes.
    fn held(&self) -> usize;

    /// Processes entries and returns the output rows that are ready, in order.
    ///
    /// Only entries with [`KeyedRow::is_own`] produce output rows. Rows without an entry are
    /// ignored.
    fn take(&mut self, batch: &RecordBatch, entries: &[KeyedRow]) -> Result<Option<RecordBatch>>;

    /// Returns the remaining output rows in order; called after the last row.
    fn finish(&mut self) -> Result<Given> {
        Ok(Box::new(std::iter::empty()))
    }
}

/// Returns the rows of a batch whose own entry ([`KeyedRow::is_own`]) is among `entries`.
pub(crate) fn own_rows(batch: &RecordBatch, entries: &[KeyedRow]) -> Result<RecordBatch> {
    let own = || entries.iter().filter(|entry| entry.is_own);
    if own().count() == batch.num_rows() {
        return Ok(batch.clone());
    }
    let rows = UInt32Array::from_iter_values(own().map(|entry| entry.row));
    Ok(take_record_batch(batch, &rows)?)
}

/// Returns one entry for each group of each row; the row's first entry is its own.
pub(crate) fn entries_of_groups(
    columns: &[Option<ColumnReader>],
    rows: usize,
) -> Result<Vec<KeyedRow>> {
    let mut entries: Vec<KeyedRow> = Vec::with_capacity(rows);
    for row in 0..rows {
        let number = u32::try_from(row).unwrap_or(u32::MAX);
        let first = entries.len();
        let mut keys = key::groups(columns, row)?;
        match keys.len() {
            0 => entries.push(KeyedRow { row: number, key: None, times: 0, is_own: true }),
            1 => {
                entries.push(KeyedRow { row: number, key: keys.pop(), times: 1, is_own: true });
            }
            _ => {
                // A member that occurs twice in a value counts twice.
                let mut times: IndexMap<Vec<u8>, u32> = IndexMap::new();
                keys.into_iter().for_each(|key| *times.entry(key).or_default() += 1);
                entries.extend(times.into_iter().map(|(key, times)| KeyedRow {
                    row: number,
                    key: Some(key),
                    times,
                    is_own: false,
                }));
                entries[first].is_own = true;
            }
        }
    }
    Ok(entries)
}

/// Returns the schema with the column of serial numbers appended.
pub(crate) fn numbered(schema: &SchemaRef) -> SchemaRef {
    with_fields(schema, [Field::new(SERIAL, DataType::UInt64, false)])
}

fn with_fields<const N: usize>(schema: &SchemaRef, more: [Field; N]) -> SchemaRef {
    let fields = schema.fields().iter().cloned().chain(more.map(Arc::new));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn with_columns<const N: usize>(
    batch: &RecordBatch,
    schema: &SchemaRef,
    more: [ArrayRef; N],
) -> Result<RecordBatch> {
    let columns = batch.columns().iter().cloned().chain(more).collect();
    Ok(RecordBatch::try_new(schema.clone(), columns)?)
}

/// The running half of an operator with [`KeyedWork`]; it numbers the rows itself.
pub(crate) struct ByKey<W> {
    name: &'static str,
    room: Room,
    input: SchemaRef,
    output: SchemaRef,
    next_serial: u64,
    stage: Option<Stage<W>>,
    given: Given,
}

impl<W: KeyedWork> ByKey<W> {
    /// Returns the running half.
    ///
    /// The work reads batches of the [`numbered`] `input` schema and returns batches of the
    /// numbered `output` schema.
    pub(crate) fn start(
        name: &'static str,
        input: &SchemaRef,
        output: SchemaRef,
        room: Room,
        work: W,
    ) -> Self {
        let stage = Stage::new(name, work, numbered(&output), room.clone(), 0);
        Self {
            name,
            room,
            input: numbered(input),
            output,
            next_serial: 0,
            stage: Some(stage),
            given: Box::new(std::iter::empty()),
        }
    }

    /// Returns the batch without serial numbers.
    fn plain(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let columns = batch.columns().split_last().map(|(_, columns)| columns.to_vec());
        super::gather::of_columns(&self.output, columns.unwrap_or_default(), batch.num_rows())
    }
}

impl<W: KeyedWork> Running for ByKey<W> {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        let Some(stage) = &mut self.stage else { return Ok(None) };
        let end = self.next_serial + batch.num_rows() as u64;
        let serials = UInt64Array::from_iter_values(self.next_serial..end);
        self.next_serial = end;
        let batch = with_columns(&batch, &self.input, [Arc::new(serials) as ArrayRef])?;
        let entries = stage.work.entries(&batch)?;
        let done = stage.take(&batch, entries)?;
        done.map(|batch| self.plain(&batch)).transpose()
    }

    fn finish(&mut self) -> Result<Option<RecordBatch>> {
        if let Some(stage) = self.stage.take() {
            self.given = if stage.overflow.is_some() {
                let rows = stage.finish()?;
                Box::new(rows.give()?)
            } else {
                stage.finish_alone()?
            };
        }
        let next = self.given.next().transpose()?;
        next.map(|batch| self.plain(&batch)).transpose()
    }
}

impl<W> std::fmt::Debug for ByKey<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ByKey").field("name", &self.name).field("room", &self.room).finish()
    }
}

/// One pass over the rows of all keys or of one partition.
struct Stage<W> {
    name: &'static str,
    work: W,
    /// The schema of the output, including serial numbers.
    output: SchemaRef,
    room: Room,
    level: usize,
    memory: MemoryReservation,
    overflow: Option<Overflow>,
}

/// The rows that are held once memory has no room for more keys.
struct Overflow {
    /// Output rows, in order.
    done: HeldRows,
    /// Entries of keys without state, by partition; `None` for a partition without entries.
    partitions: [Option<HeldRows>; PARTITIONS],
}

impl<W: KeyedWork> Stage<W> {
    fn new(name: &'static str, work: W, output: SchemaRef, room: Room, level: usize) -> Self {
        let memory = MemoryConsumer::new(name).with_can_spill(true).register(&room.pool);
        Self { name, work, output, room, level, memory, overflow: None }
    }

    /// Processes entries and returns the output rows that need not wait for others.
    fn take(&mut self, batch: &RecordBatch, entries: Vec<KeyedRow>) -> Result<Option<RecordBatch>> {
        let Some(overflow) = &mut self.overflow else {
            let done = self.work.take(batch, &entries)?;
            self.make_room()?;
            return Ok(done);
        };
        // Once rows are on disk, output rows are held, too, because rows on disk may precede them.
        let work = &self.work;
        let is_known = |entry: &KeyedRow| entry.key.as_deref().is_none_or(|key| work.knows(key));
        let (now, later): (Vec<KeyedRow>, Vec<KeyedRow>) = entries.into_iter().partition(is_known);
        overflow.put(self.name, batch, &later, self.level, &self.room)?;
        if let Some(done) = self.work.take(batch, &now)? {
            overflow.done.push(&done)?;
        }
        // The state of a key may still grow.
        self.account(self.work.held())?;
        Ok(None)
    }

    /// Reserves memory for the state; if the state is too large, rows of new keys are written to
    /// disk from now on.
    fn make_room(&mut self) -> Result<()> {
        let held = self.work.held();
        let fits = held <= self.room.limit() / PART && self.memory.try_resize(held).is_ok();
        if fits {
            return Ok(());
        }
        self.account(held)?;
        if self.level == LEVELS || !self.work.may_wait() {
            return Ok(());
        }
        let done = HeldRows::on_disk(self.name, self.output.clone(), &self.room);
        self.overflow = Some(Overflow { done, partitions: [const { None }; PARTITIONS] });
        Ok(())
    }

    /// Reserves memory for state that is already held.
    ///
    /// The pool refuses a consumer once to make it spill. After the refusal it grants the consumer
    /// more memory, up to the search's limit, so the request is repeated once.
    fn account(&self, held: usize) -> Result<()> {
        self.memory.try_resize(held).or_else(|_| self.memory.try_resize(held))
    }

    /// Returns the remaining output rows if no rows are on disk.
    ///
    /// The memory of the state stays reserved until the iterator is dropped.
    fn finish_alone(mut self) -> Result<Given> {
        let given = self.work.finish()?;
        let memory = self.memory;
        // The closure owns the reservation, which therefore lives as long as the iterator.
        Ok(Box::new(given.inspect(move |_| {
            let _ = memory.size();
        })))
    }

    /// Returns all output rows that are not returned yet, in order.
    fn finish(mut self) -> Result<HeldRows> {
        let Some(Overflow { mut done, partitions }) = self.overflow.take() else {
            let mut done = HeldRows::on_disk(self.name, self.output.clone(), &self.room);
            for batch in self.work.finish()? {
                done.push(&batch?)?;
            }
            return Ok(done);
        };
        let fresh = self.work.fresh();
        for batch in self.work.finish()? {
            done.push(&batch?)?;
        }
        // The state is no longer needed, and its memory is available to the partitions.
        drop(self.work);
        drop(self.memory);
        let mut parts = vec![done.give()?];
        for partition in partitions.into_iter().flatten() {
            let (work, output, room) = (fresh.fresh(), self.output.clone(), self.room.clone());
            let mut stage = Self::new(self.name, work, output, room, self.level + 1);
            let mut given = HeldRows::on_disk(self.name, self.output.clone(), &self.room);
            for batch in partition.give()? {
                let (batch, entries) = read_entries(&batch?)?;
                if let Some(batch) = stage.take(&batch, entries)? {
                    given.push(&batch)?;
                }
            }
            parts.push(given.give()?);
            parts.push(stage.finish()?.give()?);
        }
        let mut all = HeldRows::on_disk(self.name, self.output.clone(), &self.room);
        let mut merge = Merge::new(self.output.clone(), parts)?;
        while let Some(batch) = merge.next()? {
            all.push(&batch)?;
        }
        Ok(all)
    }
}

impl Overflow {
    /// Appends entries to their partitions.
    fn put(
        &mut self,
        name: &'static str,
        batch: &RecordBatch,
        entries: &[KeyedRow],
        level: usize,
        room: &Room,
    ) -> Result<()> {
        let mut by_partition: [Vec<&KeyedRow>; PARTITIONS] = [const { Vec::new() }; PARTITIONS];
        for entry in entries {
            let key = entry.key.as_deref().unwrap_or_default();
            by_partition[partition(key, level)].push(entry);
        }
        for (entries, partition) in by_partition.into_iter().zip(&mut self.partitions) {
            if entries.is_empty() {
                continue;
            }
            let rows = write_entries(batch, &entries)?;
            let partition =
                partition.get_or_insert_with(|| HeldRows::on_disk(name, rows.schema(), room));
            partition.push(&rows)?;
        }
        Ok(())
    }
}

/// Returns the index of the key's partition.
///
/// The hash's seed differs between levels; with the same hash, all keys of a partition would be in
/// the same partition of the next level.
fn partition(key: &[u8], level: usize) -> usize {
    let mut hasher = FixedState::with_seed(level as u64).build_hasher();
    hasher.write(key);
    // The upper bits of the hash are distributed better.
    (hasher.finish() >> 32) as usize % PARTITIONS
}

/// Returns the rows of the entries with the entries' other fields as additional columns.
fn write_entries(batch: &RecordBatch, entries: &[&KeyedRow]) -> Result<RecordBatch> {
    let rows = UInt32Array::from_iter_values(entries.iter().map(|entry| entry.row));
    let rows = take_record_batch(batch, &rows)?;
    let keys = entries.iter().map(|entry| entry.key.as_deref());
    let times = entries.iter().map(|entry| entry.times);
    let schema = with_fields(
        &rows.schema(),
        [
            Field::new("\u{4}key", DataType::Binary, true),
            Field::new("\u{4}times", DataType::UInt32, false),
            Field::new("\u{4}own", DataType::Boolean, false),
        ],
    );
    with_columns(
        &rows,
        &schema,
        [
            Arc::new(keys.collect::<BinaryArray>()),
            Arc::new(UInt32Array::from_iter_values(times)),
            Arc::new(entries.iter().map(|entry| Some(entry.is_own)).collect::<BooleanArray>()),
        ],
    )
}

/// Returns the rows and the entries that [`write_entries`] combined.
fn read_entries(written: &RecordBatch) -> Result<(RecordBatch, Vec<KeyedRow>)> {
    let [rows @ .., keys, times, own] = written.columns() else {
        return Err(internal_datafusion_err!("rows that waited have lost their entries"));
    };
    let (keys, times) = (keys.as_binary::<i32>(), times.as_primitive::<UInt32Type>());
    let own = own.as_boolean();
    let entry = |row: usize| KeyedRow {
        row: u32::try_from(row).unwrap_or(u32::MAX),
        key: keys.is_valid(row).then(|| keys.value(row).to_vec()),
        times: times.value(row),
        is_own: own.value(row),
    };
    let entries = (0..written.num_rows()).map(entry).collect();
    let columns: Vec<usize> = (0..rows.len()).collect();
    Ok((written.project(&columns)?, entries))
}

/// Merges parts that are each in the order of serial numbers.
struct Merge {
    schema: SchemaRef,
    parts: Vec<Part>,
    /// The input batches that the rows of the next output batch are read from.
    batches: Vec<RecordBatch>,
}

struct Part {
    rest: Replay,
    /// The index of the part's current batch in [`Merge::batches`], the index of its next row, and
    /// the batch's serial numbers; `None` at the end of the part.
    at: Option<(usize, usize, UInt64Array)>,
}

impl Merge {
    fn new(schema: SchemaRef, parts: Vec<Replay>) -> Result<Self> {
        let mut merge = Self { schema, parts: Vec::new(), batches: Vec::new() };
        for mut rest in parts {
            let at = next_of(&mut rest, &mut merge.batches)?;
            if at.is_some() {
                merge.parts.push(Part { rest, at });
            }
        }
        Ok(merge)
    }

    fn next(&mut self) -> Result<Option<RecordBatch>> {
        let mut rows: Vec<(usize, usize)> = Vec::with_capacity(BATCH_ROWS);
        while rows.len() < BATCH_ROWS {
            let serial =
                |part: &Part| part.at.as_ref().map(|(_, row, serials)| serials.value(*row));
            let first = self.parts.iter().enumerate();
            let first = first.filter_map(|(index, part)| Some((serial(part)?, index))).min();
            let Some((_, index)) = first else { break };
            let part = &mut self.parts[index];
            let Some((batch, row, serials)) = &mut part.at else { break };
            rows.push((*batch, *row));
            *row += 1;
            if *row == serials.len() {
                part.at = next_of(&mut part.rest, &mut self.batches)?;
            }
        }
        if rows.is_empty() {
            return Ok(None);
        }
        let batches: Vec<&RecordBatch> = self.batches.iter().collect();
        let merged = interleave_record_batch(&batches, &rows)?;
        self.forget();
        Ok(Some(merged.with_schema(self.schema.clone())?))
    }

    /// Drops batches whose rows have all been merged.
    fn forget(&mut self) {
        let old = std::mem::take(&mut self.batches);
        for part in &mut self.parts {
            if let Some((batch, ..)) = &mut part.at {
                self.batches.push(old[*batch].clone());
                *batch = self.batches.len() - 1;
            }
        }
    }
}

/// Appends the next batch of a part to `batches`, and returns the part's new [`Part::at`].
fn next_of(
    rest: &mut Replay,
    batches: &mut Vec<RecordBatch>,
) -> Result<Option<(usize, usize, UInt64Array)>> {
    for batch in rest {
        let batch = batch?;
        if batch.num_rows() == 0 {
            continue;
        }
        let serials = batch.columns().last().and_then(|last| last.as_primitive_opt::<UInt64Type>());
        let serials = serials
            .ok_or_else(|| internal_datafusion_err!("rows that are merged must be numbered"))?
            .clone();
        batches.push(batch);
        return Ok(Some((batches.len() - 1, 0, serials)));
    }
    Ok(None)
}
