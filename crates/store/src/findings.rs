//! The rows of findings: how a run's are replaced, which one stands for its id, and how they are read.
//!
//! A row is what one run said about one id. Runs over overlapping intervals find the same id, so an id
//! has several rows. One of them, the head, stands for it in lists.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rusqlite::{Connection, Row, Transaction, params};
use spilltrail_schedule::{Changes, Moment, changes};

use crate::error::StoreError;
use crate::outbox;
use crate::records::{FindingRecord, FindingState, RunRecord, Status, StoredFinding};
use crate::risk;
use crate::urgency::{Level, urgency};

/// The columns that [`read`] reads.
pub(crate) const COLUMNS: &str = "findings.detection, findings.nominal, findings.attempt, \
     findings.state, findings.id, findings.name, findings.title, findings.is_notable, \
     findings.time, findings.entity, findings.score, findings.severity, findings.priority, \
     findings.suppressed_by, findings.hash, findings.body, findings.number";

/// What a run says about a finding before an attempt.
struct Before {
    state: FindingState,
    hash: String,
    suppressed_by: Option<i64>,
}

/// Stores the findings of an attempt at a run in place of those of the attempts before it.
pub(crate) fn replace(
    transaction: &Transaction<'_>,
    run: &RunRecord,
    findings: &[FindingRecord],
) -> Result<Changes, StoreError> {
    let mut after: BTreeMap<String, String> = BTreeMap::new();
    for finding in findings {
        if after.insert(finding.id.clone(), finding.hash.clone()).is_some() {
            return Err(StoreError::Twice { id: finding.id.clone() });
        }
    }
    let before = before(transaction, run)?;
    let told = told(transaction, run)?;
    let hashes = before.iter().map(|(id, before)| (id.clone(), before.hash.clone())).collect();
    let changes = changes(&hashes, &after);
    let shown = |id: &str| {
        let row = before.get(id).filter(|before| before.suppressed_by.is_none());
        row.map(|before| before.hash.as_str())
    };
    for finding in findings {
        let of_before = before.get(&finding.id);
        let mut finding = Cow::Borrowed(finding);
        // An entry of the allow-list hides what is found from then on. It takes nothing out of somebody's
        // hands.
        if of_before.is_some_and(|before| before.suppressed_by.is_none())
            && finding.suppressed_by.is_some()
        {
            finding.to_mut().suppressed_by = None;
        }
        let finding = &*finding;
        let state = match of_before {
            None => FindingState::New,
            Some(before) if before.hash != finding.hash => FindingState::Changed,
            // It is as it was, but an entry of the allow-list has come or gone.
            Some(before) if before.suppressed_by != finding.suppressed_by => before.state,
            Some(_) => continue,
        };
        let is = Some(finding).filter(|finding| finding.suppressed_by.is_none());
        outbox::tell(transaction, run, &finding.id, shown(&finding.id), is)?;
        put(transaction, run, told, finding, state)?;
        set_head(transaction, &finding.id)?;
    }
    for id in &changes.withdrawn {
        outbox::tell(transaction, run, id, shown(id), None)?;
        withdraw(transaction, run, told, id)?;
        set_head(transaction, id)?;
    }
    Ok(changes)
}

/// Makes the newest row of an id its head: the newest that is found and not hidden, or else the newest
/// that is found, or else the newest of all. An id without rows has no head.
pub(crate) fn set_head(transaction: &Transaction<'_>, id: &str) -> Result<(), StoreError> {
    let clear = "UPDATE findings SET is_head = 0 WHERE id = ?1 AND is_head = 1";
    transaction.prepare_cached(clear)?.execute([id])?;
    // Each part reads the index from its end, and stops at the first row: an id can have very many.
    let set = "UPDATE findings SET is_head = 1 WHERE number = coalesce(
            (SELECT number FROM findings
             WHERE id = ?1 AND state <> 'withdrawn' AND suppressed_by IS NULL
             ORDER BY nominal DESC, number DESC LIMIT 1),
            (SELECT number FROM findings WHERE id = ?1 AND state <> 'withdrawn'
             ORDER BY nominal DESC, number DESC LIMIT 1),
            (SELECT number FROM findings WHERE id = ?1 ORDER BY nominal DESC, number DESC LIMIT 1))";
    transaction.prepare_cached(set)?.execute([id])?;
    Ok(())
}

/// Returns what a run says about an id that it has found.
pub(crate) fn of_run(
    transaction: &Transaction<'_>,
    run: &RunRecord,
    id: &str,
) -> Result<FindingRecord, StoreError> {
    let sql =
        format!("SELECT {COLUMNS} FROM findings WHERE detection = ?1 AND nominal = ?2 AND id = ?3");
    let mut statement = transaction.prepare_cached(&sql)?;
    let mut rows = statement.query(params![run.schedule, run.nominal.0, id])?;
    let row = rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    Ok(read(transaction, row)?.finding)
}

