//! The engine from outside: whole jobs, record by record.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod allocator;
mod eviction;
mod forecast;
mod functions;
mod memory;
mod properties;
mod quality;
mod renormalization;
mod rules;
mod scores;
mod support;
