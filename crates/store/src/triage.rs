//! What analysts make of findings: status, owner, urgency, disposition, comments, and the history of it.
//!
//! It belongs to the id of a finding, however many runs found it. A run changes it only if it finds once more
//! what somebody has closed: that is open again.

use std::collections::BTreeSet;

use rusqlite::{OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};
use spilltrail_schedule::Moment;

use crate::desk::Desk;
use crate::error::StoreError;
use crate::ledger;
use crate::reader::{StoreReader, parsed};
use crate::records::RunRecord;
use crate::rows::Rows;
use crate::urgency::Level;

/// The fewest characters by which an id can be given.
pub const SHORTEST_ID: usize = 6;

/// The most entries of a finding's history that are read, the newest.
pub const MOST_HISTORY: usize = 1000;

/// The most ids that an error about an ambiguous one names.
const MOST_CANDIDATES: usize = 10;

/// How far somebody has come with a finding, with the numbers that Splunk Enterprise Security gives.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum TriageStatus {
    /// Nobody has looked at it.
    #[default]
    New = 1,
    /// Somebody looks into it.
    InProgress = 2,
    /// It waits for something.
    Pending = 3,
    /// It is dealt with, and waits for somebody to verify that.
    Resolved = 4,
    /// It is over.
    Closed = 5,
}

impl TriageStatus {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 5] =
        [Self::New, Self::InProgress, Self::Pending, Self::Resolved, Self::Closed];

    /// Returns its number in Splunk.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }

    /// Returns its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::InProgress => "in-progress",
            Self::Pending => "pending",
            Self::Resolved => "resolved",
            Self::Closed => "closed",
        }
    }

    /// Returns its name in Splunk.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::New => "New",
            Self::InProgress => "In Progress",
            Self::Pending => "Pending",
            Self::Resolved => "Resolved",
            Self::Closed => "Closed",
        }
    }

    /// Returns the status with a name, a name of Splunk or a number, or `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| {
            text.eq_ignore_ascii_case(status.name())
                || text.eq_ignore_ascii_case(status.label())
                || text == status.number().to_string()
        })
    }
}

/// What a finding turned out to be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disposition {
    /// Nobody has said.
    #[default]
    Undetermined,
    /// It is what its detection looks for.
    TruePositive,
    /// It is what its detection looks for, and was expected.
    BenignPositive,
    /// It is not what its detection looks for, because the detection is wrong.
    FalsePositiveLogic,
    /// It is not what its detection looks for, because the data is wrong.
    FalsePositiveData,
    /// It is anything else.
    Other,
}

impl Disposition {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Undetermined,
        Self::TruePositive,
        Self::BenignPositive,
        Self::FalsePositiveLogic,
        Self::FalsePositiveData,
        Self::Other,
    ];

    /// Returns its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Undetermined => "undetermined",
            Self::TruePositive => "true-positive",
            Self::BenignPositive => "benign-positive",
            Self::FalsePositiveLogic => "false-positive-logic",
            Self::FalsePositiveData => "false-positive-data",
            Self::Other => "other",
        }
    }

    /// Returns its name in Splunk.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Undetermined => "Undetermined",
            Self::TruePositive => "True Positive - Suspicious Activity",
            Self::BenignPositive => "Benign Positive - Suspicious But Expected",
            Self::FalsePositiveLogic => "False Positive - Incorrect Analytic Logic",
            Self::FalsePositiveData => "False Positive - Inaccurate Data",
            Self::Other => "Other",
        }
    }

    /// Returns the disposition with a name or a name of Splunk, or `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|disposition| {
            text.eq_ignore_ascii_case(disposition.name())
                || text.eq_ignore_ascii_case(disposition.label())
        })
    }
}

/// What analysts have made of a finding so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Triage {
    /// How far it is.
    pub status: TriageStatus,
    /// Who looks into it.
    pub owner: Option<String>,
    /// The urgency that somebody has set in place of the computed one.
    pub urgency: Option<Level>,
    /// What it turned out to be.
    pub disposition: Disposition,
    /// When somebody last changed it, or commented on it.
    pub changed: Option<Moment>,
}

/// A change of findings. What is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// How far they are.
    pub status: Option<TriageStatus>,
    /// Who looks into them; an empty text for nobody.
    pub owner: Option<String>,
    /// Their urgency; `Some(None)` for the computed one.
    pub urgency: Option<Option<Level>>,
    /// What they turned out to be.
    pub disposition: Option<Disposition>,
    /// What there is to say; an empty text says nothing.
    pub comment: Option<String>,
}

/// What a step of a finding's history is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Aspect {
    /// The status.
    Status,
    /// The owner.
    Owner,
    /// The urgency that somebody has set.
    Urgency,
    /// The disposition.
    Disposition,
}

/// A step of a finding's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What has changed.
    pub what: Aspect,
    /// The name of what it was.
    pub from: Option<String>,
    /// The name of what it is.
    pub to: Option<String>,
}

