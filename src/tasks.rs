//! Work that a client does not want to wait for: it goes on by itself, and its outcome can be asked for.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::Notify;
use types::{Clock, TimestampMs};

use crate::api::ApiError;

/// Tasks that are over are remembered up to this number; the oldest go first.
const REMEMBERED_MAX: usize = 1000;

/// One piece of work.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) number: u64,
    pub(crate) action: &'static str,
    pub(crate) description: String,
    pub(crate) started: TimestampMs,
    /// Its answer or the error under `error`, once it is over.
    pub(crate) outcome: Option<Result<Value, Value>>,
    pub(crate) ended: Option<TimestampMs>,
}

/// All tasks since the start. Clones are the same list.
#[derive(Clone, Debug)]
pub(crate) struct Tasks {
    clock: Arc<dyn Clock>,
    list: Arc<Mutex<List>>,
    /// Wakes those who wait for a task to be over.
    ended: Arc<Notify>,
}

#[derive(Debug, Default)]
struct List {
    last: u64,
    tasks: BTreeMap<u64, Task>,
}

impl Tasks {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, list: Arc::default(), ended: Arc::default() }
    }

    fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts work that goes on when nobody waits for it; `work` is told the number of its task.
    pub(crate) fn spawn<F>(
        &self,
        action: &'static str,
        description: String,
        work: impl FnOnce(u64) -> F,
    ) -> u64
    where
        F: Future<Output = Result<Value, Value>> + Send + 'static,
    {
        let number = {
            let mut list = self.list();
            list.last += 1;
            let number = list.last;
            let started = self.clock.now();
            let task = Task { number, action, description, started, outcome: None, ended: None };
            list.tasks.insert(number, task);
            number
        };
        let (tasks, work) = (self.clone(), work(number));
        tokio::spawn(async move {
            // On a task of its own, so that one that panics is over too.
            let outcome = tokio::spawn(work).await.unwrap_or_else(|error| {
                tracing::error!(%error, number, action, "a task broke off");
                Err(ApiError::internal().into_error())
            });
            tasks.over(number, outcome);
        });
        number
    }

    fn over(&self, number: u64, outcome: Result<Value, Value>) {
        let now = self.clock.now();
        let mut list = self.list();
        if let Some(task) = list.tasks.get_mut(&number) {
            task.outcome = Some(outcome);
            task.ended = Some(now);
        }
        let over: Vec<u64> =
            list.tasks.values().filter(|task| task.outcome.is_some()).map(|task| task.number).collect();
        for number in over.iter().take(over.len().saturating_sub(REMEMBERED_MAX)) {
            list.tasks.remove(number);
        }
        drop(list);
        self.ended.notify_waiters();
    }

    /// Returns when a task is over or unknown.
    pub(crate) async fn wait(&self, number: u64) {
        loop {
            // Asked for before the look, so that an end in between is not missed.
            let mut ended = std::pin::pin!(self.ended.notified());
            ended.as_mut().enable();
            if self.get(number).is_none_or(|task| task.outcome.is_some()) {
                return;
            }
            ended.await;
        }
    }

    pub(crate) fn get(&self, number: u64) -> Option<Task> {
        self.list().tasks.get(&number).cloned()
    }

    /// Those that are not over.
    pub(crate) fn running(&self) -> Vec<Task> {
        self.list().tasks.values().filter(|task| task.outcome.is_none()).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_is_over() {
        let tasks = Tasks::new(Arc::new(types::time::SystemClock));
        let number = tasks.spawn("test", "broken".to_owned(), |_| async {
            let nothing: Option<Value> = std::hint::black_box(None);
            Ok(nothing.expect("this task is broken"))
        });
        tasks.wait(number).await;
        let error = tasks.get(number).and_then(|task| task.outcome).unwrap().unwrap_err();
        assert_eq!(error["type"], "exception");
        assert!(tasks.running().is_empty());
    }
}
