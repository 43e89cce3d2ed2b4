//! What a search runs in: the clock, the zone, the events, the lookups, the engine.

use std::fmt::{self, Debug};
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use datafusion::common::{Result as EngineResult, internal_datafusion_err};
use datafusion::execution::TaskContext;
use datafusion::execution::context::SessionContext;
use foldhash::fast::FixedState;
use indexmap::IndexMap;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use spilltrail_diagnostic::Diagnostic;
use spilltrail_event::TimeBounds;
use spilltrail_spl::{MacroSet, time};

use crate::error::lock;
use crate::events::EventSource;
use crate::rows::observed::Observed;

/// The rows of a lookup and how they are matched.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct LookupTable {
    /// Column names in order.
    pub columns: Vec<String>,
    /// Rows; a missing cell is empty text.
    pub rows: Vec<Vec<String>>,
    /// Columns matched other than exactly.
    pub match_types: IndexMap<String, MatchType>,
    /// Whether case counts; Splunk's default is that it does.
    pub case_sensitive: bool,
    /// Below this number of matches, `default_match` fills up.
    pub min_matches: usize,
    /// Matches taken at most; Splunk's default is 1000.
    pub max_matches: usize,
    /// The value that fills up.
    pub default_match: Option<String>,
    /// True if somebody gave this table, so that it may be empty on purpose; false for a collection
    /// that starts empty, and for what a search wrote.
    pub is_given: bool,
}

impl LookupTable {
    /// Returns a number that is the same for tables that are the same.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = FixedState::default().build_hasher();
        (&self.columns, &self.rows, self.case_sensitive).hash(&mut hasher);
        (self.min_matches, self.max_matches, &self.default_match).hash(&mut hasher);
        self.match_types.iter().for_each(|column| column.hash(&mut hasher));
        hasher.finish()
    }
}

/// How a lookup's column is matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MatchType {
    /// `WILDCARD(column)`: `*` in the table's cell.
    Wildcard,
    /// `CIDR(column)`: the table's cell is a block.
    Cidr,
}

/// Lookups by name; writing goes to the run's own copy.
pub trait LookupStore: Debug + Send + Sync {
    /// Returns the table, or none if no lookup has this name.
    ///
    /// # Errors
    /// Says why a table that exists cannot be read.
    fn read(&self, name: &str) -> Result<Option<Arc<LookupTable>>, String>;

    /// Replaces the rows of a lookup, or makes a new one.
    ///
    /// # Errors
    /// Says why the table cannot be kept.
    fn write(&self, name: &str, table: LookupTable) -> Result<(), String>;
}

/// A GeoIP database.
pub trait GeoDatabase: Debug + Send + Sync {
    /// Returns which database it is: its type and when it was built. Two with the same text know the
    /// same of an address.
    fn build(&self) -> String;

    /// Returns the fields known for an address (`City`, `Country`, `Region`, `lat`, `lon`, and with
    /// `all` `Continent`, `MetroCode`, `Timezone`), in the language asked for.
    fn locate(&self, address: &str, all: bool, language: &str) -> Vec<(&'static str, String)>;
}

/// What operators find where they run, beside the engine's own: what no plan carries.
#[derive(Debug)]
pub struct Surroundings {
    /// The lookups, for writing.
    pub lookups: Arc<dyn LookupStore>,
    /// The GeoIP database, if there is one.
    pub geo: Option<Arc<dyn GeoDatabase>>,
}

impl Surroundings {
    /// Returns the task in these surroundings.
    #[must_use]
    pub fn around(self, task: TaskContext) -> Arc<TaskContext> {
        let config = task.session_config().clone().with_extension(Arc::new(self));
        Arc::new(task.with_session_config(config))
    }

