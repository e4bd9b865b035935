//! From what was found to what is written.

use engine::{Output, RescoredKind};
use serde::Serialize;
use serde_json::json;
use store::{BulkOp, indices};
use types::results::Split;

fn op<T: Serialize>(index: &str, id: String, document: &T) -> Option<BulkOp> {
    match serde_json::to_string(document) {
        Ok(json) => Some(BulkOp::index(index, id, json)),
        Err(error) => {
            tracing::error!(id, %error, "a result cannot be written as JSON");
            None
        }
    }
}

#[derive(Serialize)]
struct ChangeDocument<'a> {
    annotation: &'a str,
    job_id: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    event: &'a str,
    timestamp: i64,
    end_timestamp: i64,
    create_time: i64,
    modified_time: i64,
    create_username: &'a str,
    modified_username: &'a str,
    detector_index: usize,
    #[serde(flatten)]
    split: &'a Split,
}

/// Turns output into writes under ids made from content, in a fixed order, and empties it.
pub(super) fn write_ops(index: &str, output: &mut Output, ops: &mut Vec<BulkOp>) {
    ops.extend(output.buckets.drain(..).filter_map(|d| op(index, d.doc_id(), &d)));
    ops.extend(output.bucket_influencers.drain(..).filter_map(|d| op(index, d.doc_id(), &d)));
    ops.extend(output.records.drain(..).filter_map(|d| op(index, d.doc_id(), &d)));
    ops.extend(output.influencers.drain(..).filter_map(|d| op(index, d.doc_id(), &d)));
    ops.extend(output.model_plots.drain(..).filter_map(|d| op(index, d.doc_id(), &d)));
    ops.extend(output.categories.drain(..).filter_map(|d| op(index, d.doc_id(), &d)));
    for rescored in output.rescored.drain(..) {
        let field = match rescored.kind {
            RescoredKind::Bucket | RescoredKind::BucketInfluencer => "anomaly_score",
            RescoredKind::Record => "record_score",
            RescoredKind::Influencer => "influencer_score",
        };
        ops.push(BulkOp::update(index, rescored.doc_id, json!({field: rescored.score}).to_string()));
    }
}

/// Turns the model's remarks into annotations. Their times are those of the data, so that a repetition writes the same.
pub(super) fn annotation_ops(job_id: &str, output: &mut Output, ops: &mut Vec<BulkOp>) {
    for change in output.annotations.drain(..) {
        let document = ChangeDocument {
            annotation: &change.text,
            job_id,
            kind: "annotation",
            event: "model_change",
            timestamp: change.time.0,
            end_timestamp: change.end.0,
            create_time: change.time.0,
            modified_time: change.time.0,
            create_username: "_xpack",
            modified_username: "_xpack",
            detector_index: change.detector_index,
            split: &change.split,
        };
        let text = Split { by_field_value: Some(change.text.clone()), ..Split::default() };
        let (ms, detector) = (change.time, change.detector_index);
        let id = format!("{job_id}_annotation_{ms}_{detector}_{}_{}", change.split.id_part(), text.id_part());
        ops.extend(op(indices::ANNOTATIONS_WRITE, id, &document));
    }
}
