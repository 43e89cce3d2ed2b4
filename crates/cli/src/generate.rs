//! Shell completions and the manual page, generated from the arguments.

use std::path::Path;
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
pub(crate) fn man(words: &[String]) -> Result<ExitCode> {
    let mut program = Arguments::command();
    program.build();
    let mut command = &program;
    for word in words {
        match command.find_subcommand(word) {
            Some(found) => command = found,
            None => {
                let name = words.join(" ");
                bail!("there is no command `{name}`; `spilltrail --help` lists them")
            }
        }
    }
    let title = [&["spilltrail".to_owned()], words].concat().join("-");
    let mut page = Vec::new();
    Man::new(command.clone()).title(title).render(&mut page).context(CANNOT_WRITE)?;
    print(page)
}

/// Writes the manual pages of the program and of all its commands.
pub(crate) fn manual_pages(folder: &Path) -> Result<ExitCode> {
    let told = || format!("cannot write manual pages to `{}`", folder.display());
    std::fs::create_dir_all(folder).with_context(told)?;
    clap_mangen::generate_to(Arguments::command(), folder).with_context(told)?;
    Ok(ExitCode::SUCCESS)
}

fn print(text: Vec<u8>) -> Result<ExitCode> {
    output::print(&String::from_utf8(text)?)?;
    Ok(ExitCode::SUCCESS)
}