/// An entry of a finding's history: one change by somebody. It is never changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// Its number. Later entries have higher ones.
    pub number: i64,
    /// When it was.
    pub time: Moment,
    /// Who it was.
    pub who: String,
    /// What has changed; nothing if it is only a comment.
    pub steps: Vec<Step>,
    /// What there was to say.
    pub comment: Option<String>,
}

impl Desk {
    /// Changes findings, all of them or none, and returns how many are not as they were or have a new
    /// comment. Each of these gets an entry in its history, with who and when.
    ///
    /// # Errors
    /// Fails if there is no finding with one of the ids, which must be complete, if the change says
    /// nothing, or if the file cannot be written.
    pub fn change(
        &mut self,
        ids: &[impl AsRef<str>],
        change: &Change,
        who: &str,
        now: Moment,
    ) -> Result<usize, StoreError> {
        let comment = change.comment.as_deref().map(str::trim).filter(|text| !text.is_empty());
        let is_only_comment =
            *change == Change { comment: change.comment.clone(), ..Change::default() };
        if is_only_comment && comment.is_none() {
            return Err(StoreError::EmptyChange);
        }
        if change.urgency == Some(Some(Level::Unknown)) {
            return Err(StoreError::NoUrgency);
        }
        let ids: BTreeSet<&str> = ids.iter().map(AsRef::as_ref).collect();
        let transaction = self.begin()?;
        let (mut unknown, mut changed) = (Vec::new(), 0);
        for id in ids {
            let sql = "SELECT hash FROM findings WHERE id = ?1 AND is_head = 1";
            let mut statement = transaction.prepare_cached(sql)?;
            match statement.query_row([id], |row| row.get(0)).optional()? {
                Some(hash) => {
                    let hash: String = hash;
                    changed +=
                        usize::from(apply(&transaction, (id, &hash), change, comment, who, now)?);
                }
                None => unknown.push(id.to_owned()),
            }
        }
        if !unknown.is_empty() {
            return Err(StoreError::NoFinding { ids: unknown });
        }
        transaction.execute("UPDATE desk SET triage = triage + 1", [])?;
        transaction.commit()?;
        Ok(changed)
    }
}

/// Changes one finding, whose content has a hash. Returns false if nothing is to be said.
fn apply(
    transaction: &Transaction<'_>,
    (id, hash): (&str, &str),
    change: &Change,
    comment: Option<&str>,
    who: &str,
    now: Moment,
) -> Result<bool, StoreError> {
    let (before, seen) = of(transaction, id)?;
    let owner = match &change.owner {
        Some(owner) => Some(owner.trim().to_owned()).filter(|owner| !owner.is_empty()),
        None => before.owner.clone(),
    };
    let after = Triage {
        status: change.status.unwrap_or(before.status),
        owner,
        urgency: change.urgency.unwrap_or(before.urgency),
        disposition: change.disposition.unwrap_or(before.disposition),
        changed: Some(now),
    };
    let steps = steps(&before, &after);
    // Who says again what was said before its content changed has seen the new content.
    if steps.is_empty() && comment.is_none() && seen.is_none_or(|seen| seen == hash) {
        return Ok(false);
    }
    let sql = "INSERT INTO triage (id, status, owner, urgency, disposition, hash, changed)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
               ON CONFLICT (id) DO UPDATE SET
                   status = excluded.status, owner = excluded.owner, urgency = excluded.urgency,
                   disposition = excluded.disposition, hash = excluded.hash,
                   changed = excluded.changed";
    transaction.prepare_cached(sql)?.execute(params![
        id,
        after.status.number(),
        after.owner,
        after.urgency.map(Level::rank),
        after.disposition.name(),
        hash,
        now.0,
    ])?;
    enter(transaction, id, now, who, &steps, comment)?;
    Ok(true)
}

/// Who a history names for what runs do.
const RUNS: &str = "spilltrail";

/// Returns whether a finding is resolved or closed.
pub(crate) fn is_over(transaction: &Transaction<'_>, id: &str) -> Result<bool, StoreError> {
    Ok(of(transaction, id)?.0.status >= TriageStatus::Resolved)
}

/// Opens a finding again that is resolved or closed, and that a run has found once more.
pub(crate) fn reopen(
    transaction: &Transaction<'_>,
    run: &RunRecord,
    id: &str,
) -> Result<(), StoreError> {
    let (before, _) = of(transaction, id)?;
    let after = Triage { status: TriageStatus::New, ..before.clone() };
    let sql = "UPDATE triage SET status = ?2, changed = ?3 WHERE id = ?1";
    let changed = params![id, after.status.number(), run.started.0];
    transaction.prepare_cached(sql)?.execute(changed)?;
    let comment = format!("found once more by the run of {}", run.nominal);
    enter(transaction, id, run.started, RUNS, &steps(&before, &after), Some(&comment))?;
    transaction.execute("UPDATE desk SET triage = triage + 1", [])?;
    Ok(())
}

/// Adds an entry to the history of a finding.
fn enter(
    transaction: &Transaction<'_>,
    id: &str,
    time: Moment,
    who: &str,
    steps: &[Step],
    comment: Option<&str>,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO history (id, time, who, steps, comment) VALUES (?1, ?2, ?3, ?4, ?5)";
    let entry = params![id, time.0, who, ledger::json(&steps)?, comment];
    transaction.prepare_cached(sql)?.execute(entry)?;
    Ok(())
}

