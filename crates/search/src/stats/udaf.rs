//! All statistics of an aggregation as one aggregate function of DataFusion.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;

use super::Feed;
use super::aggregate::PlannedAggregate;
use super::groups::{GroupOf, GroupStatistics, Taken};
use crate::rows::arrow::data_type;
use crate::rows::arrow::{ColumnBuilder, ColumnReader};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, BooleanArray, Float64Array, StructArray,
};
use datafusion::arrow::datatypes::{DataType, Field as ArrowField, FieldRef, Fields};
use datafusion::common::{Result, ScalarValue, internal_datafusion_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, Expr, GroupsAccumulator, Signature,
    Volatility,
};
use serde::{Deserialize, Serialize};

/// Returns the expression that computes all `aggregates` and returns a struct of their results.
///
/// `argument` is a struct of the input columns, and `columns` are the names of its members. The
/// member `time` has the rows' times. If `columns` is empty, `argument` may be any column with the
/// right number of rows.
#[must_use]
pub(crate) fn expression(
    aggregates: &[PlannedAggregate],
    columns: &[String],
    time: &str,
    argument: Expr,
) -> Expr {
    let indices: HashMap<&str, usize> =
        columns.iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
    let index = |name: &str| indices.get(name).copied();
    let aggregates = aggregates
        .iter()
        .map(|aggregate| Taking {
            input: aggregate.input.as_deref().and_then(index),
            time: if aggregate.feed() == Feed::MembersWithTime { index(time) } else { None },
            aggregate: aggregate.clone(),
        })
        .collect();
    function(aggregates).call(vec![argument])
}

/// Returns the aggregates of the function, or `None` if it is another aggregate function.
pub(crate) fn aggregates_of(function: &AggregateUDF) -> Option<&Vec<Taking>> {
    let implementation: &dyn std::any::Any = function.inner().as_ref();
    implementation.downcast_ref::<StatsUdaf>().map(|function| &function.aggregates)
}

/// Returns the aggregate function that computes these aggregates.
pub(crate) fn function(aggregates: Vec<Taking>) -> AggregateUDF {
    let signature = Signature::any(1, Volatility::Immutable);
    AggregateUDF::new_from_impl(StatsUdaf { signature, aggregates })
}

/// The functions whose statistics may grow with the number of a group's values.
const KEEP_VALUES: &[&str] = &[
    "dc",
    "estdc",
    "exactperc",
    "list",
    "median",
    "mode",
    "perc",
    "sparkline",
    "upperperc",
    "values",
];

/// Returns the names of the functions in the aggregate whose statistics may grow with the number of
/// a group's values.
pub(crate) fn keeps_values(function: &AggregateUDF) -> Vec<&'static str> {
    let function: &dyn std::any::Any = function.inner().as_ref();
    let Some(function) = function.downcast_ref::<StatsUdaf>() else { return Vec::new() };
    function.aggregates.iter().filter_map(|taking| kept_by(&taking.aggregate)).collect()
}

/// Returns whether the aggregate of a group may be as large as the group has values.
pub(crate) fn may_keep_values(aggregate: &PlannedAggregate) -> bool {
    kept_by(aggregate).is_some()
}

fn kept_by(aggregate: &PlannedAggregate) -> Option<&'static str> {
    KEEP_VALUES.iter().find(|name| **name == aggregate.function).copied()
}

/// An aggregate and the indices of its inputs among the struct's members.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Taking {
    aggregate: PlannedAggregate,
    /// The index of the values; `None` if the aggregate counts rows.
    input: Option<usize>,
    /// The index of the times, for functions that need them.
    time: Option<usize>,
}

impl Taking {
    /// Returns the aggregate's input columns: the values, then the times if it needs them.
    fn of(&self, columns: &Columns) -> Vec<ArrayRef> {
        let values =
            self.input.map_or_else(|| columns.ones.clone(), |at| columns.members[at].clone());
        let times = self.time.map(|at| columns.members[at].clone());
        [values].into_iter().chain(times).collect()
    }
}

/// The input columns of the aggregates in a batch.
struct Columns {
    members: Vec<ArrayRef>,
    /// A number in each row, which aggregates without an input column count.
    ones: ArrayRef,
}

