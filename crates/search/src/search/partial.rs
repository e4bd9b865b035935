//! Answers of those indices that have one: a search over many is not lost because one of them has failed.

use serde_json::{Map, Value, json};

use super::execute::View;
use crate::error::{Error, Result};
use crate::index::checked_vfs;

/// The indices on which a search has failed, and why.
#[derive(Debug, Default)]
pub(super) struct Failures(Vec<(String, Error)>);

impl Failures {
    /// Keeps the failure of an index; the search goes on with the others, unless the whole is wanted or nothing.
    ///
    /// # Errors
    /// The failure itself, if it is one of the whole search.
    pub(super) fn note(&mut self, index: &str, error: Error, all_or_nothing: bool) -> Result<()> {
        let own = error.is_of_one_file() || matches!(&error, Error::SearchPhase { .. });
        if all_or_nothing || !own {
            return Err(error);
        }
        let cause = match error.on_index(index) {
            Error::SearchPhase { cause, .. } => *cause,
            other => other,
        };
        self.0.push((index.to_owned(), cause));
        Ok(())
    }

    /// The first failure as that of the whole search, when no index is left.
    ///
    /// # Errors
    /// When there are failures, and `left` is zero.
    pub(super) fn check(&mut self, left: usize) -> Result<()> {
        if left > 0 || self.0.is_empty() {
            return Ok(());
        }
        let (index, error) = self.0.swap_remove(0);
        Err(error.on_index(&index))
    }

    /// `_shards` of the answer of `successful` indices.
    pub(super) fn shards(&self, successful: usize) -> Value {
        let failed = self.0.len();
        let mut shards =
            json!({ "total": successful + failed, "successful": successful, "skipped": 0, "failed": failed });
        if failed > 0 {
            let failures: Vec<Value> = self
                .0
                .iter()
                .map(|(index, error)| {
                    json!({ "shard": 0, "index": index, "node": "embedded", "reason": error.cause_json() })
                })
                .collect();
            shards["failures"] = json!(failures);
        }
        shards
    }

    /// Puts `_shards` right in an answer.
    pub(super) fn tell(&self, answer: &mut Map<String, Value>, successful: usize) {
        if !self.0.is_empty() {
            answer.insert("_shards".into(), self.shards(successful));
        }
    }
}

/// Runs `search` on the views, and again without those whose files turn out to be damaged meanwhile.
///
/// # Errors
/// Those of `search`, and those of damaged files when nothing else is left or the whole is wanted.
pub(super) fn without_damaged<T>(
    views: &mut Vec<View>,
    failures: &mut Failures,
    all_or_nothing: bool,
    mut search: impl FnMut(&[View]) -> Result<T>,
) -> Result<T> {
    loop {
        let error = match search(views) {
            Err(error) if error.is_of_one_file() || is_damage(&error) => error,
            other => return other,
        };
        let before = views.len();
        let mut found = Vec::new();
        views.retain(|view| {
            let index = view.reader.index();
            let why = checked_vfs::damage_of(index.path());
            found.extend(why.iter().map(|why| (index.name.clone(), why.clone())));
            why.is_none()
        });
        if views.len() == before {
            return Err(error);
        }
        for (index, why) in found {
            failures.note(&index, Error::Unavailable { index: index.clone(), why }, all_or_nothing)?;
        }
        failures.check(views.len())?;
    }
}

fn is_damage(error: &Error) -> bool {
    matches!(error, Error::SearchPhase { cause, .. } if cause.is_of_one_file())
}
