//! One form for what files say and what servers have, so that only what means something else differs.
//!
//! A file need not name everything: a field of a job or datafeed that it leaves out stays as it is on the server. Only
//! `analysis_config` and `data_description` are read as a whole, since a detector without a field is another detector.

use serde_json::{Map, Value};
use types::datafeed::{Datafeed, DatafeedBody};
use types::{DatafeedId, JobBody, JobId, TimestampMs};

use super::PlanError;
use super::document::Document;

/// What the server adds to a job or a datafeed by itself.
const GENERATED: [&str; 10] = [
    "create_time",
    "finished_time",
    "job_type",
    "job_version",
    "model_snapshot_id",
    "model_snapshot_min_version",
    "blocked",
    "deleting",
    "authorization",
    "headers",
];

/// The body of the file's job, as it is sent when the job is created.
pub(super) fn job_body(document: &Document) -> Map<String, Value> {
    without_generated(&document.body)
}

/// The job as the file wants it, given what the server has.
///
/// # Errors
/// When the file's job breaks a rule.
pub(super) fn wanted_job(document: &Document, current: Option<&Value>) -> Result<Value, PlanError> {
    let named = job_body(document);
    let mut wanted =
        complete_job(&document.id, Value::Object(named.clone())).map_err(|e| document.wrong(e))?;
    let Some(current) = current else { return Ok(wanted) };
    let is_named = |name: &str| named.get(name).is_some_and(|value| !value.is_null());
    let whole = ["analysis_config", "data_description"];
    let fields = wanted.as_object_mut().expect("a job is printed as an object");
    let names: Vec<String> =
        fields.keys().chain(current.as_object().into_iter().flat_map(Map::keys)).cloned().collect();
    for name in names.iter().filter(|name| !is_named(name) && !whole.contains(&name.as_str())) {
        match current.get(name) {
            Some(value) => fields.insert(name.clone(), value.clone()),
            None => fields.shift_remove(name),
        };
    }
    for name in ["model_memory_limit", "categorization_examples_limit"] {
        let pointer = format!("/analysis_limits/{name}");
        if Value::Object(named.clone()).pointer(&pointer).is_none()
            && let Some(value) = current.pointer(&pointer)
        {
            fields["analysis_limits"][name] = value.clone();
        }
    }
    keep_analyzer(&named, current, fields);
    Ok(wanted)
}

/// Servers turn `categorization_filters` into an analyzer; a file that names only the filters means the same.
fn keep_analyzer(named: &Map<String, Value>, current: &Value, wanted: &mut Map<String, Value>) {
    let config = &current["analysis_config"];
    let analyzer = &config["categorization_analyzer"];
    let named = &named["analysis_config"];
    if analyzer.is_null() || !named["categorization_analyzer"].is_null() {
        return;
    }
    let patterns: Vec<&Value> = analyzer["char_filter"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|filter| filter["type"] == "pattern_replace")
        .map(|filter| &filter["pattern"])
        .collect();
    let filters: Vec<&Value> = named["categorization_filters"].as_array().into_iter().flatten().collect();
    if config["categorization_filters"].is_null() && patterns == filters {
        wanted["analysis_config"]["categorization_analyzer"] = analyzer.clone();
        if let Some(config) = wanted["analysis_config"].as_object_mut() {
            config.shift_remove("categorization_filters");
        }
    }
}

/// The job that the server has.
///
/// # Errors
/// When it is not understood.
pub(super) fn current_job(id: &str, config: &Value) -> Result<Value, PlanError> {
    let body = config.as_object().map(without_generated).unwrap_or_default();
    complete_job(id, Value::Object(body)).map_err(|reason| {
        PlanError::Impossible(format!("the server's job [{id}] is not understood: {reason}"))
    })
}

fn complete_job(id: &str, mut body: Value) -> Result<Value, String> {
    if let Some(body) = body.as_object_mut() {
        body.shift_remove("job_id");
    }
    let id = JobId::try_from(id.to_owned()).map_err(|error| error.to_string())?;
    let body: JobBody = serde_json::from_value(body).map_err(|error| error.to_string())?;
    let job = body.into_job(id, TimestampMs(0)).map_err(|error| error.to_string())?;
    let value = serde_json::to_value(job).map_err(|error| error.to_string())?;
    let mut fields = value.as_object().map(without_generated).unwrap_or_default();
    fields.shift_remove("job_id");
    Ok(Value::Object(fields))
}

/// The body of the file's datafeed, as it is sent when the datafeed is created.
pub(super) fn feed_body(document: &Document) -> Map<String, Value> {
    without_generated(&document.body)
}

/// The datafeed as the file wants it, given what the server has.
///
/// # Errors
/// When the file's datafeed breaks a rule.
pub(super) fn wanted_feed(document: &Document, current: Option<&Datafeed>) -> Result<Datafeed, PlanError> {
    let wrong = |reason: String| document.wrong(reason);
    let body: DatafeedBody = serde_json::from_value(Value::Object(feed_body(document)))
        .map_err(|error| wrong(error.to_string()))?;
    let id = DatafeedId::try_from(document.id.clone()).map_err(|error| wrong(error.to_string()))?;
    match current {
        Some(current) if body.job_id.as_deref().is_none_or(|job_id| job_id == current.job_id.as_str()) => {
            body.applied_to(current)
        }
        _ => body.into_datafeed(id),
    }
    .map_err(|error| wrong(error.to_string()))
}

/// The datafeed that the server has.
///
/// # Errors
/// When it is not understood.
pub(super) fn current_feed(id: &str, config: &Value) -> Result<Datafeed, PlanError> {
    let read = || -> Result<Datafeed, String> {
        let body = config.as_object().map(without_generated).unwrap_or_default();
        let body: DatafeedBody =
            serde_json::from_value(Value::Object(body)).map_err(|error| error.to_string())?;
        let id = DatafeedId::try_from(id.to_owned()).map_err(|error| error.to_string())?;
        body.into_datafeed(id).map_err(|error| error.to_string())
    };
    read().map_err(|reason| {
        PlanError::Impossible(format!("the server's datafeed [{id}] is not understood: {reason}"))
    })
}

/// A datafeed as it is compared: a query without the weights that mean nothing.
pub(super) fn comparable_feed(feed: &Datafeed) -> Value {
    let mut value = serde_json::to_value(feed).unwrap_or(Value::Null);
    without_unit_boosts(&mut value["query"]);
    value
}

fn without_unit_boosts(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if fields.get("boost").and_then(Value::as_f64) == Some(1.0) {
                fields.shift_remove("boost");
            }
            fields.values_mut().for_each(without_unit_boosts);
        }
        Value::Array(items) => items.iter_mut().for_each(without_unit_boosts),
        _ => {}
    }
}

fn without_generated(body: &Map<String, Value>) -> Map<String, Value> {
    body.iter()
        .filter(|(name, _)| !GENERATED.contains(&name.as_str()))
        .map(|(n, v)| (n.clone(), v.clone()))
        .collect()
}

/// A point in time as files write it: milliseconds, or a date with a zone.
pub(super) fn time_ms(value: &Value) -> Option<i64> {
    if let Some(ms) = value.as_i64() {
        return Some(ms);
    }
    let text = value.as_str()?;
    if let Ok(ms) = text.parse() {
        return Some(ms);
    }
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(time.as_millisecond());
    }
    let date = text.parse::<jiff::civil::Date>().ok()?;
    Some(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond())
}
