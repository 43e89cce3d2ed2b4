//! Lookups for the eval function lookup().

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use spilltrail_diagnostic::{Span, Spanned};
use spilltrail_eval::LookupProvider;
use spilltrail_event::Value;

use super::{Index, find};
use crate::context::{Purpose, SearchContext};
use crate::error::lock;

/// A lookup's name and the columns that are matched.
type Key = (String, Vec<String>);

/// The lookups of a search, each prepared once for the columns that are matched.
pub(crate) struct Lookups {
    context: SearchContext,
    prepared: Mutex<HashMap<Key, Option<Arc<Index>>>>,
}

impl Lookups {
    /// Returns the lookups of the search.
    pub(crate) fn new(context: &SearchContext) -> Self {
        Self { context: context.clone(), prepared: Mutex::default() }
    }

    fn prepared(&self, table: &str, columns: Vec<String>) -> Option<Arc<Index>> {
        let key = (table.to_owned(), columns);
        let mut prepared = lock(&self.prepared);
        if let Some(known) = prepared.get(&key) {
            return known.clone();
        }
        let index = self.index(table, &key.1).map(Arc::new);
        prepared.insert(key, index.clone());
        index
    }

    fn index(&self, table: &str, columns: &[String]) -> Option<Index> {
        let name = Spanned::new(table.to_owned(), Span::default());
        let table = find(&name, &self.context).ok()?.table?;
        self.context.observations.lookup(&name.value, &table, Purpose::Used);
        let places = columns
            .iter()
            .map(|column| table.columns.iter().position(|known| known == column))
            .collect::<Option<Vec<usize>>>()?;
        Some(Index::new(table, places))
    }
}

impl fmt::Debug for Lookups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookups").finish_non_exhaustive()
    }
}

impl LookupProvider for Lookups {
    fn contains(&self, table: &str) -> bool {
        let name = Spanned::new(table.to_owned(), Span::default());
        find(&name, &self.context).is_ok_and(|found| found.table.is_some())
    }

    fn rows(
        &self,
        table: &str,
        input: &[(String, String)],
        output: &[String],
    ) -> Vec<Vec<Option<String>>> {
        let columns = input.iter().map(|(column, _)| column.clone()).collect();
        let Some(index) = self.prepared(table, columns) else { return Vec::new() };
        let values: Vec<Value<'_>> =
            input.iter().map(|(_, value)| Value::text(value.as_str())).collect();
        let table = index.table();
        let place = |name: &String| table.columns.iter().position(|known| known == name);
        let places: Vec<Option<usize>> = output.iter().map(place).collect();
        index
            .matches(&values)
            .into_iter()
            .map(|row| {
                let cell = |place: &Option<usize>| table.rows[row].get((*place)?).cloned();
                places.iter().map(cell).collect()
            })
            .collect()
    }
}
