//! The closed set of failures that a client can be told about.

/// What kind of thing went wrong. Only the HTTP layer turns this into a status and an exception type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The named thing does not exist (404, `resource_not_found_exception`).
    NotFound,
    /// The id is taken (400, `resource_already_exists_exception`).
    AlreadyExists,
    /// A value is not allowed (400, `illegal_argument_exception`).
    IllegalArgument,
    /// The body does not have the expected form (400, `x_content_parse_exception`).
    XContentParse,
    /// A value could not be read, for example a date (400, `parse_exception`).
    Parse,
    /// A request lacks something that it needs (400, `action_request_validation_exception`).
    RequestValidation,
    /// Right request, wrong state (409, `status_exception`).
    Conflict,
    /// The request can never be right for this object (400, `status_exception`).
    BadRequest,
    /// A limit or a full queue (429, `status_exception`).
    TooManyRequests,
    /// The body is over the limit (413).
    TooLarge,
    /// The store is away (503).
    Unavailable,
    /// A bug or a broken disk (500).
    Internal,
}

/// Implemented by every crate's error enum.
pub trait Classify {
    /// What kind of failure this is.
    fn kind(&self) -> ErrorKind;
}

/// A value that a client sent and that cannot be accepted; the message is what the client sees.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Invalid {
    kind: ErrorKind,
    message: String,
}

impl Invalid {
    /// A value that is not allowed.
    pub fn argument(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::IllegalArgument, message: message.into() }
    }

    /// A body of the wrong form.
    pub fn x_content(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::XContentParse, message: message.into() }
    }

    /// A value that could not be read.
    pub fn parse(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::Parse, message: message.into() }
    }

    /// A request that lacks something.
    pub fn request_validation(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::RequestValidation, message: message.into() }
    }

    /// A request that can never be right for this object.
    pub fn status(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::BadRequest, message: message.into() }
    }

    /// An id that is taken.
    pub fn exists(message: impl Into<String>) -> Self {
        Self { kind: ErrorKind::AlreadyExists, message: message.into() }
    }
}

impl Classify for Invalid {
    fn kind(&self) -> ErrorKind {
        self.kind
    }
}
