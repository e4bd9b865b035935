//! `/_license`, `/_xpack`, `/_xpack/usage`: which features there are, and how they are used. This is Auspex: it has machine
//! learning's anomaly detection, needs no licence, and has none of the other features.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value, json};

use crate::api::error::ApiError;
use crate::api::extract::Params;
use crate::api::route::{Route, route};
use crate::app::App;

/// Features of X-Pack that clients ask for and that are not here.
const ABSENT: [&str; 20] = [
    "aggregate_metric",
    "analytics",
    "ccr",
    "data_streams",
    "data_tiers",
    "enrich",
    "eql",
    "esql",
    "frozen_indices",
    "graph",
    "ilm",
    "logstash",
    "monitoring",
    "rollup",
    "searchable_snapshots",
    "security",
    "slm",
    "sql",
    "transform",
    "watcher",
];
const UID: &str = "00000000-0000-0000-0000-000000000000";

pub(super) fn routes() -> Vec<Route> {
    vec![
        route("GET", "/_license", "All features are free", &["local accept_enterprise"], license),
        route(
            "GET",
            "/_xpack",
            "Which features there are",
            &["categories accept_enterprise master_timeout"],
            xpack,
        ),
        route("GET", "/_xpack/usage", "How the features are used", &["master_timeout"], usage),
        route("GET", "/_features", "Features with state", &["master_timeout"], features),
        route(
            "POST",
            "/_features/_reset",
            "Delete all jobs, calendars and filters",
            &["master_timeout"],
            reset,
        ),
    ]
}

/// `GET /_license`
async fn license(State(_): State<App>) -> Json<Value> {
    Json(json!({
        "license": {
            "status": "active",
            "uid": UID,
            "type": "basic",
            "issue_date": "2026-01-01T00:00:00.000Z",
            "issue_date_in_millis": 1_767_225_600_000_i64,
            "max_nodes": 1000,
            "max_resource_units": null,
            "issued_to": "everybody (Apache License 2.0)",
            "issuer": "auspex",
            "start_date_in_millis": -1,
        }
    }))
}

/// `GET /_xpack`
async fn xpack(State(_): State<App>, params: Params) -> Result<Json<Value>, ApiError> {
    let mut features = Map::new();
    let (on, off) =
        (json!({ "available": true, "enabled": true }), json!({ "available": false, "enabled": false }));
    features.insert("ml".to_owned(), on);
    features.extend(ABSENT.iter().map(|name| ((*name).to_owned(), off.clone())));
    let mut answer = json!({
        "build": { "hash": format!("auspex-{}", env!("CARGO_PKG_VERSION")), "date": "2026-01-01T00:00:00.000Z" },
        "license": { "uid": UID, "type": "basic", "mode": "basic", "status": "active" },
        "features": features,
        "tagline": "Auspex: anomaly detection with the interface of X-Pack machine learning",
    });
    let categories: Vec<&str> =
        params.text("categories").map(|list| list.split(',').map(str::trim).collect()).unwrap_or_default();
    let groups = ["build", "license", "features"];
    if let Some(unknown) = categories.iter().find(|name| **name != "_all" && !groups.contains(name)) {
        return Err(ApiError::argument(format!("No enum constant for category [{unknown}]")));
    }
    if !categories.is_empty() && !categories.contains(&"_all") {
        for group in groups.iter().filter(|group| !categories.contains(group)) {
            answer.as_object_mut().and_then(|answer| answer.shift_remove(*group));
        }
    }
    Ok(Json(answer))
}

/// Least, greatest, mean and sum of what jobs have.
#[derive(Clone, Debug, Default)]
struct Spread(Vec<f64>);

impl Spread {
    fn json(&self) -> Value {
        let total: f64 = self.0.iter().sum();
        let min = self.0.iter().copied().reduce(f64::min).unwrap_or(0.0);
        let max = self.0.iter().copied().reduce(f64::max).unwrap_or(0.0);
        json!({ "total": total, "min": min, "max": max, "avg": total / self.0.len().max(1) as f64 })
    }
}

#[derive(Clone, Debug, Default)]
struct Usage {
    count: u64,
    detectors: Spread,
    model_size: Spread,
    forecasts: u64,
    forecasted: u64,
    created_by: BTreeMap<String, u64>,
}

impl Usage {
    fn json(&self) -> Value {
        json!({
            "count": self.count,
            "detectors": self.detectors.json(),
            "created_by": self.created_by,
            "model_size": self.model_size.json(),
            "forecasts": { "total": self.forecasts, "forecasted_jobs": self.forecasted },
        })
    }
}

/// `GET /_xpack/usage`
async fn usage(State(app): State<App>) -> Result<Json<Value>, ApiError> {
    let jobs = app.jobs().get_jobs("_all", true).await?.items;
    let stats = app.jobs().job_stats("_all", true).await?.items;
    let mut by_state: BTreeMap<String, Usage> = BTreeMap::from([("_all".to_owned(), Usage::default())]);
    for stats in &stats {
        let Some(view) = jobs.iter().find(|view| view.job.job_id.as_str() == stats.job_id) else { continue };
        let state = serde_json::to_value(stats.state).ok();
        let state = state.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
        let creator = view.job.custom_settings.as_ref().and_then(|settings| settings["created_by"].as_str());
        let creator = creator.unwrap_or("unknown").replace('-', "_");
        for group in ["_all".to_owned(), state] {
            let usage = by_state.entry(group).or_default();
            usage.count += 1;
            usage.detectors.0.push(view.job.analysis_config.detectors.len() as f64);
            usage.model_size.0.push(stats.model_size_stats.model_bytes as f64);
            usage.forecasts += stats.forecasts_stats.total;
            usage.forecasted += stats.forecasts_stats.forecasted_jobs;
            *usage.created_by.entry(creator.clone()).or_default() += 1;
        }
    }
    let feeds = app.jobs().datafeed_stats("_all", true).await?.items;
    let mut feeds_by_state: BTreeMap<&str, u64> = BTreeMap::from([("_all", feeds.len() as u64)]);
    for feed in &feeds {
        *feeds_by_state.entry(feed.state.as_str()).or_default() += 1;
    }
    let feeds: Map<String, Value> = feeds_by_state
        .into_iter()
        .map(|(state, count)| (state.to_owned(), json!({ "count": count })))
        .collect();
    let jobs: Map<String, Value> = by_state.into_iter().map(|(state, usage)| (state, usage.json())).collect();
    let mut answer = Map::new();
    answer.insert(
        "ml".to_owned(),
        json!({ "available": true, "enabled": true, "jobs": jobs, "datafeeds": feeds, "node_count": 1 }),
    );
    let off = json!({ "available": false, "enabled": false });
    answer.extend(ABSENT.iter().map(|name| ((*name).to_owned(), off.clone())));
    Ok(Json(Value::Object(answer)))
}

/// `GET /_features`
async fn features(State(_): State<App>) -> Json<Value> {
    Json(json!({ "features": [{
        "name": "machine_learning",
        "description": "Provides anomaly detection and forecasting functionality",
    }] }))
}

/// `POST /_features/_reset`
async fn reset(State(app): State<App>) -> Result<Json<Value>, ApiError> {
    app.jobs().delete_everything().await?;
    Ok(Json(json!({ "features": [{ "feature_name": "machine_learning", "status": "SUCCESS" }] })))
}
