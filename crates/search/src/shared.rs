//! The events of many searches, read together.
//!
//! While searches are planned, each asks its own [`SharedView`] for events and is handed a promise; the
//! [`SharedEvents`] remember what was asked for. [`SharedEvents::read`] then reads it all in one pass,
//! and the plans can run. A search that needs events *while* it is planned, as one with a subsearch
//! does, is stopped, and planned once more after the pass: by then its events are there.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::{Demand, Field, Predicate, ScanRequest};

use crate::context::{EventSource, lock};
use crate::error::to_engine;
use crate::plan::schema_of;

/// Who can read the events of several searches in one pass.
#[async_trait]
pub trait EventReader: std::fmt::Debug + Send + Sync {
    /// Reads all events once, and keeps what each request asks for.
    ///
    /// # Errors
    /// Fails if the events cannot be put by.
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
}

/// What all searches of a run want of the events, and what was read of it.
#[derive(Debug)]
pub struct SharedEvents {
    /// For what cannot be read together: names of fields.
    alone: Arc<dyn EventSource>,
    reader: Arc<dyn EventReader>,
    wanted: Mutex<Vec<Wanted>>,
}

#[derive(Debug)]
struct Wanted {
    request: ScanRequest,
    /// The pass, and the request's number in it.
    read: Option<(Arc<dyn EventsRead>, usize)>,
}

impl SharedEvents {
    /// Returns events of which nothing was asked for yet.
    #[must_use]
    pub fn new(alone: Arc<dyn EventSource>, reader: Arc<dyn EventReader>) -> Arc<Self> {
        Arc::new(Self { alone, reader, wanted: Mutex::default() })
    }

    /// Returns the events as one search sees them.
    #[must_use]
    pub fn view(self: &Arc<Self>) -> Arc<SharedView> {
        Arc::new(SharedView {
            shared: self.clone(),
            wanted: Mutex::default(),
            is_waiting: Arc::default(),
            reads_alone: AtomicBool::new(false),
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
        wanted.push(Wanted { request: request.clone(), read: None });
        wanted.len() - 1
    }
}

/// The events as one search sees them.
#[derive(Debug)]
pub struct SharedView {
    shared: Arc<SharedEvents>,
    /// Places of what it asked for.
    wanted: Mutex<Vec<usize>>,
    is_waiting: Arc<AtomicBool>,
    reads_alone: AtomicBool,
}

impl SharedView {
    /// Returns whether events were wanted that are not read yet, and forgets it.
    #[must_use]
    pub fn take_waiting(&self) -> bool {
        self.is_waiting.swap(false, Ordering::Relaxed)
    }

    /// Returns true if the search read the logs by itself, too, to learn the names of fields.
    #[must_use]
    pub fn reads_alone(&self) -> bool {
        self.reads_alone.load(Ordering::Relaxed)
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
        if demand.is_open() {
            self.reads_alone.store(true, Ordering::Relaxed);
        }
        self.shared.alone.fields(predicate, demand).await
    }

    async fn table(&self, request: &ScanRequest) -> Result<Arc<dyn TableProvider>> {
        let place = self.shared.want(request);
        let mut wanted = lock(&self.wanted);
        if !wanted.contains(&place) {
            wanted.push(place);
        }
        let fields = request.fields.clone();
        Ok(Arc::new(Promise {
            shared: self.shared.clone(),
            place,
            schema: schema_of(fields.iter().map(|field| (field.name.as_str(), field.kind))),
            fields,
            is_waiting: self.is_waiting.clone(),
        }))
    }

    fn indexed_fields(&self) -> Option<Vec<String>> {
        self.shared.alone.indexed_fields()
    }

    fn is_pipeline_input(&self) -> bool {
        self.shared.alone.is_pipeline_input()
    }
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
        let read = lock(&self.shared.wanted)[self.place].read.clone();
        let Some((read, number)) = read else {
            self.is_waiting.store(true, Ordering::Relaxed);
            let message = "the events are not read yet";
            return Err(to_engine(Diagnostic::error(Code::EXECUTION, message)));
        };
        let fields = match projection {
            Some(places) => places.iter().map(|place| self.fields[*place].clone()).collect(),
            None => self.fields.clone(),
        };
        read.table(number, &fields)?.scan(session, None, filters, limit).await
    }
}
