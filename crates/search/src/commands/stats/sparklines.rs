//! The time range of the sparklines of a table.
//!
//! Sparklines of several rows can be compared only if all of them cover the same time. If the run has
//! no time range, it is that of the events, which are read before the groups are made.

use datafusion::common::Result as EngineResult;
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::fields;
use spilltrail_spl::Aggregate;

use super::super::{Stage, subsearch};
use crate::operators::{KeptRows, gather};
use crate::planning::aggregate::{self, Grouping, Preparation};
use crate::planning::plan::Plan;
use crate::stats::functions::sparkline::Spark;

/// Plans aggregates as [`aggregate::prepare`] does, gives all sparklines a time range, and warns of a
/// span that is too short for it.
///
/// # Errors
/// As [`aggregate::prepare`]; or if the events have to be read and cannot be.
pub(in super::super) async fn prepared(
    input: Plan,
    aggregates: &[Aggregate],
    by: &[String],
    grouping: Grouping,
    stage: &Stage<'_>,
) -> Result<Preparation, Diagnostic> {
    let mut preparation = aggregate::prepare(input, aggregates, by, grouping, stage)?;
    let sparks = |preparation: &Preparation| -> Vec<Spark> {
        preparation.aggregates.iter().filter_map(|aggregate| aggregate.spark.clone()).collect()
    };
    if sparks(&preparation).iter().any(|spark| spark.range().is_none()) {
        let refused = |error| stage.refused(error);
        let rows = subsearch::collect(preparation.plan, stage.context, None);
        let rows = rows.await.map_err(refused)?;
        if let Some((first, last)) = times(&rows).map_err(refused)? {
            let sparks = preparation.aggregates.iter_mut();
            for spark in sparks.filter_map(|aggregate| aggregate.spark.as_mut()) {
                // A range excludes its end.
                (spark.earliest, spark.latest) = (Some(first), Some(last + 2e-6));
            }
        }
        preparation.plan = rows.into_plan().map_err(refused)?;
    }
    for spark in sparks(&preparation).iter().filter(|spark| spark.is_lengthened()) {
        let message =
            format!("a sparkline of `{}` has longer spans than it asks for", spark.function);
        let warning = Diagnostic::warning(Code::BAD_OPTION, message).at(stage.span);
        let help = "it has at most 100 values; write a longer span, or a shorter time range";
        stage.context.observations.message(warning.help(help));
    }
    Ok(preparation)
}

/// Returns the times of the first and the last event.
fn times(rows: &KeptRows) -> EngineResult<Option<(f64, f64)>> {
    let mut range: Option<(f64, f64)> = None;
    for batch in rows.batches()? {
        let batch = batch?;
        let Some(times) = gather::reader(&batch, fields::TIME)? else { continue };
        for time in (0..batch.num_rows()).filter_map(|row| times.value(row).as_number()) {
            if time.is_finite() {
                let (first, last) = range.unwrap_or((time, time));
                range = Some((first.min(time), last.max(time)));
            }
        }
    }
    Ok(range)
}
