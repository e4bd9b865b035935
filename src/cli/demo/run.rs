//! One demo from an empty index to its results, all through the public API.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use super::client::Client;
use super::scenario::Scenario;
use crate::cli::CliError;

const DOCUMENTS_PER_BULK: usize = 5_000;
const RECORDS_PER_PAGE: usize = 1_000;
const RECORDS_MAX: usize = 10_000;
const POLL: Duration = Duration::from_millis(250);
/// So many polls in a row may fail while a cluster is too busy to answer.
const FAILED_POLLS_MAX: u32 = 60;

/// What a run gave.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Documents loaded.
    pub(super) documents: u64,
    /// Seconds that loading took.
    pub(super) load_s: f64,
    /// Seconds that the job took.
    pub(super) run_s: f64,
    /// Anomaly records, by descending score.
    pub(super) records: Vec<Value>,
    /// Category definitions.
    pub(super) categories: Vec<Value>,
    /// Buckets with results.
    pub(super) buckets: u64,
}

/// Loads the data, runs the job to its end and reads what it found.
pub(super) async fn run(client: &Client, scenario: &Scenario) -> Result<Outcome, CliError> {
    let started = Instant::now();
    let documents = load(client, scenario).await?;
    let load_s = started.elapsed().as_secs_f64();
    let started = Instant::now();
    let job = format!("/_ml/anomaly_detectors/{}", scenario.job_id);
    client.put(&job, &scenario.job).await?;
    let feed = format!("/_ml/datafeeds/datafeed-{}", scenario.job_id);
    let mut config = scenario.datafeed.clone();
    config["job_id"] = json!(scenario.job_id);
    client.put(&feed, &config).await?;
    client.post(&format!("{job}/_open"), &json!({})).await?;
    client
        .post(&format!("{feed}/_start"), &json!({"start": scenario.start_ms, "end": scenario.end_ms}))
        .await?;
    follow(client, scenario, &job, &feed).await?;
    let run_s = started.elapsed().as_secs_f64();
    let records = records(client, &job).await?;
    let categories = client.get(&format!("{job}/results/categories?size=1000")).await?;
    let buckets = client.get(&format!("{job}/results/buckets?size=1")).await?;
    Ok(Outcome {
        documents,
        load_s,
        run_s,
        records,
        categories: list(&categories, "categories"),
        buckets: buckets["count"].as_u64().unwrap_or(0),
    })
}

fn list(answer: &Value, name: &str) -> Vec<Value> {
    answer[name].as_array().cloned().unwrap_or_default()
}

async fn load(client: &Client, scenario: &Scenario) -> Result<u64, CliError> {
    client.put(&format!("/{}", scenario.index), &json!({"mappings": scenario.mapping})).await?;
    let bar = progress_bar("loading documents", None);
    let mut lines = String::new();
    let mut waiting = 0;
    let mut total = 0;
    for document in (scenario.documents)() {
        let _ = writeln!(lines, "{{\"create\":{{}}}}\n{document}");
        waiting += 1;
        if waiting == DOCUMENTS_PER_BULK {
            bulk(client, scenario, std::mem::take(&mut lines)).await?;
            total += std::mem::take(&mut waiting) as u64;
            bar.set_position(total);
        }
    }
    if waiting > 0 {
        bulk(client, scenario, lines).await?;
        total += waiting as u64;
    }
    // A cluster shows documents to searches, and so to the datafeed, only after a while.
    client.post(&format!("/{}/_refresh", scenario.index), &json!({})).await?;
    bar.finish_and_clear();
    Ok(total)
}

async fn bulk(client: &Client, scenario: &Scenario, lines: String) -> Result<(), CliError> {
    let answer = client.post_lines(&format!("/{}/_bulk", scenario.index), lines).await?;
    if answer["errors"] == json!(false) {
        return Ok(());
    }
    let refused = answer["items"]
        .as_array()
        .into_iter()
        .flatten()
        .find_map(|item| item.pointer("/create/error/reason"));
    let reason = refused.and_then(Value::as_str).unwrap_or("no reason was given");
    Err(CliError::Serve(format!("the store refused a document of [{}]: {reason}", scenario.index)))
}

