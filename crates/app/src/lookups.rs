//! Lookups of a run: those that the content defines, and those that searches wrote.

use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use indexmap::IndexMap;
use spilltrail_content::{
    ContentSet, Lookup, LookupSource, MatchType as ContentMatch, common_lookup_name, lookup_names,
    lookup_stem,
};
use spilltrail_detect::lookup_meant;
use spilltrail_search::context::{LookupStore, LookupTable, MatchType, TableMemory, TableRows};

use crate::error::AppError;
use crate::kept_file;

/// The lookups of a run. `outputlookup` writes to a copy in memory, and also to a folder if one is
/// set.
#[derive(Debug)]
pub(crate) struct RunLookups {
    defined: Arc<IndexMap<String, Lookup>>,
    kept: Option<PathBuf>,
    /// What baselines wrote before the searches of the run.
    filled: Filled,
    /// Whether searches write for others, so that one that found nothing must not take rows away.
    keeps_rows: bool,
    written: Mutex<Written>,
    /// The tables that were read and that searches still hold, by the names in the searches.
    read: Arc<Mutex<HashMap<String, Weak<LookupTable>>>>,
}

/// Lookups that baselines filled, by the name that all of their names have in common.
pub(crate) type Filled = Arc<IndexMap<String, Table>>;

/// A table that a search wrote.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    /// The name by which it was written, without extension.
    stem: String,
    rows: Arc<LookupTable>,
}

/// What searches wrote.
#[derive(Debug, Default)]
struct Written {
    tables: IndexMap<String, Table>,
    /// How many rows the current search wrote to lookups; `None` for one that keeps its rows because the
    /// search wrote none.
    rows: IndexMap<String, Option<u64>>,
}

impl RunLookups {
    /// Returns the lookups of the content and those of the folder `kept`, which may be missing.
    ///
    /// # Errors
    /// Fails if `kept` is something other than a folder, or cannot be opened: the run would be one
    /// without the lookups of earlier runs.
    pub(crate) fn new(set: &ContentSet, kept: Option<PathBuf>) -> Result<Self, AppError> {
        if let Some(path) = &kept
            && let Err(error) = fs::read_dir(path)
            && error.kind() != ErrorKind::NotFound
        {
            let reason = format!("lookups cannot be kept there: {error}");
            return Err(AppError::File { path: path.clone(), reason });
        }
        let defined = Arc::new(set.lookups.clone());
        let (filled, written) = (Filled::default(), Mutex::default());
        Ok(Self { defined, kept, filled, keeps_rows: false, written, read: Arc::default() })
    }

    /// Adds what baselines filled.
    pub(crate) fn fill(&mut self, filled: Filled) {
        self.filled = filled;
    }

    /// Returns the number of rows that a search just wrote to a lookup; `None` if the search wrote none
    /// and the lookup keeps those that it had.
    pub(crate) fn rows_written(&self, name: &str) -> Option<u64> {
        let written = self.written().rows.get(self.key(name)).copied();
        match written {
            Some(rows) => rows,
            None if self.has_rows(name).unwrap_or(false) => None,
            None => Some(0),
        }
    }

    /// Returns what searches wrote so far.
    pub(crate) fn filled(&self) -> Filled {
        Arc::new(self.written().tables.clone())
    }

    /// Forgets what was written to which lookup: another search is about to write.
    pub(crate) fn next_search(&self) {
        self.written().rows.clear();
    }

    fn has_rows(&self, name: &str) -> Result<bool, String> {
        let key = self.key(name);
        let known = self.written().tables.get(key).map(|table| !table.rows.rows.is_empty());
        if let Some(has_rows) = known {
            return Ok(has_rows);
        }
        Ok(self.read(name)?.is_some_and(|table| !table.rows.is_empty()))
    }

