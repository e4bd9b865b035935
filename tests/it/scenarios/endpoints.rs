//! Names of the interface as clients know them, and where each of them lives in the route table.

use serde_json::{Map, Value};

/// Name, method when there is a body and when there is none, paths.
type Endpoint = (&'static str, &'static str, &'static str);

/// A request that is ready to be sent.
#[derive(Debug)]
pub(super) struct Address {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) body: Option<String>,
    /// Is the body made of lines?
    pub(super) lines: bool,
    /// Is the answer a plain table?
    pub(super) cat: bool,
    /// Statuses that are no failure.
    pub(super) ignore: Vec<u64>,
}

/// The first method is used with a body, the last without.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    ("info", "GET", "/"),
    ("bulk", "POST", "/_bulk /{index}/_bulk"),
    ("cat.ml_datafeeds", "GET", "/_cat/ml/datafeeds /_cat/ml/datafeeds/{datafeed_id}"),
    ("cat.ml_jobs", "GET", "/_cat/ml/anomaly_detectors /_cat/ml/anomaly_detectors/{job_id}"),
    ("cat.tasks", "GET", "/_cat/tasks"),
    ("cluster.health", "GET", "/_cluster/health /_cluster/health/{index}"),
    ("cluster.put_settings", "PUT", "/_cluster/settings"),
    ("count", "POST GET", "/_count /{index}/_count"),
    ("features.reset_features", "POST", "/_features/_reset"),
    ("get", "GET", "/{index}/_doc/{id}"),
    ("index", "PUT", "/{index}/_doc/{id}"),
    ("indices.create", "PUT", "/{index}"),
    ("indices.delete", "DELETE", "/{index}"),
    ("indices.exists", "HEAD", "/{index}"),
    ("indices.get_alias", "GET", "/_alias /_alias/{name} /{index}/_alias /{index}/_alias/{name}"),
    ("indices.get_mapping", "GET", "/_mapping /{index}/_mapping"),
    ("indices.refresh", "POST", "/_refresh /{index}/_refresh"),
    ("license.get", "GET", "/_license"),
    ("ml.close_job", "POST", "/_ml/anomaly_detectors/{job_id}/_close"),
    ("ml.delete_calendar", "DELETE", "/_ml/calendars/{calendar_id}"),
    ("ml.delete_calendar_event", "DELETE", "/_ml/calendars/{calendar_id}/events/{event_id}"),
    ("ml.delete_calendar_job", "DELETE", "/_ml/calendars/{calendar_id}/jobs/{job_id}"),
    ("ml.delete_datafeed", "DELETE", "/_ml/datafeeds/{datafeed_id}"),
    ("ml.delete_filter", "DELETE", "/_ml/filters/{filter_id}"),
    ("ml.delete_job", "DELETE", "/_ml/anomaly_detectors/{job_id}"),
    ("ml.delete_model_snapshot", "DELETE", "/_ml/anomaly_detectors/{job_id}/model_snapshots/{snapshot_id}"),
    ("ml.estimate_model_memory", "POST", "/_ml/anomaly_detectors/_estimate_model_memory"),
    ("ml.find_file_structure", "POST", "/_ml/find_file_structure"),
    ("ml.flush_job", "POST", "/_ml/anomaly_detectors/{job_id}/_flush"),
    (
        "ml.get_buckets",
        "POST GET",
        "/_ml/anomaly_detectors/{job_id}/results/buckets /_ml/anomaly_detectors/{job_id}/results/buckets/{timestamp}",
    ),
    ("ml.get_calendar_events", "GET", "/_ml/calendars/{calendar_id}/events"),
    ("ml.get_calendars", "POST GET", "/_ml/calendars /_ml/calendars/{calendar_id}"),
    (
        "ml.get_categories",
        "POST GET",
        "/_ml/anomaly_detectors/{job_id}/results/categories \
         /_ml/anomaly_detectors/{job_id}/results/categories/{category_id}",
    ),
    ("ml.get_datafeed_stats", "GET", "/_ml/datafeeds/_stats /_ml/datafeeds/{datafeed_id}/_stats"),
    ("ml.get_datafeeds", "GET", "/_ml/datafeeds /_ml/datafeeds/{datafeed_id}"),
    ("ml.get_filters", "GET", "/_ml/filters /_ml/filters/{filter_id}"),
    ("ml.get_influencers", "POST GET", "/_ml/anomaly_detectors/{job_id}/results/influencers"),
    ("ml.get_job_stats", "GET", "/_ml/anomaly_detectors/_stats /_ml/anomaly_detectors/{job_id}/_stats"),
    ("ml.get_jobs", "GET", "/_ml/anomaly_detectors /_ml/anomaly_detectors/{job_id}"),
    (
        "ml.get_model_snapshots",
        "POST GET",
        "/_ml/anomaly_detectors/{job_id}/model_snapshots \
         /_ml/anomaly_detectors/{job_id}/model_snapshots/{snapshot_id}",
    ),
    ("ml.get_memory_stats", "GET", "/_ml/memory/_stats /_ml/memory/{node_id}/_stats"),
    ("ml.get_overall_buckets", "POST GET", "/_ml/anomaly_detectors/{job_id}/results/overall_buckets"),
    ("ml.get_records", "POST GET", "/_ml/anomaly_detectors/{job_id}/results/records"),
    ("ml.info", "GET", "/_ml/info"),
    ("ml.open_job", "POST", "/_ml/anomaly_detectors/{job_id}/_open"),
    ("ml.post_calendar_events", "POST", "/_ml/calendars/{calendar_id}/events"),
    ("ml.post_data", "POST", "/_ml/anomaly_detectors/{job_id}/_data"),
    ("ml.preview_datafeed", "POST GET", "/_ml/datafeeds/_preview /_ml/datafeeds/{datafeed_id}/_preview"),
    ("ml.put_calendar", "PUT", "/_ml/calendars/{calendar_id}"),
    ("ml.put_calendar_job", "PUT", "/_ml/calendars/{calendar_id}/jobs/{job_id}"),
    ("ml.put_datafeed", "PUT", "/_ml/datafeeds/{datafeed_id}"),
    ("ml.put_filter", "PUT", "/_ml/filters/{filter_id}"),
    ("ml.put_job", "PUT", "/_ml/anomaly_detectors/{job_id}"),
    ("ml.reset_job", "POST", "/_ml/anomaly_detectors/{job_id}/_reset"),
    (
        "ml.revert_model_snapshot",
        "POST",
        "/_ml/anomaly_detectors/{job_id}/model_snapshots/{snapshot_id}/_revert",
    ),
    ("ml.set_upgrade_mode", "POST", "/_ml/set_upgrade_mode"),
    ("ml.start_datafeed", "POST", "/_ml/datafeeds/{datafeed_id}/_start"),
    ("ml.stop_datafeed", "POST", "/_ml/datafeeds/{datafeed_id}/_stop"),
    ("ml.update_datafeed", "POST", "/_ml/datafeeds/{datafeed_id}/_update"),
    ("ml.update_filter", "POST", "/_ml/filters/{filter_id}/_update"),
    ("ml.update_job", "POST", "/_ml/anomaly_detectors/{job_id}/_update"),
    (
        "ml.update_model_snapshot",
        "POST",
        "/_ml/anomaly_detectors/{job_id}/model_snapshots/{snapshot_id}/_update",
    ),
    ("ml.validate", "POST", "/_ml/anomaly_detectors/_validate"),
    ("ml.validate_detector", "POST", "/_ml/anomaly_detectors/_validate/detector"),
    ("search", "POST GET", "/_search /{index}/_search"),
    ("tasks.get", "GET", "/_tasks/{task_id}"),
    ("tasks.list", "GET", "/_tasks"),
    ("text_structure.find_field_structure", "GET", "/_text_structure/find_field_structure"),
    ("text_structure.find_message_structure", "POST GET", "/_text_structure/find_message_structure"),
    ("text_structure.find_structure", "POST", "/_text_structure/find_structure"),
    ("text_structure.test_grok_pattern", "POST GET", "/_text_structure/test_grok_pattern"),
    ("xpack.usage", "GET", "/_xpack/usage"),
    ("xpack.info", "GET", "/_xpack"),
];

