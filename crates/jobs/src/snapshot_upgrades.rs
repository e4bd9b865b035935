//! Saved states that were written by an older version, written anew in the present form.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use engine::{Analysis, Context};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{BulkOp, IndicesOptions, indices};
use types::Job;
use types::snapshot::{ModelSnapshot, STATE_VERSION};

use crate::config_store::{hits, read, to_json};
use crate::open_job::{State, StateRef};
use crate::service::{Jobs, Listed, Node};
use crate::{Error, Result, expression};

type Key = (String, String);

/// Where upgrades are.
#[derive(Debug, Default)]
pub(crate) struct Upgrades(Mutex<BTreeMap<Key, Progress>>);

#[derive(Clone, Debug)]
struct Progress {
    stage: Stage,
    why: String,
}

/// What an upgrade does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "named as in the API")]
pub enum Stage {
    LoadingOldState,
    SavingNewState,
    Stopped,
    Failed,
}

/// A state in the present form that is yet to take the place of the old one. It is kept until that is done, so that a crash
/// in between leaves either state whole.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Rewriting {
    task: String,
    job_id: String,
    snapshot_id: String,
    /// Where the new state lies.
    aside: StateRef,
    /// Documents of the old one.
    chunks_before: u64,
}

const TASK: &str = "snapshot_upgrade";

impl Rewriting {
    fn note_id(&self) -> String {
        note_id(&self.job_id, &self.snapshot_id)
    }
}

fn note_id(job_id: &str, snapshot_id: &str) -> String {
    format!("{TASK}-{job_id}-{snapshot_id}")
}

/// The answer to the request for an upgrade.
#[derive(Clone, Debug, Serialize)]
pub struct Upgraded {
    /// The node on which it runs.
    pub node: String,
    /// Is it over?
    pub completed: bool,
}

/// What statistics show of an upgrade.
#[derive(Clone, Debug, Serialize)]
pub struct UpgradeStats {
    /// The job.
    pub job_id: String,
    /// The snapshot.
    pub snapshot_id: String,
    /// What it does.
    pub state: Stage,
    /// Where it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<Node>,
    /// Why it does not run.
    pub assignment_explanation: String,
}

impl Upgrades {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Progress>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the job's place; says whether it was free.
    fn begin(&self, key: &Key) -> bool {
        let mut all = self.lock();
        let busy =
            all.iter().any(|((job_id, _), progress)| *job_id == key.0 && progress.stage != Stage::Failed);
        if !busy {
            all.insert(key.clone(), Progress { stage: Stage::LoadingOldState, why: String::new() });
        }
        !busy
    }

    fn is_under_way(&self, job_id: &str, snapshot_id: &str) -> bool {
        self.lock().iter().any(|((job, snapshot), progress)| {
            job == job_id && snapshot == snapshot_id && progress.stage != Stage::Failed
        })
    }

    fn set(&self, key: &Key, stage: Stage, why: String) {
        self.lock().insert(key.clone(), Progress { stage, why });
    }
}

/// Can the present version read it as it is?
fn is_current(snapshot: &ModelSnapshot) -> bool {
    let major = |version: &str| version.split('.').next().and_then(|part| part.parse::<u32>().ok());
    major(&snapshot.min_version) >= major(STATE_VERSION)
}

