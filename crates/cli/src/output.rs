//! Writes to standard output: text, and rows as a table, JSON lines, a JSON array, or CSV.

use std::collections::HashSet;
use std::error::Error;
use std::ffi::OsString;
use std::io::{BufWriter, ErrorKind, IsTerminal, Result, Stdout, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use jiff::tz::TimeZone;
use spilltrail_diagnostic::{visible, visible_lines};
use spilltrail_event::{Field, Value};
use spilltrail_search::rows::Row;
use spilltrail_search::rows::json::object;

use crate::arguments::{Arguments, Format};
use crate::lines::hang;
use crate::{json, report, screen, status};

/// Message of the error when writing to standard output fails.
pub(crate) const CANNOT_WRITE: &str = "cannot write to standard output";

/// Rows that a table on a terminal has at most, unless the user asks for more.
const SCREEN_ROWS: u64 = 100;

/// Lines after which no further record begins on a terminal, unless the user asks for more rows: as
/// many as a table has. A whole event takes more than a screen.
const SCREEN_LINES: usize = 100;

/// Maximum number of rows in one table. A longer result is printed as several tables.
const TABLE_ROWS: usize = 1000;

/// Prints text of several lines to standard output. Characters that a terminal would obey are shown.
///
/// # Errors
/// Fails if standard output cannot be written to.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    print_painted(&visible_lines(text))
}

/// As [`print()`], for text whose parts from outside are visible already, and which has colors.
///
/// # Errors
/// Fails if standard output cannot be written to.
pub(crate) fn print_painted(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context(CANNOT_WRITE)
}

/// Prints help and version to standard output, or an argument error to standard error.
///
/// Returns the exit status of the program.
pub(crate) fn refusal(refusal: clap::Error) -> ExitCode {
    let refusal = if refusal.use_stderr() { of_visible_arguments(refusal) } else { refusal };
    let printed = match screen::error_width().filter(|_| refusal.use_stderr()) {
        Some(width) => print_wrapped(&refusal, width),
        None => refusal.print().and_then(|()| std::io::stdout().flush()),
    };
    match printed {
        Err(error) if !refusal.use_stderr() && !is_broken_pipe(&error) => {
            report::line(format_args!("error: {CANNOT_WRITE}: {error}"));
            status::failed()
        }
        _ => ExitCode::from(u8::try_from(refusal.exit_code()).unwrap_or(u8::MAX)),
    }
}

/// Prints a refusal to a terminal, whose lines the parser does not wrap.
fn print_wrapped(refusal: &clap::Error, width: usize) -> Result<()> {
    let text = refusal.render().ansi().to_string();
    let mut out = anstream::AutoStream::auto(std::io::stderr());
    text.lines().flat_map(|line| hang(line, width, 2)).try_for_each(|line| writeln!(out, "{line}"))
}

/// Returns the refusal of the same arguments without characters that a terminal would obey: the
/// message of a refusal repeats arguments, and a pattern of the shell makes arguments of file names.
fn of_visible_arguments(refusal: clap::Error) -> clap::Error {
    let shown = |argument: OsString| visible(&argument.to_string_lossy()).into_owned();
    Arguments::try_parse_from(std::env::args_os().map(shown)).err().unwrap_or(refusal)
}

/// Returns true if the error, or one of its causes, is a closed pipe.
pub(crate) fn is_broken_pipe(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let io = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        let json =
            error.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind);
        if io.or(json) == Some(ErrorKind::BrokenPipe) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Writes rows to standard output in one of the formats.
pub(crate) struct RowWriter {
    format: Format,
    columns: Vec<String>,
    out: BufWriter<Stdout>,
    held: Vec<Row>,
    written: u64,
    /// The most rows to write; the others are counted.
    limit: u64,
    /// The lines after which no further record begins.
    lines: usize,
    left_out: u64,
    /// True if records that were written filled the screen's lines.
    has_long_records: bool,
    zone: TimeZone,
    /// The columns without a value other than 0 so far.
    empty: HashSet<String>,
}