/// The request for a name with its arguments: those that stand in the path, the body, and the rest in the query.
pub(super) fn address(name: &str, arguments: &Map<String, Value>) -> Result<Address, String> {
    if name == "raw" {
        return raw(arguments);
    }
    let known = ENDPOINTS.iter().find(|(known, ..)| *known == name);
    let (_, methods, paths) = known.ok_or_else(|| format!("[{name}] is not among the known names"))?;
    let template = paths
        .split_whitespace()
        .filter(|path| parameters(path).all(|parameter| arguments.contains_key(parameter)))
        .max_by_key(|path| parameters(path).count())
        .ok_or_else(|| format!("[{name}] lacks an argument of its path"))?;
    let mut path = template.to_owned();
    for parameter in parameters(template) {
        let value = text(&arguments[parameter]);
        path = path.replace(&format!("{{{parameter}}}"), &encoded(&value));
    }
    let rest = arguments.iter().filter(|(key, _)| !parameters(template).any(|parameter| parameter == *key));
    let query = rest.filter(|(key, _)| !matches!(key.as_str(), "body" | "ignore"));
    let query = query.map(|(key, value)| (key.clone(), text(value))).collect();
    let body = arguments.get("body").map(body_text);
    let mut methods = methods.split(' ');
    let first = methods.next().unwrap_or("GET");
    let method = if body.is_some() { first } else { methods.next_back().unwrap_or(first) };
    let lines = matches!(name, "bulk" | "ml.post_data")
        || name.ends_with("find_structure")
        || name.ends_with("file_structure");
    Ok(Address {
        method,
        path,
        query,
        body,
        lines,
        cat: name.starts_with("cat."),
        ignore: ignored(arguments),
    })
}

