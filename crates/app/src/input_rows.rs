//! Reads rows from a file with one JSON object per line.

use std::io::{BufRead, Read};
use std::path::Path;

use spilltrail_event::{Value, fields};
use spilltrail_search::rows::Row;

use crate::error::AppError;
use crate::option_file;

/// The most bytes of rows that are read; all of them are held in memory.
const MAX_BYTES: u64 = 64 << 20;

/// Reads the rows of a file. Numbers keep their original text, and null fields are omitted.
///
/// # Errors
/// Fails if the file cannot be read, is too large, or has a line that is not a JSON object.
pub(crate) fn read(path: &Path) -> Result<Vec<Row>, AppError> {
    let failed = |reason: String| AppError::File { path: path.to_owned(), reason };
    let file = option_file::open(path).map_err(|error| failed(error.to_string()))?;
    let mut rows = Vec::new();
    let mut room = MAX_BYTES;
    for (number, line) in std::io::BufReader::new(file.take(MAX_BYTES + 1)).lines().enumerate() {
        let line = line.map_err(|error| failed(error.to_string()))?;
        room = room.checked_sub(line.len() as u64).ok_or_else(|| {
            let most = MAX_BYTES >> 20;
            failed(format!("it has more than {most} MiB; name it as logs instead of with `--rows`"))
        })?;
        if line.trim().is_empty() {
            continue;
        }
        let row: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&line)
            .map_err(|error| failed(format!("line {}: {error}", number + 1)))?;
        rows.push(row.into_iter().map(|(name, value)| field(name, value)).collect());
    }
    Ok(rows)
}

fn field(name: String, json: serde_json::Value) -> (String, Value<'static>) {
    let value = value(json);
    let value = if name == fields::TIME { time(&value) } else { value };
    (name, value)
}

fn time(value: &Value<'_>) -> Value<'static> {
    let text = value.to_text().unwrap_or_default();
    match spilltrail_event::parse_number(&text) {
        Some(number) => Value::Number(number),
        None => spilltrail_spl::time::resolve(&text, 0.0, &jiff::tz::TimeZone::UTC)
            .ok()
            .flatten()
            .map_or(Value::Null, Value::Number),
    }
}

fn value(json: serde_json::Value) -> Value<'static> {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::String(text) => Value::text(text),
        serde_json::Value::Array(items) => {
            Value::multi(items.into_iter().flat_map(|item| value(item).into_members()).collect())
        }
        scalar => Value::text(scalar.to_string()),
    }
}
