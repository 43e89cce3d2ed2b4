//! Risk: what findings add to the objects that they are about.
//!
//! What counts is what searches over the index of risk events read ([`counted`](crate::counted)): runs that
//! overlap find the same, and add it once.

use rusqlite::types::Value;
use rusqlite::{Connection, Row, Transaction, params, params_from_iter};
use serde::{Deserialize, Serialize};
use spilltrail_schedule::Moment;

use crate::conditions::Conditions;
use crate::counted::{IS_FIRST, MAY_COUNT, OF_RUN};
use crate::error::StoreError;
use crate::ledger;
use crate::list::OF_DETECTION;
use crate::reader::{StoreReader, parsed};
use crate::records::{FindingRecord, RiskRecord, RunRecord};
use crate::rows::Rows;

/// The most objects that are read at once.
pub const MOST_OBJECTS: usize = 1000;

/// The most risk events of an object that are read at once.
pub const MOST_RISKS: usize = 1000;

/// The risk events that count.
fn counted() -> String {
    format!(
        "risks JOIN findings ON findings.number = risks.finding JOIN runs ON {OF_RUN}
         WHERE {MAY_COUNT} AND {IS_FIRST}"
    )
}

/// Which objects a list of risk has. In patterns, `*` stands for any text, and upper and lower case of
/// ASCII letters are the same.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RiskFilter {
    /// A pattern of the object.
    pub object: Option<String>,
    /// The type of the object.
    pub object_type: Option<String>,
    /// A pattern of the id or the name of the detections that count.
    pub detection: Option<String>,
    /// The lowest score that an object has in all.
    pub least: Option<f64>,
}

/// The risk of an object over some time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObjectRisk {
    /// The object.
    pub object: String,
    /// Its type.
    pub object_type: String,
    /// The sum of the scores.
    pub score: f64,
    /// The number of risk events.
    pub events: u64,
    /// The number of detections that raised them.
    pub detections: u64,
    /// The number of tactics that these have.
    pub tactics: u64,
    /// The time of the first event, in seconds since 1970.
    pub first: f64,
    /// The time of the last event, in seconds since 1970.
    pub last: f64,
}

/// A risk event with the finding that raised it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RiskEvent {
    /// The id of the finding.
    pub finding: String,
    /// The id of the detection.
    pub detection: String,
    /// The name of the detection.
    pub name: String,
    /// The title of the finding.
    pub title: String,
    /// The nominal time of the run.
    pub nominal: Moment,
    /// When it happened, in seconds since 1970; the nominal time if the finding has no time.
    pub time: f64,
    /// What it adds to which object.
    pub risk: RiskRecord,
}

