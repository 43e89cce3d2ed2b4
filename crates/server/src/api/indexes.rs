//! Operations on indexes: what there is, and how much of it.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::errors::ApiError;
use super::operation::{Answer, Answering, Content, Operation, Type};
use super::request::Asked;

/// An index, and how much is in it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct IndexInfo {
    /// The name.
    pub name: String,
    /// The number of its events in the table.
    pub events: u64,
    /// The bytes of the files with them.
    pub bytes: u64,
    /// The number of those files.
    pub files: u64,
    /// The number of its events that are not in the table yet.
    pub waiting: u64,
    /// The time of the first event.
    pub first: Option<f64>,
    /// The time of the last event.
    pub last: Option<f64>,
}

/// Knows the indexes.
pub trait Indexes: Send + Sync + 'static {
    /// Returns the indexes, ordered by name. It may block.
    ///
    /// # Errors
    /// Fails with what goes to the log if they cannot be read.
    fn list(&self) -> Result<Vec<IndexInfo>, String>;
}

/// The indexes.
#[derive(Debug, Serialize, ToSchema)]
struct IndexList {
    /// The indexes, ordered by name.
    indexes: Vec<IndexInfo>,
}

pub(super) const OPERATIONS: &[Operation] = &[Operation {
    tag: "indexes",
    summary: "List indexes, and how much is in them",
    ..Operation::get(
        "/api/v1/indexes",
        "list_indexes",
        Content::Json(Type::of::<IndexList>()),
        list,
    )
}];

fn list(api: Arc<Api>, _: Asked) -> Answering {
    Box::pin(async move {
        let indexes = api.indexes.clone();
        let found = api.readers.beside(move || indexes.list()).await?;
        let indexes = found.map_err(|error| ApiError::internal(&error))?;
        Answer::json(&IndexList { indexes })
    })
}
