//! A statistic as an aggregate function of DataFusion.

use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BooleanArray};
use datafusion::arrow::datatypes::{DataType, Field as ArrowField, FieldRef};
use datafusion::common::{Result, ScalarValue, internal_datafusion_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, Expr, GroupsAccumulator, Signature,
    Volatility,
};
use spilltrail_event::{Kind, Value};

use super::aggregate::PlannedAggregate;
use super::{Feed, Statistic};
use crate::expression::arrow::{ColumnBuilder, ColumnReader};
use crate::plan::{column, data_type};

/// Returns the aggregate expression; `time` is the column of `_time`, for functions that ask for it.
#[must_use]
pub(super) fn expression(aggregate: &PlannedAggregate, time: &str) -> Expr {
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
        let groups = Groups::new(&self.aggregate);
        Ok(Box::new(SingleGroup { groups }))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, _: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Groups::new(&self.aggregate)))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        ScalarValue::try_from(data_type)
    }
}

/// One statistic a group.
struct Groups {
    aggregate: PlannedAggregate,
    statistics: Vec<Box<dyn Statistic>>,
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

impl Groups {
    fn new(aggregate: &PlannedAggregate) -> Self {
        Self {
            aggregate: aggregate.clone(),
            statistics: Vec::new(),
            saved: Vec::new(),
            saved_bytes: 0,
            savings: 0,
        }
    }

    fn grow(&mut self, total: usize) {
        while self.statistics.len() < total {
            self.statistics.push(self.aggregate.start());
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
                self.statistics[group].merge(&state);
            }
        }
    }

    /// Takes the states of the first groups, each with the number of this saving.
    fn save(&mut self, emit_to: EmitTo) -> Vec<Vec<u8>> {
        let saving = self.savings.to_le_bytes();
        self.savings += 1;
        let states = self.emit(emit_to);
        states.iter().map(|state| [saving.as_slice(), &state.save()].concat()).collect()
    }

    fn update(
        &mut self,
        values: &[ArrayRef],
        group_of: impl Fn(usize) -> usize,
        filter: Option<&BooleanArray>,
    ) -> Result<()> {
        let reader = ColumnReader::new(&values[0])?;
        let times = values.get(1).map(ColumnReader::new).transpose()?;
        for row in 0..values[0].len() {
            if filter.is_some_and(|filter| !filter.is_valid(row) || !filter.value(row)) {
                continue;
            }
            let time = times.as_ref().and_then(|times| times.value(row).as_number());
            feed(self.statistics[group_of(row)].as_mut(), &reader.value(row), time);
        }
        Ok(())
    }

    fn emit(&mut self, emit_to: EmitTo) -> Vec<Box<dyn Statistic>> {
        self.settle(match emit_to {
            EmitTo::All => self.statistics.len(),
            EmitTo::First(count) => count,
        });
        emit_to.take_needed(&mut self.statistics)
    }
}

/// Feeds a value member by member.
pub(crate) fn feed(statistic: &mut dyn Statistic, value: &Value<'_>, time: Option<f64>) {
    match value {
        Value::Null => {}
        Value::Multi(members) => {
            for member in members {
                statistic.update(&Value::text(member.as_ref()), time);
            }
        }
        single => statistic.update(single, time),
    }
}

/// Takes a value back member by member; false if the statistic has to be made anew from what is left.
pub(crate) fn forget(statistic: &mut dyn Statistic, value: &Value<'_>, time: Option<f64>) -> bool {
    match value {
        Value::Null => true,
        Value::Multi(members) => {
            members.iter().all(|member| statistic.forget(&Value::text(member.as_ref()), time))
        }
        single => statistic.forget(single, time),
    }
}

fn column_of(kind: Kind, statistics: &[Box<dyn Statistic>]) -> ArrayRef {
    let mut builder = ColumnBuilder::new(kind);
    for statistic in statistics {
        builder.push(statistic.value());
    }
    builder.finish()
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.grow(total);
        self.update(values, |row| group_indices[row], filter)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        Ok(column_of(self.aggregate.kind, &self.emit(emit_to)))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![Arc::new(BinaryArray::from_iter_values(self.save(emit_to)))])
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total: usize,
    ) -> Result<()> {
        self.grow(total);
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
        rows.grow(values[0].len());
        rows.update(values, |row| row, filter)?;
        rows.state(EmitTo::All)
    }

    fn size(&self) -> usize {
        let held: usize = self.statistics.iter().map(|statistic| statistic.held() + 64).sum();
        held + self.saved_bytes
    }
}

/// The statistic of a search without BY.
struct SingleGroup {
    groups: Groups,
}

impl Debug for SingleGroup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SingleGroup").field(&self.groups.aggregate).finish()
    }
}

impl Accumulator for SingleGroup {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.groups.grow(1);
        self.groups.update(values, |_| 0, None)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.groups.grow(1);
        self.groups.settle(1);
        let array = column_of(self.groups.aggregate.kind, &self.groups.statistics);
        ScalarValue::try_from_array(&array, 0)
    }

    fn size(&self) -> usize {
        self.groups.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.groups.grow(1);
        Ok(self
            .groups
            .save(EmitTo::All)
            .into_iter()
            .map(|state| ScalarValue::Binary(Some(state)))
            .collect())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.groups.grow(1);
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
