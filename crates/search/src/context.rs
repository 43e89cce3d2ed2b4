//! The context in which a search runs: clock, time zone, events, lookups and engine session.

use std::collections::HashSet;
use std::fmt::{self, Debug};
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use datafusion::common::{Result as EngineResult, internal_datafusion_err};
use datafusion::execution::TaskContext;
use datafusion::execution::context::SessionContext;
use datafusion::execution::memory_pool::{MemoryPool, MemoryReservation};
use foldhash::fast::FixedState;
use indexmap::IndexMap;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::{Code, Diagnostic, Span};
pub use spilltrail_eval::cancel::Cancel;
use spilltrail_event::TimeBounds;
use spilltrail_knowledge::Knowledge;
pub use spilltrail_knowledge::TableRows;
use spilltrail_spl::{MacroSet, time};

use crate::error::lock;
use crate::events::EventSource;
use crate::rows::observed::{GroupObserved, Observed};

/// The rows of a lookup and the rules for matching them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct LookupTable {
    /// The column names in order.
    pub columns: Vec<String>,
    /// The rows; a missing cell counts as empty text.
    pub rows: TableRows,
    /// The match types of columns that are not matched exactly, by column name.
    pub match_types: IndexMap<String, MatchType>,
    /// Whether matching is case-sensitive, which is Splunk's default.
    pub case_sensitive: bool,
    /// The minimum number of matches; `default_match` replaces matches that are missing.
    pub min_matches: usize,
    /// The maximum number of matches; 0 means Splunk's default, 1000.
    pub max_matches: usize,
    /// The value that replaces missing matches.
    pub default_match: Option<String>,
    /// Whether the user provided this table, so that it may be empty on purpose. False for a
    /// collection that starts empty, and for a table that a search wrote.
    pub is_given: bool,
    /// What is wrong with the file or the definition of the table, so that rows are not what they seem.
    #[serde(skip)]
    pub problems: Vec<String>,
    /// Whether the rows lack a part of the table's file, which is lost if they replace it.
    #[serde(skip)]
    pub loses_text: bool,
    /// The memory that is reserved for the table.
    #[serde(skip)]
    pub memory: TableMemory,
}

/// The memory that is reserved for a table, once for all searches that share it. A copy has none.
#[derive(Debug, Default)]
pub struct TableMemory(OnceLock<MemoryReservation>);

impl Clone for TableMemory {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl TableMemory {
    /// Keeps memory reserved as long as the table is there. `reserve` reserves it, unless that is done
    /// already.
    pub(crate) fn hold<E>(
        &self,
        reserve: impl FnOnce() -> Result<MemoryReservation, E>,
    ) -> Result<(), E> {
        if self.0.get().is_none() {
            // Another thread may have done the same.
            let _ = self.0.set(reserve()?);
        }
        Ok(())
    }
}

impl LookupTable {
    /// Returns the first name that two columns have. No row can have both.
    #[must_use]
    pub fn column_twice(&self) -> Option<&str> {
        let mut seen = HashSet::new();
        self.columns.iter().map(String::as_str).find(|name| !seen.insert(*name))
    }

    /// Returns a hash of the table; equal tables have equal fingerprints.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = FixedState::default().build_hasher();
        (&self.columns, &self.rows, self.case_sensitive).hash(&mut hasher);
        (self.min_matches, self.max_matches, &self.default_match).hash(&mut hasher);
        self.match_types.iter().for_each(|column| column.hash(&mut hasher));
        hasher.finish()
    }
}

/// How a column of a lookup is matched, if not exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MatchType {
    /// `WILDCARD(column)`: the table's cell may contain `*` as a wildcard.
    Wildcard,
    /// `CIDR(column)`: the table's cell is a block of IP addresses.
    Cidr,
}

/// A store of lookups by name. Writing changes only the run's own copy.
pub trait LookupStore: Debug + Send + Sync {
    /// Returns the table of a lookup, or `None` if no lookup has this name.
    ///
    /// # Errors
    /// Returns the reason if the table exists but cannot be read.
    fn read(&self, name: &str) -> Result<Option<Arc<LookupTable>>, String>;

    /// Replaces the table of a lookup, or creates a new lookup.
    ///
    /// # Errors
    /// Returns the reason if the table cannot be stored.
    fn write(&self, name: &str, table: LookupTable) -> Result<(), String>;

    /// Returns the name of a lookup of which this one is most likely a misspelling.
    fn meant(&self, _name: &str) -> Option<String> {
        None
    }
}

/// A GeoIP database.
pub trait GeoDatabase: Debug + Send + Sync {
    /// Returns text that identifies the database: its type and build time. Databases with the same
    /// text return the same fields for an address.
    fn build(&self) -> String;

