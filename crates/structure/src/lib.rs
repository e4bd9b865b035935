//! Finds out how a sample of text is built: NDJSON, delimited values, XML, or text with a timestamp; which fields it has,
//! of which types, and how to read them. Pure: no I/O, no clock.
//!
//! | module | holds |
//! | --- | --- |
//! | [`find`] | [`find_structure`]: which format it is |
//! | [`options`] | what the caller knows already |
//! | `ndjson`, `delimited`, `xml`, `text` | one format each |
//! | `csv` | rows of delimited text |
//! | `time_field` | which field holds the time |
//! | `timestamp` | formats of times, and finding them in text |
//! | [`grok`] | named patterns and expressions made of them |
//! | `guess` | a grok expression that fits all messages |
//! | `fields` | types and statistics of fields |
//! | [`outcome`] | the answer |

mod csv;
mod delimited;
mod error;
mod fields;
pub mod find;
pub mod grok;
mod guess;
mod ndjson;
pub mod options;
pub mod outcome;
mod text;
mod time_field;
mod timestamp;
mod xml;

pub use error::{Error, Result};
pub use find::find_structure;
pub use grok::Grok;
pub use options::{Format, Options, Stop};
pub use outcome::Structure;
