//! The `fields` command: lists the fields that the events of logs have.

use std::fmt::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use spilltrail_app::{AppError, CancellationToken, FieldList, FieldUse};
use spilltrail_diagnostic::visible;
use spilltrail_event::fields::TIME;
use spilltrail_spl::time::strftime;

use crate::arguments::{FieldsOptions, Format};
use crate::lines::{cut, measure, pad, wrap};
use crate::output::{self, CANNOT_WRITE, csv_line, default_format};
use crate::report::{counted, separated};
use crate::screen;
use crate::{content, explain, json as lines, report, status};

/// Number of values that are named for each field.
const TOP: usize = 10;

const COLUMNS: [&str; 4] = ["field", "events", "values", "top"];

pub(crate) async fn run(options: FieldsOptions, cancel: CancellationToken) -> Result<ExitCode> {
    let content = content::load(&options.shared.content)?;
    let asked = options.search(cancel);
    let list = match spilltrail_app::fields(&content, &asked, TOP).await {
        Ok(list) => list,
        Err(error) => {
            if let AppError::Search { diagnostics } = &error {
                report::diagnostics(diagnostics, "<search>", &options.search);
                return Ok(status::of_error(&error));
            }
            return Err(error.into());
        }
    };
    let zone = asked.run.time.time_zone()?;
    match print(&list, options.format.unwrap_or_else(default_format), &zone) {
        // The reader of the pipe closed it, for example `… | head`; this is not a failure.
        Err(error) if output::is_broken_pipe(error.as_ref()) => {}
        printed => printed?,
    }
    report::diagnostics(&list.messages, "<search>", list.search.text());
    let found = explain::Found { is_empty: list.events == 0, misses_values: false };
    let mut printed = explain::Printed { origin: "<search>", text: list.search.text() };
    explain::explain(&list.search, found, &zone, &mut printed).await?;
    let is_cut = report::limits_met() || report::may_lack_rows(&list.messages);
    if let Some(read) = list.search.read() {
        report::unwrapped(&read.unwrapped);
    }
    let unread = list.search.unread();
    report::unread(&unread, report::Detail::Counted);
    Ok(status::of_search(&content, &unread, is_cut))
}

fn print(list: &FieldList, format: Format, zone: &TimeZone) -> Result<()> {
    let text = match format {
        Format::Table => table(list, screen::width(), zone),
        Format::Csv => csv(list).context(CANNOT_WRITE)?,
        Format::Json => {
            let fields: Vec<Value> = list.fields.iter().map(object).collect();
            lines::text(&fields)?
        }
        Format::Ndjson => {
            let mut text = String::new();
            for field in &list.fields {
                text.push_str(&lines::text(&object(field))?);
            }
            text
        }
    };
    output::print(&text)
}

/// Returns a field as an object for programs. `values` is null if there are too many to count.
fn object(field: &FieldUse) -> Value {
    let top: Vec<Value> = field
        .top
        .iter()
        .map(|(value, events)| json!({ "value": value, "events": events }))
        .collect();
    json!({
        "field": field.name,
        "events": field.events,
        "values": field.values,
        "top": top,
    })
}

fn csv(list: &FieldList) -> std::io::Result<String> {
    let mut text = csv_line(COLUMNS.into_iter())?;
    for field in &list.fields {
        let cells = [
            field.name.clone(),
            field.events.to_string(),
            field.values.map(|values| values.to_string()).unwrap_or_default(),
            field.top.iter().map(|(value, _)| value.as_str()).collect::<Vec<_>>().join("; "),
        ];
        // A name or value is part of a list here, and a line end in it would be misleading.
        text.push_str(&csv_line(cells.iter().map(String::as_str))?);
    }
    Ok(text)
}

/// Returns the fields one a line: name, number of events, number of values, and as many of the most
/// frequent values as fit.
fn table(list: &FieldList, width: usize, zone: &TimeZone) -> String {
    let names: Vec<String> =
        list.fields.iter().map(|field| visible(&field.name).into_owned()).collect();
    let longest = names.iter().map(|name| measure(name)).max().unwrap_or_default();
    let start = longest.clamp(COLUMNS[0].len(), width * 2 / 5);
    let digits = separated(list.events).len().max(COLUMNS[1].len());
    let mut text =
        format!("{:start$}  {:>digits$}  {:>6}  most frequent\n", "field", "events", "values");
    let left = width.saturating_sub(start + digits + 12);
    // What every event has, made from its time or the same for all, stands behind what tells
    // events apart.
    let (plain, made): (Vec<_>, Vec<_>) =
        list.fields.iter().zip(names).partition(|(field, _)| !is_made(&field.name));
    for (field, mut name) in plain.into_iter().chain(made) {
        // A longer name has a line of its own.
        if measure(&name) > start {
            for line in wrap(&name, width) {
                let _ = writeln!(text, "{line}");
            }
            name.clear();
        }
        let events = separated(field.events);
        let values = field.values.map_or_else(|| "many".to_owned(), separated);
        let line = format!(
            "{}  {events:>digits$}  {values:>6}  {}",
            pad(&name, start),
            top(field, left, zone)
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
    let _ = writeln!(
        text,
        "\n{} in {}",
        counted(list.fields.len() as u64, "field"),
        counted(list.events, "event")
    );
    text
}

/// Returns true for a field that follows from the time of an event, or from what kind of event it is.
fn is_made(name: &str) -> bool {
    const NAMES: [&str; 6] =
        ["linecount", "punct", "product", "splunk_server", "timeendpos", "timestartpos"];
    name.starts_with("date_") || name.starts_with("vendor_") || NAMES.contains(&name)
}

/// Returns the most frequent values that fit into a line; the first is cut if it does not.
fn top(field: &FieldUse, width: usize, zone: &TimeZone) -> String {
    let mut text = String::new();
    let shown = |value: &str| match value.parse() {
        Ok(time) if field.name == TIME => strftime(time, "%Y-%m-%d %H:%M:%S %Z", zone),
        _ => visible(value).into_owned(),
    };
    for (value, events) in &field.top {
        let mut shown = shown(value);
        if let Some(events) = events {
            let _ = write!(shown, " ({})", separated(*events));
        }
        let separator = if text.is_empty() { "" } else { ", " };
        if measure(&text) + separator.len() + measure(&shown) > width {
            break;
        }
        text.push_str(separator);
        text.push_str(&shown);
    }
    match field.top.first() {
        Some((value, _)) if text.is_empty() => {
            format!("{}…", cut(&shown(value), width.saturating_sub(1)))
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(top: &[(&str, Option<u64>)]) -> FieldUse {
        let top = top.iter().map(|(value, events)| ((*value).to_owned(), *events)).collect();
        FieldUse { name: "a".to_owned(), events: 3, values: Some(2), top }
    }

    #[test]
    fn what_every_event_has_comes_last() {
        assert!(["date_hour", "vendor_product", "linecount"].into_iter().all(is_made));
        assert!(!["eventName", "_time", "dates", "user"].into_iter().any(is_made));
    }

    #[test]
    fn values_are_named_as_far_as_they_fit() {
        let values = field(&[("GetObject", Some(1200)), ("PutObject", Some(3)), ("x", Some(1))]);
        assert_eq!(top(&values, 80, &TimeZone::UTC), "GetObject (1,200), PutObject (3), x (1)");
        assert_eq!(top(&values, 33, &TimeZone::UTC), "GetObject (1,200), PutObject (3)");
        assert_eq!(top(&values, 10, &TimeZone::UTC), "GetObject…");
        assert_eq!(top(&field(&[("a\nb", None)]), 10, &TimeZone::UTC), "a\\nb");
    }
}
