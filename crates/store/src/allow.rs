//! The allow-list: what is known and meant, and hides findings.
//!
//! The store keeps entries, and counts what they hide; others decide what an entry is about. A finding
//! that one hides is stored like any other, with the id of the entry.

use rusqlite::{Row, Transaction, params};
use serde::{Deserialize, Serialize};
use spilltrail_schedule::Moment;

use crate::desk::Desk;
use crate::error::StoreError;
use crate::ledger::json;
use crate::reader::{StoreReader, parsed};

/// What an entry of the allow-list says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowRule {
    /// A pattern of the id or the name of detections.
    pub detection: String,
    /// What the results of the findings look like: all conditions hold.
    pub conditions: Vec<AllowCondition>,
    /// Who answers for it.
    pub owner: String,
    /// Why it is.
    pub reason: String,
    /// The time of the first findings that it hides; `None` for all that are before `expires`.
    pub starts: Option<Moment>,
    /// The time from which on it hides no finding.
    pub expires: Option<Moment>,
}

/// A condition of an entry of the allow-list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowCondition {
    /// The field of results.
    pub field: String,
    /// A pattern of its value, or a network.
    pub value: String,
}

/// The most bytes of a text of an entry.
const MOST_BYTES: usize = 1000;

/// The most conditions of an entry.
const MOST_CONDITIONS: usize = 20;

/// Why an entry cannot be added to the allow-list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AllowError {
    /// A text is empty: the entry could hide nothing, or nobody answers for it.
    #[error("the {name} of an entry of the allow-list is empty: expected 1 to {MOST_BYTES} bytes")]
    Empty {
        /// What it is.
        name: &'static str,
    },
    /// A text is too long.
    #[error(
        "the {name} of an entry of the allow-list has {found} bytes: expected 1 to {MOST_BYTES}"
    )]
    Long {
        /// What it is.
        name: &'static str,
        /// How many bytes it has.
        found: usize,
    },
    /// It has no condition, or too many.
    #[error(
        "an entry of the allow-list has {found} conditions: expected 1 to {MOST_CONDITIONS} fields \
         with their values"
    )]
    Conditions {
        /// How many it has.
        found: usize,
    },
    /// It would hide nothing any more.
    #[error("the entry would be over already: it expires at {expires}; give a time in the future")]
    Over {
        /// From when on it hides nothing.
        expires: Moment,
    },
    /// It would never hide anything.
    #[error("the entry starts at {starts}, but expires at {expires} already")]
    Backwards {
        /// From when on it hides findings.
        starts: Moment,
        /// From when on it hides nothing.
        expires: Moment,
    },
}

impl AllowRule {
    /// Checks whether it can be added at `now`. Whether its patterns and its field are like anything is not
    /// known here.
    ///
    /// # Errors
    /// Fails if a text is empty or too long, if there is no condition, or if it would be over already.
    pub fn check(&self, now: Moment) -> Result<(), AllowError> {
        let Self { detection, conditions, owner, reason, starts, expires } = self;
        if conditions.is_empty() || conditions.len() > MOST_CONDITIONS {
            return Err(AllowError::Conditions { found: conditions.len() });
        }
        let of_conditions = conditions
            .iter()
            .flat_map(|AllowCondition { field, value }| [("field", field), ("value", value)]);
        let of_rule = [("detection", detection), ("owner", owner), ("reason", reason)];
        for (name, text) in of_rule.into_iter().chain(of_conditions) {
            if text.trim().is_empty() {
                return Err(AllowError::Empty { name });
            }
            if text.len() > MOST_BYTES {
                return Err(AllowError::Long { name, found: text.len() });
            }
        }
        match (*starts, *expires) {
            (_, Some(expires)) if expires <= now => Err(AllowError::Over { expires }),
            (Some(starts), Some(expires)) if expires <= starts => {
                Err(AllowError::Backwards { starts, expires })
            }
            _ => Ok(()),
        }
    }
}

/// An entry of the allow-list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowEntry {
    /// Its id, which no other entry gets.
    pub id: i64,
    /// What it says.
    pub rule: AllowRule,
    /// When it was added.
    pub created: Moment,
    /// Whether it hides anything.
    pub is_enabled: bool,
    /// When it was removed.
    pub removed: Option<Moment>,
    /// How many findings it hid, counting each attempt at a run.
    pub hits: u64,
    /// When the run started in which it last hid one.
    pub last_hit: Option<Moment>,
}

impl AllowEntry {
    /// Returns whether it can hide findings of a time: it is turned on, and the time is between its
    /// start and its end.
    #[must_use]
    pub fn is_active(&self, time: Moment) -> bool {
        self.is_in_force() && self.is_about(time)
    }

    /// Returns whether it is neither turned off nor removed.
    #[must_use]
    pub fn is_in_force(&self) -> bool {
        self.is_enabled && self.removed.is_none()
    }

