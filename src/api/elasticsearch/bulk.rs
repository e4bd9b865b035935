//! `_bulk`: many writes in one request.

use ::search::document::BulkParams;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::ask;
use super::params::{self, SOURCE, WAIT};
use crate::api::error::ApiError;
use crate::api::extract::{Params, RawBody, UrlPath};
use crate::api::route::{Route, route};
use crate::app::App;

/// What a bulk request holds at most for each byte of its body, while it is carried out and answered.
const BYTES_HELD_PER_BYTE: u64 = 4;
const BULK: &str = "refresh routing pipeline require_alias list_executed_pipelines";

pub(super) fn routes() -> Vec<Route> {
    vec![
        route("POST PUT", "/_bulk", "Many writes", &[BULK, WAIT, SOURCE], bulk),
        route("POST PUT", "/{index}/_bulk", "Many writes to an index", &[BULK, WAIT, SOURCE], bulk_to),
    ]
}

/// `POST /_bulk`
async fn bulk(State(app): State<App>, params: Params, body: RawBody) -> Result<Response, ApiError> {
    write(&app, None, &params, body).await
}

/// `POST /{index}/_bulk`
async fn bulk_to(
    State(app): State<App>,
    UrlPath(index): UrlPath<String>,
    params: Params,
    body: RawBody,
) -> Result<Response, ApiError> {
    write(&app, Some(index), &params, body).await
}

async fn write(
    app: &App,
    index: Option<String>,
    params: &Params,
    RawBody(body): RawBody,
) -> Result<Response, ApiError> {
    params::refuse_pipeline(params)?;
    params::refresh(params)?;
    if body.is_empty() {
        return Err(ApiError::new(types::ErrorKind::Parse, "request body is required"));
    }
    let how = BulkParams { require_alias: params.flag("require_alias", false)? };
    // The body, what is about to be committed, and the items of the answer.
    let bytes = (body.len() as u64).saturating_mul(BYTES_HELD_PER_BYTE);
    let charge = app.breakers().in_flight.charge(bytes, "<bulk>").map_err(::search::Error::DataTooLarge)?;
    let answer = ask(app, move |search| search.bulk(index.as_deref(), &body, &how)).await?;
    let pieces = answer.into_pieces().map(move |piece| {
        // Given back when the answer is sent.
        let _ = &charge;
        Ok::<_, std::convert::Infallible>(piece)
    });
    let body = Body::from_stream(futures::stream::iter(pieces));
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}
