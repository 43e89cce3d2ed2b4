//! Logs as the events of a search.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use datafusion::common::DataFusionError;
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::{Demand, Field, Predicate, ScanRequest, fields};
use spilltrail_search::context::EventSource;
use spilltrail_search::error::to_engine;
use spilltrail_source::Logs;

/// No logs were named: searches that make their own rows run, others say so.
#[derive(Debug)]
pub(crate) struct NoEvents;

impl NoEvents {
    fn refused() -> DataFusionError {
        to_engine(
            Diagnostic::error(Code::UNREADABLE, "the search needs events, and no logs were named")
                .help("name files, folders, patterns, or `-` for standard input after the search"),
        )
    }
}

#[async_trait]
impl EventSource for NoEvents {
    async fn fields(&self, _: &Predicate, _: &Demand) -> Result<Vec<Field>, DataFusionError> {
        Err(Self::refused())
    }

    async fn table(&self, _: &ScanRequest) -> Result<Arc<dyn TableProvider>, DataFusionError> {
        Err(Self::refused())
    }

    fn indexed_fields(&self) -> Option<Vec<String>> {
        None
    }
}

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
