//! Connects log files to searches: implements the event traits of `search` for `source`.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use datafusion::catalog::TableProvider;
use datafusion::common::DataFusionError;
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::{
    CaseRule, Comparison, Demand, Field, Pattern, Predicate, ScanRequest, fields,
};
use spilltrail_search::analysis::is_splunks_own;
use spilltrail_search::error::to_engine;
use spilltrail_search::events::EventSource;
use spilltrail_search::events::shared::{EventReader, EventsRead};
use spilltrail_source::{Logs, ScanCosts, ScanOptions, Scanned};

/// The event source when no logs were named. Searches that generate their own rows still run;
/// others fail with a diagnostic.
#[derive(Debug)]
pub(crate) struct NoEvents;

impl NoEvents {
    fn refused() -> DataFusionError {
        to_engine(
            Diagnostic::error(Code::NO_LOGS, "the search needs events, and no logs were named")
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

/// Leaves out events of Splunk's own indexes, such as findings, from a search that names no index.
///
/// As in Splunk, where a search without an index reads the default ones, which are those of logs.
fn in_default_indexes(logs: &Logs, predicate: &Predicate) -> Predicate {
    let indexes = logs.indexes().unwrap_or_default();
    if !indexes.keys().any(|name| is_splunks_own(name))
        || predicate.fields().contains(fields::INDEX)
    {
        return predicate.clone();
    }
    // Named one by one, so that files of other indexes are not read.
    let others = indexes.keys().filter(|name| !is_splunks_own(name));
    let others = others.map(|name| Predicate::Compare {
        field: fields::INDEX.to_owned(),
        op: Comparison::Eq,
        value: Pattern::new(name.as_str(), CaseRule::Ignore),
    });
    let others: Vec<Predicate> = others.collect();
    if others.is_empty() {
        return Predicate::Nothing;
    }
    Predicate::and(vec![predicate.clone(), Predicate::any(others)])
}

/// Adapts [`Logs`] to the [`EventSource`] of a search: `source` does not depend on `search`, and
/// `search` does not depend on files.
#[derive(Debug)]
pub(crate) struct LogEvents(pub(crate) Arc<Logs>);

#[async_trait]
impl EventSource for LogEvents {
    async fn fields(
        &self,
        predicate: &Predicate,
        demand: &Demand,
    ) -> Result<Vec<Field>, DataFusionError> {
        let predicate = in_default_indexes(&self.0, predicate);
        let (logs, demand) = (self.0.clone(), demand.clone());
        tokio::task::spawn_blocking(move || logs.discover(&predicate, &demand))
            .await
            .map_err(|error| DataFusionError::External(Box::new(error)))?
            .map_err(|error| to_engine(error.diagnostic()))
    }

    async fn table(
        &self,
        request: &ScanRequest,
    ) -> Result<Arc<dyn TableProvider>, DataFusionError> {
        let predicate = in_default_indexes(&self.0, &request.predicate);
        Ok(Arc::new(self.0.table(&ScanRequest { predicate, fields: request.fields.clone() })))
    }

    fn gives_parts_of_raw(&self) -> bool {
        true
    }

    fn indexed_fields(&self) -> Option<Vec<String>> {
        let indexed =
            [fields::TIME, fields::INDEX, fields::HOST, fields::SOURCE, fields::SOURCETYPE];
        Some(indexed.map(str::to_owned).to_vec())
    }
}

/// Reads logs for all searches of a run, and records the costs of each pass.
#[derive(Debug)]
pub(crate) struct LogReader {
    logs: Arc<Logs>,
    options: ScanOptions,
    costs: Mutex<Vec<ScanCosts>>,
}

impl LogReader {
    pub(crate) fn new(logs: Arc<Logs>, options: ScanOptions) -> Self {
        Self { logs, options, costs: Mutex::default() }
    }

    /// Returns the costs of each pass, in order.
    pub(crate) fn costs(&self) -> Vec<ScanCosts> {
        self.costs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl EventReader for LogReader {
    async fn read(
        &self,
        requests: Vec<ScanRequest>,
    ) -> Result<Arc<dyn EventsRead>, DataFusionError> {
        let (logs, options) = (self.logs.clone(), self.options);
        let mut requests = requests;
        for request in &mut requests {
            request.predicate = in_default_indexes(&logs, &request.predicate);
        }
        let scanned = tokio::task::spawn_blocking(move || logs.scan(requests, options))
            .await
            .map_err(|error| DataFusionError::External(Box::new(error)))?
            .map_err(|error| to_engine(error.diagnostic()))?;
        let costs = scanned.costs().clone();
        self.costs.lock().unwrap_or_else(PoisonError::into_inner).push(costs);
        Ok(Arc::new(LogEventsRead(Arc::new(scanned))))
    }
}

#[derive(Debug)]
struct LogEventsRead(Arc<Scanned>);

impl EventsRead for LogEventsRead {
    fn has_events(&self, request: usize) -> bool {
        self.0.rows(request) > 0
    }

    fn table(
        &self,
        request: usize,
        fields: &[Field],
    ) -> Result<Arc<dyn TableProvider>, DataFusionError> {
        self.0.table(request, fields)
    }

    fn fields(&self, request: usize, demand: &Demand) -> Result<Vec<Field>, DataFusionError> {
        self.0.fields(request, demand)
    }

    fn table_of_whole(
        &self,
        request: usize,
        fields: &[Field],
    ) -> Result<Arc<dyn TableProvider>, DataFusionError> {
        self.0.table_of_whole(request, fields)
    }
}
