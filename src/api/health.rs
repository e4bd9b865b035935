//! `/_health` for probes and `/metrics` for Prometheus.

use std::fmt::Write;

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::error::ApiError;
use super::route::{Route, route};
use crate::app::App;

pub(super) fn routes() -> Vec<Route> {
    vec![
        route("GET", "/_health", "Is the server well, and what is wrong if not", &[], health),
        route("GET", "/metrics", "Counters for Prometheus", &[], metrics),
    ]
}

/// `GET /_health`: `red` when the store does not answer, `yellow` when a job has failed, or a document or index of the service
/// cannot be used.
async fn health(State(app): State<App>) -> Json<Value> {
    let uptime_ms = app.clock().now().0 - app.started().0;
    let (mut status, mut problems) = match app.jobs().job_stats("_all", true).await {
        Ok(stats) => {
            let failed = stats.items.iter().filter(|job| job.state == jobs::State::Failed);
            let mut problems: Vec<Value> = failed.map(failed_job).collect();
            problems.extend(app.jobs().problems().await.into_iter().map(|problem| {
                json!({ "problem": problem, "do": "repair or remove it; the rest of the service works" })
            }));
            (if problems.is_empty() { "green" } else { "yellow" }, problems)
        }
        Err(error) => ("red", vec![json!({ "problem": error.to_string(), "do": "see the server's log" })]),
    };
    if let Some(search) = app.search() {
        let red = search.red_indices().into_iter();
        let red = red.map(|(index, why)| {
            json!({ "problem": format!("index [{index}] cannot be used as a whole: {why}"),
                "do": "look at it with `auspex check`, put its file back from a backup, or delete the index" })
        });
        let red: Vec<Value> = red
            .chain(search.check_folder().err().map(|error| {
                json!({ "problem": error.to_string(), "do": "put the folder back, or start the server again" })
            }))
            .collect();
        if !red.is_empty() {
            status = "red";
        }
        let left_alone = search.left_alone().iter();
        let left_alone =
            left_alone.map(|file| json!({ "problem": file, "do": "look at it with `auspex check`" }));
        problems.extend(red.into_iter().chain(left_alone));
        if status == "green" && !problems.is_empty() {
            status = "yellow";
        }
    }
    Json(json!({
        "status": status,
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_in_millis": uptime_ms.max(0),
        "problems": problems,
    }))
}

fn failed_job(job: &jobs::JobStats) -> Value {
    let reason = job.assignment_explanation.as_deref().unwrap_or_default();
    json!({
        "problem": format!("job [{}] has failed: {reason}", job.job_id),
        "do": "close it with force=true, mend the cause and open it again",
    })
}

/// `GET /metrics`
async fn metrics(State(app): State<App>) -> Result<impl IntoResponse, ApiError> {
    let mut text = String::new();
    heading(&mut text, "auspex_http_answers_total", "counter", "Answers given, by class of status.");
    for (class, count) in app.counters().by_class() {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "auspex_http_answers_total{{class=\"{class}\"}} {count}");
    }
    let jobs = app.jobs().job_stats("_all", true).await?.items;
    heading(&mut text, "auspex_job_open", "gauge", "Is the job open?");
    for job in &jobs {
        let open = u8::from(job.state == jobs::State::Opened);
        let _ = writeln!(text, "auspex_job_open{{job=\"{}\"}} {open}", job.job_id);
    }
    type Number = fn(&jobs::JobStats) -> u64;
    let numbers: [(&str, &str, &str, Number); 4] = [
        ("auspex_job_records_total", "counter", "Records that the job has processed.", |job| {
            job.data_counts.processed_record_count
        }),
        ("auspex_job_out_of_order_records_total", "counter", "Records that came too late.", |job| {
            job.data_counts.out_of_order_timestamp_count
        }),
        ("auspex_job_buckets_total", "counter", "Buckets that the job has finished.", |job| {
            job.data_counts.bucket_count
        }),
        ("auspex_job_model_bytes", "gauge", "Memory that the model takes.", |job| {
            job.model_size_stats.model_bytes
        }),
    ];
    for (name, kind, purpose, number) in numbers {
        heading(&mut text, name, kind, purpose);
        for job in &jobs {
            let _ = writeln!(text, "{name}{{job=\"{}\"}} {}", job.job_id, number(job));
        }
    }
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text))
}

fn heading(text: &mut String, name: &str, kind: &str, purpose: &str) {
    let _ = write!(text, "# HELP {name} {purpose}\n# TYPE {name} {kind}\n");
}
