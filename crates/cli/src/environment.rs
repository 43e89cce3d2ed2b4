//! What every search of a run shares.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use datafusion::execution::context::SessionContext;
use jiff::tz::TimeZone;
use spilltrail_content::ContentSet;
use spilltrail_event::TimeBounds;
use spilltrail_search::context::{GeoDatabase, SearchContext};
use spilltrail_search::events::EventSource;
use spilltrail_search::events::memory::MemoryEvents;
use spilltrail_search::run;
use spilltrail_source::{
    Duplicates, Logs, Progress, ReadOptions as LogOptions, S3Options, ScanOptions, Wanted,
};
use spilltrail_spl::{MacroSet, expand_macros, time};

use crate::arguments::{ContentOptions, Profile, ReadOptions, TimeOptions};
use crate::content::{self, RunLookups};
use crate::input_rows;
use crate::logs::{LogEvents, NoEvents};

/// Threads that read logs; each holds a file.
const MAX_THREADS: usize = 4;
/// Of what operators may hold, the part that events may take beside them while they wait for their searches;
/// more of them wait on disk.
const SPOOL_PART: usize = 16;
/// The most memory that events may take while they wait, in bytes.
const MAX_SPOOL: usize = 64 << 20;
/// What operators may hold from which on two detections run at a time, in bytes.
const MEMORY_OF_TWO: usize = 256 << 20;

/// Content, events and clock of a run.
pub(crate) struct Environment {
    pub(crate) content: ContentSet,
    /// Whether some content could not be used.
    pub(crate) is_content_partial: bool,
    /// The logs, unless rows stand for them.
    pub(crate) logs: Option<Arc<Logs>>,
    pub(crate) clock: Clock,
    /// Which rules derived fields follow.
    pub(crate) profile: spilltrail_decode::Profile,
    pub(crate) events: Arc<dyn EventSource>,
    /// What the operators of all searches may hold, in bytes.
    memory: usize,
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
    /// Files, folders, patterns, objects on S3, standard input; and what of them the run's searches can
    /// find something in.
    Logs(&'a [String], Option<Progress>, &'a dyn Fn(&ContentSet) -> Wanted),
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
            Events::Logs([], ..) => Arc::new(NoEvents),
            Events::Logs(names, progress, wanted) => {
                let opened = Arc::new(open(names, read, progress, wanted(&loaded.set))?);
                logs = Some(opened.clone());
                Arc::new(LogEvents(opened))
            }
        };
        let geo = match &read.geoip {
            Some(path) => Some(crate::geo::open(path)?),
            None => None,
        };
        let memory = read.memory_limit.max(1) << 20;
        Ok(Self {
            memory,
            lookups: RunLookups::new(&loaded.set, content.lookups.clone()),
            macros: Arc::new(loaded.set.macros.clone()),
            content: loaded.set,
            is_content_partial: loaded.is_partial,
            logs,
            clock,
            profile: profile(read),
            events,
            geo,
            session: run::session(memory)?,
        })
    }

    /// Returns how the logs are read for many searches at a time.
    pub(crate) fn scan_options(&self) -> ScanOptions {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let memory = (self.memory / SPOOL_PART).min(MAX_SPOOL);
        ScanOptions { threads: threads.min(MAX_THREADS), memory }
    }

    /// Returns how many detections run at a time; each has its own operators in memory.
    pub(crate) fn at_a_time(&self) -> usize {
        if self.memory >= MEMORY_OF_TWO { 2 } else { 1 }
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

/// The terms by which a search has a time range of its own.
const OWN_TIMES: &[&str] = &["earliest", "latest", "starttime", "endtime", "timeu", "ago"];

/// Returns what searches can find something in, as far as it is known before they are compiled: the
/// range of the options, unless a search has times of its own, which go before it.
pub(crate) fn wanted<'a>(
    range: TimeBounds,
    mut searches: impl Iterator<Item = &'a str>,
    macros: &MacroSet,
) -> Wanted {
    let has_own_times = searches.any(|search| {
        let (expansion, _) = expand_macros(search, macros);
        let text = expansion.text.to_ascii_lowercase();
        OWN_TIMES.iter().any(|term| {
            text.match_indices(term).any(|(start, _)| {
                let after = text[start + term.len()..].trim_start_matches(['"', ' ', '\t', '\n']);
                after.starts_with(['=', '<', '>', '!', ':'])
            })
        })
    });
    if has_own_times { Wanted::default() } else { Wanted::in_time(range) }
}

fn profile(read: &ReadOptions) -> spilltrail_decode::Profile {
    match read.profile {
        Profile::Superset => spilltrail_decode::Profile::Superset,
        Profile::Ta70 => spilltrail_decode::Profile::Ta70,
    }
}

fn open(
    names: &[String],
    read: &ReadOptions,
    progress: Option<Progress>,
    wanted: Wanted,
) -> Result<Logs> {
    let options = LogOptions {
        profile: profile(read),
        sourcetype: read.sourcetype.clone(),
        duplicates: if read.dedup { Duplicates::Drop } else { Duplicates::Keep },
        progress,
        wanted,
        s3: S3Options {
            profile: read.s3.s3_profile.clone(),
            region: read.s3.s3_region.clone(),
            endpoint: read.s3.s3_endpoint.clone(),
            anonymous: read.s3.s3_anonymous,
            requester_pays: read.s3.s3_requester_pays,
        },
        ..LogOptions::default()
    };
    let logs = Logs::open(names, &mut std::io::stdin().lock(), options);
    // That every file is of another time is an answer, not a mistake.
    if logs.files().is_empty() && logs.report().skips.is_empty() {
        for problem in logs.problems() {
            eprintln!("error: {problem}");
        }
        bail!("there is no log to read");
    }
    Ok(logs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_with_times_of_its_own_is_not_bounded_by_the_options() {
        let range = TimeBounds { earliest: Some(1.0), latest: Some(2.0) };
        for (search, is_bounded) in [
            ("eventName=CreateTask | stats count latest(x)", true),
            ("earliest=-7d eventName=CreateTask", false),
            ("eventName=a OR [search EARLIEST = 0 b=1]", false),
            ("starttimeu=0", false),
            ("daysago=3", false),
        ] {
            let wanted = wanted(range, std::iter::once(search), &MacroSet::default());
            assert_eq!(wanted.time == range, is_bounded, "{search}");
        }
    }
}
