//! Finds the rows of a lookup table that match given values.

use std::borrow::Cow;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::iter;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use ipnet::IpNet;
use spilltrail_event::{Value, wildcard_match};

use crate::context::{LookupTable, MatchType};

/// The default maximum number of matches (transforms.conf `max_matches`).
const MAX_MATCHES: usize = 1000;

/// The maximum number of combinations of multivalue keys that are tried for one row.
const MAX_COMBINATIONS: usize = 10_000;

/// The maximum number of matches for one row, over all values of its multivalue keys.
const MAX_FOUND: usize = 100_000;

/// The row after the last one of a list.
const NONE: u32 = u32::MAX;

/// The number of rows that got only some of their matches.
static CUT_OFF: AtomicU64 = AtomicU64::new(0);

/// Returns the number of rows, in this process, for which a lookup did not try all combinations of
/// their values, or did not keep all matches.
#[must_use]
pub fn rows_cut_off() -> u64 {
    CUT_OFF.load(Ordering::Relaxed)
}

/// An index of a lookup table for matching on some of its columns.
#[derive(Debug)]
pub(crate) struct Index {
    table: Arc<LookupTable>,
    /// The index and match type of each key column; `None` means an exact match.
    keys: Vec<(usize, Option<MatchType>)>,
    /// The first row of each combination of cells in the exactly matched columns.
    first: HashTable<u32>,
    /// For each row, the next one with the same cells; `NONE` after the last.
    next: Vec<u32>,
    /// Whether several rows have the same cells.
    has_equal_rows: bool,
    hasher: RandomState,
    /// For each key, the address block of each row; empty for keys that are not matched by CIDR.
    blocks: Vec<Vec<Option<IpNet>>>,
}

impl Index {
    /// Creates an index of the table for keys in these columns.
    pub(crate) fn new(table: Arc<LookupTable>, columns: Vec<usize>) -> Self {
        let keys: Vec<(usize, Option<MatchType>)> = columns
            .into_iter()
            .map(|column| (column, table.match_types.get(&table.columns[column]).copied()))
            .collect();
        let blocks = keys
            .iter()
            .map(|(column, how)| match how {
                Some(MatchType::Cidr) => {
                    table.rows.iter().map(|mut row| row.nth(*column).and_then(block)).collect()
                }
                _ => Vec::new(),
            })
            .collect();
        let mut index = Self {
            next: vec![NONE; table.rows.len()],
            first: HashTable::with_capacity(table.rows.len()),
            has_equal_rows: false,
            hasher: RandomState::new(),
            table,
            keys,
            blocks,
        };
        index.add_rows();
        index
    }

    fn add_rows(&mut self) {
        let mut first = std::mem::take(&mut self.first);
        // The last row comes first, so that each list begins with its first row.
        for number in (0..self.next.len()).rev() {
            let row = u32::try_from(number).expect("as many rows as `NONE` do not fit into memory");
            let is_equal = |other: &u32| {
                self.exact().all(|(_, column)| self.cell(row, column) == self.cell(*other, column))
            };
            let hash =
                |row: &u32| self.hash(self.exact().map(|(_, column)| self.cell(*row, column)));
            match first.entry(hash(&row), is_equal, hash) {
                Entry::Occupied(mut known) => {
                    let next = std::mem::replace(known.get_mut(), row);
                    self.next[number] = next;
                    self.has_equal_rows = true;
                }
                Entry::Vacant(new) => {
                    new.insert(row);
                }
            }
        }
        self.first = first;
    }

    /// Returns the exactly matched keys: their places among the keys, and their columns.
    fn exact(&self) -> impl Iterator<Item = (usize, usize)> {
        let keys = self.keys.iter().enumerate().filter(|(_, (_, how))| how.is_none());
        keys.map(|(place, (column, _))| (place, *column))
    }

