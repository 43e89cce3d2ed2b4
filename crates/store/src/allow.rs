//! The allow-list: what is known and meant, and hides findings.
//!
//! The store keeps entries, and counts what they hide; others decide what an entry is about. A finding
//! that one hides is stored like any other, with the id of the entry.

use rusqlite::{Row, Transaction, params};
use serde::{Deserialize, Serialize};
use spilltrail_schedule::Moment;

use crate::desk::Desk;
use crate::error::StoreError;
use crate::reader::StoreReader;

/// What an entry of the allow-list says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowRule {
    /// A pattern of the id or the name of detections.
    pub detection: String,
    /// The field of findings in which the value is.
    pub field: String,
    /// A pattern of the value, or a network.
    pub value: String,
    /// Who answers for it.
    pub owner: String,
    /// Why it is.
    pub reason: String,
    /// From when on it hides nothing any more.
    pub expires: Option<Moment>,
}

/// The most bytes of a text of an entry.
const MOST_BYTES: usize = 1000;

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
    /// It would hide nothing any more.
    #[error("the entry would be over already: it expires at {expires}; give a time in the future")]
    Over {
        /// From when on it hides nothing.
        expires: Moment,
    },
}

impl AllowRule {
    /// Checks whether it can be added at `now`. Whether its patterns and its field are like anything is not
    /// known here.
    ///
    /// # Errors
    /// Fails if a text is empty or too long, or if it would be over already.
    pub fn check(&self, now: Moment) -> Result<(), AllowError> {
        let Self { detection, field, value, owner, reason, expires } = self;
        for (name, text) in [
            ("detection", detection),
            ("field", field),
            ("value", value),
            ("owner", owner),
            ("reason", reason),
        ] {
            if text.trim().is_empty() {
                return Err(AllowError::Empty { name });
            }
            if text.len() > MOST_BYTES {
                return Err(AllowError::Long { name, found: text.len() });
            }
        }
        match *expires {
            Some(expires) if expires <= now => Err(AllowError::Over { expires }),
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
    /// Returns whether it hides findings of a run that starts at `now`.
    #[must_use]
    pub fn is_active(&self, now: Moment) -> bool {
        let is_over = self.rule.expires.is_some_and(|expires| expires <= now);
        self.is_enabled && self.removed.is_none() && !is_over
    }
}

impl Desk {
    /// Adds an entry to the allow-list, which hides findings of runs from now on, and returns its id.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn add_allow(&mut self, rule: &AllowRule, now: Moment) -> Result<i64, StoreError> {
        let AllowRule { detection, field, value, owner, reason, expires } = rule;
        let transaction = self.begin()?;
        let sql = "INSERT INTO allow
                       (detection, field, value, owner, reason, created, expires, is_enabled, hits)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, 0)";
        let expires = expires.map(|expires| expires.0);
        let row = params![detection, field, value, owner, reason, now.0, expires];
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
        let sql = "SELECT id, detection, field, value, owner, reason, expires, created, is_enabled,
                          removed, hits, last_hit
                   FROM allow WHERE removed IS NULL OR ?1 ORDER BY id";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([has_removed], read)?;
        Ok(rows.collect::<Result<_, _>>()?)
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

fn read(row: &Row<'_>) -> rusqlite::Result<AllowEntry> {
    let moment = |column| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(Moment));
    Ok(AllowEntry {
        id: row.get(0)?,
        rule: AllowRule {
            detection: row.get(1)?,
            field: row.get(2)?,
            value: row.get(3)?,
            owner: row.get(4)?,
            reason: row.get(5)?,
            expires: moment(6)?,
        },
        created: Moment(row.get(7)?),
        is_enabled: row.get(8)?,
        removed: moment(9)?,
        hits: row.get(10)?,
        last_hit: moment(11)?,
    })
}
