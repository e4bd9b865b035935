//! `_field_caps`: which fields there are in which indices, and what can be done with them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::facade::Search;
use crate::catalog::Expand;
use crate::error::Result;
use crate::mapping::Mapping;
use crate::mapping::wildcard::wildcard_matches;

/// The fields that every index has, with their type and whether they can be searched and aggregated.
const METADATA: [(&str, bool, bool); 4] =
    [("_id", true, false), ("_index", true, true), ("_source", false, false), ("_seq_no", true, true)];

/// What is known of one field with one type.
struct Capability {
    metadata: bool,
    searchable: bool,
    aggregatable: bool,
    indices: Vec<String>,
}

type Fields = BTreeMap<String, BTreeMap<String, Capability>>;

impl Search {
    /// `GET /{index}/_field_caps?fields=…`; `fields` are names with `*`.
    ///
    /// # Errors
    /// When an index does not exist.
    pub fn field_caps(
        &self,
        expression: &str,
        fields: &[String],
        include_unmapped: bool,
        expand: Expand,
    ) -> Result<Value> {
        let mut found = Fields::new();
        let mut indices = Vec::new();
        for target in self.resolve(expression, expand)? {
            let mapping = self.index_of(&target.meta)?.mapping();
            let name = &target.meta.name;
            indices.push(name.clone());
            collect(&mapping, name, fields, &mut found);
        }
        let mut answer = Map::new();
        for (path, types) in found {
            answer.insert(path, describe(types, &indices, include_unmapped));
        }
        Ok(json!({ "indices": indices, "fields": answer }))
    }
}

fn collect(mapping: &Mapping, index: &str, patterns: &[String], found: &mut Fields) {
    let mut put = |path: &str, kind: &str, metadata: bool, searchable: bool, aggregatable: bool| {
        if !patterns.iter().any(|pattern| wildcard_matches(pattern, path)) {
            return;
        }
        let types = found.entry(path.to_owned()).or_default();
        let entry = types.entry(kind.to_owned()).or_insert_with(|| Capability {
            metadata,
            searchable: true,
            aggregatable: true,
            indices: Vec::new(),
        });
        entry.searchable &= searchable;
        entry.aggregatable &= aggregatable;
        entry.indices.push(index.to_owned());
    };
    for leaf in &mapping.leaves {
        put(&leaf.field.path, &leaf.type_name, false, leaf.field.searchable, leaf.field.aggregatable);
    }
    for (path, nested) in mapping.objects() {
        put(path, if nested { "nested" } else { "object" }, false, false, false);
    }
    for (alias, target) in mapping.field_aliases() {
        if let Some(leaf) = mapping.leaf(target) {
            put(alias, &leaf.type_name, false, leaf.field.searchable, leaf.field.aggregatable);
        }
    }
    for (name, searchable, aggregatable) in METADATA {
        put(name, name, true, searchable, aggregatable);
    }
}

fn describe(types: BTreeMap<String, Capability>, indices: &[String], include_unmapped: bool) -> Value {
    let mapped: Vec<String> = types.values().flat_map(|capability| capability.indices.clone()).collect();
    let unmapped: Vec<&String> = indices.iter().filter(|index| !mapped.contains(index)).collect();
    let several = types.len() > 1 || (include_unmapped && !unmapped.is_empty());
    let mut answer = Map::new();
    for (kind, capability) in types {
        let mut entry = json!({
            "type": kind, "metadata_field": capability.metadata,
            "searchable": capability.searchable, "aggregatable": capability.aggregatable
        });
        if several {
            entry["indices"] = json!(capability.indices);
        }
        answer.insert(kind, entry);
    }
    if include_unmapped && !unmapped.is_empty() {
        answer.insert(
            "unmapped".into(),
            json!({ "type": "unmapped", "metadata_field": false, "searchable": false,
                "aggregatable": false, "indices": unmapped }),
        );
    }
    Value::Object(answer)
}
