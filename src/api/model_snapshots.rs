//! `/_ml/anomaly_detectors/{job_id}/model_snapshots`: saved states of a job.

use axum::Json;
use axum::extract::State;
use jobs::{Revert, SnapshotUpdate, SnapshotsQuery};
use serde_json::{Value, json};

use super::error::ApiError;
use super::extract::{EsJson, Named, Params, UrlPath};
use super::listing::{self, MATCH, acknowledged, allow_no_match, listed};
use super::options::Options;
use super::route::{Route, route};
use crate::app::App;

const SNAPSHOTS_DEFAULT: i64 = 100;

pub(super) fn routes() -> Vec<Route> {
    const LIST: &[&str] = &["desc end start sort from size"];
    let all = "/_ml/anomaly_detectors/{job_id}/model_snapshots";
    let one = "/_ml/anomaly_detectors/{job_id}/model_snapshots/{snapshot_id}";
    vec![
        route("GET POST", all, "All saved states of a job", LIST, get_all),
        route("GET POST", one, "Saved states of a job", LIST, get),
        route(
            "POST",
            "/_ml/anomaly_detectors/{job_id}/model_snapshots/{snapshot_id}/_update",
            "Describe a saved state",
            &[],
            update,
        ),
        route(
            "POST",
            "/_ml/anomaly_detectors/{job_id}/model_snapshots/{snapshot_id}/_revert",
            "Go back to a saved state",
            &["delete_intervening_results force"],
            revert,
        ),
        route(
            "POST",
            "/_ml/anomaly_detectors/{job_id}/model_snapshots/{snapshot_id}/_upgrade",
            "Write a saved state of an older version anew",
            &["wait_for_completion timeout"],
            upgrade,
        ),
        route(
            "GET",
            "/_ml/anomaly_detectors/{job_id}/model_snapshots/{snapshot_id}/_upgrade/_stats",
            "Where upgrades of saved states are",
            &[MATCH],
            upgrade_stats,
        ),
        route("DELETE", one, "Delete a saved state that is not in use", &[], delete),
    ]
}

impl Named for SnapshotUpdate {
    const NAME: &'static str = "update_model_snapshot_action_request";
}

/// `GET /_ml/anomaly_detectors/{job_id}/model_snapshots`
async fn get_all(
    state: State<App>,
    UrlPath(job_id): UrlPath<String>,
    options: Options,
) -> Result<Json<Value>, ApiError> {
    get(state, UrlPath((job_id, String::new())), options).await
}

/// `GET /_ml/anomaly_detectors/{job_id}/model_snapshots/{snapshot_id}`
async fn get(
    State(app): State<App>,
    UrlPath((job_id, snapshot_id)): UrlPath<(String, String)>,
    options: Options,
) -> Result<Json<Value>, ApiError> {
    let known = ["desc", "end", "start", "sort", "from", "size", "page", "job_id", "snapshot_id"];
    options.known("get_model_snapshots_action_request", &known)?;
    let query = SnapshotsQuery {
        start: options.time("start", app.clock())?,
        end: options.time("end", app.clock())?,
        sort: options.text("sort")?,
        desc: options.optional_flag("desc")?,
        paging: options.paging(SNAPSHOTS_DEFAULT)?,
    };
    listed("model_snapshots", &app.jobs().model_snapshots(&job_id, &snapshot_id, &query).await?).map(Json)
}

/// `POST …/model_snapshots/{snapshot_id}/_update`
async fn update(
    State(app): State<App>,
    UrlPath((job_id, snapshot_id)): UrlPath<(String, String)>,
    EsJson(body): EsJson<SnapshotUpdate>,
) -> Result<Json<Value>, ApiError> {
    let model = app.jobs().update_model_snapshot(&job_id, &snapshot_id, body).await?;
    Ok(Json(json!({ "acknowledged": true, "model": listing::json(model)? })))
}

/// `POST …/model_snapshots/{snapshot_id}/_revert`
async fn revert(
    State(app): State<App>,
    UrlPath((job_id, snapshot_id)): UrlPath<(String, String)>,
    options: Options,
) -> Result<Json<Value>, ApiError> {
    let known = ["delete_intervening_results", "force", "job_id", "snapshot_id"];
    options.known("revert_model_snapshot_request", &known)?;
    let how = Revert { delete_intervening_results: options.flag("delete_intervening_results", false)? };
    let model = app.jobs().revert_model_snapshot(&job_id, &snapshot_id, how).await?;
    Ok(Json(json!({ "model": listing::json(model)? })))
}

/// `POST …/model_snapshots/{snapshot_id}/_upgrade`
async fn upgrade(
    State(app): State<App>,
    UrlPath((job_id, snapshot_id)): UrlPath<(String, String)>,
    params: Params,
) -> Result<Json<Value>, ApiError> {
    params.span("timeout")?;
    let wait = params.flag("wait_for_completion", false)?;
    listing::json(app.jobs().upgrade_model_snapshot(&job_id, &snapshot_id, wait).await?).map(Json)
}

/// `GET …/model_snapshots/{snapshot_id}/_upgrade/_stats`
async fn upgrade_stats(
    State(app): State<App>,
    UrlPath((job_id, snapshot_id)): UrlPath<(String, String)>,
    params: Params,
) -> Result<Json<Value>, ApiError> {
    let allow_none = allow_no_match(&params)?;
    let found = app.jobs().model_snapshot_upgrades(&job_id, &snapshot_id, allow_none).await?;
    listed("model_snapshot_upgrades", &found).map(Json)
}

/// `DELETE …/model_snapshots/{snapshot_id}`
async fn delete(
    State(app): State<App>,
    UrlPath((job_id, snapshot_id)): UrlPath<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    app.jobs().delete_model_snapshot(&job_id, &snapshot_id).await?;
    Ok(Json(acknowledged()))
}
