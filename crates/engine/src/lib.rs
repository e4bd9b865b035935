//! The models: pure, deterministic, bounded.

pub mod categorize;
mod value;

pub use value::FieldValue;