    /// Returns the fields known for an address, with place names in the given language.
    ///
    /// They are `City`, `Country`, `Region`, `lat` and `lon`; with `all` also `Continent`,
    /// `MetroCode` and `Timezone`.
    fn locate(&self, address: &str, all: bool, language: &str) -> Vec<(&'static str, String)>;
}

/// The resources that operators use where they run, because a plan cannot contain them.
#[derive(Debug)]
pub struct Surroundings {
    /// The lookups, to which operators write.
    pub lookups: Arc<dyn LookupStore>,
    /// The GeoIP database, if one was given.
    pub geo: Option<Arc<dyn GeoDatabase>>,
}

impl Surroundings {
    /// Returns the task context with these surroundings added.
    #[must_use]
    pub fn around(self, task: TaskContext) -> Arc<TaskContext> {
        let config = task.session_config().clone().with_extension(Arc::new(self));
        Arc::new(task.with_session_config(config))
    }

    /// Returns the surroundings of a task context.
    ///
    /// # Errors
    /// Fails if the task context was created without surroundings.
    pub fn of_task(task: &TaskContext) -> EngineResult<Arc<Self>> {
        task.session_config()
            .get_extension()
            .ok_or_else(|| internal_datafusion_err!("a task without surroundings"))
    }
}

/// The context of one run of a search, with the run's own observations and messages.
#[derive(Clone)]
pub struct SearchContext {
    /// The DataFusion session, with its memory pool, spill folder and our planner extension.
    pub session: SessionContext,
    /// The events.
    pub events: Arc<dyn EventSource>,
    /// The lookups.
    pub lookups: Arc<dyn LookupStore>,
    /// The memory of the tables of lookups. `None` for that of the search.
    pub tables: Option<Arc<dyn MemoryPool>>,
    /// The GeoIP database, if one was given.
    pub geo: Option<Arc<dyn GeoDatabase>>,
    /// The macros.
    pub macros: Arc<MacroSet>,
    /// The event types, tags and data models.
    pub knowledge: Arc<Knowledge>,
    /// The current time for `now()` and time modifiers, in epoch seconds.
    pub now: f64,
    /// The user's time zone.
    pub zone: TimeZone,
    /// Whether the run was canceled, for work that computes for long.
    pub cancel: Cancel,
    /// The time range of the whole search; inline `earliest` and `latest` override it.
    pub range: TimeBounds,
    /// The observations collected while the search runs.
    pub observations: Arc<Observations>,
}

impl fmt::Debug for SearchContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SearchContext")
            .field("events", &self.events)
            .field("now", &self.now)
            .field("range", &self.range)
            .finish_non_exhaustive()
    }
}

impl SearchContext {
    /// Returns the context of a subsearch. It differs only in its observations: the events and
    /// groups of a subsearch are not counted as those of the search.
    #[must_use]
    pub fn nested(&self, purpose: Purpose) -> Self {
        Self { observations: Arc::new(self.observations.nested(purpose)), ..self.clone() }
    }

    /// Returns the instant of a value in a result, or `None` if it is not an absolute time.
    ///
    /// It reads epoch seconds, and dates in the user's time zone in the form of `convert` and
    /// `strftime`.
    #[must_use]
    pub fn instant(&self, text: &str) -> Option<f64> {
        let text = text.trim();
        let is_date = text.starts_with(|c: char| c.is_ascii_digit()) && text.contains(['-', '/']);
        if !is_date {
            return spilltrail_event::parse_number(text);
        }
        time::resolve(text, self.now, &self.zone).ok().flatten()
    }
}

/// Information about a run of a search, collected in addition to its rows.
#[derive(Debug, Default)]
pub struct Observations {
    /// The part that subsearches share.
    shared: Arc<Shared>,
    /// The counts of the plans that ran.
    ran: Mutex<Observed>,
    /// Whether the search reads events.
    has_scan: AtomicBool,
    /// The purpose of the rows.
    purpose: Purpose,
    /// Whether the search is a subsearch.
    is_nested: bool,
}

/// The purpose of the rows of a search, or of a lookup in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Purpose {
    /// The rows are results, or results are compared with them.
    #[default]
    Used,
    /// Results that match the rows are excluded, as by `NOT [| inputlookup …]`.
    Excluded,
    /// Nothing reads the fields that the rows add, so that the results are the same without them.
    Unread,
}

#[derive(Debug, Default)]
struct Shared {
    messages: Mutex<Vec<Diagnostic>>,
    lookups: Mutex<Vec<LookupObservation>>,
    /// The number of events that subsearches matched.
    matched: AtomicU64,
    /// Whether a subsearch without rows left the leading search nothing to look for.
    had_nothing_to_find: AtomicBool,
    /// The number of searches that `map` commands ran.
    mapped: AtomicU64,
}

/// A record that a lookup was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookupObservation {
    /// The lookup's name.
    pub name: String,
    /// Whether the store has it; one that it does not have reads as empty.
    pub exists: bool,
    /// The place of the name in the search, if a command names it.
    pub span: Option<Span>,
    /// The number of its rows when it was read.
    pub rows: usize,
    /// The purpose for which it was read.
    pub purpose: Purpose,
    /// The value of [`LookupTable::is_given`].
    pub is_given: bool,
}

impl Observations {
    /// Returns observations that share messages and lookups with these, but have their own counts
    /// of events and groups.
    fn nested(&self, purpose: Purpose) -> Self {
        Self { shared: self.shared.clone(), purpose, is_nested: true, ..Self::default() }
    }

