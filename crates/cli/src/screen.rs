//! Lays rows out for a person: in columns if they fit the screen, else field by field.

use std::borrow::Cow;
use std::fmt::Write;

use comfy_table::{
    CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, Table, Width,
    presets::UTF8_HORIZONTAL_ONLY,
};
use indexmap::IndexMap;
use indexmap::map::Entry;
use jiff::tz::TimeZone;
use spilltrail_diagnostic::{visible, visible_lines};
use spilltrail_event::Value;
use spilltrail_event::fields::{RAW, TIME};
use spilltrail_search::rows::Row;
use spilltrail_spl::time::strftime;
use terminal_size::terminal_size_of;

use crate::bars;
use crate::lines::{measure, pad, wrap};

/// Most lines of one value in a record. A raw event alone can take fifty.
const VALUE_LINES: usize = 3;

/// Length up to which a line of a cell is not broken; a time has 23.
const SHORT: usize = 24;

/// Fields from which on a record is taken for a whole event, which has most values several times.
const MANY_FIELDS: usize = 20;

/// Length from which on equal values of an event are shown once. Shorter ones, such as `false`, are
/// equal by chance.
const TELLING: usize = 6;

/// What a tab of a value is shown as: its own width depends on where it stands.
const TAB: &str = "    ";

/// Spaces around a column, besides the one between two.
const PADDING: usize = 2;

/// Line width if neither the terminal nor `COLUMNS` has one.
const WIDTH: usize = 100;

/// Least line width.
const LEAST_WIDTH: usize = 40;

/// Returns the line width: that of the terminal, or that of `COLUMNS`. With a pager, standard output is
/// a pipe, and the terminal is that of standard error.
pub(crate) fn width() -> usize {
    known_width().unwrap_or(WIDTH)
}

/// Returns the line width for sentences: as [`width`], but a program that reads them gets whole lines.
pub(crate) fn text_width() -> usize {
    known_width().unwrap_or(usize::MAX)
}

/// Returns the width of the terminal that standard error is, if it is one.
pub(crate) fn error_width() -> Option<usize> {
    width_of(terminal_size_of(std::io::stderr())).map(|width| width.max(LEAST_WIDTH))
}

fn known_width() -> Option<usize> {
    width_of(terminal_size_of(std::io::stdout()))
        .or_else(|| std::env::var("COLUMNS").ok()?.trim().parse().ok())
        .or_else(|| width_of(terminal_size_of(std::io::stderr())))
        .map(|width| width.max(LEAST_WIDTH))
}

fn width_of(size: Option<(terminal_size::Width, terminal_size::Height)>) -> Option<usize> {
    size.map(|(width, _)| usize::from(width.0)).filter(|width| *width > 0)
}

/// Returns the text of rows with these columns, and the number of rows in it. If they do not fit
/// into `width` without breaking a word, each row is a record of its fields, numbered from `first`,
/// without those it does not have; after `lines` lines, no further record begins.
pub(crate) fn lay_out(
    columns: &[String],
    rows: &[Row],
    first: u64,
    (width, lines): (usize, usize),
    zone: &TimeZone,
) -> (String, usize) {
    if let Some(least) = least_widths(columns, rows, width, zone) {
        return (table(columns, rows, &least, width, zone), rows.len());
    }
    let mut text = String::new();
    let mut left = lines;
    for (shown, (row, number)) in rows.iter().zip(first..).enumerate() {
        if left == 0 {
            return (text, shown);
        }
        let record = record(columns, row, number, width, zone);
        left = left.saturating_sub(record.lines().count());
        text.push_str(&record);
    }
    (text, rows.len())
}

/// Returns true if rows with these columns fit into `width` beside each other.
pub(crate) fn fits(columns: &[String], rows: &[Row], width: usize) -> bool {
    least_widths(columns, rows, width, &TimeZone::UTC).is_some()
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
        let words = cells.chain([visible(name).into_owned()]).map(|text| unbroken(&text));
        let column = words.max().unwrap_or_default();
        left = left.checked_sub(column + PADDING + 1)?;
        least.push(column);
    }
    Some(least)
}

/// Returns the length of the longest part of a cell that stays on one line: a short line, or a word.
fn unbroken(text: &str) -> usize {
    let part = |line: &str| match measure(line) {
        length if length <= SHORT => length,
        _ => line.split_whitespace().map(measure).max().unwrap_or_default(),
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
    table.set_header(columns.iter().map(|name| visible(name)));
    for row in rows {
        table.add_row(columns.iter().map(|name| cell(row, name, zone)));
    }
    for (column, least) in table.column_iter_mut().zip(least) {
        let least = u16::try_from(least + PADDING).unwrap_or(u16::MAX);
        column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(least)));
    }
    for (column, name) in table.column_iter_mut().zip(columns) {
        if is_numeric(rows, name) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    format!("{table}\n")
}

