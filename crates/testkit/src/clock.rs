//! Time that the test owns.

use std::sync::atomic::{AtomicI64, Ordering};

use types::{Clock, TimestampMs};

/// Stands still until it is moved, or follows the runtime's paused time.
#[derive(Debug)]
pub struct MockClock {
    now_ms: AtomicI64,
    follows: Option<tokio::time::Instant>,
}

impl MockClock {
    /// Stands at `now_ms`.
    pub fn at(now_ms: i64) -> Self {
        Self { now_ms: AtomicI64::new(now_ms), follows: None }
    }

    /// Begins at `now_ms` and follows the time of a runtime that is paused: a timer that fires moves it.
    pub fn following(now_ms: i64) -> Self {
        Self { now_ms: AtomicI64::new(now_ms), follows: Some(tokio::time::Instant::now()) }
    }

    /// Moves it by `ms`.
    pub fn advance(&self, ms: i64) {
        self.now_ms.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for MockClock {
    fn now(&self) -> TimestampMs {
        let passed = self.follows.map_or(0, |since| since.elapsed().as_millis());
        TimestampMs(self.now_ms.load(Ordering::SeqCst) + i64::try_from(passed).unwrap_or(i64::MAX))
    }
}
