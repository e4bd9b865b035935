//! Searches, counts, scrolls, points in time, and which fields there are.

use ::search::catalog::Expand;
use ::search::search::SearchParams;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};
use types::TimeSpan;

use super::params::{EXPAND, SOURCE, expand, expand_with};
use super::{ask, ask_search, with_status};
use crate::api::error::ApiError;
use crate::api::extract::{AnyJson, Params, RawBody, UrlPath};
use crate::api::route::{Route, route};
use crate::app::App;

const QUERY: &str =
    "q df default_operator analyzer analyze_wildcard lenient routing preference min_score terminate_after";
const SEARCH: &str = "from size sort docvalue_fields stored_fields track_total_hits track_scores scroll search_type \
                      request_cache typed_keys rest_total_hits_as_int ccs_minimize_roundtrips batched_reduce_size \
                      max_concurrent_shard_requests max_concurrent_searches pre_filter_shard_size \
                      allow_partial_search_results timeout version seq_no_primary_term explain stats \
                      include_named_queries_score force_synthetic_source";

pub(super) fn routes() -> Vec<Route> {
    const HOW: &[&str] = &[QUERY, SEARCH, SOURCE, EXPAND];
    const CAPS: &[&str] = &[EXPAND, "fields include_unmapped filters types include_empty_fields"];
    vec![
        route("GET POST", "/_search", "Search all indices", HOW, search_all),
        route("GET POST", "/{index}/_search", "Search", HOW, search_in),
        route("GET POST", "/_msearch", "Several searches", HOW, multi_search_all),
        route("GET POST", "/{index}/_msearch", "Several searches in an index", HOW, multi_search_in),
        route("GET POST", "/_count", "Count in all indices", &[QUERY, EXPAND], count_all),
        route("GET POST", "/{index}/_count", "Count", &[QUERY, EXPAND], count_in),
        route(
            "GET POST",
            "/_search/scroll",
            "The next page of a scroll",
            &["scroll scroll_id rest_total_hits_as_int"],
            scroll,
        ),
        route("DELETE", "/_search/scroll", "End scrolls", &["scroll_id"], clear_scroll),
        route(
            "DELETE",
            "/_search/scroll/{scroll_id}",
            "End these scrolls, or `_all`",
            &[],
            clear_named_scroll,
        ),
        route(
            "POST",
            "/{index}/_pit",
            "Open a point in time",
            &[EXPAND, "keep_alive routing preference allow_partial_search_results"],
            open_pit,
        ),
        route("DELETE", "/_pit", "Close a point in time", &[], close_pit),
        route("GET POST", "/_field_caps", "Fields of all indices", CAPS, field_caps_all),
        route("GET POST", "/{index}/_field_caps", "Fields of an index", CAPS, field_caps_in),
        route(
            "GET POST",
            "/_validate/query",
            "Can a query be understood",
            &[EXPAND, QUERY, "explain rewrite all_shards"],
            validate_all,
        ),
        route(
            "GET POST",
            "/{index}/_validate/query",
            "Can a query be understood",
            &[EXPAND, QUERY, "explain rewrite all_shards"],
            validate_in,
        ),
    ]
}

fn search_params(params: &Params) -> Result<SearchParams, ApiError> {
    let text = |name: &str| params.text(name).map(str::to_owned);
    Ok(SearchParams {
        expand: expand(params)?,
        q: text("q"),
        df: text("df"),
        default_operator: text("default_operator"),
        sort: text("sort"),
        from: natural(params, "from")?,
        size: natural(params, "size")?,
        source: text("_source"),
        source_includes: text("_source_includes"),
        source_excludes: text("_source_excludes"),
        docvalue_fields: text("docvalue_fields"),
        track_total_hits: text("track_total_hits"),
        scroll_ms: params.span("scroll")?.map(TimeSpan::as_millis),
        typed_keys: params.flag("typed_keys", false)?,
        total_as_int: params.flag("rest_total_hits_as_int", false)?,
        timeout_ms: params.span("timeout")?.and_then(|span| u64::try_from(span.as_millis()).ok()),
        all_or_nothing: !params.flag("allow_partial_search_results", true)?,
    })
}

