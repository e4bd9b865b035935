//! Reading documents by id.

use serde_json::{Map, Value, json};

use crate::cluster::Search;
use crate::error::{Error, Result};
use crate::index::reader::Stored;
use crate::search::source_filter::SourceFilter;

impl Search {
    /// `GET /{index}/_doc/{id}`: the answer, whose `found` says whether the document exists.
    ///
    /// # Errors
    /// When the index does not exist.
    pub fn get_document(&self, index: &str, id: &str, filter: &SourceFilter) -> Result<Value> {
        let state = self.state();
        let meta = state.single_index(index)?;
        let index = self.index_of(meta)?;
        let reader = index.read()?;
        let none = SourceFilter::none();
        let filter = if reader.mapping().kept.enabled { filter } else { &none };
        Ok(match reader.get(id)? {
            Some(stored) => found_json(&meta.name, &stored, filter)?,
            None => json!({ "_index": meta.name, "_id": id, "found": false }),
        })
    }

    /// The document itself, as it was sent: for callers inside the process.
    ///
    /// # Errors
    /// When the index does not exist.
    pub fn get_source(&self, index: &str, id: &str) -> Result<Option<Stored>> {
        let state = self.state();
        self.index_of(state.single_index(index)?)?.read()?.get(id)
    }

    /// `_mget`. A document of a missing index has an error in its place.
    ///
    /// # Errors
    /// When the body is malformed.
    pub fn multi_get(
        &self,
        default_index: Option<&str>,
        body: &Value,
        filter: &SourceFilter,
    ) -> Result<Value> {
        let mut wanted: Vec<(Option<String>, String, SourceFilter)> = Vec::new();
        if let Some(Value::Array(docs)) = body.get("docs") {
            for doc in docs {
                // Ids may be written as numbers.
                let text = |key: &str| match doc.get(key) {
                    Some(Value::String(text)) => Some(text.clone()),
                    Some(number @ Value::Number(_)) => Some(number.to_string()),
                    _ => None,
                };
                let missing =
                    || Error::RequestValidation(format!("1: id is missing for doc {};", wanted.len()));
                let id = text("_id").ok_or_else(missing)?;
                let own = match doc.get("_source") {
                    Some(value) => SourceFilter::parse(value)?,
                    None => filter.clone(),
                };
                wanted.push((text("_index"), id, own));
            }
        }
        if let Some(Value::Array(ids)) = body.get("ids") {
            for id in ids {
                let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
                wanted.push((None, id, filter.clone()));
            }
        }
        if wanted.is_empty() {
            return Err(Error::RequestValidation("1: no documents to get;".into()));
        }
        let mut docs = Vec::with_capacity(wanted.len());
        for (index, id, filter) in wanted {
            let index = index
                .as_deref()
                .or(default_index)
                .ok_or_else(|| Error::RequestValidation("1: index is missing for doc 0;".into()))?;
            docs.push(match self.get_document(index, &id, &filter) {
                Ok(found) => found,
                Err(error) if error.is_of_machine() && !error.is_of_one_file() => return Err(error),
                Err(error) => json!({ "_index": index, "_id": id, "error": error.to_json() }),
            });
        }
        Ok(json!({ "docs": docs }))
    }
}

/// The answer for a document that was found.
pub(super) fn found_json(index: &str, stored: &Stored, filter: &SourceFilter) -> Result<Value> {
    let mut answer = Map::new();
    answer.insert("_index".into(), json!(index));
    answer.insert("_id".into(), json!(stored.id));
    answer.insert("_version".into(), json!(stored.version));
    answer.insert("_seq_no".into(), json!(stored.seq));
    answer.insert("_primary_term".into(), json!(1));
    answer.insert("found".into(), json!(true));
    if let Some(source) = filter.apply_text(&stored.source)? {
        answer.insert("_source".into(), source);
    }
    Ok(Value::Object(answer))
}
