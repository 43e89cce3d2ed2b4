//! Finds lookups by the names that searches use, and matches their rows.

mod carried;
mod matching;
mod provider;

use std::sync::Arc;

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
