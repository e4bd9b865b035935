//! `GET /_ml/info`: defaults and limits.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::route::{Route, route};
use crate::app::App;

const STOP_WORDS: &[&str] = &[
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
    "Mon",
    "Tue",
    "Wed",
    "Thu",
    "Fri",
    "Sat",
    "Sun",
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
    "GMT",
    "UTC",
];

pub(super) fn routes() -> Vec<Route> {
    vec![route("GET", "/_ml/info", "Defaults and limits of the analysis", &[], info)]
}

/// `GET /_ml/info`
async fn info(State(app): State<App>) -> Json<Value> {
    let limit = app.config().max_model_memory_limit;
    let default_limit = match limit {
        Some(limit) if limit.mebibytes() < 1024 => limit.to_string(),
        _ => "1gb".to_owned(),
    };
    let mut limits = json!({});
    if let Some(limit) = limit {
        limits["max_model_memory_limit"] = json!(limit.to_string());
        limits["effective_max_model_memory_limit"] = json!(limit.to_string());
    }
    Json(json!({
        "defaults": {
            "anomaly_detectors": {
                "categorization_analyzer": {
                    "char_filter": ["first_line_with_letters"],
                    "tokenizer": "ml_standard",
                    "filter": [
                        { "type": "stop", "stopwords": STOP_WORDS },
                        { "type": "limit", "max_token_count": "100" },
                    ],
                },
                "model_memory_limit": default_limit,
                "categorization_examples_limit": 4,
                "model_snapshot_retention_days": 10,
                "daily_model_snapshot_retention_after_days": 1,
            },
            "datafeeds": { "scroll_size": 1000 },
        },
        "upgrade_mode": false,
        "native_code": { "version": types::job::JOB_VERSION, "build_hash": env!("CARGO_PKG_VERSION") },
        "limits": limits,
    }))
}
