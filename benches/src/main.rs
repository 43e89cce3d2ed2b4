//! The tasks of `cargo xtask bench`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it talks to a terminal")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use spilltrail_bench::answers::Expected;
use spilltrail_bench::generate::{Files, Recipe, TRUTH_FILE, generate};
use spilltrail_bench::growth::Growth;
use spilltrail_bench::machine::Machine;
use spilltrail_bench::options::{Bench, Task, USAGE};
use spilltrail_bench::session::{Progress, Session};
use spilltrail_bench::subjects::{Ours, floors, peers};
use spilltrail_bench::{floor, measure, report};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match Task::parse(&arguments).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    match task {
        Task::Help => println!("{USAGE}"),
        Task::Generate { recipe, out } => {
            let truth = generate(&recipe, &out)?;
            println!("{}", truth["totals"]);
        }
        Task::Floor(folder) => {
            let floor = floor::run(&folder)?;
            let counts = json!({
                "files": floor.files, "bytes": floor.bytes, "records": floor.records,
                "bytes_inflated": floor.bytes_inflated, "get_object": floor.reads,
            });
            println!("{counts}");
        }
        Task::Measure { stdout, command } => println!("{}", measure::run_here(&stdout, &command)?),
        Task::Bench(bench) => run_bench(&bench)?,
    }
    Ok(())
}

/// Steps go to standard error, so that standard output is the tables alone.
#[derive(Debug)]
struct Terminal;

impl Progress for Terminal {
    fn step(&self, what: &str) {
        eprintln!("bench: {what}");
    }
}

fn run_bench(bench: &Bench) -> Result<()> {
    ensure!(
        !cfg!(debug_assertions),
        "this build is not optimized; `cargo xtask bench` makes one that is"
    );
    let folder = folder()?;
    let program = match &bench.spilltrail {
        Some(program) => program.clone(),
        None => folder.with_file_name("release").join("spilltrail"),
    };
    ensure!(program.try_exists()?, "`{}` is not there", program.display());
    let ours = Ours { program, content: bench.content.clone() };
    let scratch = folder.join("outputs");
    let meter = std::env::current_exe().context("finding this program")?;
    let session =
        Session { runs: bench.runs, meter: &meter, scratch: &scratch, progress: &Terminal };
    if bench.growth {
        let growth = Growth {
            ours: &ours,
            other_floor: bench.floor.as_deref(),
            format: bench.format,
            sizes: &bench.sizes,
            seed: bench.recipe.seed,
            session,
        };
        println!("{}; medians of {} runs.\n", Machine::here(), bench.runs);
        return growth.run(&|recipe| logs(&folder, recipe), &|table| println!("{table}"));
    }
    let data = match &bench.data {
        Some(data) => data.clone(),
        None => logs(&folder, &bench.recipe)?,
    };
    let expected = Expected::read(&data)?;
    let mut subjects = floors(bench.floor.as_deref(), &data)?;
    subjects.extend(ours.subjects(&data)?);
    let mut missing = Vec::new();
    if let Some(python) = &bench.python {
        let (found, not_found) = peers(python, &data);
        subjects.extend(found);
        missing = not_found;
    }
    let measured = session.measure(subjects, &expected)?;
    println!("{}", report::circumstances(&Machine::here(), &expected, bench.runs));
    print!("{}", report::render(&measured, expected.records, &missing, bench.format));
    Ok(())
}

/// Returns the folder for logs and outputs, beside the builds.
fn folder() -> Result<PathBuf> {
    let program = std::env::current_exe().context("finding this program")?;
    let target = program.ancestors().nth(2).context("this program is in no target folder")?;
    Ok(target.join("bench"))
}

/// Returns the folder with the logs of a recipe, written by a process of its own if they are not
/// there yet: what that one needs in memory must not show in what is started from here.
fn logs(folder: &Path, recipe: &Recipe) -> Result<PathBuf> {
    let data = folder.join(recipe.name());
    if data.join(TRUTH_FILE).try_exists()? {
        return Ok(data);
    }
    Terminal.step(&format!("writing {} events to {}", recipe.events, data.display()));
    let program = std::env::current_exe().context("finding this program")?;
    let mut command = Command::new(program);
    command.arg("generate").arg("--out").arg(&data);
    let Recipe { events, days, seed, files } = recipe;
    for (option, value) in [("--events", events), ("--days", days), ("--seed", seed)] {
        command.args([option, &value.to_string()]);
    }
    if let Files::Of(count) = files {
        command.args(["--files-of", &count.to_string()]);
    }
    let status = command.stdout(std::process::Stdio::null()).status()?;
    ensure!(status.success(), "writing logs ended with {status}");
    Ok(data)
}
