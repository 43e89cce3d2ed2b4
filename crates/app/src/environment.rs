//! The clock, events, lookups, memory and engine that all searches of a run share.

use std::sync::Arc;

use datafusion::execution::context::SessionContext;
use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryPool};
use spilltrail_content::ContentSet;
use spilltrail_knowledge::Knowledge;
use spilltrail_search::context::{Cancel, GeoDatabase, SearchContext};
use spilltrail_search::events::EventSource;
use spilltrail_search::run;
use spilltrail_source::ScanOptions;
use spilltrail_spl::MacroSet;

use crate::clock::Clock;
use crate::error::AppError;
use crate::geo;
use crate::lookups::{Filled, RunLookups};
use crate::memory::{self, RunMemory};
use crate::options::RunOptions;

/// Maximum number of reader threads, unless the options set it. Each thread keeps one file in memory.
const MAX_THREADS: usize = 4;
/// Memory limit for operators, in bytes, from which several searches run at the same time.
const MEMORY_OF_SEVERAL: usize = 256 << 20;

/// Events, lookups, clock and engine of a run.
pub(crate) struct Environment {
    pub(crate) clock: Clock,
    pub(crate) events: Arc<dyn EventSource>,
    memory: RunMemory,
    tables: Option<Arc<dyn MemoryPool>>,
    lookups: RunLookups,
    macros: Arc<MacroSet>,
    knowledge: Arc<Knowledge>,
    geo: Option<Arc<dyn GeoDatabase>>,
    session: SessionContext,
    at_a_time: usize,
    threads: Option<usize>,
    cancel: Cancel,
}

impl Environment {
    /// Builds the environment of a run. `default_memory` is the memory limit in bytes, used if the
    /// options set no limit. `most_at_a_time` is the most searches that run at the same time; they
    /// share the memory.
    ///
    /// # Errors
    /// Fails if the GeoIP database or the folder of lookups cannot be used, or if no folder for temporary files exists.
    pub(crate) fn new(
        content: &Arc<ContentSet>,
        events: Arc<dyn EventSource>,
        clock: Clock,
        options: &RunOptions,
        default_memory: usize,
        most_at_a_time: usize,
    ) -> Result<Self, AppError> {
        let geo = match &options.geoip {
            Some(path) => Some(geo::open(path)?),
            None => None,
        };
        let memory = RunMemory::new(options.memory_limit.unwrap_or(default_memory));
        // More of them need more memory, because each has its own operators.
        let at_a_time = if memory.limit() >= MEMORY_OF_SEVERAL { most_at_a_time } else { 1 };
        // The sessions of the searches take over what was chosen for the limit of this one.
        let session = run::session_of(memory.share(at_a_time))
            .map_err(|error| AppError::Engine(error.strip_backtrace()))?;
        // The default of a hunt is what its searches need; tables may be larger than all of it.
        let has_room = options.memory_limit.is_none() && default_memory < memory::of_search();
        let tables = has_room.then(|| -> Arc<dyn MemoryPool> {
            Arc::new(GreedyMemoryPool::new(memory::of_search()))
        });
        Ok(Self {
            tables,
            lookups: RunLookups::new(content, options.lookups.clone())?,
            macros: Arc::new(content.macros.clone()),
            knowledge: content.knowledge.clone(),
            clock,
            events,
            memory,
            geo,
            session,
            at_a_time,
            threads: options.read.threads,
            cancel: Cancel::when({
                let cancel = options.cancel.clone();
                move || cancel.is_cancelled()
            }),
        })
    }

    /// Returns the thread count and the spool memory for reading logs for many searches at once.
    pub(crate) fn scan_options(&self) -> ScanOptions {
        let threads = self.threads.unwrap_or_else(|| {
            std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS)
        });
        ScanOptions { threads, memory: self.memory.spool() }
    }

    /// Returns the memory budget that all searches share.
    pub(crate) fn memory(&self) -> &RunMemory {
        &self.memory
    }

    /// Returns how many searches run at the same time.
    pub(crate) fn at_a_time(&self) -> usize {
        self.at_a_time
    }

    /// Adds the lookups that baselines filled, before any context is made.
    pub(crate) fn fill_lookups(&mut self, filled: Filled) {
        self.lookups.fill(filled);
    }

    /// Returns lookups that several searches fill, each of which sees what those before it wrote.
    pub(crate) fn lookups_to_fill(&self) -> Arc<RunLookups> {
        Arc::new(self.lookups.to_fill())
    }

    /// Returns the context of one search, with no observations and no written lookups yet.
    pub(crate) fn context(&self) -> SearchContext {
        self.context_with(Arc::new(self.lookups.fresh()))
    }

    /// Returns the context of one search over these lookups, with no observations yet.
    pub(crate) fn context_with(&self, lookups: Arc<RunLookups>) -> SearchContext {
        SearchContext {
            session: run::session_with(&self.session, self.memory.share(self.at_a_time())),
            events: self.events.clone(),
            lookups,
            tables: self.tables.clone(),
            geo: self.geo.clone(),
            macros: self.macros.clone(),
            knowledge: self.knowledge.clone(),
            now: self.clock.now,
            zone: self.clock.zone.clone(),
            cancel: self.cancel.clone(),
            range: self.clock.range,
            observations: Arc::default(),
        }
    }
}
