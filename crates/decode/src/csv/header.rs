//! Recognizes a table by its first line.

use super::Table;
use super::cells::{Cells, Step};
use super::columns::Columns;

/// The separators between cells; of those that give equally many cells, the first one counts.
const DELIMITERS: [u8; 4] = [b',', b'\t', b';', b'|'];

/// The longest name of a column, and the most words in it, in a header without known names.
const LONGEST_NAME: usize = 64;
const MOST_WORDS: usize = 4;
/// The longest name of one word: the keys of nested objects, joined.
const LONGEST_WORD: usize = 512;

/// The number of lines that may stand above a header: titles and comments.
const MOST_LINES_ABOVE: usize = 20;

/// Returns the table that a text begins, or `None` if it is none; `is_whole` means that `head` is
/// all of the text.
///
/// A header has names of CloudTrail's columns or one of a column of whole events. Any other first
/// line is a header if its cells are distinct names of a few words, at least two of them, and the
/// next line has as many cells. A header below other lines needs several known names. Excel's
/// `sep=;` names the separator.
pub(crate) fn recognize(head: &[u8], is_whole: bool) -> Option<Table> {
    let start = first_line(head, is_whole);
    let named = head.get(..start).and_then(named_delimiter);
    if let Some(table) = begin(head, start, named, is_whole, false) {
        return Some(table);
    }
    let mut at = 0;
    let mut unread = 0;
    for _ in 0..MOST_LINES_ABOVE {
        let end = at + memchr::memchr2(b'\n', b'\r', &head[at..])?;
        let above = &head[at..end];
        at = end + head[end..].iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        let named = named_delimiter(above);
        unread += u64::from(named.is_none() && is_like_row(above));
        if let Some(mut table) = begin(head, at, named, is_whole, true) {
            table.unread_above = unread;
            return Some(table);
        }
    }
    None
}

/// Returns the length of a first line that names the separator, with its line end; 0 for any other.
fn first_line(head: &[u8], is_whole: bool) -> usize {
    let end = memchr::memchr2(b'\n', b'\r', head).or_else(|| is_whole.then_some(head.len()));
    let Some(end) = end.filter(|end| named_delimiter(&head[..*end]).is_some()) else { return 0 };
    end + head[end..].iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count()
}

/// Returns the separator that a line such as `sep=;` names, as Excel reads and writes it.
pub(super) fn named_delimiter(line: &[u8]) -> Option<u8> {
    let line = line.strip_prefix(&MARK).unwrap_or(line);
    // A separator of blanks is part of the name.
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = line.strip_prefix(b"\"").and_then(|l| l.strip_suffix(b"\"")).unwrap_or(line);
    let (name, delimiter) = line.split_at_checked(4)?;
    match delimiter {
        [byte] if name.eq_ignore_ascii_case(b"sep=") && byte.is_ascii() => Some(*byte),
        _ => None,
    }
}

/// Returns true for a line that has several cells with something in them, or JSON: no title.
fn is_like_row(line: &[u8]) -> bool {
    let most = DELIMITERS.iter().map(|delimiter| {
        let cells = line.split(|byte| byte == delimiter);
        cells.filter(|cell| !cell.trim_ascii().is_empty()).count()
    });
    line.contains(&b'{') || most.max().unwrap_or_default() > MOST_WORDS
}

/// Returns the table whose header stands at `start`; `is_below` means that lines stand above it.
fn begin(
    head: &[u8],
    start: usize,
    named: Option<u8>,
    is_whole: bool,
    is_below: bool,
) -> Option<Table> {
    let text = &head[start..];
    let end = memchr::memchr2(b'\n', b'\r', text).or_else(|| is_whole.then_some(text.len()))?;
    let rest = &text[end..];
    let breaks = rest.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
    let Header { delimiter, names } = Header::of(&text[..end], named)?;
    let mut rows = &rest[breaks..];
    let columns = Columns::new(&names);
    let is_followed = |rows: &[u8]| {
        let count = cells_of_first(rows, delimiter, names.len(), is_whole);
        count == Some(names.len())
    };
    if is_below && !(are_telling(&names, &columns) && is_followed(rows)) {
        return None;
    }
    if columns.are_known() {
        // Lines of JSON after one word are read as JSON, which may have commas outside of quotes.
        if names.len() == 1 && matches!(rows.first(), Some(b'{' | b'[')) {
            return None;
        }
        // A line under the header is drawn where cells are padded, and split over several lines.
        if is_ruler(rows) {
            return None;
        }
    } else {
        while matches!(rows.first(), Some(b'\n' | b'\r')) {
            rows = &rows[1..];
        }
        // Pages of text have tables of bars.
        if delimiter == b'|' || !are_plausible(&names) || !is_followed(rows) {
            return None;
        }
    }
    let header = start + end + breaks;
    Some(Table {
        delimiter,
        header,
        line: 1 + memchr::memchr_iter(b'\n', &head[..header]).count() as u64,
        cells: Cells::new(delimiter),
        others: Cells::new(delimiter),
        is_skipping: false,
        unread_above: 0,
        names,
        columns,
    })
}

