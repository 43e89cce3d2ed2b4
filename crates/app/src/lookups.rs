//! Lookups of a run: those that the content defines, and those that searches wrote.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use indexmap::IndexMap;
use spilltrail_content::{
    ContentSet, Lookup, LookupSource, MatchType as ContentMatch, lookup_stem,
};
use spilltrail_search::context::{LookupStore, LookupTable, MatchType};

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
    written: Mutex<IndexMap<String, Arc<LookupTable>>>,
}

/// Lookups that baselines filled, by name without extension.
pub(crate) type Filled = Arc<IndexMap<String, Arc<LookupTable>>>;

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
        Ok(Self { defined, kept, filled: Filled::default(), written: Mutex::default() })
    }

    /// Adds what baselines filled.
    pub(crate) fn fill(&mut self, filled: Filled) {
        self.filled = filled;
    }

    /// Returns the number of rows that searches wrote to a lookup.
    pub(crate) fn rows_written(&self, name: &str) -> u64 {
        let stem = lookup_stem(name);
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.get(stem).map_or(0, |table| table.rows.len() as u64)
    }

    /// Returns what searches wrote so far.
    pub(crate) fn filled(&self) -> Filled {
        Arc::new(self.written.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Returns the same lookups without the writes in memory, so that one detection does not see
    /// what another wrote there.
    pub(crate) fn fresh(&self) -> Self {
        Self {
            defined: self.defined.clone(),
            kept: self.kept.clone(),
            filled: self.filled.clone(),
            written: Mutex::default(),
        }
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

    fn kept_path(&self, name: &str) -> Result<Option<PathBuf>, String> {
        let Some(folder) = &self.kept else { return Ok(None) };
        let stem = lookup_stem(name);
        let is_plain = !stem.is_empty()
            && !stem.starts_with('.')
            && stem.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'));
        if !is_plain {
            return Err(format!("`{name}` cannot be the name of a lookup's file"));
        }
        Ok(Some(folder.join(format!("{stem}.csv"))))
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
        rows: Vec::new(),
        match_types: match_types.collect(),
        case_sensitive: lookup.case_sensitive_match,
        min_matches: count(lookup.min_matches, 0),
        max_matches: count(lookup.max_matches, 1000),
        default_match: lookup.default_match.clone(),
        is_given: false,
    }
}

impl LookupStore for RunLookups {
    fn read(&self, name: &str) -> Result<Option<Arc<LookupTable>>, String> {
        let stem = lookup_stem(name);
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(table) = written.get(stem).or_else(|| self.filled.get(stem)) {
            return Ok(Some(table.clone()));
        }
        drop(written);
        let definition = self.definition(name);
        let mut table = table_of(definition);
        if let Some(path) = self.kept_path(name)?
            && path.try_exists().map_err(|error| error.to_string())?
        {
            let kept = Lookup::of_csv(stem, LookupSource::File(path.clone()), &path);
            let rows = kept.rows().map_err(|diagnostic| diagnostic.message)?;
            (table.columns, table.rows) = (rows.fields, rows.rows);
            table.is_given = true;
            return Ok(Some(Arc::new(table)));
        }
        let Some(definition) = definition else { return Ok(None) };
        table.is_given =
            matches!(definition.source, LookupSource::File(_) | LookupSource::Embedded(_));
        let rows = definition.rows().map_err(|diagnostic| diagnostic.message)?;
        (table.columns, table.rows) = (rows.fields, rows.rows);
        Ok(Some(Arc::new(table)))
    }

    fn write(&self, name: &str, table: LookupTable) -> Result<(), String> {
        if let Some(path) = self.kept_path(name)? {
            let written = kept_file::replace(&path, &table.columns, &table.rows);
            written.map_err(|error| format!("{}: {error}", path.display()))?;
        }
        let stem = lookup_stem(name);
        let how = table_of(self.definition(name));
        let table = LookupTable { columns: table.columns, rows: table.rows, ..how };
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.insert(stem.to_owned(), Arc::new(table));
        Ok(())
    }
}