impl RowWriter {
    /// Returns a writer for rows with these fields. If `format` is `None`, the format is that of
    /// [`default_format`].
    pub(crate) fn new(format: Option<Format>, fields: &[Field]) -> Self {
        Self {
            format: format.unwrap_or_else(default_format),
            columns: fields.iter().map(|field| field.name.clone()).collect(),
            out: BufWriter::new(std::io::stdout()),
            held: Vec::new(),
            written: 0,
            limit: u64::MAX,
            lines: usize::MAX,
            left_out: 0,
            has_long_records: false,
            zone: TimeZone::UTC,
            empty: fields.iter().map(|field| field.name.clone()).collect(),
        }
    }

    /// Sets the most rows to write, 0 for all; without one, a table on a terminal has
    /// [`SCREEN_ROWS`], or records of [`SCREEN_LINES`]. Times of tables are in `zone`.
    pub(crate) fn for_screen(self, limit: Option<u64>, zone: TimeZone) -> Self {
        let is_screen = self.format == Format::Table && std::io::stdout().is_terminal();
        let (limit, lines) = match limit {
            Some(0) => (u64::MAX, usize::MAX),
            Some(limit) => (limit, usize::MAX),
            None if is_screen => (SCREEN_ROWS, SCREEN_LINES),
            None => (u64::MAX, usize::MAX),
        };
        Self { limit, lines, zone, ..self }
    }

    /// Returns true if there was no row, or no row has a value other than 0 in one of the columns.
    pub(crate) fn misses_values(&self) -> bool {
        self.written == 0 || !self.empty.is_empty()
    }

    /// Returns true if there was no row.
    pub(crate) fn is_empty(&self) -> bool {
        self.written == 0
    }

    /// Returns how many rows may still be written.
    pub(crate) fn room(&self) -> usize {
        usize::try_from(self.limit - self.written).unwrap_or(usize::MAX)
    }

    /// Counts rows that are not written because there is no room.
    pub(crate) fn leave_out(&mut self, rows: usize) {
        self.left_out += rows as u64;
    }

    /// Writes a row. There must be room for it.
    pub(crate) fn write(&mut self, row: &Row) -> Result<()> {
        match self.format {
            Format::Ndjson => {
                json::write(&mut self.out, &object(row))?;
                self.out.write_all(b"\n")?;
            }
            Format::Json => {
                self.out.write_all(if self.written == 0 { b"[\n" } else { b",\n" })?;
                json::write(&mut self.out, &object(row))?;
            }
            Format::Csv => {
                if self.written == 0 {
                    self.out
                        .write_all(csv_line(self.columns.iter().map(String::as_str))?.as_bytes())?;
                }
                let cells: Vec<String> = self.columns.iter().map(|name| cell(row, name)).collect();
                let record = csv_record(cells.iter().map(String::as_str))?;
                self.out.write_all(record.as_bytes())?;
            }
            Format::Table => {
                self.held.push(row.clone());
            }
        }
        if !self.empty.is_empty() {
            // A count of nothing is 0, which needs the same explanation as no value.
            let is_nothing =
                |value: &Value<'_>| matches!(value, Value::Number(number) if *number == 0.0);
            for (name, _) in row.iter().filter(|(_, value)| !is_nothing(value)) {
                self.empty.remove(name.as_str());
            }
        }
        self.written += 1;
        // The last row is shown at once: counting the others may take long.
        if self.held.len() == TABLE_ROWS || self.written == self.limit {
            self.lay_out()?;
            self.out.flush()?;
        }
        Ok(())
    }

