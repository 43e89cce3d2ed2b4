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
}

impl Groups {
    fn new(aggregate: &PlannedAggregate) -> Self {
        Self { aggregate: aggregate.clone(), statistics: Vec::new() }
    }

    fn grow(&mut self, total: usize) {
        while self.statistics.len() < total {
            self.statistics.push(self.aggregate.start());
        }
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
        let states = self.emit(emit_to);
        let states = BinaryArray::from_iter_values(states.iter().map(|state| state.save()));
        Ok(vec![Arc::new(states)])
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
                self.statistics[*group].merge(states.value(row));
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
        self.statistics.iter().map(|statistic| statistic.held() + 64).sum()
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
        let array = column_of(self.groups.aggregate.kind, &self.groups.statistics);
        ScalarValue::try_from_array(&array, 0)
    }

    fn size(&self) -> usize {
        self.groups.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.groups.grow(1);
        Ok(vec![ScalarValue::Binary(Some(self.groups.statistics[0].save()))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.groups.grow(1);
        let states = states
            .first()
            .and_then(|states| states.as_binary_opt::<i32>())
            .ok_or_else(|| internal_datafusion_err!("the state of spl_stats is binary"))?;
        for state in states.iter().flatten() {
            self.groups.statistics[0].merge(state);
        }
        Ok(())
    }
}
