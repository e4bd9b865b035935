//! Bulk requests. Operations that go to the same index are committed together, a bounded number at a time, so that a long request
//! takes little more memory than its body: what remains of an operation that was carried out is a small [`BulkItem`].

use std::sync::Arc;

use ahash::{AHashMap, AHashSet};
use serde_json::{Map, Value, json};

use super::bulk_line::{self, Action, Target};
use super::write::{WriteAnswer, WriteParams, check_id, columns, kept_source, parse_document};
use crate::cluster::Search;
use crate::error::{Error, Result};
use crate::index::{Index, WriteOp, Written};
use crate::mapping::Mapping;

/// How a bulk request is carried out.
#[derive(Clone, Debug, Default)]
pub struct BulkParams {
    /// Must names be aliases, unless a line says otherwise?
    pub require_alias: bool,
}

/// What became of one operation.
#[derive(Debug)]
pub struct BulkItem {
    /// The action.
    pub action: Action,
    /// The index, as the line or the request names it.
    pub index: Arc<str>,
    /// The document's id, if the line gave one and nothing was done; otherwise it stands in the result.
    pub id: Option<Box<str>>,
    /// What was done, or why not.
    pub result: Result<Written, Box<Error>>,
}

impl BulkItem {
    /// The HTTP status that goes with it.
    pub fn status(&self) -> u16 {
        match &self.result {
            Ok(written) => written.outcome.status(),
            Err(error) => error.status(),
        }
    }

    /// The item as the answer shows it.
    pub fn to_json(&self) -> Value {
        let mut body = match &self.result {
            Ok(written) => written.to_json(&self.index),
            Err(error) => json!({ "_index": &*self.index, "_id": self.id, "error": error.cause_json() }),
        };
        body["status"] = json!(self.status());
        Value::Object(Map::from_iter([(self.action.name().to_owned(), body)]))
    }
}

/// The answer to a bulk request.
#[derive(Debug)]
pub struct BulkAnswer {
    /// How long it has taken, in milliseconds.
    pub took_ms: i64,
    /// One item for each operation, in the order of the request.
    pub items: Vec<BulkItem>,
}

impl BulkAnswer {
    /// Has any operation failed?
    pub fn has_errors(&self) -> bool {
        self.items.iter().any(|item| item.result.is_err())
    }

    /// The body of the answer as text, in pieces that are made when they are asked for: whole, it would take more memory than the
    /// request.
    pub fn into_pieces(self) -> impl Iterator<Item = String> {
        let mut head =
            Some(format!("{{\"errors\":{},\"took\":{},\"items\":[", self.has_errors(), self.took_ms));
        let mut items = self.items.into_iter().peekable();
        std::iter::from_fn(move || {
            let mut piece = head.take();
            if piece.is_none() {
                items.peek()?;
            }
            let text = piece.get_or_insert_default();
            while text.len() < PIECE_BYTES {
                let Some(item) = items.next() else { break };
                text.push_str(&item.to_json().to_string());
                if items.peek().is_some() {
                    text.push(',');
                }
            }
            if items.peek().is_none() {
                text.push_str("]}");
            }
            piece
        })
    }

    /// The body of the answer.
    pub fn to_json(&self) -> Value {
        let items: Vec<Value> = self.items.iter().map(BulkItem::to_json).collect();
        json!({ "errors": self.has_errors(), "took": self.took_ms, "items": items })
    }
}

impl Search {
    /// `POST /_bulk`.
    ///
    /// # Errors
    /// When the request is malformed (nothing was written), or the machine fails. The failure of an operation is told in
    /// its item.
    pub fn bulk(&self, default_index: Option<&str>, body: &[u8], params: &BulkParams) -> Result<BulkAnswer> {
        let started = self.now_ms();
        let operations = check_lines(default_index, body)?;
        let mut bulk = Bulk {
            search: self,
            groups: Vec::new(),
            by_name: AHashMap::new(),
            items: Vec::with_capacity(operations),
            waiting: 0,
            waiting_bytes: 0,
        };
        let mut lines = bulk_line::lines(body)?.enumerate().filter(|(_, line)| !line.trim_ascii().is_empty());
        while let Some((number, line)) = lines.next() {
            let (action, target) = bulk_line::parse(line, number + 1)?;
            let payload = if action == Action::Delete {
                &[][..]
            } else {
                lines.next().map_or(&[][..], |(_, line)| line)
            };
            bulk.operation(action, &target, default_index, payload, params)?;
        }
        bulk.flush()?;
        // In place: a second list would take as much again.
        #[expect(clippy::filter_map_identity, reason = "`flatten` would not be done in place")]
        let items = bulk.items.into_iter().filter_map(|item| item).collect();
        Ok(BulkAnswer { took_ms: self.took(started), items })
    }
}