    /// Returns a cell as it is compared.
    fn cell(&self, row: u32, column: usize) -> Cow<'_, str> {
        folded(self.table.rows.cell(row as usize, column), self.table.case_sensitive)
    }

    fn hash<'a>(&self, cells: impl Iterator<Item = Cow<'a, str>>) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        cells.for_each(|cell| cell.hash(&mut hasher));
        hasher.finish()
    }

    /// Returns the bytes that the index holds in memory besides the table.
    pub(crate) fn size(&self) -> usize {
        let blocks: usize = self.blocks.iter().map(Vec::capacity).sum();
        self.first.allocation_size()
            + self.next.capacity() * size_of::<u32>()
            + blocks * size_of::<Option<IpNet>>()
    }

    /// Returns the table.
    pub(crate) fn table(&self) -> &LookupTable {
        &self.table
    }

    /// Returns true if a key with single values may match several rows.
    pub(crate) fn gives_several(&self) -> bool {
        let limit = self.limit().max(self.table.min_matches);
        limit > 1
            && (self.table.min_matches > 1
                || self.keys.iter().any(|(_, how)| how.is_some())
                || self.has_equal_rows)
    }

    fn limit(&self) -> usize {
        if self.table.max_matches == 0 { MAX_MATCHES } else { self.table.max_matches }
    }

    /// Returns the indices of the rows that match `values`, which has one value per key. `None`
    /// stands for a missing match that the table replaces by its default value.
    ///
    /// The members of multivalues are looked up one by one. `max_matches` and `min_matches` count
    /// the matches of each (Splunk's Knowledge Manager Manual, "Add field matching rules"). The
    /// rows of one combination are in the order of the table. A null matches no row.
    pub(crate) fn matches(&self, values: &[Value<'_>]) -> Vec<Option<usize>> {
        let members: Vec<Vec<Cow<'_, str>>> = values.iter().map(Value::members).collect();
        let combinations: usize =
            members.iter().fold(1, |count, list| count.saturating_mul(list.len()));
        let mut found = Vec::new();
        if combinations == 0 {
            // A null has no members; the row counts as one value without a match.
            self.fill(0, &mut found);
        }
        let mut is_cut_off = combinations > MAX_COMBINATIONS;
        for combination in 0..combinations.min(MAX_COMBINATIONS) {
            // The number's digits, in a mixed radix, are indices into the members of the keys.
            let mut rest = combination;
            // The first key varies slowest, so the results are in the order of its values.
            let mut picked: Vec<&str> = Vec::with_capacity(members.len());
            for list in members.iter().rev() {
                picked.push(&list[rest % list.len()]);
                rest /= list.len();
            }
            picked.reverse();
            let before = found.len();
            self.add_matches(&picked, &mut found);
            self.fill(found.len() - before, &mut found);
            if found.len() >= MAX_FOUND {
                is_cut_off |= found.len() > MAX_FOUND || combination + 1 < combinations;
                found.truncate(MAX_FOUND);
                break;
            }
        }
        if is_cut_off {
            CUT_OFF.fetch_add(1, Ordering::Relaxed);
        }
        found
    }

    /// Adds the matches that one value with this number of matches is missing.
    fn fill(&self, matches: usize, found: &mut Vec<Option<usize>>) {
        if self.table.default_match.is_some() {
            let missing = self.table.min_matches.min(MAX_MATCHES).saturating_sub(matches);
            found.extend(std::iter::repeat_n(None, missing));
        }
    }

    fn add_matches(&self, values: &[&str], found: &mut Vec<Option<usize>>) {
        let sought = |key: usize| folded(values[key], self.table.case_sensitive);
        let is_equal =
            |row: &u32| self.exact().all(|(key, column)| self.cell(*row, column) == sought(key));
        let hash = self.hash(self.exact().map(|(key, _)| sought(key)));
        let rows = iter::successors(self.first.find(hash, is_equal), |row| {
            self.next.get(**row as usize).filter(|next| **next != NONE)
        });
        let rows = rows.map(|row| *row as usize);
        let fits = |row: &usize| (0..values.len()).all(|key| self.fits(key, *row, values[key]));
        found.extend(rows.filter(fits).take(self.limit()).map(Some));
    }

    /// Returns true if `value` matches the row's cell for this key.
    ///
    /// An exactly matched key always fits, because the rows were selected by it.
    fn fits(&self, key: usize, row: usize, value: &str) -> bool {
        let (column, how) = self.keys[key];
        let cell = self.table.rows.cell(row, column);
        match how {
            None => true,
            Some(MatchType::Wildcard) if self.table.case_sensitive => wildcard_match(cell, value),
            Some(MatchType::Wildcard) => {
                wildcard_match(&cell.to_lowercase(), &value.to_lowercase())
            }
            Some(MatchType::Cidr) => match (&self.blocks[key][row], value.trim().parse::<IpAddr>())
            {
                (Some(block), Ok(address)) => block.contains(&address),
                _ => cell == value,
            },
        }
    }
}

fn folded(text: &str, case_sensitive: bool) -> Cow<'_, str> {
    if case_sensitive { Cow::Borrowed(text) } else { Cow::Owned(text.to_lowercase()) }
}

