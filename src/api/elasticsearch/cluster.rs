//! What clients ask about the server before they use it: root, health, nodes, settings.

use axum::Json;
use axum::body::Body;
use axum::extract::{FromRequest, Request, State};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use types::job::JOB_VERSION;

use super::params::expand;
use super::{ask, forward};
use crate::api::error::ApiError;
use crate::api::extract::{AnyJson, Params, UrlPath, read_bytes};
use crate::api::route::{Route, route};
use crate::app::{App, NODE_ID};

const CLUSTER_UUID: &str = "auspex-embedded-store-";
/// Settings that are this service's own, whatever keeps its documents.
const OURS: &str = "xpack.ml.";

pub(super) fn routes() -> Vec<Route> {
    const WAIT: &str = "master_timeout timeout local";
    const HEALTH: &[&str] = &[
        WAIT,
        "expand_wildcards level wait_for_status wait_for_nodes wait_for_events wait_for_active_shards \
         wait_for_no_initializing_shards wait_for_no_relocating_shards",
    ];
    const STATE: &[&str] = &[
        WAIT,
        "flat_settings wait_for_metadata_version wait_for_timeout ignore_unavailable allow_no_indices expand_wildcards",
    ];
    vec![
        route("GET", "/", "Name and version", &[], root),
        route("GET", "/_cluster/health", "State of the server", HEALTH, health),
        route("GET", "/_cluster/health/{index}", "State of an index", HEALTH, health_of),
        route(
            "GET",
            "/_cluster/settings",
            "Settings of the cluster",
            &["master_timeout timeout flat_settings include_defaults"],
            settings,
        ),
        route(
            "PUT",
            "/_cluster/settings",
            "Change settings while the server runs",
            &["master_timeout timeout flat_settings"],
            put_settings,
        ),
        route("GET", "/_nodes", "The one node", &["timeout flat_settings"], nodes),
        route("GET", "/_nodes/{node}", "The one node", &["timeout flat_settings"], nodes),
        route("GET", "/_nodes/{node}/{metric}", "The one node", &["timeout flat_settings"], nodes),
        route("GET", "/_cluster/state", "The part of the cluster's state that clients read", STATE, state),
        route("GET", "/_cluster/state/{metric}", "A part of the cluster's state", STATE, state_of),
        route(
            "GET",
            "/_cluster/state/{metric}/{index}",
            "A part of the cluster's state",
            STATE,
            state_beside,
        ),
        route("GET", "/_cluster/pending_tasks", "Nothing waits in a cluster of one", &[WAIT], pending),
    ]
}

/// `GET /`
async fn root(State(app): State<App>) -> Json<Value> {
    Json(json!({
        "name": app.config().node_name,
        "cluster_name": app.config().cluster_name,
        "cluster_uuid": CLUSTER_UUID,
        "version": {
            "number": JOB_VERSION,
            "build_flavor": "default",
            "build_type": "tar",
            "build_hash": "0000000000000000000000000000000000000000",
            "build_date": "2026-01-01T00:00:00.000Z",
            "build_snapshot": false,
            "lucene_version": "9.12.2",
            "minimum_wire_compatibility_version": "7.17.0",
            "minimum_index_compatibility_version": "7.0.0",
        },
        "tagline": "You Know, for Search",
    }))
}

/// `GET /_cluster/health`
async fn health(State(app): State<App>, params: Params) -> Result<Json<Value>, ApiError> {
    health_answer(&app, String::new(), &params).await
}

/// `GET /_cluster/health/{index}`
async fn health_of(
    State(app): State<App>,
    UrlPath(index): UrlPath<String>,
    params: Params,
) -> Result<Json<Value>, ApiError> {
    health_answer(&app, index, &params).await
}

/// An embedded store is green as soon as it answers, so that nothing has to be waited for.
async fn health_answer(app: &App, index: String, params: &Params) -> Result<Json<Value>, ApiError> {
    let expand = expand(params)?;
    let mut answer = ask(app, move |search| search.cluster_health(&index, expand)).await?;
    answer["cluster_name"] = json!(app.config().cluster_name);
    Ok(Json(answer))
}

/// `GET /_cluster/settings`: with a cluster, its own.
async fn settings(State(app): State<App>, params: Params, request: Request) -> Result<Response, ApiError> {
    if app.gateway().is_some() {
        return forward(&app, request).await;
    }
    let mut answer = app.jobs().settings(params.flag("flat_settings", false)?);
    if params.flag("include_defaults", false)? {
        answer["defaults"] = json!({});
    }
    Ok(Json(answer).into_response())
}

