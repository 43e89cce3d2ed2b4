//! Reads tables of comma-separated values: exports of the console, Athena, CloudTrail Lake, Splunk
//! and other tools.
//!
//! A text is a table if its first line is a header (`header`); where tables follow one another in one
//! file, each begins with a header of its own (`again`). Each row becomes JSON, which then
//! goes the way of all events: the event in a cell that holds a whole one, a CloudTrail record if
//! the columns have CloudTrail's names (`columns`), or else a row of fields.

mod again;
mod cells;
mod columns;
mod header;
mod record;
mod structs;

pub(crate) use again::Line;
pub(crate) use cells::{Cells, MAX_CELLS, Quoting, Step, quoting};
pub(crate) use columns::{
    Column, Columns, JOINTS, Kind, is_object_member, member_named, oddly_joined, place_of, plain,
};
pub(crate) use header::recognize;
pub(crate) use record::{Made, inner_value, value};
pub(crate) use structs::{canonical, is_usual, to_json as struct_to_json};

use crate::left_out::MemberSet;

/// A table that is being read.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) delimiter: u8,
    /// The length of the header with its line end, and of all lines above it.
    pub(crate) header: usize,
    /// The number of the line that is read next.
    pub(crate) line: u64,
    pub(crate) cells: Cells,
    /// True while the rest of a row that is too large is discarded.
    pub(crate) is_skipping: bool,
    /// The number of lines above the header that may be rows.
    pub(crate) unread_above: u64,
    /// The cells of a line that is looked at ahead of its turn.
    others: Cells,
    /// The names in the header.
    names: Vec<String>,
    columns: Columns,
}

impl Table {
    /// Returns the number of cells that a row should have.
    pub(crate) fn width(&self) -> usize {
        self.columns.len()
    }

    /// Returns the members that rows can have, if rows become CloudTrail records.
    pub(crate) fn members(&self) -> Option<MemberSet> {
        self.columns.members()
    }

    /// Returns true if `line` is a row of this table by itself.
    pub(crate) fn fits(&mut self, line: &[u8]) -> bool {
        self.others.begin();
        matches!(self.others.run(line, true), Step::Row(_))
            && self.others.count(self.width()) == self.width()
            && quoting(line, self.delimiter) != Quoting::Odd
    }

    /// Makes an event of the cells that were just read; `None` if all of them are empty.
    pub(crate) fn make(&mut self) -> Option<Made> {
        record::make(&mut self.columns, &self.cells)
    }
}

#[cfg(test)]
mod tests;
