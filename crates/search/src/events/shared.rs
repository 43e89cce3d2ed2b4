//! The events of many searches, read together.
//!
//! While searches are planned, each asks its own [`SharedView`] for events and is handed a promise; the
//! [`SharedEvents`] remember what was asked for. [`SharedEvents::read`] then reads it all in one pass,
//! and the plans can run. A search that needs events *while* it is planned, as one with a subsearch
//! does, is stopped, and planned once more after the pass: by then its events are there. When all passes
//! are made ([`SharedEvents::settle`]), what is still asked for is read for that search alone.

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

/// Who can read the events of several searches in one pass.
#[async_trait]
pub trait EventReader: std::fmt::Debug + Send + Sync {
    /// Reads all events once, and keeps what each request asks for.
    ///
    /// # Errors
    /// Fails if matched events cannot be kept.
    async fn read(&self, requests: Vec<ScanRequest>) -> Result<Arc<dyn EventsRead>>;
}

/// The events of one pass.
pub trait EventsRead: std::fmt::Debug + Send + Sync {
    /// Returns how many events a request took.
    fn rows(&self, request: usize) -> u64;

    /// Returns a request's events, with these of its fields.
    ///
    /// # Errors
    /// Fails if a field was not asked for.
    fn table(&self, request: usize, fields: &[Field]) -> Result<Arc<dyn TableProvider>>;

    /// Returns the fields that the events of a request for [`whole_events`] have, as
    /// [`EventSource::fields`] does.
    ///
    /// # Errors
    /// Fails if the events cannot be read back.
    fn fields(&self, request: usize, demand: &Demand) -> Result<Vec<Field>>;

    /// Returns the events of a request for [`whole_events`], with any fields.
    ///
    /// # Errors
    /// As [`EventsRead::fields`].
    fn table_of_whole(&self, request: usize, fields: &[Field]) -> Result<Arc<dyn TableProvider>>;
}

/// Returns the fields that make up a whole event, from which all others can be read later.
#[must_use]
pub fn whole_events() -> Vec<Field> {
    let fields = [fields::RAW, fields::SOURCE, fields::SOURCETYPE];
    fields.map(|name| Field::new(name, Kind::Text)).to_vec()
}

/// What all searches of a run want of the events, and what was read of it.
#[derive(Debug)]
pub struct SharedEvents {
    /// For what cannot be read together: names of fields.
    alone: Arc<dyn EventSource>,
    reader: Arc<dyn EventReader>,
    wanted: Mutex<Vec<Asked>>,
    /// Whether no pass will follow.
    is_settled: AtomicBool,
}

#[derive(Debug)]
struct Asked {
    request: ScanRequest,
    /// The pass, and the request's number in it.
    read: Option<(Arc<dyn EventsRead>, usize)>,
}

impl SharedEvents {
    /// Returns events of which nothing was asked for yet.
    #[must_use]
    pub fn new(alone: Arc<dyn EventSource>, reader: Arc<dyn EventReader>) -> Arc<Self> {
        Arc::new(Self {
            alone,
            reader,
            wanted: Mutex::default(),
            is_settled: AtomicBool::new(false),
        })
    }

    /// Returns the events as one search sees them.
    #[must_use]
    pub fn view(self: &Arc<Self>) -> Arc<SharedView> {
        Arc::new(SharedView {
            shared: self.clone(),
            wanted: Mutex::default(),
            carried: Mutex::default(),
            is_waiting: Arc::default(),
        })
    }

    /// Reads what was asked for and not read yet, in one pass; returns false if there is nothing.
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

    /// Says that no pass will follow: nobody is made to wait any more.
    pub fn settle(&self) {
        self.is_settled.store(true, Ordering::Relaxed);
    }

    fn is_settled(&self) -> bool {
        self.is_settled.load(Ordering::Relaxed)
    }

    /// Returns what was asked for.
    #[must_use]
    pub fn requests(&self) -> Vec<ScanRequest> {
        lock(&self.wanted).iter().map(|wanted| wanted.request.clone()).collect()
    }

    /// Takes note of a request, and returns its place. Requests for the same events are one, and have
    /// the fields of all.
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

/// The events as one search sees them.
#[derive(Debug)]
pub struct SharedView {
    shared: Arc<SharedEvents>,
    /// Places of what it asked for.
    wanted: Mutex<Vec<usize>>,
    /// Read with whatever the search asks for.
    carried: Mutex<Vec<Field>>,
    is_waiting: Arc<AtomicBool>,
}

impl SharedView {
    /// Has these fields read of all events that the search asks for, because they will be asked for
    /// later.
    ///
    /// # Errors
    /// As [`EventSource::fields`].
    pub async fn carry(&self, names: Vec<String>) -> Result<()> {
        let fields = self.shared.alone.fields(&Predicate::Nothing, &Demand::of(names)).await?;
        *lock(&self.carried) = fields;
        Ok(())
    }

    /// Asks for events; returns the place of what was asked for.
    fn want(&self, request: &ScanRequest) -> usize {
        let place = self.shared.want(request);
        let mut wanted = lock(&self.wanted);
        if !wanted.contains(&place) {
            wanted.push(place);
        }
        place
    }

    /// Returns the pass and the number in it of whole events that were read for a predicate.
    fn whole(&self, predicate: &Predicate) -> Option<(Arc<dyn EventsRead>, usize)> {
        let whole = whole_events();
        let wanted = lock(&self.shared.wanted);
        let is_it = |wanted: &&Asked| {
            wanted.request.predicate == *predicate
                && whole.iter().all(|field| wanted.request.fields.contains(field))
        };
        wanted.iter().filter(is_it).find_map(|wanted| wanted.read.clone())
    }

    /// Returns whether events were wanted that are not read yet, and forgets it.
    #[must_use]
    pub fn take_waiting(&self) -> bool {
        self.is_waiting.swap(false, Ordering::Relaxed)
    }

    /// Returns whether any event was found of all that the search asked for; none if it asked for
    /// nothing.
    #[must_use]
    pub fn has_events(&self) -> Option<bool> {
        let places = lock(&self.wanted);
        let wanted = lock(&self.shared.wanted);
        let has = |place: &usize| {
            wanted[*place].read.as_ref().is_none_or(|(read, number)| read.rows(*number) > 0)
        };
        (!places.is_empty()).then(|| places.iter().any(has))
    }

    /// Returns what the search asked for.
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
            // The search may have asked for the field as a multivalue, which its name does not show.
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

/// Events that are there once they were read.
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
            let request = ScanRequest { predicate, fields };
            let table = self.shared.alone.table(&request).await?;
            return table.scan(session, None, filters, limit).await;
        };
        read.table(number, &fields)?.scan(session, None, filters, limit).await
    }
}