/// Waits until the datafeed has come to its end and the job is closed.
async fn follow(client: &Client, scenario: &Scenario, job: &str, feed: &str) -> Result<(), CliError> {
    let length = u64::try_from(scenario.end_ms - scenario.start_ms).unwrap_or(1);
    let bar = progress_bar("analysing", Some(length));
    let mut ticks = tokio::time::interval(POLL);
    let mut failed = 0;
    loop {
        ticks.tick().await;
        let job_stats = client.get(&format!("{job}/_stats")).await;
        let feed_stats = client.get(&format!("{feed}/_stats")).await;
        let (job_stats, feed_stats) = match (job_stats, feed_stats) {
            (Ok(job_stats), Ok(feed_stats)) => (job_stats, feed_stats),
            (Err(_), _) | (_, Err(_)) if failed < FAILED_POLLS_MAX => {
                failed += 1;
                continue;
            }
            (Err(error), _) | (_, Err(error)) => return Err(error),
        };
        failed = 0;
        let latest = job_stats.pointer("/jobs/0/data_counts/latest_record_timestamp").and_then(Value::as_i64);
        if let Some(done) = latest.and_then(|latest| u64::try_from(latest - scenario.start_ms).ok()) {
            bar.set_position(done.min(length));
        }
        let state = |answer: &Value, path: &str| {
            answer.pointer(path).and_then(Value::as_str).unwrap_or("").to_owned()
        };
        let (job_state, feed_state) =
            (state(&job_stats, "/jobs/0/state"), state(&feed_stats, "/datafeeds/0/state"));
        if job_state == "failed" {
            return Err(CliError::Serve(format!("the job [{}] failed", scenario.job_id)));
        }
        if feed_state == "stopped" && job_state == "closed" {
            bar.finish_and_clear();
            return Ok(());
        }
    }
}

async fn records(client: &Client, job: &str) -> Result<Vec<Value>, CliError> {
    let mut all = Vec::new();
    while all.len() < RECORDS_MAX {
        let path = format!("{job}/results/records?from={}&size={RECORDS_PER_PAGE}&record_score=1", all.len());
        let page = list(&client.get(&path).await?, "records");
        let last = page.len() < RECORDS_PER_PAGE;
        all.extend(page);
        if last {
            break;
        }
    }
    Ok(all)
}

/// The series that the chart shows: time in milliseconds and value.
pub(super) async fn series(client: &Client, scenario: &Scenario) -> Result<Vec<(i64, f64)>, CliError> {
    let chart = &scenario.chart;
    let mut histogram =
        json!({"date_histogram": {"field": chart.time_field, "fixed_interval": chart.interval}});
    if !chart.aggregation.is_null() {
        histogram["aggs"] = json!({"value": chart.aggregation});
    }
    let query = if chart.query.is_null() { json!({"match_all": {}}) } else { chart.query.clone() };
    let body = json!({"size": 0, "query": query, "aggs": {"time": histogram}});
    let answer = client.post(&format!("/{}/_search", scenario.index), &body).await?;
    let buckets =
        answer.pointer("/aggregations/time/buckets").and_then(Value::as_array).cloned().unwrap_or_default();
    let point = |bucket: &Value| {
        let value =
            if chart.aggregation.is_null() { &bucket["doc_count"] } else { &bucket["value"]["value"] };
        Some((bucket["key"].as_i64()?, value.as_f64()?))
    };
    Ok(buckets.iter().filter_map(point).collect())
}

fn progress_bar(what: &str, length: Option<u64>) -> ProgressBar {
    let (bar, template) = match length {
        Some(length) => (ProgressBar::new(length), "  {prefix} [{bar:40}] {percent}% · {eta} left"),
        None => (ProgressBar::no_length(), "  {prefix} {human_pos} · {per_sec}"),
    };
    bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
    bar.set_style(
        ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("█▌ "),
    );
    bar.set_prefix(what.to_owned());
    bar
}
