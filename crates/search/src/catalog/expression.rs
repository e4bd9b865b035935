//! Index expressions: names, aliases, wildcards, exclusions.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::state::{IndexMeta, State};
use crate::error::{Error, Result};
use crate::mapping::wildcard::wildcard_matches;

/// How an expression is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expand {
    /// Are missing (or closed) indices left out without an error?
    pub ignore_unavailable: bool,
    /// Is it no error if nothing is left?
    pub allow_no_indices: bool,
    /// Do wildcards match open indices?
    pub open: bool,
    /// Do wildcards match closed indices?
    pub closed: bool,
    /// Do wildcards match hidden indices?
    pub hidden: bool,
}

impl Default for Expand {
    fn default() -> Self {
        Self { ignore_unavailable: false, allow_no_indices: true, open: true, closed: false, hidden: false }
    }
}

impl Expand {
    /// Reads `expand_wildcards`: `open,hidden`, `all`, `none`.
    ///
    /// # Errors
    /// For any other word.
    pub fn with_wildcards(mut self, text: &str) -> Result<Self> {
        (self.open, self.closed, self.hidden) = (false, false, false);
        for word in text.split(',') {
            match word.trim() {
                "open" => self.open = true,
                "closed" => self.closed = true,
                "hidden" => self.hidden = true,
                "all" => (self.open, self.closed, self.hidden) = (true, true, true),
                "none" => {}
                other => {
                    return Err(Error::illegal(format!("No valid expand wildcard value [{other}]")));
                }
            }
        }
        Ok(self)
    }

    /// Closed indices included: what requests about metadata take.
    #[must_use]
    pub fn with_closed(mut self) -> Self {
        self.closed = true;
        self
    }
}

/// An index that a request means.
#[derive(Clone, Debug)]
pub struct Target {
    /// The index.
    pub meta: Arc<IndexMeta>,
    /// One of these filters must match: the index was only named by aliases that have filters. Empty: no filter.
    pub filters: Vec<Value>,
}

impl State {
    /// The indices that an expression means, by name.
    ///
    /// # Errors
    /// When a named index is missing, or nothing is left where something must be.
    pub fn resolve(&self, expression: &str, expand: Expand) -> Result<Vec<Target>> {
        let expression = if expression.is_empty() { "_all" } else { expression };
        let mut found: BTreeMap<String, Target> = BTreeMap::new();
        let mut wildcard_seen = false;
        for part in expression.split(',').filter(|part| !part.is_empty()) {
            if let (Some(excluded), true) = (part.strip_prefix('-'), wildcard_seen) {
                found.retain(|name, target| {
                    !wildcard_matches(excluded, name)
                        && !target.meta.aliases.keys().any(|alias| alias == excluded)
                });
            } else if part == "_all" || part.contains('*') {
                wildcard_seen = true;
                self.wildcard(if part == "_all" { "*" } else { part }, expand, &mut found);
            } else {
                self.named(part, expand, &mut found)?;
            }
        }
        if found.is_empty() && !expand.allow_no_indices {
            return Err(Error::IndexNotFound { index: expression.to_owned() });
        }
        Ok(found.into_values().collect())
    }

    fn wildcard(&self, pattern: &str, expand: Expand, found: &mut BTreeMap<String, Target>) {
        let visible = |meta: &IndexMeta, name: &str, hidden: bool| {
            let state = if meta.open { expand.open } else { expand.closed };
            state && (!hidden || expand.hidden || (pattern.starts_with('.') && name.starts_with('.')))
        };
        for meta in self.indices.values() {
            if wildcard_matches(pattern, &meta.name) && visible(meta, &meta.name, meta.is_hidden()) {
                add(found, meta, None);
                continue;
            }
            for (alias, body) in &meta.aliases {
                let hidden = body.get("is_hidden").and_then(Value::as_bool).unwrap_or(false);
                if wildcard_matches(pattern, alias) && visible(meta, alias, hidden) {
                    add(found, meta, body.get("filter"));
                }
            }
        }
    }

    fn named(&self, name: &str, expand: Expand, found: &mut BTreeMap<String, Target>) -> Result<()> {
        let direct = self.indices.get(name);
        let behind = self.behind_alias(name);
        if direct.is_none() && behind.is_empty() {
            if expand.ignore_unavailable {
                return Ok(());
            }
            return Err(Error::IndexNotFound { index: name.to_owned() });
        }
        for meta in direct.into_iter().chain(behind) {
            if !meta.open && !expand.closed {
                if expand.ignore_unavailable {
                    continue;
                }
                return Err(Error::illegal(format!("closed index [{}]", meta.name)));
            }
            add(found, meta, meta.aliases.get(name).and_then(|body| body.get("filter")));
        }
        Ok(())
    }
}

/// An index without a filter stays without, whatever else names it.
fn add(found: &mut BTreeMap<String, Target>, meta: &Arc<IndexMeta>, filter: Option<&Value>) {
    match (found.get_mut(&meta.name), filter) {
        (None, _) => {
            let filters = filter.into_iter().cloned().collect();
            found.insert(meta.name.clone(), Target { meta: Arc::clone(meta), filters });
        }
        (Some(target), None) => target.filters.clear(),
        (Some(target), Some(filter)) if !target.filters.is_empty() => target.filters.push(filter.clone()),
        (Some(_), Some(_)) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;
    use crate::catalog::settings::Settings;

    fn state() -> State {
        let mut state = State::default();
        for (name, hidden, open) in
            [("a1", false, true), ("a2", false, true), (".h", true, true), ("closed", false, false)]
        {
            let mut settings = Settings::default();
            if hidden {
                settings.0.insert("index.hidden".into(), "true".into());
            }
            let mut aliases = BTreeMap::new();
            if name == "a1" {
                let body: Map<String, Value> =
                    json!({"filter": {"term": {"f": 1}}}).as_object().unwrap().clone();
                aliases.insert("al".to_owned(), body);
            }
            let meta = IndexMeta {
                name: name.into(),
                uuid: name.into(),
                created_ms: 0,
                settings,
                aliases,
                open,
                checked: false,
            };
            state.indices.insert(name.into(), Arc::new(meta));
        }
        state
    }

    fn names(expression: &str, expand: Expand) -> Vec<String> {
        let found = state().resolve(expression, expand).unwrap();
        found
            .into_iter()
            .map(|t| format!("{}{}", t.meta.name, if t.filters.is_empty() { "" } else { "?" }))
            .collect()
    }

    #[test]
    fn expressions_mean_indices() {
        let usual = Expand::default();
        assert_eq!(names("", usual), ["a1", "a2"]);
        assert_eq!(names("a*,-a2", usual), ["a1"]);
        assert_eq!(names(".*", usual), [".h"]);
        assert_eq!(names("al", usual), ["a1?"]);
        assert_eq!(names("al,a1", usual), ["a1"]);
        assert_eq!(names("*", usual.with_wildcards("all").unwrap()), [".h", "a1", "a2", "closed"]);
        assert_eq!(names("x,a1", Expand { ignore_unavailable: true, ..usual }), ["a1"]);
        assert!(state().resolve("x", usual).is_err());
        assert!(state().resolve("closed", usual).is_err());
        assert!(state().resolve("x*", Expand { allow_no_indices: false, ..usual }).is_err());
    }
}
