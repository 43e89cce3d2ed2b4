//! `hunt`: runs detections over logs and prints what they find.

mod costs;
mod explain;
mod findings;
mod present;
mod summary;
mod text;
mod workers;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use cpu_time::ThreadTime;
use indicatif::{ProgressBar, ProgressStyle};
use spilltrail_content::{ContentSet, Detection};
use spilltrail_detect::{DetectionRun, Status, hunt};
use spilltrail_diagnostic::{Diagnostic, Severity};
use spilltrail_search::events::shared::SharedEvents;
use spilltrail_source::{Progress, Wanted};
use spilltrail_spl::expand_macros;

use crate::arguments::{Format, HuntOptions};
use crate::environment::{Clock, Environment, Events};
use crate::logs::LogReader;
use crate::output::default_format;
use crate::{FAILED, FOUND, PARTIAL, content, environment, memory, report};
use findings::FindingWriter;
use summary::{Report, Summary};

/// Events of a detection that leave memory behind which is worth giving back.
const MANY_EVENTS: u64 = 10_000;

pub(crate) async fn run(options: HuntOptions) -> Result<ExitCode> {
    let format = options.format.unwrap_or_else(default_format);
    if format == Format::Csv && options.summary {
        bail!("CSV has no place for the summary; use `--format ndjson` or `--format json`");
    }
    let clock = Clock::new(&options.time)?;
    let bar = progress();
    let listener = bar.clone();
    let listener = Progress(Arc::new(move |bytes| listener.inc(bytes)));
    let listed = |content: &ContentSet| wanted(&options, &clock, content);
    let events = Events::Logs(&options.logs, Some(listener), &listed);
    let mut environment = Environment::new(events, &options.content, &options.read, clock.clone())?;
    let chosen = chosen(&options, &environment)?;
    let now_cost = set_clock(&mut environment, &options, &chosen).await?;
    let Some(logs) = environment.logs.clone() else { bail!("there is no log to read") };
    bar.set_length(logs.files().iter().map(|file| file.size).sum());
    let environment = Arc::new(environment);

    let mut writer = FindingWriter::new(format, options.all, &environment.clock.zone);
    let reader = Arc::new(LogReader::new(logs, environment.scan_options()));
    let shared = SharedEvents::new(environment.events.clone(), reader.clone());
    if options.explain_scan {
        return explain::print(&environment, &chosen, &shared).await;
    }
    let reports = run_all(&environment, &shared, &chosen, &mut writer, &bar).await?;
    let mut summary = Summary::new(&environment, reports, &reader.costs(), now_cost);
    // The last word on what counts as now: nothing asked for it, so it was not looked up before.
    summary.settle_now();
    writer.finish(&summary, &options)?;
    if options.costs {
        eprint!("{}", costs::render(&summary));
    }
    Ok(exit(&environment, &summary, &options))
}

/// Returns what the run can find something in. Where now is the newest event's time, which one that is
/// shows only when all are read.
fn wanted(options: &HuntOptions, clock: &Clock, content: &ContentSet) -> Wanted {
    let is_run = |detection: &&Detection| {
        let named =
            |name: &String| content.detection(name).is_some_and(|d| std::ptr::eq(d, *detection));
        options.detection.is_empty() || options.detection.iter().any(named)
    };
    let run: Vec<&Detection> = content.detections.iter().filter(is_run).collect();
    let is_relative =
        Clock::at(&options.time, clock.now - 1e8).ok().map(|at| at.range) != Some(clock.range);
    if !clock.is_fixed && (is_relative || run.iter().any(|detection| asks(detection, content))) {
        return Wanted::default();
    }
    let searches = run.iter().map(|detection| detection.search.as_str());
    environment::wanted(clock.range, searches, &content.macros)
}

/// Returns whether the result of a detection may depend on the present.
fn asks(detection: &Detection, content: &ContentSet) -> bool {
    let (expansion, _) = expand_macros(&detection.search, &content.macros);
    present::is_asked_for(&expansion.text)
}

