//! Tests that every statistic has the same result whether its groups fit into memory or are
//! spilled.

use std::sync::Arc;

use datafusion::physical_plan::{ExecutionPlan, collect};
use indexmap::IndexMap;
use spilltrail_event::Value;

use super::StatsFunction;
use super::functions::FUNCTIONS;
use crate::rows::Row;
use crate::rows::Rows;
use crate::run;
use crate::testing::context;

const GROUPS: usize = 1500;

/// A memory limit in bytes: too low for all groups, but high enough for the groups of one batch.
const MEMORY: usize = 8 << 20;

/// The values of a group, in input order: numbers whose sum depends on the order, texts among
/// numbers, and infinities.
const VALUES: &[&str] = &["3", "0.1", "b", "1e17", "7", "-2.5", "a", "1e999", "12", "-1e999", "7"];

/// Returns rows of all groups in turn, so that each group is part of every spill.
fn events() -> Vec<Row> {
    let mut rows = Vec::new();
    for (turn, value) in VALUES.iter().enumerate() {
        for group in 0..GROUPS {
            // Only some groups have infinities, because an infinite sum hides the other values.
            let value = if value.len() > 4 && group % 3 > 0 { "5" } else { value };
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let time = ((turn * 7) % VALUES.len()) as f64;
            rows.push(IndexMap::from([
                ("_time".to_owned(), Value::Number(time)),
                ("g".to_owned(), Value::text(format!("group-{group:05}"))),
                ("v".to_owned(), Value::text(value)),
            ]));
        }
    }
    rows
}

fn spills(plan: &Arc<dyn ExecutionPlan>) -> usize {
    let own = plan.metrics().and_then(|metrics| metrics.spill_count()).unwrap_or(0);
    let is_aggregate = plan.name() == "AggregateExec";
    let below: usize = plan.children().into_iter().map(spills).sum();
    below + if is_aggregate { own } else { 0 }
}

/// Runs a search and returns its rows and the number of times that an aggregation spilled.
async fn rows_and_spills(search: &str, rows: &[Row], memory: usize) -> (Vec<Row>, usize) {
    let context = context(rows.to_vec(), memory);
    // The groups of one batch must fit into memory, so the batches are small.
    let state = context.session.state_ref();
    let size = "datafusion.execution.batch_size";
    state.write().config_mut().options_mut().set(size, "512").unwrap();
    let prepared = run::prepare(search, None, &context).await.unwrap();
    let state = context.session.state();
    let plan = state.create_physical_plan(prepared.plan.logical()).await.unwrap();
    let batches = collect(plan.clone(), context.session.task_ctx())
        .await
        .unwrap_or_else(|error| panic!("{search}: {error}"));
    let rows = Rows::new(prepared.fields(), batches, true);
    (rows.iter().collect(), spills(&plan))
}

/// Returns the name of the column with a function's results.
fn column(function: &StatsFunction) -> String {
    format!("x_{}", function.name)
}

#[tokio::test]
async fn a_spilled_statistic_is_the_same() {
    let events = events();
    let aggregate = |function: &&StatsFunction| {
        if function.name == "sparkline" {
            return format!("sparkline(sum(v), 2s) as {}", column(function));
        }
        let number = if function.has_parameter { "25" } else { "" };
        format!("{}{number}(v) as {}", function.name, column(function))
    };
    let aggregates: Vec<String> = FUNCTIONS.iter().map(aggregate).collect();
    for option in ["", "allnum=true"] {
        let search = format!("| stats {option} {} by g", aggregates.join(" "));
        let (whole, never) = rows_and_spills(&search, &events, 256 << 20).await;
        let (spilled, times) = rows_and_spills(&search, &events, MEMORY).await;
        assert!(never == 0 && times > 1, "{search} spilled {never} and {times} times");
        assert_eq!((whole.len(), spilled.len()), (GROUPS, GROUPS), "{search}");
        for (whole, spilled) in whole.iter().zip(&spilled) {
            assert_eq!(whole["g"], spilled["g"]);
            for function in FUNCTIONS {
                let value = |row: &Row| row.get(&column(function)).cloned().unwrap_or(Value::Null);
                let (want, got) = (value(whole), value(spilled));
                let name = function.name;
                assert!(
                    is_same(&want, &got),
                    "{option} {name}: {want:?} became {got:?}: {whole:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn many_long_fields_to_group_by_need_little() {
    let names: Vec<String> = (0..20).map(|field| format!("field{field}")).collect();
    let row = |number: usize| -> Row {
        let value = |name| Value::text(format!("{name} of the group {:>40}", number % 4000));
        names.iter().map(|name| (name.clone(), value(name))).collect()
    };
    let events: Vec<Row> = (0..8000).map(row).collect();
    let search = format!("| stats count by {}", names.join(" "));
    let (whole, never) = rows_and_spills(&search, &events, 256 << 20).await;
    let (spilled, times) = rows_and_spills(&search, &events, MEMORY).await;
    assert!(never == 0 && times > 0, "spilled {never} and {times} times");
    assert_eq!(whole.len(), 4000);
    assert!(whole == spilled && whole.iter().all(|row| row["count"] == Value::Number(2.0)));
}

/// Returns true if two results are equal, up to rounding: a sum of partial sums may differ from a
/// sequential sum in the last digits.
fn is_same(one: &Value<'_>, other: &Value<'_>) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one.total_cmp(other).is_eq()
                || (one.is_nan() && other.is_nan())
                || (one - other).abs() <= 1e-9 * one.abs()
        }
        _ => one == other,
    }
}
