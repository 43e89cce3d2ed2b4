//! Writes the rows of a Parquet file as JSON.
//!
//! Nulls are left out, and so are structs of nothing but nulls. A list or map that is empty stays.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Decimal256Type, DecimalType, Float16Type, Float32Type, Float64Type,
    Int8Type, Int16Type, Int32Type, Int64Type, Time32MillisecondType, Time32SecondType,
    Time64MicrosecondType, Time64NanosecondType, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::csv::{self, Kind};
use crate::members::Members;
use crate::record::MAX_RECORD;
use crate::split::scan::is_valid;
use crate::time;

/// How a scalar value of bytes is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leaf {
    /// As text; bytes that are not UTF-8 are replaced and reported.
    Text,
    /// As text if it is UTF-8, else in base64.
    Bytes,
    Uuid,
}

/// How values of a type are written.
#[derive(Debug)]
pub(super) enum Shape {
    Leaf(Leaf),
    /// A value in a document of CloudTrail: texts that are JSON objects or arrays stand for these.
    DocumentLeaf(Leaf),
    Struct(Vec<(String, Shape)>),
    List(Box<Shape>),
    /// A map, or a list of pairs: an object.
    Map(Box<Shape>, Box<Shape>),
}

impl Default for Shape {
    fn default() -> Self {
        Self::Leaf(Leaf::Bytes)
    }
}

/// A column of a table.
#[derive(Debug)]
pub(super) struct Column {
    column: csv::Column,
    /// The key with its quotes and colon, if the value stands directly under it.
    key: Option<String>,
    shape: Shape,
}

impl Column {
    pub(super) fn new(column: csv::Column, shape: Shape) -> Self {
        let key = match column.path.as_slice() {
            [key] => {
                let mut text = String::new();
                push_quoted(&mut text, key);
                text.push(':');
                Some(text)
            }
            _ => None,
        };
        Self { column, key, shape }
    }
}

/// Writes rows.
#[derive(Debug)]
pub(super) struct Writer {
    columns: Vec<Column>,
    is_cloudtrail: bool,
}

/// What was noticed about a row.
#[derive(Debug, Default)]
pub(super) struct Remarks {
    pub(super) is_too_large: bool,
    pub(super) has_invalid_utf8: bool,
    /// What could not be read of its cells.
    pub(super) cells: Vec<String>,
}

impl Writer {
    pub(super) fn new(columns: Vec<Column>, is_cloudtrail: bool) -> Self {
        Self { columns, is_cloudtrail }
    }

    /// Appends a row to `text`, with the columns of its batch.
    pub(super) fn write(&mut self, batch: &[ArrayRef], row: usize, text: &mut String) -> Remarks {
        let mut remarks = Remarks::default();
        // A member of another one has to be put among its members.
        let mut members = self.columns.iter().any(|c| c.key.is_none()).then(Members::default);
        let start = text.len();
        text.push('{');
        for (column, array) in self.columns.iter_mut().zip(batch) {
            let before = text.len();
            if before > start + 1 {
                text.push(',');
            }
            let plain = if members.is_none() { column.key.as_deref() } else { None };
            text.push_str(plain.unwrap_or_default());
            let value = text.len();
            let is_there = if self.is_cloudtrail {
                write_member(column, array, row, text, &mut remarks)
            } else {
                write(&column.shape, array, row, text, &mut remarks)
            };
            if let Some(members) = &mut members {
                if is_there {
                    members.insert(&column.column.path, text[value..].to_owned());
                }
                text.truncate(before);
            } else if !is_there {
                text.truncate(before);
            }
            if text.len() - start > MAX_RECORD {
                remarks.is_too_large = true;
            }
            if remarks.is_too_large {
                text.truncate(start);
                return remarks;
            }
        }
        match members {
            Some(members) => {
                text.truncate(start);
                members.write(text);
                remarks.is_too_large = text.len() - start > MAX_RECORD;
            }
            None => text.push('}'),
        }
        remarks
    }
}