/// Returns the places of the detections to run.
fn chosen(options: &HuntOptions, environment: &Environment) -> Result<Vec<usize>> {
    let all = &environment.content.detections;
    if options.detection.is_empty() {
        if all.is_empty() {
            bail!("there is no detection to run; name a folder with `--content DIR`");
        }
        return Ok((0..all.len()).collect());
    }
    let mut chosen = Vec::new();
    for name in &options.detection {
        let detection = content::detection(&environment.content, name)?;
        let place = all.iter().position(|other| std::ptr::eq(other, detection));
        chosen.extend(place.filter(|place| !chosen.contains(place)));
    }
    Ok(chosen)
}

/// Sets now to just after the newest event, where that makes a difference and the user did not say;
/// returns the processor time that looking for it took.
async fn set_clock(
    environment: &mut Environment,
    options: &HuntOptions,
    chosen: &[usize],
) -> Result<Duration> {
    let clock = &environment.clock;
    if clock.is_fixed {
        return Ok(Duration::ZERO);
    }
    // A bound that moves with the clock is relative.
    let is_relative = Clock::at(&options.time, clock.now - 1e8)?.range != clock.range;
    let detections = &environment.content.detections;
    let asks = |place: &usize| asks(&detections[*place], &environment.content);
    if !is_relative && !chosen.iter().any(asks) {
        return Ok(Duration::ZERO);
    }
    let Some(logs) = environment.logs.clone() else { return Ok(Duration::ZERO) };
    let look = move || {
        let started = ThreadTime::now();
        (logs.newest_event(), started.elapsed())
    };
    let (newest, cost) = tokio::task::spawn_blocking(look).await?;
    if let Some(newest) = newest {
        environment.clock = Clock::at(&options.time, newest + 1.0)?;
    }
    Ok(cost)
}

/// Plans the detections, reads the logs once for all of them, and runs them.
async fn run_all(
    environment: &Arc<Environment>,
    shared: &Arc<SharedEvents>,
    chosen: &[usize],
    writer: &mut FindingWriter,
    bar: &ProgressBar,
) -> Result<Vec<Report>> {
    let jobs = hunt::prepare(&environment.content, chosen, shared, &|| environment.context())
        .await
        .map_err(unreadable)?;
    bar.finish_and_clear();
    memory::give_back();
    let mut finished = workers::run(environment.clone(), jobs);
    let mut reports = Vec::new();
    while let Some((place, run)) = finished.next().await {
        let detection = &environment.content.detections[place];
        reports.push(Report::new(detection, &run));
        complain(detection, &run);
        // Each is gone once it is written: the next detection needs the memory.
        let events = run.matched_events.unwrap_or_default();
        for finding in run.findings {
            writer.write(&finding)?;
        }
        if events > MANY_EVENTS {
            memory::give_back();
        }
    }
    Ok(reports)
}

fn unreadable(diagnostic: Diagnostic) -> anyhow::Error {
    anyhow!("the logs cannot be read: {}", diagnostic.message)
}

/// Returns a bar of the bytes read, on a terminal.
fn progress() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    let template = "{bar:30} {bytes} of {total_bytes}, {bytes_per_sec}, {elapsed}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

/// Prints what is wrong with a detection that could not run, in full, and warnings about findings in a
/// line each.
fn complain(detection: &Detection, run: &DetectionRun) {
    match run.status {
        Status::Failed => {
            report::diagnostics(&run.messages, &detection.name, &detection.search);
        }
        Status::Unsupported | Status::Fired => {
            for message in &run.messages {
                let severity = match message.severity {
                    Severity::Unsupported => "unsupported",
                    Severity::Warning => "warning",
                    Severity::Error => "error",
                };
                eprintln!("{severity}[{}]: {}: {}", message.code, detection.name, message.message);
            }
        }
        _ => {}
    }
}

fn exit(environment: &Environment, summary: &Summary, options: &HuntOptions) -> ExitCode {
    let mut is_partial = environment.is_content_partial || summary.has_unusable_detections();
    if let Some(logs) = &environment.logs {
        is_partial |= report::logs(logs);
    }
    ExitCode::from(if options.fail_on_finding && summary.findings() > 0 {
        FOUND
    } else if summary.is_all_unreadable() {
        FAILED
    } else if is_partial {
        PARTIAL
    } else {
        0
    })
}
