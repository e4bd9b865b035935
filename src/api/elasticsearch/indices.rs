//! Indices: created, deleted, described; their mappings and settings.

use ::search::Search;
use ::search::catalog::Expand;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use super::params::{EXPAND, WAIT, expand, expand_with};
use super::{ask, with_status};
use crate::api::error::ApiError;
use crate::api::extract::{AnyJson, Params, UrlPath};
use crate::api::route::{Route, route};
use crate::app::App;

const SHOWN: &str = "flat_settings include_defaults include_type_name features human";
const REFRESH: &str = "force wait_if_ongoing max_num_segments only_expunge_deletes flush wait_for_completion \
                       fielddata query request fields";

pub(super) fn routes() -> Vec<Route> {
    let mut routes = vec![
        route("PUT", "/{index}", "Create an index", &[WAIT, "include_type_name"], create),
        route("DELETE", "/{index}", "Delete an index", &[EXPAND, WAIT], delete),
        route("GET", "/{index}", "Describe an index", &[EXPAND, WAIT, SHOWN], describe),
        route("HEAD", "/{index}", "Does an index exist", &[EXPAND, WAIT, SHOWN], exists),
        route("GET", "/_mapping", "Mappings of all indices", &[EXPAND, WAIT, SHOWN], all_mappings),
        route("GET", "/{index}/_mapping", "Mapping of an index", &[EXPAND, WAIT, SHOWN], mapping),
        route(
            "GET",
            "/{index}/_mapping/field/{fields}",
            "Mapping of fields",
            &[EXPAND, WAIT, SHOWN],
            field_mapping,
        ),
        route(
            "PUT POST",
            "/{index}/_mapping",
            "Add to a mapping",
            &[EXPAND, WAIT, "include_type_name write_index_only"],
            put_mapping,
        ),
        route("GET", "/_settings", "Settings of all indices", &[EXPAND, WAIT, SHOWN], all_settings),
        route("GET", "/{index}/_settings", "Settings of an index", &[EXPAND, WAIT, SHOWN], settings),
        route(
            "GET",
            "/{index}/_settings/{name}",
            "Some settings of an index",
            &[EXPAND, WAIT, SHOWN],
            some_settings,
        ),
        route(
            "PUT",
            "/{index}/_settings",
            "Change settings of an index",
            &[EXPAND, WAIT, "flat_settings preserve_existing reopen"],
            put_settings,
        ),
        route("POST", "/{index}/_open", "Open an index", &[EXPAND, WAIT], open),
        route("POST", "/{index}/_close", "Close an index", &[EXPAND, WAIT], close),
        route("GET", "/_stats", "Sizes of all indices", &[EXPAND, "level"], all_stats),
        route("GET", "/{index}/_stats", "Sizes of an index", &[EXPAND, "level"], stats),
        route("GET", "/_resolve/index/{index}", "What an expression means", &[EXPAND], resolve),
    ];
    for (all, of, purpose) in [
        ("/_refresh", "/{index}/_refresh", "Does nothing: writes are visible at once"),
        ("/_flush", "/{index}/_flush", "Does nothing: writes are on the disk at once"),
        ("/_forcemerge", "/{index}/_forcemerge", "Does nothing: there are no segments"),
        ("/_cache/clear", "/{index}/_cache/clear", "Does nothing: there are no caches"),
    ] {
        routes.push(route("POST GET", all, purpose, &[EXPAND, REFRESH], refresh_all));
        routes.push(route("POST GET", of, purpose, &[EXPAND, REFRESH], refresh));
    }
    routes
}

/// `PUT /{index}`
async fn create(
    State(app): State<App>,
    UrlPath(index): UrlPath<String>,
    AnyJson(body): AnyJson,
) -> Result<Json<Value>, ApiError> {
    let body = if body.is_null() { json!({}) } else { body };
    if !body.is_object() {
        return Err(ApiError::new(
            types::ErrorKind::Parse,
            "the body of a request to create an index must be an object",
        ));
    }
    Ok(Json(ask(&app, move |search| search.create_index(&index, &body)).await?))
}

/// `DELETE /{index}`
async fn delete(
    State(app): State<App>,
    UrlPath(index): UrlPath<String>,
    params: Params,
) -> Result<Json<Value>, ApiError> {
    let expand = expand(&params)?;
    Ok(Json(ask(&app, move |search| search.delete_index(&index, expand)).await?))
}

/// `HEAD /{index}`
async fn exists(
    State(app): State<App>,
    UrlPath(index): UrlPath<String>,
    params: Params,
) -> Result<Response, ApiError> {
    let expand = expand(&params)?;
    let exists = ask(&app, move |search| search.index_exists(&index, expand)).await?;
    Ok(with_status(if exists { 200 } else { 404 }, Value::Null))
}

