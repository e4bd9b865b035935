//! The models: pure, deterministic, bounded.

pub mod categorize;
