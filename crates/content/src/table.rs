//! Reads the CSV of a lookup, and says what in it cannot be meant.

use std::borrow::Cow;

use spilltrail_diagnostic::{Code, Diagnostic, Span};

use crate::lookup::LookupRows;

/// What is wrong with the text of a table, of which the rest is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableProblem {
    /// The line where it begins, counted from one.
    pub line: u64,
    /// The place in the text of the table, as it is decoded.
    pub span: Span,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: &'static str,
}

impl TableProblem {
    /// Returns the warning about a table whose text is known.
    pub(crate) fn diagnostic(&self) -> Diagnostic {
        Diagnostic::warning(Code::DAMAGED_TABLE, self.message.clone()).at(self.span).help(self.help)
    }
}

/// Returns the text of a table, without a mark of its byte order, and with a sign for each byte that is
/// no UTF-8.
pub(crate) fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes))
}

/// Reads the rows of a table. Short rows are padded with empty cells, and long rows are truncated.
///
/// # Errors
/// Fails if the text cannot be read as CSV.
pub(crate) fn read(bytes: &[u8]) -> Result<LookupRows, csv::Error> {
    let text = text(bytes);
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let mut fields: Vec<String> =
        reader.headers()?.iter().map(|name| name.trim().to_owned()).collect();
    // Commas at the end of a line make no columns.
    while fields.last().is_some_and(String::is_empty) {
        fields.pop();
    }
    let mut found = LookupRows { fields, rows: Vec::new(), problems: Vec::new() };
    let n_columns = found.fields.len();
    let mut uneven = Uneven::default();
    let mut last = 0;
    for record in reader.records() {
        let record = record?;
        // Empty values beyond the last column, as spreadsheets write them, are not missed.
        let beyond = (1..).zip(record.iter()).skip(n_columns);
        let beyond = beyond.filter(|(_, value)| !value.trim().is_empty());
        let n_values: usize = beyond.last().map_or(0, |(number, _)| number);
        if let Some(place) = record.position() {
            last = usize::try_from(place.byte()).unwrap_or_default();
            if n_values > n_columns && n_columns > 0 {
                uneven.add(place.line(), last, n_values);
            }
        }
        let mut row: Vec<String> = record.iter().take(n_columns).map(str::to_owned).collect();
        row.resize(n_columns, String::new());
        found.rows.push(row);
    }
    let line_at = |at: usize| text[..at].matches('\n').count() as u64 + 1;
    if n_columns == 0 {
        found.problems.push(TableProblem {
            line: 1,
            span: Span::new(0, 0),
            message: "the table is empty: it has no columns".to_owned(),
            help: "write the names of the columns into its first line",
        });
    }
    found.problems.extend(uneven.problem(&text, n_columns));
    if let Some(at) = open_quote(&text, last) {
        found.problems.push(TableProblem {
            line: line_at(at),
            span: Span::new(at, at + 1),
            message: "a quote is never closed: all that follows is one value".to_owned(),
            help: "close it, or double it inside a value in quotes",
        });
    }
    if let (Cow::Owned(_), Some(at)) = (&text, text.find('\u{fffd}')) {
        found.problems.push(TableProblem {
            line: line_at(at),
            span: Span::new(at, at + '\u{fffd}'.len_utf8()),
            message: "the table is not UTF-8 text: characters are lost".to_owned(),
            help: "save it as UTF-8",
        });
    }
    Ok(found)
}

/// Lines with more values than the table has columns.
#[derive(Debug, Default)]
struct Uneven {
    /// The line, the offset and the number of values of the first one.
    first: Option<(u64, usize, usize)>,
    count: usize,
}

impl Uneven {
    fn add(&mut self, line: u64, start: usize, n_values: usize) {
        self.first.get_or_insert((line, start, n_values));
        self.count += 1;
    }

