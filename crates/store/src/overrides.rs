//! Overrides of schedules: what a user has set in place of what a detection states.

use rusqlite::params;
use serde::{Deserialize, Serialize};
use spilltrail_schedule::Moment;

use crate::desk::Desk;
use crate::error::StoreError;
use crate::reader::StoreReader;

/// What a user has set for a detection. What is `None` is as the detection states it. Whether the texts
/// make a schedule is checked by who sets and who uses them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// Whether it runs.
    pub is_enabled: Option<bool>,
    /// When it runs, as an expression of cron.
    pub cron: Option<String>,
    /// Where the interval of its events begins.
    pub earliest: Option<String>,
    /// Where the interval of its events ends.
    pub latest: Option<String>,
    /// How much later than its time it may start: `auto`, or minutes.
    pub window: Option<String>,
    /// Why it is.
    pub reason: String,
}

/// What a user has set for a detection, with who and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredOverride {
    /// The id of the detection.
    pub detection: String,
    /// What was set.
    pub set: Override,
    /// Who it was.
    pub who: String,
    /// When it was.
    pub time: Moment,
}

impl Desk {
    /// Sets the override of a detection, in place of what was set before.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn set_override(
        &mut self,
        detection: &str,
        set: &Override,
        who: &str,
        now: Moment,
    ) -> Result<(), StoreError> {
        let Override { is_enabled, cron, earliest, latest, window, reason } = set;
        let sql = "INSERT OR REPLACE INTO overrides
                       (detection, is_enabled, cron, earliest, latest, window, reason, who, time)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        let transaction = self.begin()?;
        transaction.prepare_cached(sql)?.execute(params![
            detection, is_enabled, cron, earliest, latest, window, reason, who, now.0
        ])?;
        transaction.execute("UPDATE desk SET overrides = overrides + 1", [])?;
        Ok(transaction.commit()?)
    }

    /// Removes the override of a detection, which runs as it states from now on. Returns false if there
    /// is none.
    ///
    /// # Errors
    /// Fails if the file cannot be written.
    pub fn clear_override(&mut self, detection: &str) -> Result<bool, StoreError> {
        let transaction = self.begin()?;
        let sql = "DELETE FROM overrides WHERE detection = ?1";
        if transaction.prepare_cached(sql)?.execute([detection])? == 0 {
            return Ok(false);
        }
        transaction.execute("UPDATE desk SET overrides = overrides + 1", [])?;
        transaction.commit()?;
        Ok(true)
    }
}

impl StoreReader {
    /// Returns all overrides, ordered by the id of the detection.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn overrides(&self) -> Result<Vec<StoredOverride>, StoreError> {
        let sql = "SELECT detection, is_enabled, cron, earliest, latest, window, reason, who, time
                   FROM overrides ORDER BY detection";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([], |row| {
            Ok(StoredOverride {
                detection: row.get(0)?,
                set: Override {
                    is_enabled: row.get(1)?,
                    cron: row.get(2)?,
                    earliest: row.get(3)?,
                    latest: row.get(4)?,
                    window: row.get(5)?,
                    reason: row.get(6)?,
                },
                who: row.get(7)?,
                time: Moment(row.get(8)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
