//! Settings that can be changed while the service runs, under the names that `/_cluster/settings` gives them.
//!
//! | setting | value | effect |
//! | --- | --- | --- |
//! | `xpack.ml.max_model_memory_limit` | size in bytes, `0` for none | no job may ask for more; also the default's upper bound |
//! | `xpack.ml.max_open_jobs` | 1 to 512, 512 by default | opening one job more is refused |
//! | `cluster.persistent_tasks.allocation.enable` | `all`, `none` | with `none` no job opens and no datafeed starts |
//! | `xpack.ml.nightly_maintenance_requests_per_second` | positive number, `-1` for no limit | requests that remove something in the daily run, per second |
//! | `xpack.ml.max_machine_memory_percent`, `…use_auto_machine_memory_percent`, `…max_lazy_ml_nodes`, `…max_ml_node_size`, `…node_concurrent_job_allocations`, `…persist_results_max_retries`, `…process_connect_timeout`, `…allocated_processors_scale`, `…enable_config_migration` | as in the original | accepted; there is one process on one node, which nothing of this applies to |
//! | `action.auto_create_index` | `true` | what the service does; other values are refused |
//! | `action.destructive_requires_name` | `false` | what the service does; other values are refused |
//! | `logger.…` | text | accepted, so that set-up scripts run |
//!
//! With a cluster and its door open, `/_cluster/settings` goes to the cluster like every other address that is not one of
//! machine learning's: these settings are then the cluster's own, and the service keeps its defaults.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use serde_json::{Map, Value, json};
use store::{BulkOp, indices};
use types::{ByteSize, Invalid};

use crate::service::Jobs;
use crate::{Error, Result};

const DOCUMENT: &str = "cluster-settings";
const MAX_MODEL_MEMORY_LIMIT: &str = "xpack.ml.max_model_memory_limit";
const MAX_OPEN_JOBS: &str = "xpack.ml.max_open_jobs";
const NIGHTLY_RATE: &str = "xpack.ml.nightly_maintenance_requests_per_second";
const OPEN_JOBS_DEFAULT: usize = 512;
const ALLOCATION: &str = "cluster.persistent_tasks.allocation.enable";

/// Settings as flat names with their values as text.
type Flat = BTreeMap<String, String>;

/// A change of settings, or those in force: flat names, `null` for a reset.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SettingsChange {
    /// Kept over restarts.
    pub persistent: BTreeMap<String, Option<String>>,
    /// Gone at the next start; stronger than the persistent ones.
    pub transient: BTreeMap<String, Option<String>>,
}

/// What is in force.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    groups: RwLock<(Flat, Flat)>,
    /// Changes take their turn, so that none is lost while another is being written.
    change: tokio::sync::Mutex<()>,
}

