//! Row counts that operators report as DataFusion metrics.
//!
//! Metrics belong to the plan, so the counts are available wherever the plan runs.

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::{
    Count, ExecutionPlanMetricsSet, Label, Metric, MetricBuilder, MetricValue,
};

use crate::rows::observed::{CutObserved, GroupObserved, Observed};

/// The metric that counts the events that a scan selected.
pub(crate) const MATCHED: &str = "matched_events";
/// The metric that counts all result rows of a search that returns only the first ones.
pub(crate) const TOTAL: &str = "total_rows";
/// The metric that counts the rows that are grouped.
pub(crate) const GROUPED: &str = "grouped_rows";
/// The metric that counts the grouped rows with a value in the field that the label [`FIELD`]
/// names.
pub(crate) const PRESENT: &str = "present_values";
/// The metric that counts the rows of a `sort` with the default limit. Its label [`PLACE`] has the
/// limit and the place of the command.
const SORTED: &str = "sorted_rows";
/// The metric that counts the rows whose lists are cut. Its label [`PLACE`] has the limit and the place
/// of the command.
const CUT_LISTS: &str = "cut_lists";
/// The name of the label of [`SORTED`] and [`CUT_LISTS`].
const PLACE: &str = "place";
/// The name of the label of [`PRESENT`], whose value is a field's name.
const FIELD: &str = "field";

/// Registers a new counter and returns it.
pub(crate) fn counter(metrics: &ExecutionPlanMetricsSet, name: &'static str) -> Count {
    MetricBuilder::new(metrics).counter(name, 0)
}

/// Registers a new counter labeled with a field and returns it.
pub(crate) fn field_counter(
    metrics: &ExecutionPlanMetricsSet,
    name: &'static str,
    field: &str,
) -> Count {
    let label = Label::new(FIELD, field.to_owned());
    MetricBuilder::new(metrics).with_label(label).counter(name, 0)
}

/// Registers a new counter of the rows that a `sort` with the default limit reads.
pub(crate) fn sort_counter(
    metrics: &ExecutionPlanMetricsSet,
    limit: u64,
    (start, end): (usize, usize),
) -> Count {
    let label = Label::new(PLACE, format!("{limit} {start} {end}"));
    MetricBuilder::new(metrics).with_label(label).counter(SORTED, 0)
}

/// Registers a new counter of the rows with more values than the limit in a list.
pub(crate) fn list_counter(
    metrics: &ExecutionPlanMetricsSet,
    limit: usize,
    (start, end): (usize, usize),
) -> Count {
    let label = Label::new(PLACE, format!("{limit} {start} {end}"));
    MetricBuilder::new(metrics).with_label(label).counter(CUT_LISTS, 0)
}

/// Returns the count, the limit and the place of a [`SORTED`] or [`CUT_LISTS`] counter.
fn cut_of(metric: &Metric, rows: u64) -> Option<CutObserved> {
    let label = metric.labels().iter().find(|label| label.name() == PLACE)?;
    let mut parts = label.value().split(' ');
    let limit = parts.next()?.parse().ok()?;
    let at = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some(CutObserved { rows, limit, at })
}

/// Returns the counts that the operators of a plan have reported so far.
#[must_use]
pub fn observed(plan: &Arc<dyn ExecutionPlan>) -> Observed {
    let mut observed = Observed::default();
    add(plan, &mut observed);
    observed
}

fn add(plan: &Arc<dyn ExecutionPlan>, observed: &mut Observed) {
    for child in plan.children() {
        add(child, observed);
    }
    let Some(metrics) = plan.metrics() else { return };
    let mut group: Option<GroupObserved> = None;
    for metric in metrics.iter() {
        let MetricValue::Count { name, count } = metric.value() else { continue };
        let count = count.value() as u64;
        match name.as_ref() {
            MATCHED => observed.matched += count,
            TOTAL => *observed.total.get_or_insert_default() += count,
            SORTED => observed.sorted.extend(cut_of(metric, count)),
            CUT_LISTS => observed.lists.extend(cut_of(metric, count)),
            GROUPED => group.get_or_insert_default().rows += count,
            PRESENT => {
                let label = metric.labels().iter().find(|label| label.name() == FIELD);
                let Some(field) = label.map(|label| label.value().to_owned()) else { continue };
                *group.get_or_insert_default().present.entry(field).or_default() += count;
            }
            _ => {}
        }
    }
    observed.groups.extend(group);
}
