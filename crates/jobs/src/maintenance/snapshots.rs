//! Which snapshots a job no longer keeps.

use types::Job;
use types::snapshot::ModelSnapshot;

const DAY_MS: i64 = 86_400_000;

/// The snapshots that a job no longer keeps: all beyond its retention, and, beyond the time for which every snapshot is
/// kept, all but the first of each day. Ages are counted back from the newest snapshot. Those in use, given by `in_use`,
/// and those that are to be retained stay.
pub(super) fn expired<'a>(
    job: &Job,
    snapshots: &'a [ModelSnapshot],
    in_use: impl Fn(&ModelSnapshot) -> bool,
) -> Vec<&'a ModelSnapshot> {
    let Some(newest_ms) = snapshots.iter().map(|snapshot| snapshot.timestamp.0).max() else {
        return Vec::new();
    };
    let before = |days: i64| newest_ms.saturating_sub(days.saturating_mul(DAY_MS));
    let keep_from_ms = before(job.model_snapshot_retention_days);
    let all_from_ms = before(job.daily_model_snapshot_retention_after_days);
    let mut sorted: Vec<&ModelSnapshot> = snapshots.iter().collect();
    sorted.sort_by(|a, b| (a.timestamp, &a.snapshot_id).cmp(&(b.timestamp, &b.snapshot_id)));
    let mut day_seen = None;
    let mut expired = Vec::new();
    for snapshot in sorted {
        let ms = snapshot.timestamp.0;
        let day = ms.div_euclid(DAY_MS);
        let is_first = day_seen != Some(day);
        let too_old = ms < keep_from_ms;
        if !too_old {
            day_seen = Some(day);
        }
        let surplus = ms < all_from_ms && !is_first;
        if (too_old || surplus) && !snapshot.retain && !in_use(snapshot) {
            expired.push(snapshot);
        }
    }
    expired
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use types::{JobBody, JobId, TimestampMs};

    const HOUR_MS: i64 = 3_600_000;

    fn job(retention: i64, daily: i64) -> Job {
        let body: JobBody = serde_json::from_value(json!({
            "analysis_config": {"detectors": [{"function": "count"}]}, "data_description": {},
            "model_snapshot_retention_days": retention, "daily_model_snapshot_retention_after_days": daily}))
        .unwrap();
        body.into_job(JobId::try_from("j").unwrap(), TimestampMs(0)).unwrap()
    }

    /// Snapshots every eight hours for five days, named by their hour.
    fn snapshots() -> Vec<ModelSnapshot> {
        let at = |hour: i64| {
            let source = json!({"job_id": "j", "snapshot_id": hour.to_string(), "timestamp": hour * HOUR_MS});
            serde_json::from_value(source).unwrap()
        };
        (0..=120).step_by(8).map(at).collect()
    }

    fn gone(job: &Job, snapshots: &[ModelSnapshot], used: &str) -> Vec<String> {
        let in_use = |snapshot: &ModelSnapshot| snapshot.snapshot_id == used;
        expired(job, snapshots, in_use).iter().map(|snapshot| snapshot.snapshot_id.clone()).collect()
    }

    #[test]
    fn old_ones_go_and_one_a_day_stays() {
        // Newest at hour 120: all from hour 96 on, one a day from hour 48 on, none before.
        let left = ["0", "8", "16", "24", "32", "40", "56", "64", "80", "88"];
        assert_eq!(gone(&job(3, 1), &snapshots(), ""), left);
    }

    #[test]
    fn those_in_use_or_retained_stay() {
        let mut all = snapshots();
        all[1].retain = true;
        let left = ["0", "16", "24", "32", "40", "64", "80", "88"];
        assert_eq!(gone(&job(3, 1), &all, "56"), left);
    }

    #[test]
    fn equal_bounds_mean_no_thinning() {
        assert_eq!(gone(&job(2, 2), &snapshots(), ""), ["0", "8", "16", "24", "32", "40", "48", "56", "64"]);
        assert!(gone(&job(10, 10), &snapshots(), "").is_empty());
        assert!(expired(&job(1, 0), &[], |_| false).is_empty());
    }
}
