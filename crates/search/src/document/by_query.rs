//! `_delete_by_query` and `_update_by_query`.

use serde_json::{Value, json};

use super::update::script_text;
use super::write::columns;
use crate::catalog::Expand;
use crate::cluster::Search;
use crate::error::{Error, Result};
use crate::index::{Expected, Index, Reader, WriteOp};
use crate::query::Query;
use crate::sql::{Filter, Reading, rows};

/// Documents that are written in one transaction.
const BATCH: usize = 1000;

/// How a request by query is carried out.
#[derive(Clone, Copy, Debug, Default)]
pub struct ByQueryParams {
    /// How the index expression is understood.
    pub expand: Expand,
    /// Does the request go on after a version conflict (`conflicts=proceed`)?
    pub proceed: bool,
    /// The most documents; none for no limit.
    pub max_docs: Option<usize>,
}

/// What a request by query has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ByQueryAnswer {
    /// How long it has taken, in milliseconds.
    pub took_ms: i64,
    /// The documents that matched.
    pub total: usize,
    /// The documents that were written.
    pub done: usize,
    /// Batches.
    pub batches: usize,
    /// Documents that were changed by somebody else meanwhile.
    pub version_conflicts: usize,
    /// Their errors, unless the request went on.
    pub failures: Vec<Value>,
    /// Was it a deletion?
    pub delete: bool,
}

impl ByQueryAnswer {
    /// The body of the answer.
    pub fn to_json(&self) -> Value {
        let mut body = json!({
            "took": self.took_ms, "timed_out": false, "total": self.total,
            "deleted": 0, "batches": self.batches, "version_conflicts": self.version_conflicts, "noops": 0,
            "retries": { "bulk": 0, "search": 0 }, "throttled_millis": 0, "requests_per_second": -1.0,
            "throttled_until_millis": 0, "failures": self.failures
        });
        body[if self.delete { "deleted" } else { "updated" }] = json!(self.done);
        body
    }
}

impl Search {
    /// `POST /{index}/_delete_by_query`.
    ///
    /// # Errors
    /// When there is no query, or it does not fit.
    pub fn delete_by_query(
        &self,
        expression: &str,
        body: &Value,
        params: &ByQueryParams,
    ) -> Result<ByQueryAnswer> {
        if body.get("query").is_none() {
            return Err(Error::RequestValidation("1: query is missing;".into()));
        }
        self.by_query(expression, body, params, true)
    }

    /// `POST /{index}/_update_by_query` without a script: documents are written again as they are, which indexes fields
    /// that were mapped after them.
    ///
    /// # Errors
    /// When the query does not fit; for scripts.
    pub fn update_by_query(
        &self,
        expression: &str,
        body: &Value,
        params: &ByQueryParams,
    ) -> Result<ByQueryAnswer> {
        if let Some(script) = body.get("script") {
            return Err(Error::Script {
                reason: "compile error",
                script: script_text(script),
                detail: "scripts are not supported in updates by query".into(),
            });
        }
        self.by_query(expression, body, params, false)
    }

    fn by_query(
        &self,
        expression: &str,
        body: &Value,
        params: &ByQueryParams,
        delete: bool,
    ) -> Result<ByQueryAnswer> {
        let started = self.now_ms();
        let query = body.get("query").map_or_else(|| Ok(Query::match_all()), Query::parse)?;
        let from_body =
            body.get("max_docs").and_then(Value::as_u64).and_then(|most| usize::try_from(most).ok());
        let limit = params.max_docs.or(from_body).unwrap_or(usize::MAX);
        let proceed = params.proceed || body.get("conflicts") == Some(&json!("proceed"));
        let mut answer = ByQueryAnswer { delete, ..ByQueryAnswer::default() };
        for target in self.resolve(expression, params.expand)? {
            let view = self.view(&target)?;
            let filter = view.filter(&[&query], started)?;
            let index = self.index_of(&target.meta)?;
            let rest = limit.saturating_sub(answer.total);
            let seqs = matching(&view.reader, &filter, rest)?;
            answer.total += seqs.len();
            for batch in seqs.chunks(BATCH) {
                let ops = operations(&view.reader, &index, target.meta.field_limit(), batch, delete)?;
                answer.batches += 1;
                for result in index.write(ops)? {
                    match result {
                        Ok(_) => answer.done += 1,
                        Err(error @ Error::VersionConflict { .. }) => {
                            answer.version_conflicts += 1;
                            if !proceed {
                                let cause = error.cause_json();
                                answer
                                    .failures
                                    .push(json!({ "index": index.name, "cause": cause, "status": 409 }));
                            }
                        }
                        Err(error) => return Err(error),
                    }
                }
                if !answer.failures.is_empty() {
                    break;
                }
            }
        }
        answer.took_ms = self.took(started);
        Ok(answer)
    }
}

fn matching(reader: &Reader, filter: &Filter, limit: usize) -> Result<Vec<i64>> {
    let mut seqs = Vec::new();
    if limit == 0 {
        return Ok(seqs);
    }
    rows::for_each(reader, filter, Reading::default(), &mut |row| {
        seqs.push(row.seq);
        Ok(seqs.len() < limit)
    })?;
    Ok(seqs)
}

fn operations(
    reader: &Reader,
    index: &Index,
    field_limit: usize,
    seqs: &[i64],
    delete: bool,
) -> Result<Vec<WriteOp>> {
    let mut ops = Vec::with_capacity(seqs.len());
    for seq in seqs {
        let Some(stored) = reader.fetch(*seq)? else { continue };
        let expected = Expected::At { seq: *seq, term: 1 };
        ops.push(if delete {
            WriteOp::Delete { id: stored.id, expected }
        } else {
            if !reader.mapping().kept.enabled {
                return Err(Error::illegal(format!("[{}][{}] didn't store _source", index.name, stored.id)));
            }
            let value: Value = serde_json::from_str(&stored.source).map_err(|error| {
                Error::Corrupt(format!("the source of [{}] is damaged: {error}", stored.id))
            })?;
            let mut mapping = index.mapping();
            let cells = columns(index, &mut mapping, field_limit, &stored.id, &value)?;
            WriteOp::Index { id: Some(stored.id), expected, source: stored.source, cells }
        });
    }
    Ok(ops)
}
