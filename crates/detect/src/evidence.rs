//! The events behind a row: their ids, and a search that finds them.
//!
//! A row of `stats … by user` contains the user but not the events. [`Gatherer`] runs the search
//! again, only up to its first transforming command, for many rows at once, and assigns to each row
//! the events that share its values.

use std::sync::Arc;

use futures::StreamExt;
use serde::{Deserialize, Serialize};
use spilltrail_content::quote;
use spilltrail_diagnostic::Diagnostic;
use spilltrail_event::Value;
use spilltrail_event::fields::TIME;
use spilltrail_search::analysis::Analysis;
use spilltrail_search::context::SearchContext;
use spilltrail_search::error;
use spilltrail_search::rows::Columns;
use spilltrail_search::rows::Row;
use spilltrail_search::run::Prepared;
use spilltrail_search::run::outline::{Origin, Outline};

use crate::run::MAX_FINDINGS;
use crate::trails::Trails;

/// Most event ids in a finding.
pub const MAX_EVENT_IDS: usize = 20;

/// Most values of one field in the search of a row.
const MAX_LISTED: usize = 50;

/// Number of rows whose events are found with one run of the events' search. Each run reads all events, so
/// one run finds those of all findings of a detection; a row takes one or two kilobytes meanwhile.
const ROWS_AT_A_TIME: usize = MAX_FINDINGS;

/// Number of rows per batch if no search has to run.
const EVENTS_AT_A_TIME: usize = 512;

/// The events behind a finding.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// A search that finds the events.
    pub search: String,
    /// The ids of the events, at most [`MAX_EVENT_IDS`].
    pub event_ids: Vec<String>,
    /// The number of events; `None` if it is not known.
    pub events: Option<u64>,
}

/// The evidence and the time range of the events behind one row.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gathered {
    pub(crate) evidence: Evidence,
    /// The time of the oldest event.
    pub(crate) oldest: Option<f64>,
    /// The time of the newest event.
    pub(crate) newest: Option<f64>,
}

impl Gathered {
    /// Returns evidence that has only a search, for events that are not looked up.
    fn of_search(search: &str) -> Self {
        let evidence = Evidence { search: search.to_owned(), ..Evidence::default() };
        Self { evidence, ..Self::default() }
    }
}

/// Finds the events behind the rows of a detection's search.
#[derive(Debug)]
pub(crate) struct Gatherer {
    /// The outline of the search up to its first transforming command; `None` if events cannot be
    /// found.
    outline: Option<Outline>,
    /// The planned search for the events; `None` if no search is run for them.
    events: Option<Prepared>,
    /// The text of the whole search after macro expansion.
    whole: String,
    context: SearchContext,
    /// Why the events could not be found.
    problem: Option<String>,
}

impl Gatherer {
    /// Creates a gatherer and plans the search for the events.
    pub(crate) async fn new(analysis: &Analysis, context: &SearchContext) -> Self {
        // Observations of this second search must not count as the detection's own.
        let context = SearchContext { observations: Arc::default(), ..context.clone() };
        let (outline, whole) = (Outline::of(analysis), analysis.expansion.text.clone());
        let mut gatherer = Self { outline, events: None, whole, context, problem: None };
        if let Some(outline) = &gatherer.outline
            && matches!(outline.rows, Origin::Groups(_))
        {
            match outline.events(&gatherer.context).await {
                Ok(events) => gatherer.events = Some(events),
                Err(diagnostics) => gatherer.give_up(diagnostics),
            }
        }
        gatherer
    }

    /// Returns the number of rows for each call of [`Gatherer::gather`].
    pub(crate) fn rows_at_a_time(&self) -> usize {
        if self.events.is_some() { ROWS_AT_A_TIME } else { EVENTS_AT_A_TIME }
    }

    /// Returns the evidence of each row.
    pub(crate) async fn gather(&mut self, rows: &[Row]) -> Vec<Gathered> {
        if let (Some(outline), Some(events)) = (&self.outline, &self.events) {
            match follow(outline, events, rows, &self.context).await {
                Ok(gathered) => return gathered,
                Err(diagnostic) => self.give_up(vec![diagnostic]),
            }
        }
        let gathered = |row| match &self.outline {
            Some(Outline { rows: Origin::Events, leading, .. }) => of_event(row, leading),
            Some(Outline { rows: Origin::Unknown, leading, .. }) => Gathered::of_search(leading),
            Some(_) | None => Gathered::of_search(&self.whole),
        };
        rows.iter().map(gathered).collect()
    }

    /// Returns why the events could not be found, if finding them failed.
    pub(crate) fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    fn give_up(&mut self, diagnostics: Vec<Diagnostic>) {
        let reasons: Vec<String> = diagnostics.into_iter().map(|d| d.message).collect();
        self.problem = Some(reasons.join("; "));
        // Later rows would fail in the same way, so they get only the whole search.
        (self.outline, self.events) = (None, None);
    }
}

/// Runs the search for the events and assigns each event to the rows that share its values.
async fn follow(
    outline: &Outline,
    events: &Prepared,
    rows: &[Row],
    context: &SearchContext,
) -> Result<Vec<Gathered>, Diagnostic> {
    let mut trails = Trails::new(outline.grouping(), rows, outline.repeats_events());
    let failed = |diagnostic| events.relocate(diagnostic);
    let mut stream = events.stream(context).await.map_err(failed)?;
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(|failure| failed(error::from_engine(&failure)))?;
        trails.follow_all(&Columns::of(&batch));
    }
    Ok(trails.finish(&outline.leading, outline.has_own_times))
}

/// Returns the evidence of a row that is an event itself.
fn of_event(row: &Row, leading: &str) -> Gathered {
    let ids = members(row, "eventID");
    let terms: Vec<String> = term("eventID", &ids).into_iter().collect();
    let search = with_terms(leading, &terms);
    let time = row.get(TIME).and_then(Value::as_number);
    let evidence = Evidence { search, event_ids: ids, events: Some(1) };
    Gathered { evidence, oldest: time, newest: time }
}

/// Returns the members of a field of a row; an absent field has none.
pub(crate) fn members(row: &Row, name: &str) -> Vec<String> {
    let members = row.get(name).map(Value::members).unwrap_or_default();
    members.into_iter().map(std::borrow::Cow::into_owned).collect()
}

/// Returns `leading` with further search terms.
pub(crate) fn with_terms(leading: &str, terms: &[String]) -> String {
    let mut search = leading.trim().to_owned();
    for term in terms {
        if !search.is_empty() {
            search.push(' ');
        }
        search.push_str(term);
    }
    search
}

/// Returns a comparison that matches events with one of these values, or `None` if there is none.
pub(crate) fn term(field: &str, values: &[String]) -> Option<String> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | ':' | '{' | '}');
    let is_plain =
        field.starts_with(|c: char| c.is_alphabetic() || c == '_') && field.chars().all(plain);
    let name = if is_plain { field.to_owned() } else { quote(field) };
    match values {
        [] => None,
        [value] => Some(format!("{name}={}", literal(value))),
        several => {
            let listed: Vec<String> =
                several.iter().take(MAX_LISTED).map(|value| literal(value)).collect();
            Some(format!("{name} IN ({})", listed.join(", ")))
        }
    }
}

/// Quotes a value for a search; control characters cannot be written there and become wildcards.
fn literal(value: &str) -> String {
    quote(&value.replace(char::is_control, "*"))
}
