//! The loop that runs detections on their schedules.
//!
//! It looks at the clock, asks `schedule` what is due, runs it, and records that. What is due again
//! because it failed waits a while; everything else that is due runs meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use spilltrail_lake::WalReader;
use spilltrail_schedule::{
    Again, Ahead, Arrival, Covered, Interval, Late, Moment, Pass, Plan, Planned, Run, Schedule,
    late, passes, plan, seam,
};
use spilltrail_store::{ScheduleRecord, Store, StoredSchedule};

use super::events::ServeEvent;
use super::runner::{Loaded, Passed, Runner, Why};
use super::schedules::{Scheduled, What};
use crate::error::{AppError, blocking};

/// How often late events are looked for, in seconds. A run reads its whole interval again, so that events
/// that come one after the other are taken together.
const LATE_EVERY: i64 = 5 * 60;
/// The longest time until the clock is looked at again, in seconds: it may be set.
pub(super) const LONGEST_PAUSE: i64 = 30;
/// How often it is told that events are too old for all runs, in seconds.
const OLD_EVERY: i64 = 3600;
/// How long late events wait for detections that the content has no more, in seconds.
const LONGEST_GONE: i64 = 86_400;
/// How long a run waits after its first failure, in seconds, and at most.
const FIRST_WAIT: i64 = 30;
const LONGEST_WAIT: i64 = 15 * 60;

/// The scheduler of a server.
pub(super) struct Scheduler {
    runner: Arc<Runner>,
    loaded: Loaded,
    /// When each runs, by id: as the content says, or as a user has set it.
    schedules: BTreeMap<String, Schedule>,
    /// The number of changes of overrides when they were read.
    overrides: u64,
    /// What failed: how often in a row, and when it is tried again.
    failed: BTreeMap<String, (u32, Moment)>,
    /// When late events are looked for again.
    late_at: Moment,
    /// The schedules that have been told to be ahead of the clock.
    ahead: Vec<String>,
    /// The schedules of which runs may have to run again, because one before them throttles something
    /// else now.
    disturbed: BTreeSet<String>,
    /// When it was told last that events are too old for all runs.
    old_told: Option<Moment>,
    /// The last batch whose events were told to be too late for runs.
    beyond_told: u64,
    /// Schedules that the content has no more, and since when: events that arrive for their runs wait for
    /// them for a while.
    gone: BTreeMap<String, Moment>,
}

impl Scheduler {
    /// Creates the scheduler, and stores the schedules of the content.
    ///
    /// # Errors
    /// Fails if they cannot be stored.
    pub(super) async fn new(
        runner: Arc<Runner>,
        loaded: Loaded,
        now: Moment,
    ) -> Result<Self, AppError> {
        let mut scheduler = Self {
            runner,
            loaded: loaded.clone(),
            schedules: BTreeMap::new(),
            overrides: 0,
            failed: BTreeMap::new(),
            late_at: now,
            ahead: Vec::new(),
            disturbed: BTreeSet::new(),
            old_told: None,
            beyond_told: 0,
            gone: BTreeMap::new(),
        };
        scheduler.load(loaded, &[], now).await?;
        Ok(scheduler)
    }

    /// Takes new content, and tells what is other than before.
    ///
    /// # Errors
    /// Fails if the schedules cannot be stored.
    pub(super) async fn reload(&mut self, loaded: Loaded, now: Moment) -> Result<(), AppError> {
        let changes = loaded.schedules.changes_since(&self.loaded.schedules);
        self.load(loaded, &changes, now).await
    }

    /// Takes new content: its schedules take the place of those before.
    ///
    /// # Errors
    /// Fails if they cannot be stored.
    async fn load(
        &mut self,
        loaded: Loaded,
        changes: &[String],
        now: Moment,
    ) -> Result<(), AppError> {
        let before = std::mem::replace(&mut self.loaded, loaded);
        if let Err(error) = self.set_schedules(now).await {
            self.loaded = before;
            return Err(error);
        }
        self.failed.clear();
        let schedules = &self.loaded.schedules;
        self.gone.retain(|id, _| !schedules.run.contains_key(id));
        // Whatever was disturbed when the server stopped, or when one was taken out.
        self.disturbed.extend(schedules.run.keys().cloned());
        self.runner.sink.event(ServeEvent::Content {
            scheduled: schedules.run.len(),
            left_out: &schedules.left_out,
            changes,
        });
        Ok(())
    }

