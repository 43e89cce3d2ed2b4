//! Drops rows that cannot be among the first rows of a sort.
//!
//! A sort that keeps its first rows on a heap cannot spill, and one that spills writes every row to
//! disk, although few of them are kept in the end. This operator runs before a sort that spills.
//! While the first rows fit into memory, it passes on no others. When they do not fit, it passes on
//! what it holds, so that the sort can spill it. It therefore never decides which rows are the
//! first; it only makes them few.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::Arc;

use datafusion::arrow::array::{BooleanArray, RecordBatch, UInt32Array};
use datafusion::arrow::compute::{
    SortOptions, concat_batches, filter_record_batch, take_record_batch,
};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::row::{OwnedRow, RowConverter, Rows, SortField};
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_expr::LexOrdering;
use datafusion::physical_plan::PhysicalExpr;
use serde::{Deserialize, Serialize};
use spilltrail_event::Field;

use super::gather::compacted;
use super::held::Room;
use super::{Codec, Operator, Running};
use crate::rows::cut::{BATCH_BYTES, BATCH_ROWS};
use crate::rows::state::{of_state, state_of};

/// Returns a superset of the first rows of a sort, in the order of the input.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Leading {
    #[serde(skip)]
    keys: Vec<Arc<dyn PhysicalExpr>>,
    orders: Vec<Order>,
    /// The number of first rows that are wanted; at least 1.
    count: usize,
}

/// The order of one sort key.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Order {
    is_descending: bool,
    nulls_first: bool,
}

/// Reads the operator from its state and from the sort keys, which are not part of the state.
pub(super) const CODEC: Codec = Codec {
    name: "leading",
    read: |state, keys| {
        let leading: Leading = of_state(state)?;
        Ok(Arc::new(Leading { keys, ..leading }))
    },
};

impl Leading {
    /// Returns the operator for the first `count` rows in the given order.
    pub(crate) fn new(order: &LexOrdering, count: usize) -> Self {
        let keys = order.iter().map(|key| key.expr.clone()).collect();
        let orders = order.iter().map(|key| Order {
            is_descending: key.options.descending,
            nulls_first: key.options.nulls_first,
        });
        Self { keys, orders: orders.collect(), count: count.max(1) }
    }
}

impl Operator for Leading {
    fn name(&self) -> &'static str {
        "leading"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn expressions(&self) -> &[Arc<dyn PhysicalExpr>] {
        &self.keys
    }

    fn output(&self, input: &[Field]) -> Vec<Field> {
        input.to_vec()
    }

    fn needs_rows(&self) -> bool {
        true
    }

    fn start(
        &self,
        input: SchemaRef,
        _: SchemaRef,
        context: &TaskContext,
    ) -> Result<Box<dyn Running>> {
        let field = |(key, order): (&Arc<dyn PhysicalExpr>, &Order)| {
            let options =
                SortOptions { descending: order.is_descending, nulls_first: order.nulls_first };
            Ok(SortField::new_with_options(key.data_type(&input)?, options))
        };
        let fields = self.keys.iter().zip(&self.orders).map(field).collect::<Result<_>>()?;
        let room = Room::of(context);
        Ok(Box::new(Choosing {
            keys: self.keys.clone(),
            converter: RowConverter::new(fields)?,
            count: self.count,
            most: room.limit() / PART,
            room,
            batches: Vec::new(),
            rows: 0,
            last: None,
            memory: None,
            given: VecDeque::new(),
        }))
    }
}

/// Rows are passed on when the first ones take more than the memory limit divided by this.
const PART: usize = 4;

struct Choosing {
    keys: Vec<Arc<dyn PhysicalExpr>>,
    converter: RowConverter,
    count: usize,
    /// The most bytes of rows held in memory.
    most: usize,
    room: Room,
    /// Rows of which any may be among the first.
    batches: Vec<RecordBatch>,
    rows: usize,
    /// The sort key of a row before which `count - 1` other rows come, so that no row at or after
    /// it is among the first.
    last: Option<OwnedRow>,
    /// The memory of the batches; `None` if nothing is held, so that the pool does not count this
    /// consumer.
    memory: Option<MemoryReservation>,
    given: VecDeque<RecordBatch>,
}

