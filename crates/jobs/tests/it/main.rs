//! The service over the embedded store, with a clock that the test owns.

mod datafeed;
mod lifecycle;
mod restart;
mod rig;
mod snapshots;