    /// Stores the schedules: those of the content, with what users have set in their place.
    async fn set_schedules(&mut self, now: Moment) -> Result<(), AppError> {
        let read = |store: &mut Store| {
            let reader = store.reader();
            Ok((reader.changed()?.overrides, reader.overrides()?, reader.schedules()?))
        };
        let (changed, overrides, before) = self.runner.with_store(read).await?;
        let (mut records, mut schedules) = (Vec::new(), BTreeMap::new());
        for (id, one) in &self.loaded.schedules.run {
            let set = overrides.iter().find(|set| set.detection == *id).map(|set| &set.set);
            let schedule = match set.map(|set| set.applied_to(one.schedule.spec(), now)) {
                Some(Ok(schedule)) => schedule,
                Some(Err(reason)) => {
                    let reason = format!(
                        "what was set for {} cannot be used, and it runs as its file says: {reason}",
                        one.name
                    );
                    self.runner
                        .sink
                        .event(ServeEvent::Warning { part: "scheduler", what: &reason });
                    one.schedule.clone()
                }
                None => one.schedule.clone(),
            };
            records.push(ScheduleRecord {
                id: id.clone(),
                spec: schedule.spec().clone(),
                is_enabled: set.and_then(|set| set.is_enabled).unwrap_or(true),
                stated: set.is_some().then(|| one.schedule.spec().clone()),
            });
            schedules.insert(id.clone(), schedule);
        }
        let disabled: Vec<String> = records
            .iter()
            .filter(|record| !record.is_enabled)
            .map(|record| record.id.clone())
            .collect();
        let seams: BTreeMap<String, Moment> = before
            .iter()
            .filter_map(|stored| {
                let id = &stored.schedule.id;
                let before = Schedule::new(stored.schedule.spec.clone()).ok()?;
                Some((id.clone(), seam(&before, schedules.get(id)?, stored.done)?))
            })
            .collect();
        let set = move |store: &mut Store| {
            let is_known =
                |record: &ScheduleRecord| before.iter().any(|stored| stored.schedule == *record);
            for record in records.iter().filter(|record| !is_known(record)) {
                store.set_schedule(record, seams.get(&record.id).copied(), now)?;
            }
            // They keep how far they have come, for the case that they come back.
            for StoredSchedule { mut schedule, .. } in before {
                if schedule.is_enabled && records.iter().all(|record| record.id != schedule.id) {
                    schedule.is_enabled = false;
                    store.set_schedule(&schedule, None, now)?;
                }
            }
            Ok(())
        };
        self.runner.with_store(set).await?;
        // Only now: what could not be stored is tried again.
        (self.overrides, self.schedules) = (changed, schedules);
        // What nobody runs any more fails no more.
        for id in disabled {
            if self.failed.remove(&id).is_some() {
                let name = self.name_of(&id);
                self.runner.sink.event(ServeEvent::Solved { part: "scheduler", name });
            }
        }
        Ok(())
    }

    /// Takes what users have set since the schedules were stored.
    async fn follow_overrides(&mut self, now: Moment) -> Result<(), AppError> {
        let read = |store: &mut Store| Ok(store.reader().changed()?.overrides);
        if self.runner.with_store(read).await? != self.overrides {
            self.set_schedules(now).await?;
        }
        Ok(())
    }

    /// Runs all that is due at `now`, and returns when to look again.
    ///
    /// # Errors
    /// Fails if what was done cannot be recorded, or if the server is stopped.
    pub(super) async fn tick(&mut self, now: Moment) -> Result<Moment, AppError> {
        self.follow_overrides(now).await?;
        let mut plan = self.plan(now).await?;
        if self.take_back(&plan, now).await? {
            plan = self.plan(now).await?;
        }
        for missed in &plan.missed {
            let recorded = missed.clone();
            self.runner.with_store(move |store| store.record_missed(&recorded)).await?;
            let detection = self.name_of(&missed.schedule);
            self.runner.sink.event(ServeEvent::Missed { detection, missed });
        }
        self.tell_ahead(&plan);
        let mut failed = BTreeSet::new();
        for mut pass in plan.passes.iter().cloned() {
            // It is due again before any later run of its schedule.
            pass.runs.retain(|run| !failed.contains(&run.schedule));
            failed.extend(self.pass(&pass, Why::Due, now).await?);
        }
        self.repeat_disturbed(now).await?;
        // A clock that is set back is not waited for.
        if now >= self.late_at || self.late_at.since(now) > LATE_EVERY {
            self.late(now).await?;
            self.repeat_disturbed(now).await?;
            self.late_at = now.plus(LATE_EVERY);
        }
        let retried = self.failed.values().map(|(_, at)| *at).filter(|at| *at > now).min();
        let next = [plan.next, retried, Some(self.late_at)].into_iter().flatten().min();
        let longest = now.plus(LONGEST_PAUSE);
        Ok(next.unwrap_or(longest).min(longest))
    }