/// Parses an address block, or a single address as a block.
fn block(cell: &str) -> Option<IpNet> {
    let cell = cell.trim();
    cell.parse().ok().or_else(|| cell.parse::<IpAddr>().ok().map(IpNet::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(columns: &[&str], rows: &[&[&str]]) -> LookupTable {
        let texts = |row: &[&str]| row.iter().map(|cell| (*cell).to_owned()).collect();
        LookupTable {
            columns: texts(columns),
            rows: rows.iter().map(|row| texts(row)).collect::<Vec<_>>().into(),
            case_sensitive: true,
            ..LookupTable::default()
        }
    }

    fn matches(table: &LookupTable, keys: &[usize], values: &[Value<'_>]) -> Vec<usize> {
        let found = Index::new(Arc::new(table.clone()), keys.to_vec()).matches(values);
        found.into_iter().flatten().collect()
    }

    fn multi(members: &[&'static str]) -> Value<'static> {
        Value::multi(members.iter().map(|member| Cow::Borrowed(*member)).collect())
    }

    #[test]
    fn exact_keys() {
        let mut table = table(&["a", "b"], &[&["x", "1"], &["y", "1"], &["x", "2"], &["X", "1"]]);
        assert_eq!(matches(&table, &[0], &[Value::text("x")]), [0, 2]);
        assert_eq!(matches(&table, &[0, 1], &[Value::text("x"), Value::Number(2.0)]), [2]);
        assert!(matches(&table, &[0, 1], &[Value::text("x"), Value::Null]).is_empty());
        assert_eq!(matches(&table, &[0], &[multi(&["y", "X", "z"])]), [1, 3]);
        table.case_sensitive = false;
        assert_eq!(matches(&table, &[0], &[Value::text("X")]), [0, 2, 3]);
        table.max_matches = 1;
        assert_eq!(matches(&table, &[0], &[Value::text("X")]), [0]);
    }

    #[test]
    fn wildcards_and_blocks() {
        let mut table = table(
            &["a", "n"],
            &[&["s3*", "10.0.0.0/8"], &["*", "2001:db8::/32"], &["e", "192.0.2.1"]],
        );
        table.match_types.insert("a".to_owned(), MatchType::Wildcard);
        table.match_types.insert("n".to_owned(), MatchType::Cidr);
        assert_eq!(matches(&table, &[0], &[Value::text("s3:Get")]), [0, 1]);
        assert_eq!(matches(&table, &[1], &[Value::text("10.1.2.3")]), [0]);
        assert_eq!(matches(&table, &[1], &[Value::text("2001:db8::7")]), [1]);
        assert_eq!(matches(&table, &[1], &[Value::text("192.0.2.1")]), [2]);
        assert!(matches(&table, &[1, 0], &[Value::text("10.1.2.3"), Value::text("e")]).is_empty());
    }

    /// The limits and the default value apply to each value of a multivalue.
    #[test]
    fn limits_count_for_each_value() {
        let rows: &[&[&str]] = &[&["a*", "10.0.0.0/8"], &["ab*", "10.1.0.0/16"], &["z", "::1"]];
        let mut table = table(&["word", "net"], rows);
        table.match_types.insert("word".to_owned(), MatchType::Wildcard);
        table.match_types.insert("net".to_owned(), MatchType::Cidr);
        table.default_match = Some("none".to_owned());
        let words = multi(&["abc", "q", "z"]);
        let addresses = multi(&["10.1.2.3", "192.0.2.1", "::1"]);
        for (max, min, found) in [
            (0, 0, vec![Some(0), Some(1), Some(2)]),
            (1, 0, vec![Some(0), Some(2)]),
            (1, 1, vec![Some(0), None, Some(2)]),
            (0, 2, vec![Some(0), Some(1), None, None, Some(2), None]),
        ] {
            (table.max_matches, table.min_matches) = (max, min);
            for (key, values) in [(0, &words), (1, &addresses)] {
                let index = Index::new(Arc::new(table.clone()), vec![key]);
                assert_eq!(index.matches(std::slice::from_ref(values)), found, "{max} {min} {key}");
            }
        }
    }

    #[test]
    fn rows_that_get_only_some_matches_are_counted() {
        let table = table(&["a", "b"], &[&["x", "y"]]);
        let many = multi(&vec!["q"; MAX_COMBINATIONS / 2 + 1]);
        let before = rows_cut_off();
        assert!(matches(&table, &[0, 1], &[many.clone(), multi(&["y"])]).is_empty());
        assert_eq!(rows_cut_off(), before);
        assert!(matches(&table, &[0, 1], &[many, multi(&["y", "z"])]).is_empty());
        assert_eq!(rows_cut_off(), before + 1);
    }

    #[test]
    fn whether_several_rows_can_match() {
        let mut unique = table(&["a"], &[&["x"], &["y"]]);
        assert!(!Index::new(Arc::new(unique.clone()), vec![0]).gives_several());
        unique.rows.push(["x"]);
        assert!(Index::new(Arc::new(unique.clone()), vec![0]).gives_several());
        unique.max_matches = 1;
        assert!(!Index::new(Arc::new(unique), vec![0]).gives_several());
    }
}
