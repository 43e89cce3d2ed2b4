//! The `deliveries` command: what a server sends to its outputs, and what became of it.

use std::process::ExitCode;

use anyhow::{Result, bail};
use spilltrail_event::Value;
use spilltrail_search::rows::Row;
use spilltrail_store::{Delivery, DeliveryFilter, DeliveryState, MOST_DELIVERIES, StoreReader};

use super::{desk, now, optional, reader, row, shown};
use crate::arguments::{DeliveriesCommand, DeliveriesListOptions, DeliveriesRepeatOptions};
use crate::{report, table};

const COLUMNS: &[&str] =
    &["number", "output", "state", "changed", "attempts", "next", "status", "error", "finding"];

pub(crate) fn run(command: &DeliveriesCommand) -> Result<ExitCode> {
    match command {
        DeliveriesCommand::List(options) => list(options),
        DeliveriesCommand::Repeat(options) => repeat(options),
    }
}

fn list(options: &DeliveriesListOptions) -> Result<ExitCode> {
    let reader = reader(&options.data.folder()?)?;
    if let Some(output) = &options.output {
        check(&reader, output)?;
    }
    let finding = options.finding.as_deref().map(|id| reader.resolve(id)).transpose()?;
    let filter = DeliveryFilter {
        output: options.output.clone(),
        state: options.state,
        finding,
        after: None,
    };
    let most = usize::try_from(options.limit).unwrap_or(usize::MAX);
    let (found, more) = all(&reader, filter, most)?;
    let rows: Vec<Row> = found.iter().map(of).collect();
    table::print(COLUMNS, &rows, options.format)?;
    if rows.is_empty() {
        report::line(format_args!("note: there is no such delivery"));
    } else if more {
        report::line(format_args!("note: these are the newest {most}; `--limit` lists more"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns deliveries, the newest first, and whether there are more.
fn all(
    reader: &StoreReader,
    mut filter: DeliveryFilter,
    most: usize,
) -> Result<(Vec<Delivery>, bool)> {
    let mut found: Vec<Delivery> = Vec::new();
    loop {
        let page = reader.deliveries(&filter, (most - found.len()).min(MOST_DELIVERIES))?;
        filter.after = page.rows.last().map(|last| (last.seq, last.output.clone()));
        found.extend(page.rows);
        if !page.more || found.len() >= most {
            return Ok((found, page.more));
        }
    }
}

fn of(delivery: &Delivery) -> Row {
    let is_waiting = delivery.state == DeliveryState::Waiting;
    let values = [
        Value::Number(delivery.seq as f64),
        Value::text(delivery.output.clone()),
        Value::text(delivery.state.name()),
        shown(delivery.changed),
        Value::Number(delivery.attempts.into()),
        if is_waiting { shown(delivery.next) } else { Value::Null },
        delivery.status.map_or(Value::Null, |status| Value::Number(status.into())),
        optional(delivery.error.as_deref()),
        Value::text(delivery.id.clone()),
    ];
    row(COLUMNS, values)
}

fn repeat(options: &DeliveriesRepeatOptions) -> Result<ExitCode> {
    let DeliveriesRepeatOptions { output, numbers, dead, data } = options;
    let mut desk = desk(&data.folder()?)?;
    check(desk.reader(), output)?;
    let mut numbers = numbers.clone();
    if *dead {
        let filter = DeliveryFilter {
            output: Some(output.clone()),
            state: Some(DeliveryState::Dead),
            ..DeliveryFilter::default()
        };
        let (found, _) = all(desk.reader(), filter, usize::MAX)?;
        numbers = found.iter().map(|delivery| delivery.seq).collect();
    }
    numbers.sort_unstable();
    let now = now();
    for number in &numbers {
        desk.repeat(output, *number, now)?;
    }
    match numbers.len() {
        0 => report::line(format_args!("note: no delivery to `{output}` was given up")),
        1 => report::line(format_args!("note: 1 delivery to `{output}` is made again")),
        many => report::line(format_args!("note: {many} deliveries to `{output}` are made again")),
    }
    Ok(ExitCode::SUCCESS)
}

/// Checks that a server has an output with a name.
fn check(reader: &StoreReader, output: &str) -> Result<()> {
    let outputs: Vec<String> = reader.outputs()?.into_iter().map(|(name, _)| name).collect();
    if outputs.iter().any(|name| name == output) {
        return Ok(());
    }
    match outputs.as_slice() {
        [] => bail!("there is no output `{output}`: no server has had any in this data folder"),
        names => bail!("there is no output `{output}`: expected one of {}", names.join(", ")),
    }
}
