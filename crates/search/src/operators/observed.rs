//! What operators notice of their rows, as metrics of the engine: so that it comes back from wherever a
//! plan runs.

use std::sync::Arc;

use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::{
    Count, ExecutionPlanMetricsSet, Label, MetricBuilder, MetricValue,
};

use crate::rows::observed::{GroupObserved, Observed};

/// The metric of events that a search for events found.
pub(crate) const MATCHED: &str = "matched_events";
/// The metric of all rows of a search of which only the first are given.
pub(crate) const TOTAL: &str = "total_rows";
/// The metric of the rows that came to be grouped.
pub(crate) const GROUPED: &str = "grouped_rows";
/// The metric of those among them that have a value in the field of the label [`FIELD`].
pub(crate) const PRESENT: &str = "present_values";
/// The label of [`PRESENT`].
const FIELD: &str = "field";

/// Returns a new counter.
pub(crate) fn counter(metrics: &ExecutionPlanMetricsSet, name: &'static str) -> Count {
    MetricBuilder::new(metrics).counter(name, 0)
}

/// Returns a new counter for a field.
pub(crate) fn field_counter(
    metrics: &ExecutionPlanMetricsSet,
    name: &'static str,
    field: &str,
) -> Count {
    let label = Label::new(FIELD, field.to_owned());
    MetricBuilder::new(metrics).with_label(label).counter(name, 0)
}

/// Returns what was noticed while a plan ran.
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
