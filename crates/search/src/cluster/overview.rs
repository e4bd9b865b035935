//! Health, `_cat/indices`, statistics, resolving: what monitors ask for.

use serde_json::{Map, Value, json};

use super::facade::Search;
use crate::catalog::Expand;
use crate::error::Result;

/// One line of `_cat/indices`.
#[derive(Clone, Debug, PartialEq)]
pub struct IndexLine {
    /// The index's name.
    pub index: String,
    /// Its unique id.
    pub uuid: String,
    /// Is it open?
    pub open: bool,
    /// Is its file missing or damaged?
    pub red: bool,
    /// The number of documents; nested objects are not counted.
    pub docs_count: i64,
    /// The bytes of its files.
    pub store_bytes: u64,
}

impl Search {
    /// `GET /_cluster/health/{index}`.
    ///
    /// # Errors
    /// When the index does not exist.
    pub fn cluster_health(&self, expression: &str, expand: Expand) -> Result<Value> {
        let all = if expression.is_empty() { expand.with_wildcards("all")? } else { expand };
        let targets = self.resolve(expression, all)?;
        let open: Vec<_> = targets.iter().filter(|target| target.meta.open).collect();
        let red = open.iter().filter(|target| self.damage_of(&target.meta).is_some()).count();
        let shards = open.len() - red;
        let status = if red > 0 || self.check_folder().is_err() { "red" } else { "green" };
        let percent = if open.is_empty() { 100.0 } else { 100.0 * shards as f64 / open.len() as f64 };
        Ok(json!({
            "cluster_name": "embedded", "status": status, "timed_out": false, "number_of_nodes": 1,
            "number_of_data_nodes": 1, "active_primary_shards": shards, "active_shards": shards,
            "relocating_shards": 0, "initializing_shards": 0, "unassigned_shards": red,
            "unassigned_primary_shards": red, "delayed_unassigned_shards": 0, "number_of_pending_tasks": 0,
            "number_of_in_flight_fetch": 0, "task_max_waiting_in_queue_millis": 0,
            "active_shards_percent_as_number": percent
        }))
    }

    /// The lines of `GET /_cat/indices/{index}`, by name.
    ///
    /// # Errors
    /// When the index does not exist.
    pub fn cat_indices(&self, expression: &str, expand: Expand) -> Result<Vec<IndexLine>> {
        self.resolve(expression, expand.with_closed())?
            .into_iter()
            .map(|target| {
                let line = IndexLine {
                    index: target.meta.name.clone(),
                    uuid: target.meta.uuid.clone(),
                    open: target.meta.open,
                    red: self.damage_of(&target.meta).is_some(),
                    docs_count: 0,
                    store_bytes: 0,
                };
                match self.index_of(&target.meta) {
                    Ok(index) => {
                        Ok(IndexLine { docs_count: index.count(), store_bytes: index.size_bytes(), ..line })
                    }
                    Err(error) if error.is_of_one_file() => Ok(IndexLine { red: true, ..line }),
                    Err(error) => Err(error),
                }
            })
            .collect()
    }

    /// `GET /{index}/_stats`.
    ///
    /// # Errors
    /// When the index does not exist.
    pub fn stats(&self, expression: &str, expand: Expand) -> Result<Value> {
        let part = |docs: i64, bytes: u64| {
            let one = json!({ "docs": { "count": docs, "deleted": 0 }, "store": { "size_in_bytes": bytes } });
            json!({ "primaries": one, "total": one })
        };
        let lines = self.cat_indices(expression, expand)?;
        let mut indices = Map::new();
        for line in &lines {
            let mut own = part(line.docs_count, line.store_bytes);
            own["uuid"] = json!(line.uuid);
            indices.insert(line.index.clone(), own);
        }
        let docs = lines.iter().map(|line| line.docs_count).sum();
        let bytes = lines.iter().map(|line| line.store_bytes).sum();
        Ok(json!({
            "_shards": { "total": 2 * lines.len(), "successful": lines.len(), "failed": 0 },
            "_all": part(docs, bytes), "indices": indices
        }))
    }

    /// `GET /_resolve/index/{expression}`.
    ///
    /// # Errors
    /// When a named index does not exist.
    pub fn resolve_index(&self, expression: &str, expand: Expand) -> Result<Value> {
        let mut indices = Vec::new();
        let mut aliases: std::collections::BTreeMap<String, Vec<String>> = std::collections::BTreeMap::new();
        for target in self.resolve(expression, expand)? {
            let meta = &target.meta;
            let mut attributes = vec![if meta.open { "open" } else { "closed" }];
            if meta.is_hidden() {
                attributes.push("hidden");
            }
            let mut entry = json!({ "name": meta.name, "attributes": attributes });
            if !meta.aliases.is_empty() {
                entry["aliases"] = meta.aliases.keys().cloned().collect();
            }
            indices.push(entry);
            for alias in meta.aliases.keys() {
                aliases.entry(alias.clone()).or_default().push(meta.name.clone());
            }
        }
        let aliases: Vec<Value> =
            aliases.into_iter().map(|(name, indices)| json!({ "name": name, "indices": indices })).collect();
        Ok(json!({ "indices": indices, "aliases": aliases, "data_streams": [] }))
    }
}
