//! Documents of the service's own indices that cannot be read. Whoever can write to an index can write anything into it: such
//! a document is left out, told once, and shown by the health report until it can be read or is gone. All else goes on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::notifications::{Level, Notifier};

/// Documents that are remembered; more are told in the log only.
const REMEMBERED_MAX: usize = 1000;

/// Index and id of a document.
type Place = (String, String);

/// The documents that could not be read when they were last looked at. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Unreadable {
    notifier: Notifier,
    known: Arc<Mutex<BTreeMap<Place, String>>>,
}

impl Unreadable {
    pub(crate) fn new(notifier: Notifier) -> Self {
        Self { notifier, known: Arc::default() }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<Place, String>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The document as what it should be; `None`, and a word about it, when it is something else.
    pub(crate) fn read<T: DeserializeOwned>(&self, index: &str, id: &str, source: Value) -> Option<T> {
        let job_id = source.get("job_id").and_then(Value::as_str).unwrap_or_default().to_owned();
        match serde_json::from_value(source) {
            Ok(value) => {
                self.is_readable(index, id);
                Some(value)
            }
            Err(error) => {
                self.tell(index, id, &job_id, &error.to_string());
                None
            }
        }
    }

    /// Those of the documents that can be read.
    pub(crate) fn all<T: DeserializeOwned>(
        &self,
        index: &str,
        found: impl IntoIterator<Item = (String, Value)>,
    ) -> Vec<T> {
        found.into_iter().filter_map(|(id, source)| self.read(index, &id, source)).collect()
    }

    fn is_readable(&self, index: &str, id: &str) {
        let mut known = self.known();
        if !known.is_empty() {
            known.remove(&(index.to_owned(), id.to_owned()));
        }
    }

    /// Keeps in mind that a document cannot be used, and tells it the first time.
    pub(crate) fn tell(&self, index: &str, id: &str, job_id: &str, why: &str) {
        let place = (index.to_owned(), id.to_owned());
        {
            let mut known = self.known();
            if known.get(&place).is_some_and(|before| before == why) {
                return;
            }
            if known.len() < REMEMBERED_MAX {
                known.insert(place, why.to_owned());
            }
        }
        tracing::error!(index, id, job_id, why, "a document cannot be read and is left out");
        let message = format!("Document [{id}] of index [{index}] cannot be read and is left out: {why}");
        let (notifier, job_id) = (self.notifier.clone(), job_id.to_owned());
        // Lists are made in many places, and none of them waits for a message.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { notifier.tell(&job_id, Level::Error, message).await });
        }
    }

    /// A word about each: index, id, and what is wrong.
    pub(crate) fn list(&self) -> Vec<(String, String, String)> {
        let known = self.known();
        known.iter().map(|((index, id), why)| (index.clone(), id.clone(), why.clone())).collect()
    }

    /// Forgets a document that is gone.
    pub(crate) fn forget(&self, index: &str, id: &str) {
        self.is_readable(index, id);
    }
}
