//! `/_ml/datafeeds`: where jobs get their data.

use axum::Json;
use axum::extract::State;
use jobs::{StartDatafeed, StopDatafeed};
use serde_json::{Value, json};
use types::JobBody;
use types::datafeed::DatafeedBody;

use super::anomaly_detectors::{INDICES, indices_options};
use super::error::ApiError;
use super::extract::{AnyJson, EsJson, Named, Params, UrlPath};
use super::listing::{self, MATCH, acknowledged, allow_no_match, listed, without_generated};
use super::options::Options;
use super::route::{Route, route};
use super::{json_error, times};
use crate::app::App;

pub(super) fn routes() -> Vec<Route> {
    let one = "/_ml/datafeeds/{datafeed_id}";
    vec![
        route("PUT", one, "Create a datafeed", &[INDICES], put),
        route("GET", "/_ml/datafeeds", "All datafeeds", &[MATCH, "exclude_generated"], get_all),
        route("GET", one, "Datafeeds", &[MATCH, "exclude_generated"], get),
        route("DELETE", one, "Delete a datafeed", &["force"], delete),
        route("GET", "/_ml/datafeeds/_stats", "Statistics of all datafeeds", &[MATCH], stats_all),
        route("GET", "/_ml/datafeeds/{datafeed_id}/_stats", "Statistics of datafeeds", &[MATCH], stats),
        route("POST", "/_ml/datafeeds/{datafeed_id}/_update", "Change a datafeed", &[INDICES], update),
        route(
            "POST",
            "/_ml/datafeeds/{datafeed_id}/_start",
            "Start a datafeed",
            &["start end timeout"],
            start,
        ),
        route(
            "POST",
            "/_ml/datafeeds/{datafeed_id}/_stop",
            "Stop datafeeds",
            &[MATCH, "force timeout close_job"],
            stop,
        ),
        route(
            "GET POST",
            "/_ml/datafeeds/_preview",
            "What a datafeed that is not stored would send",
            &["start end"],
            preview_config,
        ),
        route(
            "GET POST",
            "/_ml/datafeeds/{datafeed_id}/_preview",
            "What a datafeed would send",
            &["start end"],
            preview,
        ),
    ]
}

impl Named for DatafeedBody {
    const NAME: &'static str = "datafeed_config";
}

/// `PUT /_ml/datafeeds/{datafeed_id}`
async fn put(
    State(app): State<App>,
    UrlPath(datafeed_id): UrlPath<String>,
    params: Params,
    EsJson(mut body): EsJson<DatafeedBody>,
) -> Result<Json<Value>, ApiError> {
    body.indices_options = body.indices_options.or(indices_options(&params)?);
    listing::json(app.jobs().put_datafeed(&datafeed_id, body).await?).map(Json)
}

/// `GET /_ml/datafeeds`
async fn get_all(state: State<App>, params: Params) -> Result<Json<Value>, ApiError> {
    get(state, UrlPath("_all".to_owned()), params).await
}

/// `GET /_ml/datafeeds/{datafeed_id}`
async fn get(
    State(app): State<App>,
    UrlPath(datafeed_id): UrlPath<String>,
    params: Params,
) -> Result<Json<Value>, ApiError> {
    let found = app.jobs().get_datafeeds(&datafeed_id, allow_no_match(&params)?).await?;
    let mut answer = listed("datafeeds", &found)?;
    if params.flag("exclude_generated", false)? {
        without_generated(&mut answer["datafeeds"]);
    }
    Ok(Json(answer))
}

/// `DELETE /_ml/datafeeds/{datafeed_id}`
async fn delete(
    State(app): State<App>,
    UrlPath(datafeed_id): UrlPath<String>,
    params: Params,
) -> Result<Json<Value>, ApiError> {
    app.jobs().delete_datafeed(&datafeed_id, params.flag("force", false)?).await?;
    Ok(Json(acknowledged()))
}

/// `GET /_ml/datafeeds/_stats`
async fn stats_all(state: State<App>, params: Params) -> Result<Json<Value>, ApiError> {
    stats(state, UrlPath("_all".to_owned()), params).await
}

/// `GET /_ml/datafeeds/{datafeed_id}/_stats`
async fn stats(
    State(app): State<App>,
    UrlPath(datafeed_id): UrlPath<String>,
    params: Params,
) -> Result<Json<Value>, ApiError> {
    listed("datafeeds", &app.jobs().datafeed_stats(&datafeed_id, allow_no_match(&params)?).await?).map(Json)
}

/// `POST /_ml/datafeeds/{datafeed_id}/_update`
async fn update(
    State(app): State<App>,
    UrlPath(datafeed_id): UrlPath<String>,
    params: Params,
    EsJson(mut body): EsJson<DatafeedBody>,
) -> Result<Json<Value>, ApiError> {
    body.indices_options = body.indices_options.or(indices_options(&params)?);
    listing::json(app.jobs().update_datafeed(&datafeed_id, body).await?).map(Json)
}