    /// Runs a pass, and takes note of what follows from it. Returns the ids of those that failed.
    async fn pass(
        &mut self,
        pass: &Pass,
        why: Why,
        now: Moment,
    ) -> Result<BTreeSet<String>, AppError> {
        let Passed { failed, disturbed } = self.runner.pass(&self.loaded, pass, why).await?;
        self.note(pass.runs.iter().map(|run| &run.schedule), &failed, now);
        self.disturbed.extend(disturbed);
        Ok(failed)
    }

    /// Runs again what has run after a run that throttles something else now, in its order.
    async fn repeat_disturbed(&mut self, now: Moment) -> Result<(), AppError> {
        for id in self.disturbed.clone() {
            if self.waits(&id, now) {
                continue;
            }
            let from = now.plus(-self.runner.options.late_look_back.saturating_mul(2));
            let of = id.clone();
            let read = move |store: &mut Store| {
                let disturbed = store.reader().throttle(&of)?.disturbed;
                disturbed.map(|first| Ok((first, store.reader().covered(from)?))).transpose()
            };
            let Some((first, covered)) = self.runner.with_store(read).await? else {
                self.disturbed.remove(&id);
                continue;
            };
            let kept = self.runner.options.retention.kept_since(now);
            let mut runs: Vec<_> = covered
                .into_iter()
                .map(|Covered { schedule, nominal, interval, .. }| Run {
                    nominal,
                    schedule,
                    interval,
                    start: now,
                })
                .collect();
            runs.retain(|run| {
                run.schedule == id && run.nominal > first.after && run.interval.from >= kept
            });
            runs.sort_by_key(|run| run.nominal);
            let (mut to, mut is_done) = (first.to, true);
            for run in runs {
                // Runs that throttle something else in turn disturb those after them.
                if run.nominal > to {
                    break;
                }
                for pass in passes(vec![run]) {
                    is_done &= self.pass(&pass, Why::Late, now).await?.is_empty();
                }
                if !is_done {
                    break;
                }
                let of = id.clone();
                let read = move |store: &mut Store| store.reader().throttle(&of);
                let disturbed = self.runner.with_store(read).await?.disturbed;
                to = disturbed.map_or(to, |disturbed| disturbed.to.max(to));
            }
            if is_done {
                let of = id.clone();
                let settle = move |store: &mut Store| {
                    let mut state = store.reader().throttle(&of)?;
                    state.disturbed = None;
                    store.set_throttle(&of, &state)
                };
                self.runner.with_store(settle).await?;
                self.disturbed.remove(&id);
            }
        }
        Ok(())
    }

    fn name_of<'a>(&'a self, id: &'a str) -> &'a str {
        self.loaded.schedules.run.get(id).map_or(id, |one| one.name.as_str())
    }

    async fn plan(&self, now: Moment) -> Result<Plan, AppError> {
        let stored = self.runner.with_store(|store| store.reader().schedules()).await?;
        let schedules: Vec<_> = stored
            .iter()
            .filter(|stored| stored.schedule.is_enabled)
            .filter_map(|stored| Some((stored, self.schedules.get(&stored.schedule.id)?)))
            .collect();
        let planned: Vec<Planned<'_>> = schedules
            .iter()
            .map(|(stored, schedule)| Planned {
                id: &stored.schedule.id,
                schedule,
                done: stored.done,
                seam: stored.seam,
                is_busy: self.waits(&stored.schedule.id, now),
            })
            .collect();
        Ok(plan(now, &planned, self.runner.options.limits))
    }

    /// Returns true if a schedule failed a short time ago.
    fn waits(&self, id: &str, now: Moment) -> bool {
        self.failed.get(id).is_some_and(|(_, at)| *at > now)
    }

