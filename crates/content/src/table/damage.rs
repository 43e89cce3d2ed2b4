//! What lines of a table cannot mean: each kind of damage is told at its first line, with the number of
//! lines.

use spilltrail_diagnostic::Span;

use super::TableProblem;

/// A kind of damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Damage {
    /// The record has more values than the table has columns.
    Long(usize),
    /// The record has fewer values than the table has columns.
    Short(usize),
    /// The record is one value of several lines, each of which has a value for every column.
    Merged(usize),
    /// Text follows the quote that closes a value.
    Behind,
    /// A blank is before the quote that should open a value.
    Blank,
    /// A quote opens a value and is never closed.
    Open,
    /// A character that no text has.
    Nul,
    /// A mark of the byte order that is not at the beginning.
    Mark,
}

impl Damage {
    fn message(self, n_columns: usize) -> String {
        let columns = counted(n_columns, "column");
        match self {
            Self::Long(values) => {
                let values = counted(values, "value");
                format!("the line has {values} for {columns}: the last ones are left out")
            }
            Self::Short(values) => {
                let values = counted(values, "value");
                format!("the line has {values} for {columns}: the last ones are empty")
            }
            Self::Merged(lines) => {
                format!("quotes make one value of text that looks like {lines} rows")
            }
            Self::Behind => "text follows the quote that closes a value".to_owned(),
            Self::Blank => "a blank is before a quote, which opens no value then".to_owned(),
            Self::Open => "a quote is never closed: all that follows is one value".to_owned(),
            Self::Nul => "the line has a NUL character".to_owned(),
            Self::Mark => "the line has a byte order mark, which cannot be seen".to_owned(),
        }
    }

    fn help(self) -> &'static str {
        match self {
            Self::Long(_) => "put a value with a comma into double quotes, or name another column",
            Self::Short(_) => "write a comma for each value that is empty",
            Self::Merged(_) => "remove the quotes, or double each quote inside a value in quotes",
            Self::Behind => "double a quote inside a value in quotes",
            Self::Blank => "remove the blank",
            Self::Open => "close it, or double it inside a value in quotes",
            Self::Nul => "remove it, or save the table as UTF-8",
            Self::Mark => "remove it: a value with it is another value than one without",
        }
    }

    /// Returns whether the whole line is shown, and not a character of it.
    fn is_of_line(self) -> bool {
        matches!(self, Self::Long(_) | Self::Short(_))
    }
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// The damage in a table: the first of each kind with its place, and how many there are.
#[derive(Debug, Default)]
pub(super) struct Found(Vec<(Damage, usize, usize)>);

impl Found {
    fn add(&mut self, damage: Damage, place: usize) {
        let kind = std::mem::discriminant(&damage);
        match self.0.iter_mut().find(|(known, ..)| std::mem::discriminant(known) == kind) {
            Some((.., count)) => *count += 1,
            None => self.0.push((damage, place, 1)),
        }
    }

    /// Adds the damage in the text of a record that begins at `start`. It has `values`, of which the
    /// last is not empty, or, in the header, as many as there are columns.
    pub(super) fn record(&mut self, text: &str, start: usize, values: Values, n_columns: usize) {
        // The reader's place of a record is before the line end and the empty lines that it skips.
        let record = text.trim_start_matches(['\r', '\n']);
        let start = start + text.len() - record.len();
        let record = record.trim_end_matches(['\r', '\n']);
        if let Some(place) = record.find('\0') {
            self.add(Damage::Nul, start + place);
        }
        if let Some(place) = record.find('\u{feff}') {
            self.add(Damage::Mark, start + place);
        }
        let sign = if record.contains('"') { sign(record, n_columns) } else { None };
        if let Some((damage, place)) = sign {
            self.add(damage, start + place);
        } else if values.filled > n_columns && n_columns > 0 {
            self.add(Damage::Long(values.filled), start);
        } else if values.all < n_columns && !record.trim().is_empty() {
            self.add(Damage::Short(values.all), start);
        }
    }

    /// Returns what is told of the table.
    pub(super) fn problems(self, text: &str, n_columns: usize) -> Vec<TableProblem> {
        let problem = |(damage, place, count): (Damage, usize, usize)| {
            let more = match count - 1 {
                0 => String::new(),
                1 => ", and so has 1 more line".to_owned(),
                more => format!(", and so have {more} more lines"),
            };
            let shown = text.get(place..).unwrap_or_default();
            let length = if damage.is_of_line() {
                shown.split('\n').next().unwrap_or_default().trim_end().len()
            } else {
                shown.chars().next().map_or(0, char::len_utf8)
            };
            TableProblem {
                line: line_at(text, place),
                span: Span::new(place, place + length),
                message: format!("{}{more}", damage.message(n_columns)),
                help: damage.help(),
                loses_text: matches!(damage, Damage::Long(_) | Damage::Behind | Damage::Open),
            }
        };
        self.0.into_iter().map(problem).collect()
    }
}

/// The number of a record's values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Values {
    pub(super) all: usize,
    /// Without those at the end that are empty and beyond the last column.
    pub(super) filled: usize,
}

/// Returns the line of a place, counted from one.
pub(super) fn line_at(text: &str, place: usize) -> u64 {
    text.get(..place).unwrap_or_default().matches('\n').count() as u64 + 1
}

/// Where a reader of CSV is in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// At the beginning of a value.
    First,
    /// Behind blanks at the beginning of a value.
    Blanks,
    /// In a value without quotes.
    Plain,
    /// In a value in quotes, with the place of the quote.
    Quoted(usize),
    /// Behind the quote that closes a value.
    Closed,
}

/// Returns the first sign in a record that its quotes are not meant as they are read.
fn sign(record: &str, n_columns: usize) -> Option<(Damage, usize)> {
    let mut state = State::First;
    let mut opened = None;
    let mut rest = record.char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        state = match (state, c) {
            (State::Quoted(_), '"') if rest.peek().is_some_and(|(_, next)| *next == '"') => {
                rest.next();
                state
            }
            (State::Quoted(_), '"') => State::Closed,
            (State::Quoted(place), '\n') => {
                opened.get_or_insert(place);
                state
            }
            (State::Quoted(_), _) => state,
            (_, ',') => State::First,
            (State::First, '"') => State::Quoted(at),
            (State::Blanks, '"') => return Some((Damage::Blank, at)),
            (State::First | State::Blanks, ' ' | '\t') => State::Blanks,
            (State::Closed, c) if c.is_whitespace() => State::Closed,
            (State::Closed, _) => return Some((Damage::Behind, at)),
            _ => State::Plain,
        };
    }
    if let State::Quoted(place) = state {
        return Some((Damage::Open, place));
    }
    let place = opened?;
    let looks_like_row = |line: &str| line.split(',').count() == n_columns && !line.contains(", ");
    // What people write has blanks behind its commas.
    let are_rows = n_columns > 1 && record.lines().all(looks_like_row);
    are_rows.then(|| (Damage::Merged(record.lines().count()), place))
}