impl Jobs {
    /// Writes the state of a snapshot anew in the present form.
    ///
    /// # Errors
    /// When job or snapshot do not exist, the snapshot needs no upgrade or is in use, another one of the job is being
    /// upgraded, or, with `wait`, when its state cannot be read.
    pub async fn upgrade_model_snapshot(
        &self,
        job_id: &str,
        snapshot_id: &str,
        wait: bool,
    ) -> Result<Upgraded> {
        let (job, _) = self.inner.configs.job(job_id).await?;
        let (_, snapshot) = self.snapshot(job_id, snapshot_id).await?;
        if is_current(&snapshot) {
            return Err(Error::Conflict(format!(
                "Cannot upgrade job [{job_id}] snapshot [{snapshot_id}] as it is already compatible with current version {}",
                types::job::JOB_VERSION
            )));
        }
        let active = self.snapshots_in_use(&job).await?.contains(snapshot_id);
        if active && self.inner.state(job_id) != State::Closed {
            return Err(Error::Conflict(format!(
                "Cannot upgrade snapshot [{snapshot_id}] for job [{job_id}] as it is the current primary job snapshot and \
                 the job's state is [opened]"
            )));
        }
        let key = (job_id.to_owned(), snapshot_id.to_owned());
        if !self.inner.upgrades.begin(&key) {
            return Err(Error::Conflict(format!(
                "Cannot upgrade job [{job_id}] snapshot [{snapshot_id}] as there is currently a snapshot of that job being \
                 upgraded"
            )));
        }
        let node = self.inner.options.node_id.clone();
        let upgrade = move |jobs: Self| async move { jobs.upgrade(job, snapshot, &key).await };
        if wait {
            self.to_the_end(upgrade).await?;
        } else {
            tokio::spawn(upgrade(self.clone()));
        }
        Ok(Upgraded { node, completed: wait })
    }

    /// Notes how it ends: what succeeded needs no note any more.
    async fn upgrade(&self, job: Job, snapshot: ModelSnapshot, key: &Key) -> Result<()> {
        match self.rewrite(job, snapshot, key).await {
            Ok(()) => {
                self.inner.upgrades.lock().remove(key);
                Ok(())
            }
            Err(error) => {
                let (job_id, snapshot_id) = key;
                let why = format!("Failed to upgrade job [{job_id}] snapshot [{snapshot_id}]: {error}");
                self.inner.upgrades.set(key, Stage::Failed, why.clone());
                Err(Error::BadRequest(why))
            }
        }
    }

    async fn rewrite(&self, job: Job, snapshot: ModelSnapshot, key: &Key) -> Result<()> {
        let checkpoints = &self.inner.checkpoints;
        let prefix = format!("{}_model_state_{}", job.job_id, snapshot.snapshot_id);
        let note_id = note_id(&job.job_id, &snapshot.snapshot_id);
        if let Some(note) = self.inner.store.get(indices::TASKS, &note_id).await? {
            // An earlier attempt got so far: what lies at the old place may be half of each.
            return self.put_in_place(&read(&note_id, note.source)?).await;
        }
        if snapshot.snapshot_doc_count == 0 {
            return Err(Error::BadRequest("it has no state documents".to_owned()));
        }
        let old = checkpoints.stat_state(prefix.clone(), snapshot.snapshot_doc_count).await?;
        let bytes = checkpoints.load_state(&old).await?;
        let job_id = job.job_id.clone();
        let read = tokio::task::spawn_blocking(move || {
            Analysis::restore(&job, Context::default(), &bytes).map(|a| a.snapshot())
        });
        let bytes =
            read.await.map_err(|_| Error::Model("the model broke while it was restored".to_owned()))??;
        self.inner.upgrades.set(key, Stage::SavingNewState, String::new());
        let aside = format!("{job_id}_checkpoint_upgrade-{}", snapshot.snapshot_id);
        let rewriting = Rewriting {
            task: TASK.to_owned(),
            job_id: job_id.to_string(),
            snapshot_id: snapshot.snapshot_id,
            aside: checkpoints.save_state(&job_id, aside, &bytes).await?,
            chunks_before: old.chunks,
        };
        let note = BulkOp::index(indices::TASKS, rewriting.note_id(), to_json(&rewriting)?.to_string());
        self.inner.configs.write_document(note).await?;
        self.put_in_place(&rewriting).await
    }

