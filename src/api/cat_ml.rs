//! `/_cat/ml`: jobs and datafeeds as tables for people.

use axum::extract::State;
use axum::response::Response;
use serde_json::Value;

use super::cat_table::{CAT_PARAMS, CatRequest, Column};
use super::error::ApiError;
use super::extract::{Params, UrlPath};
use super::listing::{self, MATCH, allow_no_match};
use super::route::{Route, route};
use crate::app::App;

/// A column, and where in the statistics its value is.
type Place = (Column, &'static str);

/// Numbers stand to the left and states to the right here, unlike in other tables.
const fn number(name: &'static str, aliases: &'static str, pointer: &'static str) -> Place {
    text(name, aliases, pointer)
}

const fn text(name: &'static str, aliases: &'static str, pointer: &'static str) -> Place {
    (Column::text(name, aliases).hidden(), pointer)
}

const JOBS: &[Place] = &[
    (Column::text("id", ""), "/job_id"),
    (Column::text("state", "s").to_the_right(), "/state"),
    text("opened_time", "ot", "/open_time"),
    text("assignment_explanation", "ae", "/assignment_explanation"),
    (Column::text("data.processed_records", "dpr"), "/data_counts/processed_record_count"),
    number("data.processed_fields", "dpf", "/data_counts/processed_field_count"),
    number("data.input_bytes", "dib", "/data_counts/input_bytes"),
    number("data.input_records", "dir", "/data_counts/input_record_count"),
    number("data.input_fields", "dif", "/data_counts/input_field_count"),
    number("data.invalid_dates", "did", "/data_counts/invalid_date_count"),
    number("data.missing_fields", "dmf", "/data_counts/missing_field_count"),
    number("data.out_of_order_timestamps", "doot", "/data_counts/out_of_order_timestamp_count"),
    number("data.empty_buckets", "deb", "/data_counts/empty_bucket_count"),
    number("data.sparse_buckets", "dsb", "/data_counts/sparse_bucket_count"),
    number("data.buckets", "db", "/data_counts/bucket_count"),
    number("data.earliest_record", "der", "/data_counts/earliest_record_timestamp"),
    number("data.latest_record", "dlr", "/data_counts/latest_record_timestamp"),
    number("data.last", "dl", "/data_counts/last_data_time"),
    number("data.last_empty_bucket", "dleb", "/data_counts/latest_empty_bucket_timestamp"),
    number("data.last_sparse_bucket", "dlsb", "/data_counts/latest_sparse_bucket_timestamp"),
    (Column::text("model.bytes", "mb"), "/model_size_stats/model_bytes"),
    (Column::text("model.memory_status", "mms"), "/model_size_stats/memory_status"),
    number("model.bytes_exceeded", "mbe", "/model_size_stats/model_bytes_exceeded"),
    number("model.memory_limit", "mml", "/model_size_stats/model_bytes_memory_limit"),
    number("model.by_fields", "mbf", "/model_size_stats/total_by_field_count"),
    number("model.over_fields", "mof", "/model_size_stats/total_over_field_count"),
    number("model.partition_fields", "mpf", "/model_size_stats/total_partition_field_count"),
    number("model.bucket_allocation_failures", "mbaf", "/model_size_stats/bucket_allocation_failures_count"),
    text("model.categorization_status", "mcs", "/model_size_stats/categorization_status"),
    number("model.categorized_doc_count", "mcdc", "/model_size_stats/categorized_doc_count"),
    number("model.total_category_count", "mtcc", "/model_size_stats/total_category_count"),
    number("model.frequent_category_count", "mfcc", "/model_size_stats/frequent_category_count"),
    number("model.rare_category_count", "mrcc", "/model_size_stats/rare_category_count"),
    number("model.dead_category_count", "mdcc", "/model_size_stats/dead_category_count"),
    number("model.failed_category_count", "", "/model_size_stats/failed_category_count"),
    number("model.log_time", "mlt", "/model_size_stats/log_time"),
    number("model.timestamp", "mt", "/model_size_stats/timestamp"),
    (Column::text("forecasts.total", "ft"), "/forecasts_stats/total"),
    number("forecasts.memory.min", "fmmin", "/forecasts_stats/memory_bytes/min"),
    number("forecasts.memory.max", "fmmax", "/forecasts_stats/memory_bytes/max"),
    number("forecasts.memory.avg", "fmavg", "/forecasts_stats/memory_bytes/avg"),
    number("forecasts.memory.total", "fmt", "/forecasts_stats/memory_bytes/total"),
    number("forecasts.records.min", "frmin", "/forecasts_stats/records/min"),
    number("forecasts.records.max", "frmax", "/forecasts_stats/records/max"),
    number("forecasts.records.avg", "fravg", "/forecasts_stats/records/avg"),
    number("forecasts.records.total", "frt", "/forecasts_stats/records/total"),
    number("forecasts.time.min", "ftmin", "/forecasts_stats/processing_time_ms/min"),
    number("forecasts.time.max", "ftmax", "/forecasts_stats/processing_time_ms/max"),
    number("forecasts.time.avg", "ftavg", "/forecasts_stats/processing_time_ms/avg"),
    number("forecasts.time.total", "ftt", "/forecasts_stats/processing_time_ms/total"),
    (Column::text("buckets.count", "bc"), "/timing_stats/bucket_count"),
    number("buckets.time.total", "btt", "/timing_stats/total_bucket_processing_time_ms"),
    number("buckets.time.min", "btmin", "/timing_stats/minimum_bucket_processing_time_ms"),
    number("buckets.time.max", "btmax", "/timing_stats/maximum_bucket_processing_time_ms"),
    number("buckets.time.exp_avg", "btea", "/timing_stats/exponential_average_bucket_processing_time_ms"),
    number(
        "buckets.time.exp_avg_hour",
        "bteah",
        "/timing_stats/exponential_average_bucket_processing_time_per_hour_ms",
    ),
    text("node.id", "ni", "/node/id"),
    text("node.name", "nn", "/node/name"),
    text("node.ephemeral_id", "ne", "/node/ephemeral_id"),
    text("node.address", "na", "/node/transport_address"),
];

const DATAFEEDS: &[Place] = &[
    (Column::text("id", ""), "/datafeed_id"),
    (Column::text("state", "s").to_the_right(), "/state"),
    text("assignment_explanation", "ae", "/assignment_explanation"),
    (Column::text("buckets.count", "bc"), "/timing_stats/bucket_count"),
    (Column::text("search.count", "sc"), "/timing_stats/search_count"),
    number("search.time", "st", "/timing_stats/total_search_time_ms"),
    number("search.bucket_avg", "sba", "/timing_stats/average_search_time_per_bucket_ms"),
    number("search.exp_avg_hour", "seah", "/timing_stats/exponential_average_search_time_per_hour_ms"),
    text("node.id", "ni", "/node/id"),
    text("node.name", "nn", "/node/name"),
    text("node.ephemeral_id", "ne", "/node/ephemeral_id"),
    text("node.address", "na", "/node/transport_address"),
];

pub(super) fn routes() -> Vec<Route> {
    const HOW: &[&str] = &[CAT_PARAMS, MATCH];
    vec![
        route("GET", "/_cat/ml/anomaly_detectors", "Table of all jobs", HOW, all_jobs),
        route("GET", "/_cat/ml/anomaly_detectors/{job_id}", "Table of jobs", HOW, jobs),
        route("GET", "/_cat/ml/datafeeds", "Table of all datafeeds", HOW, all_datafeeds),
        route("GET", "/_cat/ml/datafeeds/{datafeed_id}", "Table of datafeeds", HOW, datafeeds),
    ]
}

/// `GET /_cat/ml/anomaly_detectors`
async fn all_jobs(state: State<App>, params: Params, how: CatRequest) -> Result<Response, ApiError> {
    jobs(state, UrlPath("_all".to_owned()), params, how).await
}

/// `GET /_cat/ml/anomaly_detectors/{job_id}`
async fn jobs(
    State(app): State<App>,
    UrlPath(job_id): UrlPath<String>,
    params: Params,
    how: CatRequest,
) -> Result<Response, ApiError> {
    let found = app.jobs().job_stats(&job_id, allow_no_match(&params)?).await?;
    table(&how, JOBS, &listing::json(found.items)?)
}

/// `GET /_cat/ml/datafeeds`
async fn all_datafeeds(state: State<App>, params: Params, how: CatRequest) -> Result<Response, ApiError> {
    datafeeds(state, UrlPath("_all".to_owned()), params, how).await
}

/// `GET /_cat/ml/datafeeds/{datafeed_id}`
async fn datafeeds(
    State(app): State<App>,
    UrlPath(datafeed_id): UrlPath<String>,
    params: Params,
    how: CatRequest,
) -> Result<Response, ApiError> {
    let found = app.jobs().datafeed_stats(&datafeed_id, allow_no_match(&params)?).await?;
    table(&how, DATAFEEDS, &listing::json(found.items)?)
}

/// Columns that hold sizes, which people read with a unit.
const SIZES: &[&str] = &["data.input_bytes", "model.bytes", "model.bytes_exceeded", "model.memory_limit"];

fn table(how: &CatRequest, places: &[Place], items: &Value) -> Result<Response, ApiError> {
    let cell = |item: &Value, column: &Column, pointer: &str| match item.pointer(pointer) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(size)) if SIZES.contains(&column.name) => {
            Some(how.size(size.as_u64().unwrap_or_default()))
        }
        Some(other) => Some(other.to_string()),
    };
    let rows = items.as_array().into_iter().flatten();
    let rows = rows
        .map(|item| places.iter().map(|(column, pointer)| cell(item, column, pointer)).collect())
        .collect();
    let columns: Vec<Column> = places.iter().map(|(column, _)| *column).collect();
    how.answer(&columns, rows)
}
