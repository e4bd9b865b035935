//! Requests of the document and search API that the cluster answers itself, streamed both ways.

use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use futures::TryStreamExt;
use store::{Forward, ForwardBody};
use types::ErrorKind;

use crate::api::error::ApiError;
use crate::api::route::asked;
use crate::app::App;

/// Bodies up to here are held, so that they can be sent to another host when one is away.
const HELD_BYTES_MAX: u64 = 1 << 20;

/// What stays here: paths that the service answers itself, and all below them.
const OURS: [&str; 12] = [
    "/_ml",
    "/_xpack",
    "/_license",
    "/_watcher",
    "/_cat/ml",
    "/_text_structure",
    "/_health",
    "/_auspex",
    "/metrics",
    "/api-specs",
    "/ui",
    "/favicon.ico",
];

/// Marks an answer that the cluster gave.
#[derive(Clone, Copy, Debug)]
pub(in crate::api) struct Passed;

/// Is a path answered here, even when a cluster answers the rest?
pub(super) fn is_ours(path: &str) -> bool {
    path == "/" || OURS.iter().any(|ours| path.strip_prefix(ours).is_some_and(is_end))
}

fn is_end(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('/')
}

/// Every path that has no route of its own, when there is a cluster.
pub(in crate::api) async fn pass(State(app): State<App>, request: Request) -> Result<Response, ApiError> {
    let uri = asked(&request);
    let unknown = || ApiError::no_handler(&uri.to_string(), request.method().as_str());
    let Some(gateway) = app.gateway().filter(|_| !is_ours(uri.path())) else { return Err(unknown()) };
    let path_and_query = uri.path_and_query().map_or_else(|| uri.path().to_owned(), ToString::to_string);
    let (parts, body) = request.into_parts();
    let body = match body.size_hint().exact() {
        Some(bytes) if bytes <= HELD_BYTES_MAX => {
            let bytes = axum::body::to_bytes(body, usize::MAX).await;
            ForwardBody::Whole(
                bytes.map_err(|e| ApiError::x_content(format!("the body cannot be read: {e}")))?,
            )
        }
        _ => ForwardBody::Pieces(Box::pin(body.into_data_stream().map_err(std::io::Error::other))),
    };
    let forward = Forward { method: parts.method, path_and_query, headers: parts.headers, body };
    let limit_bytes = app.config().body_limit_bytes;
    let answer = gateway.forward(forward).await.map_err(|error| refused(&error, limit_bytes))?;
    let mut response = Body::from_stream(answer.body).into_response();
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    response.extensions_mut().insert(Passed);
    Ok(response)
}

fn refused(error: &store::Error, limit_bytes: usize) -> ApiError {
    let text = error.to_string();
    if text.contains("length limit exceeded") {
        return ApiError::too_large(limit_bytes);
    }
    match error {
        store::Error::Unavailable(_) => ApiError::new(ErrorKind::Unavailable, text),
        _ => ApiError::argument(text),
    }
}

#[cfg(test)]
mod tests {
    use super::is_ours;

    #[test]
    fn what_the_service_answers_is_not_passed_on() {
        for path in ["/", "/_ml/info", "/_xpack", "/_cat/ml/anomaly_detectors", "/metrics", "/_ml"] {
            assert!(is_ours(path), "{path}");
        }
        for path in
            ["/_search", "/_cat/indices", "/_mlx", "/.ml-config/_search", "/metrics-1/_doc/1", "/_cat/mlx"]
        {
            assert!(!is_ours(path), "{path}");
        }
    }
}
