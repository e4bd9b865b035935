//! `/_ml/filters`: lists of values that custom rules refer to.

use axum::Json;
use axum::extract::State;
use jobs::FilterUpdate;
use serde::Deserialize;
use serde_json::Value;

use super::error::ApiError;
use super::extract::{EsJson, Named, UrlPath};
use super::listing::{self, acknowledged, listed};
use super::options::Options;
use super::route::{Route, route};
use crate::app::App;

const FILTERS_DEFAULT: i64 = 100;

pub(super) fn routes() -> Vec<Route> {
    let one = "/_ml/filters/{filter_id}";
    vec![
        route("PUT", one, "Create a filter", &[], put),
        route("GET", "/_ml/filters", "All filters", &["from size"], get_all),
        route("GET", one, "Filters", &["from size"], get),
        route("POST", "/_ml/filters/{filter_id}/_update", "Change a filter", &[], update),
        route("DELETE", one, "Delete a filter that no job uses", &[], delete),
    ]
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FilterBody {
    filter_id: Option<String>,
    description: Option<String>,
    #[serde(default)]
    items: Vec<String>,
}

impl Named for FilterBody {
    const NAME: &'static str = "filter";
}

impl Named for FilterUpdate {
    const NAME: &'static str = "update_filter_action_request";
}

/// `PUT /_ml/filters/{filter_id}`
async fn put(
    State(app): State<App>,
    UrlPath(filter_id): UrlPath<String>,
    EsJson(body): EsJson<FilterBody>,
) -> Result<Json<Value>, ApiError> {
    if let Some(named) = body.filter_id.filter(|named| *named != filter_id) {
        return Err(ApiError::argument(format!(
            "Inconsistent filter_id; '{named}' specified in the body differs from '{filter_id}' specified as a URL argument"
        )));
    }
    listing::json(app.jobs().put_filter(&filter_id, body.description, body.items).await?).map(Json)
}

/// `GET /_ml/filters`
async fn get_all(state: State<App>, options: Options) -> Result<Json<Value>, ApiError> {
    get(state, UrlPath(String::new()), options).await
}

/// `GET /_ml/filters/{filter_id}`
async fn get(
    State(app): State<App>,
    UrlPath(filter_id): UrlPath<String>,
    options: Options,
) -> Result<Json<Value>, ApiError> {
    let paging = options.paging(FILTERS_DEFAULT)?;
    if !filter_id.is_empty() && (options.is_set("from") || options.is_set("size")) {
        return Err(ApiError::argument("Params [from, size] are incompatible with [filter_id]."));
    }
    listed("filters", &app.jobs().get_filters(&filter_id, paging).await?).map(Json)
}

/// `POST /_ml/filters/{filter_id}/_update`
async fn update(
    State(app): State<App>,
    UrlPath(filter_id): UrlPath<String>,
    EsJson(body): EsJson<FilterUpdate>,
) -> Result<Json<Value>, ApiError> {
    listing::json(app.jobs().update_filter(&filter_id, body).await?).map(Json)
}

/// `DELETE /_ml/filters/{filter_id}`
async fn delete(
    State(app): State<App>,
    UrlPath(filter_id): UrlPath<String>,
) -> Result<Json<Value>, ApiError> {
    app.jobs().delete_filter(&filter_id).await?;
    Ok(Json(acknowledged()))
}
