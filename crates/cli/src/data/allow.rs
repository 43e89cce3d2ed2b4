//! The `allow` command: what is known to be harmless, while a server runs.

use std::process::ExitCode;

use anyhow::{Result, bail};
use spilltrail_app::Content;
use spilltrail_event::Value;
use spilltrail_search::rows::Row;
use spilltrail_store::{AllowCondition, AllowEntry, AllowRule};

use super::{desk, moment, now, reader, row, shown, who};
use crate::arguments::{AllowAddOptions, AllowCommand, AllowListOptions, AllowRemoveOptions};
use crate::hunt::allowed;
use crate::report::{self, Detail};
use crate::table;

const COLUMNS: &[&str] = &[
    "id",
    "detection",
    "conditions",
    "hits",
    "owner",
    "reason",
    "starts",
    "expires",
    "last_hit",
    "created",
    "state",
];

pub(crate) fn run(command: &AllowCommand) -> Result<ExitCode> {
    match command {
        AllowCommand::List(options) => list(options),
        AllowCommand::Add(options) => add(options),
        AllowCommand::Remove(options) => remove(options),
    }
}

fn list(options: &AllowListOptions) -> Result<ExitCode> {
    let reader = reader(&options.data.folder()?)?;
    let entries = reader.allow_list(options.removed)?;
    let rows: Vec<Row> = entries.iter().map(of).collect();
    table::print(COLUMNS, &rows, options.format)?;
    if rows.is_empty() {
        report::line(format_args!(
            "note: nothing is allowed here; entries of the configuration file are not in this list"
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn of(entry: &AllowEntry) -> Row {
    let AllowEntry { rule, .. } = entry;
    let now = now();
    let state = match (entry.removed, rule.starts) {
        (Some(removed), _) => format!("removed {removed}"),
        _ if !entry.is_enabled => "off".to_owned(),
        _ if entry.is_active(now) => "active".to_owned(),
        (None, Some(starts)) if now < starts => "starts later".to_owned(),
        _ => "over".to_owned(),
    };
    let conditions = rule.conditions.iter().map(|AllowCondition { field, value }| {
        // Quotes show where a value ends.
        format!("{field}=\"{value}\"")
    });
    let time = |time: Option<spilltrail_schedule::Moment>| time.map_or(Value::Null, shown);
    let text = |text: &str| Value::text(text.to_owned());
    let values = [
        Value::Number(entry.id as f64),
        text(&rule.detection),
        Value::text(conditions.collect::<Vec<_>>().join(" ")),
        Value::Number(entry.hits as f64),
        text(&rule.owner),
        text(&rule.reason),
        time(rule.starts),
        time(rule.expires),
        time(entry.last_hit),
        shown(entry.created),
        Value::text(state),
    ];
    row(COLUMNS, values)
}

fn add(options: &AllowAddOptions) -> Result<ExitCode> {
    let time =
        |name, text: &Option<String>| text.as_deref().map(|text| moment(name, text)).transpose();
    let AllowAddOptions { field, value, .. } = options;
    let first = AllowCondition { field: field.clone(), value: value.clone() };
    let others = options.and.iter().map(|text| condition(text));
    let rule = AllowRule {
        detection: options.detection.clone(),
        conditions: std::iter::once(Ok(first)).chain(others).collect::<Result<_>>()?,
        owner: who(options.owner.as_deref()),
        reason: options.reason.clone(),
        starts: time("starts", &options.starts)?,
        expires: time("expires", &options.expires)?,
    };
    rule.check(now())?;
    let id = desk(&options.data.folder()?)?.add_allow(&rule, now())?;
    match rule.starts.filter(|starts| *starts > now()) {
        Some(starts) => {
            report::line(format_args!("note: entry {id} hides findings of {starts} and later"));
        }
        None => report::line(format_args!("note: entry {id} hides findings from the next run on")),
    }
    // Content that cannot be loaded is left to the commands that use it.
    if let Ok(content) = Content::load(&options.content.of_server()) {
        allowed::doubts(&[spilltrail_app::allow_entry_of(id, rule)], &content, Detail::Full);
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads a condition written as `FIELD=VALUE`.
fn condition(text: &str) -> Result<AllowCondition> {
    match text.split_once('=') {
        Some((field, value)) => {
            Ok(AllowCondition { field: field.to_owned(), value: value.to_owned() })
        }
        None => bail!("`--and {text}` is no condition: write `--and FIELD=VALUE`"),
    }
}

fn remove(options: &AllowRemoveOptions) -> Result<ExitCode> {
    desk(&options.data.folder()?)?.remove_allow(options.id, now())?;
    report::line(format_args!("note: entry {} hides nothing any more", options.id));
    Ok(ExitCode::SUCCESS)
}
