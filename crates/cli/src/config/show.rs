//! The `config` command: prints the settings in force, and where each comes from.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Value, json};
use spilltrail_app::{AllowCondition, AllowEntry, AllowedValues, Content};
use spilltrail_diagnostic::visible;

use super::{Setting, Settings};
use crate::arguments::{ConfigOptions, Format, ShowFormat};
use crate::hunt::allowed;
use crate::lines::{measure, pad, wrap};
use crate::output::{self, default_format};
use crate::report::Detail;
use crate::screen;

/// The origin of a setting that nothing sets.
const DEFAULT: &str = "default";

/// Width of the longest key without macros.
const KEY: usize = 12;

/// Indentation of what goes on below a line.
const INDENT: usize = 4;

/// A key, its value and its origin, for printing.
struct Line {
    key: String,
    value: Value,
    origin: String,
}

/// Prints the settings in force, given the flags of the command.
pub(crate) fn run(settings: &Settings, options: &ConfigOptions) -> Result<ExitCode> {
    let lines = lines(settings, options);
    let format = options.format.unwrap_or_else(|| match default_format() {
        Format::Table => ShowFormat::Text,
        _ => ShowFormat::Json,
    });
    let text = match format {
        ShowFormat::Text => text(settings, &lines, screen::width()),
        ShowFormat::Json => format!("{}\n", json_of(settings, &lines)),
    };
    output::print(&text)?;
    doubts(settings, options);
    Ok(ExitCode::SUCCESS)
}

/// Warns of entries of the allow-list that can hide nothing. Content that cannot be loaded is left to
/// the commands that use it.
fn doubts(settings: &Settings, options: &ConfigOptions) {
    if settings.allow.is_empty() {
        return;
    }
    let mut content = options.content.clone();
    settings.apply_to_content(&mut content);
    if let Ok(content) = Content::load(&content.content()) {
        allowed::doubts(&settings.allow, &content, Detail::Full);
    }
}

fn lines(settings: &Settings, options: &ConfigOptions) -> Vec<Line> {
    let content = &options.content;
    let folders = (!content.content.is_empty()).then(|| json!(content.content));
    let builtin = content.no_builtin.then(|| json!(false));
    let lookups = options.lookups.as_ref().map(|path| json!(path));
    let limits = &options.limits;
    let mut lines = vec![
        line("content", folders.map(flag("--content")), settings.content.as_ref(), json!([])),
        line("builtin", builtin.map(flag("--no-builtin")), settings.builtin.as_ref(), json!(true)),
        line("lookups", lookups.map(flag("--lookups")), settings.lookups.as_ref(), Value::Null),
        line(
            "memory_limit",
            limits.memory_limit.map(|value| json!(value)).map(flag("--memory-limit")),
            settings.memory_limit.as_ref(),
            Value::Null,
        ),
        line(
            "threads",
            limits.threads.map(|value| json!(value)).map(flag("--threads")),
            settings.threads.as_ref(),
            Value::Null,
        ),
    ];
    let from_flags = content.macros.iter().map(|text| (text, "--macro".to_owned()));
    let of_settings =
        settings.macros.iter().map(|setting| (&setting.value, setting.origin.clone()));
    for (text, origin) in of_settings.chain(from_flags) {
        let (name, definition) = text.split_once('=').unwrap_or((text, ""));
        let key = format!("macros.{name}");
        lines.retain(|line| line.key != key);
        lines.push(Line { key, value: json!(definition), origin });
    }
    lines.extend(settings.levels.iter().map(|setting| Line {
        key: format!("levels.{}", setting.value.0),
        value: json!(setting.value.1.to_string()),
        origin: setting.origin.clone(),
    }));
    lines
}

fn flag(name: &'static str) -> impl Fn(Value) -> (Value, String) {
    move |value| (value, name.to_owned())
}

fn line<T: serde::Serialize>(
    key: &str,
    flag: Option<(Value, String)>,
    setting: Option<&Setting<T>>,
    default: Value,
) -> Line {
    let set = setting.map(|setting| (json!(setting.value), setting.origin.clone()));
    let (value, origin) = flag.or(set).unwrap_or_else(|| (default, DEFAULT.to_owned()));
    Line { key: key.to_owned(), value, origin }
}

