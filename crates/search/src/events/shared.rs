//! Reads the events of many searches together.
//!
//! While searches are planned, each requests events from its own [`SharedView`] and receives a
//! table that has no events yet. [`SharedEvents`] collects the requests, and [`SharedEvents::read`]
//! reads all of them in one pass. Then the plans can run.
//!
//! A search with a subsearch needs events *while* it is planned. Its planning fails, and is
//! repeated after the pass, when the events have been read. After the last pass
//! ([`SharedEvents::settle`]), any further request is read for that search alone.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use spilltrail_diagnostic::Diagnostic;
use spilltrail_event::{Demand, Field, Kind, Predicate, ScanRequest, fields};

use crate::error::lock;
use crate::error::to_engine;
use crate::events::EventSource;
use crate::rows::arrow::schema_of;

/// Reads the events of several searches in one pass.
#[async_trait]
pub trait EventReader: std::fmt::Debug + Send + Sync {
    /// Reads all events once and keeps the events that each request matches.
    ///
    /// # Errors
    /// Fails if the matched events cannot be stored.
    async fn read(&self, requests: Vec<ScanRequest>) -> Result<Arc<dyn EventsRead>>;
}

/// The events that one pass has read.
pub trait EventsRead: std::fmt::Debug + Send + Sync {
    /// Returns true if an event matched a request.
    fn has_events(&self, request: usize) -> bool;

    /// Returns a table of a request's events with the given fields.
    ///
    /// # Errors
    /// Fails if the request did not include one of the fields.
    fn table(&self, request: usize, fields: &[Field]) -> Result<Arc<dyn TableProvider>>;

    /// Returns the demanded fields of the events of a request for [`whole_events`], as
    /// [`EventSource::fields`] does.
    ///
    /// # Errors
    /// Fails if the events cannot be read back.
    fn fields(&self, request: usize, demand: &Demand) -> Result<Vec<Field>>;

    /// Returns a table of the events of a request for [`whole_events`], with any fields.
    ///
    /// # Errors
    /// As [`EventsRead::fields`].
    fn table_of_whole(&self, request: usize, fields: &[Field]) -> Result<Arc<dyn TableProvider>>;
}

/// Returns the fields of a whole event, from which all other fields can be extracted later.
#[must_use]
pub fn whole_events() -> Vec<Field> {
    let fields = [fields::EVENT_TEXT, fields::EVENT_SOURCE, fields::EVENT_FORMAT];
    fields.map(|name| Field::new(name, Kind::Text)).to_vec()
}

/// The event requests of all searches of a run, and the events read for them.
#[derive(Debug)]
pub struct SharedEvents {
    /// The source for everything that a shared pass does not provide, such as the names of fields.
    alone: Arc<dyn EventSource>,
    reader: Arc<dyn EventReader>,
    wanted: Mutex<Vec<Asked>>,
    /// Whether no further pass will follow.
    is_settled: AtomicBool,
}

#[derive(Debug)]
struct Asked {
    request: ScanRequest,
    /// The pass that read the request, and the request's index in that pass; `None` until then.
    read: Option<(Arc<dyn EventsRead>, usize)>,
}

impl SharedEvents {
    /// Creates shared events without any requests.
    #[must_use]
    pub fn new(alone: Arc<dyn EventSource>, reader: Arc<dyn EventReader>) -> Arc<Self> {
        Arc::new(Self {
            alone,
            reader,
            wanted: Mutex::default(),
            is_settled: AtomicBool::new(false),
        })
    }

    /// Returns the event source for one search.
    #[must_use]
    pub fn view(self: &Arc<Self>) -> Arc<SharedView> {
        Arc::new(SharedView {
            shared: self.clone(),
            wanted: Mutex::default(),
            carried: Mutex::default(),
            is_waiting: Arc::default(),
        })
    }

