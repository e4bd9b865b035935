//! The cluster's metadata: which indices there are, with their settings and aliases, and the templates for new ones.
//!
//! | module | holds |
//! | --- | --- |
//! | [`state`] | what is known at one moment |
//! | [`storage`] | the file that keeps it |
//! | [`expression`] | `logs-*,-logs-old`: which indices a request means |
//! | [`settings`] | settings, flat and nested |
//! | [`template`] | what a new index gets from templates |

pub mod expression;
pub mod settings;
pub mod state;
pub mod storage;
pub mod template;

pub use expression::{Expand, Target};
pub use state::{IndexMeta, Kind, State};
pub use storage::Catalog;