fn natural(params: &Params, name: &str) -> Result<Option<u64>, ApiError> {
    let Some(number) = params.number::<i64>(name)? else { return Ok(None) };
    u64::try_from(number)
        .map(Some)
        .map_err(|_| ApiError::argument(format!("[{name}] parameter cannot be negative, found [{number}]")))
}

async fn search(
    app: &App,
    index: String,
    params: &Params,
    AnyJson(body): AnyJson,
) -> Result<Json<Value>, ApiError> {
    let how = search_params(params)?;
    Ok(Json(ask_search(app, move |search| search.search(&index, &how, &body)).await?))
}

/// `POST /_search`
async fn search_all(State(app): State<App>, params: Params, body: AnyJson) -> Result<Json<Value>, ApiError> {
    search(&app, String::new(), &params, body).await
}

/// `POST /{index}/_search`
async fn search_in(
    State(app): State<App>,
    UrlPath(index): UrlPath<String>,
    params: Params,
    body: AnyJson,
) -> Result<Json<Value>, ApiError> {
    search(&app, index, &params, body).await
}

async fn multi_search(
    app: &App,
    index: String,
    params: &Params,
    RawBody(body): RawBody,
) -> Result<Json<Value>, ApiError> {
    let how = search_params(params)?;
    Ok(Json(ask_search(app, move |search| search.multi_search(&index, &how, &body)).await?))
}

/// `POST /_msearch`
async fn multi_search_all(
    State(app): State<App>,
    params: Params,
    body: RawBody,
) -> Result<Json<Value>, ApiError> {
    multi_search(&app, String::new(), &params, body).await
}

/// `POST /{index}/_msearch`
async fn multi_search_in(
    State(app): State<App>,
    UrlPath(index): UrlPath<String>,
    params: Params,
    body: RawBody,
) -> Result<Json<Value>, ApiError> {
    multi_search(&app, index, &params, body).await
}

async fn count(
    app: &App,
    index: String,
    params: &Params,
    AnyJson(body): AnyJson,
) -> Result<Json<Value>, ApiError> {
    let how = search_params(params)?;
    Ok(Json(ask_search(app, move |search| search.count(&index, &how, &body)).await?))
}

/// `POST /_count`
async fn count_all(State(app): State<App>, params: Params, body: AnyJson) -> Result<Json<Value>, ApiError> {
    count(&app, String::new(), &params, body).await
}

/// `POST /{index}/_count`
async fn count_in(
    State(app): State<App>,
    UrlPath(index): UrlPath<String>,
    params: Params,
    body: AnyJson,
) -> Result<Json<Value>, ApiError> {
    count(&app, index, &params, body).await
}

/// A field of the body, or else a query parameter of the same name.
fn either(body: &Value, params: &Params, name: &str) -> Option<Value> {
    body.get(name).cloned().or_else(|| params.text(name).map(|text| json!(text)))
}

fn keep_ms(value: Option<Value>, name: &str) -> Result<Option<i64>, ApiError> {
    let Some(value) = value else { return Ok(None) };
    let text = value
        .as_str()
        .ok_or_else(|| ApiError::argument(format!("[{name}] must be a time value, found [{value}]")))?;
    Ok(Some(TimeSpan::parse(text, name)?.as_millis()))
}

/// `POST /_search/scroll`
async fn scroll(
    State(app): State<App>,
    params: Params,
    AnyJson(body): AnyJson,
) -> Result<Json<Value>, ApiError> {
    let id = either(&body, &params, "scroll_id");
    let id = id
        .as_ref()
        .and_then(Value::as_str)
        .ok_or_else(|| ApiError::validation("scrollId is missing"))?
        .to_owned();
    let keep = keep_ms(either(&body, &params, "scroll"), "scroll")?;
    Ok(Json(ask_search(&app, move |search| search.scroll(&id, keep)).await?))
}

/// `DELETE /_search/scroll`
async fn clear_scroll(
    State(app): State<App>,
    params: Params,
    AnyJson(body): AnyJson,
) -> Result<Response, ApiError> {
    let ids: Vec<String> = match either(&body, &params, "scroll_id") {
        Some(Value::String(list)) => list.split(',').map(str::to_owned).collect(),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => return Err(ApiError::validation("no scroll ids specified")),
    };
    let freed = ask(&app, move |search| search.clear_scroll(&ids)).await?;
    let status = if freed > 0 { 200 } else { 404 };
    Ok(with_status(status, json!({ "succeeded": true, "num_freed": freed })))
}

