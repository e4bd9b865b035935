//! Indices, documents and aliases in memory.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::{Action, BulkOp, Document, Error, IndicesOptions, Outcome, Result, Version};

#[derive(Debug, Default)]
pub(super) struct State {
    indices: BTreeMap<String, Index>,
    aliases: BTreeMap<String, BTreeMap<String, Value>>,
    seq_no: u64,
}

#[derive(Debug, Default)]
struct Index {
    documents: BTreeMap<String, Stored>,
    mapping: Value,
}

#[derive(Debug)]
pub(super) struct Stored {
    pub(super) source: Value,
    pub(super) seq_no: u64,
    /// Order of first arrival, which breaks ties of time.
    pub(super) arrival: u64,
}

/// One index with the filter through which an alias shows it.
#[derive(Debug)]
pub(super) struct Target<'a> {
    pub(super) name: &'a str,
    pub(super) documents: &'a BTreeMap<String, Stored>,
    pub(super) filter: Option<&'a Value>,
}

impl State {
    pub(super) fn write(&mut self, op: BulkOp) -> Outcome {
        let id = op.id.clone().unwrap_or_else(|| format!("auto-{}", self.seq_no + 1));
        match self.try_write(&id, op) {
            Ok((status, version)) => Outcome { id, status, version, error: None },
            Err(error) => {
                let status = match &error {
                    Error::VersionConflict(_) => 409,
                    Error::Refused { status, .. } => *status,
                    _ => 404,
                };
                Outcome { id, status, version: None, error: Some(error) }
            }
        }
    }

    fn try_write(&mut self, id: &str, op: BulkOp) -> Result<(u16, Option<Version>)> {
        if crate::indices::is_write_alias(&op.index) && !self.aliases.contains_key(&op.index) {
            return Err(Error::IndexNotFound(op.index));
        }
        let name = self.write_target(&op.index);
        let current = self.indices.get(&name).and_then(|index| index.documents.get(id));
        let current_seq = current.map(|stored| stored.seq_no);
        if let Some(expected) = op.expected
            && current_seq != Some(expected.seq_no)
        {
            return Err(Error::VersionConflict(format!(
                "[{id}]: version conflict, required seqNo [{}], primary term [{}]. but no document was found or it changed",
                expected.seq_no, expected.primary_term
            )));
        }
        let source = match op.action {
            Action::Index(json) => read(&json)?,
            Action::Create(json) => {
                if current.is_some() {
                    return Err(Error::VersionConflict(format!(
                        "[{id}]: version conflict, document already exists (current version [1])"
                    )));
                }
                read(&json)?
            }
            Action::Update(json) => {
                let Some(stored) = current else {
                    return Err(Error::Refused {
                        status: 404,
                        exception: "document_missing_exception".to_owned(),
                        reason: format!("[{id}]: document missing"),
                    });
                };
                let mut source = stored.source.clone();
                merge(&mut source, read(&json)?);
                source
            }
            Action::Delete => {
                let existed = self.remove(&name, id);
                return Ok((if existed { 200 } else { 404 }, None));
            }
        };
        self.seq_no += 1;
        let seq_no = self.seq_no;
        let index = self.indices.entry(name).or_default();
        let arrival = index.documents.get(id).map_or(seq_no, |stored| stored.arrival);
        let status = if current_seq.is_some() { 200 } else { 201 };
        index.documents.insert(id.to_owned(), Stored { source, seq_no, arrival });
        Ok((status, Some(Version { seq_no, primary_term: 1 })))
    }

    fn write_target(&self, name: &str) -> String {
        let Some(targets) = self.aliases.get(name) else { return name.to_owned() };
        let write = targets.iter().find(|(_, alias)| alias.get("is_write_index") == Some(&Value::Bool(true)));
        write.or_else(|| targets.iter().next()).map_or_else(|| name.to_owned(), |(index, _)| index.clone())
    }

    pub(super) fn remove(&mut self, index: &str, id: &str) -> bool {
        self.indices.get_mut(index).is_some_and(|index| index.documents.remove(id).is_some())
    }

    pub(super) fn get(&self, index: &str, id: &str) -> Option<Document> {
        let name = self.write_target(index);
        let stored = self.indices.get(&name)?.documents.get(id)?;
        Some(Document {
            index: name,
            id: id.to_owned(),
            version: Version { seq_no: stored.seq_no, primary_term: 1 },
            source: stored.source.clone(),
        })
    }

