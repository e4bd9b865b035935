//! Why an analysis cannot be made or restored.

use types::{Classify, ErrorKind};

use crate::categorize::ConfigError;

/// Failures of the engine. Data never fail: what cannot be used is counted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The job uses something that the engine does not have.
    #[error("{0}")]
    Configuration(String),
    /// The categorization of the job cannot be set up.
    #[error(transparent)]
    Categorization(#[from] ConfigError),
    /// The bytes are no state of this engine, or are damaged.
    #[error("the model state cannot be read: {0}")]
    Damaged(&'static str),
    /// The state was written by another version.
    #[error("the model state has format version {found}, but this version reads {expected}")]
    Version {
        /// Version of the state.
        found: u32,
        /// Version that can be read.
        expected: u32,
    },
    /// The state belongs to a job with other detectors.
    #[error("the model state does not fit the job: {0}")]
    OtherJob(&'static str),
}

impl Classify for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Configuration(_) | Self::Categorization(_) => ErrorKind::IllegalArgument,
            Self::Damaged(_) | Self::Version { .. } | Self::OtherJob(_) => ErrorKind::Internal,
        }
    }
}
