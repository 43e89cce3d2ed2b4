//! Orders of rows: newest first, SPL's sort keys, and stable sorting.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::logical_expr::SortExpr;
use spilltrail_event::{Kind, fields};

use crate::operators::SerialNumbers;
use crate::planning::plan::{Plan, column};
use crate::rows::sort_key::{SortAs, sort_key};

/// The column of row numbers that [`stable_sort`] adds; an internal field of Splunk has this name.
const SERIAL: &str = "_serial";

/// Sorts rows by the keys; rows with equal keys keep their order.
///
/// # Errors
/// Fails if DataFusion rejects the plan.
pub(crate) fn stable_sort(plan: Plan, mut keys: Vec<SortExpr>) -> Result<Plan> {
    let names = plan.names();
    let plan = plan.operator(Arc::new(SerialNumbers { column: SERIAL.to_owned() }));
    keys.push(column(SERIAL).sort(true, false));
    plan.sort(keys)?.select(&names)
}

/// Reverses the rows, and keeps the first `limit` of the reversed rows if it is set.
///
/// # Errors
/// Fails if DataFusion rejects the plan.
pub(crate) fn reversed(plan: Plan, limit: Option<usize>) -> Result<Plan> {
    let names = plan.names();
    let plan = plan.operator(Arc::new(SerialNumbers { column: SERIAL.to_owned() }));
    let plan = plan.sort(vec![column(SERIAL).sort(false, false)])?;
    let plan = match limit {
        Some(limit) => plan.limit(limit)?,
        None => plan,
    };
    plan.select(&names)
}

/// Sorts events newest first; events with the same time keep their input order.
///
/// # Errors
/// Fails if DataFusion rejects the plan.
pub(crate) fn newest_first(plan: Plan) -> Result<Plan> {
    let key = column(fields::TIME).sort(false, false);
    stable_sort(plan, vec![key])
}

/// Sorts rows ascending by fields as the `stats` family does: numbers by value, before text.
///
/// # Errors
/// Fails if DataFusion rejects the plan.
pub(crate) fn by_fields(plan: Plan, names: &[String]) -> Result<Plan> {
    by_fields_and(plan, names, [])
}

/// Sorts rows as [`by_fields`] does, and rows that are equal so by further keys.
///
/// # Errors
/// Fails if DataFusion rejects the plan.
pub(crate) fn by_fields_and(
    plan: Plan,
    names: &[String],
    further: impl IntoIterator<Item = SortExpr>,
) -> Result<Plan> {
    let keys = names
        .iter()
        .filter_map(|name| {
            let key = match plan.kind(name)? {
                Kind::Number => column(name),
                Kind::Text | Kind::Multi => sort_key(column(name), SortAs::Auto),
            };
            Some(key.sort(true, false))
        })
        .chain(further)
        .collect();
    plan.sort(keys)
}
