//! How much memory jobs will need, and how much they take: `_estimate_model_memory`, `/_ml/memory/_stats`.

use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value, json};
use types::ErrorKind;
use types::memory_estimate::MemoryEstimateBody;

use super::error::ApiError;
use super::extract::{EsJson, Named, Params, UrlPath};
use super::route::{Route, route};
use crate::app::{App, NODE_ID};
use crate::machine;

pub(super) fn routes() -> Vec<Route> {
    const STATS: &[&str] = &["master_timeout timeout"];
    vec![
        route(
            "POST",
            "/_ml/anomaly_detectors/_estimate_model_memory",
            "How much memory a job will need",
            &[],
            estimate,
        ),
        route("GET", "/_ml/memory/_stats", "How much memory the models take", STATS, stats_all),
        route(
            "GET",
            "/_ml/memory/{node_id}/_stats",
            "How much memory the models of a node take",
            STATS,
            stats,
        ),
    ]
}

impl Named for MemoryEstimateBody {
    const NAME: &'static str = "estimate_model_memory_action";
}

/// `POST /_ml/anomaly_detectors/_estimate_model_memory`
async fn estimate(EsJson(body): EsJson<MemoryEstimateBody>) -> Result<Json<Value>, ApiError> {
    Ok(Json(json!({ "model_memory_estimate": body.estimate()?.to_string() })))
}

/// `GET /_ml/memory/_stats`
async fn stats_all(state: State<App>, params: Params) -> Result<Json<Value>, ApiError> {
    stats(state, UrlPath("_all".to_owned()), params).await
}

/// `GET /_ml/memory/{node_id}/_stats`
async fn stats(
    State(app): State<App>,
    UrlPath(node_id): UrlPath<String>,
    params: Params,
) -> Result<Json<Value>, ApiError> {
    params.span("timeout")?;
    params.span("master_timeout")?;
    let human = params.flag("human", false)?;
    let name = app.config().node_name.as_str();
    let is_meant = |asked: &str| {
        matches!(asked, "_all" | "_local" | "_master" | "ml:true" | "master:true")
            || jobs::matches(asked, NODE_ID)
            || jobs::matches(asked, name)
    };
    let parts: Vec<&str> = node_id.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    if let Some(unknown) = parts.iter().find(|part| !part.contains(['*', ':', '_']) && !is_meant(part)) {
        return Err(ApiError::new(ErrorKind::NotFound, format!("no such node [{unknown}]")));
    }
    let meant = parts.iter().any(|part| is_meant(part));
    let mut nodes = json!({});
    if meant {
        nodes[NODE_ID] = node(&app, human).await?;
    }
    let total = u64::from(meant);
    Ok(Json(json!({
        "_nodes": { "total": total, "successful": total, "failed": 0 },
        "cluster_name": app.config().cluster_name,
        "nodes": nodes,
    })))
}

async fn node(app: &App, human: bool) -> Result<Value, ApiError> {
    let open = app.jobs().job_stats("_all", true).await?.items;
    let models: u64 =
        open.iter().filter(|job| job.node.is_some()).map(|job| job.model_size_stats.model_bytes).sum();
    let total = machine::memory_bytes();
    let max = app.jobs().max_model_memory_limit().map_or(total, |max| max.bytes().min(total));
    let ml = sizes(
        &[
            ("max", max),
            ("native_code_overhead", 0),
            ("anomaly_detectors", models),
            ("data_frame_analytics", 0),
            ("native_inference", 0),
        ],
        human,
    );
    let mut mem = sizes(&[("total", total), ("adjusted_total", total)], human);
    mem.insert("ml".to_owned(), Value::Object(ml));
    // There is no virtual machine, and no inference.
    let jvm = sizes(&[("heap_max", 0), ("java_inference_max", 0), ("java_inference", 0)], human);
    Ok(json!({
        "name": app.config().node_name,
        "ephemeral_id": NODE_ID,
        "transport_address": app.config().listen.to_string(),
        "attributes": {},
        "roles": ["data", "ingest", "master", "ml"],
        "mem": mem,
        "jvm": jvm,
    }))
}

fn sizes(sizes: &[(&str, u64)], human: bool) -> Map<String, Value> {
    let mut object = Map::new();
    for (name, bytes) in sizes {
        if human {
            object.insert((*name).to_owned(), json!(super::cat_table::readable(*bytes)));
        }
        object.insert(format!("{name}_in_bytes"), json!(bytes));
    }
    object
}
