//! Aliases.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use super::params::{EXPAND, WAIT, expand};
use super::{ask, with_status};
use crate::api::error::ApiError;
use crate::api::extract::{AnyJson, Params, UrlPath};
use crate::api::route::{Route, route};
use crate::app::App;

pub(super) fn routes() -> Vec<Route> {
    let mut routes = vec![
        route("POST", "/_aliases", "Add and remove aliases, all or none", &[WAIT], change),
        route("GET", "/_aliases", "All aliases", &[EXPAND, WAIT], all),
        route("GET", "/_alias", "All aliases", &[EXPAND, WAIT], all),
        route("GET", "/_alias/{name}", "Which indices an alias stands for", &[EXPAND, WAIT], named),
        route("GET", "/{index}/_alias", "Aliases of an index", &[EXPAND, WAIT], of_index),
    ];
    for path in ["/{index}/_alias/{name}", "/{index}/_aliases/{name}"] {
        routes.push(route("PUT POST", path, "Add an alias", &[WAIT], put));
        routes.push(route("DELETE", path, "Remove an alias", &[WAIT], delete));
    }
    routes.push(route(
        "GET",
        "/{index}/_alias/{name}",
        "An alias of an index",
        &[EXPAND, WAIT],
        named_of_index,
    ));
    routes
}

/// `POST /_aliases`
async fn change(State(app): State<App>, AnyJson(body): AnyJson) -> Result<Json<Value>, ApiError> {
    Ok(Json(ask(&app, move |search| search.update_aliases(&body)).await?))
}

/// `PUT /{index}/_alias/{name}`
async fn put(
    State(app): State<App>,
    UrlPath((index, name)): UrlPath<(String, String)>,
    AnyJson(body): AnyJson,
) -> Result<Json<Value>, ApiError> {
    Ok(Json(ask(&app, move |search| search.put_alias(&index, &name, &body)).await?))
}

/// `DELETE /{index}/_alias/{name}`
async fn delete(
    State(app): State<App>,
    UrlPath((index, name)): UrlPath<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    Ok(Json(ask(&app, move |search| search.delete_alias(&index, &name)).await?))
}

/// `GET /_alias`
async fn all(State(app): State<App>, params: Params) -> Result<Response, ApiError> {
    list(&app, String::new(), String::new(), &params).await
}

/// `GET /_alias/{name}`
async fn named(
    State(app): State<App>,
    UrlPath(name): UrlPath<String>,
    params: Params,
) -> Result<Response, ApiError> {
    list(&app, String::new(), name, &params).await
}

/// `GET /{index}/_alias`
async fn of_index(
    State(app): State<App>,
    UrlPath(index): UrlPath<String>,
    params: Params,
) -> Result<Response, ApiError> {
    list(&app, index, String::new(), &params).await
}

/// `GET /{index}/_alias/{name}`
async fn named_of_index(
    State(app): State<App>,
    UrlPath((index, name)): UrlPath<(String, String)>,
    params: Params,
) -> Result<Response, ApiError> {
    list(&app, index, name, &params).await
}

async fn list(app: &App, index: String, name: String, params: &Params) -> Result<Response, ApiError> {
    let expand = expand(params)?;
    let (mut found, missing) = ask(app, move |search| search.get_aliases(&index, &name, expand)).await?;
    if missing.is_empty() {
        return Ok(with_status(200, found));
    }
    let plural = if missing.len() > 1 { "es" } else { "" };
    found["error"] = json!(format!("alias{plural} [{}] missing", missing.join(",")));
    found["status"] = json!(404);
    Ok(with_status(404, found))
}
