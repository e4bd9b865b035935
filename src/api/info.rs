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
    let analyzer = json!({
        "char_filter": ["first_line_with_letters"],
        "tokenizer": "ml_standard",
        "filter": [
            { "type": "stop", "stopwords": STOP_WORDS },
            { "type": "limit", "max_token_count": "100" },
        ],
    });
    Json(app.jobs().info(&analyzer))
}
