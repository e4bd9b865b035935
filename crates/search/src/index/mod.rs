//! One index: one SQLite file, one writer thread, any number of readers that never wait for it.
//!
//! | module | holds |
//! | --- | --- |
//! | [`name`] | which names an index may have |
//! | [`auto_id`] | document ids that are made up, and lead straight to their row |
//! | [`cell`] | values on their way into and out of SQLite |
//! | `checksum`, `checked_vfs` | checksums of pages, and the file system that writes and looks at them |
//! | [`file`](mod@file) | the file's tables, pragmas and metadata |
//! | [`handle`] | [`Index`], which everybody holds |
//! | [`writer`] | the thread that commits what waits in one transaction |
//! | [`apply`] | one operation on a document |
//! | [`reader`] | snapshots |

pub mod apply;
pub mod auto_id;
pub mod cell;
pub(crate) mod checked_vfs;
mod checksum;
pub mod file;
pub mod handle;
pub mod name;
pub mod reader;
pub mod writer;

pub use apply::{Expected, Outcome, WriteOp, Written};
pub use handle::Index;
pub use reader::Reader;
