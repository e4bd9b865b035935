//! How a categorizer is configured, and how that can be wrong.

use serde_json::Value;

/// Examples kept for each category unless configured otherwise.
const EXAMPLES_LIMIT: usize = 4;

/// Configuration of one categorizer.
#[derive(Clone, Debug, PartialEq)]
pub struct CategorizerConfig {
    /// Regular expressions whose matches are taken out of a message before it is analysed
    /// (`categorization_filters`). Not together with `analyzer`.
    pub filters: Vec<String>,
    /// Different messages kept as examples of a category (`categorization_examples_limit`).
    pub examples_limit: usize,
    /// `categorization_analyzer` as configured: a name, or `{char_filter, tokenizer, filter}`.
    pub analyzer: Option<Value>,
}

impl Default for CategorizerConfig {
    fn default() -> Self {
        Self { filters: Vec::new(), examples_limit: EXAMPLES_LIMIT, analyzer: None }
    }
}

/// Why a categorizer could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A pattern is no regular expression.
    #[error("[{place}] has an invalid regular expression [{pattern}]: {reason}")]
    Pattern {
        /// Where the pattern stands.
        place: &'static str,
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A part of the analyzer that this categorizer does not have.
    #[error(
        "[categorization_analyzer] uses the {kind} [{name}], which is not supported; supported: {supported}"
    )]
    Unsupported {
        /// `analyzer`, `char_filter`, `tokenizer` or `filter`.
        kind: &'static str,
        /// Its name.
        name: String,
        /// What may stand there.
        supported: &'static str,
    },
    /// A part of the analyzer with a setting that is missing, unknown or of the wrong type.
    #[error("[categorization_analyzer] has an invalid {kind} [{name}]: {reason}")]
    Setting {
        /// `char_filter`, `tokenizer` or `filter`.
        kind: &'static str,
        /// Its name.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// The analyzer is neither a name nor an object of the known form.
    #[error("[categorization_analyzer] {0}")]
    Form(String),
    /// Filters and analyzer exclude each other.
    #[error(
        "categorization_filters cannot be used with categorization_analyzer - instead specify the filters as \
         pattern_replace char_filters in the analyzer"
    )]
    FiltersWithAnalyzer,
}