/// A request that is written out: `method`, `path`, `body`.
fn raw(arguments: &Map<String, Value>) -> Result<Address, String> {
    let argument = |name: &str| arguments.get(name).map(text);
    let method = match argument("method").as_deref() {
        None | Some("GET") => "GET",
        Some("POST") => "POST",
        Some("PUT") => "PUT",
        Some("DELETE") => "DELETE",
        Some("HEAD") => "HEAD",
        Some("PATCH") => "PATCH",
        Some(other) => return Err(format!("the method [{other}] is not known")),
    };
    let query =
        arguments.iter().filter(|(key, _)| !matches!(key.as_str(), "method" | "path" | "body" | "ignore"));
    Ok(Address {
        method,
        path: argument("path").ok_or("[raw] needs a path")?,
        query: query.map(|(key, value)| (key.clone(), text(value))).collect(),
        body: arguments.get("body").map(body_text),
        lines: false,
        cat: true,
        ignore: ignored(arguments),
    })
}

fn ignored(arguments: &Map<String, Value>) -> Vec<u64> {
    match arguments.get("ignore") {
        Some(Value::Array(statuses)) => statuses.iter().filter_map(Value::as_u64).collect(),
        Some(one) => one.as_u64().into_iter().collect(),
        None => Vec::new(),
    }
}

fn parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('{').skip(1).filter_map(|rest| rest.split('}').next())
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// A list is a body of lines; a text stands as it is.
fn body_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(lines) => lines.iter().map(|line| format!("{}\n", text(line))).collect(),
        other => other.to_string(),
    }
}

fn encoded(part: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~' | b'*' | b',');
    part.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}
