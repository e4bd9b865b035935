//! Deleting and writing again what a query matches.

use ::search::document::by_query::ByQueryParams;
use axum::Json;
use axum::extract::State;
use serde_json::Value;

use super::ask;
use super::params::{self, EXPAND, WAIT, expand};
use crate::api::error::ApiError;
use crate::api::extract::{AnyJson, Params, UrlPath};
use crate::api::route::{Route, route};
use crate::app::App;

const HOW: &str = "conflicts refresh wait_for_completion slices scroll_size max_docs requests_per_second scroll q df \
                   default_operator analyzer analyze_wildcard lenient routing preference search_timeout search_type \
                   request_cache sort stats terminate_after version pipeline from size";

pub(super) fn routes() -> Vec<Route> {
    let params: &[&str] = &[HOW, EXPAND, WAIT];
    vec![
        route("POST", "/{index}/_delete_by_query", "Delete what matches", params, delete),
        route("POST", "/{index}/_update_by_query", "Write again what matches", params, update),
    ]
}

fn by_query_params(params: &Params, body: &Value) -> Result<ByQueryParams, ApiError> {
    params::refuse_pipeline(params)?;
    params::refresh(params)?;
    for name in ["q", "sort", "from", "size"] {
        if params.text(name).is_some() {
            return Err(ApiError::argument(format!(
                "[{name}] is not supported here: say it in the body's [query]"
            )));
        }
    }
    if !params.flag("wait_for_completion", true)? {
        return Err(ApiError::argument("wait_for_completion=false is not supported by the embedded store"));
    }
    let conflicts = params.text("conflicts").or_else(|| body.get("conflicts").and_then(Value::as_str));
    let proceed = match conflicts {
        None | Some("abort") => false,
        Some("proceed") => true,
        Some(other) => {
            return Err(ApiError::argument(format!(
                "conflicts may only be \"proceed\" or \"abort\" but was [{other}]"
            )));
        }
    };
    let in_body = body.get("max_docs").map(|value| {
        value
            .as_u64()
            .and_then(|number| usize::try_from(number).ok())
            .filter(|number| *number > 0)
            .ok_or_else(|| {
                ApiError::argument(format!("[max_docs] parameter must be greater than 0, found [{value}]"))
            })
    });
    let max_docs = match params.number::<usize>("max_docs")? {
        Some(0) => return Err(ApiError::argument("[max_docs] parameter must be greater than 0, found [0]")),
        Some(number) => Some(number),
        None => in_body.transpose()?,
    };
    Ok(ByQueryParams { expand: expand(params)?, proceed, max_docs })
}

/// `POST /{index}/_delete_by_query`
async fn delete(
    State(app): State<App>,
    UrlPath(index): UrlPath<String>,
    params: Params,
    AnyJson(body): AnyJson,
) -> Result<Json<Value>, ApiError> {
    let how = by_query_params(&params, &body)?;
    let answer = ask(&app, move |search| search.delete_by_query(&index, &body, &how)).await?;
    Ok(Json(answer.to_json()))
}

/// `POST /{index}/_update_by_query`
async fn update(
    State(app): State<App>,
    UrlPath(index): UrlPath<String>,
    params: Params,
    AnyJson(body): AnyJson,
) -> Result<Json<Value>, ApiError> {
    let how = by_query_params(&params, &body)?;
    let answer = ask(&app, move |search| search.update_by_query(&index, &body, &how)).await?;
    Ok(Json(answer.to_json()))
}
