//! From a saved state to an analysis: that of the checkpoint, or the newest snapshot that can be read.

use engine::Analysis;
use serde_json::json;
use store::{IndicesOptions, indices};
use types::TimestampMs;
use types::snapshot::ModelSnapshot;

use super::checkpoint::{Checkpoints, Pointer, StateRef};
use super::opening::Opening;
use super::worker::Worker;
use super::writer::patiently;
use crate::config_store::hits;
use crate::notifications::Level;
use crate::results::with_numeric_times;
use crate::{Error, Result};

const SNAPSHOTS_TRIED: usize = 100;

/// Is it the state that is wrong, and not the store that is away?
fn is_damage(error: &Error) -> bool {
    matches!(error, Error::Document { .. } | Error::Engine(_))
}

impl Opening {
    /// The analysis as the checkpoint has it. When its state cannot be read, or the job came without a checkpoint, it is
    /// that of a snapshot, and `pointer` says so from now on.
    pub(super) async fn restored(&self, checkpoints: &Checkpoints, pointer: &mut Pointer) -> Result<Worker> {
        let came_without =
            pointer.epoch == 0 && pointer.state.is_none() && self.job.model_snapshot_id.is_some();
        let loaded = match came_without {
            true => Err(Error::Document {
                id: Pointer::doc_id(&self.job.job_id),
                why: "there is no checkpoint".to_owned(),
            }),
            false => self.load(checkpoints, pointer.state.as_ref()).await,
        };
        let mut model = match loaded {
            Err(error) if is_damage(&error) => {
                match self.newest_usable(checkpoints, pointer, came_without).await? {
                    Some(model) => model,
                    // A job that came with a description of a snapshot only has learnt nothing.
                    None if came_without => self.load(checkpoints, None).await?,
                    None => return Err(error),
                }
            }
            other => other?,
        };
        model.counts_mut().clone_from(&pointer.counts);
        let index = indices::results_write_alias(&self.job.job_id);
        Ok(Worker::new(self.job.clone(), model, pointer.timing.clone(), index))
    }

    async fn load(&self, checkpoints: &Checkpoints, state: Option<&StateRef>) -> Result<Analysis> {
        let state = match state {
            Some(state) => Some(checkpoints.load_state(state).await?),
            None => None,
        };
        let (job, context) = (self.job.clone(), self.context.clone());
        let model = tokio::task::spawn_blocking(move || match state {
            Some(state) => Analysis::restore(&job, context, &state),
            None => Analysis::new(&job, context),
        });
        Ok(model.await.map_err(|_| Error::Model("the model broke while it was restored".to_owned()))??)
    }

    async fn newest_usable(
        &self,
        checkpoints: &Checkpoints,
        pointer: &mut Pointer,
        came_without: bool,
    ) -> Result<Option<Analysis>> {
        for snapshot in self.snapshots().await? {
            match self.of_snapshot(checkpoints, &snapshot).await {
                Ok((state, model)) => {
                    self.adopt(pointer, &snapshot, state, came_without);
                    let message = format!(
                        "The model snapshot [{}] is used, since the state of the last checkpoint cannot be read",
                        snapshot.snapshot_id
                    );
                    let level = if came_without { Level::Info } else { Level::Warning };
                    self.notifier.tell(&self.job.job_id, level, message).await;
                    return Ok(Some(model));
                }
                Err(error) if is_damage(&error) => {
                    tracing::warn!(snapshot = snapshot.snapshot_id, %error, "a model snapshot cannot be read");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    async fn of_snapshot(
        &self,
        checkpoints: &Checkpoints,
        snapshot: &ModelSnapshot,
    ) -> Result<(StateRef, Analysis)> {
        let prefix = format!("{}_model_state_{}", self.job.job_id, snapshot.snapshot_id);
        let state = checkpoints.stat_state(prefix, snapshot.snapshot_doc_count).await?;
        let model = self.load(checkpoints, Some(&state)).await?;
        Ok((state, model))
    }

    /// Buckets that have results already are not analysed again.
    fn adopt(&self, pointer: &mut Pointer, snapshot: &ModelSnapshot, state: StateRef, came_without: bool) {
        pointer.state = Some(state);
        pointer.restate = true;
        pointer.size_stats.clone_from(&snapshot.model_size_stats);
        if came_without {
            let span_ms = self.job.analysis_config.bucket_span.as_millis();
            let end_ms = snapshot.latest_result_time_stamp.map(|TimestampMs(ms)| ms.saturating_add(span_ms));
            // Results that came with the job are its own, also those later than the snapshot.
            pointer.final_end_ms = pointer.final_end_ms.max(end_ms);
            pointer.skip_to_ms = end_ms;
            pointer.counts.latest_record_timestamp = snapshot.latest_record_time_stamp;
        }
        pointer.skip_to_ms = pointer.skip_to_ms.or(pointer.final_end_ms);
    }

    /// Snapshots with a state: first the one that the job names, then the others, newest first.
    async fn snapshots(&self) -> Result<Vec<ModelSnapshot>> {
        let alias = indices::results_read_alias(&self.job.job_id);
        let query = json!({"bool": {"filter": [{"term": {"job_id": self.job.job_id}},
            {"exists": {"field": "snapshot_id"}}, {"range": {"snapshot_doc_count": {"gt": 0}}}]}});
        let body =
            json!({"query": query, "size": SNAPSHOTS_TRIED, "sort": [{"timestamp": {"order": "desc"}}]});
        let lenient = IndicesOptions::lenient();
        let attempts = self.options.store_attempts;
        let mut answer = patiently(attempts, || self.store.search(&alias, &body, &lenient)).await?;
        let numeric = hits(&mut answer).into_iter().map(|(id, mut source)| {
            with_numeric_times(&mut source);
            (id, source)
        });
        let mut found: Vec<ModelSnapshot> = self.configs.unreadable.all(&alias, numeric);
        let named =
            |snapshot: &ModelSnapshot| self.job.model_snapshot_id.as_deref() == Some(&snapshot.snapshot_id);
        found.sort_by_key(|snapshot| !named(snapshot));
        Ok(found)
    }
}
