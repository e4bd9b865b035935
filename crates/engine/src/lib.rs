//! The models: pure, deterministic, bounded.

pub mod categorize;
pub mod model;
pub mod stats;
mod value;

pub use value::FieldValue;
