//! Tasks of this repository: `cargo xtask <task>`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "tasks talk to a terminal")]

mod bench;
mod ci;
mod samples;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

const USAGE: &str = "\
usage: cargo xtask <task>

tasks:
  ci [--release]  run the whole gate, fastest checks first; with --release also the release build
  tidy            check what no other tool does: arrows between crates, file sizes, module docs …
  bench [OPTIONS] measure against the floor and against other engines; `bench --help` has the options
  codegen         write the generated pages of the book from the registries in the code
  samples [DIR]   write the sample logs (to samples/ of the repository by default)";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let repository = repository();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["ci"] => ci::run(&repository, ci::Release::Skipped),
        ["ci", "--release"] => ci::run(&repository, ci::Release::Built),
        ["bench", ref arguments @ ..] => bench::run(&repository, arguments),
        ["tidy"] => tidy::run(&repository),
        ["codegen"] => ci::generate(&repository),
        ["samples"] => write_samples(&repository.join("samples")),
        ["samples", folder] => write_samples(Path::new(folder)),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => bail!("{USAGE}"),
    }
}

fn write_samples(folder: &Path) -> Result<()> {
    let written = samples::write(folder)
        .with_context(|| format!("writing samples to `{}`", folder.display()))?;
    println!(
        "{} files, {} events, {} KiB in {}",
        written.files,
        written.events,
        written.bytes.div_ceil(1024),
        folder.display()
    );
    Ok(())
}

/// Returns the root of the repository in which the task runs. The program may have been built in
/// another clone that shares the same target folder.
fn repository() -> PathBuf {
    let told = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let task = told.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    task.parent().unwrap_or(&task).to_owned()
}
