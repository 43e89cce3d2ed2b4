//! Checks a configuration without working with it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use spilltrail_app as app;
use spilltrail_app::{Content, DataFolder, InputOptions, ServeOptions as AppOptions};
use spilltrail_deliver::{Clients, Limits, MissingSecret, Output, Target};
use spilltrail_diagnostic::{Code, Diagnostic, Severity, visible};
use spilltrail_event::{CaseRule, Pattern};

use super::tls;
use crate::arguments::ServeOptions;
use crate::hunt::allowed;
use crate::report::{self, Detail};
use crate::{output, status};

/// Returns the mistakes of inputs: each must have a name of its own, and say once where its logs are.
pub(super) fn mistakes_of_inputs(inputs: &[InputOptions]) -> Vec<String> {
    let mut mistakes = Vec::new();
    for (at, input) in inputs.iter().enumerate() {
        match (input.logs.is_empty(), &input.queue) {
            (true, None) => {
                mistakes.push(format!("input `{}` needs `logs`, or `queue`", input.name));
            }
            (false, Some(_)) => {
                mistakes.push(format!("input `{}` has both `logs` and `queue`", input.name));
            }
            _ => {}
        }
        if inputs[..at].iter().any(|other| other.name == input.name) {
            mistakes.push(format!("two inputs have the name `{}`", input.name));
        }
    }
    mistakes
}

/// Returns the mistakes of outputs, which would show only when a finding is lost. A secret that may come is
/// only told.
pub(super) async fn mistakes_of_outputs(outputs: &[Output]) -> Result<Vec<String>> {
    let clients = Clients::new(|name| std::env::var(name).ok(), Limits::default())?;
    let mut mistakes = Vec::new();
    for (at, output) in outputs.iter().enumerate() {
        if outputs[..at].iter().any(|other| other.name == output.name) {
            mistakes.push(format!("two outputs have the name `{}`", output.name));
        }
        if let Err(error) = output.check() {
            mistakes.push(format!("output `{}`: {}; {}", error.output, error.message, error.help));
            continue;
        }
        if !output.enabled {
            continue;
        }
        for MissingSecret { error, is_permanent } in output.check_secrets(&clients).await {
            let text = format!("output `{}`: {}; {}", error.output, error.message, error.help);
            if is_permanent {
                mistakes.push(text);
            } else {
                report::line(format_args!("warning: {text}"));
            }
        }
    }
    Ok(mistakes)
}

/// Tells what would run, and all that is wrong: the `mistakes` that are known, and what only a try shows.
pub(super) async fn run(
    options: &ServeOptions,
    serve: &AppOptions,
    mut mistakes: Vec<String>,
) -> Result<ExitCode> {
    if let Err(error) = tls::check(&options.file) {
        mistakes.push(report::chain(error.as_ref()));
    }
    for input in &serve.inputs {
        match spilltrail_app::standing_of(input).await {
            Err(reason) => mistakes.push(format!("input `{}`: {reason}", input.name)),
            Ok(Some(standing)) if standing.redrive.is_none() => report::line(format_args!(
                "note: the queue of input `{}` has no queue for messages that fail again and again; \
                 they come back until the queue drops them",
                input.name
            )),
            Ok(_) => {}
        }
    }
    for (name, path) in missing_paths(serve) {
        // It may come, as the folder of a disk that is not mounted yet.
        report::line(format_args!("warning: {name}: there is no {}", path.display()));
    }
    for mistake in &mistakes {
        report::line(format_args!("error: {mistake}"));
    }
    let content = Content::load(&serve.content)?;
    report::content(&content.problems, Detail::Full);
    doubt(&content, serve);
    let plan = spilltrail_app::schedules_of(&content, serve)?;
    for (name, reason) in &plan.left_out {
        report::line(format_args!("note: {name} does not run: {reason}"));
    }
    let Checked { skipped, doubtful } = check(&content, serve, &plan.scheduled).await?;
    for (name, reason) in skipped {
        report::line(format_args!("warning: {name} would be skipped when it is due: {reason}"));
    }
    for (name, reason) in doubtful.iter().take(FEW) {
        report::line(format_args!("warning: {name} has a warning: {reason}"));
    }
    if let Some(more) = doubtful.len().checked_sub(FEW).filter(|more| *more > 0) {
        report::line(format_args!(
            "warning: {} with warnings; `spilltrail check` shows them",
            report::counted(more as u64, "more detection")
        ));
    }
    report::line(format_args!(
        "note: {} would run on schedules",
        report::counted(plan.scheduled.len() as u64, "detection")
    ));
    let names: BTreeSet<&str> = plan.scheduled.values().map(String::as_str).collect();
    output::print(&names.iter().map(|name| format!("{}\n", visible(name))).collect::<String>())?;
    Ok(if mistakes.is_empty() { status::of_content(&content) } else { status::failed() })
}

