//! Removing everything at once.

use crate::results::Paging;
use crate::service::Jobs;
use crate::{DeleteJob, Result};

impl Jobs {
    /// Removes all jobs with their datafeeds, all calendars and all filters, and ends upgrade mode.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn delete_everything(&self) -> Result<()> {
        self.to_the_end(|jobs| async move { jobs.delete_everything_now().await }).await
    }

    async fn delete_everything_now(&self) -> Result<()> {
        for view in self.get_jobs("_all", true).await?.items {
            let how = DeleteJob { force: true, delete_user_annotations: true, task_id: None };
            self.delete_job(&view.job.job_id, how).await?;
        }
        for feed in self.get_datafeeds("_all", true).await?.items {
            self.delete_datafeed(&feed.datafeed_id, true).await?;
        }
        for calendar in self.get_calendars("", None).await?.items {
            self.delete_calendar(&calendar.calendar_id).await?;
        }
        for filter in self.get_filters("", Paging { from: 0, size: 10_000 }).await?.items {
            self.delete_filter(&filter.filter_id).await?;
        }
        // Last: what was paused must not go on only to be removed.
        self.clear_upgrade_mode().await
    }
}