/// `POST /_ml/datafeeds/{datafeed_id}/_start`
async fn start(
    State(app): State<App>,
    UrlPath(datafeed_id): UrlPath<String>,
    options: Options,
) -> Result<Json<Value>, ApiError> {
    options.known("start_datafeed", &["start", "end", "timeout", "datafeed_id"])?;
    options.span("timeout")?;
    let when =
        StartDatafeed { start: options.time("start", app.clock())?, end: options.time("end", app.clock())? };
    let node = app.jobs().start_datafeed(&datafeed_id, when).await?;
    Ok(Json(json!({ "started": true, "node": node })))
}

/// `POST /_ml/datafeeds/{datafeed_id}/_stop`
async fn stop(
    State(app): State<App>,
    UrlPath(datafeed_id): UrlPath<String>,
    options: Options,
) -> Result<Json<Value>, ApiError> {
    let known = ["force", "timeout", "allow_no_match", "allow_no_datafeeds", "close_job", "datafeed_id"];
    options.known("stop_datafeed", &known)?;
    options.span("timeout")?;
    let allow_no_match = match options.optional_flag("allow_no_match")? {
        Some(flag) => flag,
        None => options.flag("allow_no_datafeeds", true)?,
    };
    let close_job = options.flag("close_job", false)?;
    let how = StopDatafeed { force: options.flag("force", false)?, allow_no_match };
    // Looked up before, since a datafeed may be deleted as soon as it has stopped.
    let fed: Vec<String> = if close_job {
        let feeds = app.jobs().get_datafeeds(&datafeed_id, allow_no_match).await?;
        feeds.items.iter().map(|feed| feed.job_id.to_string()).collect()
    } else {
        Vec::new()
    };
    app.jobs().stop_datafeeds(&datafeed_id, how).await?;
    for job_id in fed {
        app.jobs().close_jobs(&job_id, jobs::CloseJob { force: how.force, allow_no_match: true }).await?;
    }
    Ok(Json(json!({ "stopped": true })))
}

/// `GET /_ml/datafeeds/{datafeed_id}/_preview`
async fn preview(
    State(app): State<App>,
    UrlPath(datafeed_id): UrlPath<String>,
    params: Params,
    AnyJson(body): AnyJson,
) -> Result<Json<Value>, ApiError> {
    if body.get("datafeed_config").is_some() || body.get("job_config").is_some() {
        return Err(ApiError::argument(
            "[datafeed_id] cannot be supplied when either [job_config] or [datafeed_config] is present",
        ));
    }
    let (start, end) = preview_times(&app, &params, &body)?;
    listing::json(app.jobs().preview_datafeed(&datafeed_id, start, end).await?).map(Json)
}

type Bound = Option<types::TimestampMs>;

fn preview_times(app: &App, params: &Params, body: &Value) -> Result<(Bound, Bound), ApiError> {
    let now = app.clock().now();
    let time = |name: &str| match body.get(name) {
        Some(value) => times::parse_value(value, name, now).map(Some),
        None => params
            .text(name)
            .filter(|text| !text.is_empty())
            .map(|text| times::parse(text, name, now))
            .transpose(),
    };
    Ok((time("start")?, time("end")?))
}

/// `GET /_ml/datafeeds/_preview`
async fn preview_config(
    State(app): State<App>,
    params: Params,
    AnyJson(body): AnyJson,
) -> Result<Json<Value>, ApiError> {
    let object = body.as_object().ok_or_else(|| {
        ApiError::validation(
            "[datafeed_config] must be provided in the body when no [datafeed_id] is in the address",
        )
    })?;
    let known = ["datafeed_config", "job_config", "start", "end"];
    if let Some(name) = object.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(ApiError::x_content(format!("[1:1] [preview_datafeed_action] unknown field [{name}]")));
    }
    let text = |name: &str| object.get(name).filter(|value| !value.is_null()).map(ToString::to_string);
    let mut job: Option<JobBody> =
        text("job_config").map(|job| json_error::read(job.as_bytes(), "job_details")).transpose()?;
    let inside = job.as_mut().and_then(|job| job.datafeed_config.take()).map(|feed| feed.to_string());
    let feed = match (text("datafeed_config"), inside) {
        (Some(_), Some(_)) => {
            return Err(ApiError::argument(
                "[datafeed_config] must not be present when a [job_config.datafeed_config] is present",
            ));
        }
        (None, None) => {
            return Err(ApiError::argument(
                "[datafeed_config] must be present when a [job_config.datafeed_config] is not present",
            ));
        }
        (outside, inside) => outside.or(inside).unwrap_or_default(),
    };
    let feed: DatafeedBody = json_error::read(feed.as_bytes(), "datafeed_config")?;
    let (start, end) = preview_times(&app, &params, &body)?;
    listing::json(app.jobs().preview_config(feed, job, start, end).await?).map(Json)
}
