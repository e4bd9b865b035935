//! Writing one document.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::cluster::Search;
use crate::error::{Error, Result};
use crate::index::{Expected, Index, Outcome, WriteOp, Written};
use crate::mapping::{Cell, Mapping};

/// Longer ids are refused.
const MAX_ID_BYTES: usize = 512;

/// How a document is written.
#[derive(Clone, Debug, Default)]
pub struct WriteParams {
    /// Must the document not exist (`op_type=create`)?
    pub create: bool,
    /// `if_seq_no` and `if_primary_term`.
    pub if_seq_no: Option<(i64, i64)>,
    /// `version` with `version_type`: `external` or `external_gte`.
    pub version: Option<(i64, String)>,
    /// Must the name be an alias?
    pub require_alias: bool,
}

impl WriteParams {
    /// What must be true of the document before.
    ///
    /// # Errors
    /// For versions of a kind that is no more.
    pub fn expected(&self) -> Result<Expected> {
        if let Some((version, kind)) = &self.version {
            return match kind.as_str() {
                "external" | "external_gt" => Ok(Expected::External { version: *version, or_equal: false }),
                "external_gte" => Ok(Expected::External { version: *version, or_equal: true }),
                _ => Err(Error::RequestValidation(
                    "1: internal versioning can not be used for optimistic concurrency control. Please use \
                     `if_seq_no` and `if_primary_term` instead;"
                        .into(),
                )),
            };
        }
        Ok(match (self.create, self.if_seq_no) {
            (true, Some(_)) => {
                return Err(Error::RequestValidation(
                    "1: compare and write operations can not be used with create operations;".into(),
                ));
            }
            (true, None) => Expected::Absent,
            (false, Some((seq, term))) => Expected::At { seq, term },
            (false, None) => Expected::Any,
        })
    }
}

/// What a write has done, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteAnswer {
    /// The index.
    pub index: Arc<str>,
    /// What was done.
    pub written: Written,
}

impl WriteAnswer {
    /// The HTTP status that goes with it.
    pub fn status(&self) -> u16 {
        self.written.outcome.status()
    }

    /// The body of the answer.
    pub fn to_json(&self) -> Value {
        self.written.to_json(&self.index)
    }
}

impl Outcome {
    /// The HTTP status that goes with it.
    pub fn status(self) -> u16 {
        match self {
            Self::Created => 201,
            Self::NotFound => 404,
            Self::Updated | Self::Deleted | Self::Noop => 200,
        }
    }
}

impl Written {
    /// What a write to `index` has done, as answers show it.
    pub fn to_json(&self, index: &str) -> Value {
        let (total, successful) = if self.outcome == Outcome::Noop { (0, 0) } else { (2, 1) };
        json!({
            "_index": index, "_id": self.id, "_version": self.version, "result": self.outcome.name(),
            "_shards": { "total": total, "successful": successful, "failed": 0 },
            "_seq_no": self.seq, "_primary_term": 1
        })
    }
}

impl Search {
    /// `PUT /{index}/_doc/{id}`, `POST /{index}/_doc` (without an id), `PUT /{index}/_create/{id}`.
    ///
    /// # Errors
    /// When the document does not fit the mapping, or is not in the expected state.
    pub fn index_document(
        &self,
        index: &str,
        id: Option<&str>,
        source: &[u8],
        params: &WriteParams,
    ) -> Result<WriteAnswer> {
        if let Some(id) = id {
            check_id(id)?;
        }
        let expected = params.expected()?;
        let (text, value) = parse_document(source)?;
        let meta = self.index_for_write(index, params.require_alias)?;
        let index = self.index_of(&meta)?;
        let mut mapping = index.mapping();
        let cells = columns(&index, &mut mapping, meta.field_limit(), id.unwrap_or("<auto>"), &value)?;
        // A made-up id cannot exist, so nothing has to be expected of it.
        let source = kept_source(&mapping, text, value);
        let op = WriteOp::Index { id: id.map(str::to_owned), expected, source, cells };
        write_one(&index, op)
    }

    /// `DELETE /{index}/_doc/{id}`.
    ///
    /// # Errors
    /// When the document is not in the expected state.
    pub fn delete_document(&self, index: &str, id: &str, params: &WriteParams) -> Result<WriteAnswer> {
        check_id(id)?;
        let expected = params.expected()?;
        let state = self.state();
        let meta =
            state.write_index(index)?.ok_or_else(|| Error::IndexNotFound { index: index.to_owned() })?;
        write_one(&*self.index_of(meta)?, WriteOp::Delete { id: id.to_owned(), expected })
    }
}

/// Writes one operation.
pub(super) fn write_one(index: &Index, op: WriteOp) -> Result<WriteAnswer> {
    let mut results = index.write(vec![op])?;
    let written =
        results.pop().ok_or_else(|| Error::Corrupt("the writer gave no answer to an operation".into()))??;
    Ok(WriteAnswer { index: index.name.as_str().into(), written })
}

/// The columns of a document, after its undeclared fields have been mapped.
pub(super) fn columns(
    index: &Index,
    mapping: &mut Arc<Mapping>,
    field_limit: usize,
    id: &str,
    source: &Value,
) -> Result<Vec<Cell>> {
    // Once is enough, unless templates map an undeclared field to something that takes no values.
    for _ in 0..3 {
        let read = mapping.extract(id, source)?;
        match read.additions {
            None => return Ok(read.cells),
            Some(additions) => *mapping = index.merge_mapping(additions, field_limit)?,
        }
    }
    Ok(mapping.extract(id, source)?.cells)
}

/// The text of a document that is stored: without what `_source` of the mapping leaves out.
pub(super) fn kept_source(mapping: &Mapping, text: &str, source: Value) -> String {
    if mapping.kept.is_all() {
        return text.to_owned();
    }
    mapping.kept.apply(source).map_or_else(|| "{}".to_owned(), |kept| kept.to_string())
}

/// A document as text and as JSON.
pub(super) fn parse_document(source: &[u8]) -> Result<(&str, Value)> {
    let text = std::str::from_utf8(source)
        .map_err(|error| Error::JsonParse(format!("Invalid UTF-8 in the document: {error}")))?
        .trim();
    if text.is_empty() {
        return Err(Error::RequestValidation("1: source is missing;".into()));
    }
    let value = types::unique_json::from_str(text).map_err(|error| Error::DocumentParsing {
        reason: "failed to parse".into(),
        cause: Some(Box::new(Error::JsonParse(error.to_string()))),
    })?;
    if !value.is_object() {
        return Err(Error::DocumentParsing {
            reason: "failed to parse: document must be an object".into(),
            cause: None,
        });
    }
    Ok((text, value))
}

pub(super) fn check_id(id: &str) -> Result<()> {
    if id.is_empty() {
        return Err(Error::illegal("if _id is specified it must not be empty"));
    }
    if id.len() > MAX_ID_BYTES {
        return Err(Error::RequestValidation(format!(
            "1: id [{id}] is too long, must be no longer than {MAX_ID_BYTES} bytes but was: {};",
            id.len()
        )));
    }
    Ok(())
}