/// A malformed line must be found before anything is written. Says how many operations there are.
fn check_lines(default_index: Option<&str>, body: &[u8]) -> Result<usize> {
    let mut lines = bulk_line::lines(body)?.enumerate().filter(|(_, line)| !line.trim_ascii().is_empty());
    let mut operations = 0;
    while let Some((number, line)) = lines.next() {
        let (action, target) = bulk_line::parse(line, number + 1)?;
        operations += 1;
        if target._index.is_none() && default_index.is_none() {
            return Err(Error::RequestValidation(format!("{operations}: index is missing;")));
        }
        if target.pipeline.as_deref().is_some_and(|name| name != "_none") {
            return Err(Error::illegal("ingest pipelines are not supported in bulk requests"));
        }
        if action != Action::Delete && lines.next().is_none() {
            return Err(Error::RequestValidation(format!("{operations}: no source line after the action;")));
        }
        if matches!(action, Action::Delete | Action::Update) && target._id.is_none() {
            return Err(Error::RequestValidation(format!("{operations}: id is missing;")));
        }
    }
    if operations == 0 {
        return Err(Error::RequestValidation("1: no requests added;".into()));
    }
    Ok(operations)
}

/// Operations that wait to be committed; more are committed at once.
const WAITING_MAX: usize = 5_000;
/// Bytes of documents that wait to be committed.
const WAITING_BYTES_MAX: usize = 4 << 20;
/// Bytes of an answer that are made at a time.
const PIECE_BYTES: usize = 64 << 10;

struct Bulk<'s> {
    search: &'s Search,
    groups: Vec<Group>,
    by_name: AHashMap<String, usize>,
    items: Vec<Option<BulkItem>>,
    waiting: usize,
    waiting_bytes: usize,
}

/// The operations that go to one index.
struct Group {
    index: Arc<Index>,
    name: Arc<str>,
    mapping: Arc<Mapping>,
    limit: usize,
    ops: Vec<WriteOp>,
    /// Which item each operation belongs to.
    places: Vec<(usize, Action)>,
    touched: AHashSet<String>,
}

