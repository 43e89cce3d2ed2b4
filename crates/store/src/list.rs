//! Lists of findings: one row for each id, newest first, page by page.

use std::fmt;
use std::str::FromStr;

use rusqlite::{Row, params_from_iter};
use serde::{Deserialize, Serialize};
use spilltrail_schedule::Moment;

use crate::conditions::Conditions;
use crate::error::StoreError;
use crate::findings;
use crate::reader::StoreReader;
use crate::records::FindingState;
use crate::triage::{self, Triage, TriageStatus};
use crate::urgency::Level;

/// The most rows of a page.
pub const MOST_ROWS: usize = 1000;

/// The columns that [`read`] reads, of `findings` with `triage`.
pub(crate) const COLUMNS: &str = "findings.id, findings.detection, findings.name, findings.title, \
     findings.is_notable, findings.nominal, findings.time, findings.entity, findings.score, \
     findings.severity, findings.priority, findings.urgency, findings.state, \
     findings.suppressed_by, triage.status, triage.owner, triage.urgency, triage.disposition, \
     triage.changed, \
     ifnull(triage.status >= 4 AND triage.hash <> findings.hash \
            AND findings.state <> 'withdrawn', 0), \
     (SELECT count(*) FROM findings AS every WHERE every.id = findings.id), \
     (SELECT min(nominal) FROM findings AS every WHERE every.id = findings.id)";

/// That a detection is like a pattern.
pub(crate) const OF_DETECTION: [&str; 2] = ["findings.detection IS_LIKE", "findings.name IS_LIKE"];

/// The rows that stand for their ids, with what analysts have made of them.
pub(crate) const HEADS: &str =
    "findings LEFT JOIN triage ON triage.id = findings.id WHERE findings.is_head = 1";

/// What the order of a list compares; the index `heads_by_age` has the same.
const AGE: &str =
    "findings.nominal, ifnull(findings.time, CAST(findings.nominal AS REAL)), findings.id";

/// The order of a list, newest first. Rows with the same age come in the order of ids, backwards.
const NEWEST: &str = "findings.nominal DESC, \
     ifnull(findings.time, CAST(findings.nominal AS REAL)) DESC, findings.id DESC";

/// From when to when something was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    /// The first moment.
    pub since: Option<Moment>,
    /// The moment after the last one.
    pub until: Option<Moment>,
}

/// Which findings that an entry of the allow-list hides a list has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Suppressed {
    /// None of them.
    #[default]
    Hide,
    /// All of them, with the others.
    Show,
    /// Only them.
    Only,
}

/// Which findings a list has. The default has the notables that are not closed.
///
/// In patterns, `*` stands for any text, and upper and lower case of ASCII letters are the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Whether it has findings that are no notables, too.
    pub is_all: bool,
    /// The statuses; all but closed if it is empty.
    pub statuses: Vec<TriageStatus>,
    /// Who looks into them; an empty text for nobody.
    pub owner: Option<String>,
    /// A pattern of the id or the name of the detection.
    pub detection: Option<String>,
    /// The lowest urgency, as somebody has set it or else as it is computed.
    pub urgency: Option<Level>,
    /// The lowest severity.
    pub severity: Option<Level>,
    /// A pattern of what they are about, or of an object to whose risk they add.
    pub entity: Option<String>,
    /// When they happened; without a time, the nominal time counts.
    pub happened: Span,
    /// The nominal time of the last run that found them.
    pub found: Span,
    /// Whether it has findings that are withdrawn, too.
    pub has_withdrawn: bool,
    /// Which hidden findings it has.
    pub suppressed: Suppressed,
    /// A text in the title.
    pub text: Option<String>,
}

