//! Writing the store.

use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use spilltrail_schedule::{Changes, Missed, Moment, Reason, ThrottleState};

use crate::allow;
use crate::error::StoreError;
use crate::findings;
use crate::form;
use crate::ledger;
use crate::lock;
use crate::outbox;
use crate::reader::StoreReader;
use crate::records::{FindingRecord, RunRecord, ScheduleRecord, Status, StoredRun};

/// The only writer of runs and findings. What users decide is written by any [`Desk`](crate::Desk).
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    reader: StoreReader,
    /// Held as long as this process may write.
    _lock: File,
}

/// What a run hands over when it ends.
#[derive(Debug, Clone, Copy)]
pub struct Outcome<'a> {
    /// The attempt.
    pub run: &'a RunRecord,
    /// What it found, without two of the same id.
    pub findings: &'a [FindingRecord],
    /// What its schedule throttles from now on; `None` leaves that as it is.
    pub throttle: Option<&'a ThrottleState>,
    /// How many findings each entry of the allow-list hid, by its id. They are added to what it has.
    pub hits: &'a [(i64, u64)],
}

/// What became of a run that was to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finished {
    /// It is stored.
    Stored {
        /// How the findings differ from those of the attempts before it.
        changes: Changes,
        /// How many of these changes are told, because no other run has told them.
        told: Told,
    },
    /// It was stored before, and nothing has changed.
    Already,
}

/// How many entries a run has added to the outbox.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// Contents that are there.
    pub new: u64,
    /// Contents that are there in place of others.
    pub changed: u64,
    /// Contents that are no longer there.
    pub withdrawn: u64,
}

