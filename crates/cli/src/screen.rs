//! Lays rows out for a person: in columns if they fit the screen, else field by field.

use std::fmt::Write;

use comfy_table::{
    ColumnConstraint, ContentArrangement, LineStyle, Table, Width, presets::UTF8_HORIZONTAL_ONLY,
};
use indexmap::IndexMap;
use indexmap::map::Entry;
use jiff::tz::TimeZone;
use spilltrail_event::Value;
use spilltrail_event::fields::{RAW, TIME};
use spilltrail_search::rows::Row;
use spilltrail_spl::time::strftime;

use crate::output::printable;

/// Most lines of one value in a record. A raw event alone can take fifty.
const VALUE_LINES: usize = 3;

/// Length up to which a line of a cell is not broken; a time has 23.
const SHORT: usize = 24;

/// Fields from which on a record is taken for a whole event, which has most values several times.
const MANY_FIELDS: usize = 20;

/// Length from which on equal values of an event are shown once. Shorter ones, such as `false`, are
/// equal by chance.
const TELLING: usize = 6;

/// Spaces around a column, besides the one between two.
const PADDING: usize = 2;

/// Line width if neither the terminal nor `COLUMNS` has one.
const WIDTH: usize = 100;

/// Least line width.
const LEAST_WIDTH: usize = 40;

/// Returns the line width of the terminal, or that of `COLUMNS`.
pub(crate) fn width() -> usize {
    let terminal = Table::new().width().map(usize::from);
    let columns = || std::env::var("COLUMNS").ok()?.trim().parse().ok();
    terminal.or_else(columns).unwrap_or(WIDTH).max(LEAST_WIDTH)
}

/// Returns the text of rows with these columns. If they do not fit into `width` without breaking a
/// word, each row is a record of its fields, numbered from `first`, without those it does not have.
pub(crate) fn lay_out(
    columns: &[String],
    rows: &[Row],
    first: u64,
    width: usize,
    zone: &TimeZone,
) -> String {
    match least_widths(columns, rows, width, zone) {
        Some(least) => table(columns, rows, &least, width, zone),
        None => rows
            .iter()
            .zip(first..)
            .map(|(row, number)| record(columns, row, number, width, zone))
            .collect(),
    }
}

/// Returns for each column the length of its longest part that stays on one line; `None` if these do
/// not fit beside each other.
fn least_widths(
    columns: &[String],
    rows: &[Row],
    width: usize,
    zone: &TimeZone,
) -> Option<Vec<usize>> {
    let mut left = width;
    let mut least = Vec::new();
    for name in columns {
        let cells = rows.iter().map(|row| cell(row, name, zone));
        let words = cells.chain([name.clone()]).map(|text| unbroken(&text));
        let column = words.max().unwrap_or_default();
        left = left.checked_sub(column + PADDING + 1)?;
        least.push(column);
    }
    Some(least)
}

/// Returns the length of the longest part of a cell that stays on one line: a short line, or a word.
fn unbroken(text: &str) -> usize {
    let part = |line: &str| match line.chars().count() {
        length if length <= SHORT => length,
        _ => line.split_whitespace().map(|word| word.chars().count()).max().unwrap_or_default(),
    };
    text.lines().map(part).max().unwrap_or_default()
}

fn table(
    columns: &[String],
    rows: &[Row],
    least: &[usize],
    width: usize,
    zone: &TimeZone,
) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none()));
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
    table.set_header(columns.iter().map(|name| printable(name)));
    for row in rows {
        table.add_row(columns.iter().map(|name| cell(row, name, zone)));
    }
    for (column, least) in table.column_iter_mut().zip(least) {
        let least = u16::try_from(least + PADDING).unwrap_or(u16::MAX);
        column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(least)));
    }
    format!("{table}\n")
}

fn record(columns: &[String], row: &Row, number: u64, width: usize, zone: &TimeZone) -> String {
    let title = format!("── {number} ");
    let mut text = format!("{title}{}\n", "─".repeat(width.saturating_sub(title.chars().count())));
    let fields = fields(columns, row, zone);
    let longest = fields.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    // Values begin in one column. A longer name has a line of its own.
    let start = longest.min(width / 3) + PADDING;
    for (name, value) in fields {
        let mut lines = value.split('\n').flat_map(|line| wrap(line, width - start));
        let shown: Vec<String> = lines.by_ref().take(VALUE_LINES).collect();
        let more = lines.count();
        let mut margin = printable(&name);
        if margin.chars().count() + PADDING > start {
            let _ = writeln!(text, "{margin}");
            margin.clear();
        }
        for line in shown {
            let _ = writeln!(text, "{margin:start$}{line}");
            margin.clear();
        }
        if more > 0 {
            let lines = if more == 1 { "line" } else { "lines" };
            let _ = writeln!(text, "{:start$}… {more} more {lines}", "");
        }
    }
    text
}

