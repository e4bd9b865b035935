//! Creating and deleting indices; their mappings and settings.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::facade::{Search, unique_id};
use crate::catalog::settings::Settings;
use crate::catalog::template::{self, Prototype};
use crate::catalog::{Expand, IndexMeta, Kind, Target};
use crate::error::{Error, Result};
use crate::index::name;
use crate::query::Query;

/// The version that indices say they were created with.
const VERSION_CREATED: &str = "8521000";

pub(super) fn acknowledged() -> Value {
    json!({ "acknowledged": true })
}

impl Search {
    /// `PUT /{index}`.
    ///
    /// # Errors
    /// When it exists, its name is not allowed, or settings, mapping or aliases are wrong.
    pub fn create_index(&self, name: &str, body: &Value) -> Result<Value> {
        if let Some(unknown) = body.as_object().and_then(|map| {
            map.keys().find(|key| !matches!(key.as_str(), "settings" | "mappings" | "aliases"))
        }) {
            return Err(Error::parsing(format!("unknown key [{unknown}] for create index")));
        }
        let mut prototype = template::prototype(&self.state(), name)?;
        prototype.add(body);
        self.create_from(name, prototype)?;
        Ok(json!({ "acknowledged": true, "shards_acknowledged": true, "index": name }))
    }

    /// The index that a write goes to, created if need be.
    pub(crate) fn index_for_write(&self, name: &str, require_alias: bool) -> Result<Arc<IndexMeta>> {
        self.check_folder()?;
        let state = self.state();
        if require_alias && state.behind_alias(name).is_empty() {
            return Err(Error::IndexNotFound { index: name.to_owned() });
        }
        if let Some(meta) = state.write_index(name)? {
            if !meta.open {
                return Err(Error::illegal(format!("closed index [{name}]")));
            }
            return Ok(Arc::clone(meta));
        }
        if !self.inner.options.auto_create_index {
            return Err(Error::IndexNotFound { index: name.to_owned() });
        }
        match self.create_from(name, template::prototype(&state, name)?) {
            // Somebody else was faster.
            Ok(()) | Err(Error::IndexExists { .. }) => {}
            Err(error) => return Err(error),
        }
        let state = self.state();
        state
            .write_index(name)?
            .map(Arc::clone)
            .ok_or_else(|| Error::IndexNotFound { index: name.to_owned() })
    }

    fn create_from(&self, name: &str, prototype: Prototype) -> Result<()> {
        self.check_folder()?;
        name::check(name)?;
        let state = self.state();
        if let Some(existing) = state.indices.get(name) {
            return Err(Error::IndexExists { index: name.to_owned(), uuid: existing.uuid.clone() });
        }
        if !state.behind_alias(name).is_empty() {
            return Err(Error::InvalidIndexName {
                index: name.to_owned(),
                why: "already exists as alias".into(),
            });
        }
        let mut settings = Settings::default();
        settings.0.insert("index.number_of_shards".into(), "1".into());
        settings.0.insert("index.number_of_replicas".into(), "1".into());
        settings.apply(Settings::parse(&Value::Object(prototype.settings))?);
        let uuid = unique_id();
        let created_ms = self.now_ms();
        for (key, value) in [
            ("index.uuid", uuid.clone()),
            ("index.creation_date", created_ms.to_string()),
            ("index.provided_name", name.to_owned()),
            ("index.version.created", VERSION_CREATED.to_owned()),
        ] {
            settings.0.insert(key.into(), value);
        }
        let mut aliases = BTreeMap::new();
        for (alias, body) in prototype.aliases {
            check_alias(&state, &alias, &body)?;
            aliases.insert(alias, body.as_object().cloned().unwrap_or_default());
        }
        let meta = IndexMeta {
            name: name.to_owned(),
            uuid,
            created_ms,
            settings,
            aliases,
            open: true,
            checked: true,
        };
        let limit = meta.field_limit();
        let path = self.path_of(&meta.uuid);
        let index = crate::index::Index::create(&path, name, &meta.uuid, self.inner.options.durable)?;
        let entry = Arc::new(meta);
        let made = index.merge_mapping(unwrap_type(prototype.mappings), limit).and_then(|_| {
            self.change(|state| match state.indices.get(name) {
                Some(existing) => {
                    Err(Error::IndexExists { index: name.to_owned(), uuid: existing.uuid.clone() })
                }
                None => {
                    state.indices.insert(name.to_owned(), Arc::clone(&entry));
                    Ok(())
                }
            })
        });
        match made {
            Ok(()) => {
                // Last: a file without an entry and without documents was never told to anybody, and may be removed.
                self.keep_identity(&index, &entry);
                index.close();
            }
            Err(_) => index.remove()?,
        }
        made
    }

