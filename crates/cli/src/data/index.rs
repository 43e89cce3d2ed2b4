//! The `index` command: the indexes of a lake, and how much is in each.

use std::process::ExitCode;

use anyhow::Result;
use spilltrail_app::{IndexUse, index_sizes};
use spilltrail_event::Value;
use spilltrail_search::rows::Row;

use super::{row, shown_seconds};
use crate::arguments::IndexOptions;
use crate::{report, table};

const COLUMNS: &[&str] = &["index", "events", "waiting", "bytes", "files", "first", "last"];

pub(crate) async fn run(options: IndexOptions) -> Result<ExitCode> {
    let sizes = index_sizes(options.data.folder()?.path()).await?;
    let of = |(name, size): &(String, IndexUse)| -> Row {
        let number = |number: u64| Value::Number(number as f64);
        let time = |time: Option<f64>| time.map_or(Value::Null, shown_seconds);
        let values = [
            Value::text(name.clone()),
            number(size.events),
            number(size.waiting),
            number(size.bytes),
            number(size.files),
            time(size.first),
            time(size.last),
        ];
        row(COLUMNS, values)
    };
    let rows: Vec<Row> = sizes.into_iter().map(|entry| of(&entry)).collect();
    table::print(COLUMNS, &rows, options.format)?;
    if rows.is_empty() {
        report::line(format_args!("note: there are no events yet"));
    }
    Ok(ExitCode::SUCCESS)
}