fn text(settings: &Settings, lines: &[Line], width: usize) -> String {
    let mut text = match &settings.file {
        Some(path) => format!("Configuration file: {}\n", visible(&path.display().to_string())),
        None => "No configuration file\n".to_owned(),
    };
    let shown: Vec<[String; 3]> = lines
        .iter()
        .map(|line| {
            let value = if line.value.is_null() { "-".to_owned() } else { line.value.to_string() };
            [&*line.key, &*value, &*line.origin].map(|part| visible(part).into_owned())
        })
        .collect();
    // A long value has its origin below it, and does not move those of the others.
    let fits = |[key, value, origin]: &&[String; 3]| {
        measure(key).max(KEY) + measure(value) + measure(origin) + 4 <= width
    };
    let longest = |column: usize| {
        shown.iter().filter(fits).map(|cells| measure(&cells[column])).max().unwrap_or_default()
    };
    let (keys, values) = (longest(0), longest(1));
    for cells in &shown {
        let [key, value, origin] = cells;
        let line = format!("{}  {}  {origin}", pad(key, keys), pad(value, values));
        if fits(&cells) && measure(&line) <= width {
            let _ = writeln!(text, "{line}");
        } else {
            entry(&mut text, &format!("{key}  {value}"), origin, width);
        }
    }
    for allowed in &settings.allow {
        let AllowEntry { detection, conditions, owner, reason, expires, origin } = allowed;
        let conditions: Vec<String> = conditions.iter().map(condition).collect();
        let conditions = conditions.join(" and ");
        let until = expires.map(|date| format!(", until {date}")).unwrap_or_default();
        let what = format!("allow `{detection}` if {conditions}{until}: {reason} (owner {owner})");
        entry(&mut text, &visible(&what), &visible(origin), width);
    }
    text
}

fn condition(condition: &AllowCondition) -> String {
    let field = &condition.field;
    match &condition.values {
        AllowedValues::Exact(value) => format!("`{field}` is `{value}`"),
        AllowedValues::Pattern(pattern) => format!("`{field}` matches `{pattern}`"),
        AllowedValues::Network(network) => format!("`{field}` is in {network}"),
    }
}

/// Adds a text with its origin, wrapped and indented below the first line.
fn entry(text: &mut String, what: &str, origin: &str, width: usize) {
    for (line, margin) in wrap(what, width - INDENT).iter().zip(margins()) {
        let _ = writeln!(text, "{margin}{line}");
    }
    for line in wrap(origin, width - INDENT) {
        let _ = writeln!(text, "{}{line}", " ".repeat(INDENT));
    }
}

/// Returns the margins of the lines of an entry.
fn margins() -> impl Iterator<Item = String> {
    std::iter::once(String::new()).chain(std::iter::repeat(" ".repeat(INDENT)))
}

fn json_of(settings: &Settings, lines: &[Line]) -> Value {
    let keys: serde_json::Map<String, Value> = lines
        .iter()
        .map(|line| (line.key.clone(), json!({ "value": line.value, "from": line.origin })))
        .collect();
    let allow: Vec<Value> = settings.allow.iter().map(allow_json).collect();
    json!({ "file": settings.file, "settings": keys, "allow": allow })
}

fn allow_json(entry: &AllowEntry) -> Value {
    json!({
        "detection": entry.detection,
        "conditions": entry.conditions.iter().map(condition_json).collect::<Vec<_>>(),
        "owner": entry.owner,
        "reason": entry.reason,
        "expires": entry.expires.map(|date| date.to_string()),
        "from": entry.origin,
    })
}

fn condition_json(condition: &AllowCondition) -> Value {
    let (kind, values) = match &condition.values {
        AllowedValues::Exact(value) => ("value", value.clone()),
        AllowedValues::Pattern(pattern) => ("pattern", pattern.clone()),
        AllowedValues::Network(network) => ("cidr", network.to_string()),
    };
    json!({ "field": condition.field, kind: values })
}
