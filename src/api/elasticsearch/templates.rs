//! Templates for new indices: composable ones, their components, and those of old.

use ::search::catalog::state::Kind;
use axum::Json;
use axum::extract::State;
use serde_json::Value;

use super::ask;
use super::params::WAIT;
use crate::api::error::ApiError;
use crate::api::extract::{AnyJson, Params, UrlPath};
use crate::api::route::{Route, route};
use crate::app::App;

const SHOWN: &str = "flat_settings include_defaults include_type_name";
const CHANGE: &str = "create cause order include_type_name";

pub(super) fn routes() -> Vec<Route> {
    let mut routes = Vec::new();
    for (kind, all, one) in [
        (Kind::IndexTemplate, "/_index_template", "/_index_template/{name}"),
        (Kind::ComponentTemplate, "/_component_template", "/_component_template/{name}"),
        (Kind::LegacyTemplate, "/_template", "/_template/{name}"),
    ] {
        let list = move |State(app): State<App>| async move { get(&app, kind, String::new()).await };
        let read = move |State(app): State<App>, UrlPath(name): UrlPath<String>| async move {
            get(&app, kind, name).await
        };
        let write = move |State(app): State<App>,
                          UrlPath(name): UrlPath<String>,
                          params: Params,
                          body: AnyJson| async move {
            put(&app, kind, name, &params, body).await
        };
        let remove = move |State(app): State<App>, UrlPath(name): UrlPath<String>| async move {
            Ok::<_, ApiError>(Json(ask(&app, move |search| search.delete_template(kind, &name)).await?))
        };
        routes.push(route("GET", all, "All templates", &[WAIT, SHOWN], list));
        routes.push(route("GET", one, "A template", &[WAIT, SHOWN], read));
        routes.push(route("PUT POST", one, "Write a template", &[WAIT, CHANGE], write));
        routes.push(route("DELETE", one, "Delete a template", &[WAIT], remove));
    }
    routes
}

async fn get(app: &App, kind: Kind, pattern: String) -> Result<Json<Value>, ApiError> {
    Ok(Json(ask(app, move |search| search.get_template(kind, &pattern)).await?))
}

async fn put(
    app: &App,
    kind: Kind,
    name: String,
    params: &Params,
    AnyJson(body): AnyJson,
) -> Result<Json<Value>, ApiError> {
    let only_new = params.flag("create", false)?;
    let answer = ask(app, move |search| {
        if only_new && search.stored(kind, &name).is_ok_and(|found| !found.is_empty()) {
            return Err(::search::Error::illegal(format!("template [{name}] already exists")));
        }
        search.put_template(kind, &name, &body)
    });
    Ok(Json(answer.await?))
}