impl StoreReader {
    /// Returns the risk of objects by events from `since` to before `until`, highest first: at most
    /// `most` objects, and at most [`MOST_OBJECTS`].
    ///
    /// # Errors
    /// Fails if a pattern has too many wildcards, or if the file cannot be read.
    pub fn risk(
        &self,
        since: Moment,
        until: Moment,
        filter: &RiskFilter,
        most: usize,
    ) -> Result<Rows<ObjectRisk>, StoreError> {
        let mut conditions = Conditions::default();
        conditions.with("risks.time >= ? AND risks.time < ?", [since.0, until.0]);
        if let Some(object) = &filter.object {
            conditions.like(&["risks.object IS_LIKE"], object)?;
        }
        if let Some(object_type) = &filter.object_type {
            conditions.with("risks.object_type = ?", [object_type.clone()]);
        }
        if let Some(detection) = &filter.detection {
            conditions.like(&OF_DETECTION, detection)?;
        }
        let counted = counted();
        let sql = format!(
            "WITH counted AS MATERIALIZED (
                 SELECT risks.object, risks.object_type, risks.score, risks.time, risks.tactics,
                        findings.detection
                 FROM {counted} AND {}
             ), totals AS (
                 SELECT object, object_type, sum(score) AS score, count(*) AS events,
                        count(DISTINCT detection) AS detections, min(time) AS first,
                        max(time) AS last
                 FROM counted GROUP BY object, object_type HAVING sum(score) >= ?
                 ORDER BY 3 DESC, 7 DESC, 1, 2 LIMIT ?
             )
             SELECT object, object_type, score, events, detections,
                    (SELECT count(DISTINCT tactic.value) FROM counted, json_each(tactics) AS tactic
                     WHERE counted.object = totals.object
                       AND counted.object_type = totals.object_type),
                    first, last
             FROM totals ORDER BY 3 DESC, 8 DESC, 1, 2",
            conditions.sql()
        );
        let least = filter.least.filter(|least| !least.is_nan()).unwrap_or(f64::NEG_INFINITY);
        let most = most.min(MOST_OBJECTS);
        conditions.values.extend([Value::Real(least), Value::Integer(most as i64 + 1)]);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params_from_iter(&conditions.values), object)?;
        Ok(Rows::cut(rows.collect::<Result<_, _>>()?, most))
    }

    /// Returns the risk events of an object, of any type, from `since` on, newest first: at most `most`,
    /// and at most [`MOST_RISKS`].
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn risk_of(
        &self,
        object: &str,
        since: Moment,
        most: usize,
    ) -> Result<Rows<RiskEvent>, StoreError> {
        let most = most.min(MOST_RISKS);
        let counted = counted();
        let sql = format!(
            "SELECT risks.object, risks.object_type, risks.score, risks.tactics, risks.techniques,
                    findings.id, findings.detection, findings.name, findings.title,
                    findings.nominal, risks.time
             FROM {counted} AND risks.object = ?1 AND risks.time >= ?2
             ORDER BY risks.time DESC, risks.number DESC LIMIT ?3"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params![object, since.0, most + 1])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(RiskEvent {
                risk: read(row)?,
                finding: row.get(5)?,
                detection: row.get(6)?,
                name: row.get(7)?,
                title: row.get(8)?,
                nominal: Moment(row.get(9)?),
                time: row.get(10)?,
            });
        }
        Ok(Rows::cut(found, most))
    }
}

/// Stores what a finding adds to risk in place of what its row had.
pub(crate) fn replace(
    transaction: &Transaction<'_>,
    number: i64,
    run: &RunRecord,
    finding: &FindingRecord,
) -> Result<(), StoreError> {
    let sql = "DELETE FROM risks WHERE finding = ?1";
    transaction.prepare_cached(sql)?.execute([number])?;
    let sql = "INSERT INTO risks (finding, object, object_type, score, time, tactics, techniques)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let mut statement = transaction.prepare_cached(sql)?;
    for risk in &finding.risks {
        // The file has no place for what is no number, and it would make any sum none.
        let score = if risk.score.is_finite() { risk.score } else { 0.0 };
        let time = finding.time.filter(|time| !time.is_nan());
        statement.execute(params![
            number,
            risk.object,
            risk.object_type,
            score,
            time.unwrap_or(run.nominal.0 as f64),
            ledger::json(&risk.tactics)?,
            ledger::json(&risk.techniques)?,
        ])?;
    }
    Ok(())
}

/// Returns what the row of a finding adds to risk.
pub(crate) fn of(connection: &Connection, number: i64) -> Result<Vec<RiskRecord>, StoreError> {
    let sql = "SELECT object, object_type, score, tactics, techniques FROM risks
               WHERE finding = ?1 ORDER BY number";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([number])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

fn read(row: &Row<'_>) -> Result<RiskRecord, StoreError> {
    let list = |column| {
        let text: String = row.get(column)?;
        parsed("list of a risk event", &text)
    };
    let (object, object_type, score) = (row.get(0)?, row.get(1)?, row.get(2)?);
    Ok(RiskRecord { object, object_type, score, tactics: list(3)?, techniques: list(4)? })
}

fn object(row: &Row<'_>) -> rusqlite::Result<ObjectRisk> {
    Ok(ObjectRisk {
        object: row.get(0)?,
        object_type: row.get(1)?,
        score: row.get(2)?,
        events: row.get(3)?,
        detections: row.get(4)?,
        tactics: row.get(5)?,
        first: row.get(6)?,
        last: row.get(7)?,
    })
}
