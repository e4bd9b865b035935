//! From pushed JSON to rows.

mod documents;
mod time;

pub(crate) use documents::{InputCounts, Piece, Reader};
pub(crate) use time::TimeFormat;
