//! What the caller knows about the text already, and limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::{Error, Result};

/// How a text is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "named as in the API")]
pub enum Format {
    Ndjson,
    Xml,
    Delimited,
    SemiStructuredText,
}

impl Format {
    /// Reads the name of a format.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "ndjson" => Some(Self::Ndjson),
            "xml" => Some(Self::Xml),
            "delimited" => Some(Self::Delimited),
            "semi_structured_text" => Some(Self::SemiStructuredText),
            _ => None,
        }
    }
}

/// Overrides; what is `None` is found out.
#[derive(Clone, Debug)]
pub struct Options {
    /// The format.
    pub format: Option<Format>,
    /// Names of the columns of delimited text.
    pub column_names: Option<Vec<String>>,
    /// What separates the columns.
    pub delimiter: Option<char>,
    /// What encloses values that contain the delimiter.
    pub quote: Option<char>,
    /// Does the first row hold the names?
    pub has_header_row: Option<bool>,
    /// Are spaces around values no part of them?
    pub should_trim_fields: Option<bool>,
    /// Are the fields of inner objects fields of their own (NDJSON)?
    pub should_parse_recursively: bool,
    /// The expression that reads a message.
    pub grok_pattern: Option<String>,
    /// The field with the time.
    pub timestamp_field: Option<String>,
    /// Its format; `Some(None)` when there is none.
    pub timestamp_format: Option<Option<String>>,
    /// Lines that are looked at.
    pub lines_to_sample: usize,
    /// Characters that a message of several lines may have.
    pub line_merge_size_limit: usize,
    /// Are names those of the Elastic Common Schema?
    pub ecs: bool,
    /// Name of the character set that the text was in before it was decoded.
    pub charset: String,
    /// Ends the search when nobody waits for it any more.
    pub stop: Stop,
}

/// A switch that ends a search from outside, because the crate knows no time. Clones are the same switch.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Ends the searches that have this switch: they fail with [`Error::Stopped`].
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.0.load(Ordering::Relaxed) { Err(Error::Stopped) } else { Ok(()) }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            format: None,
            column_names: None,
            delimiter: None,
            quote: None,
            has_header_row: None,
            should_trim_fields: None,
            should_parse_recursively: false,
            grok_pattern: None,
            timestamp_field: None,
            timestamp_format: None,
            lines_to_sample: 1000,
            line_merge_size_limit: 10_000,
            ecs: false,
            charset: "UTF-8".to_owned(),
            stop: Stop::default(),
        }
    }
}
