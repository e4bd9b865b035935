//! What can go wrong with jobs and datafeeds, in the words that clients know.

use types::{Classify, ErrorKind, Invalid};

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure; `Display` is the `reason` that the client reads.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No job of that name, or none that matches.
    #[error("No known job with id '{0}'")]
    UnknownJob(String),
    /// No datafeed of that name, or none that matches.
    #[error("No datafeed with id [{0}] exists")]
    UnknownDatafeed(String),
    /// No such snapshot of the job.
    #[error("No model snapshot with id [{snapshot_id}] exists for job [{job_id}]")]
    UnknownSnapshot {
        /// The job.
        job_id: String,
        /// What was asked for.
        snapshot_id: String,
    },
    /// No calendar of that name.
    #[error("No calendar with id [{0}]")]
    UnknownCalendar(String),
    /// No filter of that name.
    #[error("No filter with id [{0}] exists")]
    UnknownFilter(String),
    /// Something else that does not exist.
    #[error("{0}")]
    NotFound(String),
    /// An id that is taken.
    #[error("{0}")]
    Exists(String),
    /// The request does not go with the present state.
    #[error("{0}")]
    Conflict(String),
    /// A request that can never be right for this object.
    #[error("{0}")]
    BadRequest(String),
    /// A full queue or another limit.
    #[error("{0}")]
    TooManyRequests(String),
    /// A value that is not allowed.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A document of the service cannot be read.
    #[error("document [{id}] cannot be read: {why}")]
    Document {
        /// Its id.
        id: String,
        /// What is wrong with it.
        why: String,
    },
    /// The engine refused the job or its state.
    #[error(transparent)]
    Engine(#[from] engine::Error),
    /// The model broke, or its state could not be kept.
    #[error("{0}")]
    Model(String),
}

impl Error {
    /// The request needs an open job.
    pub fn not_open(job_id: &str) -> Self {
        Self::Conflict(format!("Cannot perform requested action because job [{job_id}] is not open"))
    }

    pub(crate) fn argument(message: impl Into<String>) -> Self {
        Self::Invalid(Invalid::argument(message))
    }
}

impl Classify for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::UnknownJob(_)
            | Self::UnknownDatafeed(_)
            | Self::UnknownSnapshot { .. }
            | Self::UnknownCalendar(_)
            | Self::UnknownFilter(_)
            | Self::NotFound(_) => ErrorKind::NotFound,
            Self::Exists(_) => ErrorKind::AlreadyExists,
            Self::Conflict(_) => ErrorKind::Conflict,
            Self::BadRequest(_) => ErrorKind::BadRequest,
            Self::TooManyRequests(_) => ErrorKind::TooManyRequests,
            Self::Invalid(invalid) => invalid.kind(),
            Self::Store(error) => error.kind(),
            Self::Engine(error) => error.kind(),
            Self::Document { .. } => ErrorKind::Conflict,
            Self::Model(_) => ErrorKind::Internal,
        }
    }
}