    /// Returns the same lookups without the writes in memory, so that one detection does not see
    /// what another wrote there.
    pub(crate) fn fresh(&self) -> Self {
        Self {
            defined: self.defined.clone(),
            kept: self.kept.clone(),
            filled: self.filled.clone(),
            keeps_rows: self.keeps_rows,
            written: Mutex::default(),
            read: self.read.clone(),
        }
    }

    /// Returns lookups for searches that fill them: whichever writes no row leaves those of the lookup.
    pub(crate) fn to_fill(&self) -> Self {
        Self { keeps_rows: true, ..self.fresh() }
    }

    /// Reads the rows of a lookup into its empty table; returns `None` if nothing defines it.
    fn load(
        &self,
        name: &str,
        definition: Option<&Lookup>,
        mut table: LookupTable,
    ) -> Result<Option<LookupTable>, String> {
        if let Some(path) = self.kept_file(name)? {
            let mut kept =
                Lookup::of_csv(lookup_stem(name), LookupSource::File(path.clone()), &path);
            if let Some(definition) = definition {
                kept.match_type.clone_from(&definition.match_type);
            }
            let rows = kept.rows().map_err(|diagnostic| diagnostic.message)?;
            table.problems = kept.doubts(&rows);
            table.loses_text = rows.loses_text();
            (table.columns, table.rows) = (rows.fields, rows.rows);
            table.is_given = true;
            return Ok(Some(table));
        }
        let Some(definition) = definition else { return Ok(None) };
        table.is_given =
            matches!(definition.source, LookupSource::File(_) | LookupSource::Embedded(_));
        let rows = definition.rows().map_err(|diagnostic| diagnostic.message)?;
        table.problems = definition.doubts(&rows);
        table.loses_text = rows.loses_text();
        (table.columns, table.rows) = (rows.fields, rows.rows);
        Ok(Some(table))
    }

    fn held(&self) -> MutexGuard<'_, HashMap<String, Weak<LookupTable>>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the name that all names of a lookup have in common.
    fn key<'a>(&'a self, name: &'a str) -> &'a str {
        common_lookup_name(&self.defined, name)
    }

    /// Returns the definition with this name, or whose CSV file has this name.
    fn definition(&self, name: &str) -> Option<&Lookup> {
        let stem = lookup_stem(name);
        self.defined.get(name).or_else(|| self.defined.get(stem)).or_else(|| {
            self.defined.values().find(|lookup| match &lookup.source {
                LookupSource::File(path) => path.file_name().is_some_and(|file| file == name),
                _ => false,
            })
        })
    }

    /// Returns the file in the user's folder to which a lookup is written.
    fn kept_path(&self, name: &str) -> Result<Option<PathBuf>, String> {
        let Some(folder) = &self.kept else { return Ok(None) };
        let stem = self.key(name);
        if !is_plain(stem) {
            return Err(format!("`{name}` cannot be the name of a lookup's file"));
        }
        Ok(Some(folder.join(format!("{stem}.csv"))))
    }