    /// Returns whether a time is between its start and its end.
    fn is_about(&self, time: Moment) -> bool {
        let AllowRule { starts, expires, .. } = self.rule;
        starts.is_none_or(|starts| starts <= time) && expires.is_none_or(|expires| time < expires)
    }
}

impl Desk {
    /// Adds an entry to the allow-list, which hides findings of runs from now on, and returns its id.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn add_allow(&mut self, rule: &AllowRule, now: Moment) -> Result<i64, StoreError> {
        let AllowRule { detection, conditions, owner, reason, starts, expires } = rule;
        let transaction = self.begin()?;
        let sql = "INSERT INTO allow
                       (detection, conditions, owner, reason, created, starts, expires, is_enabled, hits)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, 0)";
        let conditions = json(conditions)?;
        let (starts, expires) = (starts.map(|starts| starts.0), expires.map(|expires| expires.0));
        let row = params![detection, conditions, owner, reason, now.0, starts, expires];
        transaction.prepare_cached(sql)?.execute(row)?;
        let id = transaction.last_insert_rowid();
        changed(&transaction)?;
        transaction.commit()?;
        Ok(id)
    }

    /// Turns an entry of the allow-list on or off.
    ///
    /// # Errors
    /// Fails if there is none with this id, or if the file cannot be written.
    pub fn enable_allow(&mut self, id: i64, is_enabled: bool) -> Result<(), StoreError> {
        let sql = "UPDATE allow SET is_enabled = ?2 WHERE id = ?1 AND removed IS NULL";
        self.set_allow(sql, id, i64::from(is_enabled))
    }

    /// Removes an entry from the allow-list. It hides nothing any more, and stays to be read by who
    /// wonders about a finding that it hid.
    ///
    /// # Errors
    /// Fails if there is none with this id, or if the file cannot be written.
    pub fn remove_allow(&mut self, id: i64, now: Moment) -> Result<(), StoreError> {
        let sql = "UPDATE allow SET removed = ?2 WHERE id = ?1 AND removed IS NULL";
        self.set_allow(sql, id, now.0)
    }

    fn set_allow(&mut self, sql: &str, id: i64, value: i64) -> Result<(), StoreError> {
        let transaction = self.begin()?;
        if transaction.prepare_cached(sql)?.execute([id, value])? == 0 {
            return Err(StoreError::NoEntry { id });
        }
        changed(&transaction)?;
        Ok(transaction.commit()?)
    }
}

impl StoreReader {
    /// Returns the entries of the allow-list, ordered by id: those that are not removed, or all.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn allow_list(&self, has_removed: bool) -> Result<Vec<AllowEntry>, StoreError> {
        let sql = "SELECT id, detection, conditions, owner, reason, starts, expires, created,
                          is_enabled, removed, hits, last_hit
                   FROM allow WHERE removed IS NULL OR ?1 ORDER BY id";
        let mut statement = self.connection.prepare_cached(sql)?;
        statement.query_and_then([has_removed], read)?.collect()
    }
}

/// Counts how many findings entries hid in a run. An entry that is gone is not counted.
pub(crate) fn count(
    transaction: &Transaction<'_>,
    hits: &[(i64, u64)],
    started: Moment,
) -> Result<(), StoreError> {
    let sql = "UPDATE allow SET hits = hits + ?2, last_hit = max(ifnull(last_hit, ?3), ?3)
               WHERE id = ?1";
    let mut statement = transaction.prepare_cached(sql)?;
    for (id, hits) in hits.iter().filter(|(_, hits)| *hits > 0) {
        statement.execute(params![id, hits, started.0])?;
    }
    Ok(())
}

/// Removes the entries that were removed before a moment and that no finding names.
pub(crate) fn remove_before(
    transaction: &Transaction<'_>,
    moment: Moment,
) -> Result<(), StoreError> {
    let sql = "DELETE FROM allow WHERE removed < ?1
               AND id NOT IN (SELECT suppressed_by FROM findings WHERE suppressed_by IS NOT NULL)";
    transaction.execute(sql, [moment.0])?;
    Ok(())
}

fn changed(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    transaction.execute("UPDATE desk SET allow = allow + 1", [])?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<AllowEntry, StoreError> {
    let moment = |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(Moment));
    Ok(AllowEntry {
        id: row.get(0)?,
        rule: AllowRule {
            detection: row.get(1)?,
            conditions: parsed("allow-list entry", &row.get::<_, String>(2)?)?,
            owner: row.get(3)?,
            reason: row.get(4)?,
            starts: moment(5)?,
            expires: moment(6)?,
        },
        created: Moment(row.get(7)?),
        is_enabled: row.get(8)?,
        removed: moment(9)?,
        hits: row.get(10)?,
        last_hit: moment(11)?,
    })
}
