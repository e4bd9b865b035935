//! What is known of the cluster at one moment. Never changed, only replaced.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::settings::Settings;
use crate::error::{Error, Result};

/// An index as the cluster knows it. Its mapping is kept in its own file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IndexMeta {
    /// The name.
    pub name: String,
    /// The unique id, after which the file is named.
    pub uuid: String,
    /// When it was created, in milliseconds.
    pub created_ms: i64,
    /// `index.…` settings.
    pub settings: Settings,
    /// The aliases, each with its filter and flags.
    pub aliases: BTreeMap<String, Map<String, Value>>,
    /// Is it open?
    pub open: bool,
    /// Do the pages of its file have checksums? Those of files from before they were introduced have none.
    #[serde(default)]
    pub checked: bool,
}

impl IndexMeta {
    /// Is it left out of wildcards unless hidden indices are asked for?
    pub fn is_hidden(&self) -> bool {
        self.settings.get("index.hidden") == Some("true")
    }

    /// `index.mapping.total_fields.limit`.
    pub fn field_limit(&self) -> usize {
        self.settings
            .get("index.mapping.total_fields.limit")
            .and_then(|text| text.parse().ok())
            .unwrap_or(1000)
    }

    /// `index.max_result_window`.
    pub fn result_window(&self) -> u64 {
        self.settings.get("index.max_result_window").and_then(|text| text.parse().ok()).unwrap_or(10_000)
    }
}

/// Kinds of stored things that are not indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Composable index templates.
    IndexTemplate,
    /// Component templates.
    ComponentTemplate,
    /// Legacy templates.
    LegacyTemplate,
    /// Cluster settings, life-cycle policies, ingest pipelines: stored and given back.
    Stored,
    /// Ids of indices that were deleted, whose files may still be there. Only such files are ever removed.
    Deleted,
}

impl Kind {
    /// As the file names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::IndexTemplate => "index_template",
            Self::ComponentTemplate => "component_template",
            Self::LegacyTemplate => "legacy_template",
            Self::Stored => "stored",
            Self::Deleted => "deleted",
        }
    }

    /// The kind that the file names so.
    pub fn by_name(name: &str) -> Option<Self> {
        [Self::IndexTemplate, Self::ComponentTemplate, Self::LegacyTemplate, Self::Stored, Self::Deleted]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// All metadata.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The indices by name.
    pub indices: BTreeMap<String, Arc<IndexMeta>>,
    /// Everything else.
    pub things: BTreeMap<(Kind, String), Arc<Value>>,
}

impl State {
    /// The index with this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn index(&self, name: &str) -> Result<&Arc<IndexMeta>> {
        self.indices.get(name).ok_or_else(|| Error::IndexNotFound { index: name.to_owned() })
    }

    /// Changes an index's entry.
    ///
    /// # Errors
    /// When there is none, or `change` fails.
    pub fn change_index<T>(
        &mut self,
        name: &str,
        change: impl FnOnce(&mut IndexMeta) -> Result<T>,
    ) -> Result<T> {
        let entry =
            self.indices.get_mut(name).ok_or_else(|| Error::IndexNotFound { index: name.to_owned() })?;
        let mut meta = IndexMeta::clone(entry);
        let result = change(&mut meta)?;
        if meta != **entry {
            *entry = Arc::new(meta);
        }
        Ok(result)
    }

    /// The indices behind an alias; none if it does not exist.
    pub fn behind_alias(&self, alias: &str) -> Vec<&Arc<IndexMeta>> {
        self.indices.values().filter(|meta| meta.aliases.contains_key(alias)).collect()
    }

    /// The index that a write to `name` goes to; `None` when neither an index nor an alias has that name.
    ///
    /// # Errors
    /// When an alias has no index to write to.
    pub fn write_index(&self, name: &str) -> Result<Option<&Arc<IndexMeta>>> {
        if let Some(meta) = self.indices.get(name) {
            return Ok(Some(meta));
        }
        let behind = self.behind_alias(name);
        let flag = |meta: &IndexMeta| meta.aliases[name].get("is_write_index").and_then(Value::as_bool);
        if let Some(written) = behind.iter().find(|meta| flag(meta) == Some(true)) {
            return Ok(Some(written));
        }
        match behind.as_slice() {
            [] => Ok(None),
            [one] if flag(one) != Some(false) => Ok(Some(one)),
            _ => Err(Error::illegal(format!(
                "no write index is defined for alias [{name}]. The write index may be explicitly disabled using \
                 is_write_index=false or the alias points to multiple indices without one being designated as a write index"
            ))),
        }
    }

    /// The index that a request for one document means.
    ///
    /// # Errors
    /// When there is none, or an alias stands for several.
    pub fn single_index(&self, name: &str) -> Result<&Arc<IndexMeta>> {
        if let Some(meta) = self.indices.get(name) {
            return Ok(meta);
        }
        match self.behind_alias(name).as_slice() {
            [] => Err(Error::IndexNotFound { index: name.to_owned() }),
            [one] => Ok(one),
            many => {
                let names: Vec<&str> = many.iter().map(|meta| meta.name.as_str()).collect();
                Err(Error::illegal(format!(
                    "alias [{name}] has more than one index associated with it [{}], can't execute a single index op",
                    names.join(", ")
                )))
            }
        }
    }
}