    pub(super) fn ensure_index(&mut self, name: &str, body: &Value) -> bool {
        let created = !self.indices.contains_key(name);
        if created {
            let mapping = body.get("mappings").cloned().unwrap_or(Value::Null);
            self.indices.insert(name.to_owned(), Index { documents: BTreeMap::new(), mapping });
            for (alias, options) in body.get("aliases").and_then(Value::as_object).into_iter().flatten() {
                self.aliases.entry(alias.clone()).or_default().insert(name.to_owned(), options.clone());
            }
        }
        created
    }

    pub(super) fn update_aliases(&mut self, body: &Value) -> Result<()> {
        for action in body.get("actions").and_then(Value::as_array).into_iter().flatten() {
            let Some((kind, options)) = action.as_object().and_then(|action| action.iter().next()) else {
                continue;
            };
            let text = |key: &str| options.get(key).and_then(Value::as_str).map(str::to_owned);
            let (Some(index), Some(alias)) = (text("index"), text("alias")) else {
                return Err(Error::refused(
                    "illegal_argument_exception",
                    "alias action needs [index] and [alias]",
                ));
            };
            let names: Vec<String> =
                self.indices.keys().filter(|name| wildcard(&index, name)).cloned().collect();
            if names.is_empty() {
                return Err(Error::IndexNotFound(index));
            }
            for name in names {
                let targets = self.aliases.entry(alias.clone()).or_default();
                if kind == "add" {
                    targets.insert(name, options.clone());
                } else {
                    targets.remove(&name);
                }
            }
            self.aliases.retain(|_, targets| !targets.is_empty());
        }
        Ok(())
    }

    pub(super) fn aliases_json(&self, expression: &str) -> Value {
        let mut answer = Map::new();
        for (alias, targets) in &self.aliases {
            if !expression.split(',').any(|part| wildcard(part, alias)) {
                continue;
            }
            for (index, options) in targets {
                let entry = answer.entry(index.clone()).or_insert_with(|| json!({"aliases": {}}));
                entry["aliases"][alias] = options.clone();
            }
        }
        Value::Object(answer)
    }

    pub(super) fn delete_index(&mut self, expression: &str) {
        self.indices.retain(|name, _| !expression.split(',').any(|part| wildcard(part, name)));
        for targets in self.aliases.values_mut() {
            targets.retain(|index, _| self.indices.contains_key(index));
        }
        self.aliases.retain(|_, targets| !targets.is_empty());
    }

    pub(super) fn exists(&self, name: &str) -> bool {
        self.indices.contains_key(name) || self.aliases.contains_key(name)
    }

    /// Is the content of this index kept without being searchable?
    pub(super) fn is_opaque(&self, name: &str) -> bool {
        self.indices.get(name).is_some_and(|index| index.mapping.get("enabled") == Some(&Value::Bool(false)))
    }

    pub(super) fn resolve(&self, expression: &str, options: &IndicesOptions) -> Result<Vec<Target<'_>>> {
        let mut found: BTreeMap<&str, Option<&Value>> = BTreeMap::new();
        for part in expression.split(',').filter(|part| !part.is_empty()) {
            let mut any = false;
            for name in self.indices.keys().filter(|name| wildcard(part, name)) {
                found.insert(name, None);
                any = true;
            }
            for (_, targets) in self.aliases.iter().filter(|(alias, _)| wildcard(part, alias)) {
                for (index, alias) in targets {
                    any = true;
                    found.entry(index).or_insert_with(|| alias.get("filter"));
                }
            }
            let needed =
                if part.contains('*') { !options.allow_no_indices } else { !options.ignore_unavailable };
            if !any && needed {
                return Err(Error::IndexNotFound(part.to_owned()));
            }
        }
        Ok(found
            .into_iter()
            .filter_map(|(name, filter)| {
                let (name, index) = self.indices.get_key_value(name)?;
                Some(Target { name, documents: &index.documents, filter })
            })
            .collect())
    }
}

fn read(json: &str) -> Result<Value> {
    serde_json::from_str(json)
        .map_err(|error| Error::refused("document_parsing_exception", format!("failed to parse: {error}")))
}

fn merge(target: &mut Value, change: Value) {
    match (target, change) {
        (Value::Object(target), Value::Object(change)) => {
            for (key, value) in change {
                merge(target.entry(key).or_insert(Value::Null), value);
            }
        }
        (target, change) => *target = change,
    }
}

/// Does `name` match a pattern in which `*` stands for any text? `_all` matches everything.
pub(super) fn wildcard(pattern: &str, name: &str) -> bool {
    if pattern == "_all" {
        return true;
    }
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}
