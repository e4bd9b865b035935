//! `/_ml/anomaly_detectors`: jobs and their life.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jobs::{CloseJob, DeleteJob, FlushJob, ResetJob};
use serde::Deserialize;
use serde_json::{Value, json};
use types::datafeed::DatafeedBody;
use types::detector::Detector;
use types::job_update::JobUpdate;
use types::{ErrorKind, JobBody, JobId};

use super::error::ApiError;
use super::extract::{EsJson, Named, Params, RawBody, UrlPath};
use super::listing::{MATCH, acknowledged, allow_no_match, listed, without_generated};
use super::options::Options;
use super::route::{Route, route};
use super::{json_error, tasks};
use crate::app::App;

/// What an index expression of an embedded datafeed means.
pub(super) const INDICES: &str = "allow_no_indices expand_wildcards ignore_throttled ignore_unavailable";
/// What pushed data take at most for each byte of the body, until they are analysed.
const DATA_HELD_PER_BYTE: u64 = 8;
const TASK: &str = "wait_for_completion delete_user_annotations timeout";
const FLUSH: [&str; 5] = ["calc_interim", "start", "end", "advance_time", "skip_time"];

pub(super) fn routes() -> Vec<Route> {
    let one = "/_ml/anomaly_detectors/{job_id}";
    vec![
        route("PUT", one, "Create a job", &[INDICES], put),
        route("GET", "/_ml/anomaly_detectors", "All jobs", &[MATCH, "exclude_generated"], get_all),
        route("GET", one, "Jobs", &[MATCH, "exclude_generated"], get),
        route("DELETE", one, "Delete a job and all it found", &[TASK, "force"], delete),
        route("GET", "/_ml/anomaly_detectors/_stats", "Statistics of all jobs", &[MATCH], stats_all),
        route("GET", "/_ml/anomaly_detectors/{job_id}/_stats", "Statistics of jobs", &[MATCH], stats),
        route("POST", "/_ml/anomaly_detectors/{job_id}/_update", "Change a job", &[], update),
        route("POST", "/_ml/anomaly_detectors/{job_id}/_open", "Open a job", &["timeout"], open),
        route(
            "POST",
            "/_ml/anomaly_detectors/{job_id}/_close",
            "Close jobs",
            &[MATCH, "force timeout"],
            close,
        ),
        route(
            "POST",
            "/_ml/anomaly_detectors/{job_id}/_flush",
            "Make results of what was taken visible",
            &["calc_interim start end advance_time skip_time"],
            flush,
        ),
        route(
            "POST",
            "/_ml/anomaly_detectors/{job_id}/_reset",
            "Forget all that a job has learnt",
            &[TASK],
            reset,
        ),
        route(
            "POST",
            "/_ml/anomaly_detectors/{job_id}/_data",
            "Push records",
            &["reset_start reset_end"],
            post_data,
        ),
        route("POST", "/_ml/anomaly_detectors/_validate", "Would this job be accepted", &[], validate),
        route(
            "POST",
            "/_ml/anomaly_detectors/_validate/detector",
            "Would this detector be accepted",
            &[],
            validate_detector,
        ),
    ]
}

impl Named for JobBody {
    const NAME: &'static str = "job_details";