impl Columns {
    fn new(values: &[ArrayRef]) -> Result<Self> {
        let packed =
            values.first().ok_or_else(|| internal_datafusion_err!("spl_stats takes a struct"))?;
        let members = packed.as_struct_opt().map(|packed| packed.columns().to_vec());
        let ones = Arc::new(Float64Array::from(vec![1.0; packed.len()]));
        Ok(Self { members: members.unwrap_or_default(), ones })
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct StatsUdaf {
    signature: Signature,
    aggregates: Vec<Taking>,
}

impl StatsUdaf {
    fn results(&self) -> Fields {
        let field = |taking: &Taking| {
            let aggregate = &taking.aggregate;
            ArrowField::new(&aggregate.output, data_type(aggregate.kind), true)
        };
        self.aggregates.iter().map(field).collect()
    }
}

impl AggregateUDFImpl for StatsUdaf {
    fn name(&self) -> &'static str {
        "spl_stats"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(self.results()))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let field = |index| {
            let name = format!("{}[state {index}]", args.name);
            Arc::new(ArrowField::new(name, DataType::Binary, true))
        };
        Ok((0..self.aggregates.len()).map(field).collect())
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let single = |taking: &Taking| (taking.clone(), SingleGroup::new(&taking.aggregate));
        let parts = self.aggregates.iter().map(single).collect();
        Ok(Box::new(Together { parts, results: self.results() }))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        let groups = |taking: &Taking| (taking.clone(), GroupAccumulator::new(&taking.aggregate));
        let parts = self.aggregates.iter().map(groups).collect();
        Ok(Box::new(Together { parts, results: self.results() }))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        ScalarValue::try_from(data_type)
    }
}

/// Accumulators that DataFusion sees as one: each reads its own columns, and the results form one
/// struct.
struct Together<A> {
    parts: Vec<(Taking, A)>,
    results: Fields,
}

impl<A> Debug for Together<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.parts.iter().map(|(taking, _)| &taking.aggregate)).finish()
    }
}

impl<A> Together<A> {
    fn pack(&self, results: Vec<ArrayRef>) -> Result<StructArray> {
        Ok(StructArray::try_new(self.results.clone(), results, None)?)
    }
}

impl GroupsAccumulator for Together<GroupAccumulator> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        let columns = Columns::new(values)?;
        self.parts.iter_mut().try_for_each(|(taking, groups)| {
            groups.update_batch(&taking.of(&columns), group_indices, filter, total)
        })
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let results = self.parts.iter_mut().map(|(_, groups)| groups.evaluate(emit_to));
        let results = results.collect::<Result<_>>()?;
        Ok(Arc::new(self.pack(results)?))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let states = self.parts.iter_mut().map(|(_, groups)| groups.state(emit_to));
        Ok(states.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total: usize,
    ) -> Result<()> {
        self.parts
            .iter_mut()
            .zip(values.chunks(1))
            .try_for_each(|((_, groups), state)| groups.merge_batch(state, group_indices, total))
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let columns = Columns::new(values)?;
        let states = self.parts.iter();
        let states =
            states.map(|(taking, groups)| groups.convert_to_state(&taking.of(&columns), filter));
        Ok(states.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
    }

    fn size(&self) -> usize {
        self.parts.iter().map(|(_, groups)| groups.size()).sum()
    }
}

impl Accumulator for Together<SingleGroup> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let columns = Columns::new(values)?;
        self.parts
            .iter_mut()
            .try_for_each(|(taking, single)| single.update_batch(&taking.of(&columns)))
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let results = self.parts.iter_mut().map(|(_, single)| single.evaluate()?.to_array());
        let results = results.collect::<Result<_>>()?;
        Ok(ScalarValue::Struct(Arc::new(self.pack(results)?)))
    }

    fn size(&self) -> usize {
        self.parts.iter().map(|(_, single)| single.size()).sum()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let states = self.parts.iter_mut().map(|(_, single)| single.state());
        Ok(states.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.parts
            .iter_mut()
            .zip(states.chunks(1))
            .try_for_each(|((_, single), state)| single.merge_batch(state))
    }
}

/// The accumulator of one aggregate, with one statistic per group.
struct GroupAccumulator {
    aggregate: PlannedAggregate,
    statistics: Box<dyn GroupStatistics>,
    /// For each group, the saved states that are not merged yet.
    saved: Vec<Vec<SavedState>>,
    /// The size of `saved` in bytes.
    saved_bytes: usize,
    /// The number of times that this accumulator has saved states.
    savings: u64,
}

/// A saved state and the serial number of the save operation that wrote it.
///
/// DataFusion returns states in any order. They are merged in the order in which they were saved,
/// because the order determines the results of `first` and `list` and the last digits of sums.
struct SavedState {
    saving: u64,
    state: Vec<u8>,
}

/// The size in bytes of the serial number before a state.
const SAVING_BYTES: usize = size_of::<u64>();

impl GroupAccumulator {
    fn new(aggregate: &PlannedAggregate) -> Self {
        Self {
            aggregate: aggregate.clone(),
            statistics: aggregate.start_groups(),
            saved: Vec::new(),
            saved_bytes: 0,
            savings: 0,
        }
    }

