//! The events behind a row: their ids, and a search that finds them.
//!
//! A row of `stats … by user` says whom, not which events. [`gather`] runs the search once more as far
//! as its first transforming command, for all rows together, and gives each row the events that share
//! its values.

use futures::StreamExt;
use serde::Serialize;
use spilltrail_content::quote;
use spilltrail_diagnostic::Diagnostic;
use spilltrail_event::Value;
use spilltrail_search::context::SearchContext;
use spilltrail_search::error;
use spilltrail_search::rows::Columns;
use spilltrail_search::rows::Row;
use spilltrail_search::run::outline::{Origin, Outline};

use crate::trails::Trails;

/// Events of a finding that are named.
pub const MAX_EVENT_IDS: usize = 20;

/// Values of one field that the search of a row lists.
const MAX_LISTED: usize = 50;

/// The events behind a finding.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// A search that finds the events.
    pub search: String,
    /// Their ids, at most [`MAX_EVENT_IDS`].
    pub event_ids: Vec<String>,
}

/// What was learnt of the events behind one row.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gathered {
    pub(crate) evidence: Evidence,
    /// The time of the newest of them.
    pub(crate) newest: Option<f64>,
}

/// Returns the evidence of each row.
///
/// # Errors
/// What the search of the events fails with.
pub(crate) async fn gather(
    outline: &Outline,
    rows: &[Row],
    context: &SearchContext,
) -> Result<Vec<Gathered>, Vec<Diagnostic>> {
    let leading = outline.leading.as_str();
    let grouping = match &outline.rows {
        Origin::Groups(fields) => fields,
        Origin::Events => return Ok(rows.iter().map(|row| of_event(row, leading)).collect()),
        Origin::Unknown => return Ok(rows.iter().map(|_| unknown(leading)).collect()),
    };
    let mut trails = Trails::new(grouping, rows);
    let prepared = outline.events(context).await?;
    let failed = |diagnostic| vec![prepared.relocate(diagnostic)];
    let mut stream = prepared.stream(context).await.map_err(failed)?;
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(|failure| failed(error::from_engine(&failure)))?;
        trails.follow_all(&Columns::of(&batch));
        if trails.are_full() {
            break;
        }
    }
    Ok(trails.finish(leading))
}

/// Returns the evidence of a row that is an event itself.
fn of_event(row: &Row, leading: &str) -> Gathered {
    let ids = members(row, "eventID");
    let terms: Vec<String> = term("eventID", &ids).into_iter().collect();
    let evidence = Evidence { search: with_terms(leading, &terms), event_ids: ids };
    Gathered { evidence, newest: None }
}

/// Returns what can be said of rows that do not say which events they came from.
fn unknown(leading: &str) -> Gathered {
    let evidence = Evidence { search: leading.to_owned(), event_ids: Vec::new() };
    Gathered { evidence, newest: None }
}

/// Returns the members of a field's value in a row.
pub(crate) fn members(row: &Row, name: &str) -> Vec<String> {
    let members = row.get(name).map(Value::members).unwrap_or_default();
    members.into_iter().map(std::borrow::Cow::into_owned).collect()
}

/// Returns a search with further terms.
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

/// Returns the comparison that events with one of these values satisfy.
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

/// Quotes a value so that the search for it finds it: what cannot be written becomes a wildcard.
fn literal(value: &str) -> String {
    quote(&value.replace(char::is_control, "*"))
}
