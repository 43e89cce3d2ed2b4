//! Logs as the events of a search.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use datafusion::common::DataFusionError;
use spilltrail_event::{Demand, Field, Predicate, ScanRequest, fields};
use spilltrail_search::context::EventSource;
use spilltrail_source::Logs;

/// The wiring between `source`, which knows no searches, and `search`, which knows no files.
#[derive(Debug)]
pub(crate) struct LogEvents(pub(crate) Arc<Logs>);

#[async_trait]
impl EventSource for LogEvents {
    async fn fields(
        &self,
        predicate: &Predicate,
        demand: &Demand,
    ) -> Result<Vec<Field>, DataFusionError> {
        let (logs, predicate, demand) = (self.0.clone(), predicate.clone(), demand.clone());
        tokio::task::spawn_blocking(move || logs.discover(&predicate, &demand))
            .await
            .map_err(|error| DataFusionError::External(Box::new(error)))
    }

    async fn table(
        &self,
        request: &ScanRequest,
    ) -> Result<Arc<dyn TableProvider>, DataFusionError> {
        Ok(Arc::new(self.0.table(request)))
    }

    fn indexed_fields(&self) -> Option<Vec<String>> {
        let indexed =
            [fields::TIME, fields::INDEX, fields::HOST, fields::SOURCE, fields::SOURCETYPE];
        Some(indexed.map(str::to_owned).to_vec())
    }
}