/// Returns the fields that a row has, with their texts. Of an event, what follows from its time is left
/// out, fields with an equal value are named behind it, and the raw text comes last: it repeats the
/// fields.
fn fields(columns: &[String], row: &Row, zone: &TimeZone) -> Vec<(String, String)> {
    let present = columns.iter().filter(|name| row.contains_key(*name));
    let fields = present.map(|name| (name.clone(), cell(row, name, zone)));
    if row.len() < MANY_FIELDS {
        return fields.collect();
    }
    let mut by_value: IndexMap<String, Vec<String>> = IndexMap::new();
    let (mut shown, mut raw) = (Vec::new(), None);
    for (name, value) in fields {
        match name.as_str() {
            RAW => raw = Some((name, value)),
            "linecount" => {}
            _ if name.starts_with("date_") && row.contains_key(TIME) => {}
            _ if value.chars().count() < TELLING => shown.push((name, value)),
            _ => match by_value.entry(value) {
                Entry::Occupied(mut names) => names.get_mut().push(name),
                Entry::Vacant(names) => {
                    shown.push((name, names.key().clone()));
                    names.insert(Vec::new());
                }
            },
        }
    }
    for (_, value) in &mut shown {
        match by_value.get(value) {
            Some(others) if !others.is_empty() => {
                let others = format!(" (also {})", others.join(", "));
                value.push_str(&others);
            }
            _ => {}
        }
    }
    shown.extend(raw);
    shown
}

/// Returns the text of a field: a time as a time, and the members of a multivalue as lines.
fn cell(row: &Row, name: &str, zone: &TimeZone) -> String {
    match row.get(name) {
        Some(Value::Number(time)) if name == TIME => strftime(*time, "%Y-%m-%d %H:%M:%S %Z", zone),
        Some(value) => printable(&value.members().join("\n")),
        None => String::new(),
    }
}

/// Wraps text at spaces. A word longer than a line is split.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut length = 0;
    for word in text.split(' ') {
        let mut word: Vec<char> = word.chars().collect();
        if length > 0 && length + 1 + word.len() > width {
            lines.push(std::mem::take(&mut line));
            length = 0;
        }
        if length > 0 {
            line.push(' ');
            length += 1;
        }
        while word.len() > width {
            lines.push(word.drain(..width).collect());
        }
        length += word.len();
        line.extend(word);
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(fields: &[(&str, Value<'static>)]) -> Row {
        fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    fn text(width: usize, rows: &[Row]) -> String {
        let columns = ["_time", "user", "arn"].map(str::to_owned);
        lay_out(&columns, rows, 1, width, &TimeZone::UTC)
    }

    fn rows() -> Vec<Row> {
        let time = Value::Number(1_773_741_600.0);
        let arn = "arn:aws:iam::111122223333:user/anna";
        vec![
            row(&[("_time", time), ("user", Value::text("anna")), ("arn", Value::text(arn))]),
            row(&[("user", Value::text("bob\u{1b}[31m"))]),
        ]
    }

    #[test]
    fn columns_that_fit_are_a_table() {
        let text = text(80, &rows());
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        assert!(lines[1].starts_with(" _time "), "{text}");
        assert!(lines[3].contains("2026-03-17 10:00:00 UTC") && lines[3].ends_with("user/anna"));
        assert!(lines[4].contains("bob\u{fffd}[31m"), "no rule between rows: {text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }

    #[test]
    fn columns_that_would_break_a_word_are_records_without_absent_fields() {
        let text = text(45, &rows());
        assert_eq!(
            text,
            "── 1 ────────────────────────────────────────\n\
             _time  2026-03-17 10:00:00 UTC\n\
             user   anna\n\
             arn    arn:aws:iam::111122223333:user/anna\n\
             ── 2 ────────────────────────────────────────\n\
             user  bob\u{fffd}[31m\n"
        );
    }

    #[test]
    fn an_event_has_each_value_once_and_its_text_last() {
        let names = ["_raw", "date_hour", "src", "src_ip", "a", "b"].map(str::to_owned);
        let numbers = (0..15).map(|number| format!("f{number}"));
        let columns: Vec<String> =
            names.into_iter().chain(numbers).chain(["_time".into()]).collect();
        let value = |name: &str| match name {
            "src" | "src_ip" => "192.0.2.14".to_owned(),
            "a" | "b" => "false".to_owned(),
            other => format!("the {other}"),
        };
        let row: Row =
            columns.iter().map(|name| (name.clone(), Value::text(value(name)))).collect();
        let text = lay_out(&columns, &[row], 1, 40, &TimeZone::UTC);
        assert!(text.contains("src    192.0.2.14 (also src_ip)\n"), "{text}");
        assert!(text.contains("a      false\nb      false\n"), "{text}");
        assert!(!text.contains("date_hour") && text.ends_with("_raw   the _raw\n"), "{text}");
    }

    #[test]
    fn a_long_value_of_a_record_is_cut_and_says_so() {
        let long = "word ".repeat(100);
        let text =
            text(40, &[row(&[("arn", Value::text(long)), ("user", Value::text("a".repeat(60)))])]);
        assert!(text.contains("… 12 more lines"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 40), "{text}");
    }
}
