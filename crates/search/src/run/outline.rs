//! Finds the events behind the rows of a search.
//!
//! The rows of a transforming command do not show from which events they were computed. An
//! [`Outline`] is the search up to that command. It is run with the identity of each event in
//! additional fields, and so shows which events share the values of a row.

use spilltrail_diagnostic::{Diagnostic, Span, Spanned};
use spilltrail_event::fields::TIME;
use spilltrail_spl::{Command, Expansion, Pipeline};

pub use crate::analysis::Origin;
use crate::analysis::{Analysis, is_transforming};
use crate::commands::pipeline;
use crate::context::SearchContext;
use crate::planning::plan::Needs;
use crate::run::Prepared;

/// The column of [`Outline::events`] that contains the event's `eventID`.
pub const EVENT_ID: &str = "_event_id";

/// The column of [`Outline::events`] that contains the event's `_time`, unchanged by the search.
pub const EVENT_TIME: &str = "_event_time";

/// The part of an event search before its first transforming command.
#[derive(Debug)]
pub struct Outline {
    /// The expression of the leading search, with macros expanded.
    pub leading: String,
    /// Whether the search has time bounds of its own, or may get them from a subsearch.
    pub has_own_times: bool,
    /// How the rows of the whole search relate to its events.
    pub rows: Origin,
    streaming: Pipeline,
    expansion: Expansion,
}

/// Returns the name of the column of [`Outline::events`] that contains the original value, in the
/// event, of the grouping field at `index`.
#[must_use]
pub fn original_column(index: usize) -> String {
    format!("_event_field_{index}")
}

impl Outline {
    /// Returns the outline of a search, or `None` if its first command does not search for events.
    #[must_use]
    pub fn of(analysis: &Analysis) -> Option<Self> {
        let leading = analysis.leading.clone()?;
        let mut streaming = analysis.pipeline().clone();
        let end = streaming.commands.iter().position(is_transforming);
        streaming.commands.truncate(end.unwrap_or(streaming.commands.len()));
        let (rows, expansion) = (analysis.rows.clone(), analysis.expansion.clone());
        let has_own_times = analysis.facts.has_own_times();
        Some(Self { leading, has_own_times, rows, streaming, expansion })
    }

    /// Returns the fields by which the rows are grouped; empty if they are not grouped or the
    /// grouping is unknown.
    #[must_use]
    pub fn grouping(&self) -> &[String] {
        match &self.rows {
            Origin::Groups(fields) => fields,
            Origin::Events | Origin::Unknown => &[],
        }
    }

    /// Returns true if [`Outline::events`] may return several consecutive rows for one event.
    #[must_use]
    pub fn repeats_events(&self) -> bool {
        self.streaming.commands.iter().any(|command| command.name.value == "mvexpand")
    }

    /// Returns the names of the event fields that [`Outline::events`] reads, except fields it reads
    /// by a wildcard. Empty if the rows are not groups.
    #[must_use]
    pub fn carried(&self, context: &SearchContext) -> Vec<String> {
        if !matches!(self.rows, Origin::Groups(_)) {
            return Vec::new();
        }
        let (tracing, needs) = self.tracing();
        let needs = pipeline::needs_of_events(&tracing, context, needs);
        let needs = needs.map(|needs| needs.fields.names);
        needs.unwrap_or_default().into_iter().collect()
    }

    /// Plans the search for the events.
    ///
    /// Its columns are [`EVENT_ID`], [`EVENT_TIME`], the grouping fields as the transforming
    /// command sees them, and their original values in the events, named by [`original_column`].
    ///
    /// # Errors
    /// Returns the same diagnostics as planning the whole search.
    pub async fn events(&self, context: &SearchContext) -> Result<Prepared, Vec<Diagnostic>> {
        let (tracing, needs) = self.tracing();
        let plan = pipeline::plan_pipeline(&tracing, context, needs).await?;
        Ok(Prepared { plan, expansion: self.expansion.clone() })
    }

    /// Returns the search for the events, and the fields needed from its rows.
    fn tracing(&self) -> (Pipeline, Needs) {
        let grouping = self.grouping();
        let mut carried = vec![
            (EVENT_ID.to_owned(), "eventID".to_owned()),
            (EVENT_TIME.to_owned(), TIME.to_owned()),
        ];
        for (index, field) in grouping.iter().enumerate() {
            carried.push((original_column(index), field.clone()));
        }
        let mut pipeline = self.streaming.clone();
        pipeline.commands.insert(1, carry(&carried));
        let mut needs = Needs::only(grouping);
        needs = needs.and(carried.iter().map(|(column, _)| column));
        (pipeline, needs)
    }
}

/// Returns an `eval` command that copies fields; it sets null if `eval` cannot quote a field's
/// name.
fn carry(copies: &[(String, String)]) -> Command {
    let assignments: Vec<String> = copies
        .iter()
        .map(|(column, field)| {
            if field.contains(['\'', '\\', '`', '"']) {
                format!("{column}=null()")
            } else {
                format!("{column}='{field}'")
            }
        })
        .collect();
    let nowhere = Span::new(0, 0);
    Command {
        name: Spanned::new("eval".to_owned(), nowhere),
        arguments: Spanned::new(assignments.join(", "), nowhere),
    }
}
