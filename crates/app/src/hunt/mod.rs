//! Runs detections over logs.

pub(crate) mod baselines;
mod blind;
mod delivery;
pub(crate) mod doubts;
pub(crate) mod explain;
pub(crate) mod held;
mod pinned;
mod risk;
pub(crate) mod sink;
pub(crate) mod summary;
#[cfg(test)]
mod tests;
mod workers;

use std::sync::Arc;
use std::time::Duration;

use cpu_time::ThreadTime;
use spilltrail_detect::AnalyzedContent;
use spilltrail_detect::hunt::{Job, prepare};
use spilltrail_diagnostic::{Code, Diagnostic};
use spilltrail_event::{Predicate, ScanRequest, StopToken, TimeBounds};
use spilltrail_search::context::SearchContext;
use spilltrail_search::error::from_engine;
use spilltrail_search::events::shared::{EventReader, SharedEvents};
use spilltrail_search::pool;
use spilltrail_source::{Beyond, Logs, Newest, Wanted};

use crate::allow::AllowList;
use crate::cancel::{Done, StopWhenDropped, until_cancelled};
use crate::clock::Clock;
use crate::content::Content;
use crate::environment::Environment;
use crate::error::{AppError, blocking};
use crate::listing;
use crate::logs::{LogEvents, LogReader};
use crate::lookups::Filled;
use crate::names::Names;
use crate::options::{HuntOptions, TimeOptions};
use crate::unread::Unread;
use baselines::Baselines;
use delivery::{Delivery, Judge, Told};
use held::{Chosen, Seen};
use risk::RiskEvents;
use sink::{HuntEvent, HuntSink};
use summary::{Ran, Summary};

/// The most detections that run at the same time.
const AT_A_TIME: usize = 2;

/// Runs detections over logs, and passes each finding to `sink` as soon as it is available.
///
/// Detections run on threads of the calling Tokio runtime. Their stacks must be large enough for
/// the largest search; [`spilltrail_search::stack::runtime`] builds such a runtime.
///
/// # Errors
/// Fails if an option is invalid, nothing can be read, the sink returns an error, or the hunt is
/// canceled. A detection that cannot run is not an error: its report says why.
pub async fn hunt(
    content: &Content,
    options: &HuntOptions,
    sink: &mut dyn HuntSink,
) -> Result<Summary, AppError> {
    let stop = StopWhenDropped::default();
    let mut tally = Tally::default();
    let work = run(content, options, sink, stop.token(), &mut tally);
    let outcome = Box::pin(until_cancelled(&options.run.cancel, work)).await;
    outcome.map_err(|error| match error {
        AppError::Cancelled(_) => AppError::Cancelled(Box::new(tally.done())),
        AppError::Sink { source, .. } => AppError::Sink { source, done: Box::new(tally.done()) },
        other => other,
    })
}

/// Progress of a hunt, kept outside its future so that it survives cancellation.
#[derive(Default)]
struct Tally {
    logs: Option<Arc<Logs>>,
    detections: u64,
    finished: u64,
    findings: u64,
}

impl Tally {
    fn done(&self) -> Done {
        let Self { logs, detections, finished, findings } = self;
        let (detections, finished, findings) = (*detections, *finished, *findings);
        Done { detections, finished, findings, ..Done::of_reading(logs.as_ref()) }
    }
}

