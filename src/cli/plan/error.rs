//! Why a plan could not be made or carried out.

/// The message is for standard error.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanError {
    /// A file cannot be read or is not what it should be.
    #[error("{path}: {reason}")]
    File { path: String, reason: String },
    /// A document in a file is not what it should be.
    #[error("{source_name}: {what}: {reason}")]
    Document { source_name: String, what: String, reason: String },
    /// The server cannot be reached, or answered what cannot be read.
    #[error("{method} {path}: {reason}")]
    Request { method: &'static str, path: String, reason: String },
    /// The server refused a request.
    #[error("{method} {path}: {status}: {reason}")]
    Refused { method: &'static str, path: String, status: u16, reason: String },
    /// The plan cannot be carried out as things are.
    #[error("{0}")]
    Impossible(String),
    /// Nothing can be written there.
    #[error("cannot write [{path}]: {reason}")]
    Output { path: String, reason: String },
}
