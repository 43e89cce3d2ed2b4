//! Provides lookup tables to the eval function `lookup()`.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use spilltrail_diagnostic::{Diagnostic, Spanned};
use spilltrail_eval::LookupProvider;
use spilltrail_event::Value;
use spilltrail_spl::{EvalExpr, EvalNode};

use super::{CarriedTable, Index, find};
use crate::context::{Purpose, SearchContext};
use crate::error::lock;

/// A lookup's name and the names of the columns to match.
type Key = (String, Vec<String>);

/// The tables that an expression names, as they were when the search was planned. Each table is
/// indexed once per set of columns to match.
#[derive(Debug)]
pub(crate) struct Lookups {
    tables: BTreeMap<String, CarriedTable>,
    prepared: Mutex<HashMap<Key, Option<Arc<Index>>>>,
}

impl Lookups {
    /// Creates lookups from tables by name.
    pub(crate) fn new(tables: BTreeMap<String, CarriedTable>) -> Self {
        Self { tables, prepared: Mutex::default() }
    }

    /// Returns the tables that an expression names, and adds them to the observed lookups.
    ///
    /// # Errors
    /// Fails if a table cannot be read, or has no room in memory.
    pub(crate) fn of(expression: &EvalExpr, context: &SearchContext) -> Result<Self, Diagnostic> {
        let lookups = Self::named_in(expression, context)?;
        for (name, table) in &lookups.tables {
            context.observations.lookup(name, None, Some(table.table()), Purpose::Used);
        }
        Ok(lookups)
    }

    /// Returns the tables that an expression names; missing tables are skipped.
    ///
    /// # Errors
    /// As [`Lookups::of`].
    pub(crate) fn named_in(
        expression: &EvalExpr,
        context: &SearchContext,
    ) -> Result<Self, Diagnostic> {
        let mut tables: BTreeMap<String, CarriedTable> = BTreeMap::new();
        let mut failed = None;
        expression.walk(&mut |part| {
            // The name of the table is always a literal.
            if let EvalNode::Call { name, arguments } = &part.node
                && name.value == "lookup"
                && let Some(EvalExpr { node: EvalNode::Text(table), span }) = arguments.first()
                && !tables.contains_key(table)
            {
                let name = Spanned::new(table.clone(), *span);
                match find(&name, context).map(|found| found.table) {
                    Ok(Some(table)) => {
                        tables.insert(name.value, CarriedTable::from(table));
                    }
                    Ok(None) => {}
                    Err(error) => failed = failed.take().or(Some(error)),
                }
            }
        });
        failed.map_or(Ok(Self::new(tables)), Err)
    }

    /// Returns the tables by name.
    pub(crate) fn tables(&self) -> &BTreeMap<String, CarriedTable> {
        &self.tables
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
        let table = self.tables.get(table)?;
        let places = columns
            .iter()
            .map(|column| table.columns.iter().position(|known| known == column))
            .collect::<Option<Vec<usize>>>()?;
        Some(Index::new(table.table().clone(), places))
    }
}

impl LookupProvider for Lookups {
    fn contains(&self, table: &str) -> bool {
        self.tables.contains_key(table)
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
            .flatten()
            .map(|row| {
                let cell = |place: &Option<usize>| Some(table.rows.cell(row, (*place)?).to_owned());
                places.iter().map(cell).collect()
            })
            .collect()
    }
}
