//! `POST /_ml/set_upgrade_mode`: pauses all jobs and datafeeds, and lets them go on.

use axum::Json;
use axum::extract::State;
use serde_json::Value;

use super::error::ApiError;
use super::extract::Params;
use super::listing::acknowledged;
use super::route::{Route, route};
use crate::app::App;

pub(super) fn routes() -> Vec<Route> {
    vec![route("POST", "/_ml/set_upgrade_mode", "Pause everything, or go on", &["enabled timeout"], set)]
}

/// `POST /_ml/set_upgrade_mode`
async fn set(State(app): State<App>, params: Params) -> Result<Json<Value>, ApiError> {
    params.span("timeout")?;
    app.jobs().set_upgrade_mode(params.flag("enabled", false)?).await?;
    Ok(Json(acknowledged()))
}
