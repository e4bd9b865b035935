//! The one place where a failure becomes an HTTP status, an exception type and Elasticsearch's envelope.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use types::{Classify, ErrorKind, Invalid};

/// A failure as the client sees it.
#[derive(Clone, Debug)]
pub(crate) struct ApiError(Box<Failure>);

#[derive(Clone, Debug)]
struct Failure {
    status: StatusCode,
    /// The object or the text under `error`.
    error: Value,
    header: Option<(HeaderName, HeaderValue)>,
}

impl ApiError {
    /// A failure of a kind, with the reason that the client reads.
    pub(crate) fn new(kind: ErrorKind, reason: impl Into<String>) -> Self {
        let (status, exception) = row(kind);
        Self::typed(status, exception, reason.into())
    }

    /// A value that is not allowed.
    pub(crate) fn argument(reason: impl Into<String>) -> Self {
        Self::new(ErrorKind::IllegalArgument, reason)
    }

    /// A request that lacks something; `reason` is the first complaint.
    pub(crate) fn validation(reason: &str) -> Self {
        Self::new(ErrorKind::RequestValidation, format!("Validation Failed: 1: {reason};"))
    }

    /// A body of the wrong form.
    pub(crate) fn x_content(reason: impl Into<String>) -> Self {
        Self::new(ErrorKind::XContentParse, reason)
    }

    /// A body of the wrong form because a value in it is not allowed.
    pub(crate) fn x_content_because(reason: impl Into<String>, cause: &str) -> Self {
        Self::x_content_chain(vec![reason.into()], Some(cause))
    }

    /// A body of the wrong form: the reasons of the objects that the fault lies in, from the outermost, and what is not
    /// allowed there, if it is more than a matter of form. The root cause is the innermost reason, as Elasticsearch has it.
    pub(crate) fn x_content_chain(reasons: Vec<String>, cause: Option<&str>) -> Self {
        let (status, exception) = row(ErrorKind::XContentParse);
        let Some(root) = reasons.last().map(|reason| json!({ "type": exception, "reason": reason })) else {
            return Self::argument(cause.unwrap_or_default());
        };
        let mut link =
            cause.map(|cause| json!({ "type": row(ErrorKind::IllegalArgument).1, "reason": cause }));
        for reason in reasons.into_iter().rev() {
            let mut error = json!({ "type": exception, "reason": reason });
            if let Some(cause) = link {
                error["caused_by"] = cause;
            }
            link = Some(error);
        }
        let mut error = json!({ "root_cause": [root] });
        for (name, value) in link.as_ref().and_then(Value::as_object).into_iter().flatten() {
            error[name] = value.clone();
        }
        Self(Box::new(Failure { status, error, header: None }))
    }

    /// No route has this path.
    pub(crate) fn no_handler(uri: &str, method: &str) -> Self {
        Self::plain(
            StatusCode::BAD_REQUEST,
            format!("no handler found for uri [{uri}] and method [{method}]"),
        )
    }

    /// The path exists, but not with this method.
    pub(crate) fn wrong_method(uri: &str, method: &str, allowed: &str) -> Self {
        let error =
            format!("Incorrect HTTP method for uri [{uri}] and method [{method}], allowed: [{allowed}]");
        let mut failure = Self::plain(StatusCode::METHOD_NOT_ALLOWED, error);
        let allow = HeaderValue::from_str(&allowed.replace(' ', "")).ok();
        failure.0.header = allow.map(|value| (header::ALLOW, value));
        failure
    }

    /// The body has a media type that is not read here.
    pub(crate) fn content_type(value: &str) -> Self {
        Self::plain(StatusCode::NOT_ACCEPTABLE, format!("Content-Type header [{value}] is not supported"))
    }

    /// A header names a version or a media type that is not spoken here.
    pub(crate) fn media_type(name: &str, value: &str) -> Self {
        Self::typed(
            StatusCode::BAD_REQUEST,
            "media_type_header_exception",
            format!("Invalid media-type value on headers [{name}]: [{value}]"),
        )
    }

    /// The request is for another server than this one.
    pub(crate) fn misdirected(reason: String) -> Self {
        Self::typed(StatusCode::MISDIRECTED_REQUEST, "status_exception", reason)
    }

    /// Whoever asks may not.
    pub(crate) fn forbidden(reason: String) -> Self {
        Self::typed(StatusCode::FORBIDDEN, "security_exception", reason)
    }

    /// The body is longer than `limit_bytes`.
    pub(crate) fn too_large(limit_bytes: usize) -> Self {
        Self::new(
            ErrorKind::TooLarge,
            format!("entity content is too long for the configured buffer limit [{limit_bytes}]"),
        )
    }

    /// More requests are being served than allowed.
    pub(crate) fn overloaded() -> Self {
        Self::typed(
            StatusCode::TOO_MANY_REQUESTS,
            "es_rejected_execution_exception",
            "rejected execution: too many requests are being served".to_owned(),
        )
    }