/// `DELETE /_search/scroll/{scroll_id}`
async fn clear_named_scroll(
    State(app): State<App>,
    UrlPath(ids): UrlPath<String>,
) -> Result<Response, ApiError> {
    let ids: Vec<String> = ids.split(',').map(str::to_owned).collect();
    // That there are none is as it was wished.
    let all = ids.iter().any(|id| id == "_all");
    let freed = ask(&app, move |search| search.clear_scroll(&ids)).await?;
    let status = if freed > 0 || all { 200 } else { 404 };
    Ok(with_status(status, json!({ "succeeded": true, "num_freed": freed })))
}

/// `POST /{index}/_pit`
async fn open_pit(
    State(app): State<App>,
    UrlPath(index): UrlPath<String>,
    params: Params,
) -> Result<Json<Value>, ApiError> {
    let expand = expand(&params)?;
    let Some(keep) = params.span("keep_alive")? else {
        return Err(ApiError::validation("[keep_alive] is missing"));
    };
    Ok(Json(ask(&app, move |search| search.open_pit(&index, Some(keep.as_millis()), expand)).await?))
}

/// `DELETE /_pit`
async fn close_pit(State(app): State<App>, AnyJson(body): AnyJson) -> Result<Response, ApiError> {
    let id =
        body.get("id").and_then(Value::as_str).ok_or_else(|| ApiError::argument("Required [id]"))?.to_owned();
    let closed = ask(&app, move |search| search.close_pit(&id)).await?;
    let status = if closed { 200 } else { 404 };
    Ok(with_status(status, json!({ "succeeded": true, "num_freed": u8::from(closed) })))
}

/// `GET /_field_caps`
async fn field_caps_all(
    State(app): State<App>,
    params: Params,
    body: AnyJson,
) -> Result<Json<Value>, ApiError> {
    field_caps(&app, String::new(), &params, body).await
}

/// `GET /{index}/_field_caps`
async fn field_caps_in(
    State(app): State<App>,
    UrlPath(index): UrlPath<String>,
    params: Params,
    body: AnyJson,
) -> Result<Json<Value>, ApiError> {
    field_caps(&app, index, &params, body).await
}

async fn field_caps(
    app: &App,
    index: String,
    params: &Params,
    AnyJson(body): AnyJson,
) -> Result<Json<Value>, ApiError> {
    for name in ["index_filter", "runtime_mappings"] {
        if body.get(name).and_then(Value::as_object).is_some_and(|object| !object.is_empty()) {
            return Err(ApiError::argument(format!("[{name}] is not supported by the embedded store")));
        }
    }
    let fields: Vec<String> = match either(&body, params, "fields") {
        Some(Value::String(list)) => list.split(',').map(|field| field.trim().to_owned()).collect(),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => return Err(ApiError::validation("no fields specified")),
    };
    let unmapped = params.flag("include_unmapped", false)?;
    let expand = expand(params)?;
    Ok(Json(ask(app, move |search| search.field_caps(&index, &fields, unmapped, expand)).await?))
}

/// `GET /_validate/query`
async fn validate_all(
    State(app): State<App>,
    params: Params,
    body: AnyJson,
) -> Result<Json<Value>, ApiError> {
    validate(&app, String::new(), &params, body).await
}

/// `GET /{index}/_validate/query`
async fn validate_in(
    State(app): State<App>,
    UrlPath(index): UrlPath<String>,
    params: Params,
    body: AnyJson,
) -> Result<Json<Value>, ApiError> {
    validate(&app, index, &params, body).await
}

async fn validate(
    app: &App,
    index: String,
    params: &Params,
    AnyJson(body): AnyJson,
) -> Result<Json<Value>, ApiError> {
    let expand = expand_with(params, Expand::default())?;
    let explain = params.flag("explain", false)?;
    let problem = ask_search(app, move |search| search.validate_query(&index, &body, expand)).await?;
    let mut answer =
        json!({ "_shards": { "total": 1, "successful": 1, "failed": 0 }, "valid": problem.is_none() });
    if let (true, Some(problem)) = (explain, problem) {
        answer["error"] = json!(problem.to_string());
    }
    Ok(Json(answer))
}
