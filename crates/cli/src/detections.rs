//! The `detections` command: lists the detections, or shows one of them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;
use spilltrail_content::{ContentSet, Detection, Risk, Scheduling, attack};
use spilltrail_diagnostic::{Code, Diagnostic, Severity, visible, visible_lines};
use spilltrail_event::Value;
use spilltrail_search::analysis::analyze;
use spilltrail_search::rows::Row;
use spilltrail_spl::expand_macros;

use crate::arguments::{
    DetectionsCommand, DetectionsListOptions, DetectionsShowOptions, ShowFormat,
};
use crate::lines::wrap;
use crate::output;
use crate::report::Detail;
use crate::screen;
use crate::{content, json, paint, report, status, table};

/// The columns of the list. On a narrow screen, the last ones are left out.
const COLUMNS: &[&str] = &["name", "type", "risk_score", "techniques", "stories", "status", "id"];

/// Width of the names of facts.
const FACT: usize = 12;

pub(crate) fn run(command: &DetectionsCommand) -> Result<ExitCode> {
    match command {
        DetectionsCommand::List(options) => list(options),
        DetectionsCommand::Show(options) => show(options),
    }
}

fn list(options: &DetectionsListOptions) -> Result<ExitCode> {
    let content = content::load_for(&options.content, Detail::Full)?;
    content::tell_replaced(&content.set.replaced, Detail::Full);
    let mut of_baselines;
    let set: &ContentSet = if options.baselines {
        of_baselines = ContentSet::clone(&content.set);
        of_baselines.detections = std::mem::take(&mut of_baselines.baselines);
        &of_baselines
    } else {
        &content.set
    };
    let all = &set.detections;
    let chosen =
        if all.is_empty() { Vec::new() } else { options.filters.selection().choose(set)? };
    let mut detections: Vec<&Detection> = chosen.iter().map(|index| &all[*index]).collect();
    detections.sort_by(|a, b| a.name.cmp(&b.name));
    let rows: Vec<Row> = detections.iter().copied().map(row).collect();
    if !table::print(COLUMNS, &rows, options.format)? {
        return Ok(status::of_content(&content));
    }
    if let Some(problems) = problems(&detections, &content.set) {
        report::line(format_args!("note: {problems}"));
    }
    Ok(status::of_content(&content))
}

/// Returns what is wrong or doubtful in the search of a detection, as far as it is known without logs.
fn mistakes(detection: &Detection, set: &ContentSet) -> Vec<Diagnostic> {
    let analysis = analyze(&detection.search, &set.macros);
    let mut found = analysis.diagnostics();
    found.extend(analysis.doubts_without_logs(&found, false));
    found
}

/// Most detections with problems that are named.
const NAMED: usize = 3;

/// Says how many of the detections have errors or warnings in their searches, and how many cannot run
/// because they use what is not supported; `None` if all are well.
fn problems(detections: &[&Detection], set: &ContentSet) -> Option<String> {
    let (mut names, mut unsupported) = (Vec::new(), 0_u64);
    let mut codes: BTreeMap<Code, u64> = BTreeMap::new();
    for detection in detections {
        let diagnostics = mistakes(detection, set);
        let is_unsupported =
            |diagnostic: &&Diagnostic| diagnostic.severity == Severity::Unsupported;
        if diagnostics.iter().any(|diagnostic| is_unsupported(&diagnostic)) {
            unsupported += 1;
        }
        let found: Vec<&Diagnostic> =
            diagnostics.iter().filter(|diagnostic| !is_unsupported(diagnostic)).collect();
        found.iter().for_each(|diagnostic| *codes.entry(diagnostic.code).or_default() += 1);
        if !found.is_empty() {
            names.push(detection.name.as_str());
        }
    }
    let mut parts = Vec::new();
    if !names.is_empty() {
        let codes: Vec<String> =
            codes.iter().map(|(code, count)| format!("{count} {code}")).collect();
        let more = match names.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let named = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
        let have = if names.len() == 1 { "detection has" } else { "detections have" };
        let count = report::separated(names.len() as u64);
        parts.push(format!("{count} {have} problems ({}): {named}{more}", codes.join(", ")));
    }
    if unsupported > 0 {
        let use_ = if unsupported == 1 { "detection uses" } else { "detections use" };
        let count = report::separated(unsupported);
        parts.push(format!("{count} {use_} what is not supported"));
    }
    (!parts.is_empty())
        .then(|| format!("{}; `spilltrail detections show NAME` shows why", parts.join("; ")))
}

