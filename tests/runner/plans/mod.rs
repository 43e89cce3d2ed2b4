//! Plans are data: each plan, encoded here, decoded in a second process and run there, gives the same
//! rows and observations as here.
//!
//! The second process is this program once more, told by an environment variable to run
//! [`second_process`]; one process runs all plans.

mod cases;
mod codec;
mod pass;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, bail, ensure};
use datafusion::common::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use spilltrail_search::context::{LookupStore, LookupTable, Surroundings};
use spilltrail_search::operators::observed;
use spilltrail_search::rows::observed::Observed;
use spilltrail_search::{rows, run};

use self::cases::{Case, Runs};

/// Names the file with the plans, in the second process.
const PLANS: &str = "SPILLTRAIL_TEST_PLANS";
/// Names a folder of further cases: `golden` has searches with their rows as YAML, `corpus` folders of
/// content and of logs.
const CASES: &str = "SPILLTRAIL_TEST_CASES";
/// Memory that the operators of a plan may hold.
const MEMORY: usize = 64 << 20;

/// What running a plan came to.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Outcome {
    /// The rows as JSON, or why there are none.
    rows: Result<Vec<String>, String>,
    observed: Observed,
}

/// A plan that is run here and there.
#[derive(Debug)]
struct Sent {
    name: String,
    plan: Vec<u8>,
    here: Outcome,
    /// Whether the search makes other values in each run.
    is_random: bool,
}

/// Lookups that begin without any.
#[derive(Debug, Default)]
struct NoLookups(Mutex<Vec<(String, Arc<LookupTable>)>>);

impl LookupStore for NoLookups {
    fn read(&self, name: &str) -> Result<Option<Arc<LookupTable>>, String> {
        let tables = self.0.lock().map_err(|error| error.to_string())?;
        Ok(tables.iter().rev().find(|(known, _)| known == name).map(|(_, table)| table.clone()))
    }

    fn write(&self, name: &str, table: LookupTable) -> Result<(), String> {
        let mut tables = self.0.lock().map_err(|error| error.to_string())?;
        tables.push((name.to_owned(), Arc::new(table)));
        Ok(())
    }
}

#[test]
fn examples_of_commands_run_elsewhere() -> Result<()> {
    check(&cases::examples()?, 60)
}

#[test]
fn detections_run_elsewhere() -> Result<()> {
    check(&cases::builtin_detections()?, 3)
}

#[test]
fn further_cases_run_elsewhere() -> Result<()> {
    let Some(folder) = further() else { return Ok(()) };
    check(&cases::golden(&folder.join("golden"))?, 500)
}

#[test]
fn further_detections_run_elsewhere() -> Result<()> {
    let Some(folder) = further() else { return Ok(()) };
    check(&cases::detections(&folder.join("corpus"))?, 100)
}

#[test]
fn rows_of_a_pass_run_elsewhere() -> Result<()> {
    let mut sent = Vec::new();
    let runtime = runtime()?;
    for (name, plan) in runtime.block_on(pass::plans())? {
        let bytes = codec::encode(plan.clone())?;
        let here = runtime.block_on(outcome(plan, task()?));
        ensure!(here.rows.as_ref().is_ok_and(|rows| !rows.is_empty()), "{name}: {here:?}");
        sent.push(Sent { name, plan: bytes, here, is_random: false });
    }
    for (sent, there) in sent.iter().zip(elsewhere(&sent)?) {
        ensure!(
            difference(sent, &there).is_none(),
            "{}: {:?}",
            sent.name,
            difference(sent, &there)
        );
    }
    Ok(())
}

/// Runs the plans of a file, if this is the second process.
#[test]
fn second_process() -> Result<()> {
    let Some(path) = std::env::var_os(PLANS).map(PathBuf::from) else { return Ok(()) };
    let plans: Vec<Vec<u8>> = serde_json::from_slice(&std::fs::read(&path)?)?;
    let runtime = runtime()?;
    let mut outcomes = Vec::new();
    for plan in &plans {
        outcomes.push(runtime.block_on(async {
            let task = task()?;
            let plan = codec::decode(plan, &task)?;
            anyhow::Ok(outcome(plan, task).await)
        })?);
    }
    std::fs::write(outcomes_of(&path), serde_json::to_vec(&outcomes)?)?;
    Ok(())
}

/// Returns the folder of further cases, if there is one.
fn further() -> Option<PathBuf> {
    std::env::var_os(CASES).map(PathBuf::from)
}

