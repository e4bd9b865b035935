//! The embedded store as its callers see it.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that cannot go on has failed")]

mod crash;
mod documents;
mod equivalence;
mod files;
mod mappings;
mod options;
mod scans;
mod searches;

use std::sync::Arc;

use search::{Options, Search};

/// An empty store whose clock stands still.
fn store() -> (tempfile::TempDir, Search) {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { durable: false, ..Options::default() };
    let search = Search::open(folder.path(), Arc::new(|| 1_700_000_000_000), options).unwrap();
    (folder, search)
}
