//! Reads tables inside JSON: the names of the columns in one list, the values in another.
//!
//! Query interfaces and data frames write them in a few layouts: a list of rows, a list of columns, or
//! one list or object for each column. Each row becomes an object with the names as keys.

use super::about::{are_picked, is_word};
use crate::csv::{place_of, plain};
use crate::json::{
    for_each_element, for_each_member, skip_space, string_end, text_member, unescape, value_end,
};
use crate::members::quoted;
use crate::nulls::{is_code, is_null};

/// The most columns of a table, and the most bytes of their names: each row repeats the names.
const MAX_COLUMNS: usize = 4096;
const MAX_NAMES: usize = 256 * 1024;
/// The keys under which the description of a column has its name.
const NAME_KEYS: [&str; 6] = ["name", "Name", "ColumnName", "columnName", "field", "label"];

/// A table of events, as its names tell.
#[derive(Debug)]
pub(crate) struct Grid<'a> {
    names: Vec<String>,
    layout: Layout<'a>,
    /// The key of the values; empty if each column has one.
    pub(super) key: &'a [u8],
}

#[derive(Debug)]
enum Layout<'a> {
    /// A list of rows, each of which is a list of cells.
    Rows(&'a [u8]),
    /// The cells of each column.
    Columns(Vec<Column<'a>>),
}

impl<'a> Grid<'a> {
    /// Returns the table that a valid JSON object is, if a column has the name of an event.
    pub(crate) fn of(object: &'a [u8]) -> Option<Self> {
        if object.first() != Some(&b'{') {
            return None;
        }
        Self::with_header(object).or_else(|| Self::of_columns(object))
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns a table of which one member has the names, and another one the values.
    fn with_header(object: &'a [u8]) -> Option<Self> {
        let (mut names, mut values) = (None, None);
        for_each_member(object, |key, value| {
            let end = value_end(object, value);
            let (key, list) = (&object[key], &object[value..end]);
            if list.first() == Some(&b'[') {
                if list.get(skip_space(list, 1)) == Some(&b'[') {
                    values = values.or(Some((key, list)));
                } else if names.is_none() {
                    names = names_in(list);
                }
            }
            Some(end)
        });
        let (names, (key, list)) = (names?, values?);
        if !key.eq_ignore_ascii_case(b"columns") {
            return Some(Self { names, layout: Layout::Rows(list), key });
        }
        let mut columns = Vec::new();
        for_each_element(list, |at| {
            let end = value_end(list, at);
            columns.push(Column::new(&list[at..end]));
            if columns.len() > names.len() { list.len() } else { end }
        });
        let is_whole = columns.len() == names.len() && are_aligned(&columns);
        is_whole.then_some(Self { names, layout: Layout::Columns(columns), key })
    }

    /// Returns a table that has a list or object of values for each column.
    fn of_columns(object: &'a [u8]) -> Option<Self> {
        let (mut names, mut columns) = (Vec::new(), Vec::<Column<'a>>::new());
        let mut is_table = true;
        for_each_member(object, |key, value| {
            let end = value_end(object, value);
            let column = Column::new(&object[value..end]);
            is_table =
                columns.len() < MAX_COLUMNS && matches!(object.get(value), Some(b'{' | b'['));
            names.push(unescape(&String::from_utf8_lossy(&object[key])).into_owned());
            columns.push(column);
            is_table.then_some(end)
        });
        let is_table = is_table
            && names.len() >= 2
            && are_of_events(&names)
            && !are_picked(&names)
            && !columns.iter().any(|column| is_word(column.first_key()))
            && are_aligned(&columns);
        is_table.then_some(Self { names, layout: Layout::Columns(columns), key: b"" })
    }

    /// Calls `visit` with each row as an object, until it returns false; with `None` for what stands in
    /// the place of a row and is none, or has more cells than there are names.
    pub(super) fn for_each_row(self, mut visit: impl FnMut(Option<&str>) -> bool) {
        let names: Vec<(String, bool)> =
            self.names.iter().map(|name| (quoted(name), has_codes(name))).collect();
        let mut row = String::new();
        match self.layout {
            Layout::Rows(list) => for_each_element(list, |at| {
                let end = value_end(list, at);
                let cells = &list[at..end];
                row.clear();
                let mut names = names.iter();
                let mut is_row = cells.first() == Some(&b'[');
                if is_row {
                    for_each_element(cells, |at| {
                        let end = value_end(cells, at);
                        let Some(name) = names.next() else {
                            is_row = false;
                            return cells.len();
                        };
                        add(&mut row, name, &cells[at..end]);
                        end
                    });
                }
                let is_wanted = if !is_row && !visit(None) {
                    false
                } else {
                    row.is_empty() || visit(Some(&close(&mut row)))
                };
                if is_wanted { end } else { list.len() }
            }),
            Layout::Columns(mut columns) => loop {
                row.clear();
                let mut has_cells = false;
                for (name, column) in names.iter().zip(&mut columns) {
                    if let Some(cell) = column.next() {
                        has_cells = true;
                        add(&mut row, name, cell);
                    }
                }
                if !has_cells || !(row.is_empty() || visit(Some(&close(&mut row)))) {
                    return;
                }
            },
        }
    }
}

/// The cells of a column that are still to be read.
#[derive(Debug)]
struct Column<'a> {
    cells: &'a [u8],
    at: usize,
}

impl<'a> Column<'a> {
    fn new(cells: &'a [u8]) -> Self {
        Self { cells, at: 1 }
    }

    /// Returns the key of the first cell; empty in a list.
    fn first_key(&self) -> &'a [u8] {
        let start = skip_space(self.cells, 1) + 1;
        if self.cells.first() != Some(&b'{') || self.cells.get(start - 1) != Some(&b'"') {
            return b"";
        }
        self.cells.get(start..string_end(self.cells, start).0).unwrap_or_default()
    }
}

/// Returns true if all columns have cells for the same rows.
fn are_aligned(columns: &[Column<'_>]) -> bool {
    let Some((first, others)) = columns.split_first() else { return true };
    others.iter().all(|column| column.keys().eq(first.keys()))
}

impl<'a> Iterator for Column<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.next_cell().map(|(_, cell)| cell)
    }
}

