//! Aliases: added, removed, listed.

use serde_json::{Map, Value, json};

use super::facade::Search;
use super::indices::{acknowledged, check_alias};
use crate::catalog::{Expand, State};
use crate::error::{Error, Result};
use crate::mapping::wildcard::wildcard_matches;

impl Search {
    /// `POST /_aliases`: all actions or none.
    ///
    /// # Errors
    /// When an action is malformed, or names what is not there.
    pub fn update_aliases(&self, body: &Value) -> Result<Value> {
        let Some(actions) = body.get("actions").and_then(Value::as_array) else {
            return Err(Error::RequestValidation("1: Must specify at least one alias action;".into()));
        };
        let mut removed = Vec::new();
        self.change(|state| {
            for action in actions {
                let (name, params) = action
                    .as_object()
                    .filter(|map| map.len() == 1)
                    .and_then(|map| map.iter().next())
                    .ok_or_else(|| Error::x_content("[aliases] an action must have exactly one name"))?;
                match name.as_str() {
                    "add" => add(state, params)?,
                    "remove" => remove(state, params)?,
                    "remove_index" => {
                        for index in words(params, "index", "indices") {
                            removed.push(state.index(&index)?.clone());
                            state.indices.remove(&index);
                        }
                    }
                    other => return Err(Error::x_content(format!("[alias_action] unknown field [{other}]"))),
                }
            }
            Ok(())
        })?;
        for meta in removed {
            self.remove_index(&meta)?;
        }
        Ok(acknowledged())
    }

    /// `PUT /{index}/_alias/{alias}`.
    ///
    /// # Errors
    /// As [`Search::update_aliases`].
    pub fn put_alias(&self, index: &str, alias: &str, body: &Value) -> Result<Value> {
        let mut params = body.as_object().cloned().unwrap_or_default();
        params.insert("index".into(), json!(index));
        params.insert("alias".into(), json!(alias));
        self.update_aliases(&json!({ "actions": [{ "add": params }] }))
    }

    /// `DELETE /{index}/_alias/{alias}`.
    ///
    /// # Errors
    /// When the alias is missing.
    pub fn delete_alias(&self, index: &str, alias: &str) -> Result<Value> {
        self.update_aliases(&json!({ "actions": [{ "remove": { "index": index, "alias": alias } }] }))
    }

    /// `GET /{index}/_alias/{alias}`. The second value says which of the wanted aliases (without wildcards) are missing.
    ///
    /// # Errors
    /// When the index does not exist.
    pub fn get_aliases(
        &self,
        expression: &str,
        wanted: &str,
        expand: Expand,
    ) -> Result<(Value, Vec<String>)> {
        let patterns: Vec<&str> = wanted
            .split(',')
            .filter(|part| !part.is_empty())
            .map(|part| if part == "_all" { "*" } else { part })
            .collect();
        let mut answer = Map::new();
        let mut seen = Vec::new();
        let expand = if expression.is_empty() { expand.with_wildcards("all")? } else { expand.with_closed() };
        for target in self.resolve(expression, expand)? {
            let mut found = Map::new();
            for (alias, body) in &target.meta.aliases {
                if patterns.is_empty() || patterns.iter().any(|pattern| wildcard_matches(pattern, alias)) {
                    found.insert(alias.clone(), Value::Object(body.clone()));
                    seen.push(alias.clone());
                }
            }
            if !found.is_empty() || patterns.is_empty() {
                answer.insert(target.meta.name.clone(), json!({ "aliases": found }));
            }
        }
        let missing = patterns
            .iter()
            .filter(|pattern| !pattern.contains('*') && !seen.iter().any(|alias| alias == *pattern))
            .map(|pattern| (*pattern).to_owned())
            .collect();
        Ok((Value::Object(answer), missing))
    }
}

/// One word or a list of them, under either key.
fn words(params: &Value, one: &str, many: &str) -> Vec<String> {
    let mut found = Vec::new();
    for key in [one, many] {
        match params.get(key) {
            Some(Value::String(text)) => found.extend(text.split(',').map(str::to_owned)),
            Some(Value::Array(items)) => {
                found.extend(items.iter().filter_map(Value::as_str).map(str::to_owned));
            }
            _ => {}
        }
    }
    found
}

fn indices(state: &State, params: &Value) -> Result<Vec<String>> {
    let expression = words(params, "index", "indices").join(",");
    if expression.is_empty() {
        return Err(Error::RequestValidation("1: One of [index] or [indices] is required;".into()));
    }
    let expand = Expand { allow_no_indices: false, hidden: true, ..Expand::default() }.with_closed();
    let found = state.resolve(&expression, expand)?;
    Ok(found.into_iter().map(|target| target.meta.name.clone()).collect())
}

fn add(state: &mut State, params: &Value) -> Result<()> {
    let aliases = words(params, "alias", "aliases");
    if aliases.is_empty() {
        return Err(Error::RequestValidation("1: One of [alias] or [aliases] is required;".into()));
    }
    for index in indices(state, params)? {
        for alias in &aliases {
            check_alias(state, alias, params)?;
            let mut body = Map::new();
            for key in ["filter", "index_routing", "search_routing", "is_write_index", "is_hidden"] {
                if let Some(value) = params.get(key).filter(|value| !value.is_null()) {
                    body.insert(key.to_owned(), value.clone());
                }
            }
            if let Some(routing) = params.get("routing") {
                body.insert("index_routing".into(), routing.clone());
                body.insert("search_routing".into(), routing.clone());
            }
            if body.get("is_write_index") == Some(&Value::Bool(true)) {
                let other = state.behind_alias(alias).into_iter().find(|meta| {
                    meta.name != index
                        && meta.aliases[alias].get("is_write_index") == Some(&Value::Bool(true))
                });
                // Another action of the same request may take the flag from it, which is checked by order here.
                if let Some(other) = other {
                    return Err(Error::illegal(format!(
                        "alias [{alias}] has more than one write index [{},{index}]",
                        other.name
                    )));
                }
            }
            state.change_index(&index, |meta| {
                meta.aliases.insert(alias.clone(), body);
                Ok(())
            })?;
        }
    }
    Ok(())
}

fn remove(state: &mut State, params: &Value) -> Result<()> {
    let aliases = words(params, "alias", "aliases");
    let mut found = false;
    for index in indices(state, params)? {
        state.change_index(&index, |meta| {
            let before = meta.aliases.len();
            meta.aliases.retain(|name, _| !aliases.iter().any(|pattern| wildcard_matches(pattern, name)));
            found |= meta.aliases.len() < before;
            Ok(())
        })?;
    }
    let must_exist = params.get("must_exist").and_then(Value::as_bool).unwrap_or(true);
    if !found && must_exist {
        return Err(Error::AliasesNotFound(aliases.join(",")));
    }
    Ok(())
}
