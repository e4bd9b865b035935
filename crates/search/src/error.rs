//! What can go wrong in the embedded Elasticsearch, in Elasticsearch's own words.
//!
//! This crate answers the document and search API, whose bodies name exception types and statuses themselves (every item
//! of a bulk answer does): so each error knows both, and prints the error object that clients read.

use serde_json::{Map, Value, json};
use types::{Classify, ErrorKind};

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure of the embedded store. `Display` is the `reason` that the client reads.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The index does not exist.
    #[error("no such index [{index}]")]
    IndexNotFound {
        /// The name asked for.
        index: String,
    },
    /// The index to be created exists.
    #[error("index [{index}/{uuid}] already exists")]
    IndexExists {
        /// The index's name.
        index: String,
        /// The id of the existing index.
        uuid: String,
    },
    /// The name breaks a rule for index names.
    #[error("Invalid index name [{index}], {why}")]
    InvalidIndexName {
        /// The name asked for.
        index: String,
        /// The broken rule, for example `must be lowercase`.
        why: String,
    },
    /// A thing that is not an index does not exist: a template, a component, a pipeline.
    #[error("{0}")]
    ResourceNotFound(String),
    /// The aliases to be removed do not exist.
    #[error("aliases [{0}] missing")]
    AliasesNotFound(String),
    /// A document that had to exist does not.
    #[error("[{id}]: document missing")]
    DocumentMissing {
        /// The document's id.
        id: String,
    },
    /// A document that is to be changed was stored without its source (`_source.enabled: false`).
    #[error("[{id}]: source missing")]
    SourceMissing {
        /// The document's id.
        id: String,
    },
    /// A document was created or changed by somebody else.
    #[error("[{id}]: version conflict, {why}")]
    VersionConflict {
        /// The document's id.
        id: String,
        /// What was required and what is there.
        why: String,
    },
    /// The query language was broken: unknown query, unknown aggregation, wrong token.
    #[error("{0}")]
    Parsing(String),
    /// A body does not have the expected form.
    #[error("{0}")]
    XContentParse(String),
    /// The body is not JSON.
    #[error("{0}")]
    JsonParse(String),
    /// A value could not be read, for example a date.
    #[error("{0}")]
    Parse(String),
    /// A value that the mapping does not take.
    #[error("{reason}")]
    DocumentParsing {
        /// What was wrong with which field.
        reason: String,
        /// Why, if there is more to say.
        cause: Option<Box<Error>>,
    },
    /// A mapping that cannot be.
    #[error("{0}")]
    MapperParsing(String),
    /// A value that is not allowed.
    #[error("{0}")]
    IllegalArgument(String),
    /// A request that lacks something.
    #[error("Validation Failed: {0}")]
    RequestValidation(String),
    /// A query that a field cannot answer.
    #[error("failed to create query: {reason}")]
    QueryShard {
        /// Why not.
        reason: String,
        /// The type of the cause: `illegal_argument_exception`, `number_format_exception`, `parse_exception`, …
        cause: &'static str,
    },
    /// A boolean query has too many clauses.
    #[error("Query contains too many nested clauses; maxClauseCount is set to {max}")]
    TooManyClauses {
        /// The limit.
        max: usize,
    },
    /// An aggregation would make more buckets than allowed.
    #[error(
        "Trying to create too many buckets. Must be less than or equal to: [{max}] but this number of buckets was \
         exceeded. This limit can be set by changing the [search.max_buckets] cluster level setting."
    )]
    TooManyBuckets {
        /// `search.max_buckets`.
        max: usize,
    },
    /// An answer would need more memory than allowed.
    #[error("{0}")]
    CircuitBreaking(String),
    /// A script in a language, or of a kind, that is not understood.
    #[error("{reason}")]
    Script {
        /// `compile error` or `runtime error`.
        reason: &'static str,
        /// The script.
        script: String,
        /// What was not understood.
        detail: String,
    },
    /// A scroll or a point in time that is gone.
    #[error("No search context found for id [{id}]")]
    SearchContextMissing {
        /// The context's number.
        id: String,
    },
    /// A search failed on an index, after its request had been understood.
    #[error("all shards failed")]
    SearchPhase {
        /// The index on which it failed; empty when it failed before an index was reached.
        index: String,
        /// Why.
        cause: Box<Error>,
    },
    /// What a request would hold is more than its budget has.
    #[error(transparent)]
    DataTooLarge(types::breaker::DataTooLarge),
    /// Nobody waits for the request any more, or the server stops.
    #[error("task cancelled")]
    Cancelled,
    /// The request has taken longer than it may.
    #[error("the request has taken longer than it may and was ended; see the setting [search_timeout]")]
    TimedOut,
    /// More requests wait than the queue holds.
    #[error("{0}")]
    Rejected(String),
    /// The file of an index is missing or damaged.
    #[error("No shard available for [{index}]: {why}")]
    Unavailable {
        /// The index.
        index: String,
        /// What is wrong with its file.
        why: String,
    },
    /// A page of a file is not what was written to it.
    #[error("the file of an index is damaged")]
    Damaged(#[source] rusqlite::Error),
    /// SQLite failed.
    #[error("the embedded store failed")]
    Sqlite(#[source] rusqlite::Error),
    /// The file system failed.
    #[error("the embedded store could not be read or written")]
    Io(#[from] std::io::Error),
    /// An invariant of the store does not hold: a damaged file, or a bug.
    #[error("{0}")]
    Corrupt(String),
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase, OperationInterrupted};
        match error.sqlite_error() {
            Some(code) if code.code == OperationInterrupted => {
                crate::guard::check().err().unwrap_or(Self::Cancelled)
            }
            Some(code)
                if matches!(code.code, DatabaseCorrupt | NotADatabase)
                    || code.extended_code == rusqlite::ffi::SQLITE_IOERR_DATA =>
            {
                Self::Damaged(error)
            }
            _ => Self::Sqlite(error),
        }
    }
}