impl Running for Choosing {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        let Some(batch) = self.possible(batch)? else { return Ok(None) };
        self.rows += batch.num_rows();
        let is_full = !self.reserve(batch.get_array_memory_size());
        self.batches.push(batch);
        if is_full || self.rows >= self.count.saturating_mul(2).saturating_add(BATCH_ROWS) {
            let left = self.choose()?;
            // If little was dropped, the same would be chosen from again and again.
            if left > self.most / 4 * 3 || !self.resize(left) {
                self.given.extend(self.batches.drain(..));
                self.rows = 0;
            }
        }
        self.more()
    }

    fn more(&mut self) -> Result<Option<RecordBatch>> {
        let Some(batch) = self.given.pop_front() else { return Ok(None) };
        if let Some(memory) = &mut self.memory {
            memory.shrink(batch.get_array_memory_size().min(memory.size()));
        }
        if self.given.is_empty() && self.batches.is_empty() {
            self.memory = None;
        }
        Ok(Some(batch))
    }

    fn finish(&mut self) -> Result<Option<RecordBatch>> {
        if !self.batches.is_empty() {
            // The rows get smaller, so that the memory is always granted.
            let left = self.choose()?;
            self.resize(left);
            self.given.extend(self.batches.drain(..));
            self.rows = 0;
        }
        self.more()
    }
}

impl Choosing {
    /// Appends the sort keys of a batch's rows.
    fn append_keys(&self, batch: &RecordBatch, rows: &mut Rows) -> Result<()> {
        let keys = self.keys.iter().map(|key| key.evaluate(batch)?.into_array(batch.num_rows()));
        Ok(self.converter.append(rows, &keys.collect::<Result<Vec<_>>>()?)?)
    }

    /// Returns the rows of a batch that come before the last of the first rows known so far.
    fn possible(&self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        let Some(last) = &self.last else { return Ok(Some(batch)) };
        let mut keys = self.converter.empty_rows(batch.num_rows(), 0);
        self.append_keys(&batch, &mut keys)?;
        let is_possible: BooleanArray = keys.iter().map(|key| Some(key < last.row())).collect();
        Ok(match is_possible.true_count() {
            0 => None,
            rows if rows == batch.num_rows() => Some(batch),
            _ => Some(compacted(&filter_record_batch(&batch, &is_possible)?)?),
        })
    }

    /// Reserves memory, and returns whether it is granted.
    fn reserve(&mut self, bytes: usize) -> bool {
        let held = self.memory.as_ref().map_or(0, MemoryReservation::size);
        self.resize(held + bytes)
    }

    /// Sets the reserved memory, and returns whether it is granted.
    fn resize(&mut self, bytes: usize) -> bool {
        let memory = self.memory.get_or_insert_with(|| {
            MemoryConsumer::new("leading").with_can_spill(true).register(&self.room.pool)
        });
        bytes <= self.most && memory.try_resize(bytes).is_ok()
    }

    /// Drops all rows after the first ones, unless their keys do not fit into memory, and returns
    /// the bytes of those that are left.
    fn choose(&mut self) -> Result<usize> {
        let held = |batches: &[RecordBatch]| -> usize {
            batches.iter().map(RecordBatch::get_array_memory_size).sum()
        };
        if self.rows <= self.count {
            return Ok(held(&self.batches));
        }
        let mut keys = self.converter.empty_rows(self.rows, 0);
        for batch in &self.batches {
            self.append_keys(batch, &mut keys)?;
        }
        // The keys and the numbers of the rows are there until the rows are chosen.
        let beside = keys.size() + self.rows * size_of::<usize>();
        let reservation = self.memory.as_ref().map(MemoryReservation::new_empty);
        if reservation.as_ref().is_some_and(|memory| memory.try_grow(beside).is_err()) {
            return Ok(usize::MAX);
        }
        let mut first: Vec<usize> = (0..self.rows).collect();
        let (_, last, _) =
            first.select_nth_unstable_by_key(self.count - 1, |row| (keys.row(*row), *row));
        self.last = Some(keys.row(*last).owned());
        first.truncate(self.count);
        first.sort_unstable_by_key(|row| Reverse(*row));
        let mut chosen = Together::default();
        let mut base = 0;
        for batch in self.batches.drain(..) {
            let end = base + batch.num_rows();
            let mut rows = Vec::new();
            while let Some(row) = first.pop_if(|row| *row < end) {
                rows.push(u32::try_from(row - base).unwrap_or(u32::MAX));
            }
            chosen.push(batch, rows)?;
            base = end;
        }
        self.batches = chosen.finish()?;
        self.rows = self.count;
        Ok(held(&self.batches))
    }
}

