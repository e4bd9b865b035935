//! A bounded number of searches run at a time, and a bounded number wait for their turn; all else has threads of its own, so that health
//! and jobs answer whatever is searched.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ::search::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Searches that may wait for their turn; more are refused.
const WAITING_MAX: usize = 1000;

/// Who may search.
#[derive(Clone, Debug)]
pub(crate) struct Searches {
    places: Arc<Semaphore>,
    at_once: usize,
    waiting: Arc<AtomicUsize>,
}

/// The right to search, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place(
    #[expect(dead_code, reason = "held, and given back when it is dropped")] OwnedSemaphorePermit,
);

impl Searches {
    /// As many at once as Elasticsearch has threads for on so many processors: three for two of them, and one more.
    pub(crate) fn new(processors: usize) -> Self {
        let at_once = processors * 3 / 2 + 1;
        Self { places: Arc::new(Semaphore::new(at_once)), at_once, waiting: Arc::default() }
    }

    /// Waits for a place.
    ///
    /// # Errors
    /// When too many wait already.
    pub(crate) async fn place(&self) -> Result<Place, Error> {
        /// Counts who waits, also when waiting is given up.
        struct Waiting<'a>(&'a AtomicUsize);
        impl Drop for Waiting<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(Place(place));
        }
        let waiting = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        if waiting >= WAITING_MAX {
            return Err(Error::Rejected(format!(
                "rejected execution of a search: [{}] searches run and [{WAITING_MAX}] wait for their turn",
                self.at_once
            )));
        }
        // The semaphore is never closed.
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| Error::Cancelled)?;
        Ok(Place(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn searches_take_turns_and_too_many_are_refused() {
        let searches = Searches::new(1);
        let (first, second) = (searches.place().await.unwrap(), searches.place().await.unwrap());
        let mut others: Vec<_> = (0..WAITING_MAX)
            .map(|_| {
                let searches = searches.clone();
                tokio::spawn(async move { searches.place().await.map(drop) })
            })
            .collect();
        while searches.waiting.load(Ordering::Relaxed) < WAITING_MAX {
            tokio::task::yield_now().await;
        }
        let refused = searches.place().await.unwrap_err();
        assert_eq!((refused.status(), refused.exception()), (429, "es_rejected_execution_exception"));
        // Who gives up waiting makes room for another.
        others.pop().unwrap().abort();
        while searches.waiting.load(Ordering::Relaxed) == WAITING_MAX {
            tokio::task::yield_now().await;
        }
        drop((first, second));
        for other in others {
            other.await.unwrap().unwrap();
        }
    }
}
