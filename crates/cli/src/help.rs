//! `help`: what a command, a function or a diagnostic code is.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::CommandFactory;
use spilltrail_diagnostic::{Entry, REGISTRY, by_name, similar};
use spilltrail_eval::functions::{self as eval, FUNCTIONS as EVAL_FUNCTIONS};
use spilltrail_search::commands::{COMMANDS, CommandDoc, command};
use spilltrail_search::stats::{self, FUNCTIONS as STATS_FUNCTIONS};

use crate::arguments::Arguments;

/// Prints help about a topic, or the topics there are.
pub(crate) fn run(topic: Option<&str>) -> Result<ExitCode> {
    let Some(topic) = topic else {
        Arguments::command().print_long_help()?;
        println!("\nTopics of `spilltrail help <TOPIC>`:");
        print_names("SPL commands", COMMANDS.iter().map(|entry| entry.doc.name));
        print_names("eval functions", EVAL_FUNCTIONS.iter().map(|function| function.doc.name));
        print_names("statistics", STATS_FUNCTIONS.iter().map(|function| function.name));
        print_names("diagnostic codes", REGISTRY.iter().map(|entry| entry.code.to_string()));
        return Ok(ExitCode::SUCCESS);
    };
    let name = topic.to_lowercase();
    let mut is_known = false;
    if let Some(mut found) = Arguments::command().find_subcommand(&name).cloned() {
        found.print_long_help()?;
        is_known = true;
    }
    if let Some(entry) = command(&name) {
        print_command(entry.doc);
        is_known = true;
    }
    if let Some(function) = eval::find(&name) {
        println!("{}\n    {}", function.doc.syntax, function.doc.summary);
        print_aliases(function.doc.aliases);
        print_differs(function.doc.differs);
        is_known = true;
    }
    if let Some(function) = stats::named(&name) {
        println!("{} (statistics)\n    {}", function.shown(), function.summary);
        print_aliases(function.aliases);
        print_differs(function.differs);
        is_known = true;
    }
    if let Some(Entry { code, class, title, explanation }) = by_name(topic) {
        println!("{code}: {title}\n    {explanation}\n    Class: {class}; {}", class.meaning().1);
        is_known = true;
    }
    if is_known {
        return Ok(ExitCode::SUCCESS);
    }
    let commands = COMMANDS.iter().flat_map(|entry| names(entry.doc.name, entry.doc.aliases));
    let eval = EVAL_FUNCTIONS.iter().flat_map(|it| names(it.doc.name, it.doc.aliases));
    let statistics = STATS_FUNCTIONS.iter().flat_map(|it| names(it.name, it.aliases));
    match similar(&name, commands.chain(eval).chain(statistics)) {
        Some(similar) => bail!("there is no help about `{topic}`; did you mean `{similar}`?"),
        None => bail!("there is no help about `{topic}`; `spilltrail help` lists the topics"),
    }
}

fn names(
    name: &'static str,
    aliases: &'static [&'static str],
) -> impl Iterator<Item = &'static str> {
    std::iter::once(name).chain(aliases.iter().copied())
}

fn print_aliases(aliases: &[&str]) {
    if !aliases.is_empty() {
        println!("    Also written {}.", aliases.join(", "));
    }
}

fn print_names(title: &str, names: impl Iterator<Item = impl Into<String>>) {
    let names: Vec<String> = names.map(Into::into).collect();
    println!("\n  {title}:\n    {}", names.join(" "));
}

fn print_command(doc: &CommandDoc) {
    println!("{}\n    {}", doc.syntax, doc.summary);
    print_aliases(doc.aliases);
    for argument in doc.arguments {
        println!("    {}: {}", argument.shown(), argument.meaning());
    }
    for example in doc.examples {
        println!("\n  {}:\n    {}", example.title, example.search);
    }
    print_differs(doc.differs);
}

fn print_differs(differs: &[&str]) {
    for sentence in differs {
        println!("  Differs from Splunk: {sentence}");
    }
}