    /// `DELETE /{index}`. Wildcards are refused, as is usual since 8.0.
    ///
    /// # Errors
    /// When it does not exist, or is an alias.
    pub fn delete_index(&self, expression: &str, expand: Expand) -> Result<Value> {
        if expression == "_all" || expression.contains('*') {
            return Err(Error::illegal("Wildcard expressions or all indices are not allowed"));
        }
        let state = self.state();
        let mut doomed = Vec::new();
        for name in expression.split(',') {
            match state.indices.get(name) {
                Some(meta) => doomed.push(Arc::clone(meta)),
                None if !state.behind_alias(name).is_empty() => {
                    return Err(Error::illegal(format!(
                        "The provided expression [{name}] matches an alias, specify the corresponding concrete indices instead."
                    )));
                }
                None if expand.ignore_unavailable => {}
                None => return Err(Error::IndexNotFound { index: name.to_owned() }),
            }
        }
        for meta in doomed {
            self.remove_index(&meta)?;
        }
        Ok(acknowledged())
    }

    pub(super) fn remove_index(&self, meta: &IndexMeta) -> Result<()> {
        self.change(|state| {
            state.indices.remove(&meta.name);
            // The file may outlive a crash: from now on it may be removed, by its id.
            state.things.insert((Kind::Deleted, meta.uuid.clone()), Arc::new(json!({ "name": meta.name })));
            Ok(())
        })?;
        match self.forget(&meta.uuid) {
            Some(index) => index.remove(),
            None => crate::index::handle::remove_files(&self.path_of(&meta.uuid)),
        }
    }