    fn problem(&self, text: &str, n_columns: usize) -> Option<TableProblem> {
        let (line, place, n_values) = self.first?;
        // The reader's place of a record is before the line end and the empty lines that it skips.
        let skipped = text.get(place..)?.split(|c| !matches!(c, '\r' | '\n')).next()?;
        let start = place + skipped.len();
        let line = line + skipped.matches('\n').count() as u64;
        let columns =
            if n_columns == 1 { "1 column".to_owned() } else { format!("{n_columns} columns") };
        let more = match self.count - 1 {
            0 => String::new(),
            1 => ", and so has 1 more line".to_owned(),
            more => format!(", and so have {more} more lines"),
        };
        let length = text[start..].find('\n').unwrap_or(text.len() - start);
        Some(TableProblem {
            line,
            span: Span::new(start, start + text[start..start + length].trim_end().len()),
            message: format!(
                "the line has {n_values} values for {columns}: the last ones are left out{more}"
            ),
            help: "put a value with a comma into double quotes, or name another column",
        })
    }
}

/// Returns the place of a quote that opens a value and is never closed, in the lines from `start`, which
/// begin with a record.
fn open_quote(text: &str, start: usize) -> Option<usize> {
    let mut open = None;
    let mut is_first = true;
    let mut rest = text.get(start..)?.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        match (open, c) {
            (None, '"') if is_first => open = Some(start + at),
            // Two quotes inside a value in quotes are one.
            (Some(_), '"') if rest.peek().is_some_and(|(_, next)| *next == '"') => {
                rest.next();
            }
            (Some(_), '"') => open = None,
            _ => {}
        }
        is_first = open.is_none() && matches!(c, ',' | '\n' | '\r');
    }
    open
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_in_error_is_still_read() {
        let rows = read(b"\xef\xbb\xbfa\n\"x\ny\"\n\xff\n").unwrap();
        assert_eq!(rows.fields, ["a"]);
        assert_eq!(rows.rows, [["x\ny"], ["\u{fffd}"]]);
        assert_eq!(read(b"").unwrap().rows, [[""; 0]; 0]);
    }

    #[test]
    fn what_is_told_of_a_table() {
        for (table, expected) in [
            ("a,b\n1,2\n", ""),
            ("a,b\n1\n\n3,\"x, \"\"y\"\"\nz\"\n", ""),
            ("a,b\n1,2\" of 3\n", ""),
            ("a,b\r\n1,\"2\"\r\n", ""),
            ("a,b\n1,\"2\"", ""),
            ("", "1: the table is empty: it has no columns []"),
            (
                "a,b\n1,2,3\n",
                "2: the line has 3 values for 2 columns: the last ones are left out [1,2,3]",
            ),
            (
                "a\n1\n1,2\n\n1,2,3\r\n1,2",
                "3: the line has 2 values for 1 column: the last ones are left out, and so have 2 more lines [1,2]",
            ),
            (
                "a,b\r\n1,2\r\n3,4,5\r\n6,7\r\n",
                "3: the line has 3 values for 2 columns: the last ones are left out [3,4,5]",
            ),
            (
                "a,b\n\n\n1,2\n\n3,4,5\n",
                "6: the line has 3 values for 2 columns: the last ones are left out [3,4,5]",
            ),
            // What spreadsheets write.
            ("a,b,,,\n1,2,,,\n", ""),
            (
                "a,b,,\n1,2,3,\n",
                "2: the line has 3 values for 2 columns: the last ones are left out [1,2,3,]",
            ),
            ("a,b\n1,2,\n3,,, \n,,\n", ""),
            (
                "a,b\n1,2,\n1,2,,3,\n",
                "3: the line has 4 values for 2 columns: the last ones are left out [1,2,,3,]",
            ),
            (
                "a,b\n1,2\n\"3,4\n5,6\n",
                "3: a quote is never closed: all that follows is one value [\"]",
            ),
            ("a,\"b\n1,2\n", "1: a quote is never closed: all that follows is one value [\"]"),
            (
                "a,b\n1,\"2\"\"\n5,6",
                "2: a quote is never closed: all that follows is one value [\"]",
            ),
        ] {
            let told = read(table.as_bytes()).unwrap().problems;
            let shown = told.iter().map(|problem| {
                let text = &table[problem.span.start..problem.span.end];
                format!("{}: {} [{text}]", problem.line, problem.message)
            });
            assert_eq!(shown.collect::<Vec<_>>().join("; "), expected, "{table:?}");
        }
        let told = read(b"a\nx\n\xe9\n").unwrap().problems;
        assert_eq!((told.len(), told[0].line), (1, 3));
    }
}
