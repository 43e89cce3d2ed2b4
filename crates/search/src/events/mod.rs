//! Sources of the events that searches read.

pub mod file;
pub mod memory;
pub mod shared;

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use datafusion::common::DataFusionError;
use spilltrail_event::{Demand, Field, Predicate, ScanRequest};

/// A source of events, such as a folder of logs or rows in memory.
#[async_trait]
pub trait EventSource: Debug + Send + Sync {
    /// Returns the demanded fields of the events that match `predicate`, with their kinds.
    ///
    /// Fields demanded by name are always returned, unless a pattern covers them, too. A wildcard
    /// pattern returns the matching fields that occur in the events, in the order of their first
    /// occurrence: commands such as `foreach` work on fields that occur, and not on those that only a
    /// later command names.
    ///
    /// # Errors
    /// Fails if no events can be read at all.
    async fn fields(
        &self,
        predicate: &Predicate,
        demand: &Demand,
    ) -> Result<Vec<Field>, DataFusionError>;

    /// Returns a table of exactly the requested events. Events of the same file keep the file's
    /// order; the order is otherwise unspecified.
    ///
    /// # Errors
    /// As [`EventSource::fields`].
    async fn table(&self, request: &ScanRequest)
    -> Result<Arc<dyn TableProvider>, DataFusionError>;

    /// Returns a superset of the wanted events, available before subsearches have run, or `None` if
    /// the source does not offer one.
    ///
    /// With a superset, a search with a subsearch needs no separate pass over the logs.
    ///
    /// # Errors
    /// As [`EventSource::fields`].
    async fn superset(
        &self,
        _: &ScanRequest,
    ) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        Ok(None)
    }

    /// Returns the fields that `tstats` may use, which are known without reading the events. `None`
    /// means that it may use every field.
    fn indexed_fields(&self) -> Option<Vec<String>>;

    /// Returns true if the source provides parts of `_raw` as fields with names from
    /// [`part_of_raw`](spilltrail_event::fields::part_of_raw).
    fn gives_parts_of_raw(&self) -> bool {
        false
    }

    /// Returns true if a pipeline that begins with a pipe and a command that is not generating
    /// reads the source's events as its input, in their own order. This lets users try out commands
    /// on rows.
    fn is_pipeline_input(&self) -> bool {
        false
    }
}
