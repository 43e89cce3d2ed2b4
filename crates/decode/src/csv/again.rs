//! Recognizes headers among the rows of a table: files that were put together each bring their own.
//!
//! Without this, a header would be an event, and the rows after one with another order of columns
//! would have their cells under wrong names.

use super::Table;
use super::cells::Cells;
use super::columns::{Columns, member_names, plain};
use super::header::{Header, MARK, are_plausible, are_telling, is_plausible, named_delimiter};

/// The longest line that is taken for a header.
const LONGEST: usize = 16 * 1024;

/// What a line of a table is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Row,
    /// A header, or a line that names the separator; the rows after it are read by its names.
    Header,
    /// A row of so many bytes, which a header follows on the same line: the file before it did not
    /// end with a line end.
    RowAndHeader(usize),
}

impl Table {
    /// Returns what the line is whose cells were just read, and goes on with the table that it
    /// begins if it is a header.
    pub(crate) fn see_line(&mut self, line: &[u8]) -> Line {
        if self.cells.count(self.width()) <= 2 && named_delimiter(line).is_some() {
            return Line::Header;
        }
        if let Some(header) = self.header_in(line) {
            self.go_on_with(header);
            return Line::Header;
        }
        self.header_at_end(line).map_or(Line::Row, Line::RowAndHeader)
    }

    fn go_on_with(&mut self, header: Header) {
        if header.names == self.names && header.delimiter == self.delimiter {
            return;
        }
        let Header { delimiter, names } = header;
        self.columns = Columns::new(&names);
        self.names = names;
        self.delimiter = delimiter;
        self.cells = Cells::new(delimiter);
        self.others = Cells::new(delimiter);
    }

    /// Returns the header that a line is, of this table again or of another one.
    fn header_in(&self, line: &[u8]) -> Option<Header> {
        if line.len() > LONGEST || line.contains(&b'{') {
            return None;
        }
        let (count, width) = (self.cells.count(self.width()), self.width());
        let is_ragged = count != width;
        // Nearly all rows end here: their first cells are no names.
        let is_name = |index: usize| {
            let cell = self.cells.get(index);
            let name = cell.trim_start_matches('\u{feff}').trim_matches(['"', ' ']);
            is_plausible(name) || self.names.get(index).is_some_and(|known| known == name)
        };
        if !is_ragged && !(0..count).all(is_name) {
            return None;
        }
        let header = Header::of(line, (!is_ragged).then_some(self.delimiter))?;
        self.is_header(&header.names).then_some(header)
    }

    /// Returns true if names can be nothing but those of columns: the table's own, in any order, or
    /// those of another table of events.
    fn is_header(&self, names: &[String]) -> bool {
        if names == self.names {
            return true;
        }
        if !are_plausible(names) && !self.columns.are_known() {
            return false;
        }
        let sorted = |names: &[String]| {
            let mut names: Vec<String> = names.iter().map(|name| plain(name)).collect();
            names.sort_unstable();
            names
        };
        if names.len() == self.names.len() && sorted(names) == sorted(&self.names) {
            return true;
        }
        if !names.iter().any(|name| is_of_events(name)) {
            return false;
        }
        let columns = Columns::new(names);
        // In a table of something else, the names of a few fields may be values.
        (are_telling(names, &columns) && (columns.are_cloudtrail || self.columns.are_known()))
            || (names.len() == 1 && columns.whole.is_some() && self.columns.are_known())
    }

    /// Returns where in a line that has more cells than the table a header begins.
    fn header_at_end(&self, line: &[u8]) -> Option<usize> {
        let (count, width) = (self.cells.count(self.width()), self.width());
        if count <= width || !(width..count).all(|index| is_plausible(self.cells.get(index).trim()))
        {
            return None;
        }
        let lower = line.to_ascii_lowercase();
        let names = member_names().map(str::to_owned);
        let names = names.chain(self.names.iter().map(|name| name.to_ascii_lowercase()));
        let starts = names.filter(|name| !name.is_empty()).filter_map(|name| {
            let at = memchr::memmem::rfind(&lower, name.as_bytes())?;
            if line.len() - at > LONGEST {
                return None;
            }
            // With quotes, the one before the name is part of it.
            let is_quoted =
                lower.get(at + name.len()) == Some(&b'"') && line[..at].ends_with(b"\"");
            Some(at - usize::from(is_quoted))
        });
        let is_header = |at: &usize| {
            let names = Header::of(&line[*at..], None).map(|header| header.names);
            names.is_some_and(|names| names.len() >= 2 && self.is_header(&names))
        };
        let at = starts.filter(|at| *at > 0).filter(is_header).min()?;
        // A file in the middle may begin with a mark.
        Some(if line[..at].ends_with(&MARK) { at - MARK.len() } else { at })
    }
}

/// Returns true for a name that tables of events have.
fn is_of_events(name: &str) -> bool {
    matches!(&*plain(name), "eventname" | "raw" | "eventjson" | "cloudtrailevent" | "@message")
}
