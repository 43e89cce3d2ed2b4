//! The `schedule` command: what runs when, how runs went, and what users set.

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::{Result, bail};
use spilltrail_app::{Content, schedule_spec};
use spilltrail_content::Scheduling;
use spilltrail_event::Value;
use spilltrail_schedule::{Concern, Moment, Schedule};
use spilltrail_search::rows::Row;
use spilltrail_store::{Desk, MOST_RUNS, Override, RunFilter, Status, StoreReader, StoredRun};

use super::{desk, doubt_server, moment, now, optional, reader, row, shown, who};
use crate::arguments::{
    ContentOptions, ScheduleCommand, ScheduleEnableOptions, ScheduleListOptions,
    ScheduleResetOptions, ScheduleRunsOptions, ScheduleSetOptions,
};
use crate::{report, table};

/// The columns of schedules.
const SCHEDULES: &[&str] = &[
    "detection",
    "enabled",
    "last",
    "next",
    "problems",
    "cron",
    "interval",
    "last_status",
    "set_by",
    "reason",
    "id",
];
/// The columns of runs.
const RUNS: &[&str] = &[
    "detection",
    "nominal",
    "status",
    "reason",
    "outcome",
    "findings",
    "interval",
    "took_ms",
    "events",
    "attempt",
    "started",
];

pub(crate) fn run(command: &ScheduleCommand) -> Result<ExitCode> {
    match command {
        ScheduleCommand::List(options) => list(options),
        ScheduleCommand::Runs(options) => runs(options),
        ScheduleCommand::Enable(options) => enable(options, true),
        ScheduleCommand::Disable(options) => enable(options, false),
        ScheduleCommand::Set(options) => set(options),
        ScheduleCommand::Reset(options) => reset(options),
    }
}

/// Returns the names of detections and baselines by id.
fn names(options: &ContentOptions) -> Result<BTreeMap<String, String>> {
    let content = Content::load(&options.of_server())?;
    let all = content.set.detections.iter().chain(&content.set.baselines);
    Ok(all.map(|detection| (detection.id.clone(), detection.name.clone())).collect())
}

/// A detection or a baseline, as the content has it.
struct Found {
    id: String,
    name: String,
    /// When it runs; `None` if its file says nothing of that.
    scheduling: Option<Scheduling>,
}

/// Returns the detection or the baseline that is named like this.
fn find(options: &ContentOptions, name: &str) -> Result<Found> {
    let content = Content::load(&options.of_server())?;
    let found = match content.set.baseline(name) {
        Some(baseline) => baseline,
        None => content.find_detection(name)?,
    };
    let (id, name) = (found.id.clone(), found.name.clone());
    Ok(Found { id, name, scheduling: found.scheduling(&content.set).cloned() })
}

fn name_of(names: &BTreeMap<String, String>, id: &str) -> Value<'static> {
    Value::text(names.get(id).cloned().unwrap_or_else(|| id.to_owned()))
}

