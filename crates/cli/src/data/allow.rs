//! The `allow` command: what is known to be harmless, while a server runs.

use std::process::ExitCode;

use anyhow::Result;
use spilltrail_app::Content;
use spilltrail_event::Value;
use spilltrail_search::rows::Row;
use spilltrail_store::{AllowEntry, AllowRule};

use super::{desk, moment, now, reader, row, shown, who};
use crate::arguments::{AllowAddOptions, AllowCommand, AllowListOptions, AllowRemoveOptions};
use crate::hunt::allowed;
use crate::report::{self, Detail};
use crate::table;

const COLUMNS: &[&str] = &[
    "id",
    "detection",
    "field",
    "value",
    "hits",
    "owner",
    "reason",
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
    let state = match (entry.removed, entry.is_active(now())) {
        (Some(removed), _) => format!("removed {removed}"),
        (None, true) => "active".to_owned(),
        (None, false) => "over".to_owned(),
    };
    let time = |time: Option<spilltrail_schedule::Moment>| time.map_or(Value::Null, shown);
    let text = |text: &str| Value::text(text.to_owned());
    let values = [
        Value::Number(entry.id as f64),
        text(&rule.detection),
        text(&rule.field),
        text(&rule.value),
        Value::Number(entry.hits as f64),
        text(&rule.owner),
        text(&rule.reason),
        time(rule.expires),
        time(entry.last_hit),
        shown(entry.created),
        Value::text(state),
    ];
    row(COLUMNS, values)
}

fn add(options: &AllowAddOptions) -> Result<ExitCode> {
    let expires = options.expires.as_deref().map(|text| moment("expires", text)).transpose()?;
    let rule = AllowRule {
        detection: options.detection.clone(),
        field: options.field.clone(),
        value: options.value.clone(),
        owner: who(options.owner.as_deref()),
        reason: options.reason.clone(),
        expires,
    };
    rule.check(now())?;
    let id = desk(&options.data.folder()?)?.add_allow(&rule, now())?;
    report::line(format_args!("note: entry {id} hides findings from the next run on"));
    // Content that cannot be loaded is left to the commands that use it.
    if let Ok(content) = Content::load(&options.content.of_server()) {
        allowed::doubts(&[spilltrail_app::allow_entry_of(id, rule)], &content, Detail::Full);
    }
    Ok(ExitCode::SUCCESS)
}

fn remove(options: &AllowRemoveOptions) -> Result<ExitCode> {
    desk(&options.data.folder()?)?.remove_allow(options.id, now())?;
    report::line(format_args!("note: entry {} hides nothing any more", options.id));
    Ok(ExitCode::SUCCESS)
}
