//! What an expression is compiled against: the fields in scope, the search's clock and zone, and
//! what only the planner can provide.

use std::fmt;
use std::sync::Arc;

use jiff::tz::TimeZone;
use spilltrail_diagnostic::Diagnostic;
use spilltrail_event::{Field, Kind, Predicate};

/// The fields that an expression may read.
pub trait Scope {
    /// Returns the field's kind, or none if there is no such field.
    fn kind(&self, field: &str) -> Option<Kind>;
}

impl Scope for Vec<Field> {
    fn kind(&self, field: &str) -> Option<Kind> {
        self.iter().find(|known| known.name == field).map(|known| known.kind)
    }
}

/// Compiles the text of searchmatch().
pub type CompileSearch = dyn Fn(&str) -> Result<Predicate, Diagnostic> + Send + Sync;

/// Lookup tables, as the eval function lookup() reads them.
pub trait LookupProvider: fmt::Debug + Send + Sync {
    /// Returns true if there is a table of this name.
    fn contains(&self, table: &str) -> bool;

    /// Returns the wanted columns of each row that matches the input, in the table's order.
    fn rows(
        &self,
        table: &str,
        input: &[(String, String)],
        output: &[String],
    ) -> Vec<Vec<Option<String>>>;
}

/// The same for all expressions of one search.
#[derive(Clone)]
pub struct EvalContext {
    /// When the search started, epoch seconds: now().
    pub now: f64,
    /// The user's time zone.
    pub zone: TimeZone,
    /// What searchmatch() needs.
    pub compile_search: Option<Arc<CompileSearch>>,
    /// What lookup() needs.
    pub lookups: Option<Arc<dyn LookupProvider>>,
}

impl EvalContext {
    /// Returns a context with this clock and zone, without lookups and searches.
    #[must_use]
    pub fn new(now: f64, zone: TimeZone) -> Self {
        Self { now, zone, compile_search: None, lookups: None }
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
