//! One document: written, read, changed, deleted; and several read at once.

use ::search::document::WriteAnswer;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use super::params::{self, EXPAND, SOURCE, WAIT, WRITE};
use super::{ask, with_status};
use crate::api::error::ApiError;
use crate::api::extract::{AnyJson, Params, RawBody, UrlPath};
use crate::api::route::{Route, route};
use crate::app::App;

const READ: &str = "realtime refresh routing preference stored_fields version version_type";

pub(super) fn routes() -> Vec<Route> {
    vec![
        route("PUT POST", "/{index}/_doc/{id}", "Write a document", &[WRITE, WAIT, "op_type"], put),
        route(
            "POST",
            "/{index}/_doc",
            "Write a document under an id that is made up",
            &[WRITE, WAIT, "op_type"],
            post,
        ),
        route(
            "PUT POST",
            "/{index}/_create/{id}",
            "Write a document that must not exist",
            &[WRITE, WAIT],
            create,
        ),
        route("GET", "/{index}/_doc/{id}", "Read a document", &[READ, SOURCE], get),
        route(
            "GET",
            "/{index}/_source/{id}",
            "Read what was written, and nothing else",
            &[READ, SOURCE],
            get_source,
        ),
        route("DELETE", "/{index}/_doc/{id}", "Delete a document", &[WRITE, WAIT], delete),
        route(
            "POST",
            "/{index}/_update/{id}",
            "Change a document",
            &[WRITE, WAIT, SOURCE, "retry_on_conflict"],
            update,
        ),
        route("GET POST", "/_mget", "Read several documents", &[READ, SOURCE], multi_get),
        route(
            "GET POST",
            "/{index}/_mget",
            "Read several documents of an index",
            &[READ, SOURCE, EXPAND],
            multi_get_of,
        ),
    ]
}

/// `PUT /{index}/_doc/{id}`
async fn put(
    State(app): State<App>,
    UrlPath((index, id)): UrlPath<(String, String)>,
    params: Params,
    body: RawBody,
) -> Result<Response, ApiError> {
    let create = is_create(&params)?;
    write(&app, index, Some(id), &params, body, create).await
}

/// `POST /{index}/_doc`
async fn post(
    State(app): State<App>,
    UrlPath(index): UrlPath<String>,
    params: Params,
    body: RawBody,
) -> Result<Response, ApiError> {
    is_create(&params)?;
    write(&app, index, None, &params, body, false).await
}

/// `PUT /{index}/_create/{id}`
async fn create(
    State(app): State<App>,
    UrlPath((index, id)): UrlPath<(String, String)>,
    params: Params,
    body: RawBody,
) -> Result<Response, ApiError> {
    write(&app, index, Some(id), &params, body, true).await
}

fn is_create(params: &Params) -> Result<bool, ApiError> {
    match params.text("op_type") {
        None | Some("" | "index") => Ok(false),
        Some("create") => Ok(true),
        Some(other) => {
            Err(ApiError::argument(format!("opType must be 'create' or 'index', found: [{other}]")))
        }
    }
}

async fn write(
    app: &App,
    index: String,
    id: Option<String>,
    params: &Params,
    RawBody(body): RawBody,
    create: bool,
) -> Result<Response, ApiError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(ApiError::validation("source is missing"));
    }
    let mut how = params::write(params)?;
    how.create = create;
    let refreshed = params::refresh(params)?;
    let answer = ask(app, move |search| search.index_document(&index, id.as_deref(), &body, &how)).await?;
    Ok(written(&answer, refreshed))
}

fn written(answer: &WriteAnswer, refreshed: bool) -> Response {
    let mut body = answer.to_json();
    if refreshed {
        body["forced_refresh"] = json!(true);
    }
    with_status(answer.status(), body)
}

/// `GET /{index}/_doc/{id}`
async fn get(
    State(app): State<App>,
    UrlPath((index, id)): UrlPath<(String, String)>,
    params: Params,
) -> Result<Response, ApiError> {
    let filter = params::source_filter(&params)?;
    let answer = ask(&app, move |search| search.get_document(&index, &id, &filter)).await?;
    let status = if answer["found"] == true { 200 } else { 404 };
    Ok(with_status(status, answer))
}

/// `GET /{index}/_source/{id}`
async fn get_source(
    State(app): State<App>,
    UrlPath((index, id)): UrlPath<(String, String)>,
    params: Params,
) -> Result<Json<Value>, ApiError> {
    let filter = params::source_filter(&params)?;
    let missing = format!("Document not found [{index}]/[{id}]");
    let mut answer = ask(&app, move |search| search.get_document(&index, &id, &filter)).await?;
    match answer.get_mut("_source") {
        Some(source) => Ok(Json(source.take())),
        None => Err(ApiError::new(types::ErrorKind::NotFound, missing)),
    }
}

/// `DELETE /{index}/_doc/{id}`
async fn delete(
    State(app): State<App>,
    UrlPath((index, id)): UrlPath<(String, String)>,
    params: Params,
) -> Result<Response, ApiError> {
    let how = params::write(&params)?;
    let refreshed = params::refresh(&params)?;
    let answer = ask(&app, move |search| search.delete_document(&index, &id, &how)).await?;
    Ok(written(&answer, refreshed))
}

/// `POST /{index}/_update/{id}`
async fn update(
    State(app): State<App>,
    UrlPath((index, id)): UrlPath<(String, String)>,
    params: Params,
    AnyJson(body): AnyJson,
) -> Result<Response, ApiError> {
    params::refuse_pipeline(&params)?;
    let refreshed = params::refresh(&params)?;
    let condition = params::if_seq_no(&params)?;
    let require_alias = params.flag("require_alias", false)?;
    let shown = params::source_value(&params).or_else(|| body.get("_source").cloned());
    let (answer, source) =
        ask(&app, move |search| search.update_document(&index, &id, &body, condition, require_alias)).await?;
    let mut answer_body = answer.to_json();
    if refreshed {
        answer_body["forced_refresh"] = json!(true);
    }
    if let Some(shown) = shown.filter(|shown| *shown != Value::Bool(false)) {
        let filter = ::search::search::SourceFilter::parse(&shown)?;
        let mut got = json!({ "found": true });
        if let Some(source) = filter.apply_text(&Value::Object(source).to_string())? {
            got["_source"] = source;
        }
        answer_body["get"] = got;
    }
    Ok(with_status(answer.status(), answer_body))
}

/// `POST /_mget`
async fn multi_get(State(app): State<App>, params: Params, body: AnyJson) -> Result<Json<Value>, ApiError> {
    read_many(&app, None, &params, body).await
}

/// `POST /{index}/_mget`
async fn multi_get_of(
    State(app): State<App>,
    UrlPath(index): UrlPath<String>,
    params: Params,
    body: AnyJson,
) -> Result<Json<Value>, ApiError> {
    read_many(&app, Some(index), &params, body).await
}

async fn read_many(
    app: &App,
    index: Option<String>,
    params: &Params,
    AnyJson(body): AnyJson,
) -> Result<Json<Value>, ApiError> {
    let filter = params::source_filter(params)?;
    Ok(Json(ask(app, move |search| search.multi_get(index.as_deref(), &body, &filter)).await?))
}
