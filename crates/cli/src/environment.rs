//! What every search of a run shares.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use datafusion::execution::context::SessionContext;
use jiff::tz::TimeZone;
use spilltrail_event::TimeBounds;
use spilltrail_search::context::{EventSource, GeoDatabase, SearchContext};
use spilltrail_search::memory::MemoryEvents;
use spilltrail_search::run;
use spilltrail_source::{Duplicates, Logs, Progress, ReadOptions as LogOptions, ScanOptions};
use spilltrail_spl::{MacroSet, time};

use crate::arguments::{ContentOptions, Profile, ReadOptions, TimeOptions};
use crate::content::{self, RunLookups};
use crate::input_rows;
use crate::logs::{LogEvents, NoEvents};

/// Threads that read logs; each holds a file.
const MAX_THREADS: usize = 4;
/// Memory of events that wait for the searches they are for; more of them wait on disk.
const SPOOL_BYTES: usize = 32 * 1024 * 1024;

/// Content, events and clock of a run.
pub(crate) struct Environment {
    pub(crate) content: spilltrail_content::ContentSet,
    /// Whether some content could not be used.
    pub(crate) is_content_partial: bool,
    /// The logs, unless rows stand for them.
    pub(crate) logs: Option<Arc<Logs>>,
    pub(crate) clock: Clock,
    pub(crate) events: Arc<dyn EventSource>,
    lookups: RunLookups,
    macros: Arc<MacroSet>,
    geo: Option<Arc<dyn GeoDatabase>>,
    session: SessionContext,
}

/// When and where in time a run is.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    pub(crate) now: f64,
    /// True if the user fixed the instant.
    pub(crate) is_fixed: bool,
    pub(crate) zone: TimeZone,
    pub(crate) range: TimeBounds,
}

impl Clock {
    /// Resolves the options against the wall clock, unless they fix the instant.
    pub(crate) fn new(options: &TimeOptions) -> Result<Self> {
        let zone = zone(options)?;
        let wall = jiff::Timestamp::now().as_duration().as_secs_f64();
        let fixed = resolve("now", options.now.as_deref(), wall, &zone)?;
        let clock = Self::at(options, fixed.unwrap_or(wall))?;
        Ok(Self { is_fixed: fixed.is_some(), ..clock })
    }

    /// Resolves the options against an instant.
    pub(crate) fn at(options: &TimeOptions, now: f64) -> Result<Self> {
        let zone = zone(options)?;
        let range = TimeBounds {
            earliest: resolve("earliest", options.earliest.as_deref(), now, &zone)?,
            latest: resolve("latest", options.latest.as_deref(), now, &zone)?,
        };
        Ok(Self { now, is_fixed: false, zone, range })
    }
}

fn zone(options: &TimeOptions) -> Result<TimeZone> {
    TimeZone::get(&options.tz).with_context(|| format!("`{}` is not a time zone", options.tz))
}

fn resolve(name: &str, text: Option<&str>, now: f64, zone: &TimeZone) -> Result<Option<f64>> {
    let Some(text) = text else { return Ok(None) };
    time::resolve(text, now, zone).map_err(|error| anyhow!("--{name} {text}: {error}"))
}

/// Where events come from.
pub(crate) enum Events<'a> {
    /// Files, folders, patterns, standard input.
    Logs(&'a [String], Option<Progress>),
    /// A file of JSON rows.
    Rows(&'a Path),
}

impl Environment {
    /// Puts a run together. Problems are printed as they are found.
    pub(crate) fn new(
        events: Events<'_>,
        content: &ContentOptions,
        read: &ReadOptions,
        clock: Clock,
    ) -> Result<Self> {
        let loaded = content::load(content)?;
        let mut logs = None;
        let events: Arc<dyn EventSource> = match events {
            Events::Rows(path) => Arc::new(MemoryEvents::new(input_rows::read(path)?)),
            Events::Logs([], _) => Arc::new(NoEvents),
            Events::Logs(names, progress) => {
                let opened = Arc::new(open(names, read, progress)?);
                logs = Some(opened.clone());
                Arc::new(LogEvents(opened))
            }
        };
        let geo = match &read.geoip {
            Some(path) => Some(crate::geo::open(path)?),
            None => None,
        };
        Ok(Self {
            lookups: RunLookups::new(&loaded.set, content.lookups.clone()),
            macros: Arc::new(loaded.set.macros.clone()),
            content: loaded.set,
            is_content_partial: loaded.is_partial,
            logs,
            clock,
            events,
            geo,
            session: run::session(read.memory_limit.max(1) << 20)?,
        })
    }

    /// Returns how the logs are read for many searches at a time.
    pub(crate) fn scan_options(&self) -> ScanOptions {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        ScanOptions { threads: threads.min(MAX_THREADS), memory: SPOOL_BYTES }
    }

    /// Returns the surroundings of one search, with nothing observed and no lookup written yet.
    pub(crate) fn context(&self) -> SearchContext {
        SearchContext {
            session: self.session.clone(),
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

fn open(names: &[String], read: &ReadOptions, progress: Option<Progress>) -> Result<Logs> {
    let options = LogOptions {
        profile: match read.profile {
            Profile::Superset => spilltrail_decode::Profile::Superset,
            Profile::Ta70 => spilltrail_decode::Profile::Ta70,
        },
        sourcetype: read.sourcetype.clone(),
        duplicates: if read.dedup { Duplicates::Drop } else { Duplicates::Keep },
        progress,
        ..LogOptions::default()
    };
    let logs = Logs::open(names, &mut std::io::stdin().lock(), options);
    if logs.files().is_empty() {
        for problem in logs.problems() {
            eprintln!("error: {problem}");
        }
        bail!("there is no log to read");
    }
    Ok(logs)
}