    /// Reads the datafeed inside a job, so that what is wrong in it is named as in a datafeed of its own.
    fn check(&self, bytes: &[u8]) -> Result<(), ApiError> {
        if self.datafeed_config.is_some() {
            json_error::read::<FeedInside>(bytes, Self::NAME)?;
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct FeedInside {
    #[serde(rename = "datafeed_config")]
    _feed: DatafeedBody,
}

impl Named for JobUpdate {
    const NAME: &'static str = "job_update";
}

impl Named for Detector {
    const NAME: &'static str = "detector";
}

/// The `indices_options` of the query, if it has any.
pub(super) fn indices_options(params: &Params) -> Result<Option<Value>, ApiError> {
    let mut options = json!({});
    for name in ["allow_no_indices", "ignore_throttled", "ignore_unavailable"] {
        if params.text(name).is_some() {
            options[name] = json!(params.flag(name, true)?);
        }
    }
    if let Some(words) = params.text("expand_wildcards") {
        options["expand_wildcards"] = json!(words);
    }
    Ok(options.as_object().is_some_and(|options| !options.is_empty()).then_some(options))
}

/// `PUT /_ml/anomaly_detectors/{job_id}`
async fn put(
    State(app): State<App>,
    UrlPath(job_id): UrlPath<String>,
    params: Params,
    EsJson(body): EsJson<JobBody>,
) -> Result<Json<Value>, ApiError> {
    let options = indices_options(&params)?;
    shown(app.jobs().put_job(&job_id, body, options).await?)
}

fn shown(value: impl serde::Serialize) -> Result<Json<Value>, ApiError> {
    super::listing::json(value).map(Json)
}

/// `GET /_ml/anomaly_detectors`
async fn get_all(state: State<App>, params: Params) -> Result<Json<Value>, ApiError> {
    get(state, UrlPath("_all".to_owned()), params).await
}

/// `GET /_ml/anomaly_detectors/{job_id}`
async fn get(
    State(app): State<App>,
    UrlPath(job_id): UrlPath<String>,
    params: Params,
) -> Result<Json<Value>, ApiError> {
    let found = app.jobs().get_jobs(&job_id, allow_no_match(&params)?).await?;
    let mut answer = listed("jobs", &found)?;
    if params.flag("exclude_generated", false)? {
        without_generated(&mut answer["jobs"]);
    }
    Ok(Json(answer))
}

/// `DELETE /_ml/anomaly_detectors/{job_id}`
async fn delete(
    State(app): State<App>,
    UrlPath(job_id): UrlPath<String>,
    params: Params,
) -> Result<Json<Value>, ApiError> {
    let how = DeleteJob {
        force: params.flag("force", false)?,
        delete_user_annotations: params.flag("delete_user_annotations", false)?,
        task_id: None,
    };
    if params.flag("wait_for_completion", true)? {
        app.jobs().delete_job(&job_id, how).await?;
        return Ok(Json(acknowledged()));
    }
    app.jobs().check_deletable(&job_id, how.force).await?;
    let jobs = app.jobs().clone();
    let description = format!("delete-job-{job_id}");
    let number = app.tasks().spawn("cluster:admin/xpack/ml/job/delete", description, |number| async move {
        let how = DeleteJob { task_id: Some(tasks::task_id(number)), ..how };
        tasks::outcome(jobs.delete_job(&job_id, how).await)
    });
    Ok(Json(json!({ "task": tasks::task_id(number) })))
}

/// `GET /_ml/anomaly_detectors/_stats`
async fn stats_all(state: State<App>, params: Params) -> Result<Json<Value>, ApiError> {
    stats(state, UrlPath("_all".to_owned()), params).await
}

/// `GET /_ml/anomaly_detectors/{job_id}/_stats`
async fn stats(
    State(app): State<App>,
    UrlPath(job_id): UrlPath<String>,
    params: Params,
) -> Result<Json<Value>, ApiError> {
    let found = app.jobs().job_stats(&job_id, allow_no_match(&params)?).await?;
    listed("jobs", &found).map(Json)
}

/// `POST /_ml/anomaly_detectors/{job_id}/_update`
async fn update(
    State(app): State<App>,
    UrlPath(job_id): UrlPath<String>,
    EsJson(body): EsJson<JobUpdate>,
) -> Result<Json<Value>, ApiError> {
    shown(app.jobs().update_job(&job_id, body).await?)
}

/// `POST /_ml/anomaly_detectors/{job_id}/_open`
async fn open(
    State(app): State<App>,
    UrlPath(job_id): UrlPath<String>,
    options: Options,
) -> Result<Json<Value>, ApiError> {
    options.known("open_job", &["timeout", "job_id", "ignore_downtime"])?;
    options.span("timeout")?;
    shown(app.jobs().open_job(&job_id).await?)
}

/// `POST /_ml/anomaly_detectors/{job_id}/_close`
async fn close(
    State(app): State<App>,
    UrlPath(job_id): UrlPath<String>,
    options: Options,
) -> Result<Json<Value>, ApiError> {
    options.known("close_job", &["timeout", "force", "allow_no_match", "allow_no_jobs", "job_id"])?;
    options.span("timeout")?;
    let allow_no_match = match options.optional_flag("allow_no_match")? {
        Some(flag) => flag,
        None => options.flag("allow_no_jobs", true)?,
    };
    app.jobs().close_jobs(&job_id, CloseJob { force: options.flag("force", false)?, allow_no_match }).await?;
    Ok(Json(json!({ "closed": true })))
}

/// `POST /_ml/anomaly_detectors/{job_id}/_flush`
async fn flush(
    State(app): State<App>,
    UrlPath(job_id): UrlPath<String>,
    options: Options,
) -> Result<Json<Value>, ApiError> {
    options.known("flush_job", &FLUSH)?;
    let time = |name: &str| options.time(name, app.clock());
    let flush = FlushJob {
        calc_interim: options.flag("calc_interim", false)?,
        start: time("start")?,
        end: time("end")?,
        advance_time: time("advance_time")?,
        skip_time: time("skip_time")?,
    };
    shown(app.jobs().flush_job(&job_id, flush).await?)
}

/// `POST /_ml/anomaly_detectors/{job_id}/_reset`
async fn reset(
    State(app): State<App>,
    UrlPath(job_id): UrlPath<String>,
    params: Params,
) -> Result<Json<Value>, ApiError> {
    let how =
        ResetJob { delete_user_annotations: params.flag("delete_user_annotations", false)?, task_id: None };
    if params.flag("wait_for_completion", true)? {
        app.jobs().reset_job(&job_id, how).await?;
        return Ok(Json(acknowledged()));
    }
    app.jobs().check_resettable(&job_id).await?;
    let jobs = app.jobs().clone();
    let description = format!("reset-job-{job_id}");
    let number = app.tasks().spawn("cluster:admin/xpack/ml/job/reset", description, |number| async move {
        let how = ResetJob { task_id: Some(tasks::task_id(number)), ..how };
        tasks::outcome(jobs.reset_job(&job_id, how).await)
    });
    Ok(Json(json!({ "task": tasks::task_id(number) })))
}

/// `POST /_ml/anomaly_detectors/{job_id}/_data`
async fn post_data(
    State(app): State<App>,
    UrlPath(job_id): UrlPath<String>,
    params: Params,
    RawBody(body): RawBody,
) -> Result<Response, ApiError> {
    let time = |name: &str| {
        let text = params.text(name).filter(|text| !text.is_empty());
        text.map(|text| super::times::parse(text, name, app.clock().now())).transpose()
    };
    let reset = match (time("reset_start")?, time("reset_end")?) {
        (Some(start), Some(end)) => Some((start, end)),
        (None, None) => None,
        (start, _) => {
            let missing = if start.is_none() { "reset_start" } else { "reset_end" };
            return Err(ApiError::argument(format!(
                "Invalid reset range parameters: '{missing}' has not been specified."
            )));
        }
    };
    if body.is_empty() {
        return Err(ApiError::new(ErrorKind::Parse, "request body is required"));
    }
    let text = std::str::from_utf8(&body).map_err(|error| {
        ApiError::x_content(format!("the body is not UTF-8 after [{}] bytes", error.valid_up_to()))
    })?;
    // The body, its records as columns, and the entry of the log.
    let bytes = (text.len() as u64).saturating_mul(DATA_HELD_PER_BYTE);
    let _charge =
        app.breakers().in_flight.charge(bytes, "<data of a job>").map_err(::search::Error::DataTooLarge)?;
    let counts = app.jobs().post_data_anew(&job_id, text, reset).await?;
    Ok((StatusCode::ACCEPTED, shown(counts)?).into_response())
}

/// `POST /_ml/anomaly_detectors/_validate`
async fn validate(State(app): State<App>, EsJson(body): EsJson<JobBody>) -> Result<Json<Value>, ApiError> {
    if body.model_snapshot_id.is_some() {
        // What only the server sets is no field of a job that somebody thinks of.
        return Err(ApiError::x_content("[1:1] [job_details] unknown field [model_snapshot_id]"));
    }
    let job_id = JobId::try_from(body.job_id.as_deref().unwrap_or("validated"))?;
    body.into_job(job_id, app.clock().now())?;
    Ok(Json(acknowledged()))
}

/// `POST /_ml/anomaly_detectors/_validate/detector`: a job with nothing but the detector must be accepted.
async fn validate_detector(
    State(app): State<App>,
    EsJson(detector): EsJson<Detector>,
) -> Result<Json<Value>, ApiError> {
    let config = json!({ "detectors": [detector] });
    let body: JobBody = serde_json::from_value(json!({ "analysis_config": config, "data_description": {} }))
        .map_err(|error| ApiError::x_content(error.to_string()))?;
    body.into_job(JobId::try_from("validated")?, app.clock().now())?;
    Ok(Json(acknowledged()))
}
