//! `/_ml/anomaly_detectors/{job_id}/_forecast`: what a job expects of the time to come.

use axum::Json;
use axum::extract::State;
use jobs::ForecastJob;
use serde_json::{Value, json};
use types::bytes::parse_bytes;

use super::error::ApiError;
use super::extract::{Params, UrlPath};
use super::listing::acknowledged;
use super::options::Options;
use super::route::{Route, route};
use crate::app::App;

pub(super) fn routes() -> Vec<Route> {
    const WHICH: &[&str] = &["allow_no_forecasts timeout"];
    let all = "/_ml/anomaly_detectors/{job_id}/_forecast";
    vec![
        route(
            "POST",
            all,
            "Forecast the series of an open job",
            &["duration expires_in max_model_memory"],
            forecast,
        ),
        route("DELETE", all, "Delete all forecasts of a job", WHICH, delete_all),
        route(
            "DELETE",
            "/_ml/anomaly_detectors/{job_id}/_forecast/{forecast_id}",
            "Delete forecasts of a job",
            WHICH,
            delete,
        ),
    ]
}

/// `POST /_ml/anomaly_detectors/{job_id}/_forecast`
async fn forecast(
    State(app): State<App>,
    UrlPath(job_id): UrlPath<String>,
    options: Options,
) -> Result<Json<Value>, ApiError> {
    options.known("forecast_job_request", &["job_id", "duration", "expires_in", "max_model_memory"])?;
    let bytes = options.text("max_model_memory")?.map(|text| parse_bytes(&text, "max_model_memory"));
    let asked = ForecastJob {
        duration: options.span("duration")?,
        expires_in: options.span("expires_in")?,
        max_model_memory_bytes: bytes.transpose()?,
    };
    let forecast_id = app.jobs().forecast_job(&job_id, asked).await?;
    Ok(Json(json!({ "acknowledged": true, "forecast_id": forecast_id })))
}

/// `DELETE /_ml/anomaly_detectors/{job_id}/_forecast`
async fn delete_all(
    state: State<App>,
    UrlPath(job_id): UrlPath<String>,
    params: Params,
) -> Result<Json<Value>, ApiError> {
    delete(state, UrlPath((job_id, String::new())), params).await
}

/// `DELETE /_ml/anomaly_detectors/{job_id}/_forecast/{forecast_id}`
async fn delete(
    State(app): State<App>,
    UrlPath((job_id, forecast_id)): UrlPath<(String, String)>,
    params: Params,
) -> Result<Json<Value>, ApiError> {
    params.span("timeout")?;
    let allow_none = params.flag("allow_no_forecasts", true)?;
    app.jobs().delete_forecasts(&job_id, &forecast_id, allow_none).await?;
    Ok(Json(acknowledged()))
}