impl Bulk<'_> {
    fn operation(
        &mut self,
        action: Action,
        target: &Target<'_>,
        default_index: Option<&str>,
        payload: &[u8],
        params: &BulkParams,
    ) -> Result<()> {
        let name = target._index.as_deref().or(default_index).unwrap_or_default();
        let id = match &target._id {
            Some(Value::String(id)) => Some(id.clone()),
            Some(Value::Null) | None => None,
            Some(other) => Some(other.to_string()),
        };
        let require_alias = target.require_alias.unwrap_or(params.require_alias);
        let done = if action == Action::Update {
            self.update(target, name, id.as_deref().unwrap_or_default(), payload, require_alias)
        } else {
            self.write(action, target, name, id.clone(), payload, require_alias)
        };
        let result = match done {
            Ok(None) => {
                self.waiting += 1;
                self.waiting_bytes += payload.len();
                if self.waiting >= WAITING_MAX || self.waiting_bytes >= WAITING_BYTES_MAX {
                    self.flush()?;
                }
                return Ok(());
            }
            Ok(Some(answer)) => Ok(answer.written),
            Err(error) if error.is_of_machine() && !error.is_of_one_file() => return Err(error),
            Err(error) => Err(Box::new(error)),
        };
        let id = id.filter(|_| result.is_err()).map(String::into_boxed_str);
        self.items.push(Some(BulkItem { action, index: self.shared_name(name), id, result }));
        Ok(())
    }

    /// The name, shared with the items before where it is the same.
    fn shared_name(&self, name: &str) -> Arc<str> {
        let known = self.by_name.get(name).map(|number| &self.groups[*number].name);
        let last = self.items.last().and_then(|item| item.as_ref()).map(|item| &item.index);
        let same = known.into_iter().chain(last).find(|known| &***known == name);
        same.map_or_else(|| name.into(), Arc::clone)
    }

    fn group(&mut self, name: &str, require_alias: bool, delete: bool) -> Result<&mut Group> {
        let number = match self.by_name.get(name) {
            Some(number) if !require_alias => *number,
            _ => {
                let meta = if delete {
                    let state = self.search.state();
                    let found = state.write_index(name)?.map(Arc::clone);
                    found.ok_or_else(|| Error::IndexNotFound { index: name.to_owned() })?
                } else {
                    self.search.index_for_write(name, require_alias)?
                };
                let known = self.groups.iter().position(|group| group.index.uuid == meta.uuid);
                let number = match known {
                    Some(number) => number,
                    None => {
                        let index = self.search.index_of(&meta)?;
                        self.groups.push(Group {
                            name: index.name.as_str().into(),
                            mapping: index.mapping(),
                            index,
                            limit: meta.field_limit(),
                            ops: Vec::new(),
                            places: Vec::new(),
                            touched: AHashSet::new(),
                        });
                        self.groups.len() - 1
                    }
                };
                self.by_name.insert(name.to_owned(), number);
                number
            }
        };
        Ok(&mut self.groups[number])
    }

    /// Puts an operation in line; nothing is answered before it is written.
    fn write(
        &mut self,
        action: Action,
        target: &Target<'_>,
        name: &str,
        id: Option<String>,
        payload: &[u8],
        require_alias: bool,
    ) -> Result<Option<WriteAnswer>> {
        if let Some(id) = &id {
            check_id(id)?;
        }
        let expected = params_of(action, target).expected()?;
        let place = self.items.len();
        let group = self.group(name, require_alias, action == Action::Delete)?;
        let op = if action == Action::Delete {
            WriteOp::Delete { id: id.clone().unwrap_or_default(), expected }
        } else {
            let (text, value) = parse_document(payload)?;
            let for_messages = id.as_deref().unwrap_or("<auto>");
            let cells = columns(&group.index, &mut group.mapping, group.limit, for_messages, &value)?;
            let source = kept_source(&group.mapping, text, value);
            WriteOp::Index { id: id.clone(), expected, source, cells }
        };
        if let Some(id) = id {
            group.touched.insert(id);
        }
        group.ops.push(op);
        group.places.push((place, action));
        self.items.push(None);
        Ok(None)
    }

    /// Updates read what operations before them have written.
    fn update(
        &mut self,
        target: &Target<'_>,
        name: &str,
        id: &str,
        payload: &[u8],
        require_alias: bool,
    ) -> Result<Option<WriteAnswer>> {
        let body: Value = serde_json::from_slice(payload)
            .map_err(|error| Error::x_content(format!("malformed update: {error}")))?;
        if self.group(name, require_alias, false)?.touched.contains(id) {
            self.flush()?;
        }
        let if_seq_no = target.if_seq_no.zip(target.if_primary_term);
        let (answer, _) = self.search.update_document(name, id, &body, if_seq_no, require_alias)?;
        Ok(Some(answer))
    }

    fn flush(&mut self) -> Result<()> {
        (self.waiting, self.waiting_bytes) = (0, 0);
        for group in &mut self.groups {
            group.touched.clear();
            let places = std::mem::take(&mut group.places);
            let results = match group.index.write(std::mem::take(&mut group.ops)) {
                Ok(results) => results,
                // The index was deleted meanwhile.
                Err(Error::IndexNotFound { index }) => {
                    places.iter().map(|_| Err(Error::IndexNotFound { index: index.clone() })).collect()
                }
                // A damaged file fails its own operations, and no others.
                Err(Error::Unavailable { index, why }) => places
                    .iter()
                    .map(|_| Err(Error::Unavailable { index: index.clone(), why: why.clone() }))
                    .collect(),
                Err(error) => return Err(error),
            };
            for ((place, action), result) in places.into_iter().zip(results) {
                let id = match &result {
                    Ok(_) => None,
                    Err(Error::VersionConflict { id, .. }) => Some(id.clone()),
                    Err(_) => None,
                };
                let (id, result) = (id.map(String::into_boxed_str), result.map_err(Box::new));
                self.items[place] = Some(BulkItem { action, index: Arc::clone(&group.name), id, result });
            }
        }
        Ok(())
    }
}

fn params_of(action: Action, target: &Target<'_>) -> WriteParams {
    WriteParams {
        create: action == Action::Create,
        if_seq_no: target.if_seq_no.zip(target.if_primary_term),
        version: target
            .version
            .map(|version| (version, target.version_type.clone().unwrap_or_else(|| "internal".into()))),
        require_alias: false,
    }
}
