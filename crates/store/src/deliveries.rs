//! Deliveries: which entries of the outbox are on their way to which output.
//!
//! Each output has a position in the outbox. What it is to get up to there is queued in the transaction
//! that moves it on, so that whoever does this may be killed at any time, and nothing is left out or
//! queued twice. An entry stays in the outbox as long as a delivery of it may have to be made.

use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Row, Transaction, params, params_from_iter};
use serde::{Deserialize, Serialize};
use spilltrail_schedule::Moment;

use crate::conditions::Conditions;
use crate::desk::Desk;
use crate::error::StoreError;
use crate::reader::StoreReader;
use crate::rows::Rows;
use crate::store::Store;

/// The most deliveries that are read at once.
pub const MOST_DELIVERIES: usize = 1000;

/// No attempt is put off for longer, in seconds: one that is was put off by a clock that ran ahead.
const FURTHEST: i64 = 2 * 86_400;

const COLUMNS: &str = "deliveries.output, deliveries.seq, deliveries.id, deliveries.state, \
     deliveries.attempts, deliveries.next, deliveries.changed, deliveries.status, deliveries.error";

/// How far a delivery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// It is to be made, for the first time or again.
    Waiting,
    /// It was made.
    Done,
    /// It was given up.
    Dead,
}

impl DeliveryState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Waiting, Self::Done, Self::Dead];

    /// Returns its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Dead => "dead",
        }
    }

    /// Returns the state with a name, or `None`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A delivery of an entry of the outbox to an output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The name of the output.
    pub output: String,
    /// The number of the entry.
    pub seq: u64,
    /// The id of the finding.
    pub id: String,
    /// How far it is.
    pub state: DeliveryState,
    /// How often it was begun, since it was queued or repeated.
    pub attempts: u32,
    /// When it is to be tried next, if it waits.
    pub next: Moment,
    /// When it was queued, tried or repeated last.
    pub changed: Moment,
    /// The status of the last response.
    pub status: Option<u16>,
    /// What went wrong the last time.
    pub error: Option<String>,
}

/// What became of an attempt at a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// When it was.
    pub time: Moment,
    /// The status of the response, if there was one.
    pub status: Option<u16>,
    /// How it ended.
    pub end: AttemptEnd,
}

/// How an attempt at a delivery ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptEnd {
    /// The output has it.
    Done,
    /// It failed, and is to be tried again.
    Again {
        /// When.
        next: Moment,
        /// What went wrong.
        error: String,
    },
    /// It failed, and is given up.
    GivenUp {
        /// What went wrong.
        error: String,
    },
}

/// Which deliveries a list has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// The name of the output.
    pub output: Option<String>,
    /// How far they are.
    pub state: Option<DeliveryState>,
    /// The complete id of the finding.
    pub finding: Option<String>,
    /// The number and the output of a delivery, for those after it in the list: the last one of a page,
    /// where the next page begins.
    pub after: Option<(u64, String)>,
}

impl Store {
    /// Queues deliveries to an output, and moves its position on to `up_to`: both or none. `entries` are
    /// the numbers of the entries after its position and up to there that it is to get. Returns false,
    /// and changes nothing, if the output is there already. A new output begins at 0; to let it begin
    /// elsewhere, queue nothing up to there.
    ///
    /// # Errors
    /// Fails if a number is not between the position and `up_to`, if the outbox has no such entry, or if
    /// the file cannot be written.
    pub fn queue(
        &mut self,
        output: &str,
        up_to: u64,
        entries: &[u64],
        now: Moment,
    ) -> Result<bool, StoreError> {
        let transaction = self.begin()?;
        let sql = "SELECT position FROM outputs WHERE name = ?1";
        let mut statement = transaction.prepare_cached(sql)?;
        let position: Option<u64> = statement.query_row([output], |row| row.get(0)).optional()?;
        drop(statement);
        if position.is_some_and(|position| up_to <= position) {
            return Ok(false);
        }
        let begin = position.unwrap_or(0);
        let sql = "INSERT INTO deliveries (output, seq, id, state, attempts, next, changed)
                   SELECT ?1, seq, id, 'waiting', 0, ?3, ?3 FROM outbox WHERE seq = ?2
                   ON CONFLICT (output, seq) DO NOTHING";
        let mut statement = transaction.prepare_cached(sql)?;
        for seq in entries {
            let is_between = begin < *seq && *seq <= up_to;
            if !is_between || statement.execute(params![output, seq, now.0])? == 0 {
                return Err(StoreError::NoOutboxEntry { seq: *seq, after: begin, up_to });
            }
        }
        drop(statement);
        let sql = "INSERT OR REPLACE INTO outputs (name, position, seen) VALUES (?1, ?2, ?3)";
        transaction.prepare_cached(sql)?.execute(params![output, up_to, now.0])?;
        transaction.commit()?;
        Ok(true)
    }

