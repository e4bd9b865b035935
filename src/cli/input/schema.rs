//! What a parser of records is asked for, and what it answers.

use super::error::InputError;
use super::time::TimeFormat;

/// Which fields of a record are wanted.
#[derive(Clone, Debug)]
pub(crate) struct RecordSchema {
    pub(crate) time_field: String,
    pub(crate) time_format: TimeFormat,
    /// In the order in which a row gives their values. In JSON a dot leads into an object.
    pub(crate) fields: Vec<String>,
}

impl RecordSchema {
    pub(super) fn bad_time(&self, line: u64, value: &str) -> InputError {
        if value.is_empty() {
            InputError::NoTime { line, field: self.time_field.clone() }
        } else {
            let value = value.chars().take(100).collect();
            InputError::Time { line, value, format: self.time_format.name().to_owned() }
        }
    }
}

/// What a parser made of a buffer.
#[derive(Debug)]
pub(super) struct Parsed {
    /// Bytes of the rows that were read.
    pub(super) bytes: usize,
    /// What is wrong with the row after them.
    pub(super) error: Option<InputError>,
}
