//! Where the events of a search come from.

pub mod memory;
pub mod shared;

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use datafusion::common::DataFusionError;
use spilltrail_event::{Demand, Field, Predicate, ScanRequest};

/// Where events are: a folder of logs, rows in memory, later the lake.
#[async_trait]
pub trait EventSource: Debug + Send + Sync {
    /// Returns the fields that the events matching `predicate` have, of those wanted: the exact names
    /// with their kinds whether they occur or not, and of the patterns what occurs, in first-seen
    /// order.
    ///
    /// # Errors
    /// Fails if nothing at all can be read.
    async fn fields(
        &self,
        predicate: &Predicate,
        demand: &Demand,
    ) -> Result<Vec<Field>, DataFusionError>;

    /// Returns the table of exactly the events that `request` asks for, in any order that keeps the
    /// events of one file in the order of the file.
    ///
    /// # Errors
    /// As [`EventSource::fields`].
    async fn table(&self, request: &ScanRequest)
    -> Result<Arc<dyn TableProvider>, DataFusionError>;

    /// Returns the table of events of which some are wanted, if it can be had before it is known which:
    /// so that a search with a subsearch needs no reading of its own.
    ///
    /// # Errors
    /// As [`EventSource::fields`].
    async fn superset(
        &self,
        _: &ScanRequest,
    ) -> Result<Option<Arc<dyn TableProvider>>, DataFusionError> {
        Ok(None)
    }

    /// Returns the fields that `tstats` may use: those known without opening events. None means
    /// every field.
    fn indexed_fields(&self) -> Option<Vec<String>>;

    /// Returns true if a field named by [`part_of_raw`](spilltrail_event::fields::part_of_raw) gives
    /// that part.
    fn gives_parts_of_raw(&self) -> bool {
        false
    }

    /// Returns true if a pipeline that begins with a pipe and an ordinary command reads the events
    /// as its input, in their own order; so do rows given for trying things.
    fn is_pipeline_input(&self) -> bool {
        false
    }
}