    /// Takes note of what ran, and of what of it failed.
    fn note<'a>(
        &mut self,
        ran: impl Iterator<Item = &'a String>,
        failed: &BTreeSet<String>,
        now: Moment,
    ) {
        let ran: BTreeSet<&String> = ran.collect();
        for id in ran {
            if !failed.contains(id) {
                self.failed.remove(id);
                continue;
            }
            let (times, _) = self.failed.get(id).copied().unwrap_or((0, now));
            let wait = FIRST_WAIT.saturating_mul(1 << times.min(10)).min(LONGEST_WAIT);
            self.failed.insert(id.clone(), (times.saturating_add(1), now.plus(wait)));
        }
    }

    /// Takes schedules back that are so far ahead of the clock that it must have been wrong when they ran, and
    /// not a little fast: nobody would look at what happens until then. Returns true if there was one.
    async fn take_back(&mut self, plan: &Plan, now: Moment) -> Result<bool, AppError> {
        let look_back = self.runner.options.limits.look_back;
        let far = plan.ahead.iter().filter(|ahead| ahead.done.since(now) > look_back);
        let mut is_any = false;
        for Ahead { schedule, done } in far {
            let id = schedule.clone();
            let to = self.runner.with_store(move |store| store.take_back(&id, now)).await?;
            let what = format!(
                "{} has run for {done} already, when the clock was wrong; it goes on after {to}",
                self.name_of(schedule)
            );
            self.runner.sink.event(ServeEvent::Warning { part: "scheduler", what: &what });
            is_any = true;
        }
        Ok(is_any)
    }

    /// Tells once of each schedule that waits for the clock, which was set back.
    fn tell_ahead(&mut self, plan: &Plan) {
        for ahead in &plan.ahead {
            if !self.ahead.contains(&ahead.schedule) {
                let detection = self.name_of(&ahead.schedule);
                self.runner.sink.event(ServeEvent::Ahead { detection, ahead });
            }
        }
        self.ahead = plan.ahead.iter().map(|ahead| ahead.schedule.clone()).collect();
    }

    /// Runs again what has run over intervals for which events arrived since.
    async fn late(&mut self, now: Moment) -> Result<(), AppError> {
        let arrivals = self.arrivals().await?;
        let Some(last) = arrivals.last().map(|arrival| arrival.batch) else { return Ok(()) };
        // What the server writes about itself is not late: searches see it at once.
        let arrivals: Vec<Arrival> =
            arrivals.into_iter().filter(|arrival| !arrival.index.starts_with('_')).collect();
        let look_back = self.runner.options.late_look_back;
        // Runs that are too long ago are told, if they are not longer ago than twice as long.
        let from = now.plus(-look_back.saturating_mul(2));
        let read = move |store: &mut Store| {
            let reader = store.reader();
            Ok((reader.covered(from)?, reader.schedules()?))
        };
        let (covered, stored) = self.runner.with_store(read).await?;
        self.tell_too_old(&arrivals, &covered, &stored, now);
        let Late { again, mut beyond } = late(now, &covered, &arrivals, look_back);
        // What was dropped cannot be found again: a run over it would take its findings back.
        let kept = self.runner.options.retention.kept_since(now);
        let (again, dropped): (Vec<_>, Vec<_>) =
            again.into_iter().partition(|one| one.run.interval.from >= kept);
        beyond.extend(dropped);
        beyond.retain(|one| one.last > self.beyond_told);
        self.tell_beyond(&beyond);
        self.beyond_told = last;
        let is_enabled =
            |id: &str| stored.iter().any(|one| one.schedule.id == id && one.schedule.is_enabled);
        let schedules = &self.loaded.schedules.run;
        // A baseline over old events would take the place of what is normal now.
        let is_detection =
            |id: &str| schedules.get(id).is_some_and(|one| matches!(one.what, What::Detection(_)));
        let mut is_done = true;
        let mut runs = Vec::new();
        for Again { run, .. } in again {
            if !schedules.contains_key(&run.schedule) {
                // A file with a mistake is mended soon.
                let since = *self.gone.entry(run.schedule).or_insert(now);
                is_done &= now.since(since) >= LONGEST_GONE;
                continue;
            }
            if !is_detection(&run.schedule) || !is_enabled(&run.schedule) {
                continue;
            }
            // One that failed a short time ago is tried again later, and so is what it looks at.
            if self.waits(&run.schedule, now) {
                is_done = false;
            } else {
                runs.push(run);
            }
        }
        for pass in passes(runs) {
            is_done &= self.pass(&pass, Why::Late, now).await?.is_empty();
        }
        if is_done {
            self.forget(last).await?;
        }
        Ok(())
    }

    /// Tells of events that came in and are from before all that detections have looked at, as those of an
    /// archive are: no run will look at them.
    fn tell_too_old(
        &mut self,
        arrivals: &[Arrival],
        covered: &[Covered],
        stored: &[StoredSchedule],
        now: Moment,
    ) {
        if self.old_told.is_some_and(|told| now.since(told) < OLD_EVERY) {
            return;
        }
        let mut firsts: BTreeMap<&str, Moment> = BTreeMap::new();
        for one in covered.iter().filter(|one| one.indexes.is_empty()) {
            let first = firsts.entry(&one.schedule).or_insert(one.interval.from);
            *first = one.interval.from.min(*first);
        }
        // Those that have not run yet begin with their next run.
        for StoredSchedule { schedule: record, done, .. } in stored {
            let is_of_logs = |one: &Scheduled| one.indexes.is_empty();
            let id = record.id.as_str();
            if record.is_enabled
                && self.loaded.schedules.run.get(id).is_some_and(is_of_logs)
                && !firsts.contains_key(id)
                && let Some(schedule) = self.schedules.get(id)
                && let Some(next) = schedule.next(*done)
                && let Ok(interval) = schedule.interval(next)
            {
                // A weekly one does not begin before its next run, which is no reason to call today old.
                firsts.insert(id, interval.from.min(*done));
            }
        }
        firsts.retain(|id, _| {
            let scheduled = self.loaded.schedules.run.get(*id);
            scheduled.is_some_and(|one| matches!(one.what, What::Detection(_)))
        });
        let Some(last) = firsts.values().max() else { return };
        let old =
            arrivals.iter().flat_map(|arrival| &arrival.spans).filter(|span| span.to <= *last);
        let Some(old) = old.copied().reduce(|one, other| Interval {
            from: one.from.min(other.from),
            to: one.to.max(other.to),
        }) else {
            return;
        };
        let count = firsts.values().filter(|first| old.to <= **first).count();
        let detections = if count == 1 {
            "1 detection does".to_owned()
        } else {
            format!("{count} detections do")
        };
        let what = format!(
            "events of {old} came in; {detections} not look at them, because they are too old; \
             `spilltrail hunt --lake {}` does",
            self.runner.folder.path().display()
        );
        self.runner.sink.event(ServeEvent::Warning { part: "scheduler", what: &what });
        self.old_told = Some(now);
    }

    /// Tells of each detection how many of its runs do not run again, although events arrived for them.
    fn tell_beyond(&self, beyond: &[Again]) {
        let mut of: BTreeMap<&str, (usize, Interval)> = BTreeMap::new();
        for Again { run, .. } in beyond {
            let (count, interval) = of.entry(&run.schedule).or_insert((0, run.interval));
            *count += 1;
            interval.from = interval.from.min(run.interval.from);
            interval.to = interval.to.max(run.interval.to);
        }
        for (id, (count, interval)) in of {
            let detection = self.name_of(id);
            let runs = if count == 1 { "a run".to_owned() } else { format!("{count} runs") };
            let reason = format!(
                "{detection}: events arrived too late for {runs} over {interval}, which do not run again"
            );
            self.runner.sink.event(ServeEvent::Warning { part: "scheduler", what: &reason });
        }
    }

    /// Returns when events happened that came into the table and have not been looked at.
    async fn arrivals(&self) -> Result<Vec<Arrival>, AppError> {
        let log = self.runner.wal.path().to_owned();
        let read = move || WalReader::open(&log)?.arrivals_after(0);
        let arrivals = blocking(read).await?.map_err(|error| self.failed(&error))?;
        let span = |(from, to)| Interval { from: Moment(from), to: Moment(to) };
        let arrivals = arrivals.into_iter().map(|arrival| Arrival {
            batch: arrival.number,
            index: arrival.index,
            spans: arrival.spans.into_iter().map(span).collect(),
        });
        Ok(arrivals.collect())
    }

    async fn forget(&self, number: u64) -> Result<(), AppError> {
        let answer = self.runner.wal.forget(number).map_err(|error| self.failed(&error))?;
        let done = answer.await.unwrap_or(Err(spilltrail_lake::WalError::Closed));
        done.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &dyn std::error::Error) -> AppError {
        let path = self.runner.folder.path().to_owned();
        AppError::Lake { path, reason: error.to_string() }
    }
}
