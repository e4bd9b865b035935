//! A closed job begins with an earlier state.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{BulkOp, indices};
use types::job::Blocked;
use types::snapshot::ModelSnapshot;
use types::stats::DataCounts;
use types::{Job, TimestampMs};

use crate::annotations::OWN_USER;
use crate::config_store::{read, to_json};
use crate::model_snapshots::without_quantiles;
use crate::notifications::Level;
use crate::open_job::{Pointer, RESULT_TYPES_FINAL, State};
use crate::service::Jobs;
use crate::{Error, Result};

const FORECAST_TYPES: [&str; 2] = ["model_forecast", "model_forecast_request_stats"];

/// Why a job is blocked meanwhile, and what the note of it says.
const REASON: &str = "revert";

/// How a job goes back.
#[derive(Clone, Copy, Debug, Default)]
pub struct Revert {
    /// Remove the results since, so that the time since can be analysed again.
    pub delete_intervening_results: bool,
}

/// What is kept while a job is being reverted, so that a crash in between does not leave it half reverted.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    task: String,
    job_id: String,
    snapshot_id: String,
    delete_intervening_results: bool,
}

fn note_id(job_id: &str) -> String {
    format!("{REASON}-{job_id}")
}

fn refuse_blocked(job: &Job) -> Result<()> {
    job.blocked.as_ref().map_or(Ok(()), |blocked| {
        Err(Error::Conflict(format!(
            "Cannot revert job [{}] because it is executing [{}]",
            job.job_id, blocked.reason
        )))
    })
}

impl Jobs {
    /// Makes a closed job begin with an earlier state, or, with `empty`, with none.
    ///
    /// # Errors
    /// When job or snapshot do not exist, the job is not closed, or the state is gone.
    pub async fn revert_model_snapshot(
        &self,
        job_id: &str,
        snapshot_id: &str,
        revert: Revert,
    ) -> Result<ModelSnapshot> {
        let (job_id, snapshot_id) = (job_id.to_owned(), snapshot_id.to_owned());
        self.to_the_end(|jobs| async move { jobs.revert_now(&job_id, &snapshot_id, revert).await }).await
    }

    async fn revert_now(&self, job_id: &str, snapshot_id: &str, revert: Revert) -> Result<ModelSnapshot> {
        let (job, _) = self.inner.configs.job(job_id).await?;
        refuse_blocked(&job)?;
        let snapshot = match snapshot_id {
            "empty" => empty_snapshot(&job),
            id => self.snapshot(job_id, id).await?.1,
        };
        self.must_be_closed(job_id)?;
        self.refuse_while_upgraded(job_id, snapshot_id, "revert")?;
        let blocked = Blocked { reason: REASON.to_owned(), task_id: None };
        let block = |job: &Job| {
            refuse_blocked(job)?;
            Ok(Job { blocked: Some(blocked.clone()), ..job.clone() })
        };
        let job = self.inner.configs.update_job(job_id, block).await?;
        let reverted = self.revert_blocked(&job, snapshot, revert).await;
        let freed = self.end_revert(job_id).await;
        reverted.and_then(|snapshot| freed.map(|()| snapshot))
    }

    fn must_be_closed(&self, job_id: &str) -> Result<()> {
        match self.inner.state(job_id) {
            State::Closed => Ok(()),
            _ => {
                Err(Error::Conflict("Can only revert to a model snapshot when the job is closed.".to_owned()))
            }
        }
    }

    async fn revert_blocked(
        &self,
        job: &Job,
        snapshot: ModelSnapshot,
        revert: Revert,
    ) -> Result<ModelSnapshot> {
        // It may have been opened while it was being blocked; from now on it cannot.
        self.must_be_closed(&job.job_id)?;
        let note = Note {
            task: REASON.to_owned(),
            job_id: job.job_id.to_string(),
            snapshot_id: snapshot.snapshot_id.clone(),
            delete_intervening_results: revert.delete_intervening_results,
        };
        let note = BulkOp::index(indices::TASKS, note_id(&job.job_id), to_json(&note)?.to_string());
        self.inner.configs.write_document(note).await?;
        self.inner.forecasts.stop(Some(&job.job_id)).await;
        self.go_back(job, snapshot, revert).await
    }