    /// Writes buffered rows and the end of the output.
    pub(crate) fn finish(&mut self) -> Result<()> {
        match self.format {
            Format::Json => {
                self.out.write_all(if self.written == 0 { b"[]\n" } else { b"\n]\n" })?;
            }
            Format::Csv if self.written == 0 && !self.columns.is_empty() => {
                self.out
                    .write_all(csv_line(self.columns.iter().map(String::as_str))?.as_bytes())?;
            }
            Format::Table => self.lay_out()?,
            Format::Csv | Format::Ndjson => {}
        }
        self.out.flush()?;
        if self.left_out > 0 {
            report::line(format_args!("{}", rest_of_rows(self.left_out, self.has_long_records)));
        }
        Ok(())
    }

    fn lay_out(&mut self) -> Result<()> {
        if self.held.is_empty() {
            return Ok(());
        }
        let held = std::mem::take(&mut self.held);
        let first = self.written + 1 - held.len() as u64;
        let room = (screen::width(), self.lines);
        let (text, shown) = screen::lay_out(&self.columns, &held, first, room, &self.zone);
        self.leave_out(held.len() - shown);
        self.has_long_records |= shown < held.len();
        self.out.write_all(text.as_bytes())
    }
}

/// Returns the note on rows that are not printed. For records it says how to get a line for each.
fn rest_of_rows(rows: u64, are_records: bool) -> String {
    let more = report::counted(rows, "more row");
    let instead = if are_records { ", and `| table FIELD …` takes a line for each" } else { "" };
    format!("… {more}; --limit 0 prints all{instead}")
}

/// Returns the default format: a table on a terminal, otherwise JSON lines.
pub(crate) fn default_format() -> Format {
    if std::io::stdout().is_terminal() { Format::Table } else { Format::Ndjson }
}

fn cell(row: &Row, name: &str) -> String {
    let members = row.get(name).map(Value::members).unwrap_or_default();
    members.join("\n")
}

/// Returns a line of CSV. A cell that a spreadsheet would run as a formula is prefixed with an
/// apostrophe, and characters that a terminal would obey are written as in JSON. Line ends stay: the
/// values of a multivalue are lines of its cell.
pub(crate) fn csv_record<'a>(cells: impl Iterator<Item = &'a str>) -> Result<String> {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    for cell in cells {
        writer.write_field(visible_lines(&defused(cell)).as_bytes())?;
    }
    writer.write_record(None::<&[u8]>)?;
    let line = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    String::from_utf8(line).map_err(std::io::Error::other)
}

/// As [`csv_record`], for cells such as names, in which line ends are written out too.
pub(crate) fn csv_line<'a>(cells: impl Iterator<Item = &'a str>) -> Result<String> {
    let cells: Vec<_> = cells.map(visible).collect();
    csv_record(cells.iter().map(AsRef::as_ref))
}

/// What a spreadsheet takes for the beginning of a formula, in its two widths.
const FORMULA: [char; 10] =
    ['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}', '\t', '\r'];

fn defused(cell: &str) -> String {
    let looks_like_formula =
        cell.starts_with(FORMULA) && spilltrail_event::parse_number(cell).is_none();
    if looks_like_formula { format!("'{cell}") } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_note_on_other_rows_says_what_to_do() {
        assert_eq!(rest_of_rows(1, false), "… 1 more row; --limit 0 prints all");
        let records = "… 3,995 more rows; --limit 0 prints all, and `| table FIELD …` takes a line for \
                       each";
        assert_eq!(rest_of_rows(3995, true), records);
    }

    #[test]
    fn formulas_are_defused_and_numbers_are_not() {
        let record = csv_record(["=cmd()", "-5", "-x", "@a", "plain, quoted"].into_iter()).unwrap();
        assert_eq!(record, "'=cmd(),-5,'-x,'@a,\"plain, quoted\"\n");
    }

    #[test]
    fn cells_have_no_control_characters_but_line_ends() {
        let record = csv_record(["a\u{1b}[2J", "b\nc", "\u{9b}\0", ""].into_iter()).unwrap();
        assert_eq!(record, "a\\u001b[2J,\"b\nc\",\\u009b\\u0000,\n");
    }
}
