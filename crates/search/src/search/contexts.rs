//! Scrolls and points in time: snapshots that outlive a request.

use std::sync::{Arc, Mutex};

use ahash::AHashMap;

use super::execute::{Found, View};
use super::request::SearchRequest;
use crate::cluster::facade::unique_id;
use crate::error::{Error, Result};

/// More open contexts are refused (`search.max_open_scroll_context`).
const MAX_OPEN: usize = 500;

/// A scroll: all its hits, found when it was opened.
#[derive(Debug)]
pub(crate) struct Scroll {
    pub(crate) views: Vec<View>,
    pub(crate) request: SearchRequest,
    pub(crate) found: Found,
    /// How many hits have been given back.
    pub(crate) given: usize,
}

#[derive(Clone, Debug)]
pub(crate) enum Context {
    Scroll(Arc<Mutex<Scroll>>),
    Pit(Arc<Mutex<Vec<View>>>),
}

/// Contexts are kept no longer than this (`search.max_keep_alive`).
const KEEP_MAX_MS: i64 = 86_400_000;

fn check_keep(keep_ms: i64) -> Result<()> {
    if keep_ms <= KEEP_MAX_MS {
        return Ok(());
    }
    Err(Error::illegal(format!(
        "Keep alive for request ({keep_ms}ms) is too large. It must be less than (1d). This limit can be set by changing the \
         [search.max_keep_alive] cluster level setting."
    )))
}

/// The open contexts.
#[derive(Debug, Default)]
pub struct Contexts {
    open: AHashMap<String, (i64, Context)>,
}

impl Contexts {
    pub(crate) fn add(&mut self, context: Context, now_ms: i64, keep_ms: i64) -> Result<String> {
        check_keep(keep_ms)?;
        self.open.retain(|_, (expires_ms, _)| *expires_ms > now_ms);
        if self.open.len() >= MAX_OPEN {
            return Err(Error::Rejected(format!(
                "Trying to create too many scroll contexts. Must be less than or equal to: [{MAX_OPEN}]. This limit can be \
                 set by changing the [search.max_open_scroll_context] setting."
            )));
        }
        let id = unique_id();
        self.open.insert(id.clone(), (now_ms.saturating_add(keep_ms), context));
        Ok(id)
    }

    pub(crate) fn get(&mut self, id: &str, now_ms: i64, keep_ms: Option<i64>) -> Result<Context> {
        self.open.retain(|_, (expires_ms, _)| *expires_ms > now_ms);
        let (expires_ms, context) = self
            .open
            .get_mut(id)
            .ok_or_else(|| Error::SearchContextMissing { id: id.to_owned() }.on_index(""))?;
        if let Some(keep_ms) = keep_ms {
            check_keep(keep_ms)?;
            *expires_ms = now_ms.saturating_add(keep_ms);
        }
        Ok(context.clone())
    }

    /// Closes a context; says whether it was open.
    pub(crate) fn close(&mut self, id: &str) -> bool {
        self.open.remove(id).is_some()
    }

    /// Closes all scrolls; says how many there were.
    pub(crate) fn close_scrolls(&mut self) -> usize {
        let before = self.open.len();
        self.open.retain(|_, (_, context)| matches!(context, Context::Pit(_)));
        before - self.open.len()
    }
}
