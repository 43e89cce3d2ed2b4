//! From events to commits: grouping by origin, storing in parts.
//!
//! A request whose events fit a part is one commit, which is stored as a whole or not at all. A larger one
//! is several, each of which is stored before more is read, so that memory is bounded. If it fails later,
//! the parts before are stored.

use std::sync::Arc;

use futures::FutureExt;
use indexmap::IndexMap;
use spilltrail_lake::{BatchBuilder, BatchError, Commit, Event, Origin};

use super::budget::Share;
use super::envelope::Names;
use super::inbox::{Inbox, InboxError, Stored};
use super::reply::{Code, Reply};
use super::tokens::Token;
use crate::ids::RequestId;
use crate::metrics::{Metrics, Task};

/// The most origins of a part: each is a batch of its own.
const MAX_ORIGINS: usize = 1000;

/// More bytes, or more batches, are compressed on another thread, because it takes milliseconds.
const COMPRESSED_HERE: (usize, usize) = (256 << 10, 32);

/// An event whose text and names are known.
pub(crate) struct Arrived<'a> {
    pub(crate) text: &'a [u8],
    pub(crate) time: Option<i64>,
    pub(crate) names: &'a Names<'a>,
    pub(crate) fields: Option<&'a str>,
}

/// Where events go, and who is told of it.
pub(crate) struct To<'a> {
    pub(crate) inbox: &'a dyn Inbox,
    pub(crate) metrics: &'a Arc<Metrics>,
    /// Returns the time in microseconds since the epoch.
    pub(crate) clock: fn() -> i64,
    /// The id of the request, for the log.
    pub(crate) request: RequestId,
}

/// The events of one request.
pub(crate) struct Ingest<'a> {
    to: To<'a>,
    token: &'a Token,
    /// The source of events for which nobody names one, as Splunk names it.
    source: String,
    /// The most bytes of an event.
    max_event: usize,
    /// The bytes after which a part is stored.
    part_bytes: usize,
    /// When the request came, in microseconds since the epoch.
    received: i64,
    share: Share,
    batches: IndexMap<Origin, BatchBuilder>,
    /// The batch of the last event; the next one most likely goes there, too.
    last: usize,
    /// The number of bytes in `batches`.
    bytes: usize,
    /// The number of events that were taken.
    count: u64,
    /// The number of events that were given to the store.
    given: u64,
    /// The number of events that are stored.
    stored: u64,
}

/// Why an event was not taken.
pub(crate) enum NotTaken {
    /// The event is wrong.
    Wrong(Code),
    /// It belongs into the next part.
    PartIsFull,
}

impl<'a> Ingest<'a> {
    pub(crate) fn new(
        to: To<'a>,
        token: &'a Token,
        share: Share,
        (max_event, part_bytes): (usize, usize),
    ) -> Self {
        let received = (to.clock)();
        Self {
            to,
            token,
            source: format!("http:{}", token.name),
            max_event,
            part_bytes,
            received,
            share,
            batches: IndexMap::new(),
            last: 0,
            bytes: 0,
            count: 0,
            given: 0,
            stored: 0,
        }
    }

    /// Returns the number of events that were taken, which is the number of the next one.
    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    /// Takes an event.
    pub(crate) fn push(&mut self, event: &Arrived<'_>) -> Result<(), NotTaken> {
        if event.text.len() > self.max_event {
            return Err(NotTaken::Wrong(Code::InvalidDataFormat));
        }
        let Some(batch) = self.batch(event.names)? else { return Err(NotTaken::PartIsFull) };
        let before = batch.bytes();
        let pushed = batch.push(Event { raw: event.text, time: event.time, fields: event.fields });
        match pushed {
            Ok(()) => {
                self.bytes += batch.bytes() - before;
                self.count += 1;
                Ok(())
            }
            Err(BatchError::Full) => Err(NotTaken::PartIsFull),
            Err(_) => Err(NotTaken::Wrong(Code::InvalidDataFormat)),
        }
    }

