//! The operator of `eventstats`: adds to each row the statistics of its group.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, RecordBatch, UInt32Array};
use datafusion::arrow::datatypes::{DataType, Field as ArrowField, Schema, SchemaRef, UInt32Type};
use datafusion::common::{Result, internal_datafusion_err};
use datafusion::execution::TaskContext;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::{Field, Value, fields};

use crate::error::to_engine;
use crate::operators::by_key::{self, ByKey, KeyedRow, KeyedWork};
use crate::operators::gather::{self, Given, HeldRows, Room};
use crate::operators::{Operator, Running, key};
use crate::rows::arrow::{ColumnBuilder, ColumnReader};
use crate::rows::cut::{self, Cutter};
use crate::rows::state::state_of;
use crate::stats::{GroupStatistics, PlannedAggregate};

/// Computes aggregates for each group of rows, and adds to each row the results of its group.
///
/// A row that lacks a BY field gets no results. A row with a multivalue BY field counts in the
/// group of each member and gets the results of the first member's group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::commands) struct EventStatistics {
    /// The aggregates to compute.
    pub(in crate::commands) aggregates: Vec<PlannedAggregate>,
    /// The fields whose values form the groups.
    pub(in crate::commands) by: Vec<String>,
}

impl Operator for EventStatistics {
    fn name(&self) -> &'static str {
        "event_statistics"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn output(&self, input: &[Field]) -> Vec<Field> {
        gather::fields_with(input, &output_fields(&self.aggregates))
    }

    fn needs_rows(&self) -> bool {
        true
    }

    fn start(
        &self,
        input: SchemaRef,
        output: SchemaRef,
        context: &TaskContext,
    ) -> Result<Box<dyn Running>> {
        let room = Room::of(context);
        let work = Grouping::new(
            Arc::new(self.clone()),
            by_key::numbered(&input),
            by_key::numbered(&output),
            room.clone(),
        );
        Ok(Box::new(ByKey::start("eventstats", &input, output, room, work)))
    }
}

/// Returns the output fields of aggregates.
pub(in crate::commands) fn output_fields(aggregates: &[PlannedAggregate]) -> Vec<Field> {
    aggregates.iter().map(|aggregate| Field::new(&aggregate.output, aggregate.kind)).collect()
}

/// The columns of a batch that aggregates read.
pub(in crate::commands) struct Inputs {
    columns: Vec<Option<ColumnReader>>,
    time: Option<ColumnReader>,
}

impl Inputs {
    pub(in crate::commands) fn new(
        batch: &RecordBatch,
        aggregates: &[PlannedAggregate],
    ) -> Result<Self> {
        let schema = batch.schema();
        let indices = gather::indices(&schema);
        let reader = |name: &str| {
            let index = indices.get(name).copied();
            index.map(|index| ColumnReader::new(batch.column(index))).transpose()
        };
        Ok(Self {
            columns: aggregates
                .iter()
                .map(|aggregate| aggregate.input.as_deref().and_then(|n| reader(n).transpose()))
                .map(Option::transpose)
                .collect::<Result<_>>()?,
            time: reader(fields::TIME)?,
        })
    }

    /// Returns the input value of the aggregate with this index. An aggregate without a column to
    /// read, such as `count`, gets 1 for each row.
    pub(in crate::commands) fn value(&self, index: usize, row: usize) -> Value<'_> {
        self.columns[index].as_ref().map_or(Value::Number(1.0), |column| column.value(row))
    }

    pub(in crate::commands) fn time(&self, row: usize) -> Option<f64> {
        self.time.as_ref().and_then(|time| time.value(row).as_number())
    }
}

/// The column that stores the group number of a row while the operator holds it.
const GROUP: &str = "\u{4}group";

struct Grouping {
    operator: Arc<EventStatistics>,
    input: SchemaRef,
    output: SchemaRef,
    room: Room,
    /// The number of each group by its key.
    groups: HashMap<Vec<u8>, u32>,
    /// For each aggregate, the statistics of all groups.
    statistics: Vec<Box<dyn GroupStatistics>>,
    /// The approximate memory use of `groups` in bytes.
    keys: usize,
    /// The rows with their group numbers; `None` once [`KeyedWork::finish`] has returned them.
    held: Option<HeldRows>,
}

impl Grouping {
    fn new(
        operator: Arc<EventStatistics>,
        input: SchemaRef,
        output: SchemaRef,
        room: Room,
    ) -> Self {
        let group = ArrowField::new(GROUP, DataType::UInt32, true);
        let fields = input.fields().iter().cloned().chain([Arc::new(group)]);
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Self {
            statistics: operator.aggregates.iter().map(PlannedAggregate::start_groups).collect(),
            operator,
            input,
            output,
            groups: HashMap::new(),
            keys: 0,
            held: Some(HeldRows::new("eventstats", schema, &room)),
            room,
        }
    }

