//! The operator of `streamstats`: adds to each row the statistics of the rows up to it.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_eval::{Expression, Row, limits};
use spilltrail_event::{Field, Value, fields};

use super::window::{Counted, WindowOfRows};
use crate::commands::eventstats::operator::{Inputs, output_fields};
use crate::error::to_engine;
use crate::operators::by_key::{self, ByKey, KeyedRow, KeyedWork};
use crate::operators::gather::{self, Room};
use crate::operators::{Operator, Running, key};
use crate::planning::expression::CarriedExpression;
use crate::rows::arrow::{ColumnBuilder, ColumnReader};
use crate::rows::state::state_of;
use crate::stats::groups::feed;
use crate::stats::{PlannedAggregate, Statistic};

/// The rows that count for the results of a row.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) enum Window {
    /// All rows so far.
    All,
    /// The most recent rows, including the current one if `with_current` is set.
    Rows {
        /// The number of rows.
        count: usize,
        /// Whether the window holds rows of all groups; else each group has a window of its own.
        is_global: bool,
    },
    /// Rows less than this many seconds away from the current one. The rows must be sorted by
    /// time, in either direction.
    Seconds {
        /// The number of seconds.
        #[serde(with = "spilltrail_event::exact")]
        length: f64,
        /// The largest number of rows of a group.
        most: usize,
    },
}

/// The conditions under which all rows so far are forgotten.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Resets {
    /// Before a row whose BY fields differ from those of the row before.
    pub(super) on_change: bool,
    /// Before a row for which this holds.
    pub(super) before: Option<CarriedExpression>,
    /// After a row for which this holds; the condition can read the results of the row.
    pub(super) after: Option<CarriedExpression>,
}

/// Computes running aggregates.
///
/// A row that lacks a BY field gets no results and does not count. A row with a multivalue BY field
/// counts for each of its values, and gets the results of the first value's group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StreamStatistics {
    /// The aggregates to compute.
    pub(super) aggregates: Vec<PlannedAggregate>,
    /// The BY fields.
    pub(super) by: Vec<String>,
    /// The rows that count.
    pub(super) window: Window,
    /// Whether the current row counts for its own results.
    pub(super) with_current: bool,
    /// The conditions under which all rows so far are forgotten.
    pub(super) resets: Resets,
}

impl Operator for StreamStatistics {
    fn name(&self) -> &'static str {
        "stream_statistics"
    }

    fn state(&self) -> String {
        state_of(self)
    }

    fn identity(&self) -> String {
        let Self { aggregates, by, window, with_current, resets } = self;
        let identity = |reset: &Option<CarriedExpression>| {
            reset.as_ref().map(CarriedExpression::identity).unwrap_or_default()
        };
        let (before, after) = (identity(&resets.before), identity(&resets.after));
        let aggregates = state_of(&(aggregates, by));
        let on_change = resets.on_change;
        format!("{aggregates} {window:?} {with_current} {on_change} {before:?} {after:?}")
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
        let operator = Arc::new(self.clone());
        if self.is_by_key() {
            let work = Grouped {
                operator,
                output: by_key::numbered(&output),
                state: History::default(),
                order: TimeOrder::default(),
            };
            let room = Room::of(context);
            return Ok(Box::new(ByKey::start("streamstats", &input, output, room, work)));
        }
        Ok(Box::new(Streaming {
            operator,
            output,
            state: History::default(),
            previous: None,
            order: TimeOrder::default(),
        }))
    }
}

impl StreamStatistics {
    /// Returns whether the results of a row depend only on rows of its own groups.
    fn is_by_key(&self) -> bool {
        let resets = &self.resets;
        let is_reset = resets.on_change || resets.before.is_some() || resets.after.is_some();
        !is_reset && !matches!(self.window, Window::Rows { is_global: true, .. })
    }

    /// Returns the value of a row that each aggregate reads.
    fn values(&self, inputs: &Inputs, row: usize) -> Vec<Value<'static>> {
        (0..self.aggregates.len()).map(|index| inputs.value(index, row).into_owned()).collect()
    }

    fn columns(&self) -> Vec<ColumnBuilder> {
        let aggregates = self.aggregates.iter();
        aggregates.map(|aggregate| ColumnBuilder::new(aggregate.kind)).collect()
    }

    /// Returns the batch with the result columns added, or replaced if it has them already.
    fn with_results(
        &self,
        batch: &RecordBatch,
        output: &SchemaRef,
        columns: Vec<ColumnBuilder>,
    ) -> Result<RecordBatch> {
        let names = self.aggregates.iter().map(|aggregate| aggregate.output.clone());
        let set: Vec<(String, ArrayRef)> =
            names.zip(columns.into_iter().map(ColumnBuilder::finish)).collect();
        gather::batch_with(batch, output, &set)
    }
}

