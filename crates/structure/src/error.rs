//! Why no structure was found.

use types::{Classify, ErrorKind};

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure; `Display` is the `reason` that the client reads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing can be said about a single line.
    #[error("Input contained too few lines [{0}] to obtain a meaningful sample")]
    TooFewLines(usize),
    /// Values that exclude each other.
    #[error("{0}")]
    Contradiction(String),
    /// The text is not what the caller says it is, or nothing known.
    #[error("Input did not match any supported formats: {0}")]
    NoFormat(String),
    /// A message of many lines has no end.
    #[error(
        "Merging lines into messages resulted in an unacceptably long message. Merged message would have [{length}] \
         characters (limit [{limit}]). If you have messages this big please increase the value of \
         [line_merge_size_limit]. Otherwise it probably means the timestamp has been incorrectly detected, so try \
         overriding that."
    )]
    MessageTooLong {
        /// Characters that it would have.
        length: usize,
        /// Characters that it may have.
        limit: usize,
    },
    /// The caller has stopped the search.
    #[error("the search for a structure was stopped")]
    Stopped,
    /// A grok expression that cannot be read.
    #[error("{0}")]
    Pattern(String),
}

impl Classify for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Stopped => ErrorKind::TooManyRequests,
            _ => ErrorKind::IllegalArgument,
        }
    }
}