    /// Returns the number of the group with this key; adds a group for a new key.
    fn group(&mut self, key: &[u8]) -> Result<u32> {
        if let Some(group) = self.groups.get(key) {
            return Ok(*group);
        }
        let number = u32::try_from(self.groups.len()).map_err(|_| {
            to_engine(Diagnostic::error(
                Code::TOO_LARGE,
                "there are more than 4,294,967,296 groups",
            ))
        })?;
        self.keys += key.len() + key::HELD;
        self.groups.insert(key.to_vec(), number);
        self.statistics.iter_mut().for_each(|statistics| statistics.grow(self.groups.len()));
        Ok(number)
    }
}

impl KeyedWork for Grouping {
    fn fresh(&self) -> Self {
        let (input, output) = (self.input.clone(), self.output.clone());
        Self::new(self.operator.clone(), input, output, self.room.clone())
    }

    fn entries(&mut self, batch: &RecordBatch) -> Result<Vec<KeyedRow>> {
        let readers = key::readers(batch, &self.operator.by)?;
        by_key::entries_of_groups(&readers, batch.num_rows())
    }

    fn knows(&self, key: &[u8]) -> bool {
        self.groups.contains_key(key)
    }

    fn held(&self) -> usize {
        self.keys + self.statistics.iter().map(|statistics| statistics.size()).sum::<usize>()
    }

    fn take(&mut self, batch: &RecordBatch, entries: &[KeyedRow]) -> Result<Option<RecordBatch>> {
        let operator = self.operator.clone();
        let inputs = Inputs::new(batch, &operator.aggregates)?;
        let mut own = Vec::with_capacity(batch.num_rows());
        for entry in entries {
            let group = entry.key.as_deref().map(|key| self.group(key)).transpose()?;
            if entry.is_own {
                own.push(group);
            }
            let Some(group) = group else { continue };
            let row = entry.row as usize;
            // A member that a multivalue holds twice counts twice: `times` says how often.
            for (index, statistics) in self.statistics.iter_mut().enumerate() {
                let (value, time) = (inputs.value(index, row), inputs.time(row));
                (0..entry.times).for_each(|_| statistics.feed(group as usize, &value, time));
            }
        }
        if let Some(held) = &mut self.held {
            let rows = by_key::own_rows(batch, entries)?;
            let group = Arc::new(UInt32Array::from(own)) as ArrayRef;
            let columns = rows.columns().iter().cloned().chain([group]).collect();
            held.push(&RecordBatch::try_new(held.schema().clone(), columns)?)?;
        }
        Ok(None)
    }

    /// Returns the held rows with the results of their groups.
    fn finish(&mut self) -> Result<Given> {
        let Some(held) = self.held.take() else { return Ok(Box::new(std::iter::empty())) };
        let mut results: Vec<(String, ArrayRef)> = Vec::new();
        for (aggregate, statistics) in self.operator.aggregates.iter().zip(&self.statistics) {
            let mut values = ColumnBuilder::new(aggregate.kind);
            statistics.values(statistics.count(), &mut values);
            results.push((aggregate.output.clone(), values.finish()));
        }
        let (output, mut held) = (self.output.clone(), held.give()?);
        // Each row gets a copy of its group's results. 512 copies of a long list take gigabytes, so
        // large batches are cut.
        let mut cutter = Cutter::default();
        Ok(Box::new(std::iter::from_fn(move || {
            loop {
                let done = cutter.next(|rows| with_results(&rows, &results, &output)).transpose();
                if done.is_some() {
                    return done;
                }
                match held.next()? {
                    Ok(batch) => cutter.put(batch),
                    Err(error) => return Some(Err(error)),
                }
            }
        })))
    }
}

/// Returns the given rows with the results of their groups added.
fn with_results(
    rows: &RecordBatch,
    results: &[(String, ArrayRef)],
    output: &SchemaRef,
) -> Result<RecordBatch> {
    let groups = rows
        .columns()
        .last()
        .ok_or_else(|| internal_datafusion_err!("rows that were held have lost their group"))?
        .as_primitive::<UInt32Type>();
    let set = results
        .iter()
        .map(|(name, values)| Ok((name.clone(), cut::taken(values, groups)?)))
        .collect::<Result<Vec<_>>>()?;
    gather::batch_with(rows, output, &set)
}
