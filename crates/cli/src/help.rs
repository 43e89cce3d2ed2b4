//! The `help` command: explains a command, a function or a diagnostic code.

use std::fmt::Write;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::CommandFactory;
use spilltrail_diagnostic::{REGISTRY, by_name, similar};
use spilltrail_eval::functions::{self as eval, FUNCTIONS as EVAL_FUNCTIONS};
use spilltrail_search::commands::{COMMANDS, CommandDoc, command, reason_of};
use spilltrail_search::stats::{self, FUNCTIONS as STATS_FUNCTIONS};

use crate::arguments::Arguments;
use crate::lines::hang;
use crate::output::{self, CANNOT_WRITE};
use crate::{page, screen};

/// Prints help about a topic, or the list of topics if it is empty.
pub(crate) fn run(topic: &str) -> Result<ExitCode> {
    // Only after building do the commands know the name of the program.
    let mut program = Arguments::command();
    program.build();
    let name = topic.to_lowercase();
    if name.trim().is_empty() {
        program.print_long_help().context(CANNOT_WRITE)?;
        output::print(&topics())?;
        return Ok(ExitCode::SUCCESS);
    }
    let words = name.split_whitespace();
    let of_program =
        words.clone().try_fold(&program, |command, word| command.find_subcommand(word)).cloned();
    let explained = explain(topic, &name);
    if of_program.is_none() && explained.is_empty() {
        let codes: Vec<String> = REGISTRY.iter().map(|entry| entry.code.to_string()).collect();
        let mut known: Vec<&str> = known().collect();
        known.extend(program.get_subcommands().map(|command| command.get_name()));
        known.extend(codes.iter().map(String::as_str));
        match similar(&name, known) {
            Some(similar) => bail!("there is no help about `{topic}`; did you mean `{similar}`?"),
            None => bail!("there is no help about `{topic}`; `spilltrail help` lists the topics"),
        }
    }
    if let Some(mut command) = of_program {
        command.print_long_help().context(CANNOT_WRITE)?;
    }
    output::print(&explained)?;
    Ok(ExitCode::SUCCESS)
}

/// Returns the names and aliases of all commands and functions.
fn known() -> impl Iterator<Item = &'static str> {
    let commands = COMMANDS.iter().map(|entry| (entry.doc.name, entry.doc.aliases));
    let eval = EVAL_FUNCTIONS.iter().map(|function| (function.doc.name, function.doc.aliases));
    let statistics = STATS_FUNCTIONS.iter().map(|function| (function.name, function.aliases));
    let all = commands.chain(eval).chain(statistics);
    all.flat_map(|(name, aliases)| std::iter::once(name).chain(aliases.iter().copied()))
}

/// Returns the list of all topics as text.
fn topics() -> String {
    let mut text = "\nTopics of `spilltrail help <TOPIC>`:\n".to_owned();
    names(&mut text, "SPL commands", COMMANDS.iter().map(|entry| entry.doc.name));
    names(&mut text, "eval functions", EVAL_FUNCTIONS.iter().map(|function| function.doc.name));
    names(&mut text, "statistics", STATS_FUNCTIONS.iter().map(|function| function.name));
    names(&mut text, "diagnostic codes", REGISTRY.iter().map(|entry| entry.code.to_string()));
    text
}

/// Returns the help about an SPL topic, or an empty string if the topic is unknown. `name` is the
/// topic in lower case.
fn explain(topic: &str, name: &str) -> String {
    let mut text = String::new();
    if let Some(entry) = command(name) {
        explain_command(&mut text, entry.doc);
    }
    if let Some(reason) = reason_of(name) {
        let _ = writeln!(text, "{name}\n    A command of Splunk that is not supported.");
        item(&mut text, &format!("Why: {reason}."));
    }
    if let Some(function) = eval::find(name) {
        title(&mut text, function.doc.syntax, function.doc.summary);
        aliases(&mut text, function.doc.aliases);
        for (expression, result) in function.doc.examples {
            item(&mut text, &format!("{expression}  →  {result}"));
        }
        differs(&mut text, function.doc.differs);
    }
    if let Some(function) = stats::named(name) {
        title(&mut text, &format!("{} (statistics)", function.shown()), function.summary);
        aliases(&mut text, function.aliases);
        for (rows, call, result) in function.examples {
            let rows: Vec<&str> = rows.lines().collect();
            item(&mut text, &format!("{call} over {}  →  {result}", rows.join(" ")));
        }
        differs(&mut text, function.differs);
    }
    if let Some(entry) = by_name(topic) {
        let (class, advice) = entry.class.meaning();
        text.push_str(&page::text(entry.page, screen::width()));
        text.push('\n');
        put(&mut text, &format!("Class: {class}; {advice}"), 2);
    }
    text
}

fn explain_command(text: &mut String, doc: &CommandDoc) {
    title(text, doc.syntax, doc.summary);
    aliases(text, doc.aliases);
    for argument in doc.arguments {
        item(text, &format!("{}: {}", argument.shown(), argument.meaning()));
    }
    for example in doc.examples {
        text.push('\n');
        put(text, &format!("  {}:", example.title), 2);
        put(text, &format!("    {}", example.search), 4);
    }
    differs(text, doc.differs);
}

/// Appends a line, wrapped for the terminal; what goes on below is indented by `more` columns.
fn put(text: &mut String, line: &str, more: usize) {
    for line in hang(line, screen::text_width(), more) {
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

fn title(text: &mut String, syntax: &str, summary: &str) {
    put(text, syntax, 2);
    put(text, &format!("    {summary}"), 0);
}

fn item(text: &mut String, item: &str) {
    put(text, &format!("    {item}"), 4);
}

fn names(text: &mut String, title: &str, names: impl Iterator<Item = impl Into<String>>) {
    let names: Vec<String> = names.map(Into::into).collect();
    let _ = writeln!(text, "\n  {title}:");
    put(text, &format!("    {}", names.join(" ")), 0);
}

fn aliases(text: &mut String, aliases: &[&str]) {
    if !aliases.is_empty() {
        put(text, &format!("    Also written {}.", aliases.join(", ")), 0);
    }
}

fn differs(text: &mut String, differs: &[&str]) {
    for sentence in differs {
        put(text, &format!("  Differs from Splunk: {sentence}"), 2);
    }
}
