//! Many writes in one request, answered one by one.

use crate::{Error, Result};

/// Which state of a document a write expects, or has made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// `_seq_no`.
    pub seq_no: u64,
    /// `_primary_term`.
    pub primary_term: u64,
}

/// One write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BulkOp {
    /// Index or write alias.
    pub index: String,
    /// Document id; the store makes one for an index or create without.
    pub id: Option<String>,
    /// What is done.
    pub action: Action,
    /// Only if the document is still in this state (`if_seq_no`, `if_primary_term`).
    pub expected: Option<Version>,
}

/// What a write does; documents are JSON text, already serialised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Writes the document, over an older one if there is one.
    Index(String),
    /// Writes the document; a conflict if there is one.
    Create(String),
    /// Merges these fields into the document; missing documents are an error of the item.
    Update(String),
    /// Removes the document; a missing one is an outcome with status 404, not an error.
    Delete,
}

impl BulkOp {
    /// Writes `json` under `id`, over an older document if there is one.
    pub fn index(index: impl Into<String>, id: impl Into<String>, json: String) -> Self {
        Self { index: index.into(), id: Some(id.into()), action: Action::Index(json), expected: None }
    }

    /// Writes `json` under `id` unless there is such a document.
    pub fn create(index: impl Into<String>, id: impl Into<String>, json: String) -> Self {
        Self { index: index.into(), id: Some(id.into()), action: Action::Create(json), expected: None }
    }

    /// Merges the fields of `json` into the document `id`.
    pub fn update(index: impl Into<String>, id: impl Into<String>, json: String) -> Self {
        Self { index: index.into(), id: Some(id.into()), action: Action::Update(json), expected: None }
    }

    /// Removes the document `id`.
    pub fn delete(index: impl Into<String>, id: impl Into<String>) -> Self {
        Self { index: index.into(), id: Some(id.into()), action: Action::Delete, expected: None }
    }

    /// Only if the document is in the state `version`.
    #[must_use]
    pub fn expecting(mut self, version: Version) -> Self {
        self.expected = Some(version);
        self
    }
}

/// What became of one write.
#[derive(Debug)]
pub struct Outcome {
    /// The document's id.
    pub id: String,
    /// The HTTP status of the item: 200, 201, or 404 for the removal of what was not there; otherwise see `error`.
    pub status: u16,
    /// The state that was made.
    pub version: Option<Version>,
    /// Why it was refused.
    pub error: Option<Error>,
}

/// The first refusal among outcomes as an error.
///
/// # Errors
/// When at least one write was refused.
pub fn check_all(outcomes: Vec<Outcome>) -> Result<()> {
    outcomes.into_iter().find_map(|outcome| outcome.error).map_or(Ok(()), Err)
}
