//! The events that a search's rows are made of.
//!
//! Rows of a transforming command no longer say which events they came from. An [`Outline`] is the
//! search up to that command; run with each event's identity carried along in fields of its own, it
//! tells which events share a row's values.

use spilltrail_diagnostic::{Diagnostic, Span, Spanned};
use spilltrail_event::fields::TIME;
use spilltrail_spl::{Command, Expansion, Pipeline};

pub use crate::analysis::Origin;
use crate::analysis::{Analysis, is_transforming};
use crate::commands::pipeline;
use crate::context::SearchContext;
use crate::planning::plan::Needs;
use crate::run::Prepared;

/// The column of [`Outline::events`] with the event's `eventID`.
pub const EVENT_ID: &str = "_event_id";

/// The column of [`Outline::events`] with the event's `_time`, whatever the search makes of `_time`.
pub const EVENT_TIME: &str = "_event_time";

/// A search that begins by finding events, as far as its first transforming command.
#[derive(Debug)]
pub struct Outline {
    /// The leading search, macros expanded.
    pub leading: String,
    /// True if the search has, or may get, bounds of time of its own.
    pub has_own_times: bool,
    /// What its rows have of the events.
    pub rows: Origin,
    streaming: Pipeline,
    expansion: Expansion,
}

/// Returns the column of [`Outline::events`] with the value that the `index`th field of the grouping
/// has in the event itself.
#[must_use]
pub fn original_column(index: usize) -> String {
    format!("_event_field_{index}")
}

impl Outline {
    /// Returns the outline of a search; `None` if it does not begin by finding events.
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

    /// Returns the fields that tell rows apart, as far as they are known.
    #[must_use]
    pub fn grouping(&self) -> &[String] {
        match &self.rows {
            Origin::Groups(fields) => fields,
            Origin::Events | Origin::Unknown => &[],
        }
    }

    /// Returns true if [`Outline::events`] may give several rows for one event, one after the other.
    #[must_use]
    pub fn repeats_events(&self) -> bool {
        self.streaming.commands.iter().any(|command| command.name.value == "mvexpand")
    }

    /// Returns the fields of the events that [`Outline::events`] reads, as far as they are known by
    /// name.
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

    /// Plans the search of the events: [`EVENT_ID`], [`EVENT_TIME`], the fields of the grouping as the
    /// transforming command sees them, and as the event has them in [`original_column`].
    ///
    /// # Errors
    /// As for the whole search.
    pub async fn events(&self, context: &SearchContext) -> Result<Prepared, Vec<Diagnostic>> {
        let (tracing, needs) = self.tracing();
        let plan = pipeline::plan_pipeline(&tracing, context, needs).await?;
        Ok(Prepared { plan, expansion: self.expansion.clone() })
    }

    /// Returns the search of the events, and what is needed of its rows.
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

/// Returns the command that copies fields. Names that eval cannot quote give empty columns.
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