    /// Writes the new state over the old one, wherever an earlier attempt came to its end, and forgets the note.
    async fn put_in_place(&self, rewriting: &Rewriting) -> Result<()> {
        let checkpoints = &self.inner.checkpoints;
        let Rewriting { job_id, snapshot_id, aside, chunks_before, .. } = rewriting;
        let bytes = checkpoints.load_state(aside).await?;
        let (doc_id, snapshot) = self.snapshot(job_id, snapshot_id).await?;
        let prefix = format!("{job_id}_model_state_{snapshot_id}");
        let saved = checkpoints.save_state(job_id, prefix, &bytes).await?;
        let snapshot = ModelSnapshot {
            snapshot_doc_count: saved.chunks,
            min_version: STATE_VERSION.to_owned(),
            ..snapshot
        };
        self.write_snapshot(&doc_id, &snapshot).await?;
        if let Some((mut pointer, version)) = checkpoints.pointer(job_id).await?
            && pointer.state.as_ref().is_some_and(|state| state.prefix == saved.prefix)
        {
            pointer.state = Some(saved.clone());
            checkpoints.switch(&pointer, Some(version)).await?;
        }
        self.inner.configs.write_document(BulkOp::delete(indices::TASKS, rewriting.note_id())).await?;
        checkpoints.delete_chunks_after(&saved, *chunks_before).await;
        checkpoints.delete_chunks(aside).await;
        Ok(())
    }

    /// At the start of the service, before jobs open: what was about to be put in place is.
    pub(crate) async fn finish_upgrades(&self) -> Result<()> {
        let body = json!({"query": {"term": {"task": TASK}}, "size": 1000});
        let mut answer = self.inner.store.search(indices::TASKS, &body, &IndicesOptions::lenient()).await?;
        for (id, note) in hits(&mut answer) {
            let Some(rewriting) = self.inner.configs.unreadable.read::<Rewriting>(indices::TASKS, &id, note)
            else {
                continue;
            };
            if let Err(error) = self.put_in_place(&rewriting).await {
                let Rewriting { job_id, snapshot_id, .. } = rewriting;
                tracing::error!(job_id, snapshot_id, %error, "the upgrade of a snapshot could not be finished");
            }
        }
        Ok(())
    }

    /// Refuses `what` while the state of the snapshot is written anew.
    pub(crate) fn refuse_while_upgraded(&self, job_id: &str, snapshot_id: &str, what: &str) -> Result<()> {
        if !self.inner.upgrades.is_under_way(job_id, snapshot_id) {
            return Ok(());
        }
        Err(Error::Conflict(format!(
            "Cannot {what} job [{job_id}] snapshot [{snapshot_id}] while the snapshot is being upgraded"
        )))
    }

    /// The upgrades under way or failed, of jobs and snapshots that two expressions name.
    ///
    /// # Errors
    /// Without `allow_no_match`, when there is none.
    pub async fn model_snapshot_upgrades(
        &self,
        job_ids: &str,
        snapshot_ids: &str,
        allow_no_match: bool,
    ) -> Result<Listed<UpgradeStats>> {
        let named = |expression: &str, id: &str| {
            let expression = if expression.is_empty() { "_all" } else { expression };
            expression.split(',').any(|part| expression::matches(part.trim(), id))
        };
        let items: Vec<UpgradeStats> = self
            .inner
            .upgrades
            .lock()
            .iter()
            .filter(|((job_id, snapshot_id), _)| named(job_ids, job_id) && named(snapshot_ids, snapshot_id))
            .map(|((job_id, snapshot_id), progress)| UpgradeStats {
                job_id: job_id.clone(),
                snapshot_id: snapshot_id.clone(),
                state: progress.stage,
                node: (progress.stage != Stage::Failed).then(|| self.inner.node()),
                assignment_explanation: progress.why.clone(),
            })
            .collect();
        if items.is_empty() && !allow_no_match {
            return Err(Error::NotFound(format!(
                "No snapshot upgrade is running for job_id [{job_ids}] and snapshot_id [{snapshot_ids}]"
            )));
        }
        Ok(Listed { count: items.len() as u64, items })
    }
}