/// Running statistics of independent groups, which can be computed group by group.
struct Grouped {
    operator: Arc<StreamStatistics>,
    output: SchemaRef,
    state: History,
    order: TimeOrder,
}

impl KeyedWork for Grouped {
    fn fresh(&self) -> Self {
        Self {
            operator: self.operator.clone(),
            output: self.output.clone(),
            state: History::default(),
            order: TimeOrder::default(),
        }
    }

    fn entries(&mut self, batch: &RecordBatch) -> Result<Vec<KeyedRow>> {
        let readers = key::readers(batch, &self.operator.by)?;
        let entries = by_key::entries_of_groups(&readers, batch.num_rows())?;
        // Times are checked here because `take` gets rows that waited on disk out of order.
        if let Window::Seconds { .. } = self.operator.window {
            let times = gather::reader(batch, fields::TIME)?;
            for entry in entries.iter().filter(|entry| entry.is_own && entry.key.is_some()) {
                let time = times.as_ref().map(|times| times.value(entry.row as usize));
                self.order.check(time.and_then(|time| time.as_number()))?;
            }
        }
        Ok(entries)
    }

    fn knows(&self, key: &[u8]) -> bool {
        self.state.running.contains_key(key) || self.state.windows.contains_key(key)
    }

    fn held(&self) -> usize {
        self.state.held
    }

    fn take(&mut self, batch: &RecordBatch, entries: &[KeyedRow]) -> Result<Option<RecordBatch>> {
        let operator = self.operator.clone();
        let inputs = Inputs::new(batch, &operator.aggregates)?;
        let mut columns = operator.columns();
        for entry in entries {
            let row = entry.row as usize;
            let results = match &entry.key {
                Some(key) => {
                    let time = inputs.time(row);
                    let groups = vec![key.clone(); entry.times as usize];
                    let counted = Counted { groups, values: operator.values(&inputs, row), time };
                    self.state.add(&operator, counted, key)
                }
                None => vec![Value::Null; operator.aggregates.len()],
            };
            if entry.is_own {
                columns.iter_mut().zip(results).for_each(|(column, value)| column.push(value));
            }
        }
        let rows = by_key::own_rows(batch, entries)?;
        operator.with_results(&rows, &self.output, columns).map(Some)
    }
}

/// Checks that times never change direction: they must only ascend or only descend.
#[derive(Debug, Default)]
struct TimeOrder {
    /// 1 if times ascend, -1 if they descend, 0 while all have been equal.
    direction: f64,
    last: Option<f64>,
}

impl TimeOrder {
    fn check(&mut self, time: Option<f64>) -> Result<()> {
        let Some(time) = time else { return Ok(()) };
        let step = self.last.map_or(0.0, |last| time - last);
        self.last = Some(time);
        if step * self.direction < 0.0 {
            let message = "`time_window` needs rows in the order of `_time`";
            return Err(to_engine(
                Diagnostic::error(Code::UNORDERED, message)
                    .help("put `| sort 0 _time` before the `streamstats`"),
            ));
        }
        if step != 0.0 {
            self.direction = step.signum();
        }
        Ok(())
    }
}

/// Running statistics of groups that depend on each other, because they are reset together or
/// share a window.
struct Streaming {
    operator: Arc<StreamStatistics>,
    output: SchemaRef,
    state: History,
    /// The groups of the last row that had all BY fields.
    previous: Option<Vec<Vec<u8>>>,
    order: TimeOrder,
}

