//! Messages about jobs, as documents that people read.

use std::sync::Arc;

use serde_json::json;
use store::{BulkOp, Store, indices};
use types::Clock;

/// How serious a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Info,
    /// Worth a look.
    Warning,
    /// Something does not work.
    Error,
}

/// Writes messages.
#[derive(Clone, Debug)]
pub(crate) struct Notifier {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    node_name: String,
}

impl Notifier {
    pub(crate) fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, node_name: String) -> Self {
        Self { store, clock, node_name }
    }

    /// Writes a message. That it cannot be written is no reason to stop what it is about: it goes to the log then.
    pub(crate) async fn tell(&self, job_id: &str, level: Level, message: impl Into<String>) {
        let message = message.into();
        let word = match level {
            Level::Info => "info",
            Level::Warning => "warning",
            Level::Error => "error",
        };
        tracing::info!(job_id, level = word, "{message}");
        let document = json!({
            "job_id": job_id, "job_type": "anomaly_detector", "level": word, "message": message,
            "timestamp": self.clock.now(), "node_name": self.node_name,
        });
        let op = BulkOp {
            index: indices::NOTIFICATIONS_WRITE.to_owned(),
            id: None,
            action: store::Action::Index(document.to_string()),
            expected: None,
        };
        let written = self.store.bulk(vec![op]).await.and_then(store::check_all);
        if let Err(error) = written {
            tracing::warn!(job_id, %error, "a message could not be stored");
        }
    }
}