async fn run(
    content: &Content,
    options: &HuntOptions,
    sink: &mut dyn HuntSink,
    stop: StopToken,
    tally: &mut Tally,
) -> Result<Summary, AppError> {
    let selected = options.select.choose(&content.set)?;
    tally.detections = selected.len() as u64;
    let analyzed = Arc::new(AnalyzedContent::new(content.set.clone()));
    let offer = held::offer(options, &content.set.knowledge).await?;
    let mut chosen = Chosen::new(&selected, &analyzed, &offer);
    let time = &options.run.time;
    let mut clock = Clock::new(time)?;
    // Entries expire by the time of the run, not by that of the events.
    let allowed = AllowList::new(&options.allow, clock.now, &clock.zone);

    // List the logs. If the current time depends on the newest event, list all files, because any
    // of them may contain it.
    let depends_on_newest =
        !clock.is_fixed && (clock.is_range_relative(time)? || chosen.ask_for_the_present);
    // Baselines read what is before the range.
    let reads_all = depends_on_newest || options.baselines;
    let wanted = if reads_all { Wanted::default() } else { chosen.wanted(&clock) };
    let (names, read) = (&options.logs, &options.run.read);
    let logs = listing::list(names, read, wanted, sink.progress(), stop).await?;
    tally.logs = Some(logs.clone());

    // Set the clock.
    let mut newest_cost = Duration::ZERO;
    let (mut beyond, mut newest_is_known) = (None, false);
    if depends_on_newest {
        let found;
        (found, beyond, newest_cost) = at_newest_event(clock.now, time, &logs).await?;
        newest_is_known = found.is_some();
        clock = found.unwrap_or(clock);
    }
    clock.check_range()?;
    logs.set_range(clock.range);
    let bytes = logs.files().iter().map(|file| file.size).sum();
    tell(sink, HuntEvent::Listed { files: logs.files().len() as u64, bytes }).await?;

    let mut baselines = options.baselines.then(|| Baselines::new(&analyzed));
    if let Some(baselines) = &mut baselines {
        baselines::range_before(clock.range)?;
        // Detections that are held back may run once the events are known.
        let lookups = chosen.lookups(&analyzed);
        if !baselines.fill_any(&lookups) && !baselines.fill_any(&chosen.lookups_of_held(&analyzed))
        {
            return Err(AppError::NoBaselines);
        }
        baselines.run(&lookups, &logs, &clock, &options.run).await?;
    }
    let filled = |baselines: &Option<Baselines<'_>>| {
        baselines.as_ref().map(|baselines| baselines.filled.clone()).unwrap_or_default()
    };
    let mut pass = Shared::new(content, options, clock, &logs, &filled(&baselines))?;
    let mut jobs = pass.prepare(&analyzed, &chosen.run).await?;
    let mut costs = Vec::new();
    let total = logs.report().total;
    if total.own_names.names().next().is_some() && !chosen.held.is_empty() {
        // Events say themselves what they are, so detections that were held back for that may match
        // them, too.
        let again = Chosen::new(&selected, &analyzed, &held::with_own(&offer, &total));
        if again.run.len() > chosen.run.len() {
            chosen = again;
            costs.extend(pass.reader.costs());
            let clock = pass.environment.clock.clone();
            if let Some(baselines) = &mut baselines {
                baselines.run(&chosen.lookups(&analyzed), &logs, &clock, &options.run).await?;
            }
            pass = Shared::new(content, options, clock, &logs, &filled(&baselines))?;
            jobs = pass.prepare(&analyzed, &chosen.run).await?;
        }
    }
    let baselines = baselines.map(|baselines| baselines.reports);
    let Shared { environment, reader } = pass;
    let known = logs.report();
    let is_complete = known.skips.is_empty() && known.total.damage_count == 0;
    let seen = Seen::new(&offer, &known.total, is_complete);
    tell(sink, HuntEvent::LogsRead).await?;

    // Run the detections.
    let run_id = options.run_id.clone().unwrap_or_else(new_run_id);
    let finished = workers::run(&environment, analyzed.clone(), jobs, &run_id);
    let is_own = |index: &&usize| content.set.detections[**index].root.is_some();
    let own_count = chosen.run.iter().filter(is_own).count();
    // Files that no search needs stay unread, and their names unknown.
    let readable = known.skips.is_empty().then(|| logs.clone());
    let names = Names::new(readable, environment.context(), own_count);
    let judge = Judge { seen: &seen, total: &known.total, names: &names };
    let mut delivery = Delivery {
        content: analyzed.as_ref(),
        sink,
        tally,
        allowed,
        read,
        run_id: &run_id,
        told: Told::default(),
        risk: (!chosen.correlate.is_empty()).then(RiskEvents::new),
        now: environment.clock.now,
    };
    delivery.all(finished, Some(&judge)).await?;
    if let Some(risk) = delivery.risk.take() {
        // Correlations run after all others, over the risk that these raised.
        let context = || environment.context();
        match over_risk(risk, &analyzed, &chosen.correlate, &context).await {
            Ok(jobs) => {
                let finished = workers::run(&environment, analyzed.clone(), jobs, &run_id);
                delivery.all(finished, None).await?;
            }
            Err(reason) => delivery.stopped(&chosen.correlate, &reason).await?,
        }
    }
    delivery.held(chosen.held).await?;
    let Delivery { allowed, told, .. } = delivery;
    costs.extend(reader.costs());
    let clock = &environment.clock;
    let ran = Ran {
        clock,
        run_id: &run_id,
        costs: &costs,
        newest_cost,
        memory: environment.memory().used(),
        newest_is_known,
        has_range: clock.range != TimeBounds::default() || chosen.run_with_own_times,
        are_wanted: told.are_wanted,
        lacking_read: told.lacking_read.into_iter().collect(),
        read,
        named: &chosen.named,
    };
    let summary = Summary::new(&logs, told.reports, &ran);
    let mut summary = summary.with_allow_list(allowed.into_reports());
    summary.baselines = baselines.unwrap_or_default();
    summary.met_indexes = told.met_indexes.into_iter().collect();
    summary.unread.extend(beyond.map(|beyond| Unread::future(&beyond, &clock.zone)));
    let in_range = (clock.range != TimeBounds::default()).then_some(chosen.run_in_range);
    if in_range != Some(false) {
        summary.unread.extend(Unread::out_of_range(&logs, in_range.is_some(), &clock.zone));
    }
    Ok(summary)
}