    /// Returns the file in the user's folder from which a lookup is read, if there is one.
    fn kept_file(&self, name: &str) -> Result<Option<PathBuf>, String> {
        let Some(path) = self.kept_path(name)? else { return Ok(None) };
        // The user may have named a file after any of the lookup's names. Content that comes from a
        // stranger has some of them, which must not lead out of the folder.
        let names = lookup_names(&self.defined, name);
        let names = names.iter().filter(|name| is_plain(name));
        let others: Vec<PathBuf> =
            names.map(|name| path.with_file_name(format!("{name}.csv"))).collect();
        for path in std::iter::once(path).chain(others) {
            if path.try_exists().map_err(|error| error.to_string())? {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }
}

/// Returns true for a name that can be that of a file in the user's folder.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

/// Leaves out the columns that a collection with fields does not have.
fn fit(table: &mut LookupTable, definition: &Lookup) {
    if definition.fields.is_empty() || !matches!(definition.source, LookupSource::Collection(_)) {
        return;
    }
    let has = |column: &String| column.starts_with('_') || definition.fields.contains(column);
    let has: Vec<bool> = table.columns.iter().map(has).collect();
    if !has.contains(&true) {
        (table.columns, table.rows) = (definition.fields.clone(), TableRows::default());
    } else if has.contains(&false) {
        let places: Vec<usize> = (0..has.len()).filter(|place| has[*place]).collect();
        let kept = places.iter().map(|place| table.columns[*place].clone()).collect();
        let places: Vec<Option<usize>> = places.into_iter().map(Some).collect();
        (table.columns, table.rows) = (kept, table.rows.select(&places));
    }
}

fn table_of(definition: Option<&Lookup>) -> LookupTable {
    let Some(lookup) = definition else {
        return LookupTable { case_sensitive: true, max_matches: 1000, ..LookupTable::default() };
    };
    let match_types = lookup.match_type.iter().filter_map(|(field, kind)| {
        let kind = match kind {
            ContentMatch::Exact => return None,
            ContentMatch::Wildcard => MatchType::Wildcard,
            ContentMatch::Cidr => MatchType::Cidr,
        };
        Some((field.clone(), kind))
    });
    let count = |number: Option<u64>, default| {
        number.map_or(default, |number| usize::try_from(number).unwrap_or(usize::MAX))
    };
    LookupTable {
        columns: lookup.fields.clone(),
        rows: TableRows::default(),
        match_types: match_types.collect(),
        case_sensitive: lookup.case_sensitive_match,
        min_matches: count(lookup.min_matches, 0),
        max_matches: count(lookup.max_matches, 1000),
        default_match: lookup.default_match.clone(),
        is_given: false,
        problems: Vec::new(),
        loses_text: false,
        memory: TableMemory::default(),
    }
}

impl LookupStore for RunLookups {
    fn meant(&self, name: &str) -> Option<String> {
        lookup_meant(name, &self.defined).map(str::to_owned)
    }

    fn read(&self, name: &str) -> Result<Option<Arc<LookupTable>>, String> {
        let (stem, key) = (lookup_stem(name), self.key(name));
        let written = self.written().tables.get(key).or_else(|| self.filled.get(key)).cloned();
        let definition = self.definition(name);
        let table = table_of(definition);
        if let Some(written) = written {
            if written.stem == stem {
                return Ok(Some(written.rows));
            }
            // Each definition says how its values are matched.
            let LookupTable { columns, rows, .. } = Arc::unwrap_or_clone(written.rows);
            return Ok(Some(Arc::new(LookupTable { columns, rows, ..table })));
        }
        if let Some(table) = self.held().get(name).and_then(Weak::upgrade) {
            return Ok(Some(table));
        }
        let Some(table) = self.load(name, definition, table)? else { return Ok(None) };
        let table = Arc::new(table);
        self.held().insert(name.to_owned(), Arc::downgrade(&table));
        Ok(Some(table))
    }

    fn write(&self, name: &str, mut table: LookupTable) -> Result<(), String> {
        let key = self.key(name).to_owned();
        if let Some(definition) = self.definition(name) {
            fit(&mut table, definition);
        }
        if self.keeps_rows && table.rows.is_empty() && self.has_rows(name)? {
            self.written().rows.insert(key, None);
            return Ok(());
        }
        if let Some(path) = self.kept_path(name)? {
            let written = kept_file::replace(&path, &table.columns, &table.rows);
            written.map_err(|error| format!("{}: {error}", path.display()))?;
            self.held().clear();
        }
        let how = table_of(self.definition(name));
        let rows = Arc::new(LookupTable { columns: table.columns, rows: table.rows, ..how });
        let mut written = self.written();
        written.rows.insert(key.clone(), Some(rows.rows.len() as u64));
        written.tables.insert(key, Table { stem: lookup_stem(name).to_owned(), rows });
        Ok(())
    }
}