    /// Lets the job open again.
    async fn end_revert(&self, job_id: &str) -> Result<()> {
        self.inner.configs.write_document(BulkOp::delete(indices::TASKS, note_id(job_id))).await?;
        let free = |job: &Job| {
            let blocked = job.blocked.clone().filter(|blocked| blocked.reason != REASON);
            Ok(Job { blocked, ..job.clone() })
        };
        self.inner.configs.update_job(job_id, free).await.map(drop)
    }

    /// At the start of the service: jobs that were being reverted when it ended are.
    pub(crate) async fn finish_reverts(&self) -> Result<()> {
        let reverted = |job: &Job| job.blocked.as_ref().is_some_and(|blocked| blocked.reason == REASON);
        for job in self.inner.configs.jobs().await?.into_iter().filter(reverted) {
            if let Err(error) = self.revert_as_noted(&job).await {
                let message =
                    format!("Job could not be reverted after a restart, and must be reverted again: {error}");
                self.inner.notifier.tell(&job.job_id, Level::Error, message).await;
            }
            self.end_revert(&job.job_id).await?;
        }
        Ok(())
    }

    async fn revert_as_noted(&self, job: &Job) -> Result<()> {
        let id = note_id(&job.job_id);
        // Without a note nothing had been changed yet.
        let Some(note) = self.inner.store.get(indices::TASKS, &id).await? else { return Ok(()) };
        let note: Note = read(&id, note.source)?;
        let snapshot = match note.snapshot_id.as_str() {
            "empty" => empty_snapshot(job),
            id => self.snapshot(&job.job_id, id).await?.1,
        };
        let revert = Revert { delete_intervening_results: note.delete_intervening_results };
        self.go_back(job, snapshot, revert).await.map(drop)
    }

    /// Can be done again from its beginning wherever it came to its end.
    async fn go_back(&self, job: &Job, snapshot: ModelSnapshot, revert: Revert) -> Result<ModelSnapshot> {
        let (job_id, snapshot_id) = (job.job_id.as_str(), snapshot.snapshot_id.as_str());
        let pointer = self.reverted_pointer(job, &snapshot, revert).await?;
        if revert.delete_intervening_results {
            self.delete_results_after(job_id, snapshot.latest_result_time_stamp).await?;
        }
        let current = self.inner.checkpoints.stored(job_id).await?;
        let expected = current.as_ref().map(|(_, version)| *version);
        self.inner.checkpoints.switch(&pointer, expected).await?;
        if let Some((Ok(old), _)) = &current {
            self.inner.checkpoints.forget_state(old, &pointer).await;
        }
        self.write_reverted(&pointer, &snapshot).await?;
        let id = (snapshot_id != "empty").then(|| snapshot_id.to_owned());
        let set = |job: &Job| Ok(Job { model_snapshot_id: id.clone(), ..job.clone() });
        self.inner.configs.update_job(job_id, set).await?;
        let what = snapshot.description.clone().unwrap_or_else(|| snapshot_id.to_owned());
        let message = format!("Job model snapshot reverted to [{what}]");
        self.inner.notifier.tell(job_id, Level::Info, message).await;
        Ok(without_quantiles(snapshot))
    }

