//! `/_health` for probes and `/metrics` for Prometheus.

use std::fmt::Write;

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::route::{Route, route};
use crate::app::App;

pub(super) fn routes() -> Vec<Route> {
    vec![
        route("GET", "/_health", "Is the server well, and what is wrong if not", &[], health),
        route("GET", "/metrics", "Counters for Prometheus", &[], metrics),
    ]
}

/// `GET /_health`
async fn health(State(app): State<App>) -> Json<Value> {
    let uptime_ms = app.clock().now().0 - app.started().0;
    Json(json!({
        "status": "green",
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_in_millis": uptime_ms.max(0),
    }))
}

/// `GET /metrics`
async fn metrics(State(app): State<App>) -> impl IntoResponse {
    let mut text = String::new();
    text.push_str("# HELP auspex_http_answers_total Answers given, by class of status.\n");
    text.push_str("# TYPE auspex_http_answers_total counter\n");
    for (class, count) in app.counters().by_class() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "auspex_http_answers_total{{class=\"{class}\"}} {count}");
    }
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}
