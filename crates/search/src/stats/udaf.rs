//! A statistic as an aggregate function of DataFusion.

use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::Feed;
use super::aggregate::PlannedAggregate;
use super::groups::{GroupOf, GroupStatistics, Taken};
use crate::rows::arrow::data_type;
use crate::rows::arrow::{ColumnBuilder, ColumnReader};
use crate::rows::convert::column;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, BooleanArray,
};
use datafusion::arrow::datatypes::{DataType, Field as ArrowField, FieldRef};
use datafusion::common::{Result, ScalarValue, internal_datafusion_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, Expr, GroupsAccumulator, Signature,
    Volatility,
};

/// Returns the aggregate expression; `time` is the column of `_time`, for functions that ask for it.
#[must_use]
pub(crate) fn expression(aggregate: &PlannedAggregate, time: &str) -> Expr {
    let mut arguments = vec![match &aggregate.input {
        Some(input) => column(input),
        None => datafusion::logical_expr::lit(1.0),
    }];
    if aggregate.feed() == Feed::MembersWithTime {
        arguments.push(column(time));
    }
    let signature = Signature::variadic_any(Volatility::Immutable);
    AggregateUDF::new_from_impl(StatsUdaf { signature, aggregate: aggregate.clone() })
        .call(arguments)
}

#[derive(Debug)]
struct StatsUdaf {
    signature: Signature,
    aggregate: PlannedAggregate,
}

impl PartialEq for StatsUdaf {
    fn eq(&self, other: &Self) -> bool {
        self.aggregate == other.aggregate
    }
}

impl Eq for StatsUdaf {}

impl Hash for StatsUdaf {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.aggregate.hash(hasher);
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
        Ok(data_type(self.aggregate.kind))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let name = format!("{}[state]", args.name);
        Ok(vec![Arc::new(ArrowField::new(name, DataType::Binary, true))])
    }

    fn accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let groups = GroupAccumulator::new(&self.aggregate);
        Ok(Box::new(SingleGroup { groups }))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(GroupAccumulator::new(&self.aggregate)))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        ScalarValue::try_from(data_type)
    }
}

/// One statistic a group.
struct GroupAccumulator {
    aggregate: PlannedAggregate,
    statistics: Box<dyn GroupStatistics>,
    /// For each group, what was saved of it and is not merged yet.
    saved: Vec<Vec<SavedState>>,
    /// The bytes of `saved`.
    saved_bytes: usize,
    /// How many times states were taken from here.
    savings: u64,
}

/// A saved state and the number of the saving that it is from. States come back in any order, and the
/// order is part of what `first`, `list` and of the last digits of a sum are.
struct SavedState {
    saving: u64,
    state: Vec<u8>,
}

/// The bytes of the number before a state.
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

    /// Keeps the saved state of a group until all of the group's have come.
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

    /// Merges what was saved of the first `count` groups, and forgets it.
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

    /// Returns the first groups' states, each with the number of this saving.
    fn save(&mut self, count: usize) -> BinaryArray {
        let saving = self.savings.to_le_bytes();
        self.savings += 1;
        self.settle(count);
        let mut states = BinaryBuilder::new();
        self.statistics.states(count, &saving, &mut states);
        self.statistics.remove_first(count);
        states.finish()
    }

    /// Returns the first groups' values.
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
        let mut rows = Self::new(&self.aggregate);
        rows.statistics.grow(values[0].len());
        rows.update(values, GroupOf::Own, filter)?;
        rows.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        self.statistics.size() + self.saved_bytes
    }
}

/// The statistic of a search without BY.
struct SingleGroup {
    groups: GroupAccumulator,
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