/// What all detections of a hunt share: the environment, and one reader of the logs.
struct Shared {
    environment: Arc<Environment>,
    reader: Arc<LogReader>,
}

impl Shared {
    fn new(
        content: &Content,
        options: &HuntOptions,
        clock: Clock,
        logs: &Arc<Logs>,
        filled: &Filled,
    ) -> Result<Self, AppError> {
        let events = Arc::new(LogEvents(logs.clone()));
        let (limit, set) = (pool::HUNT_LIMIT, &content.set);
        let mut environment = Environment::new(set, events, clock, &options.run, limit, AT_A_TIME)?;
        environment.fill_lookups(filled.clone());
        let reader = Arc::new(LogReader::new(logs.clone(), environment.scan_options()));
        Ok(Self { environment: Arc::new(environment), reader })
    }

    /// Plans detections, and reads the logs once for all of them together.
    async fn prepare(
        &self,
        content: &AnalyzedContent,
        detections: &[usize],
    ) -> Result<Vec<Job>, AppError> {
        if detections.is_empty() {
            // What the logs are is told even if no detection can look at them.
            let nothing = ScanRequest { predicate: Predicate::Nothing, fields: Vec::new() };
            let read = self.reader.read(vec![nothing]).await;
            return match read {
                Ok(_) => Ok(Vec::new()),
                Err(error) => Err(AppError::Reading(from_engine(&error))),
            };
        }
        let environment = &self.environment;
        let shared = SharedEvents::new(environment.events.clone(), self.reader.clone());
        let context = || environment.context();
        prepare(content, detections, &shared, &context).await.map_err(AppError::Reading)
    }
}

/// Plans detections over the risk events of those that ran before.
///
/// # Errors
/// Fails if the events cannot be kept or read back.
async fn over_risk(
    risk: RiskEvents,
    content: &AnalyzedContent,
    detections: &[usize],
    context: &(dyn Fn() -> SearchContext + Sync),
) -> Result<Vec<Job>, Diagnostic> {
    let events = risk.finish().map_err(|error| {
        Diagnostic::error(Code::DISK, format!("the risk events cannot be kept: {error}"))
    })?;
    let events = Arc::new(events);
    prepare(content, detections, &SharedEvents::new(events.clone(), events), context).await
}

/// Returns a random run id in the form of a version 4 UUID.
fn new_run_id() -> String {
    let mut bytes = fastrand::u128(..).to_be_bytes();
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

async fn tell(sink: &mut dyn HuntSink, event: HuntEvent<'_>) -> Result<(), AppError> {
    let failed = |source| AppError::Sink { source, done: Box::default() };
    sink.event(event).await.map_err(failed)
}

/// Returns a clock that stands at one second after the newest event, if there is one. `wall` is the
/// time of the run.
///
/// Also returns the events that are too late to be the newest, and the CPU time spent finding it.
async fn at_newest_event(
    wall: f64,
    options: &TimeOptions,
    logs: &Arc<Logs>,
) -> Result<(Option<Clock>, Option<Beyond>, Duration), AppError> {
    let logs = logs.clone();
    let look = move || {
        let started = ThreadTime::now();
        (logs.newest_event(wall), started.elapsed())
    };
    let (Newest { time, beyond }, cost) = blocking(look).await?;
    let clock = time.map(|newest| Clock::at(options, newest + 1.0)).transpose()?;
    Ok((clock, beyond, cost))
}
