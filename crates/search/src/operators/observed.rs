//! Row counts that operators report as DataFusion metrics.
//!
//! Metrics belong to the plan, so the counts are available wherever the plan runs.

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::{
    Count, ExecutionPlanMetricsSet, Label, MetricBuilder, MetricValue,
};

use crate::rows::observed::{GroupObserved, Observed, SortObserved};

/// The metric that counts the events that a scan selected.
pub(crate) const MATCHED: &str = "matched_events";
/// The metric that counts all result rows of a search that returns only the first ones.
pub(crate) const TOTAL: &str = "total_rows";
/// The metric that counts the rows that are grouped.
pub(crate) const GROUPED: &str = "grouped_rows";
/// The metric that counts the grouped rows with a value in the field that the label [`FIELD`]
/// names.
pub(crate) const PRESENT: &str = "present_values";
/// The metric that counts the rows of a `sort` with the default limit. Its label [`SORT`] has the
/// limit and the place of the command.
const SORTED: &str = "sorted_rows";
/// The name of the label of [`SORTED`].
const SORT: &str = "sort";
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
    let label = Label::new(SORT, format!("{limit} {start} {end}"));
    MetricBuilder::new(metrics).with_label(label).counter(SORTED, 0)
}

/// Returns the limit and the place that the label of a [`SORTED`] counter has.
fn sort_of(label: &str) -> Option<(u64, usize, usize)> {
    let mut parts = label.split(' ');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
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
            SORTED => {
                let label = metric.labels().iter().find(|label| label.name() == SORT);
                let Some((limit, start, end)) = label.and_then(|label| sort_of(label.value()))
                else {
                    continue;
                };
                observed.sorted.push(SortObserved { rows: count, limit, at: (start, end) });
            }
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
