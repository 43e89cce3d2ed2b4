//! The `spilltrail` program: runs Splunk's detections over CloudTrail logs.

mod arguments;
mod content;
mod detections;
mod expand;
mod help;
mod hunt;
mod interrupt;
mod log;
mod memory;
mod output;
mod report;
mod run;
mod screen;
mod search;
mod status;
mod temporary;

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use spilltrail_app::AppError;
use spilltrail_search::stack;

use arguments::{Arguments, Command};

fn main() -> ExitCode {
    memory::share_one_heap();
    log::start();
    let outcome = match Arguments::try_parse() {
        Ok(arguments) => match stack::call(|| run(arguments.command)) {
            Ok(outcome) => outcome,
            Err(error) => Err(error).context("the program cannot start its threads"),
        },
        Err(refusal) => return output::refusal(&refusal),
    };
    match outcome {
        Ok(code) => code,
        // The reader of the pipe closed it, for example `… | head`; this is not a failure.
        Err(error) if output::is_broken_pipe(error.as_ref()) => ExitCode::SUCCESS,
        Err(error) => match error.downcast_ref::<AppError>() {
            Some(error) => {
                report::error(error);
                status::of_error(error)
            }
            None => {
                report::line(format_args!("error: {error:#}"));
                status::failed()
            }
        },
    }
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Search(options) => run::run(|cancel| search::run(options, cancel)),
        Command::Hunt(options) => run::run(|cancel| hunt::run(options, cancel)),
        Command::Detections(command) => detections::run(&command),
        Command::Expand(options) => expand::run(&options),
        Command::Help { topic } => help::run(topic.as_deref()),
    }
}