/// A finding in a list: its id, with what the newest run that found it says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Listed {
    /// The id.
    pub id: String,
    /// The id of the detection.
    pub detection: String,
    /// The name of the detection.
    pub name: String,
    /// The title, or the risk message.
    pub title: String,
    /// Whether it is a notable.
    pub is_notable: bool,
    /// The nominal time of the newest run that found it.
    pub nominal: Moment,
    /// The nominal time of the oldest run that found it, of those that are kept.
    pub first: Moment,
    /// How many runs found it, of those that are kept, with those that no longer do.
    pub runs: u64,
    /// When it happened, in seconds since 1970.
    pub time: Option<f64>,
    /// What it is about.
    pub entity: Option<String>,
    /// The risk score.
    pub score: Option<f64>,
    /// The severity.
    pub severity: Level,
    /// The priority of what it is about.
    pub priority: Level,
    /// The urgency, as somebody has set it or else as it is computed.
    pub urgency: Level,
    /// Whether the newest run that found it found it anew, changed or withdrew it.
    pub state: FindingState,
    /// The id of the entry of the allow-list that hides it.
    pub suppressed_by: Option<i64>,
    /// What analysts have made of it.
    pub triage: Triage,
    /// Whether it is resolved or closed, and found with another content than it had when somebody last
    /// changed its triage. It is not opened again by itself.
    pub changed_since: bool,
}

/// Where the next page of a list begins. It is a text, in which nothing but this crate looks.
///
/// Pages that follow each other have each finding once. One that a run finds again meanwhile moves to
/// the front, where newer pages begin.
#[derive(Debug, Clone, PartialEq)]
pub struct Cursor {
    nominal: i64,
    time: f64,
    id: String,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The bits of the time, because a text of it is not exact.
        write!(f, "{}.{:016x}.{}", self.nominal, self.time.to_bits(), self.id)
    }
}

impl FromStr for Cursor {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let read = || {
            let (nominal, rest) = text.split_once('.')?;
            let (time, id) = rest.split_once('.')?;
            let time = f64::from_bits(u64::from_str_radix(time, 16).ok()?);
            Some(Self { nominal: nominal.parse().ok()?, time, id: id.to_owned() })
        };
        read()
            .filter(|cursor| !cursor.time.is_nan())
            .ok_or_else(|| StoreError::Cursor { text: text.to_owned() })
    }
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The findings, newest first.
    pub rows: Vec<Listed>,
    /// How many findings the list has on all pages.
    pub total: u64,
    /// Where the next page begins; `None` if this is the last one.
    pub next: Option<Cursor>,
}

impl StoreReader {
    /// Returns a page of the findings that a filter lets pass, newest first: by the nominal time of the
    /// newest run that found them, then by their own time. It has at most `most` rows, and at most
    /// [`MOST_ROWS`]. The first page begins at `None`.
    ///
    /// # Errors
    /// Fails if a pattern has too many wildcards, or if the file cannot be read.
    pub fn list(
        &self,
        filter: &Filter,
        from: Option<&Cursor>,
        most: usize,
    ) -> Result<Page, StoreError> {
        let most = most.clamp(1, MOST_ROWS);
        let mut conditions = filter.conditions()?;
        // The count and the rows are those of one moment.
        let transaction = self.connection.unchecked_transaction()?;
        let sql = format!("SELECT count(*) FROM {HEADS} AND {}", conditions.sql());
        let mut statement = transaction.prepare_cached(&sql)?;
        let values = params_from_iter(&conditions.values);
        let total = statement.query_row(values, |row| row.get(0))?;
        if let Some(Cursor { nominal, time, id }) = from {
            use rusqlite::types::Value;
            let place = [Value::Integer(*nominal), Value::Real(*time), Value::Text(id.clone())];
            conditions.with(&format!("({AGE}) < (?, ?, ?)"), place);
        }
        let sql = format!(
            "SELECT {COLUMNS} FROM {HEADS} AND {} ORDER BY {NEWEST} LIMIT {}",
            conditions.sql(),
            most + 1
        );
        let mut statement = transaction.prepare_cached(&sql)?;
        let mut found = statement.query(params_from_iter(&conditions.values))?;
        let mut rows = Vec::new();
        while let Some(row) = found.next()? {
            rows.push(read(row)?);
        }
        let is_last = rows.len() <= most;
        rows.truncate(most);
        let next = rows.last().filter(|_| !is_last).map(|last| Cursor {
            nominal: last.nominal.0,
            time: last.time.unwrap_or(last.nominal.0 as f64),
            id: last.id.clone(),
        });
        Ok(Page { rows, total, next })
    }
}