    async fn reverted_pointer(&self, job: &Job, snapshot: &ModelSnapshot, revert: Revert) -> Result<Pointer> {
        let job_id = &job.job_id;
        let now = self.inner.clock.now();
        let current = self.inner.checkpoints.stored(job_id).await?;
        let current = match current {
            Some((Ok(pointer), _)) => pointer,
            // Going back is a way out for a job whose checkpoint cannot be read.
            Some((Err(_), _)) | None => Pointer::first(&self.inner.store, job_id, now).await?,
        };
        let span_ms = job.analysis_config.bucket_span.as_millis();
        let final_end = snapshot.latest_result_time_stamp.map(|TimestampMs(ms)| ms.saturating_add(span_ms));
        let mut counts = current.counts.clone();
        if revert.delete_intervening_results {
            counts.latest_record_timestamp = snapshot.latest_record_time_stamp;
        }
        let prefix = format!("{job_id}_model_state_{}", snapshot.snapshot_id);
        let state = (snapshot.snapshot_id != "empty").then_some(prefix);
        let state = match state {
            Some(prefix) if snapshot.snapshot_doc_count > 0 => {
                Some(self.inner.checkpoints.stat_state(prefix, snapshot.snapshot_doc_count).await?)
            }
            // A snapshot without state documents is a description only: the job begins anew.
            _ => None,
        };
        Ok(Pointer {
            epoch: current.epoch + 1,
            state,
            counts,
            size_stats: snapshot.model_size_stats.clone(),
            final_end_ms: if revert.delete_intervening_results { final_end } else { current.final_end_ms },
            feed_position: None,
            skip_to_ms: current.final_end_ms.filter(|_| !revert.delete_intervening_results),
            restate: true,
            clean: true,
            written_at: now,
            ..current
        })
    }

    /// Results of later buckets, forecasts made later, and what the service noted about later times.
    async fn delete_results_after(&self, job_id: &str, latest: Option<TimestampMs>) -> Result<()> {
        let store = &self.inner.store;
        let alias = indices::results_write_alias(job_id);
        let own = json!({"term": {"job_id": job_id}});
        let kinds = RESULT_TYPES_FINAL.iter().chain(&FORECAST_TYPES).collect::<Vec<_>>();
        let mut results = vec![own.clone(), json!({"terms": {"result_type": kinds}})];
        let mut annotations = vec![own, json!({"term": {"create_username": OWN_USER}})];
        if let Some(latest) = latest {
            let later = json!({"range": {"timestamp": {"gt": latest, "format": "epoch_millis"}}});
            results.push(later.clone());
            annotations.push(later);
        }
        for (index, filters) in [(alias.as_str(), results), (indices::ANNOTATIONS_WRITE, annotations)] {
            store.refresh(index).await?;
            store.delete_by_query(index, &json!({"bool": {"filter": filters}})).await?;
        }
        Ok(())
    }

    async fn write_reverted(&self, pointer: &Pointer, snapshot: &ModelSnapshot) -> Result<()> {
        let job_id = &pointer.job_id;
        let alias = indices::results_write_alias(job_id);
        let quantiles = snapshot.quantiles.clone().unwrap_or_else(
            || json!({"job_id": job_id, "timestamp": pointer.written_at, "quantile_state": ""}),
        );
        let ops = vec![
            BulkOp::index(&alias, DataCounts::doc_id(job_id), to_json(&pointer.counts)?.to_string()),
            BulkOp::index(indices::STATE_WRITE, format!("{job_id}_quantiles"), quantiles.to_string()),
        ];
        store::check_all(self.inner.store.bulk(ops).await?)?;
        self.inner.store.refresh(&alias).await?;
        self.inner.store.refresh(indices::STATE_PATTERN).await?;
        Ok(())
    }
}

fn empty_snapshot(job: &Job) -> ModelSnapshot {
    ModelSnapshot {
        job_id: job.job_id.clone(),
        min_version: "6.4.0".to_owned(),
        timestamp: TimestampMs(0),
        description: Some("empty snapshot".to_owned()),
        snapshot_id: "empty".to_owned(),
        snapshot_doc_count: 0,
        model_size_stats: None,
        latest_record_time_stamp: None,
        latest_result_time_stamp: None,
        quantiles: None::<Value>,
        retain: false,
    }
}
