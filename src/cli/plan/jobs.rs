//! Changes of jobs: which the API can make, and what becomes of the model when it cannot.

use serde_json::{Map, Value, json};
use types::TimestampMs;

use super::PlanError;
use super::change::{Action, Change, Model};
use super::current::{CurrentFeed, CurrentJob};
use super::difference::{self, Difference};
use super::document::{Document, Kind};
use super::feeds;
use super::normal;
use super::server::Step;
use super::sides::{Jobs, Sides};

/// Fields that an update takes and that act at once.
const LIVE: [&str; 8] = [
    "description",
    "groups",
    "custom_settings",
    "model_plot_config",
    "renormalization_window_days",
    "results_retention_days",
    "model_snapshot_retention_days",
    "daily_model_snapshot_retention_after_days",
];
/// Fields that an update takes and that a job reads when it opens.
const AT_OPENING: [&str; 3] =
    ["background_persist_interval", "allow_lazy_open", "analysis_limits.model_memory_limit"];
/// The same inside `analysis_config`.
const ANALYSIS_AT_OPENING: [&str; 3] =
    ["categorization_filters", "model_prune_window", "per_partition_categorization.stop_on_warn"];

/// How a difference can be made good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Live,
    AtOpening,
    Anew,
}

fn way(path: &str) -> Way {
    let below = |names: &[&str], path: &str| {
        let is_below = |name: &&str| {
            path.strip_prefix(*name).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        names.iter().any(is_below)
    };
    if below(&LIVE, path) {
        return Way::Live;
    }
    if below(&AT_OPENING, path) {
        return Way::AtOpening;
    }
    let Some(inside) = path.strip_prefix("analysis_config.") else { return Way::Anew };
    let of_detector = inside.strip_prefix("detectors[").and_then(|rest| rest.split_once("]."));
    match of_detector {
        Some((_, field)) if below(&["detector_description", "custom_rules"], field) => Way::Live,
        None if below(&ANALYSIS_AT_OPENING, inside) => Way::AtOpening,
        _ => Way::Anew,
    }
}

fn path(id: &str) -> String {
    format!("/_ml/anomaly_detectors/{id}")
}

/// Closes the job before the change if it is open.
pub(super) fn closed_first(mut change: Change, id: &str, job: &CurrentJob) -> Change {
    if !job.is_closed() {
        let force = if job.state == "failed" { "?force=true" } else { "" };
        change.prepare.push(Step::new("POST", format!("{}/_close{force}", path(id))));
    }
    change
}

/// What makes the job what the file says.
///
/// # Errors
/// When the file's job breaks a rule, or the server's is not understood.
pub(super) async fn change(
    document: &Document,
    sides: &Sides<'_>,
    jobs: &mut Jobs,
) -> Result<Option<Change>, PlanError> {
    let Some(now) = sides.current.jobs.get(&document.id) else {
        normal::wanted_job(document, None)?;
        jobs.created.insert(document.id.clone());
        let body = Value::Object(normal::job_body(document));
        let change = Change::new(Kind::Job, &document.id, Action::Create)
            .differing(difference::between(&json!({}), &body))
            .step(Step::with("PUT", path(&document.id), body));
        return Ok(Some(change));
    };
    let current = normal::current_job(&document.id, &now.config)?;
    let wanted = normal::wanted_job(document, Some(&current))?;
    let differences = difference::between(&current, &wanted);
    match differences.iter().map(|difference| way(&difference.path)).max() {
        None => Ok(None),
        Some(Way::Anew) => replaced(document, now, &wanted, differences, sides, jobs).await.map(Some),
        Some(way) => Ok(Some(updated(document, now, &wanted, differences, way, sides))),
    }
}

fn updated(
    document: &Document,
    now: &CurrentJob,
    wanted: &Value,
    differences: Vec<Difference>,
    way: Way,
    sides: &Sides<'_>,
) -> Change {
    let id = &document.id;
    let body = update_body(document, wanted, &differences);
    let mut change = Change::new(Kind::Job, id, Action::Update)
        .model(if now.has_learnt() { Model::Kept } else { Model::None })
        .differing(differences)
        .step(Step::with("POST", format!("{}/_update", path(id)), body));
    if way == Way::Live || now.is_closed() {
        return change;
    }
    change = change.note("the job is closed and opened again around it, so that it takes effect");
    let feed = sides.feed_that_stays(id).filter(|(_, feed)| !feed.is_stopped());
    if let Some((feed_id, feed)) = feed {
        change = feeds::stopped_first(change, feed_id, feed);
    }
    change = closed_first(change, id, now);
    change.finish.push(Step::new("POST", format!("{}/_open", path(id))));
    change
        .finish
        .extend(feed.map(|(feed_id, _)| Step::new("POST", format!("/_ml/datafeeds/{feed_id}/_start"))));
    change
}

fn update_body(document: &Document, wanted: &Value, differences: &[Difference]) -> Value {
    let mut body = Map::new();
    let mut detectors: Vec<usize> = Vec::new();
    for Difference { path, .. } in differences {
        let inside = path.strip_prefix("analysis_config.");
        if let Some(rest) = inside.and_then(|inside| inside.strip_prefix("detectors[")) {
            detectors.extend(rest.split(']').next().and_then(|index| index.parse::<usize>().ok()));
            continue;
        }
        let name = inside.unwrap_or(path).split(['.', '[']).next().unwrap_or_default();
        let from = if inside.is_some() { &wanted["analysis_config"] } else { wanted };
        let value = match name {
            "analysis_limits" => json!({"model_memory_limit": from["analysis_limits"]["model_memory_limit"]}),
            // What is empty is not printed, but means something in the file.
            _ => from.get(name).or_else(|| document.body.get(name)).cloned().unwrap_or(Value::Null),
        };
        body.insert(name.to_owned(), value);
    }
    detectors.sort_unstable();
    detectors.dedup();
    let changed = detectors.into_iter().map(|index| {
        let detector = &wanted["analysis_config"]["detectors"][index];
        let rules = detector.get("custom_rules").cloned().unwrap_or_else(|| json!([]));
        json!({"detector_index": index, "description": detector["detector_description"], "custom_rules": rules})
    });
    let changed: Vec<Value> = changed.collect();
    if !changed.is_empty() {
        body.insert("detectors".to_owned(), Value::Array(changed));
    }
    Value::Object(body)
}

/// Where a new model could be learnt from.
struct Source {
    id: String,
    config: Value,
    real_time: bool,
    /// Is the datafeed described by a file, which then creates it?
    in_files: bool,
}

fn source(job_id: &str, sides: &Sides<'_>) -> Result<Option<Source>, PlanError> {
    let running = |feed: &CurrentFeed| !feed.is_stopped() && feed.real_time;
    if let Some(document) = sides.feed_document_of(job_id) {
        let now = sides.current.feeds.get(&document.id);
        let current = now.map(|feed| normal::current_feed(&document.id, &feed.config)).transpose()?;
        let feed = normal::wanted_feed(document, current.as_ref())?;
        let config = serde_json::to_value(feed).map_err(|error| document.wrong(error))?;
        let real_time = now.is_some_and(running);
        return Ok(Some(Source { id: document.id.clone(), config, real_time, in_files: true }));
    }
    let Some((id, feed)) = sides.feed_that_stays(job_id) else { return Ok(None) };
    let config = serde_json::to_value(normal::current_feed(id, &feed.config)?);
    let config = config.map_err(|error| PlanError::Impossible(error.to_string()))?;
    Ok(Some(Source { id: id.to_owned(), config, real_time: running(feed), in_files: false }))
}

/// The time of the oldest document that the datafeed would read.
async fn oldest_ms(source: &Source, time_field: &str, sides: &Sides<'_>) -> Result<Option<i64>, PlanError> {
    let indices = source.config["indices"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let indices: Vec<&str> = indices.collect();
    let mut body = json!({
        "size": 0,
        "query": source.config["query"],
        "aggs": {"oldest": {"min": {"field": time_field}}},
    });
    if let Some(mappings) = source.config.get("runtime_mappings") {
        body["runtime_mappings"] = mappings.clone();
    }
    let path = format!("/{}/_search?ignore_unavailable=true", indices.join(","));
    match sides.server.post(&path, body).await {
        Ok(answer) => {
            Ok(answer.pointer("/aggregations/oldest/value").and_then(Value::as_f64).map(|ms| ms as i64))
        }
        // Without an index there is nothing to read; any other refusal leaves open whether there is.
        Err(PlanError::Refused { status: 404, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn replaced(
    document: &Document,
    now: &CurrentJob,
    wanted: &Value,
    differences: Vec<Difference>,
    sides: &Sides<'_>,
    jobs: &mut Jobs,
) -> Result<Change, PlanError> {
    let id = &document.id;
    let source = source(id, sides)?;
    let mut change = Change::new(Kind::Job, id, Action::Replace)
        .note(
            "the API cannot change this in a job, so the job is created anew; its results so far are deleted",
        )
        .differing(differences);
    if let Some((feed_id, feed)) = sides.feed_that_stays(id) {
        change = feeds::stopped_first(change, feed_id, feed)
            .step(Step::new("DELETE", format!("/_ml/datafeeds/{feed_id}")));
    }
    change = closed_first(change, id, now)
        .step(Step::new("DELETE", path(id)))
        .step(Step::with("PUT", path(id), creation(wanted)))
        .steps(calendars_of(id, sides));
    let time_field = wanted["data_description"]["time_field"].as_str().unwrap_or("time");
    let oldest = match &source {
        Some(source) if now.has_learnt() => oldest_ms(source, time_field, sides).await?,
        _ => None,
    };
    let resume = resume(id, now, source.as_ref(), oldest);
    change = told(change, now, source.as_ref(), oldest);
    match &source {
        Some(source) if !source.in_files => {
            let mut config = source.config.clone();
            config.as_object_mut().map(|config| config.shift_remove("datafeed_id"));
            change =
                change.step(Step::with("PUT", format!("/_ml/datafeeds/{}", source.id), config)).steps(resume);
            jobs.replaced.insert(id.clone(), Vec::new());
        }
        Some(_) => drop(jobs.replaced.insert(id.clone(), resume)),
        None => {
            change = change.steps(resume);
            jobs.replaced.insert(id.clone(), Vec::new());
        }
    }
    Ok(change)
}

/// A name of the results' index as it is given, where the server shows what it made of it.
fn creation(wanted: &Value) -> Value {
    let mut body = wanted.clone();
    let name = body["results_index_name"].as_str().map(str::to_owned);
    if let (Some(name), Some(fields)) = (name, body.as_object_mut()) {
        match name.strip_prefix("custom-") {
            Some(given) => fields.insert("results_index_name".to_owned(), json!(given)),
            None => fields.shift_remove("results_index_name"),
        };
    }
    body
}

/// A job that is deleted leaves its calendars; what joins it to them again.
fn calendars_of(job_id: &str, sides: &Sides<'_>) -> Vec<Step> {
    let in_files = |calendar: &str| sides.of(Kind::Calendar).find(|document| document.id == calendar);
    let names_job = |list: &Value| list.as_array().into_iter().flatten().any(|job| job == job_id);
    let from_server = sides.current.calendars.iter().filter(|(id, calendar)| {
        names_job(&calendar.config["job_ids"])
            && in_files(id).is_none_or(|document| document.body.get("job_ids").is_none_or(names_job))
    });
    let mut ids: Vec<&str> = from_server.map(|(id, _)| id.as_str()).collect();
    let from_files =
        sides.of(Kind::Calendar).filter(|document| document.body.get("job_ids").is_some_and(names_job));
    ids.extend(from_files.map(|document| document.id.as_str()));
    ids.sort_unstable();
    ids.dedup();
    ids.into_iter().map(|id| Step::new("PUT", format!("/_ml/calendars/{id}/jobs/{job_id}"))).collect()
}

/// What starts the new job: over the old data if there are any, else as it ran before.
fn resume(id: &str, now: &CurrentJob, source: Option<&Source>, oldest: Option<i64>) -> Vec<Step> {
    let open = Step::new("POST", format!("{}/_open", path(id)));
    match (source, oldest) {
        (Some(source), Some(oldest)) => {
            let mut times = json!({"start": oldest.to_string()});
            if !source.real_time
                && let Some(latest) = now.latest_record_ms
            {
                times["end"] = json!((latest + 1).to_string());
            }
            vec![open, Step::with("POST", format!("/_ml/datafeeds/{}/_start", source.id), times)]
        }
        (Some(source), None) if source.real_time => {
            vec![open, Step::new("POST", format!("/_ml/datafeeds/{}/_start", source.id))]
        }
        _ if !now.is_closed() => vec![open],
        _ => Vec::new(),
    }
}

fn told(change: Change, now: &CurrentJob, source: Option<&Source>, oldest: Option<i64>) -> Change {
    if !now.has_learnt() {
        return change.note("the job has learnt nothing yet");
    }
    let iso = |ms: i64| TimestampMs(ms).to_iso();
    match (source, oldest) {
        (None, _) => change.model(Model::Lost).note("it has no datafeed from which it could learn again"),
        (Some(source), None) => change
            .model(Model::Lost)
            .note(format!("its datafeed [{}] finds no data from which it could learn again", source.id)),
        (Some(source), Some(oldest)) => {
            let change = change.model(Model::Rebuilt).note(format!(
                "datafeed [{}] reads its data again from {} on, in the background",
                source.id,
                iso(oldest)
            ));
            match now.earliest_record_ms.filter(|earliest| *earliest < oldest) {
                Some(earliest) => change.note(format!(
                    "data from {} to {}, which the model has seen, are not there any more",
                    iso(earliest),
                    iso(oldest)
                )),
                None => change,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_difference_has_its_way() {
        let ways = [
            ("description", Way::Live),
            ("custom_settings.a.b", Way::Live),
            ("analysis_config.detectors[0].custom_rules[1].actions", Way::Live),
            ("analysis_config.detectors[10].detector_description", Way::Live),
            ("analysis_limits.model_memory_limit", Way::AtOpening),
            ("analysis_config.model_prune_window", Way::AtOpening),
            ("analysis_limits.categorization_examples_limit", Way::Anew),
            ("analysis_config.detectors[0].function", Way::Anew),
            ("analysis_config.detectors", Way::Anew),
            ("analysis_config.bucket_span", Way::Anew),
            ("data_description.time_field", Way::Anew),
            ("results_index_name", Way::Anew),
        ];
        for (path, expected) in ways {
            assert_eq!(way(path), expected, "{path}");
        }
    }
}
