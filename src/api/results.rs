//! `/_ml/anomaly_detectors/{job_id}/results`: what was found.

use axum::Json;
use axum::extract::State;
use jobs::results::{BucketsQuery, CategoriesQuery, InfluencersQuery, OverallBucketsQuery, RecordsQuery};
use serde_json::Value;

use super::error::ApiError;
use super::extract::UrlPath;
use super::listing::listed;
use super::options::Options;
use super::route::{Route, route};
use super::times;
use crate::app::App;

/// Results of a page when the client does not say.
const SIZE_DEFAULT: i64 = 100;
const COMMON: [&str; 9] =
    ["job_id", "start", "end", "exclude_interim", "from", "size", "page", "sort", "desc"];

pub(super) fn routes() -> Vec<Route> {
    const PAGE: &str = "from size start end exclude_interim sort desc";
    const BUCKETS: &[&str] = &[PAGE, "anomaly_score expand timestamp"];
    const CATEGORIES: &[&str] = &["from size partition_field_value"];
    vec![
        route("GET POST", "/_ml/anomaly_detectors/{job_id}/results/buckets", "Buckets", BUCKETS, buckets),
        route(
            "GET POST",
            "/_ml/anomaly_detectors/{job_id}/results/buckets/{timestamp}",
            "One bucket",
            BUCKETS,
            bucket,
        ),
        route(
            "GET POST",
            "/_ml/anomaly_detectors/{job_id}/results/records",
            "Records",
            &[PAGE, "record_score"],
            records,
        ),
        route(
            "GET POST",
            "/_ml/anomaly_detectors/{job_id}/results/influencers",
            "Influencers",
            &[PAGE, "influencer_score"],
            influencers,
        ),
        route(
            "GET POST",
            "/_ml/anomaly_detectors/{job_id}/results/categories",
            "Categories",
            CATEGORIES,
            categories,
        ),
        route(
            "GET POST",
            "/_ml/anomaly_detectors/{job_id}/results/categories/{category_id}",
            "One category",
            CATEGORIES,
            category,
        ),
        route(
            "GET POST",
            "/_ml/anomaly_detectors/{job_id}/results/overall_buckets",
            "Buckets of several jobs seen as one",
            &["top_n bucket_span overall_score start end exclude_interim allow_no_match allow_no_jobs"],
            overall_buckets,
        ),
    ]
}

fn known(options: &Options, object: &str, more: &[&str]) -> Result<(), ApiError> {
    let known: Vec<&str> = COMMON.iter().chain(more).copied().collect();
    options.known(object, &known)
}

/// `GET …/results/buckets`
async fn buckets(
    State(app): State<App>,
    UrlPath(job_id): UrlPath<String>,
    options: Options,
) -> Result<Json<Value>, ApiError> {
    find_buckets(&app, &job_id, None, &options).await
}

/// `GET …/results/buckets/{timestamp}`
async fn bucket(
    State(app): State<App>,
    UrlPath((job_id, timestamp)): UrlPath<(String, String)>,
    options: Options,
) -> Result<Json<Value>, ApiError> {
    find_buckets(&app, &job_id, Some(timestamp), &options).await
}

async fn find_buckets(
    app: &App,
    job_id: &str,
    timestamp: Option<String>,
    options: &Options,
) -> Result<Json<Value>, ApiError> {
    known(options, "get_buckets_action_request", &["anomaly_score", "expand", "timestamp"])?;
    let timestamp = match timestamp {
        Some(text) => Some(times::parse(&text, "timestamp", app.clock().now())?),
        None => options.time("timestamp", app.clock())?,
    };
    let query = BucketsQuery {
        timestamp,
        start: options.time("start", app.clock())?,
        end: options.time("end", app.clock())?,
        exclude_interim: options.flag("exclude_interim", false)?,
        expand: options.flag("expand", false)?,
        anomaly_score: options.score("anomaly_score")?,
        paging: options.optional_paging(SIZE_DEFAULT)?,
        sort: options.text("sort")?,
        desc: options.optional_flag("desc")?,
    };
    listed("buckets", &app.jobs().buckets(job_id, &query).await?).map(Json)
}