/// Runs what can be planned of the cases, here and in the second process; at least `least` must be.
#[expect(clippy::print_stdout, reason = "how many there are is of interest with --nocapture")]
fn check(cases: &[Case], least: usize) -> Result<()> {
    let runtime = runtime()?;
    let mut sent = Vec::new();
    let mut failures = Vec::new();
    for case in cases {
        match runtime.block_on(send(case)) {
            Ok(Some(plan)) => sent.push(plan),
            Ok(None) => {}
            Err(error) => failures.push(format!("{}: {error:#}", case.name)),
        }
    }
    let outcomes = elsewhere(&sent)?;
    ensure!(outcomes.len() == sent.len(), "{} of {} plans ran", outcomes.len(), sent.len());
    for (sent, there) in sent.iter().zip(&outcomes) {
        failures.extend(difference(sent, there).map(|text| format!("{}: {text}", sent.name)));
    }
    println!("{} of {} plans, {} failures", sent.len(), cases.len(), failures.len());
    if !failures.is_empty() {
        bail!("{} of {} plans:\n{}", failures.len(), sent.len(), failures.join("\n"));
    }
    ensure!(sent.len() >= least, "only {} of {} cases have a plan", sent.len(), cases.len());
    Ok(())
}

/// Encodes the plan of a case, and runs it; `None` if there is no plan.
async fn send(case: &Case) -> Result<Option<Sent>> {
    let search = spilltrail_app::search(&case.content, &case.options).await?;
    let context = search.context();
    let Ok(prepared) = run::prepare(search.text(), None, context).await else { return Ok(None) };
    let plan = match prepared.physical(context).await {
        Ok(plan) => plan,
        Err(diagnostic) => bail!("no physical plan: {}", diagnostic.message),
    };
    let bytes = codec::encode(plan.clone()).context("encoding")?;
    // A plan that was decoded and encoded again is the same.
    let there = task()?;
    let again = codec::encode(codec::decode(&bytes, &there).context("decoding")?)?;
    ensure!(case.runs == Runs::Files || again == bytes, "the plan changes when it travels");
    let task = context.task(&plan);
    let here = outcome(plan, task).await;
    let name = case.name.clone();
    let is_random = search.text().contains("random(");
    Ok(Some(Sent { name, plan: bytes, here, is_random }))
}

fn difference(sent: &Sent, there: &Outcome) -> Option<String> {
    let here = &sent.here;
    let count = |outcome: &Outcome| outcome.rows.as_ref().map(Vec::len).ok();
    if sent.is_random && count(here) == count(there) || here == there {
        return None;
    }
    if here.observed != there.observed {
        return Some(format!("observed {:?} here, {:?} there", here.observed, there.observed));
    }
    match (&here.rows, &there.rows) {
        (Ok(rows), Ok(others)) => {
            let pair = rows.iter().zip(others).find(|(row, other)| row != other);
            Some(format!("{} rows here, {} there; {pair:?}", rows.len(), others.len()))
        }
        (here, there) => {
            Some(format!("{:?} here, {:?} there", here.as_ref().err(), there.as_ref().err()))
        }
    }
}

/// Runs the plans in a second process.
fn elsewhere(sent: &[Sent]) -> Result<Vec<Outcome>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("plans.json");
    let plans: Vec<&[u8]> = sent.iter().map(|sent| sent.plan.as_slice()).collect();
    std::fs::write(&path, serde_json::to_vec(&plans)?)?;
    let output = Command::new(std::env::current_exe()?)
        .args(["plans::second_process", "--exact", "--nocapture"])
        .env(PLANS, &path)
        .output()?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the second process: {error}");
    Ok(serde_json::from_slice(&std::fs::read(outcomes_of(&path))?)?)
}

fn outcomes_of(plans: &Path) -> PathBuf {
    plans.with_extension("outcomes")
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// Returns a task that knows nothing of any search.
fn task() -> Result<Arc<TaskContext>> {
    let session = run::session(MEMORY)?;
    let surroundings = Surroundings { lookups: Arc::new(NoLookups::default()), geo: None };
    Ok(surroundings.around(TaskContext::from(&session.state())))
}

async fn outcome(plan: Arc<dyn ExecutionPlan>, task: Arc<TaskContext>) -> Outcome {
    let rows = async {
        let batches: Vec<_> = execute_stream(plan.clone(), task)?.try_collect().await?;
        let lines = batches.iter().flat_map(rows::batch_rows).map(|row| {
            let fields = row.iter().map(|(name, value)| format!("{name}={value:?}"));
            fields.collect::<Vec<_>>().join(" ")
        });
        Ok::<_, DataFusionError>(lines.collect())
    };
    let rows = rows.await.map_err(|error| error.to_string());
    Outcome { rows, observed: observed(&plan) }
}
