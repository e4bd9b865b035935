//! Changes of several steps, made to their end even when whoever asked for them goes away.
//!
//! A request's future is dropped when its client hangs up or its time is over. What has begun must not stay half done then:
//! a job that opens for ever, a forecast that never ends, a mode that is on while jobs still run.

use std::future::Future;

use crate::service::Jobs;
use crate::{Error, Result};

impl Jobs {
    /// Makes a change on a task of its own and waits for it.
    ///
    /// # Errors
    /// Those of the change, or when the service ends meanwhile.
    ///
    /// # Panics
    /// When the change does.
    pub(crate) async fn to_the_end<T, F>(&self, change: impl FnOnce(Self) -> F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        match tokio::spawn(change(self.clone())).await {
            Ok(outcome) => outcome,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(Error::Store(store::Error::Interrupted)),
            },
        }
    }
}