    /// Returns the purpose of the rows of this search.
    #[must_use]
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// Records that the search reads events.
    pub fn scan(&self) {
        self.has_scan.store(true, Ordering::Relaxed);
    }

    /// Adds the counts of a plan of the search that ran.
    pub fn add(&self, observed: Observed) {
        let mut ran = lock(&self.ran);
        if self.is_nested {
            self.shared.matched.fetch_add(observed.matched, Ordering::Relaxed);
        }
        ran.matched += observed.matched;
        ran.groups.extend(observed.groups);
        drop(ran);
        for sort in observed.sorted.iter().filter(|sort| sort.rows > sort.limit) {
            let (rows, limit) = (sort.rows, sort.limit);
            let message = format!("`sort` keeps {limit} of {rows} rows");
            self.message(
                Diagnostic::warning(Code::LIMIT, message)
                    .at(Span::new(sort.at.0, sort.at.1))
                    .help("`sort 0 …` keeps all rows"),
            );
        }
        for list in observed.lists.iter().filter(|list| list.rows > 0) {
            let (rows, limit) = (list.rows, list.limit);
            let noun = if rows == 1 { "row" } else { "rows" };
            let message = format!("`list` keeps the first {limit} values: {rows} {noun} had more");
            self.message(
                Diagnostic::warning(Code::LIMIT, message)
                    .at(Span::new(list.at.0, list.at.1))
                    .help("`values` keeps all distinct values"),
            );
        }
    }

    /// Returns the number of events that matched, without those of subsearches, or `None` if the
    /// search reads no events.
    #[must_use]
    pub fn matched(&self) -> Option<u64> {
        self.has_scan.load(Ordering::Relaxed).then(|| lock(&self.ran).matched)
    }

    /// Returns true if the search reads events and none matched, in its subsearches neither.
    #[must_use]
    pub fn found_no_event(&self) -> bool {
        self.matched() == Some(0) && self.matched_by_subsearches() == 0
    }

    /// Returns true if the search reads events, and a `stats` without BY fields made its row from no
    /// rows.
    #[must_use]
    pub fn summarized_nothing(&self) -> bool {
        let is_of_nothing = |group: &GroupObserved| group.present.is_empty() && group.rows == 0;
        self.has_scan.load(Ordering::Relaxed) && lock(&self.ran).groups.iter().any(is_of_nothing)
    }

    /// Returns the number of events that subsearches matched.
    fn matched_by_subsearches(&self) -> u64 {
        self.shared.matched.load(Ordering::Relaxed)
    }

    /// Records that the expression of the leading search cannot match, because a subsearch in it
    /// returned no rows.
    pub fn nothing_to_find(&self) {
        // A search in a subsearch is not the leading one.
        if !self.is_nested {
            self.shared.had_nothing_to_find.store(true, Ordering::Relaxed);
        }
    }

    /// Returns true if a subsearch without rows left the leading search nothing to look for.
    #[must_use]
    pub fn had_nothing_to_find(&self) -> bool {
        self.shared.had_nothing_to_find.load(Ordering::Relaxed)
    }

    /// Counts a search that `map` is about to run; returns false if `limit` of them ran.
    pub(crate) fn may_run_another(&self, limit: u64) -> bool {
        self.shared.mapped.fetch_add(1, Ordering::Relaxed) < limit
    }

    /// Adds a message for the user, unless the same message was added before.
    pub fn message(&self, diagnostic: Diagnostic) {
        let mut messages = lock(&self.shared.messages);
        if !messages.contains(&diagnostic) {
            messages.push(diagnostic);
        }
    }

    /// Returns the messages so far.
    #[must_use]
    pub fn messages(&self) -> Vec<Diagnostic> {
        lock(&self.shared.messages).clone()
    }

    /// Returns the BY fields that had no value in any input row of a `stats` with input rows, and
    /// the number of these rows.
    #[must_use]
    pub fn never_present(&self) -> (Vec<String>, u64) {
        let (mut missing, mut rows) = (Vec::new(), 0);
        for group in &lock(&self.ran).groups {
            let absent = group.present.iter().filter(|(_, count)| **count == 0);
            let absent: Vec<String> = absent.map(|(field, _)| field.clone()).collect();
            if group.rows > 0 && !absent.is_empty() {
                missing.extend(absent);
                rows = rows.max(group.rows);
            }
        }
        missing.dedup();
        (missing, rows)
    }

    /// Records that a lookup was read; `table` is `None` if the store does not have it.
    pub fn lookup(
        &self,
        name: &str,
        span: Option<Span>,
        table: Option<&LookupTable>,
        purpose: Purpose,
    ) {
        lock(&self.shared.lookups).push(LookupObservation {
            name: name.to_owned(),
            exists: table.is_some(),
            span,
            rows: table.map_or(0, |table| table.rows.len()),
            purpose,
            is_given: table.is_some_and(|table| table.is_given),
        });
    }

    /// Returns the lookups that were read.
    #[must_use]
    pub fn lookups(&self) -> Vec<LookupObservation> {
        lock(&self.shared.lookups).clone()
    }
}
