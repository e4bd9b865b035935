//! What keeps a search within bounds while it runs: it ends when nobody waits for it, when its time is over, and when it holds too
//! much.
//!
//! A search runs on one thread from its beginning to its end, and most of what it does is deep inside of loops. So the guard belongs
//! to the thread while the search runs: [`Guard::run`] puts it there, and loops ask [`check`] and [`hold`] without having been handed
//! anything. Code that runs outside of a guard is never stopped.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use types::breaker::{Breaker, Charge};

use crate::error::{Error, Result};

/// Instructions of SQLite's machine between two looks at the guard.
const SQLITE_STEPS: i32 = 10_000;

thread_local! {
    static CURRENT: RefCell<Option<Arc<Guard>>> = const { RefCell::new(None) };
}

/// The bounds of one request. Clones of the [`Arc`] that holds it can end it from elsewhere.
#[derive(Debug)]
pub struct Guard {
    began: Instant,
    /// Milliseconds after the beginning; `u64::MAX` for no limit.
    limit_ms: AtomicU64,
    is_cancelled: AtomicBool,
    held: Option<Mutex<Charge>>,
}

impl Guard {
    /// A guard that takes what the request holds out of a budget, and ends it after a time.
    pub fn new(limit: Option<Duration>, breaker: Option<&Arc<Breaker>>) -> Arc<Self> {
        let guard = Self {
            began: Instant::now(),
            limit_ms: AtomicU64::new(u64::MAX),
            is_cancelled: AtomicBool::new(false),
            // Nothing is charged at first, which no budget refuses.
            held: breaker.and_then(|breaker| breaker.charge(0, "").ok()).map(Mutex::new),
        };
        guard.limit_time(limit);
        Arc::new(guard)
    }

    fn limit_time(&self, limit: Option<Duration>) {
        if let Some(limit) = limit {
            let ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
            self.limit_ms.fetch_min(ms, Ordering::Relaxed);
        }
    }

    /// Ends the request at its next look: nobody waits for it any more.
    pub fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
    }

    /// Runs a request within its bounds.
    pub fn run<T>(self: &Arc<Self>, request: impl FnOnce() -> T) -> T {
        /// Puts back what was there before, also when the request panics.
        struct Before(Option<Arc<Guard>>);
        impl Drop for Before {
            fn drop(&mut self) {
                CURRENT.with_borrow_mut(|current| *current = self.0.take());
            }
        }
        let _before = Before(CURRENT.with_borrow_mut(|current| current.replace(Arc::clone(self))));
        request()
    }

    fn verdict(&self) -> Result<()> {
        if self.is_cancelled.load(Ordering::Relaxed) {
            return Err(Error::Cancelled);
        }
        let limit_ms = self.limit_ms.load(Ordering::Relaxed);
        if limit_ms != u64::MAX && self.began.elapsed().as_millis() > u128::from(limit_ms) {
            return Err(Error::TimedOut);
        }
        Ok(())
    }
}

/// May the request go on? To be asked in every loop that a client can make long.
///
/// # Errors
/// When it was cancelled, or its time is over.
pub fn check() -> Result<()> {
    CURRENT.with_borrow(|current| current.as_ref().map_or(Ok(()), |guard| guard.verdict()))
}

/// May it go on? For loops that have no way to fail: they stop, and whoever called them asks [`check`].
pub fn is_over() -> bool {
    check().is_err()
}

/// Takes what the request is about to hold out of its budget, until it ends.
///
/// # Errors
/// When that would be too much.
pub fn hold(bytes: usize, what: &str) -> Result<()> {
    CURRENT.with_borrow(|current| {
        let Some(held) = current.as_ref().and_then(|guard| guard.held.as_ref()) else { return Ok(()) };
        let mut charge = held.lock().unwrap_or_else(PoisonError::into_inner);
        charge.grow(bytes as u64, what).map_err(Error::DataTooLarge)
    })
}

/// Ends the request after a time of its own, if that is shorter than the time it has.
pub fn limit_time(limit: Duration) {
    CURRENT.with_borrow(|current| {
        if let Some(guard) = current {
            // The time counts from now on; most of a request's time is still before it.
            guard.limit_time(Some(guard.began.elapsed().saturating_add(limit)));
        }
    });
}

/// Gives the request time from now on, whatever time it had.
pub fn allow(more: Duration) {
    CURRENT.with_borrow(|current| {
        if let Some(guard) = current {
            let ms =
                u64::try_from(guard.began.elapsed().saturating_add(more).as_millis()).unwrap_or(u64::MAX);
            guard.limit_ms.store(ms, Ordering::Relaxed);
        }
    });
}

/// Lets SQLite look at the guard of whatever request works on a connection at the time: a connection outlives requests.
pub(crate) fn watch(connection: &mut rusqlite::Connection) -> Result<()> {
    connection.progress_handler(SQLITE_STEPS, Some(is_over))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guard_ends_what_runs_within_it_and_nothing_else() {
        let breaker = Breaker::new("request", 100, None);
        let guard = Guard::new(None, Some(&breaker));
        guard.run(|| {
            assert!(check().is_ok());
            hold(60, "a").unwrap();
            assert!(matches!(hold(60, "b"), Err(Error::DataTooLarge(_))));
            guard.cancel();
            assert!(matches!(check(), Err(Error::Cancelled)));
        });
        assert!(check().is_ok() && hold(1000, "c").is_ok());
        assert_eq!(breaker.used_bytes(), 60);
        drop(guard);
        assert_eq!(breaker.used_bytes(), 0);
        Guard::new(Some(Duration::ZERO), None).run(|| {
            std::hint::spin_loop();
            while check().is_ok() {}
            assert!(matches!(check(), Err(Error::TimedOut)));
        });
    }
}
