//! Requests of the document and search API that the cluster answers itself, streamed both ways.

use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use futures::TryStreamExt;
use store::{Forward, ForwardBody};
use types::ErrorKind;

use super::passable::{self, Objection};
use crate::api::error::ApiError;
use crate::api::route::asked;
use crate::app::App;

/// Bodies up to here are held, so that they can be sent to another host when one is away.
const HELD_BYTES_MAX: u64 = 1 << 20;

/// What stays here: paths that the service answers itself, and all below them.
const OURS: [&str; 9] = [
    "/_ml",
    "/_xpack",
    "/_license",
    "/_features",
    "/_cat/ml",
    "/_text_structure",
    "/_health",
    "/metrics",
    "/api-specs",
];

/// What has a route here and is passed on if it turns out to concern the cluster.
const SHARED: [&str; 1] = ["/_cluster/settings"];

/// Marks an answer that the cluster gave.
#[derive(Clone, Copy, Debug)]
pub(in crate::api) struct Passed;

/// Is a path answered here, even when a cluster answers the rest?
pub(super) fn is_ours(path: &str) -> bool {
    path == "/" || OURS.iter().any(|ours| path.strip_prefix(ours).is_some_and(is_end))
}

/// Has a path a route even when a cluster answers the rest?
pub(super) fn has_route(path: &str) -> bool {
    is_ours(path) || SHARED.contains(&path)
}

fn is_end(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('/')
}

/// Every path that has no route of its own, when there is a cluster.
pub(in crate::api) async fn pass(State(app): State<App>, request: Request) -> Result<Response, ApiError> {
    if is_ours(asked(&request).path()) {
        return Err(ApiError::no_handler(&asked(&request).to_string(), request.method().as_str()));
    }
    forward(&app, request).await
}

/// The cluster's answer to a request.
pub(in crate::api) async fn forward(app: &App, request: Request) -> Result<Response, ApiError> {
    let uri = asked(&request);
    let unknown = || ApiError::no_handler(&uri.to_string(), request.method().as_str());
    let gateway = app.gateway().ok_or_else(unknown)?;
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
    let held = match &body {
        ForwardBody::Whole(bytes) => Some(bytes.as_ref()),
        ForwardBody::Pieces(_) => None,
    };
    passable::check(&parts.method, uri.path(), held, &app.config().store_gateway_allow).map_err(objected)?;
    let forward = Forward { method: parts.method, path_and_query, headers: parts.headers, body };
    let limit_bytes = app.config().body_limit_bytes;
    let answer = gateway.forward(forward).await.map_err(|error| refused(&error, limit_bytes))?;
    let mut response = Body::from_stream(answer.body).into_response();
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    response.extensions_mut().insert(Passed);
    Ok(response)
}

fn objected(objection: Objection) -> ApiError {
    match objection {
        Objection::Path(part) => ApiError::argument(format!(
            "the path has the part [{}], which would lead to another path in the cluster",
            part.escape_debug()
        )),
        Objection::NotPassed(word) => ApiError::forbidden(format!(
            "[{word}] is not of the document and search API and is not passed on to the cluster; ask the cluster itself, or put \
             [{word}] into the setting [store_gateway_allow]",
            word = word.escape_debug()
        )),
    }
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
        for path in [
            "/",
            "/_ml/info",
            "/_xpack",
            "/_cat/ml/anomaly_detectors",
            "/metrics",
            "/_ml",
            "/_features/_reset",
        ] {
            assert!(is_ours(path), "{path}");
        }
        for path in [
            "/_search",
            "/_cat/indices",
            "/_mlx",
            "/.ml-config/_search",
            "/metrics-1/_doc/1",
            "/_cat/mlx",
            "/_watcher/stats",
        ] {
            assert!(!is_ours(path), "{path}");
        }
    }
}
