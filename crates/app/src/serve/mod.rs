//! A server: events come in and are kept, detections run on their schedules, and findings are stored.
//!
//! [`Server::open`] opens the data folder, and [`Server::run`] works until it is stopped. How events and
//! requests come in is not decided here: [`Server::wal`] is where an edge puts events.
//!
//! A server can be killed at any moment. Events that were acknowledged are in the log or in the table;
//! runs that were recorded are done, and all others are due.

mod allowed;
mod backup;
mod events;
mod findings;
mod folder;
mod inputs;
mod journal;
mod mover;
mod options;
mod outputs;
mod priority;
mod queued;
mod reload;
mod runner;
mod scheduler;
mod schedules;
#[cfg(test)]
mod tests;
mod trouble;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use spilltrail_deliver::{Clients, Limits as ClientLimits};
use spilltrail_lake::{EventTable, LakeError, Wal, WalOptions, settle};
use spilltrail_schedule::Moment;
use spilltrail_store::Store;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use allowed::entry_of as allow_entry_of;
pub use backup::{Copied, copy_data};
pub use events::{Delivered, ServeEvent, ServeSink};
pub use folder::DataFolder;
pub use inputs::InputOptions;
pub use journal::{AUDIT, INTERNAL, Journal};
pub use options::{Retention, ScheduleOverride, ServeOptions};
pub use priority::PriorityEntry;
pub use queued::standing_of;
pub use reload::CurrentContent;
pub use schedules::schedule_spec;
pub use trouble::Trouble;

use crate::content::Content;
use crate::error::AppError;
use crate::hunt::held::offer_of_server;
use crate::kept_file;
use journal::Journaled;
use mover::{Clock, Mover};
use outputs::Outputs;
use priority::Priorities;
use runner::{Loaded, Runner};
use scheduler::Scheduler;
use schedules::Schedules;

/// How often the files of the content are looked at.
const CONTENT_EVERY: Duration = Duration::from_secs(15);

/// How often old findings and runs are removed.
const FINDINGS_EVERY: Duration = Duration::from_hours(6);

/// The most files of content that are told to be wrong.
const MOST_PROBLEMS: usize = 20;

/// How long is waited until a part begins again that ended because of a bug.
const AFTER_BUG: Duration = Duration::from_mins(1);

/// How long is waited after what was done could not be recorded, in seconds.
const AFTER_FAILURE: i64 = 5;

/// A server whose data folder is open.
#[derive(Debug)]
pub struct Server {
    runner: Arc<Runner>,
    table: EventTable,
    loaded: Loaded,
    content: CurrentContent,
}

impl Server {
    /// Opens the data folder, and loads the content. The folder is created if it is not there.
    ///
    /// # Errors
    /// Fails if another process has the folder open, if it cannot be used, or if no detection is selected.
    pub async fn open(
        options: ServeOptions,
        sink: Arc<dyn ServeSink>,
        cancel: CancellationToken,
    ) -> Result<Self, AppError> {
        check_zone(&options.zone)?;
        check_database(options.geoip.as_deref())?;
        let folder = DataFolder::new(&options.data);
        let failed = |reason: String| AppError::Lake { path: folder.path().to_owned(), reason };
        crate::lake::check_folder(folder.path())?;
        make_private(folder.path()).map_err(|error| failed(error.to_string()))?;
        let versions = folder.lookups().join(kept_file::VERSIONS);
        fs::create_dir_all(versions).map_err(|error| failed(error.to_string()))?;
        let wal = Wal::open(&folder.lake().log(), WalOptions::default());
        let wal = Arc::new(wal.map_err(|error| failed(error.to_string()))?);
        let table = EventTable::open(&folder.lake().table()).await.map_err(LakeError::from);
        let mut table = table.map_err(|error| failed(error.to_string()))?;
        // Inputs look at what is known of files, which an ingestion may have left open.
        settle(&wal, &mut table).await.map_err(|error| failed(error.to_string()))?;
        let path = folder.store();
        let store = Store::open(&path)
            .map_err(|error| AppError::Store { path, reason: error.to_string() })?;
        let loaded = load(&options)?;
        let content = CurrentContent::new(loaded.content.clone());
        let store = Arc::new(Mutex::new(store));
        let journal = Journal::new(wal.clone());
        let sink = Arc::new(Journaled { journal, sink });
        let priorities = Arc::new(Priorities::new(&options.priorities));
        let told = Mutex::default();
        let runner = Runner { options, priorities, told, folder, store, wal, sink, cancel };
        let runner = Arc::new(runner);
        Ok(Self { runner, table, loaded, content })
    }

