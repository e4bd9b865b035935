//! `GET /_ml/info`: defaults and limits.

use axum::Json;
use axum::extract::State;
use serde_json::Value;

use super::route::{Route, route};
use crate::app::App;

pub(super) fn routes() -> Vec<Route> {
    vec![route("GET", "/_ml/info", "Defaults and limits of the analysis", &[], info)]
}

/// `GET /_ml/info`
async fn info(State(app): State<App>) -> Json<Value> {
    let analyzer = types::categorization::default_analyzer();
    Json(app.jobs().info(&analyzer))
}