    /// Returns the batch of an origin; `None` if the part has too many.
    fn batch(&mut self, names: &Names<'_>) -> Result<Option<&mut BatchBuilder>, NotTaken> {
        let index = names.index.as_deref().unwrap_or(self.token.default_index());
        let or = |name: &'a Option<String>| name.as_deref();
        let token = self.token;
        let sourcetype = names.sourcetype.as_deref().or(or(&token.sourcetype));
        let source = names.source.as_deref().or(or(&token.source));
        let source = source.or(Some(self.source.as_str()));
        let host = names.host.as_deref().or(or(&token.host));
        let is_last = self.batches.get_index(self.last).is_some_and(|(last, _)| {
            last.index == index
                && last.sourcetype.as_deref() == sourcetype
                && last.source.as_deref() == source
                && last.host.as_deref() == host
        });
        if !is_last {
            if !self.token.allows(index) {
                return Err(NotTaken::Wrong(Code::IncorrectIndex));
            }
            let owned = |name: Option<&str>| name.map(str::to_owned);
            let origin = Origin {
                index: index.to_owned(),
                sourcetype: owned(sourcetype),
                source: owned(source),
                host: owned(host),
                format: String::new(),
            };
            if self.batches.len() >= MAX_ORIGINS && !self.batches.contains_key(&origin) {
                return Ok(None);
            }
            let names = [sourcetype, source, host].into_iter().flatten().map(str::len);
            let bytes = size_of::<(Origin, BatchBuilder)>() + names.sum::<usize>();
            let entry = self.batches.entry(origin);
            self.last = entry.index();
            if let indexmap::map::Entry::Vacant(_) = &entry {
                self.bytes += bytes;
            }
            entry.or_insert_with_key(|origin| BatchBuilder::new(origin.clone()));
        }
        Ok(self.batches.get_index_mut(self.last).map(|(_, batch)| batch))
    }

    /// Returns true if what is there should be stored before more is taken.
    pub(crate) const fn is_part_full(&self) -> bool {
        self.bytes >= self.part_bytes
    }

    /// Claims the memory that the request takes, with `more` bytes beside its events.
    ///
    /// # Errors
    /// Fails if other requests have it.
    pub(crate) fn claim(&mut self, more: usize) -> Result<(), Reply> {
        // A buffer that grows is up to twice as large as what is in it.
        if self.share.set(2 * self.bytes + more) {
            Ok(())
        } else {
            Err(self.refused(&InboxError::Busy))
        }
    }

    /// Stores what is there, and waits until it is on the disk.
    ///
    /// # Errors
    /// Fails if it is not known to be stored.
    pub(crate) async fn store(&mut self) -> Result<(), Reply> {
        let answer = self.append().await?;
        answer.await.map_err(|error| self.refused(&error))?;
        self.stored = self.count;
        Ok(())
    }

    /// Gives what is there to the store, and returns the answer that will come.
    ///
    /// # Errors
    /// Fails if the store refuses it.
    pub(crate) async fn append(&mut self) -> Result<Stored, Reply> {
        let builders = std::mem::take(&mut self.batches).into_values();
        let size = (std::mem::take(&mut self.bytes), builders.len());
        let compress = move || builders.map(BatchBuilder::finish).collect::<Result<Vec<_>, _>>();
        let batches = if size.0 <= COMPRESSED_HERE.0 && size.1 <= COMPRESSED_HERE.1 {
            compress()
        } else {
            let work = tokio::task::spawn_blocking(compress);
            work.await.map_err(|error| self.failed(&error))?
        };
        let batches = batches.map_err(|error| self.failed(&error))?;
        if batches.is_empty() {
            return Ok(Box::pin(std::future::ready(Ok(()))));
        }
        let commit = Commit { batches, marks: Vec::new(), received: self.received };
        let events = self.count - std::mem::replace(&mut self.given, self.count);
        let To { inbox, metrics, clock, request } = &self.to;
        let tell = {
            let (metrics, clock, request) = ((*metrics).clone(), *clock, request.clone());
            move |outcome: &Result<(), InboxError>| match outcome {
                Ok(()) => metrics.succeeded(Task::Receive, (clock() / 1_000_000) as f64),
                Err(error) => {
                    metrics.hec_refused();
                    if let InboxError::Failed(_) = error {
                        log::error!("{}: {error}", request.0);
                    }
                }
            }
        };
        let answer = match inbox.append(commit) {
            Ok(answer) => answer,
            Err(error) => {
                tell(&Err(error.clone()));
                return Err(self.refused(&error));
            }
        };
        metrics.hec_taken(events, size.0 as u64);
        let told = async move {
            let outcome = answer.await;
            tell(&outcome);
            outcome
        };
        let told = told.shared();
        // What became of it is told, also if nobody ever asks for the answer.
        if told.clone().now_or_never().is_none() {
            tokio::spawn(told.clone());
        }
        Ok(Box::pin(told))
    }

    /// Returns the answer to a request that failed because of a bug, and tells the log.
    fn failed(&self, error: &dyn std::fmt::Display) -> Reply {
        log::error!("{}: events cannot be compressed: {error}", self.to.request.0);
        Code::InternalServerError.into()
    }

    /// Returns the answer to a request that cannot be stored. If parts of it are, it tells the number of the
    /// first event that is not.
    fn refused(&self, error: &InboxError) -> Reply {
        let code = match error {
            InboxError::Busy => Code::ServerBusy,
            InboxError::Full => Code::QueuesFull,
            InboxError::Closed => Code::ShuttingDown,
            InboxError::Failed(_) => Code::InternalServerError,
        };
        if self.stored == 0 { code.into() } else { Reply::of_event(code, self.stored) }
    }
}
