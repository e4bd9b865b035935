//! A change: what differs, what becomes of the model, and the requests that make it.

use serde::Serialize;

use super::difference::Difference;
use super::document::Kind;
use super::server::Step;

/// What is done to a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    Create,
    Update,
    /// Deleted and created anew, since the API cannot change it.
    Replace,
    Delete,
    /// A model from a file.
    Import,
    /// The server cannot do it.
    Unsupported,
}

/// What becomes of what a job has learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Model {
    /// There was none, or the change has nothing to do with one.
    None,
    Kept,
    /// The datafeed reads its data again from the beginning, while the server goes on with everything else.
    Rebuilt,
    Lost,
    /// Taken from a file.
    Imported,
}

/// One change.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Change {
    pub(super) kind: Kind,
    pub(super) id: String,
    pub(super) action: Action,
    pub(super) model: Model,
    /// Why, and what else happens; sentences without a full stop.
    pub(super) notes: Vec<String>,
    /// Why it cannot be carried out just now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) blocked: Option<String>,
    pub(super) differences: Vec<Difference>,
    /// Stops what is in the way.
    pub(super) prepare: Vec<Step>,
    pub(super) steps: Vec<Step>,
    /// Starts it again; after an update that failed as well.
    pub(super) finish: Vec<Step>,
}

impl Change {
    pub(super) fn new(kind: Kind, id: impl Into<String>, action: Action) -> Self {
        Self {
            kind,
            id: id.into(),
            action,
            model: Model::None,
            notes: Vec::new(),
            blocked: None,
            differences: Vec::new(),
            prepare: Vec::new(),
            steps: Vec::new(),
            finish: Vec::new(),
        }
    }

    pub(super) fn model(mut self, model: Model) -> Self {
        self.model = model;
        self
    }

    pub(super) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    pub(super) fn differing(mut self, differences: Vec<Difference>) -> Self {
        self.differences = differences;
        self
    }

    pub(super) fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    pub(super) fn steps(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.steps.extend(steps);
        self
    }
}
