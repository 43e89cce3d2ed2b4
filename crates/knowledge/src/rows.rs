//! The rows of a table in memory, such as those of a lookup.

use std::hash::Hash;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Rows of texts, each with one cell for each column. All cells are in one text, so that a cell needs
/// little more memory than its characters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct TableRows {
    columns: usize,
    rows: usize,
    text: String,
    /// The end of each cell in the text, up to that of the first one beyond [`u32::MAX`].
    ends: Vec<u32>,
    /// The ends of the cells after those.
    far_ends: Vec<usize>,
}

impl TableRows {
    /// Returns no rows of a number of columns.
    #[must_use]
    pub fn new(columns: usize) -> Self {
        Self { columns, ..Self::default() }
    }

    /// Returns the number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Returns true if there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Returns the bytes that the rows hold in memory.
    #[must_use]
    pub fn size(&self) -> usize {
        self.text.capacity()
            + self.ends.capacity() * size_of::<u32>()
            + self.far_ends.capacity() * size_of::<usize>()
    }

    /// Adds a row. Cells beyond the last column are left out, and missing ones are empty.
    pub fn push<C: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = C>) {
        let mut cells = cells.into_iter();
        for _ in 0..self.columns {
            if let Some(cell) = cells.next() {
                self.text.push_str(cell.as_ref());
            }
            match u32::try_from(self.text.len()) {
                Ok(end) => self.ends.push(end),
                Err(_) => self.far_ends.push(self.text.len()),
            }
        }
        self.rows += 1;
    }

    /// Returns a cell. One that is not there is empty.
    #[must_use]
    pub fn cell(&self, row: usize, column: usize) -> &str {
        if column >= self.columns || row >= self.rows {
            return "";
        }
        let place = row * self.columns + column;
        let start = if place == 0 { 0 } else { self.end(place - 1) };
        &self.text[start..self.end(place)]
    }

    fn end(&self, place: usize) -> usize {
        match self.ends.get(place) {
            Some(end) => *end as usize,
            None => self.far_ends[place - self.ends.len()],
        }
    }

    /// Returns the cells of a row.
    pub fn row(&self, row: usize) -> impl Iterator<Item = &str> {
        (0..self.columns).map(move |column| self.cell(row, column))
    }

    /// Returns the rows, each with its cells.
    pub fn iter(&self) -> impl Iterator<Item = impl Iterator<Item = &str>> {
        (0..self.rows).map(|row| self.row(row))
    }

    /// Returns the same rows with some of their columns, each by its place; one without a place is empty.
    #[must_use]
    pub fn select(&self, places: &[Option<usize>]) -> Self {
        let mut selected = Self::new(places.len());
        for row in 0..self.rows {
            selected.push(places.iter().map(|place| place.map_or("", |at| self.cell(row, at))));
        }
        selected
    }

    /// Returns some of the rows, by their numbers.
    #[must_use]
    pub fn only(&self, numbers: &[usize]) -> Self {
        let mut only = Self::new(self.columns);
        numbers.iter().for_each(|number| only.push(self.row(*number)));
        only
    }

    /// Gives back memory that was reserved for more rows.
    pub fn shrink(&mut self) {
        self.text.shrink_to_fit();
        self.ends.shrink_to_fit();
        self.far_ends.shrink_to_fit();
    }
}

impl From<Vec<Vec<String>>> for TableRows {
    fn from(rows: Vec<Vec<String>>) -> Self {
        let mut table = Self::new(rows.iter().map(Vec::len).max().unwrap_or_default());
        rows.iter().for_each(|row| table.push(row));
        table
    }
}

impl Serialize for TableRows {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Iterator::collect::<Vec<&str>>))
    }
}

impl<'de> Deserialize<'de> for TableRows {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<Vec<String>>::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(rows: &TableRows) -> Vec<Vec<&str>> {
        rows.iter().map(Iterator::collect).collect()
    }

    #[test]
    fn cells_of_rows() {
        let mut rows = TableRows::new(2);
        rows.push(["a", "b", "left out"]);
        rows.push([""; 0]);
        rows.push(["é"]);
        assert_eq!(shown(&rows), [["a", "b"], ["", ""], ["é", ""]]);
        assert_eq!(
            (rows.cell(0, 1), rows.cell(2, 0), rows.cell(9, 0), rows.cell(0, 2)),
            ("b", "é", "", "")
        );
        assert_eq!(shown(&rows.select(&[Some(1), None, Some(0)]))[0], ["b", "", "a"]);
        let text = serde_yaml_ng::to_string(&rows).unwrap();
        assert_eq!(serde_yaml_ng::from_str::<TableRows>(&text).unwrap(), rows);
        let mut empty = TableRows::new(0);
        empty.push(["x"]);
        assert_eq!((empty.len(), shown(&empty)), (1, vec![Vec::<&str>::new()]));
    }
}