impl Running for Streaming {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        let operator = self.operator.clone();
        let inputs = Inputs::new(&batch, &operator.aggregates)?;
        let by = key::readers(&batch, &operator.by)?;
        let before = operator.resets.before.as_ref().map(|c| Condition::new(c, &batch, &[]));
        let before = before.transpose()?;
        let after = operator.resets.after.as_ref();
        let after = after.map(|c| Condition::new(c, &batch, &operator.aggregates)).transpose()?;
        let mut columns = operator.columns();
        // In a condition, a value that exceeds a limit becomes null. `watch` returns an error then,
        // because the result of the condition would be wrong.
        let mut rows = 0..batch.num_rows();
        limits::watch(|| {
            rows.try_for_each(|row| -> Result<()> {
                if before.as_ref().is_some_and(|condition| condition.holds(row, &[])) {
                    self.state = History::default();
                }
                let results = self.results(&inputs, &by, row)?;
                if after.as_ref().is_some_and(|condition| condition.holds(row, &results)) {
                    self.state = History::default();
                }
                columns.iter_mut().zip(results).for_each(|(column, value)| column.push(value));
                Ok(())
            })
        })
        .map_err(to_engine)??;
        operator.with_results(&batch, &self.output, columns).map(Some)
    }

    fn held(&self) -> usize {
        self.state.held
    }
}

impl Streaming {
    fn results(
        &mut self,
        inputs: &Inputs,
        by: &[Option<ColumnReader>],
        row: usize,
    ) -> Result<Vec<Value<'static>>> {
        let groups = key::groups(by, row)?;
        let Some(own) = groups.first().cloned() else {
            return Ok(vec![Value::Null; self.operator.aggregates.len()]);
        };
        if self.operator.resets.on_change {
            if self.previous.as_ref().is_some_and(|previous| *previous != groups) {
                self.state = History::default();
            }
            self.previous = Some(groups.clone());
        }
        let time = inputs.time(row);
        if let Window::Seconds { .. } = self.operator.window {
            self.order.check(time)?;
        }
        let entry = Counted { groups, values: self.operator.values(inputs, row), time };
        Ok(self.state.add(&self.operator, entry, &own))
    }
}

/// The state of the rows so far: running statistics or windows, by group.
#[derive(Debug, Default)]
struct History {
    running: HashMap<Vec<u8>, Vec<Box<dyn Statistic>>>,
    windows: HashMap<Vec<u8>, WindowOfRows>,
    /// The estimated size of all of it in bytes.
    held: usize,
}

/// Estimated bytes of a statistic in addition to the size that it reports itself.
const STATISTIC: usize = 64;

impl History {
    /// Counts a row and returns the results of the group `own`.
    fn add(
        &mut self,
        operator: &StreamStatistics,
        entry: Counted,
        own: &[u8],
    ) -> Vec<Value<'static>> {
        if operator.window == Window::All {
            return self.add_running(operator, &entry, own);
        }
        let is_global = matches!(operator.window, Window::Rows { is_global: true, .. });
        let scopes = if is_global { vec![Vec::new()] } else { entry.groups.clone() };
        let time = entry.time;
        let entry = Arc::new(entry);
        let mut results = None;
        for scope in scopes {
            let group = if is_global { None } else { Some(scope.clone()) };
            if !self.windows.contains_key(&scope) {
                self.held += scope.len() + 2 * key::HELD;
            }
            let window = self.windows.entry(scope).or_insert_with(|| WindowOfRows::new(group));
            let before = window.held();
            if operator.with_current {
                window.push(&entry, &operator.aggregates);
            }
            window.shrink(operator.window, time);
            results.get_or_insert_with(|| window.results(&operator.aggregates, own));
            // A row that does not count for itself is added after its results are read.
            if !operator.with_current {
                window.push(&entry, &operator.aggregates);
            }
            self.held = self.held + window.held() - before;
        }
        results.unwrap_or_default()
    }

    fn add_running(
        &mut self,
        operator: &StreamStatistics,
        entry: &Counted,
        own: &[u8],
    ) -> Vec<Value<'static>> {
        let fresh = || operator.aggregates.iter().map(PlannedAggregate::start).collect();
        let results = |running: &HashMap<Vec<u8>, Vec<Box<dyn Statistic>>>| {
            let none: Vec<Box<dyn Statistic>>;
            let statistics = match running.get(own) {
                Some(statistics) => statistics,
                None => {
                    none = fresh();
                    &none
                }
            };
            statistics.iter().map(|statistic| statistic.value()).collect()
        };
        let before = if operator.with_current { None } else { Some(results(&self.running)) };
        for group in &entry.groups {
            if !self.running.contains_key(group) {
                let statistics: Vec<_> = fresh();
                let sizes = statistics.iter().map(|statistic| statistic.held() + STATISTIC);
                self.held += group.len() + key::HELD + sizes.sum::<usize>();
                self.running.insert(group.clone(), statistics);
            }
            for (statistic, value) in
                self.running.get_mut(group).into_iter().flatten().zip(&entry.values)
            {
                let before = statistic.held();
                feed(statistic.as_mut(), value, entry.time);
                self.held = self.held + statistic.held() - before;
            }
        }
        before.unwrap_or_else(|| results(&self.running))
    }
}