    /// Reads all unread requests in one pass; returns false if there are none.
    ///
    /// # Errors
    /// As [`EventReader::read`].
    pub async fn read(&self) -> Result<bool> {
        let (places, requests): (Vec<usize>, Vec<ScanRequest>) = {
            let wanted = lock(&self.wanted);
            let unread = wanted.iter().enumerate().filter(|(_, wanted)| wanted.read.is_none());
            unread.map(|(place, wanted)| (place, wanted.request.clone())).unzip()
        };
        if places.is_empty() {
            return Ok(false);
        }
        let read = self.reader.read(requests).await?;
        let mut wanted = lock(&self.wanted);
        for (number, place) in places.into_iter().enumerate() {
            wanted[place].read = Some((read.clone(), number));
        }
        Ok(true)
    }

    /// Declares that no further pass will follow, so that later requests are read at once.
    pub fn settle(&self) {
        self.is_settled.store(true, Ordering::Relaxed);
    }

    fn is_settled(&self) -> bool {
        self.is_settled.load(Ordering::Relaxed)
    }

    /// Returns the requests of all searches.
    #[must_use]
    pub fn requests(&self) -> Vec<ScanRequest> {
        lock(&self.wanted).iter().map(|wanted| wanted.request.clone()).collect()
    }

    /// Adds a request and returns its index.
    ///
    /// Requests with the same predicate are merged into one with the fields of all. A request that
    /// has already been read cannot get more fields, so a new one is added instead.
    fn want(&self, request: &ScanRequest) -> usize {
        let mut wanted = lock(&self.wanted);
        for (place, known) in wanted.iter_mut().enumerate() {
            if known.request.predicate != request.predicate {
                continue;
            }
            let fields = &mut known.request.fields;
            let missing: Vec<Field> =
                request.fields.iter().filter(|field| !fields.contains(field)).cloned().collect();
            if known.read.is_none() {
                fields.extend(missing);
                return place;
            }
            if missing.is_empty() {
                return place;
            }
        }
        wanted.push(Asked { request: request.clone(), read: None });
        wanted.len() - 1
    }
}

/// The shared events as the event source of one search.
#[derive(Debug)]
pub struct SharedView {
    shared: Arc<SharedEvents>,
    /// The indices of the search's requests.
    wanted: Mutex<Vec<usize>>,
    /// The fields that are added to every request of the search.
    carried: Mutex<Vec<Field>>,
    is_waiting: Arc<AtomicBool>,
}

impl SharedView {
    /// Adds these fields to every later request of the search, because they will be needed.
    ///
    /// # Errors
    /// As [`EventSource::fields`].
    pub async fn carry(&self, names: Vec<String>) -> Result<()> {
        let fields = self.shared.alone.fields(&Predicate::Nothing, &Demand::of(names)).await?;
        *lock(&self.carried) = fields;
        Ok(())
    }

    /// Adds a request of this search and returns its index.
    fn want(&self, request: &ScanRequest) -> usize {
        let place = self.shared.want(request);
        let mut wanted = lock(&self.wanted);
        if !wanted.contains(&place) {
            wanted.push(place);
        }
        place
    }

    /// Returns the pass that read whole events for `predicate` and the request's index in that
    /// pass, or `None` if no pass did.
    fn whole(&self, predicate: &Predicate) -> Option<(Arc<dyn EventsRead>, usize)> {
        let whole = whole_events();
        let wanted = lock(&self.shared.wanted);
        let is_it = |wanted: &&Asked| {
            wanted.request.predicate == *predicate
                && whole.iter().all(|field| wanted.request.fields.contains(field))
        };
        wanted.iter().filter(is_it).find_map(|wanted| wanted.read.clone())
    }

    /// Returns whether the search needed events that are not read yet, and resets this flag.
    #[must_use]
    pub fn take_waiting(&self) -> bool {
        self.is_waiting.swap(false, Ordering::Relaxed)
    }