    /// The answer took longer than allowed; the work may still be going on.
    pub(crate) fn timed_out() -> Self {
        Self::typed(
            StatusCode::SERVICE_UNAVAILABLE,
            "timeout_exception",
            "the request took longer than the server's request_timeout".to_owned(),
        )
    }

    /// A piece of work took longer than the client wants to wait.
    pub(crate) fn took_too_long(what: &str, timeout: types::TimeSpan) -> Self {
        let reason = format!("Aborting {what} as it has taken longer than the timeout of [{timeout}]");
        Self::typed(StatusCode::TOO_MANY_REQUESTS, "timeout_exception", reason)
    }

    /// A bug: the details are in the log, not in the answer.
    pub(crate) fn internal() -> Self {
        Self::new(ErrorKind::Internal, "internal error; the server's log says more")
    }

    /// The object or text under `error`, for answers that tell of another request's failure.
    pub(crate) fn into_error(self) -> Value {
        self.0.error
    }

    /// The HTTP status.
    #[cfg(test)]
    pub(crate) fn status(&self) -> u16 {
        self.0.status.as_u16()
    }

    /// The object under `error`.
    #[cfg(test)]
    pub(crate) fn error(&self) -> &Value {
        &self.0.error
    }

    fn plain(status: StatusCode, error: String) -> Self {
        Self(Box::new(Failure { status, error: Value::String(error), header: None }))
    }

    fn typed(status: StatusCode, exception: &str, reason: String) -> Self {
        let root = json!({ "type": exception, "reason": reason });
        let error = json!({ "root_cause": [&root], "type": exception, "reason": &reason });
        Self(Box::new(Failure { status, error, header: None }))
    }
}

/// Status and exception type of each kind of failure.
fn row(kind: ErrorKind) -> (StatusCode, &'static str) {
    match kind {
        ErrorKind::NotFound => (StatusCode::NOT_FOUND, "resource_not_found_exception"),
        ErrorKind::AlreadyExists => (StatusCode::BAD_REQUEST, "resource_already_exists_exception"),
        ErrorKind::IllegalArgument => (StatusCode::BAD_REQUEST, "illegal_argument_exception"),
        ErrorKind::XContentParse => (StatusCode::BAD_REQUEST, "x_content_parse_exception"),
        ErrorKind::Parse => (StatusCode::BAD_REQUEST, "parse_exception"),
        ErrorKind::RequestValidation => (StatusCode::BAD_REQUEST, "action_request_validation_exception"),
        ErrorKind::Conflict => (StatusCode::CONFLICT, "status_exception"),
        ErrorKind::BadRequest => (StatusCode::BAD_REQUEST, "status_exception"),
        ErrorKind::TooManyRequests => (StatusCode::TOO_MANY_REQUESTS, "status_exception"),
        ErrorKind::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "content_too_long_exception"),
        ErrorKind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable_exception"),
        ErrorKind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "exception"),
    }
}

impl From<Invalid> for ApiError {
    fn from(error: Invalid) -> Self {
        Self::new(error.kind(), error.to_string())
    }
}

impl From<search::Error> for ApiError {
    fn from(error: search::Error) -> Self {
        let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if status.is_server_error() {
            tracing::error!(error = &error as &dyn std::error::Error, "the embedded store failed");
        }
        Self(Box::new(Failure { status, error: error.to_json(), header: None }))
    }
}

impl From<jobs::Error> for ApiError {
    fn from(error: jobs::Error) -> Self {
        if let jobs::Error::Store(store::Error::Refused { status, exception, reason }) = error {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            return Self::typed(status, &exception, reason);
        }
        if let jobs::Error::Store(store::Error::IndexNotFound(index)) = error {
            return search::Error::IndexNotFound { index }.into();
        }
        let kind = error.kind();
        if matches!(kind, ErrorKind::Internal | ErrorKind::Unavailable) {
            tracing::error!(error = &error as &dyn std::error::Error, "a job request failed");
        }
        Self::new(kind, error.to_string())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Failure { status, error, header } = *self.0;
        let body = json!({ "error": error, "status": status.as_u16() });
        let mut response = (status, Json(body)).into_response();
        if let Some((name, value)) = header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envelope_repeats_type_reason_and_status() {
        let error = ApiError::new(ErrorKind::NotFound, "No known job with id 'x'");
        assert_eq!(error.status(), 404);
        assert_eq!(
            error.error(),
            &json!({"root_cause": [{"type": "resource_not_found_exception", "reason": "No known job with id 'x'"}],
                "type": "resource_not_found_exception", "reason": "No known job with id 'x'"})
        );
    }

    #[test]
    fn wrong_method_says_what_is_allowed() {
        let response = ApiError::wrong_method("/a", "POST", "GET, PUT").into_response();
        assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(response.headers()[header::ALLOW], "GET,PUT");
    }
}