enum Kind {
    Size,
    Count {
        least: i64,
        most: i64,
    },
    /// Positive, or −1.
    Rate,
    Flag,
    /// What the service does, and nothing else.
    Only(&'static str),
    /// `all` or `none`.
    Allocation,
    Text,
}

/// What a known setting must look like; nothing for an unknown one.
fn kind(name: &str) -> Option<Kind> {
    Some(match name {
        MAX_MODEL_MEMORY_LIMIT | "xpack.ml.max_ml_node_size" => Kind::Size,
        ALLOCATION => Kind::Allocation,
        MAX_OPEN_JOBS => Kind::Count { least: 1, most: 512 },
        "xpack.ml.max_machine_memory_percent" => Kind::Count { least: 5, most: 200 },
        "xpack.ml.max_lazy_ml_nodes" => Kind::Count { least: 0, most: i64::MAX },
        "xpack.ml.node_concurrent_job_allocations" => Kind::Count { least: 0, most: i64::MAX },
        "xpack.ml.persist_results_max_retries" => Kind::Count { least: 0, most: 50 },
        "xpack.ml.allocated_processors_scale" => Kind::Count { least: 1, most: 16 },
        NIGHTLY_RATE => Kind::Rate,
        "xpack.ml.use_auto_machine_memory_percent" | "xpack.ml.enable_config_migration" => Kind::Flag,
        "xpack.ml.process_connect_timeout" => Kind::Text,
        "action.auto_create_index" => Kind::Only("true"),
        "action.destructive_requires_name" => Kind::Only("false"),
        name if name.starts_with("logger.") => Kind::Text,
        _ => return None,
    })
}

impl SettingsChange {
    /// Reads the body of `PUT /_cluster/settings`: names may be nested or dotted, a wildcard resets what it matches.
    ///
    /// # Errors
    /// When a group or a setting is unknown or a value does not fit it.
    pub fn parse(body: &Value) -> Result<Self> {
        let mut change = Self::default();
        let groups = body.as_object().ok_or_else(|| Invalid::parse("request body is required"))?;
        for (group, settings) in groups {
            let into = match group.as_str() {
                "persistent" => &mut change.persistent,
                "transient" => &mut change.transient,
                other => {
                    return Err(Invalid::x_content(format!(
                        "[1:1] [cluster_update_settings_request] unknown field [{other}]"
                    ))
                    .into());
                }
            };
            flatten("", settings, into);
            for (name, value) in &*into {
                check(group, name, value.as_deref())?;
            }
        }
        if change == Self::default() {
            return Err(Invalid::request_validation("Validation Failed: 1: no settings to update;").into());
        }
        Ok(change)
    }
}

fn flatten(prefix: &str, value: &Value, into: &mut BTreeMap<String, Option<String>>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                flatten(&name, value, into);
            }
        }
        Value::Null => drop(into.insert(prefix.to_owned(), None)),
        Value::String(text) => drop(into.insert(prefix.to_owned(), Some(text.clone()))),
        other => drop(into.insert(prefix.to_owned(), Some(other.to_string()))),
    }
}

fn check(group: &str, name: &str, value: Option<&str>) -> Result<()> {
    if value.is_none()
        && let Some((_, after)) = name.split_once('*')
    {
        return match after {
            "" => Ok(()),
            _ => Err(Error::argument(format!(
                "{group} setting [{name}]: only a wildcard at the end is understood"
            ))),
        };
    }
    let kind =
        kind(name).ok_or_else(|| Error::argument(format!("{group} setting [{name}], not recognized")))?;
    let Some(value) = value else { return Ok(()) };
    let failed =
        |why: &str| Error::argument(format!("Failed to parse value [{value}] for setting [{name}]{why}"));
    match kind {
        Kind::Size => ByteSize::parse(value, name).map(drop).map_err(Error::from),
        Kind::Count { least, most } => match value.parse::<i64>() {
            Ok(number) if number < least => Err(failed(&format!(" must be >= {least}"))),
            Ok(number) if number > most => Err(failed(&format!(" must be <= {most}"))),
            Ok(_) => Ok(()),
            Err(_) => Err(failed("")),
        },
        Kind::Rate => match value.parse::<f64>() {
            Ok(rate) if rate == -1.0 || (rate.is_finite() && rate > 0.0) => Ok(()),
            Ok(_) => Err(failed(" must be greater than 0, or -1")),
            Err(_) => Err(failed("")),
        },
        Kind::Only(only) if value == only => Ok(()),
        Kind::Only(only) => Err(failed(&format!(": only [{only}] is supported"))),
        Kind::Flag if matches!(value, "true" | "false") => Ok(()),
        Kind::Flag => Err(failed(" as only [true] or [false] are allowed.")),
        Kind::Allocation if matches!(value, "all" | "none") => Ok(()),
        Kind::Allocation => Err(failed(" as only [all] or [none] are allowed.")),
        Kind::Text => Ok(()),
    }
}

fn merge(into: &mut Flat, change: &BTreeMap<String, Option<String>>) {
    for (name, value) in change {
        match value {
            Some(value) => drop(into.insert(name.clone(), value.clone())),
            None if name.contains('*') => {
                let prefix = name.trim_end_matches('*');
                into.retain(|known, _| !known.starts_with(prefix));
            }
            None => drop(into.remove(name)),
        }
    }
}

