//! `spilltrail`: runs Splunk's detections over CloudTrail logs.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is what the program is for"
)]

mod arguments;
mod content;
mod detections;
mod environment;
mod expand;
mod geo;
mod help;
mod hunt;
mod input_rows;
mod logs;
mod memory;
mod output;
mod report;
mod search;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};

/// Exit status where part of the input or content could not be used.
pub(crate) const PARTIAL: u8 = 1;
/// Exit status where nothing could be run.
pub(crate) const FAILED: u8 = 2;
/// Exit status where there are findings and that was asked to count as failure.
pub(crate) const FOUND: u8 = 3;

fn main() -> ExitCode {
    memory::share_one_heap();
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the runtime cannot start: {error}");
            return ExitCode::from(FAILED);
        }
    };
    let outcome = runtime.block_on(async {
        match arguments.command {
            Command::Search(options) => search::run(options).await,
            Command::Hunt(options) => hunt::run(options).await,
            Command::Detections(command) => detections::run(&command),
            Command::Expand(options) => expand::run(&options),
            Command::Help { topic } => help::run(topic.as_deref()),
        }
    });
    match outcome {
        Ok(code) => code,
        // The reader of a pipe went away, which is no failure: `… | head`.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(FAILED)
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        let json =
            cause.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind);
        io.or(json) == Some(std::io::ErrorKind::BrokenPipe)
    })
}
