//! What every request and answer has in common: product header, media types, `pretty` and `filter_path`, limits, panics.

use std::any::Any;
use std::time::Duration;

use axum::BoxError;
use axum::Router;
use axum::body::Body;
use axum::error_handling::HandleErrorLayer;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tower::ServiceBuilder;
use tower::util::MapRequestLayer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::decompression::RequestDecompressionLayer;
use tower_http::limit::RequestBodyLimitLayer;
use tower_http::trace::TraceLayer;

use super::browsers;
use super::draining;
use super::elasticsearch::Passed;
use super::error::ApiError;
use super::extract::Params;
use super::filter_path::FilterPath;
use super::media::{Media, VENDOR};
use super::readable;
use crate::app::App;

/// By which clients know their requests again.
static OPAQUE_ID: HeaderName = HeaderName::from_static("x-opaque-id");
static PRODUCT: HeaderName = HeaderName::from_static("x-elastic-product");

/// The address as the client wrote it, for error messages.
#[derive(Clone, Debug)]
pub(super) struct AskedUri(pub(super) Uri);

/// Puts the common layers around the routes.
pub(super) fn with_manners(routes: Router, app: &App) -> Router {
    let config = app.config();
    let inner = ServiceBuilder::new()
        .layer(from_fn_with_state(app.clone(), draining::drain))
        .layer(from_fn_with_state(app.clone(), introduce))
        .layer(from_fn_with_state(app.clone(), browsers::guard))
        .layer(HandleErrorLayer::new(refuse))
        .load_shed()
        .concurrency_limit(config.concurrency_max)
        .timeout(config.request_timeout.max(Duration::from_millis(1)))
        .layer(TraceLayer::new_for_http())
        .layer(CatchPanicLayer::custom(panicked))
        .layer(CompressionLayer::new())
        .layer(RequestBodyLimitLayer::new(config.body_limit_bytes))
        .layer(RequestDecompressionLayer::new())
        .layer(MapRequestLayer::new(|request: axum::http::Request<_>| straighten(request.map(Body::new))))
        .layer(from_fn(shape))
        .service(routes);
    Router::new().fallback_service(inner)
}

/// Slashes at the end mean nothing, and `/_xpack/ml` is the old name of `/_ml`.
fn straighten(mut request: Request) -> Request {
    let asked = request.uri().clone();
    let path = asked.path();
    let trimmed = path.trim_end_matches('/');
    let straight = match trimmed.strip_prefix("/_xpack/ml/") {
        Some(rest) => format!("/_ml/{rest}"),
        None if trimmed.is_empty() => "/".to_owned(),
        None => trimmed.to_owned(),
    };
    if straight != path {
        let with_query =
            asked.query().map_or_else(|| straight.clone(), |query| format!("{straight}?{query}"));
        // What was part of a valid address still is one.
        if let Ok(uri) = with_query.parse() {
            *request.uri_mut() = uri;
        }
    }
    request.extensions_mut().insert(AskedUri(asked));
    request
}

/// Adds what clients check before they read an answer, and counts the answers.
async fn introduce(State(app): State<App>, request: Request, next: Next) -> Response {
    let media_type = media_type(request.headers());
    let opaque_id = request.headers().get(&OPAQUE_ID).cloned();
    let limit_bytes = app.config().body_limit_bytes;
    let mut response = match &media_type {
        Ok(_) => next.run(request).await,
        Err(error) => error.clone().into_response(),
    };
    let is_json = has_media_type(response.headers(), "application/json");
    if response.status() == StatusCode::PAYLOAD_TOO_LARGE && !is_json {
        response = ApiError::too_large(limit_bytes).into_response();
    } else if response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE && !is_json {
        response = ApiError::argument("only [gzip] is understood in Content-Encoding").into_response();
    }
    let headers = response.headers_mut();
    browsers::shield(headers);
    headers.insert(PRODUCT.clone(), HeaderValue::from_static("Elasticsearch"));
    if let Some(id) = opaque_id {
        headers.insert(OPAQUE_ID.clone(), id);
    }
    let answered =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).and_then(Media::of_type);
    if let (Ok(Some(version)), Some(media)) = (media_type, answered) {
        let spoken = format!("{VENDOR}{};compatible-with={version}", media.name());
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(&spoken).expect("a version is a digit"));
    }
    app.counters().answered(response.status().as_u16());
    response
}

fn has_media_type(headers: &HeaderMap, name: &str) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(name.as_bytes()))
}