fn list(options: &ScheduleListOptions) -> Result<ExitCode> {
    let folder = options.data.folder()?;
    let reader = reader(&folder)?;
    let names = names(&options.content)?;
    let since = moment("since", &options.since)?;
    let (schedules, overrides) = (reader.schedules()?, reader.overrides()?);
    let counts = reader.run_counts(since)?;
    let last = reader.last_runs()?;
    let mut troubled = 0_u64;
    let mut rows: Vec<Row> = Vec::new();
    for stored in &schedules {
        let id = &stored.schedule.id;
        let last = last.iter().find(|run| run.schedule == *id);
        let set = overrides.iter().find(|set| set.detection == *id);
        // A server takes what was set the next time that it looks at the clock.
        let is_enabled =
            set.and_then(|set| set.set.is_enabled).unwrap_or(stored.schedule.is_enabled);
        let stated = stored.schedule.stated();
        let spec = set.and_then(|set| set.set.applied_to(stated, now()).ok());
        let spec = &spec.map_or_else(|| stated.clone(), |one| one.spec().clone());
        let next = Schedule::new(spec.clone()).ok().and_then(|schedule| {
            let next = schedule.next(stored.done)?;
            Some(schedule.start_of(next, id))
        });
        let problems = counts.iter().find(|counts| counts.schedule == *id).map(|counts| {
            let kinds = [
                (counts.gap, "not looked at"),
                (counts.failed, "failed"),
                (counts.skipped, "skipped"),
                (counts.doubtful, "in doubt"),
                (counts.late, "again for late events"),
            ];
            let kinds = kinds.into_iter().filter(|(count, _)| *count > 0);
            kinds.map(|(count, what)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
        });
        let problems = problems.filter(|problems| !problems.is_empty());
        troubled += u64::from(last.is_some_and(|run| run.status == Status::Failed));
        let latest = if spec.latest.is_empty() { "now" } else { &spec.latest };
        rows.push(row(
            SCHEDULES,
            [
                name_of(&names, id),
                Value::text(if is_enabled { "yes" } else { "no" }),
                last.map_or(Value::Null, |run| shown(run.nominal)),
                next.filter(|_| is_enabled).map_or(Value::Null, shown),
                optional(problems.as_deref()),
                Value::text(spec.cron.clone()),
                Value::text(format!("{} to {latest}", spec.earliest)),
                last.map_or(Value::Null, |run| Value::text(run.status.name().to_owned())),
                optional(set.map(|set| set.who.as_str())),
                optional(set.map(|set| set.set.reason.as_str())),
                Value::text(id.clone()),
            ],
        ));
    }
    rows.sort_by_key(|row| row.get("detection").and_then(|name| name.to_text().map(String::from)));
    table::print(SCHEDULES, &rows, options.format)?;
    doubt_server(&folder);
    if troubled > 0 {
        let detections = report::counted(troubled, "detection");
        report::line(format_args!(
            "warning: the last run of {detections} failed; `spilltrail schedule runs --problems` says why"
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn runs(options: &ScheduleRunsOptions) -> Result<ExitCode> {
    let folder = options.data.folder()?;
    let reader = reader(&folder)?;
    let names = names(&options.content)?;
    let since = moment("since", &options.since)?;
    let most = usize::try_from(options.limit).unwrap_or(usize::MAX);
    let found = match &options.detection {
        Some(name) => all_runs_of(&reader, &find(&options.content, name)?.id, since)?,
        None => newest_first(&reader, since)?,
    };
    let is_shown =
        |run: &&StoredRun| !options.problems || run.status != Status::Done || run.reason.is_some();
    let rows: Vec<Row> = found.iter().filter(is_shown).map(|run| of(run, &names)).collect();
    let shown = rows.len().min(most);
    table::print(RUNS, &rows[..shown], options.format)?;
    doubt_server(&folder);
    if rows.is_empty() {
        let what = if options.problems { "no run had a problem" } else { "there was no run" };
        report::line(format_args!("note: {what} since {since}"));
    } else if rows.len() > shown {
        report::line(format_args!("note: {shown} of {} runs; `--limit` lists more", rows.len()));
    }
    Ok(ExitCode::SUCCESS)
}

/// Returns all runs of a schedule, newest first.
fn all_runs_of(reader: &StoreReader, id: &str, since: Moment) -> Result<Vec<StoredRun>> {
    let mut filter = RunFilter { since: Some(since), ..RunFilter::default() };
    let mut runs = Vec::new();
    loop {
        let page = reader.runs_of(id, &filter, MOST_RUNS)?;
        filter.after = page.rows.last().map(|run| (run.nominal, run.attempt));
        runs.extend(page.rows);
        if !page.more {
            return Ok(runs);
        }
    }
}

fn newest_first(reader: &StoreReader, since: Moment) -> Result<Vec<StoredRun>> {
    let mut runs = reader.runs(since)?;
    runs.reverse();
    Ok(runs)
}

fn of(run: &StoredRun, names: &BTreeMap<String, String>) -> Row {
    let cost: serde_json::Value =
        run.cost.as_deref().and_then(|cost| serde_json::from_str(cost).ok()).unwrap_or_default();
    let number = |key: &str| cost[key].as_f64().map_or(Value::Null, Value::Number);
    let interval = run.interval.map(|interval| interval.to_string());
    row(
        RUNS,
        [
            name_of(names, &run.schedule),
            shown(run.nominal),
            Value::text(if run.firings > 1 {
                format!("{} ({} runs)", run.status.name(), run.firings)
            } else {
                run.status.name().to_owned()
            }),
            optional(run.reason.as_deref()),
            optional(cost["outcome"].as_str()),
            number("findings"),
            optional(interval.as_deref()),
            run.took.map_or(Value::Null, |took| Value::Number(took as f64)),
            number("events"),
            Value::Number(f64::from(run.attempt)),
            run.started.map_or(Value::Null, shown),
        ],
    )
}

fn enable(options: &ScheduleEnableOptions, is_enabled: bool) -> Result<ExitCode> {
    let Found { id, name, .. } = find(&options.content, &options.detection)?;
    let mut desk = desk(&options.data.folder()?)?;
    let before = desk.reader().overrides()?.into_iter().find(|set| set.detection == id);
    let set = Override {
        is_enabled: Some(is_enabled),
        reason: options.reason.clone().unwrap_or_default(),
        ..before.map(|before| before.set).unwrap_or_default()
    };
    desk.set_override(&id, &set, &who(options.who.as_deref()), now())?;
    let runs = if is_enabled { "runs" } else { "does not run any more" };
    report::line(format_args!("note: {name} {runs}"));
    if is_enabled {
        doubt_that_it_runs(&desk, &id)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn set(options: &ScheduleSetOptions) -> Result<ExitCode> {
    let ScheduleSetOptions { cron, earliest, latest, window, .. } = options;
    if [cron, earliest, latest, window].iter().all(|text| text.is_none()) {
        bail!("say what is to change: `--cron`, `--earliest`, `--latest` or `--window`");
    }
    let Found { id, name, scheduling } = find(&options.content, &options.detection)?;
    let mut desk = desk(&options.data.folder()?)?;
    let before = desk.reader().overrides()?.into_iter().find(|set| set.detection == id);
    let before = before.map(|before| before.set).unwrap_or_default();
    let set = Override {
        is_enabled: before.is_enabled,
        cron: cron.clone().or(before.cron),
        earliest: earliest.clone().or(before.earliest),
        latest: latest.clone().or(before.latest),
        window: window.clone().or(before.window),
        reason: options.reason.clone().unwrap_or(before.reason),
    };
    let stored = desk.reader().schedules()?.into_iter().find(|one| one.schedule.id == id);
    let zone = stored.map_or_else(|| "UTC".to_owned(), |stored| stored.schedule.spec.zone);
    // As the detection states it: what is stored has what was set before.
    if let Some(scheduling) = &scheduling {
        let spec = schedule_spec(scheduling, &zone).map_err(anyhow::Error::msg)?;
        let schedule = set.applied_to(&spec, now())?;
        for concern in schedule.check(now()).iter().filter(|concern| !Concern::is_error(concern)) {
            report::line(format_args!("warning: {concern}; {}", concern.help()));
        }
    }
    desk.set_override(&id, &set, &who(options.who.as_deref()), now())?;
    report::line(format_args!("note: {name} runs as you say"));
    doubt_that_it_runs(&desk, &id)?;
    Ok(ExitCode::SUCCESS)
}

fn reset(options: &ScheduleResetOptions) -> Result<ExitCode> {
    let Found { id, name, .. } = find(&options.content, &options.detection)?;
    let was_set = desk(&options.data.folder()?)?.clear_override(&id)?;
    let what = if was_set { "runs as its file says" } else { "ran as its file says already" };
    report::line(format_args!("note: {name} {what}"));
    Ok(ExitCode::SUCCESS)
}

/// Says so if no server has the detection on a schedule: what is set for it waits until one has.
fn doubt_that_it_runs(desk: &Desk, id: &str) -> Result<()> {
    if !desk.reader().schedules()?.iter().any(|one| one.schedule.id == id) {
        report::line(format_args!(
            "warning: the server does not have it on a schedule; `spilltrail serve --check-config` \
             says why"
        ));
    }
    Ok(())
}
