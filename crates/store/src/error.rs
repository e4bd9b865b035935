//! What can go wrong between the service and its store.

use types::{Classify, ErrorKind};

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of the store; `Display` is what a client may read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No index of that name.
    #[error("no such index [{0}]")]
    IndexNotFound(String),
    /// The document is there already, or somebody else changed it.
    #[error("{0}")]
    VersionConflict(String),
    /// The store understood the request and refused it.
    #[error("{reason}")]
    Refused {
        /// The HTTP status of the refusal.
        status: u16,
        /// The exception type, for example `parsing_exception`.
        exception: String,
        /// Why, in the store's words.
        reason: String,
    },
    /// The store cannot be reached, or is too busy, after all retries.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// The store's answer makes no sense.
    #[error("the store gave an answer that cannot be understood: {0}")]
    Answer(String),
    /// The configuration of the store is wrong.
    #[error("{0}")]
    Config(String),
    /// A thread of the embedded store ended before its work did.
    #[error("the embedded store was interrupted")]
    Interrupted,
}

impl Error {
    /// A refusal with status 400.
    pub fn refused(exception: &str, reason: impl Into<String>) -> Self {
        Self::Refused { status: 400, exception: exception.to_owned(), reason: reason.into() }
    }

    /// Does the store not answer at all?
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Config(_))
    }

    /// Is it worth trying again later, with the same request?
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Interrupted)
            || matches!(self, Self::Refused { status, .. } if *status == 429 || *status >= 500)
    }
}

impl Classify for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::IndexNotFound(_) => ErrorKind::NotFound,
            Self::VersionConflict(_) => ErrorKind::Conflict,
            Self::Refused { status, exception, .. } => match (status, exception.as_str()) {
                (404, _) => ErrorKind::NotFound,
                (409, _) => ErrorKind::Conflict,
                (429, _) => ErrorKind::TooManyRequests,
                (413, _) => ErrorKind::TooLarge,
                (500.., _) => ErrorKind::Unavailable,
                (_, "x_content_parse_exception") => ErrorKind::XContentParse,
                (_, "parse_exception" | "parsing_exception") => ErrorKind::Parse,
                (_, "resource_already_exists_exception") => ErrorKind::AlreadyExists,
                _ => ErrorKind::IllegalArgument,
            },
            Self::Unavailable(_) => ErrorKind::Unavailable,
            Self::Answer(_) | Self::Config(_) | Self::Interrupted => ErrorKind::Internal,
        }
    }
}