    /// Returns the surroundings of a task.
    ///
    /// # Errors
    /// Fails if the task was made without.
    pub fn of_task(task: &TaskContext) -> EngineResult<Arc<Self>> {
        task.session_config()
            .get_extension()
            .ok_or_else(|| internal_datafusion_err!("a task without surroundings"))
    }
}

/// What a search runs in. One context is one run: its observations and messages are that run's.
#[derive(Clone)]
pub struct SearchContext {
    /// DataFusion's session: memory pool, spill folder, our planner extension.
    pub session: SessionContext,
    /// The events.
    pub events: Arc<dyn EventSource>,
    /// The lookups.
    pub lookups: Arc<dyn LookupStore>,
    /// The GeoIP database, if one was given.
    pub geo: Option<Arc<dyn GeoDatabase>>,
    /// The macros.
    pub macros: Arc<MacroSet>,
    /// The instant that `now()` and time modifiers refer to, epoch seconds.
    pub now: f64,
    /// The user's time zone.
    pub zone: TimeZone,
    /// The time range of the whole search; inline `earliest` and `latest` override it.
    pub range: TimeBounds,
    /// What was seen while the search ran.
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
    /// Returns the surroundings of a subsearch: the same, but what it finds and groups is not
    /// observed as the search's own.
    #[must_use]
    pub fn nested(&self, purpose: Purpose) -> Self {
        Self { observations: Arc::new(self.observations.nested(purpose)), ..self.clone() }
    }

    /// Returns the instant that a result's value stands for: epoch seconds, or a date in the user's
    /// zone as `convert` and `strftime` write it. Relative times are none.
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

/// What was seen while a search ran, beside its rows.
#[derive(Debug, Default)]
pub struct Observations {
    /// What subsearches add to.
    shared: Arc<Shared>,
    /// What was noticed while plans ran.
    ran: Mutex<Observed>,
    /// Whether the search looks for events.
    has_scan: AtomicBool,
    /// What the rows are for.
    purpose: Purpose,
}

/// What the rows of a search, or of a lookup in it, are for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Purpose {
    /// They are results, or results are compared with them.
    #[default]
    Used,
    /// What is like them is left out: `NOT [| inputlookup …]`.
    Excluded,
}

#[derive(Debug, Default)]
struct Shared {
    messages: Mutex<Vec<Diagnostic>>,
    lookups: Mutex<Vec<LookupObservation>>,
}

/// A lookup that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookupObservation {
    /// Its name.
    pub name: String,
    /// Its number of rows when it was read.
    pub rows: usize,
    /// What they were read for.
    pub purpose: Purpose,
    /// [`LookupTable::is_given`].
    pub is_given: bool,
}

impl Observations {
    /// Returns observations whose messages and lookups are these too, and whose events and groups
    /// are not.
    fn nested(&self, purpose: Purpose) -> Self {
        Self { shared: self.shared.clone(), purpose, ..Self::default() }
    }

    /// Returns what the rows of this search are for.
    #[must_use]
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// Notes that the search looks for events.
    pub fn scan(&self) {
        self.has_scan.store(true, Ordering::Relaxed);
    }

    /// Notes what was noticed while a plan of the search ran.
    pub fn add(&self, observed: Observed) {
        let mut ran = lock(&self.ran);
        ran.matched += observed.matched;
        ran.groups.extend(observed.groups);
    }

    /// Returns how many events the search itself found, subsearches left out; none if it looked for
    /// none.
    #[must_use]
    pub fn matched(&self) -> Option<u64> {
        self.has_scan.load(Ordering::Relaxed).then(|| lock(&self.ran).matched)
    }

    /// Adds a message for the user.
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

    /// Returns the BY fields that had no value in any row of a `stats` that had rows.
    #[must_use]
    pub fn never_present(&self) -> Vec<String> {
        let mut missing = Vec::new();
        for group in &lock(&self.ran).groups {
            let absent = group.present.iter().filter(|(_, count)| **count == 0);
            if group.rows > 0 {
                missing.extend(absent.map(|(field, _)| field.clone()));
            }
        }
        missing.dedup();
        missing
    }

    /// Notes that a lookup was read.
    pub fn lookup(&self, name: &str, table: &LookupTable, purpose: Purpose) {
        lock(&self.shared.lookups).push(LookupObservation {
            name: name.to_owned(),
            rows: table.rows.len(),
            purpose,
            is_given: table.is_given,
        });
    }

    /// Returns the lookups that were read.
    #[must_use]
    pub fn lookups(&self) -> Vec<LookupObservation> {
        lock(&self.shared.lookups).clone()
    }
}
