//! Updates: a document read, changed and written back.

use serde_json::{Map, Value};

use super::write::{WriteAnswer, check_id, columns, kept_source, write_one};
use crate::cluster::Search;
use crate::error::{Error, Result};
use crate::index::reader::Stored;
use crate::index::{Expected, Outcome, WriteOp, Written};

/// A writer inside the process is no reason to fail: a few more tries than asked for.
const TRIES: usize = 8;

/// What an update asks for.
#[derive(Clone, Debug)]
pub(super) struct Update {
    doc: Option<Value>,
    upsert: Option<Value>,
    detect_noop: bool,
}

impl Update {
    pub(super) fn parse(body: &Value) -> Result<Self> {
        let Value::Object(map) = body else {
            return Err(Error::x_content("[UpdateRequest] expected an object"));
        };
        for key in map.keys() {
            match key.as_str() {
                "doc" | "upsert" | "doc_as_upsert" | "detect_noop" | "_source" | "if_seq_no"
                | "if_primary_term" => {}
                "script" | "scripted_upsert" => {
                    let script = map.get("script").map_or_else(String::new, script_text);
                    return Err(Error::Script {
                        reason: "compile error",
                        script,
                        detail: "scripts are not supported in updates".into(),
                    });
                }
                other => return Err(Error::x_content(format!("[UpdateRequest] unknown field [{other}]"))),
            }
        }
        let flag = |key: &str, otherwise| map.get(key).and_then(Value::as_bool).unwrap_or(otherwise);
        let doc = map.get("doc").cloned();
        if doc.is_none() && !map.contains_key("upsert") {
            return Err(Error::RequestValidation("1: script or doc is missing;".into()));
        }
        let upsert = match map.get("upsert") {
            None if flag("doc_as_upsert", false) => doc.clone(),
            other => other.cloned(),
        };
        Ok(Self { doc, upsert, detect_noop: flag("detect_noop", true) })
    }

    /// The new source; nothing if the document stays as it is.
    fn applied(&self, id: &str, found: Option<&Stored>) -> Result<Option<Value>> {
        let Some(stored) = found else {
            return match &self.upsert {
                Some(upsert) => Ok(Some(upsert.clone())),
                None => Err(Error::DocumentMissing { id: id.to_owned() }),
            };
        };
        let Some(doc) = &self.doc else { return Ok(None) };
        let mut source: Value = serde_json::from_str(&stored.source)
            .map_err(|error| Error::Corrupt(format!("the source of [{id}] is damaged: {error}")))?;
        let changed = merge(&mut source, doc);
        Ok((changed || !self.detect_noop).then_some(source))
    }
}

pub(super) fn script_text(script: &Value) -> String {
    script.get("source").unwrap_or(script).as_str().map_or_else(|| script.to_string(), str::to_owned)
}

/// Merges objects into objects; everything else is replaced. Says whether anything changed.
fn merge(target: &mut Value, change: &Value) -> bool {
    match (target, change) {
        (Value::Object(target), Value::Object(change)) => {
            let mut changed = false;
            for (key, value) in change {
                match target.get_mut(key) {
                    Some(old) if old.is_object() && value.is_object() => changed |= merge(old, value),
                    Some(old) if old == value => {}
                    _ => {
                        target.insert(key.clone(), value.clone());
                        changed = true;
                    }
                }
            }
            changed
        }
        (target, change) => {
            *target = change.clone();
            true
        }
    }
}

impl Search {
    /// `POST /{index}/_update/{id}`: the answer, and the new source for `_source`.
    ///
    /// # Errors
    /// When the document is missing and there is nothing to put in its place; for scripts.
    pub fn update_document(
        &self,
        index: &str,
        id: &str,
        body: &Value,
        if_seq_no: Option<(i64, i64)>,
        require_alias: bool,
    ) -> Result<(WriteAnswer, Map<String, Value>)> {
        check_id(id)?;
        let update = Update::parse(body)?;
        let meta = self.index_for_write(index, require_alias)?;
        let index = self.index_of(&meta)?;
        let mut last = None;
        for _ in 0..TRIES {
            let found = index.read()?.get(id)?;
            if let (Some((seq, term)), Some(stored)) = (if_seq_no, &found)
                && (stored.seq != seq || term != 1)
            {
                return Err(Error::VersionConflict {
                    id: id.to_owned(),
                    why: format!(
                        "required seqNo [{seq}], primary term [{term}]. current document has seqNo [{}] and primary term [1]",
                        stored.seq
                    ),
                });
            }
            if found.is_some() && !index.mapping().kept.enabled {
                return Err(Error::SourceMissing { id: id.to_owned() });
            }
            let Some(source) = update.applied(id, found.as_ref())? else {
                let stored = found.ok_or_else(|| Error::DocumentMissing { id: id.to_owned() })?;
                let written = Written {
                    id: stored.id,
                    seq: stored.seq,
                    version: stored.version,
                    outcome: Outcome::Noop,
                };
                let source = serde_json::from_str(&stored.source).unwrap_or_default();
                return Ok((WriteAnswer { index: index.name.as_str().into(), written }, source));
            };
            let mut mapping = index.mapping();
            let cells = columns(&index, &mut mapping, meta.field_limit(), id, &source)?;
            let expected = match &found {
                Some(stored) => Expected::At { seq: stored.seq, term: 1 },
                None => Expected::Absent,
            };
            let kept = kept_source(&mapping, &source.to_string(), source.clone());
            let op = WriteOp::Index { id: Some(id.to_owned()), expected, source: kept, cells };
            match write_one(&index, op) {
                Err(error @ Error::VersionConflict { .. }) => last = Some(error),
                Err(error) => return Err(error),
                Ok(answer) => return Ok((answer, source.as_object().cloned().unwrap_or_default())),
            }
        }
        Err(last.unwrap_or_else(|| Error::DocumentMissing { id: id.to_owned() }))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn merging_says_whether_anything_changed() {
        let mut target = json!({"a": {"b": 1}, "c": [1]});
        assert!(!merge(&mut target, &json!({"a": {"b": 1}, "c": [1]})));
        assert!(merge(&mut target, &json!({"a": {"d": 2}, "c": 5})));
        assert_eq!(target, json!({"a": {"b": 1, "d": 2}, "c": 5}));
    }

    #[test]
    fn scripts_are_refused() {
        let error = Update::parse(&json!({"script": {"source": "ctx._source.a++"}})).unwrap_err();
        assert_eq!(error.exception(), "script_exception");
        assert!(Update::parse(&json!({})).is_err());
    }
}