/// Reads a row of [`COLUMNS`], and what it adds to risk.
pub(crate) fn read(connection: &Connection, row: &Row<'_>) -> Result<StoredFinding, StoreError> {
    Ok(StoredFinding {
        detection: row.get(0)?,
        nominal: Moment(row.get(1)?),
        attempt: row.get(2)?,
        state: FindingState::parse(&row.get::<_, String>(3)?)?,
        finding: FindingRecord {
            id: row.get(4)?,
            name: row.get(5)?,
            title: row.get(6)?,
            is_notable: row.get(7)?,
            time: row.get(8)?,
            entity: row.get(9)?,
            score: row.get(10)?,
            severity: level(row, 11)?,
            priority: level(row, 12)?,
            suppressed_by: row.get(13)?,
            hash: row.get(14)?,
            body: row.get(15)?,
            risks: risk::of(connection, row.get(16)?)?,
        },
    })
}

/// Reads a column with the name of a level, which is unknown if it is anything else.
pub(crate) fn level(row: &Row<'_>, column: usize) -> Result<Level, StoreError> {
    let name: Option<String> = row.get(column)?;
    Ok(name.and_then(|name| Level::parse(&name)).unwrap_or_default())
}

/// Returns the findings that a run has, by id.
fn before(
    transaction: &Transaction<'_>,
    run: &RunRecord,
) -> Result<BTreeMap<String, Before>, StoreError> {
    let mut statement = transaction.prepare_cached(
        "SELECT id, state, hash, suppressed_by FROM findings
         WHERE detection = ?1 AND nominal = ?2 AND state <> 'withdrawn'",
    )?;
    let mut rows = statement.query(params![run.schedule, run.nominal.0])?;
    let mut found = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let state = FindingState::parse(&row.get::<_, String>(1)?)?;
        let before = Before { state, hash: row.get(2)?, suppressed_by: row.get(3)? };
        found.insert(row.get(0)?, before);
    }
    Ok(found)
}

/// Returns when the findings of an attempt are told, as Splunk's index time: the nominal time of the run,
/// so that a run that catches up tells them in time. If a search over findings has looked at that time
/// already, it is the end of what it looked at, so that the next one sees them; for a run that ran again
/// because events were late, it is when it did.
fn told(transaction: &Transaction<'_>, run: &RunRecord) -> Result<Moment, StoreError> {
    if run.status == Status::Late {
        return Ok(run.started);
    }
    // None looks at what is after its nominal time. One that ran when the clock was wrong counts for nothing.
    let sql = "SELECT max(covers_to) FROM runs
               WHERE nominal > ?1 AND nominal <= ?2 AND status IN ('done', 'late')
                   AND (indexes LIKE '%\"risk\"%' OR indexes LIKE '%\"notable\"%')";
    let took = i64::try_from(run.took / 1000).unwrap_or(i64::MAX);
    let ended = run.started.plus(took.saturating_add(1));
    let mut statement = transaction.prepare_cached(sql)?;
    let looked_at: Option<i64> = statement.query_row([run.nominal.0, ended.0], |row| row.get(0))?;
    Ok(looked_at.map_or(run.nominal, |end| run.nominal.max(Moment(end))))
}

/// Stores the row of a finding, and what it adds to risk.
fn put(
    transaction: &Transaction<'_>,
    run: &RunRecord,
    told: Moment,
    finding: &FindingRecord,
    state: FindingState,
) -> Result<(), StoreError> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO findings (detection, nominal, id, attempt, told, state, name, title, is_notable,
                               time, entity, score, severity, priority, urgency, suppressed_by, hash,
                               body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)
         ON CONFLICT (detection, nominal, id) DO UPDATE SET
             attempt = excluded.attempt, told = excluded.told, state = excluded.state,
             name = excluded.name, title = excluded.title, is_notable = excluded.is_notable,
             time = excluded.time, entity = excluded.entity, score = excluded.score,
             severity = excluded.severity, priority = excluded.priority, urgency = excluded.urgency,
             suppressed_by = excluded.suppressed_by, hash = excluded.hash, body = excluded.body
         RETURNING number",
    )?;
    let row = params![
        run.schedule,
        run.nominal.0,
        finding.id,
        run.attempt,
        told.0,
        state.name(),
        finding.name,
        finding.title,
        finding.is_notable,
        finding.time,
        finding.entity,
        finding.score,
        finding.severity.name(),
        finding.priority.name(),
        urgency(finding.severity, finding.priority).rank(),
        finding.suppressed_by,
        finding.hash,
        finding.body,
    ];
    let number = statement.query_row(row, |row| row.get(0))?;
    risk::replace(transaction, number, run, finding)
}

fn withdraw(
    transaction: &Transaction<'_>,
    run: &RunRecord,
    told: Moment,
    id: &str,
) -> Result<(), StoreError> {
    let sql = "UPDATE findings SET state = 'withdrawn', attempt = ?4, told = ?5
               WHERE detection = ?1 AND nominal = ?2 AND id = ?3";
    let identity = params![run.schedule, run.nominal.0, id, run.attempt, told.0];
    transaction.prepare_cached(sql)?.execute(identity)?;
    Ok(())
}