    /// Returns whether any of the search's requests may have events, or `None` if it has no
    /// requests. A request that has not been read counts as having events.
    #[must_use]
    pub fn has_events(&self) -> Option<bool> {
        let places = lock(&self.wanted);
        let wanted = lock(&self.shared.wanted);
        let has = |place: &usize| {
            wanted[*place].read.as_ref().is_none_or(|(read, number)| read.has_events(*number))
        };
        (!places.is_empty()).then(|| places.iter().any(has))
    }

    /// Returns the search's requests.
    #[must_use]
    pub fn requests(&self) -> Vec<ScanRequest> {
        let wanted = lock(&self.shared.wanted);
        lock(&self.wanted).iter().map(|place| wanted[*place].request.clone()).collect()
    }
}

#[async_trait]
impl EventSource for SharedView {
    async fn fields(&self, predicate: &Predicate, demand: &Demand) -> Result<Vec<Field>> {
        let is_read_alone = self.shared.is_settled() && self.whole(predicate).is_none();
        if !demand.is_open() || is_read_alone {
            return self.shared.alone.fields(predicate, demand).await;
        }
        if let Some((read, number)) = self.whole(predicate) {
            return read.fields(number, demand);
        }
        self.want(&ScanRequest { predicate: predicate.clone(), fields: whole_events() });
        Err(not_read(&self.is_waiting))
    }

    async fn table(&self, request: &ScanRequest) -> Result<Arc<dyn TableProvider>> {
        if let Some((read, number)) = self.whole(&request.predicate) {
            return read.table_of_whole(number, &request.fields);
        }
        let mut wanted = request.clone();
        for field in lock(&self.carried).iter() {
            // Only names are compared, because the search may have requested another kind.
            if !wanted.fields.iter().any(|known| known.name == field.name) {
                wanted.fields.push(field.clone());
            }
        }
        Ok(Arc::new(Promise {
            shared: self.shared.clone(),
            place: self.want(&wanted),
            schema: schema_of(request.fields.iter().map(|f| (f.name.as_str(), f.kind))),
            fields: request.fields.clone(),
            is_waiting: self.is_waiting.clone(),
        }))
    }

    async fn superset(&self, request: &ScanRequest) -> Result<Option<Arc<dyn TableProvider>>> {
        self.table(request).await.map(Some)
    }

    fn indexed_fields(&self) -> Option<Vec<String>> {
        self.shared.alone.indexed_fields()
    }

    fn gives_parts_of_raw(&self) -> bool {
        self.shared.alone.gives_parts_of_raw()
    }

    fn is_pipeline_input(&self) -> bool {
        self.shared.alone.is_pipeline_input()
    }
}

fn not_read(is_waiting: &AtomicBool) -> DataFusionError {
    is_waiting.store(true, Ordering::Relaxed);
    to_engine(Diagnostic::bug("the events are not read yet"))
}

/// A table whose events become available once a pass has read them.
#[derive(Debug)]
struct Promise {
    shared: Arc<SharedEvents>,
    place: usize,
    fields: Vec<Field>,
    schema: SchemaRef,
    is_waiting: Arc<AtomicBool>,
}

#[async_trait]
impl TableProvider for Promise {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let fields = match projection {
            Some(places) => places.iter().map(|place| self.fields[*place].clone()).collect(),
            None => self.fields.clone(),
        };
        let (predicate, read) = {
            let wanted = lock(&self.shared.wanted);
            (wanted[self.place].request.predicate.clone(), wanted[self.place].read.clone())
        };
        let Some((read, number)) = read else {
            if !self.shared.is_settled() {
                return Err(not_read(&self.is_waiting));
            }
            // No pass will read this request, so its events are read for this search alone.
            let request = ScanRequest { predicate, fields };
            let table = self.shared.alone.table(&request).await?;
            return table.scan(session, None, filters, limit).await;
        };
        read.table(number, &fields)?.scan(session, None, filters, limit).await
    }
}