/// Writes a member of a CloudTrail record, as its kind of column says.
fn write_member(
    column: &mut Column,
    array: &ArrayRef,
    row: usize,
    text: &mut String,
    remarks: &mut Remarks,
) -> bool {
    let (Shape::Leaf(leaf) | Shape::DocumentLeaf(leaf)) = column.shape else {
        let start = text.len();
        let is_there = write(&column.shape, array, row, text, remarks);
        if column.column.kind == Kind::Document
            && let Some(style) = column.column.style
            && let Some(document) = style.undo(&text[start..])
        {
            text.truncate(start);
            text.push_str(&document);
        }
        return is_there;
    };
    let kind = column.column.kind;
    if array.is_null(row) {
        return false;
    }
    if kind == Kind::Time
        && let Some((seconds, nanos)) = timestamp(array, row)
    {
        push_quoted(text, &time::written(seconds as f64 + f64::from(nanos) / 1e9));
        return true;
    }
    let Some(bytes) = bytes_of(array, row) else {
        // Other tables have numbers and flags where CloudTrail has texts.
        let start = text.len();
        let is_there = write_leaf(leaf, array, row, text, remarks);
        if is_there && matches!(kind, Kind::Text | Kind::Inner) && !text[start..].starts_with('"') {
            text.insert(start, '"');
            text.push('"');
        }
        return is_there;
    };
    let cell = text_of(bytes, leaf, remarks);
    // Most times are written as CloudTrail does already.
    if kind == Kind::Text || (kind == Kind::Time && time::is_usual(&cell)) {
        push_quoted(text, &cell);
        return true;
    }
    match csv::value(&cell, &mut column.column, &mut remarks.cells) {
        Some(json) => text.push_str(&json),
        None => return false,
    }
    true
}

/// Appends a value to `text`; returns false, without any change, if there is none.
fn write(
    shape: &Shape,
    array: &ArrayRef,
    row: usize,
    text: &mut String,
    remarks: &mut Remarks,
) -> bool {
    if array.is_null(row) || remarks.is_too_large {
        return false;
    }
    match shape {
        Shape::Leaf(leaf) => write_leaf(*leaf, array, row, text, remarks),
        Shape::DocumentLeaf(leaf) => match bytes_of(array, row) {
            Some(bytes) => {
                let cell = text_of(bytes, *leaf, remarks);
                let is_nested = cell.starts_with(['{', '[']) && is_valid(cell.as_bytes());
                if is_nested {
                    text.push_str(&cell);
                } else {
                    push_quoted(text, &cell);
                }
                true
            }
            None => write_leaf(*leaf, array, row, text, remarks),
        },
        Shape::Struct(members) => {
            let Some(columns) = array.as_struct_opt() else { return false };
            let start = text.len();
            text.push('{');
            for ((key, shape), column) in members.iter().zip(columns.columns()) {
                let before = text.len();
                if before > start + 1 {
                    text.push(',');
                }
                push_quoted(text, key);
                text.push(':');
                if !write(shape, column, row, text, remarks) {
                    text.truncate(before);
                }
                if is_full(text, remarks) {
                    return false;
                }
            }
            if text.len() == start + 1 {
                text.truncate(start);
                return false;
            }
            text.push('}');
            true
        }
        Shape::List(element) => {
            let Some(list) = array.as_list_opt::<i32>() else { return false };
            let (from, to) = range(list.value_offsets(), row);
            text.push('[');
            for index in from..to {
                if index > from {
                    text.push(',');
                }
                if !write(element, list.values(), index, text, remarks) {
                    // A struct of nulls is no null.
                    let is_struct = matches!(**element, Shape::Struct(_) | Shape::Map(..));
                    let is_empty = is_struct && list.values().is_valid(index);
                    text.push_str(if is_empty { "{}" } else { "null" });
                }
                if is_full(text, remarks) {
                    return false;
                }
            }
            text.push(']');
            true
        }
        Shape::Map(key, value) => write_map([key, value], array, row, text, remarks),
    }
}

