//! `/_ml/_delete_expired_data`: removes what jobs keep no longer.

use axum::Json;
use axum::extract::State;
use jobs::ExpiredData;
use serde_json::{Value, json};

use super::error::ApiError;
use super::extract::UrlPath;
use super::options::Options;
use super::route::{Route, route};
use crate::app::App;

pub(super) fn routes() -> Vec<Route> {
    const HOW: &[&str] = &["requests_per_second timeout"];
    vec![
        route("DELETE", "/_ml/_delete_expired_data", "Remove expired data of all jobs", HOW, all),
        route("DELETE", "/_ml/_delete_expired_data/{job_id}", "Remove expired data of jobs", HOW, some),
    ]
}

/// `DELETE /_ml/_delete_expired_data`
async fn all(state: State<App>, options: Options) -> Result<Json<Value>, ApiError> {
    let job_id = options.text("job_id")?.unwrap_or_else(|| "_all".to_owned());
    some(state, UrlPath(job_id), options).await
}

/// `DELETE /_ml/_delete_expired_data/{job_id}`
async fn some(
    State(app): State<App>,
    UrlPath(job_id): UrlPath<String>,
    options: Options,
) -> Result<Json<Value>, ApiError> {
    options.known("delete_expired_data_request", &["job_id", "requests_per_second", "timeout"])?;
    let how = ExpiredData {
        requests_per_second: options.number("requests_per_second")?,
        timeout: options.span("timeout")?,
    };
    let deleted = app.jobs().delete_expired_data(&job_id, how).await?;
    Ok(Json(json!({ "deleted": deleted })))
}
