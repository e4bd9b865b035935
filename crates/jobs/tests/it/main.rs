//! The service over the embedded store, with a clock that the test owns.

#![allow(clippy::unwrap_used, reason = "what all tests share is not inside a test function")]

mod categories;
mod damage;
mod datafeed;
mod dropped;
mod imported;
mod lifecycle;
mod maintenance;
mod push_down;
mod renormalization;
mod restart;
mod rig;
mod snapshot_upgrades;
mod snapshots;
mod upgrade_mode;