impl Error {
    /// Is it a failure of the machine or of a file, and not of the request?
    pub fn is_of_machine(&self) -> bool {
        matches!(self, Self::Sqlite(_) | Self::Io(_) | Self::Corrupt(_) | Self::Damaged(_))
    }

    /// Is the file of one index the reason, while others are well?
    pub fn is_of_one_file(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Damaged(_))
    }

    /// `parsing_exception`.
    pub fn parsing(reason: impl Into<String>) -> Self {
        Self::Parsing(reason.into())
    }

    /// `illegal_argument_exception`.
    pub fn illegal(reason: impl Into<String>) -> Self {
        Self::IllegalArgument(reason.into())
    }

    /// `x_content_parse_exception`.
    pub fn x_content(reason: impl Into<String>) -> Self {
        Self::XContentParse(reason.into())
    }

    /// `query_shard_exception` that an `illegal_argument_exception` caused.
    pub fn query_shard(reason: impl Into<String>) -> Self {
        Self::QueryShard { reason: reason.into(), cause: "illegal_argument_exception" }
    }

    /// The same failure as seen by a search on `index`: `all shards failed`. A failure that is already one, and a failure
    /// of the machine, stay as they are.
    #[must_use]
    pub fn on_index(self, index: &str) -> Self {
        match self {
            Self::SearchPhase { index: old, cause } if old.is_empty() => {
                Self::SearchPhase { index: index.to_owned(), cause }
            }
            Self::Damaged(error) => Self::SearchPhase {
                index: index.to_owned(),
                cause: Box::new(Self::Unavailable { index: index.to_owned(), why: error.to_string() }),
            },
            Self::SearchPhase { .. }
            | Self::Sqlite(_)
            | Self::Io(_)
            | Self::Corrupt(_)
            | Self::Cancelled
            | Self::TimedOut => self,
            cause => Self::SearchPhase { index: index.to_owned(), cause: Box::new(cause) },
        }
    }

    /// The HTTP status that goes with it.
    pub fn status(&self) -> u16 {
        match self {
            Self::IndexNotFound { .. }
            | Self::ResourceNotFound(_)
            | Self::AliasesNotFound(_)
            | Self::DocumentMissing { .. }
            | Self::SearchContextMissing { .. } => 404,
            Self::VersionConflict { .. } => 409,
            Self::CircuitBreaking(_) | Self::Rejected(_) | Self::DataTooLarge(_) => 429,
            Self::TimedOut => 408,
            Self::Sqlite(_) | Self::Io(_) | Self::Corrupt(_) => 500,
            Self::Unavailable { .. } | Self::Damaged(_) => 503,
            Self::SearchPhase { cause, .. } => cause.status(),
            _ => 400,
        }
    }

    /// The exception type that clients read.
    pub fn exception(&self) -> &'static str {
        match self {
            Self::IndexNotFound { .. } => "index_not_found_exception",
            Self::IndexExists { .. } => "resource_already_exists_exception",
            Self::InvalidIndexName { .. } => "invalid_index_name_exception",
            Self::ResourceNotFound(_) => "resource_not_found_exception",
            Self::AliasesNotFound(_) => "aliases_not_found_exception",
            Self::DocumentMissing { .. } => "document_missing_exception",
            Self::SourceMissing { .. } => "document_source_missing_exception",
            Self::VersionConflict { .. } => "version_conflict_engine_exception",
            Self::Parsing(_) => "parsing_exception",
            Self::XContentParse(_) => "x_content_parse_exception",
            Self::JsonParse(_) => "json_parse_exception",
            Self::Parse(_) => "parse_exception",
            Self::DocumentParsing { .. } => "document_parsing_exception",
            Self::MapperParsing(_) => "mapper_parsing_exception",
            Self::IllegalArgument(_) => "illegal_argument_exception",
            Self::RequestValidation(_) => "action_request_validation_exception",
            Self::QueryShard { .. } => "query_shard_exception",
            Self::TooManyClauses { .. } => "too_many_nested_clauses",
            Self::TooManyBuckets { .. } => "too_many_buckets_exception",
            Self::CircuitBreaking(_) => "circuit_breaking_exception",
            Self::Script { .. } => "script_exception",
            Self::SearchContextMissing { .. } => "search_context_missing_exception",
            Self::SearchPhase { .. } => "search_phase_execution_exception",
            Self::Rejected(_) => "es_rejected_execution_exception",
            Self::DataTooLarge(_) => "circuit_breaking_exception",
            Self::Cancelled => "task_cancelled_exception",
            Self::TimedOut => "timeout_exception",
            Self::Sqlite(_) | Self::Io(_) | Self::Corrupt(_) => "exception",
            Self::Unavailable { .. } | Self::Damaged(_) => "no_shard_available_action_exception",
        }
    }

    /// The failure without the search around it: what a client wants to read first.
    pub fn root(&self) -> &Self {
        match self {
            Self::SearchPhase { cause, .. } => cause.root(),
            other => other,
        }
    }

    /// The object under `error`, with `root_cause`.
    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        object.insert("root_cause".to_owned(), json!([self.root().cause_json()]));
        if let Value::Object(own) = self.cause_json() {
            object.extend(own);
        }
        Value::Object(object)
    }

    /// The whole body of the answer: `{"error": …, "status": …}`.
    pub fn to_body(&self) -> Value {
        json!({ "error": self.to_json(), "status": self.status() })
    }

    /// The error object without `root_cause`, as in the items of a bulk answer.
    pub fn cause_json(&self) -> Value {
        let mut object = Map::new();
        object.insert("type".to_owned(), json!(self.exception()));
        object.insert("reason".to_owned(), json!(self.to_string()));
        let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
        match self {
            Self::IndexNotFound { index } => {
                put("resource.type", json!("index_or_alias"));
                put("resource.id", json!(index));
                put("index_uuid", json!("_na_"));
                put("index", json!(index));
            }
            Self::IndexExists { index, uuid } => {
                put("index_uuid", json!(uuid));
                put("index", json!(index));
            }
            Self::InvalidIndexName { index, .. } => {
                put("index_uuid", json!("_na_"));
                put("index", json!(index));
            }
            Self::AliasesNotFound(alias) => {
                put("resource.type", json!("aliases"));
                put("resource.id", json!(alias));
            }
            Self::DocumentParsing { cause: Some(cause), .. } => {
                put("caused_by", cause.cause_json());
            }
            Self::QueryShard { reason, cause } => {
                put("caused_by", json!({ "type": cause, "reason": reason }));
            }
            Self::TooManyBuckets { max } => {
                put("max_buckets", json!(max));
            }
            Self::Script { script, detail, .. } => {
                put("script_stack", json!([script, "^---- HERE"]));
                put("script", json!(script));
                put("lang", json!("painless"));
                put("position", json!({ "offset": 0, "start": 0, "end": script.len() }));
                put("caused_by", json!({ "type": "illegal_argument_exception", "reason": detail }));
            }
            Self::DataTooLarge(error) => {
                put("bytes_wanted", json!(error.wanted_bytes));
                put("bytes_limit", json!(error.limit_bytes));
                put("durability", json!("TRANSIENT"));
            }
            Self::SearchPhase { index, cause } => {
                put("phase", json!("query"));
                put("grouped", json!(true));
                let shard =
                    json!({ "shard": 0, "index": index, "node": "embedded", "reason": cause.cause_json() });
                put("failed_shards", json!([shard]));
                put("caused_by", cause.cause_json());
            }
            _ => {}
        }
        Value::Object(object)
    }
}

