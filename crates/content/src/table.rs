//! Reads the CSV of a lookup, and says what in it cannot be meant.

mod damage;

use std::borrow::Cow;

use csv::StringRecord;
use spilltrail_diagnostic::{Code, Diagnostic, Span};
use spilltrail_knowledge::TableRows;

use self::damage::{Found, Values, line_at};
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
    /// Whether the rows lack a part of the text.
    pub loses_text: bool,
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
    let mut reader =
        csv::ReaderBuilder::new().flexible(true).has_headers(false).from_reader(text.as_bytes());
    let mut damage = Found::default();
    let mut found = LookupRows::default();
    let mut record = StringRecord::new();
    let mut start = 0;
    let mut is_header = true;
    while reader.read_record(&mut record)? {
        let end = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX);
        let line = text.get(start..end).unwrap_or_default();
        if is_header {
            found.fields = record.iter().map(|name| name.trim().to_owned()).collect();
            // Commas at the end of a line make no columns.
            while found.fields.last().is_some_and(String::is_empty) {
                found.fields.pop();
            }
        }
        let n_columns = found.fields.len();
        // Empty values beyond the last column, as spreadsheets write them, are not missed.
        let beyond = (1..).zip(record.iter()).skip(n_columns);
        let beyond = beyond.filter(|(_, value)| !value.trim().is_empty());
        let filled = beyond.last().map_or(0, |(number, _)| number);
        damage.record(line, start, Values { all: record.len(), filled }, n_columns);
        if is_header {
            found.rows = TableRows::new(n_columns);
        } else {
            found.rows.push(&record);
        }
        (start, is_header) = (end, false);
    }
    found.rows.shrink();
    let n_columns = found.fields.len();
    if n_columns == 0 {
        found.problems.push(TableProblem {
            line: 1,
            span: Span::new(0, 0),
            message: "the table is empty: it has no columns".to_owned(),
            help: "write the names of the columns into its first line",
            loses_text: false,
        });
    }
    found.problems.extend(damage.problems(&text, n_columns));
    if let (Cow::Owned(_), Some(at)) = (&text, text.find('\u{fffd}')) {
        found.problems.push(TableProblem {
            line: line_at(&text, at),
            span: Span::new(at, at + '\u{fffd}'.len_utf8()),
            message: "the table is not UTF-8 text: characters are lost".to_owned(),
            help: "save it as UTF-8",
            loses_text: true,
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_in_error_is_still_read() {
        let rows = read(b"\xef\xbb\xbfa\n\"x\ny\"\n\xff\n").unwrap();
        assert_eq!(rows.fields, ["a"]);
        assert_eq!(rows.cells(), [["x\ny"], ["\u{fffd}"]]);
        assert!(read(b"").unwrap().rows.is_empty());
    }

    #[test]
    fn what_is_told_of_a_table() {
        for (table, expected) in [
            ("a,b\n1,2\n", ""),
            ("a,b\n1,\n\n3,\"x, \"\"y\"\"\nz\"\n", ""),
            ("a,b\n1,2\n  \n", ""),
            ("a,b,c\n1,\"x, \"\"y\"\",\nz\",3\n\"1, 2\n3, 4\n5\",6,7\n", ""),
            ("a\n\"1\n2\"\n", ""),
            ("a,b\n\"1\" ,\"2\" \n", ""),
            (
                "a,b\n1,2\n\n3\n4\r\n",
                "4: the line has 1 value for 2 columns: the last ones are empty, and so has 1 more line [3]",
            ),
            (
                "a,b\nann,\"red\nbob,blue\neve,\"green\nzed,x\n",
                "4: text follows the quote that closes a value [g]",
            ),
            ("a,b\nann, \"red\"\n", "2: a blank is before a quote, which opens no value then [\"]"),
            (
                "a,b\n\"ann,red\nbob,blue\neve\",green\n",
                "2: quotes make one value of text that looks like 3 rows [\"]",
            ),
            (
                "a,b\n\"ann,red\nbob,blue\"\neve,green\n",
                "2: quotes make one value of text that looks like 2 rows [\"]",
            ),
            ("a,b\n1,2\0\n\0,\0\n", "2: the line has a NUL character, and so has 1 more line [\0]"),
            (
                "a,b\n1,2\n\u{feff}a,b\n",
                "3: the line has a byte order mark, which cannot be seen [\u{feff}]",
            ),
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
