//! Saved states that were written by an older version, written anew in the present form.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use engine::{Analysis, Context};
use serde::Serialize;
use types::Job;
use types::snapshot::{ModelSnapshot, STATE_VERSION};

use crate::open_job::State;
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
        let active = job.model_snapshot_id.as_deref() == Some(snapshot_id);
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
        let jobs = self.clone();
        let upgrade = async move { jobs.upgrade(job, snapshot, &key).await };
        if wait {
            upgrade.await?;
            return Ok(Upgraded { node, completed: true });
        }
        tokio::spawn(upgrade);
        Ok(Upgraded { node, completed: false })
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
        let saved = checkpoints.save_state(&job_id, prefix, &bytes).await?;
        let snapshot = ModelSnapshot {
            snapshot_doc_count: saved.chunks,
            min_version: STATE_VERSION.to_owned(),
            ..snapshot
        };
        self.write_snapshot(&snapshot.doc_id(), &snapshot).await?;
        checkpoints.delete_chunks_after(&saved, old.chunks).await;
        Ok(())
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
