//! Models taken along: a model snapshot with its state as a file, and back.
//!
//! The file holds the documents as they lie in the server's own indices, so that the same server makes of them what it made
//! before; what is inside the state is not looked at.

use serde_json::{Value, json};

use super::PlanError;
use super::change::{Action, Change, Model};
use super::document::{Document, Kind};
use super::server::{Server, Step};
use super::sides::{Jobs, Sides};

const STATE: &str = ".ml-state*";
const STATE_WRITE: &str = ".ml-state-write";
const HIDDEN: &str = "expand_wildcards=all&ignore_unavailable=true";

/// A job's snapshot as a file. `active`: does the job begin with it when it is opened?
///
/// # Errors
/// When the server does not have all of it.
pub(super) async fn exported(
    server: &Server,
    job_id: &str,
    snapshot_id: &str,
    active: bool,
) -> Result<Value, PlanError> {
    let results = server.index(&format!(".ml-anomalies-{job_id}"));
    let states = server.index(STATE);
    let query =
        json!({"bool": {"filter": [{"term": {"job_id": job_id}}, {"term": {"snapshot_id": snapshot_id}}]}});
    let snapshot = first_hit(server, &results, query).await?.ok_or_else(|| {
        PlanError::Impossible(format!(
            "the server shows no snapshot [{snapshot_id}] of job [{job_id}] in [{results}]: its document API must be open, and \
             --index-prefix be its [store_index_prefix]"
        ))
    })?;
    let chunks = snapshot["_source"]["snapshot_doc_count"].as_u64().unwrap_or(0);
    let mut state = Vec::new();
    for chunk in 1..=chunks {
        let id = format!("{job_id}_model_state_{snapshot_id}#{chunk}");
        state.push(document(server, &states, &id).await?.ok_or_else(|| {
            PlanError::Impossible(format!("document [{id}] of snapshot [{snapshot_id}] is missing"))
        })?);
    }
    // Other servers keep the categories beside the model.
    for chunk in 1.. {
        match document(server, &states, &format!("{job_id}_categorizer_state#{chunk}")).await? {
            Some(found) => state.push(found),
            None => break,
        }
    }
    let counts = document(server, &results, &format!("{job_id}_data_counts")).await?;
    Ok(json!({
        "kind": Kind::ModelSnapshot.name(),
        "id": snapshot_id,
        "job_id": job_id,
        "active": active,
        "data_counts": counts,
        "snapshot": snapshot,
        "state": state,
    }))
}

async fn document(server: &Server, index: &str, id: &str) -> Result<Option<Value>, PlanError> {
    first_hit(server, index, json!({"ids": {"values": [id]}})).await
}

async fn first_hit(server: &Server, index: &str, query: Value) -> Result<Option<Value>, PlanError> {
    let body = json!({"size": 1, "query": query});
    let mut answer = server.post(&format!("/{index}/_search?{HIDDEN}"), body).await?;
    let hit = answer.pointer_mut("/hits/hits/0").map(Value::take);
    Ok(hit.map(|hit| json!({"_id": hit["_id"], "_source": hit["_source"]})))
}

/// What puts the model into a job that has none.
///
/// # Errors
/// When the file is not of the right form, or its job is nowhere.
pub(super) fn change(
    document: &Document,
    sides: &Sides<'_>,
    jobs: &Jobs,
) -> Result<Option<Change>, PlanError> {
    let text = |name: &str| document.body.get(name).and_then(Value::as_str);
    let job_id = text("job_id").ok_or_else(|| document.wrong("[job_id] is missing"))?;
    let now = sides.current.jobs.get(job_id);
    if now.is_none() && !jobs.created.contains(job_id) {
        return Err(document.wrong(format!("its job [{job_id}] is neither in the files nor on the server")));
    }
    // A job that has learnt by itself is never given another model.
    if now.is_some_and(|job| job.has_learnt() || !job.is_closed()) || jobs.replaced.contains_key(job_id) {
        return Ok(None);
    }
    let mut change =
        Change::new(Kind::ModelSnapshot, &document.id, Action::Import).note(format!("of job [{job_id}]"));
    let (results, states) =
        (sides.server.index(&format!(".ml-anomalies-.write-{job_id}")), sides.server.index(STATE_WRITE));
    let part = |name: &str| document.body.get(name).filter(|part| !part.is_null());
    let line = |index: &str, part: &Value| {
        bulk_lines(index, part).ok_or_else(|| document.wrong("its documents need [_id] and [_source]"))
    };
    // One request for each, since a piece of state may be several megabytes long.
    for piece in part("state").and_then(Value::as_array).into_iter().flatten() {
        change = change.step(Step::bulk(line(&states, piece)?));
    }
    if let Some(counts) = part("data_counts") {
        change = change.step(Step::bulk(line(&results, counts)?));
    }
    let snapshot = part("snapshot").ok_or_else(|| document.wrong("[snapshot] is missing"))?;
    change = change.step(Step::bulk(line(&results, snapshot)?));
    if document.body.get("active") == Some(&Value::Bool(true)) {
        let path = format!("/_ml/anomaly_detectors/{job_id}/model_snapshots/{}/_revert", document.id);
        let body = json!({"delete_intervening_results": true});
        change = change.model(Model::Imported).step(Step::with("POST", path, body));
    }
    Ok(Some(change))
}

fn bulk_lines(index: &str, document: &Value) -> Option<String> {
    let action = json!({"index": {"_index": index, "_id": document.get("_id")?.as_str()?}});
    let source = document.get("_source").filter(|source| source.is_object())?;
    Some(format!("{action}\n{source}\n"))
}
