//! The `spilltrail` program: runs Splunk's detections over CloudTrail logs.

mod arguments;
mod bars;
mod check;
mod config;
mod content;
mod data;
mod detections;
mod examples;
mod excerpt;
mod expand;
mod explain;
mod fields;
mod fmt;
mod generate;
mod help;
mod hunt;
mod ingest;
mod interrupt;
mod json;
mod junit;
mod lines;
mod log;
mod memory;
mod misnamed;
mod output;
mod page;
mod paint;
mod progress;
mod replay;
mod report;
mod run;
mod screen;
mod search;
mod serve;
mod standard_output;
mod status;
mod table;
mod temporary;
mod test;
mod token;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use spilltrail_app::AppError;
use spilltrail_search::stack;

use arguments::{AllowCommand, Arguments, Command, DetectionsCommand};
use config::Settings;
use output::CANNOT_WRITE;

fn main() -> ExitCode {
    memory::share_one_heap();
    log::start();
    paint::choose(paint::asked_for(std::env::args_os()));
    if standard_output::was_closed() {
        report::line(format_args!("error: {CANNOT_WRITE}: it is closed"));
        return status::failed();
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(refusal) => return output::refusal(refusal),
    };
    match stack::call(|| run(arguments)) {
        Ok(code) => code,
        Err(error) => {
            let error = anyhow::Error::new(error).context("the program cannot start its threads");
            failure(&error, &Settings::default())
        }
    }
}

/// Runs the command, and reports its error.
fn run(arguments: Arguments) -> ExitCode {
    let settings = match &arguments.command {
        // What explains the program must work even if the configuration file is wrong.
        Command::Help { .. }
        | Command::Completions { .. }
        | Command::Man { .. }
        | Command::Fmt(_) => Ok(Settings::default()),
        _ => Settings::load(arguments.config.as_deref(), &config::variable),
    };
    let settings = match settings {
        Ok(settings) => settings,
        Err(error) => return failure(&error, &Settings::default()),
    };
    match run_command(arguments.command, &settings) {
        Ok(code) => code,
        // The reader of the pipe closed it, for example `… | head`; this is not a failure.
        Err(error) if output::is_broken_pipe(error.as_ref()) => ExitCode::SUCCESS,
        Err(error) => failure(&error, &settings),
    }
}

/// Reports an error, and returns its exit status.
fn failure(error: &anyhow::Error, settings: &Settings) -> ExitCode {
    match error.downcast_ref::<AppError>() {
        Some(error) => {
            report::error(error, settings.origin_of(error));
            status::of_error(error)
        }
        None => {
            report::line(format_args!("error: {}", report::chain(error.as_ref())));
            status::failed()
        }
    }
}

fn run_command(mut command: Command, settings: &Settings) -> Result<ExitCode> {
    match &mut command {
        Command::Search(options) => settings.apply(&mut options.shared),
        Command::Fields(options) => settings.apply(&mut options.shared),
        Command::Hunt(options) => {
            settings.apply(&mut options.shared);
            options.allow = settings.allow_list();
        }
        Command::Detections(DetectionsCommand::List(options)) => {
            settings.apply_to_content(&mut options.content);
        }
        Command::Detections(DetectionsCommand::Show(options)) => {
            settings.apply_to_content(&mut options.content);
        }
        Command::Check(options) => {
            settings.apply_to_content(&mut options.content);
            options.levels = settings.levels();
        }
        Command::Expand(options) => settings.apply_to_content(&mut options.content),
        Command::Test(options) => settings.apply_to_tests(options),
        Command::Replay(options) => settings.apply_to_limits(&mut options.limits),
        Command::Ingest(options) => settings.apply_to_limits(&mut options.limits),
        Command::Serve(options) => settings.apply_to_server(options),
        Command::Token(command) => settings.apply_to_data(command.data_mut()),
        Command::Findings(command) => settings.apply_to_data(command.data_mut()),
        Command::Risk(options) => settings.apply_to_data(&mut options.data),
        Command::Allow(command) => {
            settings.apply_to_data(command.data_mut());
            if let AllowCommand::Add(options) = command {
                settings.apply_to_content(&mut options.content);
            }
        }
        Command::Deliveries(command) => settings.apply_to_data(command.data_mut()),
        Command::Backup(options) => settings.apply_to_data(&mut options.data),
        Command::Restore(options) => settings.apply_to_data(&mut options.data),
        Command::Index(options) => settings.apply_to_data(&mut options.data),
        Command::Schedule(command) => {
            let (data, content) = command.parts_mut();
            settings.apply_to_data(data);
            settings.apply_to_content(content);
        }
        Command::Config(_)
        | Command::Help { .. }
        | Command::Completions { .. }
        | Command::Man { .. }
        | Command::Fmt(_) => {}
    }
    match command {
        Command::Config(options) => config::run(settings, &options),
        Command::Search(options) => run::run(|cancel| search::run(options, cancel)),
        Command::Hunt(options) => run::run(|cancel| hunt::run(options, cancel)),
        Command::Check(options) => run::run(|cancel| check::run(options, cancel)),
        Command::Test(options) => run::run(|cancel| test::run(options, cancel)),
        Command::Replay(options) => run::run(|cancel| replay::run(options, cancel)),
        Command::Ingest(options) => run::run(|cancel| ingest::run(options, cancel)),
        Command::Serve(options) => run::run_server(|cancel| serve::run(*options, cancel)),
        Command::Token(command) => token::run(&command),
        Command::Findings(command) => data::findings::run(&command),
        Command::Risk(options) => data::risk::run(&options),
        Command::Schedule(command) => data::schedule::run(&command),
        Command::Allow(command) => data::allow::run(&command),
        Command::Deliveries(command) => data::deliveries::run(&command),
        Command::Backup(options) => run::run(|_| data::backup::backup(options)),
        Command::Restore(options) => run::run(|_| data::backup::restore(options)),
        Command::Index(options) => run::run(|_| data::index::run(options)),
        Command::Detections(command) => detections::run(&command),
        Command::Expand(options) => expand::run(&options),
        Command::Fmt(options) => fmt::run(&options),
        Command::Fields(options) => run::run(|cancel| fields::run(options, cancel)),
        Command::Completions { shell } => generate::completions(shell),
        Command::Man { dir: Some(dir), .. } => generate::manual_pages(&dir),
        Command::Man { command, dir: None } => generate::man(&command),
        Command::Help { topic } => help::run(&topic.join(" ")),
    }
}
