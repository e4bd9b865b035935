//! Saved states of a job: list, describe, remove.

use std::collections::BTreeSet;

use serde_json::json;
use store::{BulkOp, indices};
use types::snapshot::ModelSnapshot;
use types::{Job, TimestampMs};

use crate::config_store::{read, to_json};
use crate::notifications::Level;
use crate::open_job::StateRef;
use crate::results::{Paging, Search};
use crate::service::{Jobs, Listed};
use crate::{Error, Result, expression};

/// Which snapshots are wanted.
#[derive(Clone, Debug, Default)]
pub struct SnapshotsQuery {
    /// From here on.
    pub start: Option<TimestampMs>,
    /// Before this.
    pub end: Option<TimestampMs>,
    /// By which field; `timestamp` when absent.
    pub sort: Option<String>,
    /// Newest first when absent.
    pub desc: Option<bool>,
    /// Which part.
    pub paging: Paging,
}

/// What may be changed of a snapshot.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotUpdate {
    /// For people.
    pub description: Option<String>,
    /// Does it survive retention?
    pub retain: Option<bool>,
}

impl Jobs {
    /// Snapshots of a job; `snapshot_id` is an id, a list, a wildcard, `_all` or empty.
    ///
    /// # Errors
    /// When the job, or a snapshot that is named, does not exist.
    pub async fn model_snapshots(
        &self,
        job_id: &str,
        snapshot_id: &str,
        query: &SnapshotsQuery,
    ) -> Result<Listed<ModelSnapshot>> {
        self.must_exist(job_id).await?;
        let mut search = Search::having("snapshot_id").between(query.start, query.end)?;
        let all = snapshot_id.is_empty() || snapshot_id == "_all" || snapshot_id == "*";
        if !all {
            let ids = self.named_snapshots(job_id, snapshot_id).await?;
            search = search.filter(json!({"terms": {"snapshot_id": ids}}));
        }
        let descending = query.desc.unwrap_or(true);
        let search = search
            .sorted(query.sort.as_deref().unwrap_or("timestamp"), descending)
            .sorted("snapshot_id", descending)
            .paged(query.paging.checked()?);
        let found = self.search_results(job_id, &search).await?;
        let items: Vec<ModelSnapshot> = self.readable_snapshots(job_id, found.items);
        Ok(Listed { count: found.count, items: items.into_iter().map(without_quantiles).collect() })
    }

    async fn named_snapshots(&self, job_id: &str, expression: &str) -> Result<Vec<String>> {
        let all: Vec<String> =
            self.all_snapshots(job_id).await?.into_iter().map(|snapshot| snapshot.snapshot_id).collect();
        let no_groups: &[String] = &[];
        expression::matching(expression, all.iter().map(|id| (id.as_str(), no_groups)), true, |part| {
            unknown(job_id, part)
        })
    }

    pub(crate) async fn all_snapshots(&self, job_id: &str) -> Result<Vec<ModelSnapshot>> {
        let search = Search::having("snapshot_id").paged(Paging { from: 0, size: 10_000 });
        let found = self.search_results(job_id, &search).await?;
        Ok(self.readable_snapshots(job_id, found.items))
    }

    fn readable_snapshots(
        &self,
        job_id: &str,
        found: Vec<(String, serde_json::Value)>,
    ) -> Vec<ModelSnapshot> {
        self.inner.configs.unreadable.all(&indices::results_read_alias(job_id), found)
    }

    pub(crate) async fn snapshot(&self, job_id: &str, snapshot_id: &str) -> Result<(String, ModelSnapshot)> {
        let search = Search::having("snapshot_id").filter(json!({"term": {"snapshot_id": snapshot_id}}));
        let found = self.search_results(job_id, &search).await?.items.into_iter().next();
        let (id, source) = found.ok_or_else(|| unknown(job_id, snapshot_id))?;
        Ok((id.clone(), read(&id, source)?))
    }