impl From<types::Invalid> for Error {
    fn from(invalid: types::Invalid) -> Self {
        match invalid.kind() {
            ErrorKind::Parse => Self::Parse(invalid.to_string()),
            _ => Self::IllegalArgument(invalid.to_string()),
        }
    }
}

impl Classify for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::IndexNotFound { .. }
            | Self::ResourceNotFound(_)
            | Self::AliasesNotFound(_)
            | Self::DocumentMissing { .. }
            | Self::SearchContextMissing { .. } => ErrorKind::NotFound,
            Self::IndexExists { .. } => ErrorKind::AlreadyExists,
            Self::VersionConflict { .. } => ErrorKind::Conflict,
            Self::XContentParse(_) => ErrorKind::XContentParse,
            Self::Parsing(_) | Self::JsonParse(_) | Self::Parse(_) => ErrorKind::Parse,
            Self::RequestValidation(_) => ErrorKind::RequestValidation,
            Self::CircuitBreaking(_) | Self::Rejected(_) | Self::DataTooLarge(_) => {
                ErrorKind::TooManyRequests
            }
            Self::SearchPhase { cause, .. } => cause.kind(),
            Self::Sqlite(_) | Self::Io(_) | Self::Corrupt(_) => ErrorKind::Internal,
            Self::Unavailable { .. } | Self::Damaged(_) => ErrorKind::Unavailable,
            _ => ErrorKind::IllegalArgument,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn search_phase_error_names_its_cause_and_takes_its_status() {
        let error = Error::illegal("no").on_index("i").on_index("j");
        let body = error.to_body();
        assert_eq!(body["status"], 400);
        assert_eq!(body["error"]["type"], "search_phase_execution_exception");
        assert_eq!(body["error"]["root_cause"][0]["type"], "illegal_argument_exception");
        assert_eq!(body["error"]["failed_shards"][0]["index"], "i");
        let missing = Error::IndexNotFound { index: "x".into() }.on_index("x");
        assert_eq!((missing.status(), missing.kind()), (404, ErrorKind::NotFound));
    }

    #[test]
    fn missing_index_carries_the_resource() {
        let error = Error::IndexNotFound { index: "x".into() };
        assert_eq!(
            error.to_body(),
            json!({"error":{"root_cause":[{"type":"index_not_found_exception","reason":"no such index [x]",
                "resource.type":"index_or_alias","resource.id":"x","index_uuid":"_na_","index":"x"}],
                "type":"index_not_found_exception","reason":"no such index [x]",
                "resource.type":"index_or_alias","resource.id":"x","index_uuid":"_na_","index":"x"},"status":404})
        );
    }
}
