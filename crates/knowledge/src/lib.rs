//! What events mean: event types and tags, and the data models that gather events by them.
//!
//! An event type is a named search, and a tag a word for the events of event types. A data model has
//! datasets: a search picks their events, usually by tags, and fields have the same names whatever
//! product the events are from. These are data, not code: [`Knowledge::builtin`] reads the files in
//! `builtin/`, and content folders may add files of the same form. There is no engine here; `search`
//! turns a [`Scope`] into a plan. The rows of lookups are [`TableRows`].

mod builtin;
mod event_type;
mod expand;
mod file;
mod model;
mod rows;
mod scope;
mod set;

pub use event_type::EventType;
pub use expand::{Budget, Expanded};
pub use file::{EventTypes, EventTypesFile, ModelFile, PlainTag, event_type_search};
pub use model::{DataModel, Dataset, FieldValue};
pub use rows::TableRows;
pub use scope::{EVERY_EVENT_HAS, Scope, ScopedField};
pub use set::{Knowledge, TaggedValue, is_class};