    /// Takes note that an attempt at a delivery that waits begins. If nothing is recorded of its end, the
    /// next one is made at `next`: so an end that cannot be stored does not make it be sent without pause.
    /// Returns false, and changes nothing, if there is no such delivery, or if it does not wait.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn begin_attempt(
        &mut self,
        output: &str,
        seq: u64,
        next: Moment,
        now: Moment,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE deliveries SET attempts = attempts + 1, next = ?3, changed = ?4
                   WHERE output = ?1 AND seq = ?2 AND state = 'waiting'";
        let transaction = self.begin()?;
        let row = params![output, seq, next.0, now.0];
        let is_changed = transaction.prepare_cached(sql)?.execute(row)? > 0;
        transaction.commit()?;
        Ok(is_changed)
    }

    /// Stores what became of an attempt at a delivery that waits. Returns false, and changes nothing, if
    /// there is no such delivery, or if it does not wait.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn record_attempt(
        &mut self,
        output: &str,
        seq: u64,
        attempt: &Attempt,
    ) -> Result<bool, StoreError> {
        let Attempt { time, status, end } = attempt;
        let (state, next, error) = match end {
            AttemptEnd::Done => (DeliveryState::Done, None, None),
            AttemptEnd::Again { next, error } => {
                (DeliveryState::Waiting, Some(next.0), Some(error))
            }
            AttemptEnd::GivenUp { error } => (DeliveryState::Dead, None, Some(error)),
        };
        let sql = "UPDATE deliveries
                   SET state = ?3, next = ifnull(?4, next), changed = ?5, status = ?6, error = ?7
                   WHERE output = ?1 AND seq = ?2 AND state = 'waiting'";
        let row = params![output, seq, state.name(), next, time.0, status, error];
        let transaction = self.begin()?;
        let is_changed = transaction.prepare_cached(sql)?.execute(row)? > 0;
        transaction.commit()?;
        Ok(is_changed)
    }

    /// Takes note of the outputs that are there at `now`, and removes those that have not been since
    /// `before`, with their positions and deliveries. Returns the names of those, each with the number of
    /// deliveries that waited.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn keep_outputs(
        &mut self,
        names: &[&str],
        now: Moment,
        before: Moment,
    ) -> Result<Vec<(String, u64)>, StoreError> {
        let transaction = self.begin()?;
        // A file of an older form does not say when.
        transaction.execute("UPDATE outputs SET seen = ?1 WHERE seen = 0", [now.0])?;
        for name in names {
            let sql = "UPDATE outputs SET seen = ?2 WHERE name = ?1";
            transaction.prepare_cached(sql)?.execute(params![name, now.0])?;
        }
        let sql = "SELECT name, (SELECT count(*) FROM deliveries
                                 WHERE deliveries.output = name AND state = 'waiting')
                   FROM outputs WHERE seen < ?1 ORDER BY name";
        let mut statement = transaction.prepare_cached(sql)?;
        let rows = statement.query_map([before.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let gone: Vec<(String, u64)> = rows.collect::<Result<_, _>>()?;
        drop(statement);
        for (name, _) in &gone {
            transaction.execute("DELETE FROM outputs WHERE name = ?1", [name])?;
            transaction.execute("DELETE FROM deliveries WHERE output = ?1", [name])?;
        }
        transaction.commit()?;
        Ok(gone)
    }
}

impl Desk {
    /// Lets a delivery that was made or given up be made again, from the first attempt on; one that
    /// waits is tried at once. What the output got of the same finding later is made again after it, so
    /// that the last that it learns is how the finding is.
    ///
    /// # Errors
    /// Fails if there is no such delivery, if its entry is no longer in the outbox, or if the file cannot
    /// be written.
    pub fn repeat(&mut self, output: &str, seq: u64, now: Moment) -> Result<(), StoreError> {
        let transaction = self.begin()?;
        let sql = "SELECT deliveries.id FROM deliveries JOIN outbox ON outbox.seq = deliveries.seq
                   WHERE deliveries.output = ?1 AND deliveries.seq = ?2";
        let mut statement = transaction.prepare_cached(sql)?;
        let id: Option<String> =
            statement.query_row(params![output, seq], |row| row.get(0)).optional()?;
        drop(statement);
        let Some(id) = id else {
            return Err(StoreError::NoDelivery { output: output.to_owned(), seq });
        };
        let sql = "UPDATE deliveries SET state = 'waiting', attempts = 0, next = ?4, changed = ?4
                   WHERE output = ?1 AND id = ?3 AND seq >= ?2
                     AND EXISTS (SELECT 1 FROM outbox WHERE outbox.seq = deliveries.seq)";
        transaction.prepare_cached(sql)?.execute(params![output, seq, id, now.0])?;
        Ok(transaction.commit()?)
    }
}

