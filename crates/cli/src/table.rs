//! Prints rows whose columns are known: as many columns as the screen has room for.

use anyhow::{Context, Result};
use spilltrail_event::{Field, Kind};
use spilltrail_search::rows::Row;

use crate::arguments::Format;
use crate::output::{CANNOT_WRITE, RowWriter, default_format, is_broken_pipe};
use crate::{report, screen};

/// Number of columns that a table has at least, on however narrow a screen.
const LEAST_COLUMNS: usize = 3;

/// Prints rows with these columns. On a narrow screen, the last ones are left out of a table, which is told.
/// Returns false if the reader of a pipe has closed it.
///
/// # Errors
/// Fails if the rows cannot be written.
pub(crate) fn print(all: &[&str], rows: &[Row], format: Option<Format>) -> Result<bool> {
    let format = format.unwrap_or_else(default_format);
    let columns = if format == Format::Table { columns_that_fit(all, rows) } else { all };
    let fields: Vec<Field> = columns.iter().map(|name| Field::new(*name, Kind::Text)).collect();
    let mut writer = RowWriter::new(Some(format), &fields);
    match rows.iter().try_for_each(|row| writer.write(row)).and_then(|()| writer.finish()) {
        // For example `… | head`; this is not a failure.
        Err(error) if is_broken_pipe(&error) => return Ok(false),
        printed => printed.context(CANNOT_WRITE)?,
    }
    let hidden = &all[columns.len()..];
    if !hidden.is_empty() && !rows.is_empty() {
        let noun = if hidden.len() == 1 { "column" } else { "columns" };
        report::line(format_args!(
            "note: the screen is too narrow for the {noun} {}; `--format csv` has all",
            hidden.join(", ")
        ));
    }
    Ok(true)
}

/// Returns the first columns that fit the screen beside each other; all if not even the least do.
fn columns_that_fit<'a>(all: &'a [&'a str], rows: &[Row]) -> &'a [&'a str] {
    let fit = |count: &usize| {
        let columns: Vec<String> = all[..*count].iter().map(|name| (*name).to_owned()).collect();
        screen::fits(&columns, rows, screen::width())
    };
    let least = LEAST_COLUMNS.min(all.len());
    let count = (least..=all.len()).rev().find(fit).unwrap_or(all.len());
    &all[..count]
}
