//! `_bulk`: many writes in one request.

use ::search::document::BulkParams;
use axum::Json;
use axum::extract::State;
use serde_json::Value;

use super::ask;
use super::params::{self, SOURCE, WAIT};
use crate::api::error::ApiError;
use crate::api::extract::{Params, RawBody, UrlPath};
use crate::api::route::{Route, route};
use crate::app::App;

const BULK: &str = "refresh routing pipeline require_alias list_executed_pipelines";

pub(super) fn routes() -> Vec<Route> {
    vec![
        route("POST PUT", "/_bulk", "Many writes", &[BULK, WAIT, SOURCE], bulk),
        route("POST PUT", "/{index}/_bulk", "Many writes to an index", &[BULK, WAIT, SOURCE], bulk_to),
    ]
}

/// `POST /_bulk`
async fn bulk(State(app): State<App>, params: Params, body: RawBody) -> Result<Json<Value>, ApiError> {
    write(&app, None, &params, body).await
}

/// `POST /{index}/_bulk`
async fn bulk_to(
    State(app): State<App>,
    UrlPath(index): UrlPath<String>,
    params: Params,
    body: RawBody,
) -> Result<Json<Value>, ApiError> {
    write(&app, Some(index), &params, body).await
}

async fn write(
    app: &App,
    index: Option<String>,
    params: &Params,
    RawBody(body): RawBody,
) -> Result<Json<Value>, ApiError> {
    params::refuse_pipeline(params)?;
    params::refresh(params)?;
    if body.is_empty() {
        return Err(ApiError::new(types::ErrorKind::Parse, "request body is required"));
    }
    let how = BulkParams { require_alias: params.flag("require_alias", false)? };
    let answer = ask(app, move |search| Ok(search.bulk(index.as_deref(), &body, &how)?.to_json())).await?;
    Ok(Json(answer))
}
