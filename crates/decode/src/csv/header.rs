//! Recognizes a table by its first line.

use super::Table;
use super::cells::{Cells, Step};
use super::columns::Columns;

/// The separators between cells; of those that give equally many cells, the first one counts.
const DELIMITERS: [u8; 3] = [b',', b'\t', b';'];

/// The longest name of a column, and the most words in it, in a header without known names.
const LONGEST_NAME: usize = 64;
const MOST_WORDS: usize = 4;

/// Returns the table that a text begins, or `None` if it is none; `is_whole` means that `head` is
/// all of the text.
///
/// A header has names of CloudTrail's columns or one of a column of whole events. Any other first
/// line is a header if its cells are distinct names of a few words, at least two of them, and the
/// next line has as many cells.
pub(crate) fn recognize(head: &[u8], is_whole: bool) -> Option<Table> {
    let end = memchr::memchr2(b'\n', b'\r', head).or_else(|| is_whole.then_some(head.len()))?;
    let rest = &head[end..];
    let breaks = rest.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
    let line = std::str::from_utf8(&head[..end]).ok()?;
    let (delimiter, names) = split(line)?;
    let mut rows = &rest[breaks..];
    let columns = Columns::new(&names);
    if columns.are_known() {
        // Lines of JSON after one word are read as JSON, which may have commas outside of quotes.
        if names.len() == 1 && matches!(rows.first(), Some(b'{' | b'[')) {
            return None;
        }
    } else {
        while matches!(rows.first(), Some(b'\n' | b'\r')) {
            rows = &rows[1..];
        }
        if !are_plausible(&names)
            || cells_of_first(rows, delimiter, names.len(), is_whole)? != names.len()
        {
            return None;
        }
    }
    Some(Table {
        delimiter,
        header: end + breaks,
        line: 1 + memchr::memchr_iter(b'\n', &rest[..breaks]).count() as u64,
        cells: Cells::new(delimiter),
        others: Cells::new(delimiter),
        is_skipping: false,
        columns,
    })
}

/// Splits a header by the separator that gives the most names.
fn split(line: &str) -> Option<(u8, Vec<String>)> {
    let mut best: Option<(u8, Vec<String>)> = None;
    for delimiter in DELIMITERS {
        let mut cells = Cells::new(delimiter);
        if !matches!(cells.run(line.as_bytes(), true), Step::Row(_)) {
            continue;
        }
        // A separator at the end of the line does not begin another column.
        let names = (0..cells.count(1)).map(|index| cells.get(index).trim().to_owned());
        let names: Vec<String> = names.collect();
        if best.as_ref().is_none_or(|(_, most)| names.len() > most.len()) {
            best = Some((delimiter, names));
        }
    }
    best
}

fn are_plausible(names: &[String]) -> bool {
    let is_new = |(index, name): (usize, &String)| !names[..index].contains(name);
    names.len() >= 2
        && names.iter().all(|name| is_plausible(name))
        && names.iter().enumerate().all(is_new)
}

/// Returns true for a short name that begins with a letter and has no marks of sentences in it.
fn is_plausible(name: &str) -> bool {
    // `items{}.id` is what Splunk names a field of an array.
    let name = name.replace("{}", "");
    let is_start = |c: char| c.is_alphabetic() || matches!(c, '_' | '@' | '#');
    let is_part = |c: char| c.is_alphanumeric() || " _-./@#:()%".contains(c);
    name.len() <= LONGEST_NAME
        && name.split_whitespace().count() <= MOST_WORDS
        && name.chars().next().is_some_and(is_start)
        && name.chars().all(is_part)
        && !name.ends_with(['.', ':'])
}

/// Returns the number of cells in the first row of a table of this width, or `None` if it does not end in `rows`.
fn cells_of_first(rows: &[u8], delimiter: u8, width: usize, is_whole: bool) -> Option<usize> {
    let mut cells = Cells::new(delimiter);
    match cells.run(rows, is_whole) {
        Step::Row(_) => Some(cells.count(width)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_known_by_its_names() {
        for (text, columns) in [
            ("Event name,Event time\nListBuckets,x\n", Some(2)),
            ("\"eventversion\",\"useridentity\",\"eventname\"\r\n", Some(3)),
            ("_raw\n\"{}\"\n", Some(1)),
            ("_time\t_raw\n1\tx\n", Some(2)),
            ("eventJson\n", Some(1)),
            ("@timestamp,@message\n1,x\n", Some(2)),
            ("user,count\nann,1\n", Some(2)),
            ("user;count;\nann;1;\n", Some(2)),
            ("user,values(x),items{}.id\nann,1,2", Some(3)),
            // No line follows, or one with other cells.
            ("user,count\n", None),
            ("user,count\nann\n", None),
            ("user,count\nann,1,2\n", None),
            // One column, equal names, no names, sentences, and other formats.
            ("user\nann\n", None),
            ("user,user\nann,1\n", None),
            ("user,,count\nann,1,2\n", None),
            ("Dear Bob, thanks for all the fish.\nBest regards, Ann\n", None),
            ("Thanks for the note and the fish, Bob\nBest regards, Ann\n", None),
            ("2026-03-17,ann,1\n2026-03-18,bob,2\n", None),
            ("<a b=\"c\">,<d>\n<e>,<f>\n", None),
            ("_raw\n{\"a\":1}\n", None),
            ("\"{\\\"a\\\":1,\\\"b\\\":2}\"\n\"{\\\"a\\\":1,\\\"b\\\":2}\"\n", None),
            ("", None),
        ] {
            let found = recognize(text.as_bytes(), true).map(|table| table.width());
            assert_eq!(found, columns, "{text}");
        }
    }
}
