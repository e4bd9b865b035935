//! Queries over the rows of an index.
//!
//! SQL narrows down as far as it can say exactly, or at least says a superset of, what a predicate asks; the matcher
//! decides about the rest. So an answer is never wrong, at worst slow.

pub mod compile;
pub mod filter;
pub mod rows;

pub use filter::Filter;
pub use rows::{Reading, Row};
