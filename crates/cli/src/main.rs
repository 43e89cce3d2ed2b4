//! `spilltrail`: runs Splunk's detections over CloudTrail logs.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is what the program is for"
)]

mod arguments;
mod content;
mod detections;
mod expand;
mod help;
mod hunt;
mod log;
mod memory;
mod output;
mod report;
mod search;
mod status;

use std::process::ExitCode;

use clap::Parser;
use spilltrail_app::AppError;
use spilltrail_search::stack;

use arguments::{Arguments, Command};

fn main() -> ExitCode {
    memory::share_one_heap();
    log::start();
    let arguments = Arguments::parse();
    match stack::call(|| run(arguments)) {
        Ok(code) => code,
        Err(error) => cannot_start(&error),
    }
}

fn run(arguments: Arguments) -> ExitCode {
    let runtime = match stack::runtime() {
        Ok(runtime) => runtime,
        Err(error) => return cannot_start(&error),
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
        Err(error) => match error.downcast_ref::<AppError>() {
            Some(error) => {
                report::error(error);
                status::of_error(error)
            }
            None => {
                eprintln!("error: {error:#}");
                status::failed()
            }
        },
    }
}

fn cannot_start(error: &std::io::Error) -> ExitCode {
    eprintln!("error: the program cannot start its threads: {error}");
    status::failed()
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        let json =
            cause.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind);
        io.or(json) == Some(std::io::ErrorKind::BrokenPipe)
    })
}