fn row(detection: &Detection) -> Row {
    let score = detection.risk.as_ref().and_then(Risk::score);
    let many = |values: &[String]| Value::multi(values.iter().cloned().map(Into::into).collect());
    let values = [
        Value::text(detection.name.clone()),
        Value::text(detection.detection_type.to_string()),
        score.map_or(Value::Null, |score| Value::Number(f64::from(score))),
        many(&detection.mitre_attack_id),
        many(&detection.analytic_story),
        Value::text(detection.status.to_string()),
        Value::text(detection.id.clone()),
    ];
    COLUMNS.iter().map(|name| (*name).to_owned()).zip(values).collect()
}

fn show(options: &DetectionsShowOptions) -> Result<ExitCode> {
    let content = content::load_for(&options.content, Detail::Full)?;
    let baseline = || content.set.baseline(&options.name);
    let detection =
        content.find_detection(&options.name).or_else(|error| baseline().ok_or(error))?;
    let problems = mistakes(detection, &content.set);
    report::diagnostics(&problems, &detection.name, &detection.search);
    match options.format {
        ShowFormat::Text => {
            output::print_painted(&describe(detection, &content.set, screen::text_width()))?;
        }
        ShowFormat::Json => output::print(&object(detection, &content.set)?)?,
    }
    Ok(status::of_content(&content))
}

/// Returns a detection as a JSON object: what its file says, the search with its macros expanded, and
/// what its results become.
fn object(detection: &Detection, set: &ContentSet) -> Result<String> {
    let mut value = serde_json::to_value(detection)?;
    let outcome = detection.outcome(&set.deployments);
    let (expansion, problems) = expand_macros(&detection.search, &set.macros);
    if let Some(object) = value.as_object_mut() {
        let expanded = problems.is_empty().then_some(expansion.text);
        object.insert("expanded_search".to_owned(), json!(expanded));
        object.insert("notable".to_owned(), json!(outcome.notable));
        object.insert("raises_risk".to_owned(), json!(outcome.risk));
        object.insert("from".to_owned(), json!(origin(detection)));
    }
    json::text(&value)
}

/// Returns the full description of a detection as text.
fn describe(detection: &Detection, set: &ContentSet, width: usize) -> String {
    let mut text = format!("{}\n", paint::bold(&visible(&detection.name)));
    facts(&mut text, detection, set, width);
    let mut section = |title: &str, body: &str| section(&mut text, title, body, width);
    section("Description", detection.description.trim());
    section("Search", &one_command_a_line(&detection.search));
    let (expansion, problems) = expand_macros(&detection.search, &set.macros);
    if problems.is_empty() && expansion.text != detection.search {
        section("Search with its macros expanded", &one_command_a_line(&expansion.text));
    }
    for problem in &problems {
        section("Macros", &problem.message);
    }
    section("Findings", &outcome(detection, set));
    for drilldown in &detection.drilldowns {
        let search = one_command_a_line(drilldown.search.trim());
        section(&format!("Drilldown: {}", drilldown.name), &search);
    }
    section("Known false positives", detection.known_false_positives.trim());
    section("How to implement", detection.how_to_implement.trim());
    section("References", &detection.references.join("\n"));
    text
}

/// Returns where a detection is from: the path of its file, or that it is built in.
fn origin(detection: &Detection) -> String {
    match &detection.root {
        Some(_) => detection.path.display().to_string(),
        None => "built in".to_owned(),
    }
}

fn facts(text: &mut String, detection: &Detection, set: &ContentSet, width: usize) {
    let schedule = detection.scheduling(set).map(|schedule| {
        let Scheduling { cron_schedule, earliest_time, latest_time, .. } = schedule;
        format!("{cron_schedule}, from {earliest_time} to {latest_time}")
    });
    let techniques: Vec<String> =
        detection.mitre_attack_id.iter().map(|technique| attack::described(technique)).collect();
    let changed = detection.modified.clone().or_else(|| detection.created.clone());
    let facts = [
        ("id", detection.id.clone()),
        ("type", detection.detection_type.to_string()),
        ("status", detection.status.to_string()),
        ("version", detection.version.to_string()),
        ("date", changed.unwrap_or_default()),
        ("author", detection.author.clone()),
        ("techniques", techniques.join("; ")),
        ("kill chain", detection.kill_chain_phases.join(", ")),
        ("stories", detection.analytic_story.join(", ")),
        ("asset", detection.asset_type.clone()),
        ("domain", detection.security_domain.clone()),
        ("data", detection.data_source.join(", ")),
        ("cve", detection.cve.join(", ")),
        ("schedule", schedule.unwrap_or_default()),
        ("baselines", detection.baselines.join(", ")),
        ("from", origin(detection)),
    ];
    for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
        let mut margin = format!("  {name:<FACT$}");
        for line in wrap(&visible(value), width.saturating_sub(2 + FACT)) {
            let _ = writeln!(text, "{margin}{line}");
            margin = " ".repeat(2 + FACT);
        }
    }
}

