//! Overrides of schedules: what a user has set in place of what a detection states.

use rusqlite::params;
use serde::{Deserialize, Serialize};
use spilltrail_schedule::{
    Concern, Moment, Schedule, ScheduleError, ScheduleSpec, Window, WindowError,
};

use crate::desk::Desk;
use crate::error::StoreError;
use crate::reader::StoreReader;

/// The most bytes of a text of an override.
const MOST_BYTES: usize = 1000;

/// What a user has set for a detection. What is `None` is as the detection states it. Who sets it and who
/// uses it ask [`applied_to`](Self::applied_to) whether it makes a schedule.
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
    /// How much later than its time it may start, as a [`Window`] is written.
    pub window: Option<String>,
    /// Why it is.
    pub reason: String,
}

/// Why what a user has set makes no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    /// A text is too long.
    #[error("the {name} has {found} bytes: expected at most {MOST_BYTES}")]
    Long {
        /// What it is.
        name: &'static str,
        /// How many bytes it has.
        found: usize,
    },
    /// The window cannot be read.
    #[error(transparent)]
    Window(#[from] WindowError),
    /// The cron expression or a time cannot be read.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// It could not run like this.
    #[error("{0}; {help}", help = .0.help())]
    Unsound(Concern),
}

impl Override {
    /// Returns the schedule of a detection with what is set in place of what the detection states, as it
    /// is from `now` on. Gaps and overlaps are not refused, because they may be meant:
    /// [`Schedule::check`] tells them.
    ///
    /// # Errors
    /// Fails if both together make no schedule that can run. The reason, and whether the detection runs,
    /// do not matter.
    pub fn applied_to(&self, spec: &ScheduleSpec, now: Moment) -> Result<Schedule, OverrideError> {
        let mut spec = spec.clone();
        for (name, of_spec, text) in [
            ("cron", &mut spec.cron, &self.cron),
            ("earliest", &mut spec.earliest, &self.earliest),
            ("latest", &mut spec.latest, &self.latest),
        ] {
            if let Some(text) = text {
                of_spec.clone_from(short(name, text)?);
            }
        }
        if let Some(text) = &self.window {
            spec.window = short("window", text)?.parse::<Window>()?;
        }
        let schedule = Schedule::new(spec)?;
        match schedule.check(now).into_iter().find(Concern::is_error) {
            Some(concern) => Err(OverrideError::Unsound(concern)),
            None => Ok(schedule),
        }
    }
}

/// Refuses a text that is too long to be shown in errors.
fn short<'a>(name: &'static str, text: &'a String) -> Result<&'a String, OverrideError> {
    match text.len() {
        found if found > MOST_BYTES => Err(OverrideError::Long { name, found }),
        _ => Ok(text),
    }
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
