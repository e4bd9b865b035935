//! Scans: the wanted fields of all matching documents in order of time, column by column. What datafeeds read with.
//!
//! | module | holds |
//! | --- | --- |
//! | [`batch`] | what a scan yields |
//! | [`source`] | one index, page by page along its time index |
//! | [`pick`] | a few keys out of a document's JSON |
//! | [`merged`] | several indices as one |

pub mod batch;
pub mod merged;
pub mod pick;
pub mod source;

pub use batch::{ScanBatch, ScanColumn, ScanValue};
pub use merged::{Scan, ScanRequest};