fn outcome(detection: &Detection, set: &ContentSet) -> String {
    let outcome = detection.outcome(&set.deployments);
    let mut lines = Vec::new();
    if let Some(risk) = &detection.risk {
        lines.push(format!("message: {}", risk.message));
        for object in &risk.risk_objects {
            lines.push(format!(
                "risk {} to {} ({})",
                object.score, object.field, object.object_type
            ));
            if let Some(message) = &object.message {
                lines.push(format!("  message: {message}"));
            }
        }
        for object in &risk.threat_objects {
            lines.push(format!("threat {} ({})", object.field, object.object_type));
        }
    }
    if let Some(notable) = detection.notable(&set.deployments) {
        lines.push(format!("title: {}", notable.rule_title));
        lines.push(format!("severity: {}", notable.severity));
    }
    let becomes = match (outcome.notable, outcome.risk) {
        (true, true) => "each result is a notable and raises risk",
        (true, false) => "each result is a notable",
        (false, true) => "each result raises risk",
        (false, false) => "results raise neither a notable nor risk",
    };
    lines.push(becomes.to_owned());
    lines.join("\n")
}

/// Adds a title and lines of text. What a line is too long for the width goes on under it, indented.
fn section(text: &mut String, title: &str, body: &str, width: usize) {
    if body.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{}", paint::bold(&visible(title)));
    for line in visible_lines(body).lines() {
        let own = line.len() - line.trim_start().len();
        let is_command = line.trim_start().starts_with('|');
        let more = if is_command { own + 4 } else { own };
        let mut margin = " ".repeat(2 + own);
        for wrapped in wrap(line.trim(), width.saturating_sub(2 + more)) {
            let _ = writeln!(text, "{margin}{wrapped}");
            margin = " ".repeat(2 + more);
        }
    }
}

/// Returns a search with one command per line. The text is split without parsing it and macro
/// calls are not expanded, so invalid searches can be shown too.
fn one_command_a_line(search: &str) -> String {
    let stages = stages(search);
    let mut lines = Vec::new();
    for (index, stage) in stages.iter().enumerate() {
        let stage: Vec<&str> =
            stage.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let stage = stage.join("\n    ");
        match index {
            0 if stage.is_empty() => {}
            0 => lines.push(stage),
            _ => lines.push(format!("| {stage}")),
        }
    }
    lines.join("\n")
}

/// Splits a search at the pipes that are outside quotes, brackets and macro calls.
fn stages(search: &str) -> Vec<String> {
    let mut stages = vec![String::new()];
    let mut depth = 0_usize;
    let mut quote: Option<char> = None;
    let mut is_escaped = false;
    for c in search.chars() {
        let is_plain = quote.is_none() && !is_escaped;
        match c {
            '|' if is_plain && depth == 0 => {
                stages.push(String::new());
                continue;
            }
            '[' if is_plain => depth += 1,
            ']' if is_plain => depth = depth.saturating_sub(1),
            '"' | '`' if is_plain => quote = Some(c),
            _ if quote == Some(c) && !is_escaped => quote = None,
            _ => {}
        }
        is_escaped = c == '\\' && !is_escaped;
        if let Some(stage) = stages.last_mut() {
            stage.push(c);
        }
    }
    stages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_stand_on_lines_of_their_own() {
        let search = "a=1 [search b=2 | fields c] | stats count by x | where count>3 AND y=\"|\"";
        let expected =
            "a=1 [search b=2 | fields c]\n| stats count by x\n| where count>3 AND y=\"|\"";
        assert_eq!(one_command_a_line(search), expected);
        assert_eq!(one_command_a_line("| makeresults"), "| makeresults");
        assert_eq!(one_command_a_line("`m(\"|\")` x|`f`"), "`m(\"|\")` x\n| `f`");
    }
}
