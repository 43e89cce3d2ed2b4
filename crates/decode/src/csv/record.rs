//! Makes the JSON text of an event out of a row.

use super::cells::Cells;
use super::columns::{Column, Columns, Kind, Nulls, unnamed};
use crate::event_view::EventTime;
use crate::json::is_s3_notification;
use crate::members::{Members, quoted};
use crate::nulls::{Spellings, is_null};
use crate::record::Format;
use crate::report::SkipKind;
use crate::split::dress::{FoundEvent, InText, event_of, object_in, respelled, unread_message};
use crate::split::python;
use crate::split::scan::is_valid;
use crate::split::shape::{Shape, outer_keys};
use crate::time;

/// What a row is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Made {
    /// An event, and what could not be read of it.
    Event { text: String, format: Format, remarks: Vec<String> },
    /// Something that is no event.
    Skipped(SkipKind),
}

/// Makes an event of a row; `None` if all of its cells are empty.
pub(super) fn make(columns: &mut Columns, cells: &Cells) -> Option<Made> {
    let mut remarks = Vec::new();
    if let Some(whole) = columns.whole {
        let text = cells.get(whole);
        if let Some(made) = whole_event(&text) {
            return Some(made);
        }
        if text.trim_start().starts_with('{') && !is_valid(text.trim().as_bytes()) {
            let name = columns.columns[whole].path.join(".");
            remarks.push(format!("the event in `{name}` is not valid JSON; kept as fields"));
        }
    } else if !columns.are_cloudtrail {
        // Any other table may have its events in a column of any name.
        let found = (0..columns.len()).find_map(|index| whole_event(&cells.get(index)));
        if found.is_some() {
            return found;
        }
    }
    remarks.extend(columns.odd.take().map(unread_message));
    let mut members = Members::default();
    let spellings = spellings_of(columns, cells);
    for (index, column) in columns.columns.iter_mut().enumerate() {
        let cell = cells.get(index);
        let is_missing = cell.is_empty()
            || match column.nulls {
                Nulls::Kept => false,
                Nulls::OfRow => spellings.are_of(&cell),
                // An empty object is a value of a document.
                Nulls::All => column.kind == Kind::Text && is_null(&cell),
            };
        if is_missing {
            continue;
        }
        if let Some(json) = value(&cell, column, &mut remarks) {
            members.insert(&column.path, json);
        }
    }
    for index in columns.len()..cells.count(columns.len()) {
        members.insert(&[unnamed(index)], quoted(&cells.get(index)));
    }
    if members.is_empty() {
        return None;
    }
    let format = if columns.are_cloudtrail { Format::CloudTrail } else { Format::Csv };
    let mut text = String::new();
    members.write(&mut text);
    Some(Made::Event { text, format, remarks })
}

/// Returns how a row writes what it has no value for.
fn spellings_of(columns: &Columns, cells: &Cells) -> Spellings {
    let mut spellings = Spellings::default();
    for (index, column) in columns.columns.iter().enumerate() {
        if column.nulls == Nulls::All && column.kind != Kind::Document {
            spellings.see(&cells.get(index));
        }
    }
    spellings
}

/// Returns the event that is all of a cell.
fn whole_event(cell: &str) -> Option<Made> {
    let text = cell.trim();
    let bytes = text.as_bytes();
    if bytes.first() != Some(&b'{') || !is_valid(bytes) {
        return None;
    }
    let shape = outer_keys(bytes).shape();
    if let Some(FoundEvent { format, rewritten, unread, .. }) = event_of(shape, bytes) {
        let text = rewritten.unwrap_or_else(|| text.to_owned());
        let remarks = unread.map(unread_message).into_iter().collect();
        return Some(Made::Event { text, format, remarks });
    }
    match shape {
        Shape::CloudTrail if is_s3_notification(bytes) => {
            Some(Made::Skipped(SkipKind::S3Notification))
        }
        Shape::Digest => Some(Made::Skipped(SkipKind::Digest)),
        _ => None,
    }
}

/// Returns a cell as JSON; `None` if it holds no value.
pub(crate) fn value(cell: &str, column: &mut Column, remarks: &mut Vec<String>) -> Option<String> {
    match column.kind {
        Kind::Text => {}
        Kind::Flag => {
            let flag = cell.trim().to_ascii_lowercase();
            if matches!(flag.as_str(), "true" | "false") {
                return Some(flag);
            }
            if is_null(cell) {
                return None;
            }
        }
        Kind::Time => {
            if let Some(epoch) = EventTime::read(cell).epoch {
                return Some(quoted(&time::written(epoch)));
            }
            if is_null(cell) {
                return None;
            }
        }
        Kind::Struct | Kind::Document => return document(cell.trim(), column, remarks),
        Kind::Inner => {
            let json = inner_value(cell, &column.path);
            let json =
                json.map(|json| respelled(&json, Kind::Document, &column.path[0], column.style));
            return Some(json.unwrap_or_else(|| quoted(cell)));
        }
    }
    Some(quoted(cell))
}

/// Returns the list or object that the text of a value inside a document is, as JSON; `None` for any
/// other text.
///
/// CloudTrail has policies as text: these stay text.
pub(crate) fn inner_value(text: &str, path: &[String]) -> Option<String> {
    let text = text.trim();
    if !text.starts_with(['{', '[']) {
        return None;
    }
    if !is_valid(text.as_bytes()) {
        return python::to_json(text);
    }
    let is_policy = text.starts_with('{') && path.last().is_some_and(|key| is_text_of_policy(key));
    (!is_policy).then(|| text.to_owned())
}

/// Returns true for keys such as `policyDocument`, whose values are texts that look like objects.
fn is_text_of_policy(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    key.ends_with("policydocument") || matches!(key.as_str(), "policy" | "policytext" | "statement")
}

/// Returns the value of a column that holds documents.
///
/// A text in brackets that cannot be read stays text and is reported, once for each column: what
/// is inside it cannot be searched by name.
fn document(cell: &str, column: &mut Column, remarks: &mut Vec<String>) -> Option<String> {
    // An empty document is a value.
    let is_json = cell.starts_with(['{', '[']) && is_valid(cell.as_bytes());
    if !is_json && is_null(cell) {
        return None;
    }
    let is_unread = match object_in(cell.into(), column.kind, &column.path[0]) {
        InText::Nothing => return None,
        InText::Json(json) => {
            return Some(respelled(&json, column.kind, &column.path[0], column.style));
        }
        InText::Unread => true,
        InText::Other => false,
    };
    if is_unread && !column.is_reported {
        column.is_reported = true;
        let name = column.path.join(".");
        remarks.push(format!(
            "`{name}` is not JSON, and its parts cannot be told apart for certain; it is kept as \
             text, and so are others like it in this file"
        ));
    }
    Some(quoted(cell))
}
