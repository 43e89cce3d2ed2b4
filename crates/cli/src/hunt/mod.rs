//! `hunt`: runs detections over logs and prints what they find.

mod findings;
mod summary;
mod text;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Result, anyhow, bail};
use futures::StreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use spilltrail_content::{ContentSet, Detection};
use spilltrail_detect::{DetectionRun, Status};
use spilltrail_diagnostic::{Code, Diagnostic, Severity};
use spilltrail_event::TimeBounds;
use spilltrail_search::run as search;
use spilltrail_source::Wanted;
use spilltrail_spl::expand_macros;

use crate::arguments::{Format, HuntOptions};
use crate::environment::{Clock, Environment, Events};
use crate::output::default_format;
use crate::{FAILED, FOUND, PARTIAL, content, environment, report};
use findings::FindingWriter;
use summary::{Report, Summary};

/// Detections that run at a time; each reads all logs and has its own operators in memory.
const AT_A_TIME: usize = 2;

/// What in a search makes its result depend on the present.
const PRESENT: &[&str] =
    &["now(", "time(", "relative_time", "earliest", "latest", "starttime", "ago=", "addinfo"];

pub(crate) async fn run(options: HuntOptions) -> Result<ExitCode> {
    let format = options.format.unwrap_or_else(default_format);
    if format == Format::Csv && options.summary {
        bail!("CSV has no place for the summary; use `--format ndjson` or `--format json`");
    }
    let clock = Clock::new(&options.time)?;
    let listed = |content: &ContentSet| wanted(&options, &clock, content);
    let events = Events::Logs(&options.logs, None, &listed);
    let mut environment = Environment::new(events, &options.content, &options.read, clock.clone())?;
    let chosen = chosen(&options, &environment)?;
    set_clock(&mut environment, &options, &chosen).await?;
    let environment = Arc::new(environment);

    let mut writer = FindingWriter::new(format, options.all, &environment.clock.zone);
    let reports = run_all(&environment, chosen, &mut writer).await?;
    let mut summary = Summary::new(&environment, reports);
    // The last word on what counts as now: nothing asked for it, so it was not looked up before.
    summary.settle_now();
    writer.finish(&summary, &options)?;
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
    let text = expansion.text.to_ascii_lowercase();
    PRESENT.iter().any(|word| text.contains(word))
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

/// Sets now to just after the newest event, where that makes a difference and the user did not say.
async fn set_clock(
    environment: &mut Environment,
    options: &HuntOptions,
    chosen: &[usize],
) -> Result<()> {
    let clock = &environment.clock;
    if clock.is_fixed {
        return Ok(());
    }
    // A bound that moves with the clock is relative.
    let is_relative = Clock::at(&options.time, clock.now - 1e8)?.range != clock.range;
    let detections = &environment.content.detections;
    let asks = |place: &usize| asks(&detections[*place], &environment.content);
    if !is_relative && !chosen.iter().any(asks) {
        return Ok(());
    }
    if let Some(newest) = newest_event(environment).await? {
        environment.clock = Clock::at(&options.time, newest + 1.0)?;
    }
    Ok(())
}

/// Reads all logs for the time of their newest event.
async fn newest_event(environment: &Environment) -> Result<Option<f64>> {
    let mut context = environment.context();
    context.range = TimeBounds::default();
    let failed =
        |diagnostic: Diagnostic| anyhow!("the logs cannot be read: {}", diagnostic.message);
    let prepared = search::prepare("* | stats max(_time) as newest", None, &context)
        .await
        .map_err(|mut diagnostics| match diagnostics.pop() {
            Some(diagnostic) => failed(diagnostic),
            None => anyhow!("the logs cannot be read"),
        })?;
    let rows = prepared.collect(&context).await.map_err(failed)?;
    let newest = rows.iter().find_map(|row| row.get("newest")?.as_number());
    Ok(newest)
}

/// Runs the detections, several at a time; findings and reports come in the order of the detections.
async fn run_all(
    environment: &Arc<Environment>,
    chosen: Vec<usize>,
    writer: &mut FindingWriter,
) -> Result<Vec<Report>> {
    let progress = progress(chosen.len());
    let mut runs = futures::stream::iter(chosen)
        .map(|place| {
            let environment = environment.clone();
            async move { (place, tokio::spawn(one(environment, place)).await) }
        })
        .buffered(AT_A_TIME);
    let mut reports = Vec::new();
    while let Some((place, joined)) = runs.next().await {
        let detection = &environment.content.detections[place];
        let run = joined.unwrap_or_else(|error| broken(&error.to_string()));
        for finding in &run.findings {
            writer.write(finding)?;
        }
        complain(detection, &run, &progress);
        reports.push(Report::new(detection, &run));
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(reports)
}

async fn one(environment: Arc<Environment>, place: usize) -> DetectionRun {
    let content = &environment.content;
    spilltrail_detect::run(&content.detections[place], content, &environment.context()).await
}

/// Returns the run of a detection whose task died, which must not take the others with it.
fn broken(reason: &str) -> DetectionRun {
    DetectionRun {
        status: Status::Failed,
        findings: Vec::new(),
        rows: 0,
        matched_events: None,
        elapsed: std::time::Duration::ZERO,
        messages: vec![Diagnostic::error(Code::EXECUTION, format!("a bug ended it: {reason}"))],
    }
}

fn progress(count: usize) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(count as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos} of {len} detections, {elapsed}")
    {
        bar.set_style(style);
    }
    bar.tick();
    bar
}

/// Prints what is wrong with a detection that could not run, in full, and warnings about findings in a
/// line each.
fn complain(detection: &Detection, run: &DetectionRun, progress: &ProgressBar) {
    progress.suspend(|| match run.status {
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
    });
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