impl<'a> Column<'a> {
    /// Returns the keys of the cells; empty ones in a list.
    fn keys(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut column = Self::new(self.cells);
        std::iter::from_fn(move || column.next_cell().map(|(key, _)| key))
    }

    /// Returns the key and the value of the next cell.
    fn next_cell(&mut self) -> Option<(&'a [u8], &'a [u8])> {
        let mut at = skip_space(self.cells, self.at);
        if self.cells.get(at) == Some(&b',') {
            at = skip_space(self.cells, at + 1);
        }
        if matches!(self.cells.get(at), Some(b']' | b'}') | None) {
            return None;
        }
        let mut key: &[u8] = b"";
        if self.cells.first() == Some(&b'{') {
            let key_end = string_end(self.cells, at + 1).0;
            key = self.cells.get(at + 1..key_end)?;
            at = skip_space(self.cells, skip_space(self.cells, key_end + 1) + 1);
        }
        self.at = value_end(self.cells, at).max(at + 1);
        self.cells.get(at..self.at).map(|cell| (key, cell))
    }
}

/// Returns the names in a list of names, or of descriptions that have them, if they are of events.
fn names_in(list: &[u8]) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut length = 0;
    let mut is_header = true;
    for_each_element(list, |at| {
        let end = value_end(list, at);
        let element = String::from_utf8_lossy(&list[at..end]);
        let name = match element.as_bytes().first() {
            Some(b'"') => Some(unescape(element.trim_matches('"')).into_owned()),
            Some(b'{') => NAME_KEYS
                .iter()
                .find_map(|key| text_member(&element, key))
                .map(std::borrow::Cow::into_owned),
            _ => None,
        };
        length += name.as_ref().map_or(0, String::len);
        is_header = name.is_some() && names.len() < MAX_COLUMNS && length <= MAX_NAMES;
        names.extend(name);
        if is_header { end } else { list.len() }
    });
    (is_header && are_of_events(&names)).then_some(names)
}

fn are_of_events(names: &[String]) -> bool {
    names.iter().any(|name| plain(name).ends_with("eventname"))
}

/// Returns true if a column has codes, of which an empty one is no value.
fn has_codes(name: &str) -> bool {
    place_of(name).is_some_and(|(path, _)| is_code(&path))
}

