//! The context in which expressions are compiled: the fields in scope, the clock and time zone of
//! the search, and services that the planner provides.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use jiff::tz::TimeZone;
use spilltrail_diagnostic::Diagnostic;
use spilltrail_event::{Field, Kind, Predicate};

/// The fields that an expression can read.
pub trait Scope {
    /// Returns the kind of the field; `None` if no such field is in scope.
    fn kind(&self, field: &str) -> Option<Kind>;
}

impl Scope for Vec<Field> {
    fn kind(&self, field: &str) -> Option<Kind> {
        self.iter().find(|known| known.name == field).map(|known| known.kind)
    }
}

/// Compiles the search expression that is the argument of `searchmatch`.
pub type CompileSearch = dyn Fn(&str) -> Result<Predicate, Diagnostic> + Send + Sync;

/// Provides lookup tables to the eval function `lookup`.
pub trait LookupProvider: Any + fmt::Debug + Send + Sync {
    /// Returns true if a table with this name exists.
    fn contains(&self, table: &str) -> bool;

    /// Returns the requested columns of each row that matches the input, in table order.
    fn rows(
        &self,
        table: &str,
        input: &[(String, String)],
        output: &[String],
    ) -> Vec<Vec<Option<String>>>;
}

/// Context that all expressions of one search share.
#[derive(Clone)]
pub struct EvalContext {
    /// Start time of the search in epoch seconds, which `now` returns.
    pub now: f64,
    /// The user's time zone.
    pub zone: TimeZone,
    /// Compiler for the argument of `searchmatch`.
    pub compile_search: Option<Arc<CompileSearch>>,
    /// Tables for `lookup`.
    pub lookups: Option<Arc<dyn LookupProvider>>,
    /// Whether a result that is a product has the precision of its factors.
    pub rounds_products: bool,
}

impl EvalContext {
    /// Returns a context with this clock and time zone, without support for lookups and searches.
    #[must_use]
    pub fn new(now: f64, zone: TimeZone) -> Self {
        Self { now, zone, compile_search: None, lookups: None, rounds_products: true }
    }
}

impl fmt::Debug for EvalContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EvalContext")
            .field("now", &self.now)
            .field("zone", &self.zone)
            .field("lookups", &self.lookups)
            .finish_non_exhaustive()
    }
}