/// Answers with what the store says of the indices that an expression means.
async fn about(
    app: &App,
    index: String,
    params: &Params,
    say: impl FnOnce(&Search, &str, Expand) -> ::search::Result<Value> + Send + 'static,
) -> Result<Json<Value>, ApiError> {
    let expand = expand(params)?;
    Ok(Json(ask(app, move |search| say(search, &index, expand)).await?))
}

/// `GET /{index}`
async fn describe(
    State(app): State<App>,
    UrlPath(index): UrlPath<String>,
    params: Params,
) -> Result<Json<Value>, ApiError> {
    about(&app, index, &params, Search::get_index).await
}

/// `GET /_mapping`
async fn all_mappings(State(app): State<App>, params: Params) -> Result<Json<Value>, ApiError> {
    about(&app, String::new(), &params, Search::get_mapping).await
}

/// `GET /{index}/_mapping`
async fn mapping(
    State(app): State<App>,
    UrlPath(index): UrlPath<String>,
    params: Params,
) -> Result<Json<Value>, ApiError> {
    about(&app, index, &params, Search::get_mapping).await
}

/// `GET /{index}/_mapping/field/{fields}`
async fn field_mapping(
    State(app): State<App>,
    UrlPath((index, fields)): UrlPath<(String, String)>,
    params: Params,
) -> Result<Json<Value>, ApiError> {
    about(&app, index, &params, move |search, index, expand| search.get_field_mapping(index, &fields, expand))
        .await
}

/// `PUT /{index}/_mapping`
async fn put_mapping(
    State(app): State<App>,
    UrlPath(index): UrlPath<String>,
    params: Params,
    AnyJson(body): AnyJson,
) -> Result<Json<Value>, ApiError> {
    about(&app, index, &params, move |search, index, expand| search.put_mapping(index, &body, expand)).await
}

/// `GET /_settings`
async fn all_settings(State(app): State<App>, params: Params) -> Result<Json<Value>, ApiError> {
    let flat = params.flag("flat_settings", false)?;
    about(&app, String::new(), &params, move |search, index, expand| search.get_settings(index, flat, expand))
        .await
}

/// `GET /{index}/_settings`
async fn settings(
    State(app): State<App>,
    UrlPath(index): UrlPath<String>,
    params: Params,
) -> Result<Json<Value>, ApiError> {
    let flat = params.flag("flat_settings", false)?;
    about(&app, index, &params, move |search, index, expand| search.get_settings(index, flat, expand)).await
}

/// `GET /{index}/_settings/{name}`: all settings, of which the client picks its own.
async fn some_settings(
    State(app): State<App>,
    UrlPath((index, _)): UrlPath<(String, String)>,
    params: Params,
) -> Result<Json<Value>, ApiError> {
    settings(State(app), UrlPath(index), params).await
}

/// `PUT /{index}/_settings`
async fn put_settings(
    State(app): State<App>,
    UrlPath(index): UrlPath<String>,
    params: Params,
    AnyJson(body): AnyJson,
) -> Result<Json<Value>, ApiError> {
    about(&app, index, &params, move |search, index, expand| search.put_settings(index, &body, expand)).await
}

/// `POST /{index}/_open`
async fn open(
    State(app): State<App>,
    UrlPath(index): UrlPath<String>,
    params: Params,
) -> Result<Json<Value>, ApiError> {
    about(&app, index, &params, |search, index, expand| search.set_open(index, true, expand)).await
}

/// `POST /{index}/_close`
async fn close(
    State(app): State<App>,
    UrlPath(index): UrlPath<String>,
    params: Params,
) -> Result<Json<Value>, ApiError> {
    about(&app, index, &params, |search, index, expand| search.set_open(index, false, expand)).await
}

/// `GET /_stats`
async fn all_stats(State(app): State<App>, params: Params) -> Result<Json<Value>, ApiError> {
    about(&app, String::new(), &params, Search::stats).await
}

/// `GET /{index}/_stats`
async fn stats(
    State(app): State<App>,
    UrlPath(index): UrlPath<String>,
    params: Params,
) -> Result<Json<Value>, ApiError> {
    about(&app, index, &params, Search::stats).await
}

/// `GET /_resolve/index/{index}`
async fn resolve(
    State(app): State<App>,
    UrlPath(index): UrlPath<String>,
    params: Params,
) -> Result<Json<Value>, ApiError> {
    about(&app, index, &params, Search::resolve_index).await
}

/// `POST /_refresh` and its like
async fn refresh_all(State(app): State<App>, params: Params) -> Result<Json<Value>, ApiError> {
    let expand = expand_with(&params, Expand { hidden: true, ..Expand::default() })?;
    Ok(Json(ask(&app, move |search| search.refresh("", expand)).await?))
}

/// `POST /{index}/_refresh` and its like
async fn refresh(
    State(app): State<App>,
    UrlPath(index): UrlPath<String>,
    params: Params,
) -> Result<Json<Value>, ApiError> {
    about(&app, index, &params, Search::refresh).await
}
