//! Mappings: which fields an index has, of which type, and where their values are kept.
//!
//! | module | holds |
//! | --- | --- |
//! | [`leaf`] | one field: its parameters read and checked |
//! | [`layout`] | the columns of an index's table |
//! | [`compiled`] | [`Mapping`]: the mapping ready for documents and queries |
//! | [`merge`] | a mapping changed by another one |
//! | [`dynamic`] | mappings for fields that nobody declared |
//! | [`extract`] | from a document to its columns |
//! | `parameters` | which parameters a field may have |
//! | [`wildcard`] | names with `*` in them |

pub mod compiled;
pub mod dynamic;
pub mod extract;
pub mod layout;
pub mod leaf;
pub mod merge;
mod parameters;
pub mod wildcard;

pub use compiled::Mapping;
pub use extract::{Cell, Extracted};
pub use layout::{ColumnInfo, Layout};
pub use leaf::Leaf;
