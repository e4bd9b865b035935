//! Upgrade mode: nothing runs, and what ran goes on as it was when the mode ends.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use store::{BulkOp, indices};

use crate::config_store::FeedTask;
use crate::open_job::{Command, OpenJob, State};
use crate::service::Jobs;
use crate::{Error, Result};

const DOC_ID: &str = "upgrade_mode";
/// What statistics say of jobs and datafeeds meanwhile.
pub(crate) const EXPLANATION: &str = "persistent task cannot be assigned while upgrade mode is enabled.";

/// Is the mode on? Changes take their turn.
#[derive(Debug, Default)]
pub(crate) struct UpgradeMode {
    on: AtomicBool,
    change: tokio::sync::Mutex<()>,
}

impl Jobs {
    /// Is upgrade mode on?
    pub fn upgrade_mode(&self) -> bool {
        self.inner.upgrade_mode.on.load(Ordering::Acquire)
    }

    /// Refuses what would begin to run, as `what` calls it.
    pub(crate) fn refuse_in_upgrade_mode(&self, what: &str) -> Result<()> {
        if self.upgrade_mode() {
            return Err(Error::TooManyRequests(format!("Cannot {what} when upgrade mode is enabled")));
        }
        Ok(())
    }

    /// Turns the mode on or off. On: datafeeds and jobs save where they are and pause,
    /// forecasts fail; off: jobs and datafeeds go on.
    ///
    /// # Errors
    /// When another change is under way, or the store fails.
    pub async fn set_upgrade_mode(&self, enabled: bool) -> Result<()> {
        self.to_the_end(|jobs| async move { jobs.set_upgrade_mode_now(enabled).await }).await
    }

    async fn set_upgrade_mode_now(&self, enabled: bool) -> Result<()> {
        let mode = &self.inner.upgrade_mode;
        let Ok(_turn) = mode.change.try_lock() else {
            return Err(Error::TooManyRequests(format!(
                "Attempted to set [upgrade_mode] to [{enabled}] from [{}] while previous request was processing.",
                self.upgrade_mode()
            )));
        };
        if enabled == self.upgrade_mode() {
            return Ok(());
        }
        if enabled {
            let note = json!({"task": DOC_ID}).to_string();
            store::check_all(
                self.inner.store.bulk(vec![BulkOp::index(indices::TASKS, DOC_ID, note)]).await?,
            )?;
            mode.on.store(true, Ordering::Release);
            self.pause().await;
            return Ok(());
        }
        self.leave_upgrade_mode().await?;
        self.resume().await
    }

    /// Turns the mode off if it is on, and lets nothing go on.
    pub(crate) async fn clear_upgrade_mode(&self) -> Result<()> {
        let _turn = self.inner.upgrade_mode.change.lock().await;
        if self.upgrade_mode() { self.leave_upgrade_mode().await } else { Ok(()) }
    }

    /// What was paused counts as closed from now on.
    async fn leave_upgrade_mode(&self) -> Result<()> {
        let note = BulkOp::delete(indices::TASKS, DOC_ID);
        store::check_all(self.inner.store.bulk(vec![note]).await?)?;
        self.inner.store.refresh(indices::TASKS).await?;
        self.inner.upgrade_mode.on.store(false, Ordering::Release);
        self.inner.open().retain(|_, job| !job.is_paused());
        Ok(())
    }

    /// At the start of the service: was the mode on when it ended?
    pub(crate) async fn restore_upgrade_mode(&self) -> Result<bool> {
        let on = self.inner.store.get(indices::TASKS, DOC_ID).await?.is_some();
        self.inner.upgrade_mode.on.store(on, Ordering::Release);
        if on {
            for task in self.inner.configs.job_tasks().await? {
                let handle = OpenJob::new(&task.job_id, task.open_time);
                handle.pause(EXPLANATION);
                self.inner.open().insert(task.job_id, Arc::new(handle));
            }
        }
        Ok(on)
    }

    async fn pause(&self) {
        let feeds: Vec<_> = self.inner.feeds().values().cloned().collect();
        for feed in feeds {
            feed.suspend().await;
        }
        let open: Vec<_> = self.inner.open().values().cloned().collect();
        for job in open {
            job.wait_opened().await;
            if job.state() != State::Opened || job.is_paused() {
                continue;
            }
            match job.ask_last(|reply| Command::Suspend { reply }).await {
                Ok(()) => job.pause(EXPLANATION),
                Err(error) => tracing::error!(job_id = job.job_id, %error, "a job could not be paused"),
            }
        }
        // Last, since only an open job can begin one.
        self.inner.forecasts.stop(None).await;
    }

    /// The datafeeds that would run if the mode were not on.
    pub(crate) async fn paused_feeds(&self) -> Result<BTreeSet<String>> {
        if !self.upgrade_mode() {
            return Ok(BTreeSet::new());
        }
        let tasks: Vec<FeedTask> = self.inner.configs.feed_tasks().await?;
        Ok(tasks.into_iter().map(|task| task.datafeed_id).collect())
    }
}