impl StoreReader {
    /// Returns the names of the outputs and how far each has come in the outbox, ordered by name.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn outputs(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let sql = "SELECT name, position FROM outputs ORDER BY name";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns the deliveries to an output that wait and are to be made at `now`: those first that wait
    /// longest, at most `most`, and at most [`MOST_DELIVERIES`]. Of each finding it is only the earliest,
    /// so that its receiver learns in order.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn due(&self, output: &str, now: Moment, most: usize) -> Result<Vec<Delivery>, StoreError> {
        let most = most.min(MOST_DELIVERIES);
        let mut found = self.waiting(output, "next <= ?2", now, most)?;
        if found.len() < most {
            let (later, furthest) = (most - found.len(), now.plus(FURTHEST));
            found.extend(self.waiting(output, "next > ?2", furthest, later)?);
        }
        Ok(found)
    }

    /// Returns deliveries to an output that wait and whose next time meets a condition.
    fn waiting(
        &self,
        output: &str,
        next: &str,
        moment: Moment,
        most: usize,
    ) -> Result<Vec<Delivery>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM deliveries
             WHERE output = ?1 AND state = 'waiting' AND {next}
               AND NOT EXISTS (
                   SELECT 1 FROM deliveries AS earlier
                   WHERE earlier.output = deliveries.output AND earlier.id = deliveries.id
                     AND earlier.seq < deliveries.seq AND earlier.state = 'waiting')
             ORDER BY next, seq LIMIT ?3"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params![output, moment.0, most])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(read(row, 0)?);
        }
        Ok(found)
    }

    /// Returns deliveries, those of the newest entries first: at most `most`, and at most
    /// [`MOST_DELIVERIES`].
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn deliveries(
        &self,
        filter: &DeliveryFilter,
        most: usize,
    ) -> Result<Rows<Delivery>, StoreError> {
        let most = most.min(MOST_DELIVERIES);
        let mut conditions = Conditions::default();
        if let Some(output) = &filter.output {
            conditions.with("output = ?", [output.clone()]);
        }
        if let Some(state) = filter.state {
            conditions.with("state = ?", [state.name().to_owned()]);
        }
        if let Some(finding) = &filter.finding {
            conditions.with("id = ?", [finding.clone()]);
        }
        if let Some((seq, output)) = &filter.after {
            let seq = Value::Integer(i64::try_from(*seq).unwrap_or(i64::MAX));
            let place = [seq.clone(), seq, Value::Text(output.clone())];
            conditions.with("(seq < ? OR seq = ? AND output > ?)", place);
        }
        let sql = format!(
            "SELECT {COLUMNS} FROM deliveries WHERE {} ORDER BY seq DESC, output LIMIT ?",
            conditions.sql()
        );
        conditions.values.push(Value::Integer(most as i64 + 1));
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(&conditions.values))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(read(row, 0)?);
        }
        Ok(Rows::cut(found, most))
    }
}

/// Removes the deliveries that were made or given up before a moment.
pub(crate) fn remove_before(
    transaction: &Transaction<'_>,
    moment: Moment,
) -> Result<(), StoreError> {
    let sql = "DELETE FROM deliveries WHERE state <> 'waiting' AND changed < ?1";
    transaction.execute(sql, [moment.0])?;
    Ok(())
}

/// Reads the columns of [`COLUMNS`] from one on.
fn read(row: &Row<'_>, first: usize) -> Result<Delivery, StoreError> {
    let state: String = row.get(first + 3)?;
    let what = "state of a delivery";
    Ok(Delivery {
        output: row.get(first)?,
        seq: row.get(first + 1)?,
        id: row.get(first + 2)?,
        state: DeliveryState::parse(&state)
            .ok_or_else(|| StoreError::Damaged { what, reason: format!("`{state}` is none") })?,
        attempts: row.get(first + 4)?,
        next: Moment(row.get(first + 5)?),
        changed: Moment(row.get(first + 6)?),
        status: row.get(first + 7)?,
        error: row.get(first + 8)?,
    })
}