/// Returns how two states differ.
fn steps(before: &Triage, after: &Triage) -> Vec<Step> {
    let names = |triage: &Triage| {
        [
            (Aspect::Status, Some(triage.status.name().to_owned())),
            (Aspect::Owner, triage.owner.clone()),
            (Aspect::Urgency, triage.urgency.map(|urgency| urgency.name().to_owned())),
            (Aspect::Disposition, Some(triage.disposition.name().to_owned())),
        ]
    };
    let pairs = names(before).into_iter().zip(names(after));
    pairs
        .filter(|((_, from), (_, to))| from != to)
        .map(|((what, from), (_, to))| Step { what, from, to })
        .collect()
}

/// Returns what analysts have made of a finding, and the hash of its content at that time.
fn of(transaction: &Transaction<'_>, id: &str) -> Result<(Triage, Option<String>), StoreError> {
    let sql = "SELECT status, owner, urgency, disposition, changed, hash FROM triage WHERE id = ?1";
    let mut statement = transaction.prepare_cached(sql)?;
    let mut rows = statement.query([id])?;
    match rows.next()? {
        Some(row) => Ok((read(row, 0)?, row.get(5)?)),
        None => Ok((Triage::default(), None)),
    }
}

/// Reads the columns `status`, `owner`, `urgency`, `disposition` and `changed` from one column on. They
/// are all null if nobody has changed the finding.
pub(crate) fn read(row: &Row<'_>, first: usize) -> Result<Triage, StoreError> {
    let Some(status) = row.get::<_, Option<u8>>(first)? else {
        return Ok(Triage::default());
    };
    let damaged = |what: &'static str, name: String| StoreError::Damaged {
        what,
        reason: format!("`{name}` is none"),
    };
    let found = TriageStatus::ALL.into_iter().find(|known| known.number() == status);
    let disposition: String = row.get(first + 3)?;
    Ok(Triage {
        status: found.ok_or_else(|| damaged("status of a finding", status.to_string()))?,
        owner: row.get(first + 1)?,
        urgency: row.get::<_, Option<i64>>(first + 2)?.map(Level::of_rank),
        disposition: Disposition::parse(&disposition)
            .ok_or_else(|| damaged("disposition of a finding", disposition))?,
        changed: row.get::<_, Option<i64>>(first + 4)?.map(Moment),
    })
}

impl StoreReader {
    /// Returns the id of the finding whose id begins with a text of at least [`SHORTEST_ID`]
    /// characters. A complete id is found even if others begin with it.
    ///
    /// # Errors
    /// Fails if there is none or there are several, if the text is too short, or if the file cannot be
    /// read.
    pub fn resolve(&self, prefix: &str) -> Result<String, StoreError> {
        let is_short = prefix.chars().count() < SHORTEST_ID;
        // No character of a text is behind the last one there is.
        let sql = "SELECT id FROM findings
                   WHERE is_head = 1 AND id >= ?1 AND id < ?1 || char(0x10ffff) ORDER BY id LIMIT ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let most = if is_short { 1 } else { MOST_CANDIDATES };
        let rows = statement.query_map(params![prefix, most], |row| row.get::<_, String>(0))?;
        let mut found: Vec<String> = rows.collect::<Result<_, _>>()?;
        if found.first().is_some_and(|id| id == prefix) || (!is_short && found.len() == 1) {
            return Ok(found.swap_remove(0));
        }
        let prefix = prefix.to_owned();
        if is_short {
            return Err(StoreError::ShortId { prefix, least: SHORTEST_ID });
        }
        if found.is_empty() {
            return Err(StoreError::NoFinding { ids: vec![prefix] });
        }
        Err(StoreError::AmbiguousId { prefix, candidates: found })
    }

    /// Returns the history of a finding, newest first, at most [`MOST_HISTORY`] entries.
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn history(&self, id: &str) -> Result<Rows<HistoryEntry>, StoreError> {
        self.entries(id, false)
    }

    /// Returns the entries of the history of a finding that say something, newest first, at most
    /// [`MOST_HISTORY`].
    ///
    /// # Errors
    /// Fails if the file cannot be read.
    pub fn comments(&self, id: &str) -> Result<Rows<HistoryEntry>, StoreError> {
        self.entries(id, true)
    }

    fn entries(&self, id: &str, only_comments: bool) -> Result<Rows<HistoryEntry>, StoreError> {
        let sql = "SELECT number, time, who, steps, comment FROM history
                   WHERE id = ?1 AND (comment IS NOT NULL OR NOT ?2)
                   ORDER BY number DESC LIMIT ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![id, only_comments, MOST_HISTORY + 1])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(HistoryEntry {
                number: row.get(0)?,
                time: Moment(row.get(1)?),
                who: row.get(2)?,
                steps: parsed("history of a finding", &row.get::<_, String>(3)?)?,
                comment: row.get(4)?,
            });
        }
        Ok(Rows::cut(found, MOST_HISTORY))
    }
}