impl Filter {
    fn conditions(&self) -> Result<Conditions, StoreError> {
        let mut conditions = Conditions::default();
        if !self.is_all {
            conditions.add("findings.is_notable = 1");
        }
        if self.statuses.is_empty() {
            conditions.add("ifnull(triage.status, 1) <> 5");
        } else {
            let places = vec!["?"; self.statuses.len()].join(", ");
            let numbers = self.statuses.iter().map(|status| i64::from(status.number()));
            conditions.with(&format!("ifnull(triage.status, 1) IN ({places})"), numbers);
        }
        match self.owner.as_deref() {
            Some("") => conditions.add("triage.owner IS NULL"),
            Some(owner) => conditions.with("triage.owner = ?", [owner.to_owned()]),
            None => {}
        }
        if let Some(detection) = &self.detection {
            conditions.like(&OF_DETECTION, detection)?;
        }
        if let Some(urgency) = self.urgency {
            conditions.with("ifnull(triage.urgency, findings.urgency) >= ?", [urgency.rank()]);
        }
        if let Some(severity) = self.severity.filter(|severity| *severity > Level::Unknown) {
            let names: Vec<String> = Level::ALL
                .into_iter()
                .filter(|level| *level >= severity)
                .map(|level| level.name().to_owned())
                .collect();
            let places = vec!["?"; names.len()].join(", ");
            conditions.with(&format!("findings.severity COLLATE NOCASE IN ({places})"), names);
        }
        if let Some(entity) = &self.entity {
            let of_risk = "EXISTS (SELECT 1 FROM risks
                 WHERE risks.finding = findings.number AND risks.object IS_LIKE)";
            conditions.like(&["findings.entity IS_LIKE", of_risk], entity)?;
        }
        let happened = "ifnull(findings.time, findings.nominal)";
        for (column, span) in [(happened, self.happened), ("findings.nominal", self.found)] {
            if let Some(since) = span.since {
                conditions.with(&format!("{column} >= ?"), [since.0]);
            }
            if let Some(until) = span.until {
                conditions.with(&format!("{column} < ?"), [until.0]);
            }
        }
        if !self.has_withdrawn {
            conditions.add("findings.state <> 'withdrawn'");
        }
        match self.suppressed {
            Suppressed::Hide => conditions.add("findings.suppressed_by IS NULL"),
            Suppressed::Show => {}
            Suppressed::Only => conditions.add("findings.suppressed_by IS NOT NULL"),
        }
        if let Some(text) = &self.text {
            conditions.contains("findings.title", text);
        }
        Ok(conditions)
    }
}

/// Reads a row of [`COLUMNS`].
pub(crate) fn read(row: &Row<'_>) -> Result<Listed, StoreError> {
    let triage = triage::read(row, 14)?;
    let computed = Level::of_rank(row.get(11)?);
    Ok(Listed {
        id: row.get(0)?,
        detection: row.get(1)?,
        name: row.get(2)?,
        title: row.get(3)?,
        is_notable: row.get(4)?,
        nominal: Moment(row.get(5)?),
        first: Moment(row.get(21)?),
        runs: row.get(20)?,
        time: row.get(6)?,
        entity: row.get(7)?,
        score: row.get(8)?,
        severity: findings::level(row, 9)?,
        priority: findings::level(row, 10)?,
        urgency: triage.urgency.unwrap_or(computed),
        state: FindingState::parse(&row.get::<_, String>(12)?)?,
        suppressed_by: row.get(13)?,
        triage,
        changed_since: row.get(19)?,
    })
}
