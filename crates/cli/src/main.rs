//! `spilltrail`: runs Splunk's detections over CloudTrail logs.

mod arguments;
mod input_rows;
mod output;
mod search;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the runtime cannot start: {error}");
            return ExitCode::from(2);
        }
    };
    let outcome = runtime.block_on(async {
        match arguments.command {
            Command::Search(options) => search::run(options).await,
            Command::Expand(options) => search::expand(&options),
        }
    });
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(2)
    })
}