fn write_map(
    [key, value]: [&Shape; 2],
    array: &ArrayRef,
    row: usize,
    text: &mut String,
    remarks: &mut Remarks,
) -> bool {
    let (offsets, entries) = match array.data_type() {
        DataType::Map(..) => {
            let map = array.as_map();
            (map.value_offsets(), Some(map.entries()))
        }
        _ => match array.as_list_opt::<i32>() {
            Some(list) => (list.value_offsets(), list.values().as_struct_opt()),
            None => return false,
        },
    };
    let Some(entries) = entries.filter(|entries| entries.num_columns() == 2) else { return false };
    let (from, to) = range(offsets, row);
    let start = text.len();
    text.push('{');
    let mut name = String::new();
    for index in from..to {
        name.clear();
        if !write(key, entries.column(0), index, &mut name, remarks) {
            continue;
        }
        let before = text.len();
        if before > start + 1 {
            text.push(',');
        }
        if name.starts_with('"') {
            text.push_str(&name);
        } else {
            push_quoted(text, &name);
        }
        text.push(':');
        if !write(value, entries.column(1), index, text, remarks) {
            text.truncate(before);
        }
        if is_full(text, remarks) {
            return false;
        }
    }
    text.push('}');
    true
}

/// Notes if a row has become too large; the rest of it is not written.
fn is_full(text: &str, remarks: &mut Remarks) -> bool {
    // The text holds one row.
    remarks.is_too_large |= text.len() > 2 * MAX_RECORD;
    remarks.is_too_large
}

fn range(offsets: &[i32], row: usize) -> (usize, usize) {
    (offsets[row] as usize, offsets[row + 1] as usize)
}

/// Returns the bytes of a value of bytes.
fn bytes_of(array: &ArrayRef, row: usize) -> Option<&[u8]> {
    match array.data_type() {
        DataType::BinaryView => Some(array.as_binary_view().value(row)),
        DataType::FixedSizeBinary(_) => Some(array.as_fixed_size_binary().value(row)),
        _ => None,
    }
}

fn text_of<'a>(bytes: &'a [u8], leaf: Leaf, remarks: &mut Remarks) -> std::borrow::Cow<'a, str> {
    match (std::str::from_utf8(bytes), leaf) {
        (_, Leaf::Uuid) if bytes.len() == 16 => uuid(bytes).into(),
        (Ok(text), _) => text.into(),
        (Err(_), Leaf::Text) => {
            remarks.has_invalid_utf8 = true;
            String::from_utf8_lossy(bytes)
        }
        (Err(_), Leaf::Bytes | Leaf::Uuid) => STANDARD.encode(bytes).into(),
    }
}

