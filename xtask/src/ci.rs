//! The gate: every step named and timed, the fastest first, the first failure ends it.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::tidy;

/// Whether the release build is part of the run; it takes longer than all the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Release {
    /// Build it, and run the README's first command with it.
    Built,
    /// Leave it out.
    Skipped,
}

/// One step of the gate.
struct Step {
    name: &'static str,
    action: Action,
}

enum Action {
    /// The checks of [`tidy`].
    Tidy,
    /// Arguments for cargo, with an environment variable.
    Cargo(&'static [&'static str], Option<(&'static str, &'static str)>),
}

/// The gate's steps, the fastest first. That the generated pages are fresh, and that the commands of
/// README and book do what is written there, is checked by tests.
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

/// Runs the gate.
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

/// Writes the generated pages: the test that checks them writes them where `BLESS` is set. The whole
/// workspace is named, so that the engine is built with the same features as for all the tests.
pub(crate) fn generate(repository: &Path) -> Result<()> {
    let test = ["test", "--workspace", "--test", "runner", "--", "generated"];
    cargo(repository, &test, Some(("BLESS", "1")))
}

/// Runs cargo in the repository, and shows how.
pub(crate) fn cargo(
    repository: &Path,
    arguments: &[&str],
    variable: Option<(&str, &str)>,
) -> Result<()> {
    let prefix = variable.map(|(name, value)| format!("{name}='{value}' ")).unwrap_or_default();
    // Standard output belongs to the command.
    eprintln!("$ {prefix}cargo {}", arguments.join(" "));
    let status = Command::new("cargo")
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