/// Returns the files and folders that inputs and outputs name and that are not there.
fn missing_paths(serve: &AppOptions) -> Vec<(String, PathBuf)> {
    let is_missing = |path: &Path| !path.try_exists().unwrap_or(true);
    let is_plain = |name: &&String| !name.contains("://") && !name.contains(['*', '?', '[']);
    let logs = serve.inputs.iter().flat_map(|input| {
        let paths = input.logs.iter().filter(is_plain).map(PathBuf::from);
        paths.map(|path| (format!("input `{}`", input.name), path))
    });
    let folders = serve.outputs.iter().filter_map(|output| {
        let Target::File(file) = &output.target else { return None };
        let folder = file.path.parent()?;
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        Some((format!("output `{}`", output.name), folder.to_owned()))
    });
    logs.chain(folders).filter(|(_, path)| is_missing(path)).collect()
}

/// Tells what the configuration names and the content does not have, and what its allow-list cannot mean.
pub(super) fn doubt(content: &Content, serve: &AppOptions) {
    for output in &serve.outputs {
        for pattern in &output.filter.detections {
            let named = Pattern::new(&**pattern, CaseRule::Ignore);
            let detections = &content.set.detections;
            if !detections.iter().any(|one| named.matches(&one.name) || named.matches(&one.id)) {
                report::line(format_args!(
                    "warning: output `{}`: there is no detection `{pattern}`",
                    output.name
                ));
            }
        }
    }
    allowed::doubts(&serve.allow, content, Detail::Full);
    let today = jiff::Zoned::now().date();
    for entry in serve.allow.iter().filter(|entry| entry.expires.is_some_and(|last| last < today)) {
        report::line(format_args!(
            "warning: {}: this allow-list entry has expired and hides nothing",
            entry.origin
        ));
    }
}

/// How many detections with warnings are named.
const FEW: usize = 5;

/// What a check says of scheduled detections: names with reasons.
#[derive(Default)]
struct Checked {
    /// Those that cannot run as things are.
    skipped: Vec<(String, String)>,
    /// Those with a warning, such as of a field that no event has.
    doubtful: Vec<(String, String)>,
}

/// Checks the scheduled detections.
async fn check(
    content: &Content,
    serve: &AppOptions,
    scheduled: &BTreeMap<String, String>,
) -> Result<Checked> {
    let set = &content.set;
    let ids = scheduled.keys().filter(|id| set.detections.iter().any(|one| one.id == **id));
    let select = app::Selection { detections: ids.cloned().collect(), ..app::Selection::default() };
    if select.is_all() {
        return Ok(Checked::default());
    }
    let report = app::check::check(
        content,
        &app::check::CheckOptions { select, ..app::check::CheckOptions::default() },
    )
    .await?;
    let lookups = DataFolder::new(&serve.data).lookups();
    let reason = |told: &app::check::Told, asked: Severity| {
        let Diagnostic { severity, code, message, .. } = &told.diagnostic;
        // Searches may have written it, and people put it there.
        let is_there = || message.split('`').nth(1).is_some_and(|name| kept(&lookups, name));
        let is_asked = *severity == asked && !(*code == Code::MISSING_LOOKUP && is_there());
        is_asked.then(|| format!("{code}: {message}"))
    };
    let mut checked = Checked::default();
    for one in report.detections {
        let first = |asked| one.diagnostics.iter().find_map(|told| reason(told, asked));
        if let Some(reason) = first(Severity::Error) {
            checked.skipped.push((one.name, reason));
        } else if let Some(reason) = first(Severity::Warning) {
            checked.doubtful.push((one.name, reason));
        }
    }
    Ok(checked)
}

/// Returns true if a data folder has a lookup.
fn kept(lookups: &Path, name: &str) -> bool {
    let found = |name: String| lookups.join(name).try_exists().unwrap_or(false);
    found(name.to_owned()) || found(format!("{name}.csv"))
}