/// `PUT /_cluster/settings`: with a cluster, what is not set here is passed on to it.
async fn put_settings(
    State(app): State<App>,
    params: Params,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let bytes = read_bytes(body, app.config().body_limit_bytes).await?;
    let again = || Request::from_parts(parts.clone(), Body::from(bytes.clone()));
    let AnyJson(body) = AnyJson::from_request(again(), &app).await?;
    if app.gateway().is_some() {
        let names = body.as_object().into_iter().flatten().flat_map(|(_, group)| names(group));
        let (ours, theirs): (Vec<String>, Vec<String>) = names.partition(|name| name.starts_with(OURS));
        if ours.is_empty() {
            return forward(&app, again()).await;
        }
        if !theirs.is_empty() {
            return Err(ApiError::argument(format!(
                "settings of this service [{}] and of the cluster [{}] cannot be changed in one request",
                ours.join(", "),
                theirs.join(", ")
            )));
        }
    }
    let flat = params.flag("flat_settings", false)?;
    let change = jobs::SettingsChange::parse(&body)?;
    app.jobs().change_settings(&change).await?;
    let mut answer = change.shown(flat);
    answer["acknowledged"] = json!(true);
    Ok(Json(answer).into_response())
}

/// The dotted names of settings, which may be nested.
fn names(settings: &Value) -> Vec<String> {
    let below = |(name, value): (&String, &Value)| match value {
        Value::Object(_) => names(value).iter().map(|rest| format!("{name}.{rest}")).collect(),
        _ => vec![name.clone()],
    };
    settings.as_object().into_iter().flatten().flat_map(below).collect()
}

/// `GET /_nodes`
async fn nodes(State(app): State<App>) -> Json<Value> {
    let address = app.config().listen;
    Json(json!({
        "_nodes": { "total": 1, "successful": 1, "failed": 0 },
        "cluster_name": app.config().cluster_name,
        "nodes": {
            NODE_ID: {
                "name": app.config().node_name,
                "transport_address": address.to_string(),
                "host": address.ip().to_string(),
                "ip": address.ip().to_string(),
                "version": JOB_VERSION,
                "build_flavor": "default",
                "build_type": "tar",
                "roles": ["data", "ingest", "master", "ml"],
                "attributes": {},
                "http": { "publish_address": address.to_string() },
            }
        },
    }))
}

/// `GET /_cluster/state`
async fn state(State(app): State<App>) -> Json<Value> {
    Json(state_parts(&app, "_all"))
}

/// `GET /_cluster/state/{metric}`
async fn state_of(State(app): State<App>, UrlPath(metric): UrlPath<String>) -> Json<Value> {
    Json(state_parts(&app, &metric))
}

/// `GET /_cluster/state/{metric}/{index}`: nothing that is shown belongs to an index.
async fn state_beside(
    State(app): State<App>,
    UrlPath((metric, _)): UrlPath<(String, String)>,
) -> Json<Value> {
    Json(state_parts(&app, &metric))
}

/// The parts of the state that `metrics` names, separated by commas.
fn state_parts(app: &App, metrics: &str) -> Value {
    let wanted = |name: &str| metrics.split(',').any(|metric| metric == name || metric == "_all");
    let mut state = json!({ "cluster_name": app.config().cluster_name, "cluster_uuid": CLUSTER_UUID });
    if wanted("master_node") {
        state["master_node"] = json!(NODE_ID);
    }
    if wanted("nodes") {
        state["nodes"] = json!({ NODE_ID: { "name": app.config().node_name } });
    }
    if wanted("metadata") {
        let tasks: Vec<Value> = app.jobs().running().iter().map(persistent_task).collect();
        state["metadata"] = json!({ "cluster_uuid": CLUSTER_UUID, "persistent_tasks": { "tasks": tasks } });
    }
    state
}

/// An open job or a started datafeed, as it stands in the cluster's state.
fn persistent_task(running: &jobs::Running) -> Value {
    let (kind, name, id) = if running.is_datafeed {
        ("datafeed", "xpack/ml/datafeed", "datafeed_id")
    } else {
        ("job", "xpack/ml/job", "job_id")
    };
    json!({
        "id": format!("{kind}-{}", running.id),
        "task": { name: { "params": { id: running.id } } },
        "assignment": { "executor_node": NODE_ID, "explanation": "" },
    })
}

/// `GET /_cluster/pending_tasks`
async fn pending(State(_): State<App>) -> Json<Value> {
    Json(json!({ "tasks": [] }))
}
