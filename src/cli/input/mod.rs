//! Reads records and lines from files and standard input, fast enough to feed the engine.
//!
//! A [`RecordReader`] yields [`Batch`]es of rows: a time and the values of the wanted fields, which are slices of
//! the reader's buffer. Text is copied nowhere: escapes are resolved in place. A bad row is an error that names its
//! line, given after the rows before it; nothing is skipped.

mod batch;
mod chunk;
mod csv;
mod error;
mod field_tree;
mod json;
mod lines;
mod ndjson;
mod number;
mod open;
mod reader;
mod schema;
mod time;

pub(crate) use error::InputError;
pub(crate) use lines::LineReader;
pub(crate) use open::{Progress, open};
pub(crate) use reader::{InputFormat, RecordReader};
pub(crate) use schema::RecordSchema;
pub(crate) use time::TimeFormat;