impl Store {
    /// Opens the store in a file, which is created if it is not there.
    ///
    /// # Errors
    /// Fails if another process writes to it, if it is of another program or a newer version of this
    /// one, or if it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let lock = lock::take(path)?;
        let connection = form::open_to_write(path)?;
        Ok(Self { path: path.to_owned(), reader: StoreReader { connection }, _lock: lock })
    }

    /// Returns the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns what reads the store as it is.
    #[must_use]
    pub fn reader(&self) -> &StoreReader {
        &self.reader
    }

    /// Stores a schedule. A new one begins at `now`; any other one stays where it is, however long it was
    /// disabled: what nobody looked at meanwhile is due, or a gap. If it takes the place of another one that
    /// would have looked at events before its own, its next run begins at `seam`.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn set_schedule(
        &mut self,
        schedule: &ScheduleRecord,
        seam: Option<Moment>,
        now: Moment,
    ) -> Result<(), StoreError> {
        // What nobody has looked at since an earlier change is not forgotten.
        let sql = "INSERT INTO schedules (id, spec, is_enabled, is_overridden, done, stated)
             VALUES (?1, ?2, ?3, ?4 IS NOT NULL, ?5, ?4)
             ON CONFLICT (id) DO UPDATE SET
                 seam = coalesce(min(seam, ?6), seam, ?6),
                 spec = excluded.spec, is_enabled = excluded.is_enabled,
                 is_overridden = excluded.is_overridden, stated = excluded.stated";
        let ScheduleRecord { id, spec, is_enabled, stated } = schedule;
        let spec = ledger::json(spec)?;
        let stated = stated.as_ref().map(ledger::json).transpose()?;
        let mut statement = self.reader.connection.prepare_cached(sql)?;
        let seam = seam.map(|seam| seam.0);
        statement.execute(params![id, spec, is_enabled, stated, now.0, seam])?;
        Ok(())
    }

    /// Stores the end of a run: its entry in the ledger, its findings in place of those of earlier
    /// attempts, what its schedule throttles from now on, and how far the schedule has come. All of it is
    /// stored, or nothing. If this attempt is stored already, nothing changes. Findings that an entry of
    /// the allow-list hides are stored like any other, but not told in the outbox.
    ///
    /// # Errors
    /// Fails if there is no such schedule, if two findings have the same id, if a run that did not finish
    /// has findings, or if the file cannot be written.
    pub fn finish_run(&mut self, outcome: &Outcome<'_>) -> Result<Finished, StoreError> {
        let Outcome { run, findings, throttle, hits } = *outcome;
        if !run.status.has_findings() && !findings.is_empty() {
            return Err(StoreError::NoFindings { status: run.status.name() });
        }
        let transaction = self.begin()?;
        if !ledger::add(&transaction, &entry(run))? {
            return Ok(Finished::Already);
        }
        let end = outbox::end(&transaction)?;
        let changes = if run.status.has_findings() {
            findings::replace(&transaction, run, findings)?
        } else {
            Changes::default()
        };
        // A run that failed leaves the schedule where it is, but there must be one.
        let done = if run.status.moves_on() { run.nominal } else { Moment(i64::MIN) };
        // One that was skipped has looked at nothing.
        if run.status.has_findings() {
            ledger::close_seam(&transaction, &run.schedule, done)?;
        }
        ledger::move_on(&transaction, &run.schedule, done)?;
        if let Some(throttle) = throttle {
            set_throttle(&transaction, &run.schedule, throttle)?;
        }
        allow::count(&transaction, hits, run.started)?;
        let told = outbox::told_since(&transaction, end)?;
        transaction.commit()?;
        Ok(Finished::Stored { changes, told })
    }

    /// Stores what a schedule throttles from now on.
    ///
    /// # Errors
    /// Fails if there is no such schedule, or if the file cannot be written.
    pub fn set_throttle(
        &mut self,
        schedule: &str,
        throttle: &ThrottleState,
    ) -> Result<(), StoreError> {
        set_throttle(&self.reader.connection, schedule, throttle)
    }

    /// Stores firings that do not run, and moves their schedule on.
    ///
    /// # Errors
    /// Fails if there is no such schedule, or if the file cannot be written.
    pub fn record_missed(&mut self, missed: &Missed) -> Result<(), StoreError> {
        let status = match missed.reason {
            Reason::BeyondLookBack => Status::Gap,
            Reason::Superseded | Reason::NoInterval(_) => Status::Skipped,
        };
        let entry = StoredRun {
            schedule: missed.schedule.clone(),
            nominal: missed.last,
            attempt: 0,
            first: missed.first,
            firings: missed.firings,
            status,
            interval: missed.interval,
            indexes: Vec::new(),
            seen: None,
            reason: Some(missed.reason.to_string()),
            started: None,
            took: None,
            cost: None,
        };
        let transaction = self.begin()?;
        ledger::add(&transaction, &entry)?;
        // What was before a changed schedule is in the gap; other firings that do not run leave it to the next.
        if status == Status::Gap && missed.interval.is_some() {
            ledger::close_seam(&transaction, &missed.schedule, missed.last)?;
        }
        ledger::move_on(&transaction, &missed.schedule, missed.last)?;
        Ok(transaction.commit()?)
    }

    /// Takes a schedule back that is ahead of the clock: to its last nominal time up to `now`, or to `now` if
    /// there was none. Returns where it is then. Its runs for later times are removed from the ledger, and what
    /// they throttled: they have looked at nothing.
    ///
    /// # Errors
    /// Fails if there is no such schedule, or if the file cannot be written.
    pub fn take_back(&mut self, schedule: &str, now: Moment) -> Result<Moment, StoreError> {
        let mut throttle = self.reader.throttle(schedule)?;
        throttle.cut(now);
        let transaction = self.begin()?;
        let later = "DELETE FROM runs WHERE schedule = ?1 AND nominal > ?2";
        transaction.prepare_cached(later)?.execute((schedule, now.0))?;
        let sql = "UPDATE schedules SET done = coalesce(
                       (SELECT max(nominal) FROM runs WHERE schedule = ?1 AND status <> 'failed'), ?2)
                   WHERE id = ?1 RETURNING done";
        let mut statement = transaction.prepare_cached(sql)?;
        let done: Option<i64> =
            statement.query_row((schedule, now.0), |row| row.get(0)).optional()?;
        drop(statement);
        let done = done.ok_or_else(|| StoreError::NoSchedule { id: schedule.to_owned() })?;
        set_throttle(&transaction, schedule, &throttle)?;
        transaction.commit()?;
        Ok(Moment(done))
    }

    /// Begins a transaction that writes. It waits for those of other processes first, because one that
    /// has read before it waits would fail.
    pub(crate) fn begin(&mut self) -> Result<Transaction<'_>, StoreError> {
        let behavior = TransactionBehavior::Immediate;
        Ok(self.reader.connection.transaction_with_behavior(behavior)?)
    }
}

fn set_throttle(
    connection: &Connection,
    schedule: &str,
    throttle: &ThrottleState,
) -> Result<(), StoreError> {
    let sql = "UPDATE schedules SET throttle = ?2 WHERE id = ?1";
    let state = ledger::json(throttle)?;
    match connection.prepare_cached(sql)?.execute((schedule, state))? {
        0 => Err(StoreError::NoSchedule { id: schedule.to_owned() }),
        _ => Ok(()),
    }
}

/// Returns the entry of the ledger for a run.
fn entry(run: &RunRecord) -> StoredRun {
    StoredRun {
        schedule: run.schedule.clone(),
        nominal: run.nominal,
        attempt: run.attempt,
        first: run.nominal,
        firings: 1,
        status: run.status,
        interval: Some(run.interval),
        indexes: run.indexes.clone(),
        seen: Some(run.seen),
        reason: run.reason.clone(),
        started: Some(run.started),
        took: Some(run.took),
        cost: run.cost.clone(),
    }
}