    /// Keeps a saved state of a group until all states of the group have been read.
    fn keep(&mut self, group: usize, bytes: &[u8]) -> Result<()> {
        let (saving, state) = bytes
            .split_first_chunk::<SAVING_BYTES>()
            .ok_or_else(|| internal_datafusion_err!("a state of spl_stats begins with a number"))?;
        if self.saved.len() <= group {
            self.saved.resize_with(group + 1, Vec::new);
        }
        self.saved_bytes += state.len() + size_of::<SavedState>();
        let state = SavedState { saving: u64::from_le_bytes(*saving), state: state.to_vec() };
        self.saved[group].push(state);
        Ok(())
    }

    /// Merges the saved states of the first `count` groups and drops them.
    fn settle(&mut self, count: usize) {
        let count = count.min(self.saved.len());
        for (group, mut states) in self.saved.drain(..count).enumerate() {
            states.sort_by_key(|state| state.saving);
            for SavedState { state, .. } in states {
                self.saved_bytes -= state.len() + size_of::<SavedState>();
                self.statistics.merge(group, &state);
            }
        }
    }

    /// Removes the first `count` groups and returns their states, each after the serial number of
    /// this save operation.
    fn save(&mut self, count: usize) -> BinaryArray {
        let saving = self.savings.to_le_bytes();
        self.savings += 1;
        self.settle(count);
        let mut states = BinaryBuilder::new();
        self.statistics.states(count, &saving, &mut states);
        self.statistics.remove_first(count);
        states.finish()
    }

    /// Returns the results of the first `count` groups.
    fn values(&mut self, count: usize) -> ArrayRef {
        self.settle(count);
        let mut column = ColumnBuilder::new(self.aggregate.kind);
        self.statistics.values(count, &mut column);
        column.finish()
    }

    fn update(
        &mut self,
        values: &[ArrayRef],
        group_of: GroupOf<'_>,
        filter: Option<&BooleanArray>,
    ) -> Result<()> {
        let reader = ColumnReader::new(&values[0])?;
        let times = values.get(1).map(ColumnReader::new).transpose()?;
        let rows = values[0].len();
        let taken = Taken { values: &reader, times: times.as_ref(), filter, rows };
        self.statistics.update(&taken, group_of);
        Ok(())
    }

    fn count(&self, emit_to: EmitTo) -> usize {
        match emit_to {
            EmitTo::All => self.statistics.count(),
            EmitTo::First(count) => count,
        }
    }
}

impl GroupsAccumulator for GroupAccumulator {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.statistics.grow(total);
        self.update(values, GroupOf::Listed(group_indices), filter)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let count = self.count(emit_to);
        let values = self.values(count);
        self.statistics.remove_first(count);
        Ok(values)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let count = self.count(emit_to);
        Ok(vec![Arc::new(self.save(count))])
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total: usize,
    ) -> Result<()> {
        self.statistics.grow(total);
        let states = values[0].as_binary::<i32>();
        for (row, group) in group_indices.iter().enumerate() {
            if states.is_valid(row) {
                self.keep(*group, states.value(row))?;
            }
        }
        Ok(())
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        // Each row becomes the state of a group with only that row.
        let mut rows = Self::new(&self.aggregate);
        rows.statistics.grow(values[0].len());
        rows.update(values, GroupOf::Own, filter)?;
        rows.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        self.statistics.size() + self.saved_bytes
    }
}

/// The accumulator of an aggregate without BY fields, which has a single group.
struct SingleGroup {
    groups: GroupAccumulator,
}

impl SingleGroup {
    fn new(aggregate: &PlannedAggregate) -> Self {
        Self { groups: GroupAccumulator::new(aggregate) }
    }
}

impl Debug for SingleGroup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SingleGroup").field(&self.groups.aggregate).finish()
    }
}

impl Accumulator for SingleGroup {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.groups.statistics.grow(1);
        self.groups.update(values, GroupOf::Only, None)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.groups.statistics.grow(1);
        ScalarValue::try_from_array(&self.groups.values(1), 0)
    }

    fn size(&self) -> usize {
        self.groups.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.groups.statistics.grow(1);
        Ok(vec![ScalarValue::try_from_array(&self.groups.save(1), 0)?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.groups.statistics.grow(1);
        let states = states
            .first()
            .and_then(|states| states.as_binary_opt::<i32>())
            .ok_or_else(|| internal_datafusion_err!("the state of spl_stats is binary"))?;
        for state in states.iter().flatten() {
            self.groups.keep(0, state)?;
        }
        Ok(())
    }
}