impl Settings {
    fn value(&self, name: &str) -> Option<String> {
        let groups = self.groups.read().unwrap_or_else(PoisonError::into_inner);
        groups.1.get(name).or_else(|| groups.0.get(name)).cloned()
    }

    /// The highest memory limit that a job may have: the setting, else what the service was started with.
    pub(crate) fn max_model_memory_limit(&self, configured: Option<ByteSize>) -> Option<ByteSize> {
        let Some(text) = self.value(MAX_MODEL_MEMORY_LIMIT) else { return configured };
        ByteSize::parse(&text, MAX_MODEL_MEMORY_LIMIT).ok().filter(|size| size.bytes() > 0)
    }

    /// How many jobs may be open at once.
    pub(crate) fn max_open_jobs(&self) -> usize {
        self.value(MAX_OPEN_JOBS).and_then(|text| text.parse().ok()).unwrap_or(OPEN_JOBS_DEFAULT)
    }

    /// Requests per second in the daily run; as many as possible when absent or −1.
    pub(crate) fn nightly_requests_per_second(&self) -> Option<f64> {
        self.value(NIGHTLY_RATE).and_then(|text| text.parse().ok())
    }
}

impl Jobs {
    /// The highest memory limit that a job may have; none when there is no bound.
    pub fn max_model_memory_limit(&self) -> Option<ByteSize> {
        self.inner.max_model_memory_limit()
    }

    /// Refuses what would begin to run while nothing may; `what` could not be done.
    pub(crate) fn check_allocation(&self, what: &str) -> Result<()> {
        match self.inner.settings.value(ALLOCATION).as_deref() {
            Some("none") => Err(Error::TooManyRequests(format!(
                "Could not {what}, allocation explanation [no persistent task assignments are allowed due to cluster \
                 settings]"
            ))),
            _ => Ok(()),
        }
    }

    /// Applies a change, all of it or nothing, and keeps the persistent part.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn change_settings(&self, change: &SettingsChange) -> Result<()> {
        let change = change.clone();
        self.to_the_end(|jobs| async move { jobs.change_settings_now(&change).await }).await
    }

    async fn change_settings_now(&self, change: &SettingsChange) -> Result<()> {
        let _turn = self.inner.settings.change.lock().await;
        let (mut persistent, mut transient) = {
            let groups = self.inner.settings.groups.read().unwrap_or_else(PoisonError::into_inner);
            groups.clone()
        };
        merge(&mut persistent, &change.persistent);
        merge(&mut transient, &change.transient);
        if !change.persistent.is_empty() {
            // The settings stand as text in one field: their names would otherwise become fields of the index.
            let text = serde_json::to_string(&persistent)
                .map_err(|error| Error::Document { id: DOCUMENT.to_owned(), why: error.to_string() })?;
            let body = json!({"config_type": "settings", "settings": text}).to_string();
            self.inner
                .configs
                .write_document(BulkOp::index(indices::CONFIG, DOCUMENT.to_owned(), body))
                .await?;
        }
        *self.inner.settings.groups.write().unwrap_or_else(PoisonError::into_inner) = (persistent, transient);
        Ok(())
    }

    /// Reads back the persistent settings at the start of the service.
    pub(crate) async fn load_settings(&self) -> Result<()> {
        let Some(document) = self.inner.store.get(indices::CONFIG, DOCUMENT).await? else { return Ok(()) };
        let text = document.source.get("settings").and_then(Value::as_str).unwrap_or("{}");
        let persistent: Flat = serde_json::from_str(text)
            .map_err(|error| Error::Document { id: DOCUMENT.to_owned(), why: error.to_string() })?;
        self.inner.settings.groups.write().unwrap_or_else(PoisonError::into_inner).0 = persistent;
        Ok(())
    }

    /// What is in force, as `GET /_cluster/settings` shows it.
    pub fn settings(&self, flat: bool) -> Value {
        let groups = self.inner.settings.groups.read().unwrap_or_else(PoisonError::into_inner);
        json!({ "persistent": shown(&groups.0, flat), "transient": shown(&groups.1, flat) })
    }
}

