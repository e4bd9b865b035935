//! The facade of the crate, and how the service begins and ends.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use store::{Store, indices};
use types::{ByteSize, Clock, TimestampMs};

use crate::config_store::ConfigStore;
use crate::feed::RunningFeed;
use crate::forecasts::Forecasts;
use crate::notifications::{Level, Notifier};
use crate::open_job::{Checkpoints, Command, DataLog, OpenJob, State};
use crate::own_indices::OwnIndices;
use crate::settings::Settings;
use crate::snapshot_upgrades::Upgrades;
use crate::upgrade_mode::UpgradeMode;
use crate::{Error, Options, Result};

/// Jobs and datafeeds of this node. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Jobs {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) options: Arc<Options>,
    pub(crate) configs: ConfigStore,
    pub(crate) notifier: Notifier,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) log: DataLog,
    pub(crate) settings: Settings,
    pub(crate) forecasts: Forecasts,
    pub(crate) upgrades: Upgrades,
    pub(crate) upgrade_mode: UpgradeMode,
    open: Mutex<BTreeMap<String, Arc<OpenJob>>>,
    feeds: Mutex<BTreeMap<String, Arc<RunningFeed>>>,
    /// What the start could not do.
    problems: Mutex<Vec<String>>,
}

/// Makes templates and indices ready; what is refused is told, and does not keep the service from starting.
///
/// # Errors
/// When the store is away.
async fn make_ready(store: &Arc<dyn Store>) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    let mut note = |what: String, result: store::Result<()>| match result {
        Ok(()) => Ok(()),
        Err(error) if error.is_away() => Err(error),
        Err(error) => {
            tracing::error!(%error, "{what}");
            problems.push(format!("{what}: {error}"));
            Ok(())
        }
    };
    for (name, body) in indices::templates() {
        let put = store.put_index_template(name, &body).await;
        note(format!("The index template [{name}] could not be made"), put)?;
    }
    for (name, body) in indices::fixed() {
        let made = match store.ensure_index(name, &body).await {
            // It may have been made without its aliases.
            Ok(false) => restore_aliases(store, name, &body).await,
            other => other.map(drop),
        };
        let remedy = "remove what stands in its place or repair it, and start the service again";
        note(format!("The index [{name}] could not be made ready; {remedy}"), made)?;
    }
    Ok(problems)
}

async fn restore_aliases(store: &Arc<dyn Store>, name: &str, body: &serde_json::Value) -> store::Result<()> {
    for alias in body["aliases"].as_object().into_iter().flatten().map(|(alias, _)| alias) {
        let known = store.get_aliases(alias).await?;
        if known.as_object().is_none_or(serde_json::Map::is_empty) {
            store.update_aliases(&indices::fixed_alias_actions(name, body)).await?;
        }
    }
    Ok(())
}

/// Things that were found, with how many there are in all.
#[derive(Clone, Debug, Serialize)]
pub struct Listed<T> {
    /// All that match, also those that are not shown.
    pub count: u64,
    /// Those that are shown.
    pub items: Vec<T>,
}

/// Where a job or datafeed runs.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "named as in the API")]
pub struct Node {
    pub id: String,
    pub name: String,
    pub ephemeral_id: String,
    pub transport_address: String,
    pub attributes: BTreeMap<String, String>,
}

/// A job or datafeed that runs on this node.
#[derive(Clone, Debug)]
pub struct Running {
    /// The same as long as it runs.
    pub number: u64,
    /// Its id.
    pub id: String,
    /// A datafeed, or else a job?
    pub is_datafeed: bool,
    /// Since when its job is open.
    pub since: TimestampMs,
}

impl Jobs {
    /// What runs: open jobs, then started datafeeds, each sorted by id.
    pub fn running(&self) -> Vec<Running> {
        let number = |name: String| 1_000_000 + u64::from(crc32fast::hash(name.as_bytes()));
        let mut running = Vec::new();
        for (id, job) in self.inner.open().iter().filter(|(_, job)| !job.is_paused()) {
            let since = job.live().open_time;
            let number = number(format!("job-{id}"));
            running.push(Running { number, id: id.clone(), is_datafeed: false, since });
        }
        let feeds: Vec<_> = self.inner.feeds().clone().into_iter().collect();
        for (id, feed) in feeds {
            let since = self.inner.open_job(&feed.job_id).map_or(TimestampMs(0), |job| job.live().open_time);
            let number = number(format!("datafeed-{id}"));
            running.push(Running { number, id, is_datafeed: true, since });
        }
        running
    }

