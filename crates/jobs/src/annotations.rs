//! What the service itself notes on the line of time, beside what people write there.

use serde::Serialize;
use store::{BulkOp, indices};
use types::results::Split;
use types::{JobId, TimestampMs};

use crate::Result;
use crate::config_store::to_json;

/// Who writes annotations of the service.
pub(crate) const OWN_USER: &str = "_xpack";

/// What an annotation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Event {
    DelayedData,
    ModelChange,
    ModelSnapshotStored,
    CategorizationStatusChange,
}

/// An annotation as it is stored.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Annotation {
    annotation: String,
    create_time: TimestampMs,
    create_username: &'static str,
    timestamp: TimestampMs,
    end_timestamp: TimestampMs,
    job_id: JobId,
    modified_time: TimestampMs,
    modified_username: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    event: Event,
    #[serde(skip_serializing_if = "Option::is_none")]
    detector_index: Option<usize>,
    #[serde(flatten)]
    split: Split,
    #[serde(skip)]
    id: Option<String>,
}

impl Annotation {
    /// An annotation of one point in time, written at that time.
    pub(crate) fn new(job_id: &JobId, event: Event, text: String, now: TimestampMs) -> Self {
        Self {
            annotation: text,
            create_time: now,
            create_username: OWN_USER,
            timestamp: now,
            end_timestamp: now,
            job_id: job_id.clone(),
            modified_time: now,
            modified_username: OWN_USER,
            kind: "annotation",
            event,
            detector_index: None,
            split: Split::default(),
            id: None,
        }
    }

    /// The span of time that it is about.
    pub(crate) fn at(self, start: TimestampMs, end: TimestampMs) -> Self {
        Self { timestamp: start, end_timestamp: end, ..self }
    }

    /// The series that it is about.
    pub(crate) fn of(self, detector_index: usize, split: &Split) -> Self {
        Self { detector_index: Some(detector_index), split: split.clone(), ..self }
    }

    /// Its document's id, so that writing it twice is writing it once.
    pub(crate) fn named(self, id: String) -> Self {
        Self { id: Some(id), ..self }
    }

    /// The write.
    pub(crate) fn op(&self) -> Result<BulkOp> {
        Ok(BulkOp {
            index: indices::ANNOTATIONS_WRITE.to_owned(),
            id: self.id.clone(),
            action: store::Action::Index(to_json(self)?.to_string()),
            expected: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn documents_have_the_fields_that_others_read() {
        let job_id = JobId::try_from("j").unwrap();
        let annotation = Annotation::new(&job_id, Event::DelayedData, "late".to_owned(), TimestampMs(9))
            .at(TimestampMs(1), TimestampMs(2));
        assert_eq!(
            to_json(&annotation).unwrap(),
            json!({"annotation": "late", "create_time": 9, "create_username": "_xpack", "timestamp": 1,
                "end_timestamp": 2, "job_id": "j", "modified_time": 9, "modified_username": "_xpack",
                "type": "annotation", "event": "delayed_data"})
        );
    }
}
