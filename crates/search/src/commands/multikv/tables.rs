//! Reads tables in plain text: a line with names, and lines with values below it.

use serde::{Deserialize, Serialize};

/// How tables are read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Rules {
    /// The number of the line with the names, from 1; by default the first line with two columns.
    pub(super) header: Option<usize>,
    /// Whether there is a line with names.
    pub(super) has_header: bool,
    /// Whether an empty line ends a table.
    pub(super) are_several: bool,
    /// The columns to keep; all if it is empty.
    pub(super) columns: Vec<String>,
    /// The texts of which a line must contain one; any line will do if it is empty.
    pub(super) filters: Vec<String>,
}

/// A table.
#[derive(Debug, Default)]
pub(super) struct Table<'t> {
    /// The names of the columns.
    pub(super) names: Vec<String>,
    /// The lines, each with its values in the order of the names.
    pub(super) lines: Vec<(&'t str, Vec<&'t str>)>,
}

/// Returns the tables in a text.
pub(super) fn tables<'t>(text: &'t str, rules: &Rules) -> Vec<Table<'t>> {
    let all: Vec<&str> = text.lines().collect();
    let skipped = rules.header.filter(|_| rules.has_header).map_or(0, |header| header - 1);
    let all = all.get(skipped.min(all.len())..).unwrap_or_default();
    let is_empty = |line: &&str| line.trim().is_empty();
    let parts: Vec<Vec<&str>> = if rules.are_several && rules.header.is_none() {
        all.split(is_empty).map(<[&str]>::to_vec).collect()
    } else {
        vec![all.iter().copied().filter(|line| !is_empty(line)).collect()]
    };
    parts.iter().filter_map(|lines| table(lines, rules)).collect()
}

fn table<'t>(lines: &[&'t str], rules: &Rules) -> Option<Table<'t>> {
    let (names, starts, first) = if rules.has_header {
        let first = match rules.header {
            Some(_) => 0,
            None => lines.iter().position(|line| cells(line, is_wide(line)).len() > 1)?,
        };
        let header = *lines.get(first)?;
        let cells = cells(header, is_wide(header));
        let names: Vec<String> = cells.iter().map(|(_, cell)| cleaned(cell)).collect();
        let starts: Vec<usize> = cells.iter().map(|(start, _)| *start).collect();
        (names, starts, first + 1)
    } else {
        let widest = lines.iter().map(|line| cells(line, is_wide(line)).len()).max()?;
        let names = (1..=widest).map(|number| format!("Column_{number}")).collect();
        (names, Vec::new(), 0)
    };
    let is_kept: Vec<bool> =
        names.iter().map(|name| rules.columns.is_empty() || rules.columns.contains(name)).collect();
    let passes = |line: &&&str| {
        rules.filters.is_empty()
            || rules.filters.iter().any(|filter| line.contains(filter.as_str()))
    };
    let lines = lines.get(first..)?.iter().filter(passes).map(|line| {
        let values = values(line, names.len(), &starts);
        let kept = values.into_iter().zip(&is_kept).filter(|(_, is_kept)| **is_kept);
        (*line, kept.map(|(value, _)| value).collect())
    });
    let lines: Vec<_> = lines.collect();
    let names = names.into_iter().zip(&is_kept).filter(|(_, is_kept)| **is_kept);
    let names: Vec<String> = names.map(|(name, _)| name).collect();
    Some(Table { names, lines })
}

/// Returns true if the cells of a line are separated by tabs or by several blanks.
fn is_wide(line: &str) -> bool {
    let line = line.trim();
    line.contains('\t') || line.contains("  ")
}

