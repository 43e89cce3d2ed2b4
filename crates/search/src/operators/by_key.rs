//! Operators that know something of each key: how often it came, the statistics of its group.
//!
//! There may be more keys than memory holds. Then those that came first stay, and go on as before. Rows
//! of other keys wait on disk, in partitions by the hash of the key, and each partition is done by itself
//! when all rows have come, in the same way: it may have too many keys, too, and is partitioned again.
//!
//! The rows of all parts are put in order again by their numbers, so that nobody sees any of this.

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

/// Partitions of one level.
const PARTITIONS: usize = 16;

/// Levels of partitions; what is still too large at the last one must fit into memory.
const LEVELS: usize = 6;

/// The part of the limit that is kept of keys before others wait on disk.
const PART: usize = 4;

/// The column that rows are numbered in, the last one of every batch.
const SERIAL: &str = "\u{4}serial";

/// A row, and one of the keys that it counts for.
#[derive(Debug, Clone)]
pub(crate) struct KeyedRow {
    pub(crate) row: u32,
    /// `None` if the row has no key, and counts for none.
    pub(crate) key: Option<Vec<u8>>,
    /// How many times it counts.
    pub(crate) times: u32,
    /// Whether it is by this key that the row gets its result: true once for each row.
    pub(crate) is_own: bool,
}

/// What an operator does with the rows of keys. What a row gets depends on rows of the same key only, unless
/// [`KeyedWork::may_wait`] says otherwise.
pub(crate) trait KeyedWork: Send + Sized {
    /// Returns the same work with nothing known.
    fn fresh(&self) -> Self;

    /// Returns the entries of each row in turn.
    /// Called once for every row, in the order in which rows come.
    fn entries(&mut self, batch: &RecordBatch) -> Result<Vec<KeyedRow>>;

    /// Returns whether some keys may wait for others. If not, what is known must fit into memory.
    fn may_wait(&self) -> bool {
        true
    }

    /// Returns whether the key is known.
    fn knows(&self, key: &[u8]) -> bool;

    /// Returns the bytes of what is known of all keys.
    fn held(&self) -> usize;

    /// Takes entries, and returns what rows that are their own become now, in order. Rows of the batch
    /// without an entry are not looked at.
    fn take(&mut self, batch: &RecordBatch, entries: &[KeyedRow]) -> Result<Option<RecordBatch>>;

    /// Returns what else rows become, in order, when all have come.
    fn finish(&mut self) -> Result<Given> {
        Ok(Box::new(std::iter::empty()))
    }
}

/// Returns the rows of a batch that have an entry of their own.
pub(crate) fn own_rows(batch: &RecordBatch, entries: &[KeyedRow]) -> Result<RecordBatch> {
    let own = || entries.iter().filter(|entry| entry.is_own);
    if own().count() == batch.num_rows() {
        return Ok(batch.clone());
    }
    let rows = UInt32Array::from_iter_values(own().map(|entry| entry.row));
    Ok(take_record_batch(batch, &rows)?)
}

/// Returns an entry for each group of each row, the first one being its own.
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
                // A member that is there twice counts twice.
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

/// Returns a schema with the column of row numbers.
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

/// The running half of an operator with [`KeyedWork`], over rows that it numbers.
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
    /// Returns the running half. The work takes batches of [`numbered`] `input`, and gives those of
    /// numbered `output`.
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

    /// Returns the batch without row numbers.
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

/// One pass over rows: those of all keys, or of a partition.
struct Stage<W> {
    name: &'static str,
    work: W,
    /// The schema of what is given, row numbers included.
    output: SchemaRef,
    room: Room,
    level: usize,
    memory: MemoryReservation,
    overflow: Option<Overflow>,
}

/// What waits once there is no room for more keys.
struct Overflow {
    /// Rows that are done, in order.
    done: HeldRows,
    /// Entries of keys that are not known; `None` as long as there is none.
    partitions: [Option<HeldRows>; PARTITIONS],
}

impl<W: KeyedWork> Stage<W> {
    fn new(name: &'static str, work: W, output: SchemaRef, room: Room, level: usize) -> Self {
        let memory = MemoryConsumer::new(name).with_can_spill(true).register(&room.pool);
        Self { name, work, output, room, level, memory, overflow: None }
    }

    /// Takes entries; returns rows that are done and go on at once.
    fn take(&mut self, batch: &RecordBatch, entries: Vec<KeyedRow>) -> Result<Option<RecordBatch>> {
        let Some(overflow) = &mut self.overflow else {
            let done = self.work.take(batch, &entries)?;
            self.make_room()?;
            return Ok(done);
        };
        let work = &self.work;
        let is_known = |entry: &KeyedRow| entry.key.as_deref().is_none_or(|key| work.knows(key));
        let (now, later): (Vec<KeyedRow>, Vec<KeyedRow>) = entries.into_iter().partition(is_known);
        overflow.put(self.name, batch, &later, self.level, &self.room)?;
        if let Some(done) = self.work.take(batch, &now)? {
            overflow.done.push(&done)?;
        }
        // What is known of a key may still grow.
        self.account(self.work.held())?;
        Ok(None)
    }

    /// Has other keys wait if there is no room for more.
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

    /// Accounts for what is held already. The pool first refuses, so that the stage has others wait, and
    /// then gives what there is.
    fn account(&self, held: usize) -> Result<()> {
        self.memory.try_resize(held).or_else(|_| self.memory.try_resize(held))
    }

    /// Returns the rest of what rows become, if no key had to wait. What is known stays accounted for
    /// until all is given.
    fn finish_alone(mut self) -> Result<Given> {
        let given = self.work.finish()?;
        let memory = self.memory;
        Ok(Box::new(given.inspect(move |_| {
            let _ = memory.size();
        })))
    }

    /// Returns all that rows become, in order.
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
    /// Puts entries into their partitions.
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

/// Returns the partition of a key. The hash differs between levels, or all keys of a partition would be
/// in one again.
fn partition(key: &[u8], level: usize) -> usize {
    let mut hasher = FixedState::with_seed(level as u64).build_hasher();
    hasher.write(key);
    // The upper bits are the better ones.
    (hasher.finish() >> 32) as usize % PARTITIONS
}

/// Returns the rows of entries, with what the entries say in columns of their own.
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

/// Returns what [`write_entries`] wrote.
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

/// Rows in the order of their numbers, from parts that are each in that order.
struct Merge {
    schema: SchemaRef,
    parts: Vec<Part>,
    /// The batches that rows of the next batch are of.
    batches: Vec<RecordBatch>,
}

struct Part {
    rest: Replay,
    /// The index of its batch among the batches, the next row, and the numbers of the batch's rows; `None` at its end.
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

    /// Forgets batches of which no row is left.
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

/// Adds the next batch of a part to the batches; returns where it is.
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
