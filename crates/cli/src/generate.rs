//! Shell completions and the manual page, generated from the arguments.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::arguments::Arguments;
use crate::output::{self, CANNOT_WRITE};

/// Prints the completions for a shell.
pub(crate) fn completions(shell: Shell) -> Result<ExitCode> {
    let mut command = Arguments::command();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "spilltrail", &mut script);
    print(script)
}

/// Prints the manual page of the program, or of one of its commands.
pub(crate) fn man(name: Option<&str>) -> Result<ExitCode> {
    let mut program = Arguments::command();
    program.build();
    let manual = match name {
        None => Man::new(program),
        Some(name) => match program.find_subcommand(name) {
            Some(command) => Man::new(command.clone()).title(format!("spilltrail-{name}")),
            None => bail!("there is no command `{name}`; `spilltrail --help` lists them"),
        },
    };
    let mut page = Vec::new();
    manual.render(&mut page).context(CANNOT_WRITE)?;
    print(page)
}

fn print(text: Vec<u8>) -> Result<ExitCode> {
    output::print(&String::from_utf8(text)?)?;
    Ok(ExitCode::SUCCESS)
}