    pub(crate) async fn write_snapshot(&self, doc_id: &str, snapshot: &ModelSnapshot) -> Result<()> {
        let alias = indices::results_write_alias(&snapshot.job_id);
        let op = BulkOp::index(&alias, doc_id, to_json(snapshot)?.to_string());
        store::check_all(self.inner.store.bulk(vec![op]).await?)?;
        self.inner.store.refresh(&alias).await?;
        Ok(())
    }

    /// Changes description or retention of a snapshot.
    ///
    /// # Errors
    /// When job or snapshot do not exist.
    pub async fn update_model_snapshot(
        &self,
        job_id: &str,
        snapshot_id: &str,
        update: SnapshotUpdate,
    ) -> Result<ModelSnapshot> {
        self.must_exist(job_id).await?;
        let (doc_id, mut snapshot) = self.snapshot(job_id, snapshot_id).await?;
        snapshot.description = update.description.or(snapshot.description);
        snapshot.retain = update.retain.unwrap_or(snapshot.retain);
        self.write_snapshot(&doc_id, &snapshot).await?;
        Ok(without_quantiles(snapshot))
    }

    /// Removes a snapshot that is not in use.
    ///
    /// # Errors
    /// When job or snapshot do not exist, or the job would begin with it.
    pub async fn delete_model_snapshot(&self, job_id: &str, snapshot_id: &str) -> Result<()> {
        let (job, _) = self.inner.configs.job(job_id).await?;
        let (_, snapshot) = self.snapshot(job_id, snapshot_id).await?;
        if self.snapshots_in_use(&job).await?.contains(snapshot_id) {
            return Err(Error::argument(format!(
                "Model snapshot '{snapshot_id}' is the active snapshot for job '{job_id}', so cannot be deleted"
            )));
        }
        self.refuse_while_upgraded(job_id, snapshot_id, "delete")?;
        self.remove_snapshot(&snapshot).await
    }

    /// The snapshots that a job would begin with: the one that its configuration names, and the one that its checkpoint
    /// points to.
    pub(crate) async fn snapshots_in_use(&self, job: &Job) -> Result<BTreeSet<String>> {
        let prefix = format!("{}_model_state_", job.job_id);
        let pointer = self.inner.checkpoints.stored(&job.job_id).await?;
        let state = pointer.and_then(|(pointer, _)| pointer.ok()?.state);
        let pointed = state.and_then(|state| state.prefix.strip_prefix(&prefix).map(str::to_owned));
        Ok(job.model_snapshot_id.iter().cloned().chain(pointed).collect())
    }

    /// Removes a snapshot's description, then its state.
    pub(crate) async fn remove_snapshot(&self, snapshot: &ModelSnapshot) -> Result<()> {
        let job_id = &snapshot.job_id;
        let alias = indices::results_write_alias(job_id);
        self.inner.store.bulk(vec![BulkOp::delete(&alias, snapshot.doc_id())]).await?;
        self.inner.store.refresh(&alias).await?;
        let prefix = format!("{job_id}_model_state_{}", snapshot.snapshot_id);
        let state = StateRef { prefix, chunks: snapshot.snapshot_doc_count, bytes: 0 };
        self.inner.checkpoints.delete_chunks(&state).await;
        self.inner.checkpoints.delete_chunks_elsewhere(&state).await;
        let message = match &snapshot.description {
            Some(description) => {
                format!("Model snapshot [{}] with description '{description}' deleted", snapshot.snapshot_id)
            }
            None => format!("Model snapshot [{}] deleted", snapshot.snapshot_id),
        };
        self.inner.notifier.tell(job_id, Level::Info, message).await;
        Ok(())
    }
}

fn unknown(job_id: &str, snapshot_id: &str) -> Error {
    Error::UnknownSnapshot { job_id: job_id.to_owned(), snapshot_id: snapshot_id.to_owned() }
}

pub(crate) fn without_quantiles(snapshot: ModelSnapshot) -> ModelSnapshot {
    ModelSnapshot { quantiles: None, ..snapshot }
}