/// Returns the cells of a line with their offsets. In a wide line a single blank belongs to a cell.
fn cells(line: &str, is_wide: bool) -> Vec<(usize, &str)> {
    let mut cells = Vec::new();
    let mut start = None;
    let mut characters = line.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        let next_is_blank = characters.peek().is_none_or(|(_, next)| next.is_whitespace());
        let ends = c.is_whitespace() && (!is_wide || c == '\t' || next_is_blank);
        match (start, ends) {
            (None, false) if !c.is_whitespace() => start = Some(at),
            (Some(begin), true) => {
                cells.push((begin, line[begin..at].trim_end()));
                start = None;
            }
            _ => {}
        }
    }
    cells.extend(start.map(|begin| (begin, line[begin..].trim_end())));
    cells
}

/// Returns the values of a line. What is left over belongs to the last column.
fn values<'t>(line: &'t str, columns: usize, starts: &[usize]) -> Vec<&'t str> {
    let mut found = cells(line, is_wide(line));
    if found.len() != columns {
        found = cells(line, false);
    }
    if found.len() > columns {
        let last = columns.checked_sub(1).and_then(|last| found.get(last)).map(|(start, _)| *start);
        found.truncate(columns.saturating_sub(1));
        found.extend(last.map(|start| (start, line[start..].trim_end())));
    }
    if found.len() < columns && !starts.is_empty() {
        // Each value belongs to the column whose name begins nearest to it.
        let mut placed = vec![""; columns];
        for (start, value) in found {
            let nearest = (0..columns).min_by_key(|column| starts[*column].abs_diff(start));
            if let Some(column) = nearest {
                placed[column] = value;
            }
        }
        return placed;
    }
    let mut values: Vec<&str> = found.into_iter().map(|(_, value)| value).collect();
    values.resize(columns, "");
    values
}

/// Returns a name with `_` for other characters than letters, digits and `_`.
fn cleaned(name: &str) -> String {
    let clean = |c: char| if c.is_alphanumeric() || c == '_' { c } else { '_' };
    name.chars().map(clean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, rules: &Rules) -> String {
        let line = |table: &Table<'_>| {
            let rows: Vec<String> = table
                .lines
                .iter()
                .map(|(_, values)| {
                    let cells = table.names.iter().zip(values);
                    let cells = cells.map(|(name, value)| format!("{name}={value}"));
                    cells.collect::<Vec<_>>().join(" ")
                })
                .collect();
            rows.join("; ")
        };
        tables(text, rules).iter().map(line).collect::<Vec<_>>().join(" / ")
    }

    #[test]
    fn tables_are_read() {
        let plain = Rules { has_header: true, are_several: true, ..Rules::default() };
        let bare = Rules { has_header: false, ..plain.clone() };
        let second = Rules { header: Some(2), ..plain.clone() };
        let one = Rules { are_several: false, ..plain.clone() };
        let some = Rules { columns: vec!["b".into()], filters: vec!["2".into()], ..plain.clone() };
        for (rules, text, expected) in [
            (&plain, "a b\n1 2\n3 4", "a=1 b=2; a=3 b=4"),
            (&plain, "title\na b\n1 2", "a=1 b=2"),
            (
                &plain,
                "Local Address  State\n10.0.0.1:80    LISTEN",
                "Local_Address=10.0.0.1:80 State=LISTEN",
            ),
            (&plain, "PID CMD\n1 init now\n2", "PID=1 CMD=init now; PID=2 CMD="),
            (&plain, "a  b  c\n1     3", "a=1 b= c=3"),
            (&plain, "a b\n1 2\n\nc d\n3 4", "a=1 b=2 / c=3 d=4"),
            (&one, "a b\n1 2\n\n3 4", "a=1 b=2; a=3 b=4"),
            (&bare, "1 2\n3", "Column_1=1 Column_2=2; Column_1=3 Column_2="),
            (&second, "x\na b\n1 2", "a=1 b=2"),
            (&some, "a b\n1 2\n3 4", "b=2"),
            (&plain, "", ""),
            (&plain, "word", ""),
            (&second, "x", ""),
        ] {
            assert_eq!(shown(text, rules), expected, "{text}");
        }
    }
}
