//! A server's configuration, and its models if wanted, as files.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use types::TimestampMs;

use super::PlanError;
use super::current::{Current, CurrentCalendar};
use super::document::Kind;
use super::normal::time_ms;
use super::server::Server;
use super::snapshot;

/// Which models are taken along.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum State {
    /// The one with which each job begins when it is opened.
    Active,
    /// Every model snapshot.
    All,
}

/// The form of the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    Yaml,
    Json,
}

/// What the server adds, or what is the default and says nothing.
const JOB_GENERATED: [&str; 9] = [
    "job_id",
    "job_type",
    "job_version",
    "create_time",
    "finished_time",
    "model_snapshot_id",
    "model_snapshot_min_version",
    "blocked",
    "deleting",
];

/// Writes one file for each thing; the answer is what was written, in order.
///
/// # Errors
/// When the server does not answer or a file cannot be written.
pub(super) async fn export(
    server: &Server,
    folder: &Path,
    format: Format,
    state: Option<State>,
) -> Result<Vec<PathBuf>, PlanError> {
    let current = Current::load(server).await?;
    let mut written = Vec::new();
    let mut write = |kind: Kind, id: &str, body: Map<String, Value>| {
        written.push(write_file(folder, kind, id, headed(kind, id, body), format)?);
        Ok::<(), PlanError>(())
    };
    for (id, filter) in &current.filters {
        write(Kind::Filter, id, without(filter, &["filter_id"]))?;
    }
    for (id, calendar) in &current.calendars {
        write(Kind::Calendar, id, calendar_body(calendar))?;
    }
    for (id, job) in &current.jobs {
        write(Kind::Job, id, job_body(&job.config))?;
    }
    for (id, feed) in &current.feeds {
        write(Kind::Datafeed, id, without(&feed.config, &["datafeed_id", "authorization", "create_time"]))?;
    }
    for (id, watch) in watches(server).await? {
        write(Kind::Watch, &id, watch)?;
    }
    if let Some(state) = state {
        for (job_id, job) in &current.jobs {
            let active = job.config["model_snapshot_id"].as_str();
            for snapshot_id in snapshot_ids(server, job_id, active, state).await? {
                let is_active = active == Some(snapshot_id.as_str());
                let body = snapshot::exported(server, job_id, &snapshot_id, is_active).await?;
                let name = format!("{job_id}-{snapshot_id}");
                // Long lines of base64 are not made for people.
                written.push(write_file(folder, Kind::ModelSnapshot, &name, body, Format::Json)?);
            }
        }
    }
    Ok(written)
}

async fn snapshot_ids(
    server: &Server,
    job_id: &str,
    active: Option<&str>,
    state: State,
) -> Result<Vec<String>, PlanError> {
    if state == State::Active {
        return Ok(active.map(str::to_owned).into_iter().collect());
    }
    let path = format!("/_ml/anomaly_detectors/{job_id}/model_snapshots?size=10000");
    let answer = server.get(&path).await?;
    let found = answer["model_snapshots"].as_array().into_iter().flatten();
    Ok(found.filter_map(|snapshot| snapshot["snapshot_id"].as_str()).map(str::to_owned).collect())
}

fn without(value: &Value, names: &[&str]) -> Map<String, Value> {
    let mut body = value.as_object().cloned().unwrap_or_default();
    for name in names {
        body.shift_remove(*name);
    }
    body
}

fn headed(kind: Kind, id: &str, body: Map<String, Value>) -> Value {
    let mut document = Map::new();
    document.insert("kind".to_owned(), json!(kind.name()));
    document.insert("id".to_owned(), json!(id));
    document.extend(body);
    Value::Object(document)
}

fn job_body(config: &Value) -> Map<String, Value> {
    let mut body = without(config, &JOB_GENERATED);
    let index = body["results_index_name"].as_str().unwrap_or("shared").to_owned();
    match index.strip_prefix("custom-") {
        Some(given) => body.insert("results_index_name".to_owned(), json!(given)),
        None => body.shift_remove("results_index_name"),
    };
    let detectors = body.get_mut("analysis_config").and_then(|config| config["detectors"].as_array_mut());
    for detector in detectors.into_iter().flatten().filter_map(Value::as_object_mut) {
        detector.shift_remove("detector_index");
    }
    body
}

fn calendar_body(calendar: &CurrentCalendar) -> Map<String, Value> {
    let mut body = without(&calendar.config, &["calendar_id"]);
    let events = calendar.events.iter().map(|event| {
        let mut event = without(event, &["calendar_id", "event_id"]);
        for name in ["start_time", "end_time"] {
            if let Some(ms) = event.get(name).and_then(time_ms) {
                event.insert(name.to_owned(), json!(TimestampMs(ms).to_iso()));
            }
        }
        Value::Object(event)
    });
    body.insert("events".to_owned(), events.collect());
    body
}

/// The watches of a server that has any.
async fn watches(server: &Server) -> Result<Vec<(String, Map<String, Value>)>, PlanError> {
    let asked = server.post("/_watcher/_query/watches", json!({"size": 10_000})).await;
    let answer = match asked {
        Ok(answer) => answer,
        Err(PlanError::Refused { status: 400 | 404 | 405, .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let found = answer["watches"].as_array().into_iter().flatten();
    Ok(found
        .filter_map(|watch| Some((watch["_id"].as_str()?.to_owned(), watch["watch"].as_object()?.clone())))
        .collect())
}

fn write_file(
    folder: &Path,
    kind: Kind,
    name: &str,
    document: Value,
    format: Format,
) -> Result<PathBuf, PlanError> {
    let folder = folder.join(format!("{kind}s"));
    let failed = |path: &Path, reason: String| PlanError::Output { path: path.display().to_string(), reason };
    std::fs::create_dir_all(&folder).map_err(|error| failed(&folder, error.to_string()))?;
    let (text, extension) = match format {
        Format::Yaml => (serde_yaml_ng::to_string(&document).map_err(|error| error.to_string()), "yaml"),
        Format::Json => (
            serde_json::to_string_pretty(&document)
                .map(|text| text + "\n")
                .map_err(|error| error.to_string()),
            "json",
        ),
    };
    let path = folder.join(format!("{}.{extension}", file_name(name)));
    let text = text.map_err(|reason| failed(&path, reason))?;
    std::fs::write(&path, text).map_err(|error| failed(&path, error.to_string()))?;
    Ok(path)
}

/// An id as the name of a file; ids of watches may hold anything.
fn file_name(id: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let encoded = id
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") });
    let name: String = encoded.collect();
    match name.strip_prefix('.') {
        Some(rest) => format!("%2E{rest}"),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_become_names_of_files_in_their_folder() {
        assert_eq!(file_name("web-1_a.b"), "web-1_a.b");
        assert_eq!(file_name("../x y"), "%2E.%2Fx%20y");
    }

    #[test]
    fn what_the_server_adds_is_left_out() {
        let config = json!({"job_id": "j", "create_time": 3, "results_index_name": "custom-x",
            "analysis_config": {"detectors": [{"function": "count", "detector_index": 0}]}});
        let expected =
            json!({"results_index_name": "x", "analysis_config": {"detectors": [{"function": "count"}]}});
        assert_eq!(Value::Object(job_body(&config)), expected);
    }
}
