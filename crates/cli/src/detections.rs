//! The `detections` command: lists the detections, or shows one of them.

use std::fmt::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use spilltrail_content::{ContentSet, Detection, Risk};
use spilltrail_event::{Field, Kind, Value};
use spilltrail_search::rows::Row;
use spilltrail_spl::expand_macros;

use crate::arguments::{DetectionsCommand, DetectionsListOptions, DetectionsShowOptions};
use crate::output::{self, CANNOT_WRITE, RowWriter, printable};
use crate::{content, status};

const COLUMNS: &[&str] = &["name", "type", "risk_score", "techniques", "stories", "status", "id"];

pub(crate) fn run(command: &DetectionsCommand) -> Result<ExitCode> {
    match command {
        DetectionsCommand::List(options) => list(options),
        DetectionsCommand::Show(options) => show(options),
    }
}

fn list(options: &DetectionsListOptions) -> Result<ExitCode> {
    let content = content::load_for_review(&options.content)?;
    let fields: Vec<Field> = COLUMNS.iter().map(|name| Field::new(*name, Kind::Text)).collect();
    let mut writer = RowWriter::new(options.format, &fields);
    let mut detections: Vec<&Detection> = content.set.detections.iter().collect();
    detections.sort_by(|a, b| a.name.cmp(&b.name));
    for detection in detections {
        writer.write(&row(detection)).context(CANNOT_WRITE)?;
    }
    writer.finish().context(CANNOT_WRITE)?;
    Ok(status::of_content(&content))
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
    let content = content::load_for_review(&options.content)?;
    let detection = content.detection(&options.name)?;
    let text = describe(detection, &content.set);
    output::print(&printable(&text))?;
    Ok(status::of_content(&content))
}

/// Returns the full description of a detection as text.
fn describe(detection: &Detection, set: &ContentSet) -> String {
    let mut text = format!("{}\n", detection.name);
    facts(&mut text, detection);
    section(&mut text, "Description", detection.description.trim());
    section(&mut text, "Search", &one_command_a_line(&detection.search));
    let (expansion, problems) = expand_macros(&detection.search, &set.macros);
    if problems.is_empty() && expansion.text != detection.search {
        section(&mut text, "Search with its macros expanded", &one_command_a_line(&expansion.text));
    }
    for problem in &problems {
        section(&mut text, "Macros", &problem.message);
    }
    outcome(&mut text, detection, set);
    for drilldown in &detection.drilldowns {
        section(&mut text, &format!("Drilldown: {}", drilldown.name), drilldown.search.trim());
    }
    section(&mut text, "Known false positives", detection.known_false_positives.trim());
    section(&mut text, "How to implement", detection.how_to_implement.trim());
    section(&mut text, "References", &detection.references.join("\n"));
    text
}

fn facts(text: &mut String, detection: &Detection) {
    let from = match &detection.root {
        Some(_) => detection.path.display().to_string(),
        None => "built in".to_owned(),
    };
    let changed = detection.modified.clone().or_else(|| detection.created.clone());
    let facts = [
        ("id", detection.id.clone()),
        ("type", detection.detection_type.to_string()),
        ("status", detection.status.to_string()),
        ("version", detection.version.to_string()),
        ("date", changed.unwrap_or_default()),
        ("author", detection.author.clone()),
        ("techniques", detection.mitre_attack_id.join(", ")),
        ("kill chain", detection.kill_chain_phases.join(", ")),
        ("stories", detection.analytic_story.join(", ")),
        ("asset", detection.asset_type.clone()),
        ("domain", detection.security_domain.clone()),
        ("data", detection.data_source.join(", ")),
        ("from", from),
    ];
    for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(text, "  {name:<12}{value}");
    }
}

fn outcome(text: &mut String, detection: &Detection, set: &ContentSet) {
    let outcome = detection.outcome(&set.deployments);
    let mut lines = Vec::new();
    if let Some(risk) = &detection.risk {
        lines.push(format!("message: {}", risk.message));
        for object in &risk.risk_objects {
            lines.push(format!(
                "risk {} to {} ({})",
                object.score, object.field, object.object_type
            ));
        }
        for object in &risk.threat_objects {
            lines.push(format!("threat {} ({})", object.field, object.object_type));
        }
    }
    let becomes = match (outcome.notable, outcome.risk) {
        (true, true) => "each result is a notable and raises risk",
        (true, false) => "each result is a notable",
        (false, true) => "each result raises risk",
        (false, false) => "results raise neither a notable nor risk",
    };
    lines.push(becomes.to_owned());
    section(text, "Findings", &lines.join("\n"));
}

fn section(text: &mut String, title: &str, body: &str) {
    if body.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{title}");
    for line in body.lines() {
        let _ = writeln!(text, "  {}", line.trim_end());
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