/// Returns true if all values of a column are numbers, which are easier to compare when their last
/// digits are below each other.
fn is_numeric(rows: &[Row], name: &str) -> bool {
    let mut values = rows.iter().filter_map(|row| row.get(name)).peekable();
    name != TIME
        && values.peek().is_some()
        && values.all(|value| matches!(value, Value::Number(_) | Value::Null))
}

fn record(columns: &[String], row: &Row, number: u64, width: usize, zone: &TimeZone) -> String {
    let title = format!("── {number} ");
    let mut text = format!("{title}{}\n", "─".repeat(width.saturating_sub(measure(&title))));
    let fields = fields(columns, row, zone);
    let longest = fields.iter().map(|(name, _)| measure(&visible(name))).max().unwrap_or_default();
    // Values begin in one column. A longer name has a line of its own.
    let start = longest.min(width / 3) + PADDING;
    for (name, value) in fields {
        let mut margin = visible(&name).into_owned();
        // A word that fits into a line, but not behind the name, stays whole below it.
        let word = value.split_whitespace().map(measure).max().unwrap_or_default();
        let is_below = word > width - start && word <= width - PADDING;
        let start = if is_below { PADDING } else { start };
        let mut lines = value.split('\n').flat_map(|line| wrap(line, width - start));
        let shown: Vec<String> = lines.by_ref().take(VALUE_LINES).collect();
        let more = lines.count();
        if measure(&margin) + PADDING > start {
            for line in wrap(&margin, width) {
                let _ = writeln!(text, "{line}");
            }
            margin.clear();
        }
        for line in shown {
            let _ = writeln!(text, "{}{line}", pad(&margin, start));
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
    let present =
        columns.iter().filter(|name| row.get(*name).is_some_and(|value| !value.is_null()));
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
                let others: Vec<Cow<'_, str>> = others.iter().map(|name| visible(name)).collect();
                let others = format!(" (also {})", others.join(", "));
                value.push_str(&others);
            }
            _ => {}
        }
    }
    shown.extend(raw);
    shown
}

/// Returns the text of a field: a time as a time, a sparkline as bars, and the members of a multivalue
/// as lines.
fn cell(row: &Row, name: &str, zone: &TimeZone) -> String {
    match row.get(name) {
        Some(Value::Number(time)) if name == TIME => strftime(*time, "%Y-%m-%d %H:%M:%S %Z", zone),
        Some(value) => {
            let members = value.members();
            let bars = bars::sparkline(&members);
            let text = bars.unwrap_or_else(|| members.join("\n"));
            visible_lines(&text).replace('\t', TAB)
        }
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(fields: &[(&str, Value<'static>)]) -> Row {
        fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    fn text(width: usize, rows: &[Row]) -> String {
        let columns = ["_time", "user", "arn"].map(str::to_owned);
        lay_out(&columns, rows, 1, (width, usize::MAX), &TimeZone::UTC).0
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
        assert!(lines[4].contains("bob\\u001b[31m"), "no rule between rows: {text}");
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
             user  bob\\u001b[31m\n"
        );
    }

    #[test]
    fn no_record_begins_after_the_last_line() {
        let columns = ["_time", "user", "arn"].map(str::to_owned);
        for (lines, expected) in [(0, 0), (1, 1), (4, 1), (5, 2), (usize::MAX, 2)] {
            let (text, shown) = lay_out(&columns, &rows(), 1, (45, lines), &TimeZone::UTC);
            assert_eq!(shown, expected, "{lines}: {text}");
            assert_eq!(text.contains("bob"), expected == 2, "{text}");
        }
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
        let text = lay_out(&columns, &[row], 1, (40, usize::MAX), &TimeZone::UTC).0;
        assert!(text.contains("src    192.0.2.14 (also src_ip)\n"), "{text}");
        assert!(text.contains("a      false\nb      false\n"), "{text}");
        assert!(!text.contains("date_hour") && text.ends_with("_raw   the _raw\n"), "{text}");
    }

    #[test]
    fn numbers_end_below_each_other() {
        let row = |count: f64| row(&[("user", Value::text("a")), ("arn", Value::Number(count))]);
        let text = text(80, &[row(5.0), row(1200.0)]);
        let ends: Vec<usize> =
            text.lines().skip(3).take(2).map(|line| line.trim_end().len()).collect();
        assert_eq!(ends[0], ends[1], "{text}");
    }

    #[test]
    fn a_word_that_fits_into_a_line_is_not_split() {
        let arn = "arn:aws:iam::111122223333:user/anna";
        let columns = ["a_name_of_some_length", "b"].map(str::to_owned);
        let row = row(&[("a_name_of_some_length", Value::text(arn)), ("b", Value::text("c"))]);
        let text = lay_out(&columns, &[row], 1, (40, usize::MAX), &TimeZone::UTC).0;
        let lines: Vec<&str> = text.lines().skip(1).collect();
        let below = format!("  {arn}");
        assert_eq!(lines, ["a_name_of_some_length", &below, "b              c"], "{text}");
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