/// Collects chosen rows in batches that are neither tiny nor larger than others.
#[derive(Default)]
struct Together {
    batches: Vec<RecordBatch>,
    waiting: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
}

impl Together {
    /// Adds the rows with these numbers.
    fn push(&mut self, batch: RecordBatch, rows: Vec<u32>) -> Result<()> {
        let count = rows.len();
        let bytes = batch.get_array_memory_size() / batch.num_rows().max(1) * count;
        if self.rows + count > BATCH_ROWS || self.bytes + bytes > BATCH_BYTES {
            self.flush()?;
        }
        if count == batch.num_rows() && count > BATCH_ROWS / 2 {
            self.flush()?;
            self.batches.push(batch);
        } else if count > 0 {
            self.waiting.push(take_record_batch(&batch, &UInt32Array::from(rows))?);
            self.rows += count;
            self.bytes += bytes;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        (self.rows, self.bytes) = (0, 0);
        let waiting = std::mem::take(&mut self.waiting);
        if let Some(first) = waiting.first() {
            self.batches.push(compacted(&concat_batches(first.schema_ref(), &waiting)?)?);
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<RecordBatch>> {
        self.flush()?;
        Ok(self.batches)
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{AsArray, Float64Array};
    use datafusion::arrow::datatypes::{DataType, Field as ArrowField, Float64Type, Schema};
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use datafusion::physical_expr::PhysicalSortExpr;
    use datafusion::physical_expr::expressions::Column;
    use datafusion::prelude::{SessionConfig, SessionContext};

    use super::*;

    /// Returns the rows that are passed on for the first 100 in descending order, and those that
    /// were passed on before the end.
    fn passed_on(numbers: impl Iterator<Item = f64>, memory: usize) -> (Vec<f64>, usize) {
        let schema = Arc::new(Schema::new(vec![ArrowField::new("n", DataType::Float64, true)]));
        let options = SortOptions { descending: true, nulls_first: false };
        let key = PhysicalSortExpr::new(Arc::new(Column::new("n", 0)), options);
        let leading = Leading::new(&LexOrdering::new([key]).unwrap(), 100);
        let read = (CODEC.read)(&leading.state(), leading.keys.clone()).unwrap();
        assert_eq!(read.state(), leading.state());
        let runtime = RuntimeEnvBuilder::new().with_memory_limit(memory, 1.0).build_arc();
        let config = SessionConfig::new();
        let task = SessionContext::new_with_config_rt(config, runtime.unwrap()).task_ctx();
        let mut running = read.start(schema.clone(), schema.clone(), &task).unwrap();
        let numbers: Vec<f64> = numbers.collect();
        let mut given = Vec::new();
        let mut add = |batch: &RecordBatch| {
            given.extend(batch.column(0).as_primitive::<Float64Type>().values().iter().copied());
            given.len()
        };
        let mut early = 0;
        for numbers in numbers.chunks(64) {
            let column = Arc::new(Float64Array::from(numbers.to_vec()));
            let batch = RecordBatch::try_new(schema.clone(), vec![column]).unwrap();
            let mut next = running.push(batch).unwrap();
            while let Some(batch) = next {
                early = add(&batch);
                next = running.more().unwrap();
            }
        }
        while let Some(batch) = running.finish().unwrap() {
            add(&batch);
        }
        assert_eq!(task.memory_pool().reserved(), 0);
        (given, early)
    }

    #[test]
    fn only_the_first_rows_are_passed_on_in_the_order_of_the_input() {
        for step in [1, 7, 1999] {
            let numbers = (0..2000).map(|n| f64::from(n * step % 2000));
            let want: Vec<f64> = numbers.clone().filter(|number| *number >= 1900.0).collect();
            assert_eq!(passed_on(numbers, 1 << 20), (want, 0), "step {step}");
        }
        assert_eq!(passed_on([3.0, 1.0, 2.0].into_iter(), 1 << 20), (vec![3.0, 1.0, 2.0], 0));
    }

    #[test]
    fn rows_that_do_not_fit_are_passed_on_before_the_end() {
        let (given, early) = passed_on((0..2000).map(f64::from), 2 << 10);
        assert!(early > 1000 && given.len() <= 2000, "{early} of {}", given.len());
        assert!((1900..2000).all(|number| given.contains(&f64::from(number))));
    }
}
