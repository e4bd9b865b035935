//! Lifecycle of jobs and datafeeds, results, snapshots, retention.