/// The version of the vendor's media types that the client speaks, if it speaks them.
fn media_type(headers: &HeaderMap) -> Result<Option<&'static str>, ApiError> {
    for name in [header::ACCEPT, header::CONTENT_TYPE] {
        let Some(text) = headers.get(&name).and_then(|value| value.to_str().ok()) else { continue };
        let Some(vendor) = text.split(',').map(str::trim).find(|part| part.starts_with(VENDOR)) else {
            continue;
        };
        let label = if name == header::ACCEPT { "Accept" } else { "Content-Type" };
        let version = vendor.split(';').skip(1).find_map(|p| p.trim().strip_prefix("compatible-with="));
        let spoken = ["7", "8", "9"].into_iter().find(|spoken| Some(*spoken) == version.map(str::trim));
        return spoken.map(Some).ok_or_else(|| ApiError::media_type(label, text));
    }
    Ok(None)
}

async fn refuse(error: BoxError) -> ApiError {
    if error.is::<tower::load_shed::error::Overloaded>() {
        ApiError::overloaded()
    } else if error.is::<tower::timeout::error::Elapsed>() {
        ApiError::timed_out()
    } else {
        tracing::error!(error, "a request failed");
        ApiError::internal()
    }
}

fn panicked(payload: Box<dyn Any + Send + 'static>) -> Response {
    let text = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    tracing::error!(panic = text, "a request handler panicked");
    ApiError::internal().into_response()
}

/// `filter_path`, `pretty`, `human`, `error_trace`, and the form in which the client wants its answer.
async fn shape(request: Request, next: Next) -> Response {
    let params = match Params::of(request.uri()) {
        Ok(params) => params,
        Err(error) => return error.into_response(),
    };
    let filter = params.text("filter_path").and_then(FilterPath::parse);
    let pretty = match params.flag("pretty", false) {
        Ok(pretty) => pretty,
        Err(error) => return error.into_response(),
    };
    let (human, trace) = match (params.flag("human", false), params.flag("error_trace", false)) {
        (Ok(human), Ok(trace)) => (human && request.uri().path().starts_with("/_ml/"), trace),
        (Err(error), _) | (_, Err(error)) => return error.into_response(),
    };
    // There `format` is that of the text.
    let is_structure = request.uri().path().starts_with("/_text_structure/");
    let media = if is_structure {
        Media::wanted(&Params::default(), request.headers())
    } else {
        Media::wanted(&params, request.headers())
    };
    let is_head = request.method() == Method::HEAD;
    let response = next.run(request).await;
    let trace = trace && response.status().as_u16() >= 400;
    // The cluster has shaped its answer itself; it may be too long to be held here.
    let is_shaped = response.extensions().get::<Passed>().is_some();
    // An answer without a body has no form.
    if is_shaped
        || is_head
        || (filter.is_none() && !pretty && !human && !trace && media == Media::Json)
        || !has_media_type(response.headers(), "application/json")
    {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let shaped = axum::body::to_bytes(body, usize::MAX).await.ok().and_then(|bytes| {
        let mut value: Value = serde_json::from_slice(&bytes).ok()?;
        if human {
            readable::add_times(&mut value);
        }
        if trace {
            readable::add_trace(&mut value);
        }
        if let Some(filter) = &filter {
            value = filter.apply(value);
        }
        media.print(&value, pretty)
    });
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media.media_type()));
    match shaped {
        Some(bytes) => Response::from_parts(parts, Body::from(bytes)),
        None => ApiError::internal().into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;
    use crate::config::Config;

    async fn broken() -> &'static str {
        let nothing: Option<&'static str> = std::hint::black_box(None);
        nothing.expect("this handler is broken")
    }

    #[tokio::test]
    async fn a_handler_that_panics_is_answered_for_and_the_next_request_is_served() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(types::time::SystemClock);
        let app = App::open(Config::local(folder.path()), clock).await.unwrap();
        let routes = Router::new().route("/broken", get(broken)).route("/whole", get(|| async { "{}" }));
        let service = with_manners(routes, &app);
        let ask = |path: &str| {
            let request = Request::get(path).header(header::HOST, "localhost");
            service.clone().oneshot(request.body(Body::empty()).unwrap())
        };
        let answer = ask("/broken").await.unwrap();
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(answer.headers()[&PRODUCT], "Elasticsearch");
        let bytes = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        assert!(text.contains("internal error") && !text.contains("this handler is broken"), "{text}");
        assert_eq!(ask("/whole").await.unwrap().status(), StatusCode::OK);
        assert_eq!(app.counters().by_class().nth(4), Some(("5xx".to_owned(), 1)));
    }
}
