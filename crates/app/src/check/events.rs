//! Events of which nothing is known, for planning searches without logs.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use datafusion::common::DataFusionError;
use spilltrail_decode::{Profile, kind_of};
use spilltrail_event::{Demand, Field, Predicate, ScanRequest, fields};
use spilltrail_search::events::EventSource;
use spilltrail_search::events::memory::MemoryEvents;

/// A source that has no events, and every field that a search names.
#[derive(Debug)]
pub(super) struct NoLogs(MemoryEvents);

impl NoLogs {
    pub(super) fn new() -> Self {
        Self(MemoryEvents::new(Vec::new()))
    }
}

#[async_trait]
impl EventSource for NoLogs {
    async fn fields(&self, _: &Predicate, demand: &Demand) -> Result<Vec<Field>, DataFusionError> {
        // A wildcard finds the fields that occur, and none does.
        let named = demand.names.iter().filter(|name| !demand.is_matched(name));
        Ok(named.map(|name| Field::new(name, kind_of(name, Profile::Superset))).collect())
    }

    async fn table(
        &self,
        request: &ScanRequest,
    ) -> Result<Arc<dyn TableProvider>, DataFusionError> {
        self.0.table(request).await
    }

    fn indexed_fields(&self) -> Option<Vec<String>> {
        let indexed =
            [fields::TIME, fields::INDEX, fields::HOST, fields::SOURCE, fields::SOURCETYPE];
        Some(indexed.map(str::to_owned).to_vec())
    }

    fn gives_parts_of_raw(&self) -> bool {
        true
    }
}