/// A condition that reads columns of a batch and results of a row. Results hide columns with the
/// same name.
struct Condition<'a> {
    expression: &'a Expression,
    slots: Vec<Slot>,
}

enum Slot {
    Column(ColumnReader),
    Result(usize),
    Absent,
}

impl<'a> Condition<'a> {
    fn new(
        expression: &'a Expression,
        batch: &RecordBatch,
        results: &[PlannedAggregate],
    ) -> Result<Self> {
        let slots = expression
            .fields()
            .iter()
            .map(|name| {
                if let Some(index) = results.iter().position(|result| result.output == *name) {
                    return Ok(Slot::Result(index));
                }
                match batch.column_by_name(name) {
                    Some(column) => ColumnReader::new(column).map(Slot::Column),
                    None => Ok(Slot::Absent),
                }
            })
            .collect::<Result<_>>()?;
        Ok(Self { expression, slots })
    }

    fn holds(&self, row: usize, results: &[Value<'static>]) -> bool {
        let slots = Slots { slots: &self.slots, row, results };
        self.expression.holds(&slots) == Some(true)
    }
}

struct Slots<'a> {
    slots: &'a [Slot],
    row: usize,
    results: &'a [Value<'static>],
}

impl Row for Slots<'_> {
    fn value(&self, slot: usize) -> Value<'_> {
        match self.slots.get(slot) {
            Some(Slot::Column(column)) => column.value(self.row),
            Some(Slot::Result(index)) => self.results.get(*index).cloned().unwrap_or(Value::Null),
            Some(Slot::Absent) | None => Value::Null,
        }
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    fn operator(window: Window, with_current: bool) -> StreamStatistics {
        let sum = PlannedAggregate {
            function: "sum".to_owned(),
            input: Some("n".to_owned()),
            ..PlannedAggregate::count("sum")
        };
        StreamStatistics {
            aggregates: vec![sum],
            by: vec!["g".to_owned()],
            window,
            with_current,
            resets: Resets::default(),
        }
    }

    /// Adds rows of (group, time) with the numbers 1, 2, 4, 8 …, so that a sum shows which rows
    /// counted; returns the sums.
    fn sums(window: Window, with_current: bool, rows: &[(u8, f64)]) -> Vec<Option<f64>> {
        let operator = operator(window, with_current);
        let mut state = History::default();
        let mut number = 0.5;
        rows.iter()
            .map(|(group, time)| {
                number *= 2.0;
                let values = vec![Value::Number(number)];
                let own = vec![*group];
                let entry = Counted { groups: vec![own.clone()], values, time: Some(*time) };
                state.add(&operator, entry, &own)[0].as_number()
            })
            .collect()
    }

    #[test]
    fn windows_hold_what_they_should() {
        let rows = [(b'a', 0.0), (b'b', 1.0), (b'a', 5.0), (b'a', 6.0), (b'b', 6.0)];
        let some = |sums: [f64; 5]| sums.map(Some).to_vec();
        assert_eq!(sums(Window::All, true, &rows), some([1.0, 2.0, 5.0, 13.0, 18.0]));
        let own = Window::Rows { count: 2, is_global: false };
        assert_eq!(sums(own, true, &rows), some([1.0, 2.0, 5.0, 12.0, 18.0]));
        let global = Window::Rows { count: 2, is_global: true };
        assert_eq!(sums(global, true, &rows), some([1.0, 2.0, 4.0, 12.0, 16.0]));
        let seconds = Window::Seconds { length: 5.0, most: 10 };
        assert_eq!(sums(seconds, true, &rows), some([1.0, 2.0, 4.0, 12.0, 16.0]));
        let before = [None, None, Some(1.0), Some(5.0), Some(2.0)];
        assert_eq!(sums(Window::All, false, &rows), before);
        let before = [None, None, Some(1.0), Some(4.0), Some(2.0)];
        let last = Window::Rows { count: 1, is_global: false };
        assert_eq!(sums(last, false, &rows), before);
    }
}