    /// `HEAD /{index}`.
    ///
    /// # Errors
    /// When the expression is malformed.
    pub fn index_exists(&self, expression: &str, expand: Expand) -> Result<bool> {
        match self.resolve(expression, expand.with_closed()) {
            Ok(found) => Ok(!found.is_empty() || expression.contains('*')),
            Err(Error::IndexNotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn each(
        &self,
        expression: &str,
        expand: Expand,
        describe: impl Fn(&Target) -> Result<Value>,
    ) -> Result<Value> {
        let mut answer = Map::new();
        for target in self.resolve(expression, expand.with_closed())? {
            answer.insert(target.meta.name.clone(), describe(&target)?);
        }
        Ok(Value::Object(answer))
    }

    /// `GET /{index}`.
    ///
    /// # Errors
    /// When it does not exist.
    pub fn get_index(&self, expression: &str, expand: Expand) -> Result<Value> {
        self.each(expression, expand, |target| {
            Ok(json!({
                "aliases": target.meta.aliases,
                "mappings": self.index_of(&target.meta)?.mapping().to_json(),
                "settings": target.meta.settings.to_json(false),
            }))
        })
    }

    /// The mapping of one index, as queries see it.
    ///
    /// # Errors
    /// When the index does not exist, or the name stands for several.
    pub fn mapping_of(&self, index: &str) -> Result<Arc<crate::mapping::Mapping>> {
        let state = self.state();
        Ok(self.index_of(state.single_index(index)?)?.mapping())
    }

    /// `GET /{index}/_mapping`.
    ///
    /// # Errors
    /// When the index does not exist.
    pub fn get_mapping(&self, expression: &str, expand: Expand) -> Result<Value> {
        self.each(expression, expand, |target| {
            Ok(json!({ "mappings": self.index_of(&target.meta)?.mapping().to_json() }))
        })
    }

    /// `GET /{index}/_mapping/field/{fields}`.
    ///
    /// # Errors
    /// When the index does not exist.
    pub fn get_field_mapping(&self, expression: &str, fields: &str, expand: Expand) -> Result<Value> {
        self.each(expression, expand, |target| {
            let mapping = self.index_of(&target.meta)?.mapping();
            let mut found = Map::new();
            for leaf in &mapping.leaves {
                let path = &leaf.field.path;
                let wanted = |pattern: &str| crate::mapping::wildcard::wildcard_matches(pattern.trim(), path);
                if !fields.split(',').any(wanted) {
                    continue;
                }
                let last = path.rsplit('.').next().unwrap_or(path);
                let declared = declaration(&mapping.body, path).cloned().unwrap_or_default();
                found.insert(path.clone(), json!({ "full_name": path, "mapping": { last: declared } }));
            }
            Ok(json!({ "mappings": found }))
        })
    }

    /// `PUT /{index}/_mapping`.
    ///
    /// # Errors
    /// When the index does not exist, or the addition contradicts its mapping.
    pub fn put_mapping(&self, expression: &str, body: &Value, expand: Expand) -> Result<Value> {
        let Value::Object(body) = body else {
            return Err(Error::MapperParsing("Failed to parse mapping: must be an object".into()));
        };
        for target in self.resolve(expression, expand)? {
            let index = self.index_of(&target.meta)?;
            index.merge_mapping(unwrap_type(body.clone()), target.meta.field_limit())?;
        }
        Ok(acknowledged())
    }

    /// `GET /{index}/_settings`.
    ///
    /// # Errors
    /// When the index does not exist.
    pub fn get_settings(&self, expression: &str, flat: bool, expand: Expand) -> Result<Value> {
        self.each(expression, expand, |target| Ok(json!({ "settings": target.meta.settings.to_json(flat) })))
    }

    /// `PUT /{index}/_settings`.
    ///
    /// # Errors
    /// When the index does not exist, or a setting cannot be changed.
    pub fn put_settings(&self, expression: &str, body: &Value, expand: Expand) -> Result<Value> {
        let body = body.get("settings").unwrap_or(body);
        let changes = Settings::parse(body)?;
        for fixed in ["index.number_of_shards", "index.uuid", "index.creation_date", "index.provided_name"] {
            if changes.contains_key(fixed) {
                return Err(Error::illegal(format!(
                    "Can't update non dynamic settings [[{fixed}]] for open indices"
                )));
            }
        }
        let targets = self.resolve(expression, expand.with_closed())?;
        self.change(|state| {
            for target in &targets {
                state.change_index(&target.meta.name, |meta| {
                    meta.settings.apply(changes.clone());
                    Ok(())
                })?;
            }
            Ok(())
        })?;
        Ok(acknowledged())
    }

    /// `POST /{index}/_open` and `_close`.
    ///
    /// # Errors
    /// When the index does not exist.
    pub fn set_open(&self, expression: &str, open: bool, expand: Expand) -> Result<Value> {
        let targets = self.resolve(expression, expand.with_closed())?;
        self.change(|state| {
            for target in &targets {
                state.change_index(&target.meta.name, |meta| {
                    meta.open = open;
                    Ok(())
                })?;
            }
            Ok(())
        })?;
        Ok(json!({ "acknowledged": true, "shards_acknowledged": true }))
    }

    /// `POST /{index}/_refresh` and its like: there is nothing to do, since writes are visible at once.
    ///
    /// # Errors
    /// When the index does not exist.
    pub fn refresh(&self, expression: &str, expand: Expand) -> Result<Value> {
        let count = self.resolve(expression, expand)?.len();
        Ok(json!({ "_shards": { "total": 2 * count, "successful": count, "failed": 0 } }))
    }
}

/// Mappings of old clients have the type's name around them.
fn unwrap_type(mut body: Map<String, Value>) -> Map<String, Value> {
    if body.len() == 1
        && let Some(Value::Object(inner)) = body.get_mut("_doc")
    {
        return std::mem::take(inner);
    }
    body
}

pub(super) fn check_alias(state: &crate::catalog::State, alias: &str, body: &Value) -> Result<()> {
    name::check(alias).map_err(|error| match error {
        Error::InvalidIndexName { index, why } => {
            Error::illegal(format!("Invalid alias name [{index}]: {why}"))
        }
        other => other,
    })?;
    if state.indices.contains_key(alias) {
        return Err(Error::InvalidIndexName {
            index: alias.to_owned(),
            why: "an index or data stream exists with the same name as the alias".into(),
        });
    }
    if let Some(filter) = body.get("filter") {
        Query::parse(filter)?;
    }
    Ok(())
}

/// The declaration of the field at `path`, in properties or multi-fields.
pub(crate) fn declaration<'m>(body: &'m Map<String, Value>, path: &str) -> Option<&'m Value> {
    for key in ["properties", "fields"] {
        let Some(Value::Object(children)) = body.get(key) else { continue };
        if let Some(found) = children.get(path) {
            return Some(found);
        }
        for (dot, _) in path.match_indices('.') {
            if let Some(Value::Object(child)) = children.get(&path[..dot])
                && let Some(found) = declaration(child, &path[dot + 1..])
            {
                return Some(found);
            }
        }
    }
    None
}
