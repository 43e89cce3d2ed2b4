//! All there is about one finding.

use rusqlite::params;
use serde::{Deserialize, Serialize};
use spilltrail_schedule::Moment;

use crate::deliveries::{Delivery, DeliveryFilter, MOST_DELIVERIES};
use crate::error::StoreError;
use crate::findings;
use crate::list::{self, Listed};
use crate::reader::StoreReader;
use crate::records::{FindingState, StoredFinding};
use crate::rows::Rows;
use crate::triage::HistoryEntry;

/// The most runs that found a finding which are read, the newest.
pub const MOST_SIGHTINGS: usize = 1000;

/// A run that found a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// The id of the detection.
    pub detection: String,
    /// The nominal time of the run.
    pub nominal: Moment,
    /// The attempt that found it as it is, or that withdrew it.
    pub attempt: u32,
    /// What the last attempt said about it.
    pub state: FindingState,
    /// The id of the entry of the allow-list that hides it.
    pub suppressed_by: Option<i64>,
    /// The hash of its content.
    pub hash: String,
}

/// A finding with all that belongs to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Details {
    /// It as lists show it, with its triage.
    pub listed: Listed,
    /// What the newest run that found it says.
    pub newest: StoredFinding,
    /// The runs that found it, newest first, at most [`MOST_SIGHTINGS`].
    pub sightings: Vec<Sighting>,
    /// What was changed and said, newest first, at most [`MOST_HISTORY`](crate::MOST_HISTORY).
    pub history: Vec<HistoryEntry>,
    /// Its deliveries to outputs, newest first, at most [`MOST_DELIVERIES`].
    pub deliveries: Vec<Delivery>,
    /// Which of these lists go on.
    pub more: MoreDetails,
}

/// Which lists of a finding are longer than what was read of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MoreDetails {
    /// More runs found it.
    pub sightings: bool,
    /// The history is longer.
    pub history: bool,
    /// There are more deliveries.
    pub deliveries: bool,
}

impl StoreReader {
    /// Returns all there is about a finding; `None` if there is none with this id, which must be
    /// complete.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn finding(&self, id: &str) -> Result<Option<Details>, StoreError> {
        // All of it is what it was at one moment.
        let transaction = self.connection.unchecked_transaction()?;
        let sql = format!("SELECT {} FROM {} AND findings.id = ?1", list::COLUMNS, list::HEADS);
        let mut statement = transaction.prepare_cached(&sql)?;
        let mut rows = statement.query([id])?;
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        let listed = list::read(row)?;
        let columns = findings::COLUMNS;
        let sql = format!("SELECT {columns} FROM findings WHERE id = ?1 AND is_head = 1");
        let mut statement = transaction.prepare_cached(&sql)?;
        let mut rows = statement.query([id])?;
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        let newest = findings::read(&transaction, row)?;
        let (sightings, history) = (self.sightings(id)?, self.history(id)?);
        let filter = DeliveryFilter { finding: Some(id.to_owned()), ..DeliveryFilter::default() };
        let deliveries = self.deliveries(&filter, MOST_DELIVERIES)?;
        let more = MoreDetails {
            sightings: sightings.more,
            history: history.more,
            deliveries: deliveries.more,
        };
        let (sightings, history, deliveries) = (sightings.rows, history.rows, deliveries.rows);
        Ok(Some(Details { listed, newest, sightings, history, deliveries, more }))
    }

    fn sightings(&self, id: &str) -> Result<Rows<Sighting>, StoreError> {
        let sql = "SELECT detection, nominal, attempt, state, suppressed_by, hash FROM findings
                   WHERE id = ?1 ORDER BY nominal DESC, number DESC LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![id, MOST_SIGHTINGS + 1])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(Sighting {
                detection: row.get(0)?,
                nominal: Moment(row.get(1)?),
                attempt: row.get(2)?,
                state: FindingState::parse(&row.get::<_, String>(3)?)?,
                suppressed_by: row.get(4)?,
                hash: row.get(5)?,
            });
        }
        Ok(Rows::cut(found, MOST_SIGHTINGS))
    }
}
