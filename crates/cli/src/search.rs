//! `search`: runs a search and prints its rows.

use std::process::ExitCode;

use anyhow::{Result, bail};
use futures::StreamExt;
use spilltrail_content::ContentSet;
use spilltrail_search::context::SearchContext;
use spilltrail_search::{error, rows, run};

use crate::arguments::SearchOptions;
use crate::environment::{Clock, Environment, Events};
use crate::output::RowWriter;
use crate::{FAILED, PARTIAL, content, environment, report};

pub(crate) async fn run(options: SearchOptions) -> Result<ExitCode> {
    let (spl, names) = positionals(&options)?;
    let clock = Clock::new(&options.time)?;
    let range = clock.range;
    let wanted = |content: &ContentSet| {
        let named = options.detection.as_deref().and_then(|name| content.detection(name));
        let search = named.map(|detection| detection.search.as_str()).or(spl);
        environment::wanted(range, search.into_iter(), &content.macros)
    };
    let events = match &options.rows {
        Some(path) => Events::Rows(path),
        None => Events::Logs(names, None, &wanted),
    };
    let environment = Environment::new(events, &options.content, &options.read, clock)?;
    let (origin, text) = match (&options.detection, spl) {
        (Some(name), _) => {
            let detection = content::detection(&environment.content, name)?;
            (detection.name.clone(), detection.search.clone())
        }
        (None, Some(spl)) => ("<search>".to_owned(), spl.to_owned()),
        (None, None) => bail!("no search given"),
    };
    let context = environment.context();
    let ran = print(&text, &origin, &options, &context).await?;
    let mut is_partial = environment.is_content_partial;
    if let Some(logs) = &environment.logs {
        is_partial |= report::logs(logs);
    }
    Ok(match (ran, is_partial) {
        (false, _) => ExitCode::from(FAILED),
        (true, true) => ExitCode::from(PARTIAL),
        (true, false) => ExitCode::SUCCESS,
    })
}

fn positionals(options: &SearchOptions) -> Result<(Option<&str>, &[String])> {
    if options.detection.is_some() {
        return Ok((None, &options.positionals));
    }
    match options.positionals.split_first() {
        Some((spl, names)) => Ok((Some(spl), names)),
        None => {
            bail!("no search given; example: spilltrail search 'eventName=CreateTask' ./AWSLogs")
        }
    }
}

/// Runs the search and prints its rows; returns false, with the reasons printed, if it failed.
async fn print(
    text: &str,
    origin: &str,
    options: &SearchOptions,
    context: &SearchContext,
) -> Result<bool> {
    let fail = |diagnostics: &[_]| {
        report::diagnostics(diagnostics, origin, text);
        Ok(false)
    };
    let prepared = match run::prepare(text, options.until.as_deref(), context).await {
        Ok(prepared) => prepared,
        Err(diagnostics) => return fail(&diagnostics),
    };
    let mut stream = match prepared.stream(context).await {
        Ok(stream) => stream,
        Err(diagnostic) => return fail(&[prepared.relocate(diagnostic)]),
    };
    let mut writer = RowWriter::new(options.format, &prepared.fields());
    while let Some(batch) = stream.next().await {
        match batch {
            Ok(batch) => {
                for row in rows::batch_rows(&batch) {
                    writer.write(&row)?;
                }
            }
            Err(failure) => {
                writer.finish()?;
                return fail(&[prepared.relocate(error::from_engine(&failure))]);
            }
        }
    }
    writer.finish()?;
    let messages: Vec<_> = context
        .observations
        .messages()
        .into_iter()
        .map(|message| prepared.relocate(message))
        .collect();
    report::diagnostics(&messages, origin, text);
    Ok(true)
}