    /// Makes the indices ready, opens the jobs that were open when the service ended, and starts their datafeeds. A job
    /// that cannot be opened is shown as failed and does not keep the service from starting.
    ///
    /// # Errors
    /// When the store is away or refuses the indices.
    pub async fn start(store: Arc<dyn Store>, clock: Arc<dyn Clock>, options: Options) -> Result<Self> {
        let problems = make_ready(&store).await?;
        let store = OwnIndices::over(store);
        let options = Arc::new(options);
        let notifier = Notifier::new(Arc::clone(&store), Arc::clone(&clock), options.node_name.clone());
        let jobs = Self {
            inner: Arc::new(Inner {
                configs: ConfigStore::new(Arc::clone(&store), notifier.clone()),
                checkpoints: Checkpoints::new(Arc::clone(&store), options.store_attempts),
                log: DataLog::new(Arc::clone(&store), options.store_attempts),
                store,
                clock,
                options,
                notifier,
                settings: Settings::default(),
                forecasts: Forecasts::default(),
                upgrades: Upgrades::default(),
                upgrade_mode: UpgradeMode::default(),
                open: Mutex::default(),
                feeds: Mutex::default(),
                problems: Mutex::new(problems),
            }),
        };
        // What one of them cannot do is told; it must not keep the interface away with which it can be mended.
        jobs.survived("The settings could not be loaded", jobs.load_settings().await)?;
        let forecasts = jobs.fail_interrupted_forecasts().await;
        jobs.survived("Interrupted forecasts could not be marked as failed", forecasts)?;
        jobs.survived("Upgrades of snapshots could not be finished", jobs.finish_upgrades().await)?;
        jobs.survived("Reverts could not be finished", jobs.finish_reverts().await)?;
        let paused = jobs.restore_upgrade_mode().await;
        let paused =
            jobs.survived("Whether the upgrade mode is on could not be read", paused)?.unwrap_or(false);
        if !paused {
            jobs.survived("Jobs and datafeeds that ran could not be found", jobs.resume().await)?;
        }
        jobs.keep_tidy();
        Ok(jobs)
    }

    /// The value, or a word about why there is none.
    ///
    /// # Errors
    /// When the store is away: a service without it can do nothing.
    fn survived<T>(&self, what: &str, result: Result<T>) -> Result<Option<T>> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(Error::Store(error)) if error.is_away() => Err(error.into()),
            Err(error) => {
                tracing::error!(%error, "{what}");
                self.inner.problems().push(format!("{what}: {error}"));
                Ok(None)
            }
        }
    }

    /// What the start could not do, and the documents of the service that cannot be read: for the health report.
    pub async fn problems(&self) -> Vec<String> {
        let mut problems = self.inner.problems().clone();
        let unreadable = &self.inner.configs.unreadable;
        for (index, id, why) in unreadable.list() {
            match self.inner.store.get(&index, &id).await {
                // Somebody has removed it.
                Ok(None) => unreadable.forget(&index, &id),
                Ok(Some(_)) | Err(_) => {
                    problems.push(format!("document [{id}] of index [{index}] cannot be read: {why}"));
                }
            }
        }
        problems
    }

    pub(crate) async fn resume(&self) -> Result<()> {
        let inner = &self.inner;
        for task in inner.configs.job_tasks().await? {
            if let Err(error) = self.open_as(&task.job_id, task.open_time, false).await {
                let message = format!("The job could not be opened again after a restart: {error}");
                inner.notifier.tell(&task.job_id, Level::Error, message).await;
            }
        }
        for task in inner.configs.feed_tasks().await? {
            if let Err(error) = self.resume_feed(&task).await {
                let message = format!("Datafeed could not be started again after a restart: {error}");
                inner.notifier.tell(&task.job_id, Level::Error, message).await;
            }
        }
        Ok(())
    }

    /// Ends in order: datafeeds stop between two pages, open jobs save a checkpoint. Both go on at the next start.
    pub async fn shutdown(&self) {
        self.inner.forecasts.ask_to_stop(None);
        let feeds: Vec<_> = self.inner.feeds().values().cloned().collect();
        for feed in feeds {
            feed.suspend().await;
        }
        let open: Vec<_> = self.inner.open().values().cloned().collect();
        for job in open.iter().filter(|job| job.state() == State::Opened && !job.is_paused()) {
            if let Err(error) = job.ask_last(|reply| Command::Suspend { reply }).await {
                tracing::error!(job_id = job.job_id, %error, "no checkpoint at the end; the last one is used");
            }
        }
        self.inner.forecasts.stop(None).await;
    }

    /// The store that everything is kept in.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.inner.store
    }
}

impl Inner {
    pub(crate) fn open(&self) -> MutexGuard<'_, BTreeMap<String, Arc<OpenJob>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn problems(&self) -> MutexGuard<'_, Vec<String>> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn feeds(&self) -> MutexGuard<'_, BTreeMap<String, Arc<RunningFeed>>> {
        self.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn open_job(&self, job_id: &str) -> Option<Arc<OpenJob>> {
        self.open().get(job_id).cloned()
    }

    pub(crate) fn state(&self, job_id: &str) -> State {
        self.open_job(job_id).map_or(State::Closed, |job| job.state())
    }

    pub(crate) fn feed_running(&self, datafeed_id: &str) -> Option<Arc<RunningFeed>> {
        self.feeds().get(datafeed_id).cloned()
    }

    /// The highest memory limit that a job may have; none when there is no bound.
    pub(crate) fn max_model_memory_limit(&self) -> Option<ByteSize> {
        self.settings.max_model_memory_limit(self.options.max_model_memory_limit)
    }

    pub(crate) fn node(&self) -> Node {
        Node {
            id: self.options.node_id.clone(),
            name: self.options.node_name.clone(),
            ephemeral_id: self.options.node_id.clone(),
            transport_address: self.options.transport_address.clone(),
            attributes: BTreeMap::new(),
        }
    }
}