/// `GET …/results/records`
async fn records(
    State(app): State<App>,
    UrlPath(job_id): UrlPath<String>,
    options: Options,
) -> Result<Json<Value>, ApiError> {
    known(&options, "get_records_action_request", &["record_score"])?;
    let query = RecordsQuery {
        start: options.time("start", app.clock())?,
        end: options.time("end", app.clock())?,
        exclude_interim: options.flag("exclude_interim", false)?,
        record_score: options.score("record_score")?.unwrap_or(0.0),
        paging: options.paging(SIZE_DEFAULT)?,
        sort: options.text("sort")?,
        desc: options.optional_flag("desc")?,
    };
    listed("records", &app.jobs().records(&job_id, &query).await?).map(Json)
}

/// `GET …/results/influencers`
async fn influencers(
    State(app): State<App>,
    UrlPath(job_id): UrlPath<String>,
    options: Options,
) -> Result<Json<Value>, ApiError> {
    known(&options, "get_influencers_action_request", &["influencer_score"])?;
    let query = InfluencersQuery {
        start: options.time("start", app.clock())?,
        end: options.time("end", app.clock())?,
        exclude_interim: options.flag("exclude_interim", false)?,
        influencer_score: options.score("influencer_score")?.unwrap_or(0.0),
        paging: options.paging(SIZE_DEFAULT)?,
        sort: options.text("sort")?,
        desc: options.optional_flag("desc")?,
    };
    listed("influencers", &app.jobs().influencers(&job_id, &query).await?).map(Json)
}

/// `GET …/results/categories`
async fn categories(
    State(app): State<App>,
    UrlPath(job_id): UrlPath<String>,
    options: Options,
) -> Result<Json<Value>, ApiError> {
    find_categories(&app, &job_id, None, &options).await
}

/// `GET …/results/categories/{category_id}`
async fn category(
    State(app): State<App>,
    UrlPath((job_id, category_id)): UrlPath<(String, String)>,
    options: Options,
) -> Result<Json<Value>, ApiError> {
    let category_id = super::extract::parse_number("category_id", &category_id)?;
    find_categories(&app, &job_id, Some(category_id), &options).await
}

async fn find_categories(
    app: &App,
    job_id: &str,
    category_id: Option<u64>,
    options: &Options,
) -> Result<Json<Value>, ApiError> {
    let fields = ["job_id", "category_id", "partition_field_value", "from", "size", "page"];
    options.known("get_categories_action_request", &fields)?;
    let query = CategoriesQuery {
        category_id: match category_id {
            Some(id) => Some(id),
            None => options.number("category_id")?,
        },
        partition_field_value: options.text("partition_field_value")?,
        paging: options.optional_paging(SIZE_DEFAULT)?,
    };
    listed("categories", &app.jobs().categories(job_id, &query).await?).map(Json)
}

/// `GET …/results/overall_buckets`
async fn overall_buckets(
    State(app): State<App>,
    UrlPath(job_id): UrlPath<String>,
    options: Options,
) -> Result<Json<Value>, ApiError> {
    let fields = [
        "job_id",
        "top_n",
        "bucket_span",
        "overall_score",
        "start",
        "end",
        "exclude_interim",
        "allow_no_match",
        "allow_no_jobs",
    ];
    options.known("get_overall_buckets_action_request", &fields)?;
    let query = OverallBucketsQuery {
        top_n: options.number("top_n")?,
        bucket_span: options.span("bucket_span")?,
        overall_score: options.score("overall_score")?.unwrap_or(0.0),
        start: options.time("start", app.clock())?,
        end: options.time("end", app.clock())?,
        exclude_interim: options.flag("exclude_interim", false)?,
        allow_no_match: match options.optional_flag("allow_no_match")? {
            Some(flag) => flag,
            None => options.flag("allow_no_jobs", true)?,
        },
    };
    listed("overall_buckets", &app.jobs().overall_buckets(&job_id, &query).await?).map(Json)
}
