//! What this cluster can do, found out by asking and remembered.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// How points in time are spoken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `POST /{index}/_pit`
    Elasticsearch,
    /// `POST /{index}/_search/point_in_time`
    OpenSearch,
}

/// Are there points in time over which rows come in a total order?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Points {
    /// Nobody has asked yet.
    Unknown,
    /// There are, in this dialect.
    Of(Dialect),
    /// There are none.
    None,
}

/// What is known so far.
#[derive(Debug, Default)]
pub(super) struct Features {
    points: OnceLock<Points>,
    no_removal_by_query: AtomicBool,
}

impl Features {
    pub(super) fn points_in_time(&self) -> Points {
        self.points.get().copied().unwrap_or(Points::Unknown)
    }

    pub(super) fn set_points_in_time(&self, points: Points) {
        // Whoever asked at the same time found the same.
        let _ = self.points.set(points);
    }

    /// Is there `_delete_by_query`, as far as is known?
    pub(super) fn removes_by_query(&self) -> bool {
        !self.no_removal_by_query.load(Ordering::Relaxed)
    }

    pub(super) fn cannot_remove_by_query(&self) {
        self.no_removal_by_query.store(true, Ordering::Relaxed);
    }
}
