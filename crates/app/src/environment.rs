//! What every search of a run shares.

use std::sync::Arc;

use datafusion::execution::context::SessionContext;
use spilltrail_content::ContentSet;
use spilltrail_search::context::{GeoDatabase, SearchContext};
use spilltrail_search::events::EventSource;
use spilltrail_search::run;
use spilltrail_source::ScanOptions;
use spilltrail_spl::MacroSet;

use crate::clock::Clock;
use crate::error::AppError;
use crate::geo;
use crate::lookups::RunLookups;
use crate::memory::RunMemory;
use crate::options::RunOptions;

/// Threads that read logs; each holds a file.
const MAX_THREADS: usize = 4;
/// From this much memory for operators, two detections run at a time, in bytes.
const MEMORY_OF_TWO: usize = 256 << 20;

/// Events, lookups, clock and engine of a run.
pub(crate) struct Environment {
    pub(crate) clock: Clock,
    pub(crate) events: Arc<dyn EventSource>,
    memory: RunMemory,
    lookups: RunLookups,
    macros: Arc<MacroSet>,
    geo: Option<Arc<dyn GeoDatabase>>,
    session: SessionContext,
}

impl Environment {
    /// Puts a run together; without a limit, its searches may hold `default_memory` bytes.
    ///
    /// # Errors
    /// Fails if the GeoIP database cannot be used, or there is no folder for temporary files.
    pub(crate) fn new(
        content: &Arc<ContentSet>,
        events: Arc<dyn EventSource>,
        clock: Clock,
        options: &RunOptions,
        default_memory: usize,
    ) -> Result<Self, AppError> {
        let geo = match &options.geoip {
            Some(path) => Some(geo::open(path)?),
            None => None,
        };
        let memory = RunMemory::new(options.memory_limit.unwrap_or(default_memory));
        let session = run::session_of(memory.share(1))
            .map_err(|error| AppError::Engine(error.strip_backtrace()))?;
        Ok(Self {
            lookups: RunLookups::new(content, options.lookups.clone()),
            macros: Arc::new(content.macros.clone()),
            clock,
            events,
            memory,
            geo,
            session,
        })
    }

    /// Returns how the logs are read for many searches at a time.
    pub(crate) fn scan_options(&self) -> ScanOptions {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        ScanOptions { threads: threads.min(MAX_THREADS), memory: self.memory.spool() }
    }

    /// Returns the memory of all searches.
    pub(crate) fn memory(&self) -> &RunMemory {
        &self.memory
    }

    /// Returns how many detections run at a time; each has its own operators in memory.
    pub(crate) fn at_a_time(&self) -> usize {
        if self.memory.limit() >= MEMORY_OF_TWO { 2 } else { 1 }
    }

    /// Returns the surroundings of one search, with nothing observed and no lookup written yet.
    pub(crate) fn context(&self) -> SearchContext {
        SearchContext {
            session: run::session_with(&self.session, self.memory.share(self.at_a_time())),
            events: self.events.clone(),
            lookups: Arc::new(self.lookups.fresh()),
            geo: self.geo.clone(),
            macros: self.macros.clone(),
            now: self.clock.now,
            zone: self.clock.zone.clone(),
            range: self.clock.range,
            observations: Arc::default(),
        }
    }
}