/// Adds a cell to a row; one without a value is left out, unless it is a whole member of a record, whose
/// absence would say something else.
fn add(row: &mut String, (name, has_codes): &(String, bool), cell: &[u8]) {
    let cell = String::from_utf8_lossy(cell);
    let text = cell.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let is_missing = text.is_some_and(|text| text.is_empty() || (*has_codes && is_null(text)));
    if is_missing || (cell == "null" && name.contains('.')) {
        return;
    }
    row.push(if row.is_empty() { '{' } else { ',' });
    row.push_str(name);
    row.push(':');
    row.push_str(&cell);
}

fn close(row: &mut String) -> String {
    let mut row = std::mem::take(row);
    row.push('}');
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables() {
        let row = r#"{"eventName":"A","awsRegion":"r"}"#;
        for (object, rows) in [
            (
                r#"{"columns":["eventName","awsRegion"],"data":[["A","r"],["B",null]]}"#,
                &[row, r#"{"eventName":"B","awsRegion":null}"#][..],
            ),
            (
                r#"{"columns":[{"name":"eventName"},{"name":"awsRegion"}],"rows":[["A","r"]]}"#,
                &[row],
            ),
            (r#"{"rows":[["A","r","more"],[]],"fields":["eventName","awsRegion"]}"#, &[row]),
            (
                r#"{"fields":["eventName","awsRegion"],"columns":[["A",""],["r","s"]]}"#,
                &[row, r#"{"awsRegion":"s"}"#],
            ),
            (r#"{ "eventName" : { "0" : "A" } , "awsRegion" : { "0" : "r" } }"#, &[row]),
            (r#"{"eventName":["A"],"awsRegion":["r"]}"#, &[row]),
            (
                r#"{"columns":["eventName","errorCode"],"data":[["A","-"]]}"#,
                &[r#"{"eventName":"A"}"#],
            ),
            (
                r#"{"columns":["eventName","user.arn"],"data":[["A",null]]}"#,
                &[r#"{"eventName":"A"}"#],
            ),
            // No names, no values, or neither of events.
            (r#"{"columns":["user","count"],"data":[["ann",1]]}"#, &[]),
            (r#"{"columns":["eventName",1],"data":[["A",1]]}"#, &[]),
            (r#"{"columns":["eventName"],"data":["A"]}"#, &[]),
            (r#"{"fields":["eventName","x"],"columns":[["A"]]}"#, &[]),
            (r#"{"eventName":["A"],"count":1}"#, &[]),
            // Cells of different rows.
            (r#"{"fields":["eventName","x"],"columns":[["A","B"],["y"]]}"#, &[]),
            (r#"{"eventName":["A","B"],"awsRegion":["r"]}"#, &[]),
            (r#"{"eventName":{"0":"A","1":"B"},"awsRegion":{"0":"r","2":"s"}}"#, &[]),
            (r#"{"eventName":["A"],"eventSource":["s"]}"#, &[]),
            (r#"{"eventName":{"type":"string"},"awsRegion":{"type":"string"}}"#, &[]),
            (r#"{"eventName":{"a":1},"awsRegion":{"b":1}}"#, &[]),
            (r#"{"eventName":"A","awsRegion":"r"}"#, &[]),
            (r#"[["eventName"],["A"]]"#, &[]),
        ] {
            let found = rows_of(object);
            let found: Vec<&str> = found.iter().flatten().map(String::as_str).collect();
            assert_eq!(found, rows, "{object}");
        }
    }

    fn rows_of(object: &str) -> Vec<Option<String>> {
        let mut found = Vec::new();
        if let Some(grid) = Grid::of(object.as_bytes()) {
            grid.for_each_row(|row| {
                found.push(row.map(str::to_owned));
                true
            });
        }
        found
    }

    #[test]
    fn what_is_no_row_is_told() {
        for (values, lost) in [
            (r#"["A","r"],["B","s"]"#, 0),
            (r#"["A","r"],null,"x",["B","s"]"#, 2),
            (r#"["A","r","more"],["B"]"#, 1),
        ] {
            let object = format!(r#"{{"columns":["eventName","awsRegion"],"data":[{values}]}}"#);
            let rows = rows_of(&object);
            assert_eq!(rows.iter().filter(|row| row.is_none()).count(), lost, "{values}");
            assert_eq!(rows.iter().flatten().count(), 2, "{values}");
        }
    }

    #[test]
    fn the_names_are_limited() {
        let name = "x".repeat(MAX_NAMES);
        let object = format!(r#"{{"columns":["eventName","{name}"],"data":[["A"]]}}"#);
        assert!(Grid::of(object.as_bytes()).is_none());
    }
}