impl SettingsChange {
    /// The change as the answer to it shows it: what was set, not what was reset.
    pub fn shown(&self, flat: bool) -> Value {
        let set = |group: &BTreeMap<String, Option<String>>| -> Flat {
            group.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?))).collect()
        };
        json!({ "persistent": shown(&set(&self.persistent), flat), "transient": shown(&set(&self.transient), flat) })
    }
}

fn shown(settings: &Flat, flat: bool) -> Value {
    let mut root = Map::new();
    for (name, value) in settings {
        if flat {
            root.insert(name.clone(), json!(value));
            continue;
        }
        let mut parts = name.split('.').peekable();
        let mut map = &mut root;
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                map.insert(part.to_owned(), json!(value));
                break;
            }
            let next = map.entry(part).or_insert_with(|| json!({}));
            if !next.is_object() {
                *next = json!({});
            }
            let Value::Object(inner) = next else { break };
            map = inner;
        }
    }
    Value::Object(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_and_dotted_names_are_the_same() {
        let nested = json!({"transient": {"xpack": {"ml": {"max_model_memory_limit": "9g"}}}});
        let dotted = json!({"transient": {"xpack.ml.max_model_memory_limit": "9g"}});
        let change = SettingsChange::parse(&nested).unwrap();
        assert_eq!(change, SettingsChange::parse(&dotted).unwrap());
        assert_eq!(change.shown(false)["transient"], nested["transient"]);
        assert_eq!(change.shown(true)["transient"], dotted["transient"]);
    }

    #[test]
    fn unknown_names_and_bad_values_are_refused() {
        for (body, part) in [
            (json!({"transient": {"no.such": "1"}}), "transient setting [no.such], not recognized"),
            (json!({"sometimes": {}}), "unknown field [sometimes]"),
            (json!({"persistent": {"xpack.ml.max_open_jobs": 0}}), "must be >= 1"),
            (
                json!({"persistent": {"xpack.ml.max_model_memory_limit": "many"}}),
                "xpack.ml.max_model_memory_limit",
            ),
            (
                json!({"persistent": {"xpack.ml.use_auto_machine_memory_percent": "perhaps"}}),
                "only [true] or [false]",
            ),
            (json!({"persistent": {NIGHTLY_RATE: 0}}), "must be greater than 0, or -1"),
            (json!({"persistent": {"action.auto_create_index": "-logs*"}}), "only [true] is supported"),
            (json!({"transient": {"xpack.*.max_open_jobs": null}}), "only a wildcard at the end"),
            (json!({}), "no settings to update"),
        ] {
            let error = SettingsChange::parse(&body).unwrap_err().to_string();
            assert!(error.contains(part), "{body}: {error}");
        }
    }

    #[test]
    fn null_resets_one_and_a_wildcard_many() {
        let mut flat = Flat::from([
            ("xpack.ml.max_open_jobs".to_owned(), "3".to_owned()),
            ("xpack.ml.max_model_memory_limit".to_owned(), "1g".to_owned()),
            ("logger.a".to_owned(), "debug".to_owned()),
        ]);
        merge(&mut flat, &BTreeMap::from([("xpack.ml.max_open_jobs".to_owned(), None)]));
        assert_eq!(flat.len(), 2);
        merge(&mut flat, &BTreeMap::from([("xpack.ml.*".to_owned(), None)]));
        assert_eq!(flat.keys().collect::<Vec<_>>(), ["logger.a"]);
    }

    #[test]
    fn transient_is_stronger_than_persistent_and_both_than_the_file() {
        let settings = Settings::default();
        let configured = Some(ByteSize::from_mebibytes(100));
        assert_eq!(settings.max_model_memory_limit(configured), configured);
        settings.groups.write().unwrap().0.insert(MAX_MODEL_MEMORY_LIMIT.to_owned(), "9g".to_owned());
        assert_eq!(settings.max_model_memory_limit(configured), Some(ByteSize::from_mebibytes(9 * 1024)));
        settings.groups.write().unwrap().1.insert(MAX_MODEL_MEMORY_LIMIT.to_owned(), "0".to_owned());
        assert_eq!(settings.max_model_memory_limit(configured), None);
    }
}