fn uuid(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

fn write_leaf(
    leaf: Leaf,
    array: &ArrayRef,
    row: usize,
    text: &mut String,
    remarks: &mut Remarks,
) -> bool {
    if let Some(bytes) = bytes_of(array, row) {
        push_quoted(text, &text_of(bytes, leaf, remarks));
        return true;
    }
    if let Some((seconds, nanos)) = timestamp(array, row) {
        push_quoted(text, &iso(seconds, nanos));
        return true;
    }
    macro_rules! integer {
        ($kind:ty) => {
            array.as_primitive::<$kind>().value(row).to_string()
        };
    }
    let json = match array.data_type() {
        DataType::Boolean => array.as_boolean().value(row).to_string(),
        DataType::Int8 => integer!(Int8Type),
        DataType::Int16 => integer!(Int16Type),
        DataType::Int32 => integer!(Int32Type),
        DataType::Int64 => integer!(Int64Type),
        DataType::UInt8 => integer!(UInt8Type),
        DataType::UInt16 => integer!(UInt16Type),
        DataType::UInt32 => integer!(UInt32Type),
        DataType::UInt64 => integer!(UInt64Type),
        DataType::Float16 => float(&array.as_primitive::<Float16Type>().value(row).to_f32()),
        DataType::Float32 => float(&array.as_primitive::<Float32Type>().value(row)),
        DataType::Float64 => float(&array.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(precision, scale) => {
            let value = array.as_primitive::<Decimal128Type>().value(row);
            Decimal128Type::format_decimal(value, *precision, *scale)
        }
        DataType::Decimal256(precision, scale) => {
            let value = array.as_primitive::<Decimal256Type>().value(row);
            Decimal256Type::format_decimal(value, *precision, *scale)
        }
        DataType::Date32 => {
            let days = i64::from(array.as_primitive::<Date32Type>().value(row));
            let (date, _) = date_and_clock(days * 86_400);
            format!("\"{date}\"")
        }
        DataType::Time32(_) | DataType::Time64(_) => {
            let (seconds, nanos) = clock(array, row);
            let text = iso(seconds, nanos);
            format!("\"{}\"", text.split_once('T').map_or("", |(_, c)| c.trim_end_matches('Z')))
        }
        // Nothing else comes out of a file whose embedded schema of Arrow is not used.
        _ => return false,
    };
    // What is no number in JSON, such as infinity, is a text.
    if is_valid(json.as_bytes()) {
        text.push_str(&json);
    } else {
        push_quoted(text, &json);
    }
    true
}

/// Returns the shortest text of a floating-point number that is not another one's.
fn float<T: serde::Serialize + std::fmt::Display>(value: &T) -> String {
    match serde_json::to_string(value) {
        Ok(text) if text != "null" => text,
        _ => value.to_string(),
    }
}

fn clock(array: &ArrayRef, row: usize) -> (i64, u32) {
    match array.data_type() {
        DataType::Time32(TimeUnit::Second) => {
            (i64::from(array.as_primitive::<Time32SecondType>().value(row)), 0)
        }
        DataType::Time32(_) => {
            split(i64::from(array.as_primitive::<Time32MillisecondType>().value(row)), 1_000)
        }
        DataType::Time64(TimeUnit::Nanosecond) => {
            split(array.as_primitive::<Time64NanosecondType>().value(row), 1_000_000_000)
        }
        _ => split(array.as_primitive::<Time64MicrosecondType>().value(row), 1_000_000),
    }
}

/// Returns the seconds since 1970 of a timestamp, and the nanoseconds after them.
fn timestamp(array: &ArrayRef, row: usize) -> Option<(i64, u32)> {
    let DataType::Timestamp(unit, _) = array.data_type() else { return None };
    Some(match unit {
        TimeUnit::Second => (array.as_primitive::<TimestampSecondType>().value(row), 0),
        TimeUnit::Millisecond => {
            split(array.as_primitive::<TimestampMillisecondType>().value(row), 1_000)
        }
        TimeUnit::Microsecond => {
            split(array.as_primitive::<TimestampMicrosecondType>().value(row), 1_000_000)
        }
        TimeUnit::Nanosecond => {
            split(array.as_primitive::<TimestampNanosecondType>().value(row), 1_000_000_000)
        }
    })
}

/// Splits a number of fractions of a second, of which so many make one.
fn split(value: i64, unit: i64) -> (i64, u32) {
    (value.div_euclid(unit), (value.rem_euclid(unit) * (1_000_000_000 / unit)) as u32)
}

/// Returns the date and the time of day of a time in whole seconds.
fn date_and_clock(seconds: i64) -> (String, String) {
    let text = time::written(seconds as f64);
    let (date, clock) = text.split_once('T').unwrap_or((&text, ""));
    (date.to_owned(), clock.trim_end_matches('Z').to_owned())
}

/// Returns a time in ISO 8601 with as many digits of a fraction as it has.
fn iso(seconds: i64, nanos: u32) -> String {
    let (date, clock) = date_and_clock(seconds);
    if nanos == 0 {
        return format!("{date}T{clock}Z");
    }
    let fraction = format!("{nanos:09}");
    format!("{date}T{clock}.{}Z", fraction.trim_end_matches('0'))
}

/// Appends a text as a JSON string.
fn push_quoted(text: &mut String, value: &str) {
    let is_plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
    if value.bytes().all(is_plain) {
        text.push('"');
        text.push_str(value);
        text.push('"');
    } else {
        text.push_str(&crate::members::quoted(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (value, unit, expected) in [
            (0, 1_000, "1970-01-01T00:00:00Z"),
            (1_773_741_600_250, 1_000, "2026-03-17T10:00:00.25Z"),
            (-1, 1_000_000, "1969-12-31T23:59:59.999999Z"),
            (1_773_741_600_000_000_007, 1_000_000_000, "2026-03-17T10:00:00.000000007Z"),
        ] {
            let (seconds, nanos) = split(value, unit);
            assert_eq!(iso(seconds, nanos), expected);
        }
    }
}
