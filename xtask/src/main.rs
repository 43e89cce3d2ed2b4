//! Tasks of this repository: `cargo xtask <task>`.

mod samples;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

const USAGE: &str = "\
usage: cargo xtask <task>

tasks:
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
    match arguments {
        [task] if task == "samples" => write_samples(&repository().join("samples")),
        [task, folder] if task == "samples" => write_samples(Path::new(folder)),
        [help] if help == "help" || help == "--help" => {
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

fn repository() -> PathBuf {
    let task = Path::new(env!("CARGO_MANIFEST_DIR"));
    task.parent().unwrap_or(task).to_owned()
}
