//! Finds lookups by the names that searches use, and matches their rows.

mod carried;
mod matching;
mod provider;

use std::sync::Arc;

use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryReservation};
use spilltrail_diagnostic::{Code, Diagnostic, Spanned};

use crate::context::{LookupTable, Purpose, SearchContext};

pub(crate) use carried::CarriedTable;
pub(crate) use matching::Index;
pub use matching::rows_cut_off;
pub(crate) use provider::Lookups;

/// The current state of a lookup.
#[derive(Debug)]
pub(crate) struct Found {
    /// The lookup's name in the store.
    pub(crate) name: String,
    /// The lookup's table, or `None` if the lookup does not exist yet.
    pub(crate) table: Option<Arc<LookupTable>>,
}

/// Finds a lookup by its name, with or without the extension `.csv`.
///
/// # Errors
/// Fails if the table exists but cannot be read.
pub(crate) fn find(name: &Spanned<String>, context: &SearchContext) -> Result<Found, Diagnostic> {
    let other = match name.value.strip_suffix(".csv") {
        Some(stem) => stem.to_owned(),
        None => format!("{}.csv", name.value),
    };
    for candidate in [&name.value, &other] {
        let table = context.lookups.read(candidate).map_err(|error| {
            let message = format!("the lookup `{}` cannot be read: {error}", name.value);
            Diagnostic::error(Code::UNREADABLE, message).at(name.span)
        })?;
        if let Some(twice) = table.as_deref().and_then(LookupTable::column_twice) {
            let message = format!("the lookup `{}` has two columns `{twice}`", name.value);
            return Err(Diagnostic::error(Code::UNREADABLE, message).at(name.span));
        }
        if let Some(table) = table {
            table.memory.hold(|| reserved(name, table.rows.size(), context))?;
            for problem in &table.problems {
                let message = format!("the lookup `{}` is damaged: {problem}", name.value);
                let warning = Diagnostic::warning(Code::DAMAGED_TABLE, message).at(name.span);
                context.observations.message(warning.help("correct the file of the lookup"));
            }
            return Ok(Found { name: candidate.clone(), table: Some(table) });
        }
    }
    Ok(Found { name: name.value.clone(), table: None })
}

/// Reserves memory that the table of a lookup holds, or an index of it.
///
/// # Errors
/// Fails if the search may not hold as much.
pub(crate) fn reserved(
    name: &Spanned<String>,
    size: usize,
    context: &SearchContext,
) -> Result<MemoryReservation, Diagnostic> {
    let environment = context.session.runtime_env();
    let pool = context.tables.as_ref().unwrap_or(&environment.memory_pool);
    let reservation = MemoryConsumer::new("lookup").register(pool);
    match reservation.try_grow(size) {
        Ok(()) => Ok(reservation),
        Err(_) => {
            let limit = match pool.memory_limit() {
                MemoryLimit::Finite(limit) => format!(" of {} MiB", limit >> 20),
                _ => String::new(),
            };
            let message = format!(
                "the lookup `{}` needs {} MiB in memory, which is more than is left{limit}",
                name.value,
                size.div_ceil(1 << 20)
            );
            let help = "raise `--memory-limit`, or leave out rows and columns of its table";
            Err(Diagnostic::error(Code::MEMORY_LIMIT, message).at(name.span).help(help))
        }
    }
}

/// Reads a lookup. If it does not exist, returns an empty table and adds a warning.
///
/// # Errors
/// As [`find`].
pub(crate) fn read(
    name: &Spanned<String>,
    context: &SearchContext,
    purpose: Purpose,
) -> Result<Arc<LookupTable>, Diagnostic> {
    let table = find(name, context)?.table;
    if table.is_none() {
        let message = format!("there is no lookup `{}`; it reads as empty", name.value);
        let help = match context.lookups.meant(&name.value) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "put its CSV and its definition into the content folder's `lookups/`, or its CSV into the folder of `--lookups`".to_owned(),
        };
        let warning = Diagnostic::warning(Code::MISSING_LOOKUP, message).at(name.span);
        context.observations.message(warning.help(help));
    }
    context.observations.lookup(&name.value, Some(name.span), table.as_deref(), purpose);
    Ok(table.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::execution::memory_pool::GreedyMemoryPool;
    use spilltrail_diagnostic::{Code, Span};

    use super::*;
    use crate::context::TableRows;
    use crate::testing::{context, rows, table_of};

    fn context_of_rows(memory: usize) -> SearchContext {
        context(rows("{\"user\":\"user 7\"}"), memory)
    }

    #[tokio::test]
    async fn tables_count_as_memory() {
        const MIB: usize = 1 << 20;
        let mut cells = TableRows::new(2);
        (0..120_000).for_each(|n| cells.push([format!("user {n}"), "ann".to_owned()]));
        cells.shrink();
        assert!(cells.size() > 2 * MIB);
        let table = LookupTable {
            columns: vec!["user".to_owned(), "n".to_owned()],
            rows: cells,
            case_sensitive: true,
            ..LookupTable::default()
        };
        for (search, memory, expected) in [
            ("* | lookup t user OUTPUT n | table n", 16 * MIB, Ok("ann")),
            ("* | lookup t user OUTPUT n | table n", 2 * MIB, Err(Code::MEMORY_LIMIT)),
            ("| inputlookup t | stats dc(user) as n", 2 * MIB, Err(Code::MEMORY_LIMIT)),
            (
                "* | eval n=lookup(\"t\", json_object(\"user\", user), json_array(\"n\")) | table n",
                2 * MIB,
                Err(Code::MEMORY_LIMIT),
            ),
            ("| inputlookup t | stats count", 16 * MIB, Ok("120000")),
        ] {
            let context = context_of_rows(memory);
            context.lookups.write("t", table.clone()).unwrap();
            let found = table_of(search, &context).await;
            let found = found.map(|lines| lines[1].clone()).map_err(|codes| codes[0]);
            assert_eq!(found.as_deref().map_err(|code| *code), expected, "{search} {memory}");
        }
        // The table is counted once, however often it is read.
        let context = context_of_rows(16 * MIB);
        context.lookups.write("t", table.clone()).unwrap();
        let pool = context.session.runtime_env().memory_pool.clone();
        let name = Spanned::new("t".to_owned(), Span::default());
        let sizes: Vec<usize> =
            (0..2).map(|_| find(&name, &context).map(|_| pool.reserved()).unwrap()).collect();
        assert_eq!(sizes, [table.rows.size(); 2]);
        // A run may have memory for tables beside that of its searches.
        for (tables, is_enough) in [(16 * MIB, true), (2 * MIB, false)] {
            let mut context = context_of_rows(MIB);
            context.tables = Some(Arc::new(GreedyMemoryPool::new(tables)));
            context.lookups.write("t", table.clone()).unwrap();
            let found = table_of("* | lookup t user OUTPUT n | table n", &context).await;
            assert_eq!(found.is_ok(), is_enough, "{found:?}");
        }
    }
}
