//! The `spilltrail` program: runs Splunk's detections over CloudTrail logs.

mod arguments;
mod config;
mod content;
mod detections;
mod examples;
mod expand;
mod fields;
mod generate;
mod help;
mod hunt;
mod interrupt;
mod json;
mod log;
mod memory;
mod output;
mod paint;
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

use arguments::{Arguments, Command, DetectionsCommand};
use config::Settings;

fn main() -> ExitCode {
    memory::share_one_heap();
    log::start();
    let outcome = match Arguments::try_parse() {
        Ok(arguments) => {
            paint::choose(arguments.color);
            match stack::call(|| run(arguments)) {
                Ok(outcome) => outcome,
                Err(error) => Err(error).context("the program cannot start its threads"),
            }
        }
        Err(refusal) => return output::refusal(refusal),
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

fn run(arguments: Arguments) -> Result<ExitCode> {
    let mut command = arguments.command;
    let settings = match &command {
        // What explains the program must work even if the configuration file is wrong.
        Command::Help { .. } | Command::Completions { .. } | Command::Man { .. } => {
            Settings::default()
        }
        _ => Settings::load(arguments.config.as_deref(), &config::variable)?,
    };
    match &mut command {
        Command::Search(options) => settings.apply(&mut options.content, &mut options.read.limits),
        Command::Fields(options) => settings.apply(&mut options.content, &mut options.read.limits),
        Command::Hunt(options) => {
            settings.apply(&mut options.content, &mut options.read.limits);
            options.allow = settings.allow_list();
        }
        Command::Detections(DetectionsCommand::List(options)) => {
            settings.apply_to_content(&mut options.content);
        }
        Command::Detections(DetectionsCommand::Show(options)) => {
            settings.apply_to_content(&mut options.content);
        }
        Command::Expand(options) => settings.apply_to_content(&mut options.content),
        Command::Config(_)
        | Command::Help { .. }
        | Command::Completions { .. }
        | Command::Man { .. } => {}
    }
    match command {
        Command::Config(options) => config::run(&settings, &options),
        Command::Search(options) => run::run(|cancel| search::run(options, cancel)),
        Command::Hunt(options) => run::run(|cancel| hunt::run(options, cancel)),
        Command::Detections(command) => detections::run(&command),
        Command::Expand(options) => expand::run(&options),
        Command::Fields(options) => run::run(|cancel| fields::run(options, cancel)),
        Command::Completions { shell } => generate::completions(shell),
        Command::Man { command } => generate::man(command.as_deref()),
        Command::Help { topic } => help::run(topic.as_deref()),
    }
}
