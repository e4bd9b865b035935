//! From what was found to what is written.

use engine::{Output, Rescored, RescoredKind};
use serde::Serialize;
use serde_json::json;
use store::BulkOp;
use types::JobId;
use types::results::Split;
use types::stats::CategorizerStats;

use crate::annotations::{Annotation, Event};

fn op<T: Serialize>(index: &str, id: String, document: &T) -> Option<BulkOp> {
    match serde_json::to_string(document) {
        Ok(json) => Some(BulkOp::index(index, id, json)),
        Err(error) => {
            tracing::error!(id, %error, "a result cannot be written as JSON");
            None
        }
    }
}

/// Turns output into writes under ids made from content, in a fixed order, and empties it.
pub(super) fn write_ops(index: &str, output: &mut Output, ops: &mut Vec<BulkOp>) {
    ops.extend(output.buckets.drain(..).filter_map(|d| op(index, d.doc_id(), &d)));
    ops.extend(output.bucket_influencers.drain(..).filter_map(|d| op(index, d.doc_id(), &d)));
    ops.extend(output.records.drain(..).filter_map(|d| op(index, d.doc_id(), &d)));
    ops.extend(output.influencers.drain(..).filter_map(|d| op(index, d.doc_id(), &d)));
    ops.extend(output.model_plots.drain(..).filter_map(|d| op(index, d.doc_id(), &d)));
    ops.extend(output.categories.drain(..).filter_map(|d| op(index, d.doc_id(), &d)));
    ops.extend(output.rescored.drain(..).map(|rescored| rescored_op(index, rescored)));
}

/// A new score of a document that was written before, and of the parts of a bucket that lie inside its document.
fn rescored_op(index: &str, rescored: Rescored) -> BulkOp {
    let field = match rescored.kind {
        RescoredKind::Bucket | RescoredKind::BucketInfluencer => "anomaly_score",
        RescoredKind::Record => "record_score",
        RescoredKind::Influencer => "influencer_score",
    };
    let mut changed = json!({ field: rescored.score });
    if rescored.kind == RescoredKind::Bucket {
        changed["bucket_influencers"] = json!(rescored.bucket_influencers);
    }
    BulkOp::update(index, rescored.doc_id, changed.to_string())
}

/// Turns the numbers of categories into writes.
pub(super) fn categorizer_ops(index: &str, stats: &[CategorizerStats], ops: &mut Vec<BulkOp>) {
    ops.extend(stats.iter().filter_map(|stats| op(index, stats.doc_id(), stats)));
}

/// Turns the model's remarks into annotations. Their times are those of the data, so that a repetition writes the same.
pub(super) fn annotation_ops(job_id: &JobId, output: &mut Output, ops: &mut Vec<BulkOp>) {
    for change in output.annotations.drain(..) {
        let text = Split { by_field_value: Some(change.text.clone()), ..Split::default() };
        let (at, detector) = (change.time, change.detector_index);
        let id = format!("{job_id}_annotation_{at}_{detector}_{}_{}", change.split.id_part(), text.id_part());
        let annotation = Annotation::new(job_id, Event::ModelChange, change.text, at)
            .at(at, change.end)
            .of(detector, &change.split)
            .named(id);
        match annotation.op() {
            Ok(op) => ops.push(op),
            Err(error) => tracing::error!(%job_id, %error, "an annotation cannot be written as JSON"),
        }
    }
}
