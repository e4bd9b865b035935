//! The models: pure, deterministic, bounded.
