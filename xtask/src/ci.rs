//! Runs the CI checks in order, fastest first, and prints the time of each. The first failure stops
//! the run.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::tidy;

/// Whether to build the release program, which takes longer than all other steps together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Release {
    /// Build it, and use it to run the first command of the README.
    Built,
    /// Skip the release build.
    Skipped,
}

/// One step of the checks.
struct Step {
    name: &'static str,
    action: Action,
}

enum Action {
    /// Run the checks of [`tidy`].
    Tidy,
    /// Run cargo with these arguments, and optionally with an environment variable.
    Cargo(&'static [&'static str], Option<(&'static str, &'static str)>),
}

/// The steps, fastest first. The tests also check that the generated pages are up to date, and that
/// the commands in README and book print the output shown there.
const STEPS: &[Step] = &[
    Step { name: "format", action: Action::Cargo(&["fmt", "--all", "--check"], None) },
    Step { name: "tidy", action: Action::Tidy },
    Step {
        name: "lints",
        action: Action::Cargo(
            &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"],
            None,
        ),
    },
    Step { name: "tests", action: Action::Cargo(&["test", "--workspace"], None) },
    Step {
        name: "documentation",
        action: Action::Cargo(
            &["doc", "--workspace", "--no-deps", "--document-private-items"],
            Some(("RUSTDOCFLAGS", "-D warnings")),
        ),
    },
];

const RELEASE_STEP: Step = Step {
    name: "first command of the README",
    action: Action::Cargo(&["run", "--release", "--", "hunt", "samples"], None),
};

/// Runs all steps until one fails.
pub(crate) fn run(repository: &Path, release: Release) -> Result<()> {
    let mut times: Vec<(&str, Duration)> = Vec::new();
    let last = (release == Release::Built).then_some(&RELEASE_STEP);
    for step in STEPS.iter().chain(last) {
        println!("\n==> {}", step.name);
        let start = Instant::now();
        let outcome = match step.action {
            Action::Tidy => tidy::run(repository),
            Action::Cargo(arguments, variable) => cargo(repository, arguments, variable),
        };
        times.push((step.name, start.elapsed()));
        if outcome.is_err() {
            print_times(&times);
        }
        outcome.with_context(|| format!("the step `{}` failed", step.name))?;
    }
    print_times(&times);
    Ok(())
}

/// Writes the generated pages, by running the test that checks them with `BLESS` set. The test runs
/// with `--workspace`, so that the engine is built with the same features as for all tests.
pub(crate) fn generate(repository: &Path) -> Result<()> {
    let test = ["test", "--workspace", "--test", "runner", "--", "generated"];
    cargo(repository, &test, Some(("BLESS", "1")))
}

/// What the names of the variables begin with by which cargo describes a crate to its processes.
const DESCRIPTION: [&str; 2] = ["CARGO_MANIFEST", "CARGO_PKG"];

/// Prints a cargo command and runs it in the repository.
pub(crate) fn cargo(
    repository: &Path,
    arguments: &[&str],
    variable: Option<(&str, &str)>,
) -> Result<()> {
    let prefix = variable.map(|(name, value)| format!("{name}='{value}' ")).unwrap_or_default();
    // Print to standard error, because standard output is for the output of the command.
    eprintln!("$ {prefix}cargo {}", arguments.join(" "));
    let mut command = Command::new("cargo");
    // `cargo run` describes this crate to its processes, and build scripts that ask for these variables
    // (ring's does) would run again, and everything after them be compiled again.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| DESCRIPTION.iter().any(|one| name.starts_with(one))) {
            command.env_remove(name);
        }
    }
    let status = command
        .args(arguments)
        .envs(variable)
        .current_dir(repository)
        .status()
        .context("cargo cannot be started")?;
    if !status.success() {
        bail!("`cargo {}` ended with {status}", arguments.join(" "));
    }
    Ok(())
}

fn print_times(times: &[(&str, Duration)]) {
    println!();
    for (name, time) in times {
        println!("{:>8.1} s  {name}", time.as_secs_f64());
    }
}