    /// Returns the content, which changes when its files do.
    #[must_use]
    pub fn content(&self) -> CurrentContent {
        self.content.clone()
    }

    /// Returns the log of arriving events.
    #[must_use]
    pub fn wal(&self) -> Arc<Wal> {
        self.runner.wal.clone()
    }

    /// Works until the token is canceled. A run that is under way then is due again at the next start.
    ///
    /// # Errors
    /// Fails if the work cannot begin.
    pub async fn run(self) -> Result<(), AppError> {
        let Self { runner, table, loaded, content } = self;
        let mover = Mover {
            wal: runner.wal.clone(),
            table,
            retention: runner.options.retention.clone(),
            sink: runner.sink.clone(),
            cancel: runner.cancel.clone(),
            may_compact: true,
        };
        let mover = mover.start().map_err(|error| AppError::Engine(error.to_string()))?;
        let clients = Clients::new(|name| std::env::var(name).ok(), ClientLimits::default());
        let clients = Arc::new(clients.map_err(|error| AppError::Engine(error.to_string()))?);
        let mut tasks = JoinSet::new();
        let of = runner.clone();
        let outputs = move || Outputs { runner: of.clone(), clients: clients.clone() }.run();
        tasks.spawn(keep_up(runner.clone(), "outputs", String::new(), outputs));
        for input in runner.options.inputs.clone() {
            let (of, name) = (runner.clone(), input.name.clone());
            match input.queue.clone() {
                Some(url) => {
                    let follow = move || queued::follow(of.clone(), input.clone(), url.clone());
                    tasks.spawn(keep_up(runner.clone(), "inputs", name, follow));
                }
                None => {
                    let follow = move || inputs::follow(of.clone(), input.clone());
                    tasks.spawn(keep_up(runner.clone(), "inputs", name, follow));
                }
            }
        }
        let outcome = schedule(&runner, loaded, &content, &mover).await;
        runner.cancel.cancel();
        while tasks.join_next().await.is_some() {}
        let joined = crate::error::blocking(move || mover.join()).await?;
        joined.map_err(|_| AppError::Bug("the thread that moves events has ended".to_owned()))?;
        outcome
    }
}

/// Keeps a part of the server at work until the server stops: if it ends before, which is a bug, that is told,
/// and it begins again after a while.
async fn keep_up<F: Future<Output = ()> + Send + 'static>(
    runner: Arc<Runner>,
    part: &'static str,
    name: String,
    work: impl Fn() -> F,
) {
    let mut trouble = Trouble::new(runner.sink.clone(), part, &name);
    loop {
        let mut task = tokio::spawn(work());
        let ended = tokio::select! {
            ended = &mut task => ended,
            () = tokio::time::sleep(AFTER_BUG) => {
                trouble.works();
                task.await
            }
        };
        if runner.cancel.is_cancelled() {
            return;
        }
        let reason = match ended {
            Ok(()) => "it has ended".to_owned(),
            Err(error) => error.to_string(),
        };
        trouble.failed(&format!("{reason}, which is a bug; it begins again in a minute"));
        tokio::select! {
            () = runner.cancel.cancelled() => return,
            () = tokio::time::sleep(AFTER_BUG) => {}
        }
    }
}

/// Makes a folder that only its owner may look into, if it is not there: it will have all logs.
fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

