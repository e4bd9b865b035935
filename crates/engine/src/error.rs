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
            Self::Damaged(_) | Self::Version { .. } | Self::OtherJob(_) => ErrorKind::Conflict,
        }
    }
}

/// Why there is no forecast.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForecastError {
    /// A detector has an `over_field_name`.
    #[error("a forecast is not possible for population analysis")]
    Population,
    /// A detector has a function whose values cannot be expected.
    #[error("a forecast is not possible for the function [{function}]")]
    Function {
        /// Its name.
        function: String,
    },
    /// No bucket is closed, or no series has enough of them.
    #[error("a forecast requires data to have been processed and modeled")]
    NoData,
    /// The duration is out of range.
    #[error("the duration of a forecast must be between 1 second and 3650 days, but is [{seconds}] seconds")]
    Duration {
        /// What was asked for.
        seconds: i64,
    },
    /// There are too many series, or the duration is too long for them.
    #[error("the forecast would have [{points}] points, but no more than [{points_max}] are allowed")]
    TooManyPoints {
        /// What it would have.
        points: u64,
        /// The limit.
        points_max: u64,
    },
}

impl Classify for ForecastError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Population | Self::Function { .. } | Self::NoData => ErrorKind::BadRequest,
            Self::Duration { .. } | Self::TooManyPoints { .. } => ErrorKind::IllegalArgument,
        }
    }
}
