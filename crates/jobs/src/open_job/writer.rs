//! Writes results while the analysis goes on, and again when the store is away.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use store::{Action, BulkOp, Outcome, Store};
use tokio::task::JoinHandle;

use crate::{Error, Result};

const DELAY_FIRST_MS: u64 = 100;
const DELAY_MAX_MS: u64 = 30_000;

/// Repeats a request to the store while it fails for reasons that pass.
pub(crate) async fn patiently<T, F: Future<Output = Result<T, store::Error>>>(
    attempts: u32,
    mut request: impl FnMut() -> F,
) -> Result<T> {
    let mut delay_ms = DELAY_FIRST_MS;
    for _ in 1..attempts.max(1) {
        match request().await {
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, delay_ms, "the store is away, the request is repeated");
                tokio::time::sleep(Duration::from_millis(delay_ms)).await;
                delay_ms = (delay_ms * 2).min(DELAY_MAX_MS);
            }
            other => return other.map_err(Error::from),
        }
    }
    request().await.map_err(Error::from)
}

/// Writes all, item by item if need be; says how many the store refused for good.
pub(crate) async fn write_all(store: &Arc<dyn Store>, attempts: u32, ops: Vec<BulkOp>) -> Result<u64> {
    let mut left = ops;
    let mut refused = 0;
    let mut delay_ms = DELAY_FIRST_MS;
    for attempt in 0..attempts.max(1) {
        if left.is_empty() {
            return Ok(refused);
        }
        if attempt > 0 {
            tokio::time::sleep(Duration::from_millis(delay_ms)).await;
            delay_ms = (delay_ms * 2).min(DELAY_MAX_MS);
        }
        let outcomes = patiently(attempts, || store.bulk(left.clone())).await?;
        let (again, lost) = sorted_out(left, outcomes);
        left = again;
        refused += lost;
    }
    if left.is_empty() {
        return Ok(refused);
    }
    Err(store::Error::Unavailable(format!("{} documents could not be written", left.len())).into())
}

/// The writes that have to be repeated, and how many were refused for good.
fn sorted_out(ops: Vec<BulkOp>, outcomes: Vec<Outcome>) -> (Vec<BulkOp>, u64) {
    let (mut again, mut refused) = (Vec::new(), 0);
    let mut waiting: HashSet<Option<String>> = HashSet::new();
    for (op, outcome) in ops.into_iter().zip(outcomes) {
        // Writes of one document keep their order: what comes after one that is repeated is repeated too.
        let is_behind = !waiting.is_empty() && waiting.contains(&op.id);
        match outcome.error {
            Some(error) if error.is_transient() => {
                waiting.insert(op.id.clone());
                again.push(op);
            }
            _ if is_behind => again.push(op),
            // A new score of a result that somebody, or its age, has removed meanwhile.
            Some(_) if outcome.status == 404 && matches!(op.action, Action::Update(_)) => {
                tracing::debug!(id = outcome.id, "a result that has a new score is gone");
            }
            Some(error) => {
                tracing::error!(id = outcome.id, %error, "the store refused a result");
                refused += 1;
            }
            None => {}
        }
    }
    (again, refused)
}

/// One request is on its way while the analysis goes on; the next waits for it, so that order is kept.
#[derive(Debug)]
pub(super) struct Writer {
    store: Arc<dyn Store>,
    attempts: u32,
    on_its_way: Option<JoinHandle<Result<u64>>>,
    pub(super) refused: u64,
}

impl Writer {
    pub(super) fn new(store: Arc<dyn Store>, attempts: u32) -> Self {
        Self { store, attempts, on_its_way: None, refused: 0 }
    }

    /// Sends documents off, after those before.
    pub(super) async fn submit(&mut self, ops: Vec<BulkOp>) -> Result<()> {
        self.drain().await?;
        if !ops.is_empty() {
            let (store, attempts) = (Arc::clone(&self.store), self.attempts);
            self.on_its_way = Some(tokio::spawn(async move { write_all(&store, attempts, ops).await }));
        }
        Ok(())
    }

    /// Waits until everything is written.
    pub(super) async fn drain(&mut self) -> Result<()> {
        if let Some(handle) = self.on_its_way.take() {
            self.refused += handle.await.map_err(|_| Error::Store(store::Error::Interrupted))??;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(status: u16) -> Outcome {
        let refused = |exception: &str| store::Error::Refused {
            status,
            exception: exception.to_owned(),
            reason: exception.to_owned(),
        };
        let error = match status {
            200 => None,
            404 => Some(refused("document_missing_exception")),
            429 => Some(refused("es_rejected_execution_exception")),
            _ => Some(refused("mapper_parsing_exception")),
        };
        Outcome { id: String::new(), status, version: None, error }
    }

    #[test]
    fn writes_of_one_document_keep_their_order() {
        let index = |id: &str| BulkOp::index("i", id, "{}".to_owned());
        let update = |id: &str| BulkOp::update("i", id, "{}".to_owned());
        let ops = vec![index("a"), index("b"), update("a"), update("b"), update("gone"), index("c")];
        let outcomes = [429, 200, 404, 200, 404, 400].map(outcome);
        let (again, refused) = sorted_out(ops, outcomes.into());
        assert_eq!(again, [index("a"), update("a")]);
        assert_eq!(refused, 1);
    }
}