/// Runs what is due, until the token is canceled.
async fn schedule(
    runner: &Arc<Runner>,
    loaded: Loaded,
    content: &CurrentContent,
    mover: &JoinHandle<()>,
) -> Result<(), AppError> {
    let mut files = files_of(runner).await?;
    let (mut looked_at, mut kept_at) = (Instant::now(), Instant::now());
    let mut clock = Clock::new(Instant::now(), jiff::Timestamp::now().into());
    let mut scheduler = Scheduler::new(runner.clone(), loaded, now()).await?;
    let trouble = |part| Trouble::new(runner.sink.clone(), part, "");
    let (mut of_runs, mut of_content) = (trouble("scheduler"), trouble("content"));
    let (mut of_findings, mut of_mover) = (trouble("store"), trouble("lake"));
    loop {
        if mover.is_finished() && !runner.cancel.is_cancelled() {
            let reason = "the thread that moves events to the table has ended, which is a bug; events are \
                          taken and found, and the log of arriving events grows until the server starts anew";
            of_mover.failed(&reason);
        }
        let next = match scheduler.tick(now()).await {
            Err(AppError::Cancelled(_)) => return Ok(()),
            outcome => of_runs.of(outcome).unwrap_or_else(|| now().plus(AFTER_FAILURE)),
        };
        // A clock that was wrong when the next time was found out does not put the work to sleep.
        let pause = next.since(now()).clamp(1, scheduler::LONGEST_PAUSE);
        let pause = u64::try_from(pause).unwrap_or(1);
        tokio::select! {
            () = runner.cancel.cancelled() => return Ok(()),
            () = tokio::time::sleep(Duration::from_secs(pause)) => {}
        }
        clock.see(Instant::now(), jiff::Timestamp::now().into());
        if kept_at.elapsed() >= FINDINGS_EVERY && clock.is_trusted(Instant::now()) {
            kept_at = Instant::now();
            let before = now().plus(-runner.options.retention.findings.saturating_mul(86_400));
            of_findings.of(runner.with_store(move |store| store.remove_before(before)).await);
        }
        if looked_at.elapsed() < CONTENT_EVERY {
            continue;
        }
        looked_at = Instant::now();
        let found = files_of(runner).await?;
        if found != files {
            // What cannot be loaded is tried again the next time that the files are looked at.
            if let Some(loaded) = of_content.of(reload(&mut scheduler, runner).await) {
                files = found;
                content.set(loaded);
            }
        }
    }
}

async fn files_of(runner: &Runner) -> Result<reload::Files, AppError> {
    let folders = runner.options.content.folders.clone();
    crate::error::blocking(move || reload::files(&folders)).await
}

/// Loads the content again. If it cannot be loaded, that of before goes on.
async fn reload(scheduler: &mut Scheduler, runner: &Arc<Runner>) -> Result<Arc<Content>, AppError> {
    let options = runner.options.clone();
    let loaded = crate::error::blocking(move || load(&options)).await??;
    let content = loaded.content.clone();
    scheduler.reload(loaded, now()).await?;
    let errors = content.problems.iter().filter(|problem| problem.is_error());
    for problem in errors.take(MOST_PROBLEMS) {
        let reason = format!("{}: {}", problem.path.display(), problem.diagnostic.message);
        runner.sink.event(ServeEvent::Warning { part: "content", what: &reason });
    }
    Ok(content)
}

/// What of the content would run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchedulePlan {
    /// The names of the detections and baselines that run on schedules, by their ids.
    pub scheduled: BTreeMap<String, String>,
    /// The names of those that do not, each with the reason.
    pub left_out: Vec<(String, String)>,
}

/// Returns what of the content a server with these options would run.
///
/// # Errors
/// Fails if nothing is selected.
pub fn schedules_of(content: &Content, options: &ServeOptions) -> Result<SchedulePlan, AppError> {
    check_zone(&options.zone)?;
    check_database(options.geoip.as_deref())?;
    crate::lake::check_folder(&options.data)?;
    let schedules = choose(content, options)?;
    let scheduled = schedules.run.into_iter().map(|(id, scheduled)| (id, scheduled.name));
    Ok(SchedulePlan { scheduled: scheduled.collect(), left_out: schedules.left_out })
}

/// Loads the content, and decides what of it runs.
fn load(options: &ServeOptions) -> Result<Loaded, AppError> {
    let content = Arc::new(Content::load(&options.content)?);
    let schedules = Arc::new(choose(&content, options)?);
    Ok(Loaded { content, schedules })
}

fn check_zone(name: &str) -> Result<(), AppError> {
    spilltrail_schedule::zone_of(name)
        .map(drop)
        .map_err(|_| AppError::Zone { name: name.to_owned() })
}

/// Checks the database of addresses, which each run opens.
fn check_database(path: Option<&Path>) -> Result<(), AppError> {
    path.map_or(Ok(()), |path| crate::geo::open(path).map(drop))
}

fn choose(content: &Content, options: &ServeOptions) -> Result<Schedules, AppError> {
    let offer = offer_of_server(options.offered_sourcetypes(), &content.set.knowledge);
    Schedules::new(&content.set, options, &offer, now())
}

fn now() -> Moment {
    jiff::Timestamp::now().into()
}
