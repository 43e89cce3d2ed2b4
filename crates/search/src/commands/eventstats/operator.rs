//! The statistics of a row's group, added to the row.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use datafusion::arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::{Field, Value, fields};

use crate::error::to_engine;
use crate::operators::gather::{self, Given, HeldRows};
use crate::operators::{Operator, Running, key};
use crate::rows::arrow::{ColumnBuilder, ColumnReader};
use crate::stats::{GroupStatistics, PlannedAggregate};

/// Computes aggregates over all rows and gives every row those of its group. A row without one of the
/// BY fields gets nothing; one with a multivalue counts for the group of each member and gets what
/// the group of the first member has.
#[derive(Debug, Clone)]
pub(in crate::commands) struct EventStatistics {
    /// The aggregates.
    pub(in crate::commands) aggregates: Vec<PlannedAggregate>,
    /// The BY fields.
    pub(in crate::commands) by: Vec<String>,
}

impl Operator for EventStatistics {
    fn name(&self) -> &'static str {
        "event_statistics"
    }

    fn state(&self) -> String {
        serde_json::to_string(&(&self.aggregates, &self.by)).unwrap_or_default()
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
        let statistics = self.aggregates.iter().map(PlannedAggregate::start_groups);
        Ok(Box::new(Grouping {
            statistics: statistics.collect(),
            operator: self.clone(),
            output,
            groups: HashMap::new(),
            rows: Vec::new(),
            keys: 0,
            learnt: 0,
            held: Some(HeldRows::new(self.name(), input, context)),
            given: Box::new(std::iter::empty()),
        }))
    }
}

/// Returns the columns that aggregates make.
pub(in crate::commands) fn output_fields(aggregates: &[PlannedAggregate]) -> Vec<Field> {
    aggregates.iter().map(|aggregate| Field::new(&aggregate.output, aggregate.kind)).collect()
}

/// The columns of a batch that aggregates read.
pub(in crate::commands) struct Inputs {
    columns: Vec<Option<ColumnReader>>,
    time: Option<ColumnReader>,
    pub(in crate::commands) by: Vec<Option<ColumnReader>>,
}

impl Inputs {
    pub(in crate::commands) fn new(
        batch: &RecordBatch,
        aggregates: &[PlannedAggregate],
        by: &[String],
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
            by: by.iter().map(|name| reader(name)).collect::<Result<_>>()?,
        })
    }

    /// Returns what aggregate number `index` takes of a row; every row has something to count.
    pub(in crate::commands) fn value(&self, index: usize, row: usize) -> Value<'_> {
        self.columns[index].as_ref().map_or(Value::Number(1.0), |column| column.value(row))
    }

    pub(in crate::commands) fn time(&self, row: usize) -> Option<f64> {
        self.time.as_ref().and_then(|time| time.value(row).as_number())
    }
}

struct Grouping {
    operator: EventStatistics,
    output: SchemaRef,
    groups: HashMap<Vec<u8>, u32>,
    /// Of each aggregate the statistics of all groups.
    statistics: Vec<Box<dyn GroupStatistics>>,
    /// The group of each row.
    rows: Vec<Option<u32>>,
    /// The bytes of the groups' keys.
    keys: usize,
    /// The memory of all of this that is accounted for.
    learnt: usize,
    /// None once they are given.
    held: Option<HeldRows>,
    given: Given,
}

impl Grouping {
    fn group(&mut self, key: Vec<u8>) -> Result<u32> {
        let count = self.groups.len();
        Ok(match self.groups.entry(key) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(vacant) => {
                let number = u32::try_from(count).map_err(|_| {
                    to_engine(Diagnostic::error(
                        Code::LIMIT,
                        "there are more than 4,294,967,296 groups",
                    ))
                })?;
                self.keys += vacant.key().len() + 64;
                self.statistics.iter_mut().for_each(|statistics| statistics.grow(count + 1));
                *vacant.insert(number)
            }
        })
    }

    /// Returns the rows with the results of their groups.
    fn results(&mut self, held: HeldRows) -> Result<Given> {
        let groups = UInt32Array::from(std::mem::take(&mut self.rows));
        let mut results: Vec<(String, ArrayRef)> = Vec::new();
        for (aggregate, statistics) in self.operator.aggregates.iter().zip(&self.statistics) {
            let mut values = ColumnBuilder::new(aggregate.kind);
            statistics.values(statistics.count(), &mut values);
            results.push((aggregate.output.clone(), values.finish()));
        }
        let output = self.output.clone();
        let mut offset = 0;
        Ok(Box::new(held.give()?.map(move |batch| {
            let batch = batch?;
            let rows = groups.slice(offset, batch.num_rows());
            offset += batch.num_rows();
            let set = results
                .iter()
                .map(|(name, values)| Ok((name.clone(), take(values.as_ref(), &rows, None)?)))
                .collect::<Result<Vec<_>>>()?;
            gather::batch_with(&batch, &output, &set)
        })))
    }
}

impl Running for Grouping {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        let operator = self.operator.clone();
        let inputs = Inputs::new(&batch, &operator.aggregates, &operator.by)?;
        for row in 0..batch.num_rows() {
            let mut own = None;
            for key in key::groups(&inputs.by, row) {
                let group = self.group(key)?;
                own.get_or_insert(group);
                for (index, statistics) in self.statistics.iter_mut().enumerate() {
                    statistics.feed(group as usize, &inputs.value(index, row), inputs.time(row));
                }
            }
            self.rows.push(own);
        }
        let statistics: usize = self.statistics.iter().map(|statistics| statistics.size()).sum();
        let size = statistics + self.keys + self.rows.len() * 8;
        if let Some(held) = &mut self.held {
            held.push(&batch)?;
            held.learn(size.saturating_sub(self.learnt))?;
        }
        self.learnt = self.learnt.max(size);
        Ok(None)
    }

    fn finish(&mut self) -> Result<Option<RecordBatch>> {
        if let Some(held) = self.held.take() {
            self.given = self.results(held)?;
        }
        self.given.next().transpose()
    }
}
