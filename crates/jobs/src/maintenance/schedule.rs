//! The daily run: at half past midnight UTC and some minutes that differ from node to node.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::request::ExpiredData;
use crate::service::{Inner, Jobs};

const DAY_MS: i64 = 86_400_000;
const MINUTE_MS: i64 = 60_000;
/// Nodes spread their runs over two hours.
const SPREAD_MINUTES: u64 = 120;
/// The clock is looked at again after so long, since it may be set, or the machine be asleep.
const LOOK_AGAIN: Duration = Duration::from_secs(3600);

/// Minutes after midnight at which a node begins.
fn minute_of(node_name: &str) -> i64 {
    let hash = node_name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    30 + i64::try_from(hash % SPREAD_MINUTES).unwrap_or(0)
}

/// The next time after `now_ms` at which a run begins.
fn next_run_ms(now_ms: i64, minute: i64) -> i64 {
    let offset_ms = minute * MINUTE_MS;
    ((now_ms - offset_ms).div_euclid(DAY_MS) + 1) * DAY_MS + offset_ms
}

impl Jobs {
    /// Runs once a day for as long as somebody holds the service.
    pub(crate) fn keep_tidy(&self) {
        tokio::spawn(daily(Arc::downgrade(&self.inner)));
    }
}

async fn daily(inner: Weak<Inner>) {
    let Some(mut due_ms) = inner.upgrade().map(|inner| next(&inner)) else { return };
    loop {
        let Some(now_ms) = inner.upgrade().map(|inner| inner.clock.now().0) else { return };
        if now_ms < due_ms {
            let left = Duration::from_millis(u64::try_from(due_ms - now_ms).unwrap_or(0));
            tokio::time::sleep(left.min(LOOK_AGAIN)).await;
            continue;
        }
        let Some(inner) = inner.upgrade() else { return };
        due_ms = next(&inner);
        let jobs = Jobs { inner };
        if jobs.upgrade_mode() {
            tracing::info!("expired data stay until tomorrow, since upgrade mode is on");
            continue;
        }
        let requests_per_second = jobs.inner.settings.nightly_requests_per_second();
        let how = ExpiredData { requests_per_second, ..ExpiredData::default() };
        match jobs.delete_expired_data("_all", how).await {
            Ok(true) => tracing::info!("expired data are removed"),
            Ok(false) => tracing::warn!("not all expired data were removed in time"),
            Err(error) => tracing::error!(%error, "expired data could not be removed; tried again tomorrow"),
        }
    }
}

fn next(inner: &Inner) -> i64 {
    next_run_ms(inner.clock.now().0, minute_of(&inner.options.node_name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_come_once_a_day_at_the_same_minute() {
        let half_past = 30 * MINUTE_MS;
        assert_eq!(next_run_ms(0, 30), half_past);
        assert_eq!(next_run_ms(half_past, 30), DAY_MS + half_past);
        assert_eq!(next_run_ms(DAY_MS + half_past - 1, 30), DAY_MS + half_past);
        let minute = minute_of("a node");
        assert!((30..150).contains(&minute));
    }
}
