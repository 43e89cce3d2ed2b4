//! Tests that the commands in README and book print the output shown there.
//!
//! A `console` block contains commands after `$ `, each followed by its output. The test runs them
//! in the root of the repository and compares the output; with `BLESS` set, it updates the
//! documents instead. An `sh` block contains commands on files of the reader: they run in a home folder
//! with such files (`shell`). Snapshots show the same commands on narrow terminals (`widths`).
#![cfg(unix)]

mod blocks;
mod errors;
mod shell;
mod widths;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use blocks::{Block, Shell};

/// The width of the terminal that the documents show.
const DOCUMENTED: u16 = 100;

const PROGRAM: &str = env!("CARGO_BIN_EXE_spilltrail");

#[test]
fn what_is_shown_is_what_is_printed() -> Result<()> {
    let bless = std::env::var_os("BLESS").is_some();
    let mut differences = String::new();
    for path in documents()? {
        let text = fs::read_to_string(&path)?;
        let mut printed = text.clone();
        for block in blocks::of(&text, Shell::Console) {
            let fresh = run_block(&block).with_context(|| path.display().to_string())?.shown;
            if without_times(&fresh) != without_times(block.text) {
                let path = path.display();
                differences += &format!("{path}:\n--- shown\n{}--- printed\n{fresh}", block.text);
                printed = printed.replacen(block.text, &fresh, 1);
            }
        }
        if bless && printed != text {
            fs::write(&path, printed)?;
        }
    }
    ensure!(bless || differences.is_empty(), "{differences}");
    Ok(())
}

#[test]
fn options_in_documents_exist() -> Result<()> {
    let mut helps: HashMap<String, String> = HashMap::new();
    for path in documents()? {
        let text = fs::read_to_string(&path)?;
        for block in blocks::of(&text, Shell::Sh) {
            for line in block.text.lines().filter(|line| line.starts_with("spilltrail ")) {
                let words = line.split_whitespace().skip(1);
                let names = words.take_while(|word| !word.starts_with(['-', '\'', '"', '~', '.']));
                // `detections list` has options of its own.
                let count = if line.starts_with("spilltrail detections ") { 2 } else { 1 };
                let subcommand = names.take(count).collect::<Vec<_>>().join(" ");
                let help = match helps.get(&subcommand) {
                    Some(help) => help,
                    None => helps.entry(subcommand.clone()).or_insert(help_of(&subcommand)?),
                };
                for option in blocks::options(line) {
                    let path = path.display();
                    ensure!(help.contains(option), "{path}: no option `{option}` in: {line}");
                }
            }
        }
    }
    Ok(())
}

#[test]
fn the_readme_begins_with_two_commands_that_work() -> Result<()> {
    let readme = fs::read_to_string(repository().join("README.md"))?;
    for command in ["cargo run --release -- hunt samples", "cargo test --workspace"] {
        ensure!(readme.contains(command), "the README does not say `{command}`");
    }
    let output =
        Command::new(PROGRAM).args(["hunt", "samples"]).current_dir(repository()).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    ensure!(!output.stdout.is_empty(), "`hunt samples` prints nothing");
    Ok(())
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns the README and the hand-written pages of the book.
fn documents() -> Result<Vec<PathBuf>> {
    let book = repository().join("docs/src");
    let mut documents =
        vec![repository().join("README.md"), repository().join("samples/README.md")];
    let folders = ["", "guides", "reference", "errors"];
    for folder in folders.map(|folder| book.join(folder)) {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "md") {
                documents.push(path);
            }
        }
    }
    documents.sort();
    Ok(documents)
}

/// The outcome of a block's commands.
struct Ran {
    /// The commands, each with its current output.
    shown: String,
    /// The exit status of the last command.
    status: i32,
}

/// Runs the commands of a block on a terminal as wide as the documents show it.
fn run_block(block: &Block<'_>) -> Result<Ran> {
    let mut all = Ran { shown: String::new(), status: 0 };
    for command in blocks::commands(block.text) {
        let ran = run_at(&command, DOCUMENTED)?;
        all.shown += &ran.shown;
        all.status = ran.status;
    }
    Ok(all)
}

/// Runs a command on a terminal of this width.
fn run_at(command: &str, columns: u16) -> Result<Ran> {
    let output = Command::new("sh")
        .args(["-c", &format!("({}) 2>&1", as_on_a_terminal(command))])
        .current_dir(repository())
        .env("PATH", path_with_program()?)
        .env("NO_COLOR", "1")
        .env("SPILLTRAIL_CONFIG", "")
        .env("COLUMNS", columns.to_string())
        .output()?;
    let printed = String::from_utf8(output.stdout)?;
    if printed.contains("not found") || printed.contains("unrecognized subcommand") {
        bail!("`{command}` cannot be run: {printed}");
    }
    let lines = printed.lines().map(|line| format!("{}\n", line.trim_end()));
    let shown = format!("$ {command}\n{}", lines.collect::<String>());
    Ok(Ran { shown, status: output.status.code().context("the command was killed")? })
}

/// Returns a command that, without a terminal, prints the same output as on a terminal.
fn as_on_a_terminal(command: &str) -> String {
    let command = command.replace("cargo run --release -- ", "spilltrail ");
    let prints_rows =
        ["hunt ", "search ", "fields ", "config ", "detections list"].iter().any(|subcommand| {
            command.strip_prefix("spilltrail ").is_some_and(|rest| rest.starts_with(subcommand))
        });
    if prints_rows && !command.contains("--format") && !blocks::is_redirected(&command) {
        return format!("{command} --format table");
    }
    command
}

fn path_with_program() -> Result<String> {
    let folder = Path::new(PROGRAM).parent().context("the program has a folder")?;
    Ok(format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default()))
}

fn help_of(subcommand: &str) -> Result<String> {
    let words = subcommand.split_whitespace().chain(["--help"]);
    let output = Command::new(PROGRAM).args(words).output()?;
    ensure!(output.status.success(), "there is no command `{subcommand}`");
    Ok(String::from_utf8(output.stdout)?)
}

/// Returns the text with every duration replaced by `0 s`.
fn without_times(text: &str) -> String {
    let mut words: Vec<&str> = text.split(' ').collect();
    for index in 1..words.len() {
        let unit = words[index].trim_end_matches(|c: char| !c.is_ascii_alphabetic());
        if matches!(unit, "s" | "ms") && words[index - 1].parse::<f64>().is_ok() {
            words[index - 1] = "0";
            words[index] = "s";
        }
    }
    words.join(" ")
}
