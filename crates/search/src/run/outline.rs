//! The events that a search's rows are made of.
//!
//! Rows of a transforming command no longer say which events they came from. An [`Outline`] is the
//! search up to that command; run with each event's identity carried along in fields of its own, it
//! tells which events share a row's values.

use spilltrail_diagnostic::{Diagnostic, Span, Spanned};
use spilltrail_event::fields::TIME;
use spilltrail_spl::{Command, Expansion, MacroSet, Pipeline, expand_macros, parse};

use crate::commands::{self, CommandKind, pipeline};
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
    /// What its rows have of the events.
    pub rows: Origin,
    streaming: Pipeline,
    expansion: Expansion,
}

/// What the rows of a search have of the events they were made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// They are events: nothing transforms them.
    Events,
    /// Each has the values that its events share in these fields.
    Groups(Vec<String>),
    /// It cannot be said.
    Unknown,
}

/// Returns the column of [`Outline::events`] with the value that the `index`th field of the grouping
/// has in the event itself.
#[must_use]
pub fn original_column(index: usize) -> String {
    format!("_event_field_{index}")
}

/// Returns the outline of a search, or none if it does not begin by finding events or cannot be read.
#[must_use]
pub fn outline(text: &str, macros: &MacroSet) -> Option<Outline> {
    let (expansion, _) = expand_macros(text, macros);
    let (mut streaming, _) = parse(&expansion.text);
    let first = streaming.commands.first().filter(|first| first.name.value == "search")?;
    let leading = first.arguments.value.clone();
    let end = streaming.commands.iter().position(is_transforming);
    let rows = match end {
        Some(end) => {
            let command = &streaming.commands[end];
            let entry = commands::command(&command.name.value)?;
            let grouping = entry.read(command).0?.grouping();
            grouping.map_or(Origin::Unknown, Origin::Groups)
        }
        None => Origin::Events,
    };
    streaming.commands.truncate(end.unwrap_or(streaming.commands.len()));
    Some(Outline { leading, rows, streaming, expansion })
}

fn is_transforming(command: &Command) -> bool {
    commands::command(&command.name.value)
        .is_some_and(|entry| entry.doc.kind == CommandKind::Transforming)
}

impl Outline {
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