/// Returns true for a line of nothing but dashes and what separates columns.
fn is_ruler(rows: &[u8]) -> bool {
    let line = &rows[..memchr::memchr2(b'\n', b'\r', rows).unwrap_or(rows.len())];
    let is_mark = |byte: &u8| matches!(byte, b'-' | b'=' | b'+' | b'|' | b':' | b' ');
    line.len() > 2 && line.iter().all(is_mark)
}

/// A byte order mark.
pub(super) const MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// The names in a line, and what separates them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) delimiter: u8,
    pub(super) names: Vec<String>,
}

impl Header {
    /// Splits a line by a separator, by default the one that gives the most names.
    pub(super) fn of(line: &[u8], named: Option<u8>) -> Option<Self> {
        let line = line.strip_prefix(&MARK).unwrap_or(line);
        let (delimiter, names) = split(std::str::from_utf8(line).ok()?, named)?;
        Some(Self { delimiter, names })
    }
}

/// Returns true if the names can be nothing but those of columns of events.
pub(super) fn are_telling(names: &[String], columns: &Columns) -> bool {
    let is_telling = columns.are_cloudtrail && columns.count_members() >= 3;
    are_plausible(names) && (is_telling || columns.whole.is_some())
}

/// Splits a header by a separator, or else by the one that gives the most names.
fn split(line: &str, named: Option<u8>) -> Option<(u8, Vec<String>)> {
    let mut best: Option<(u8, Vec<String>)> = None;
    let named = named.as_slice();
    for delimiter in if named.is_empty() { &DELIMITERS[..] } else { named }.iter().copied() {
        let mut cells = Cells::new(delimiter);
        if !matches!(cells.run(line.as_bytes(), true), Step::Row(_)) {
            continue;
        }
        // A separator at the end of the line does not begin another column.
        let names = (0..cells.count(1)).map(|index| name_in(&cells.get(index)));
        let names: Vec<String> = names.collect();
        if best.as_ref().is_none_or(|(_, most)| names.len() > most.len()) {
            best = Some((delimiter, names));
        }
    }
    best
}

/// Returns the name in a cell without what Excel writes for control characters, as in `name_x000D_`.
fn name_in(cell: &str) -> String {
    const CONTROLS: [&str; 5] = ["_x0000_", "_x0009_", "_x000A_", "_x000D_", "\0"];
    let mut name = cell.to_owned();
    for control in CONTROLS {
        if name.contains(control) {
            name = name.replace(control, "");
        }
    }
    name.trim().to_owned()
}

pub(super) fn are_plausible(names: &[String]) -> bool {
    let is_new = |(index, name): (usize, &String)| !names[..index].contains(name);
    names.len() >= 2
        && names.iter().all(|name| is_plausible(name))
        && names.iter().enumerate().all(is_new)
}

/// Returns true for a short name that begins with a letter and has no marks of sentences in it.
pub(super) fn is_plausible(name: &str) -> bool {
    // `items{}.id` is what Splunk names a field of an array.
    let name = name.replace("{}", "");
    let is_start = |c: char| c.is_alphabetic() || matches!(c, '_' | '@' | '#');
    let is_part = |c: char| c.is_alphanumeric() || " _-./@#:()%".contains(c);
    let words = name.split_whitespace().count();
    name.len() <= if words == 1 { LONGEST_WORD } else { LONGEST_NAME }
        && words <= MOST_WORDS
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
    fn long_names() {
        let key = "aws.cloudtrail.flattened.request_parameters.".repeat(4);
        for (name, is_name) in [
            (format!("{key}items"), true),
            ("x".repeat(512), true),
            ("x".repeat(513), false),
            ("word ".repeat(3), true),
            (format!("{} and more", "x".repeat(60)), false),
        ] {
            let text = format!("time,{}\n1,2\n", name.trim());
            assert_eq!(recognize(text.as_bytes(), true).is_some(), is_name, "{text}");
        }
    }

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
            // Excel's line and its controls, and other separators.
            ("eventName_x0000_,event_x000D_Time\nA,0\n", Some(2)),
            ("sep=,\r\nuser,count\r\nann,1\r\n", Some(2)),
            ("SEP=;\na b;c\n1,2;3\n", Some(2)),
            ("\"sep=|\"\neventName|eventTime\n", Some(2)),
            ("eventName|eventTime|x\nA|0|1\n", Some(3)),
            ("user|count\nann|1\n", None),
            // Lines above a header with known names.
            ("Export of trail, 2026\n\neventName,eventTime,awsRegion\nA,0,r\n", Some(3)),
            ("# one\n# two\n\"_raw\",x\n\"{}\",1\n", Some(2)),
            ("Export\nsep=;\neventName;eventTime;awsRegion\nA;0;r\n", Some(3)),
            ("Export\neventName,eventTime\nA,0\n", None),
            ("Export\nuser,count\nann,1\n", None),
            ("Names:\neventName,eventTime,awsRegion\nare names.\n", None),
            // Tables that are drawn.
            ("eventName | eventTime | awsRegion\n----------+-----------+----\n A | 0 | r\n", None),
            ("|eventName|eventTime|\n|---|---|\n|A|0|\n", None),
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
