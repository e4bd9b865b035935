//! Which store is used, and how it is opened.

use std::path::PathBuf;
use std::sync::Arc;

use types::Clock;

use crate::cluster::Cluster;
use crate::embedded::Embedded;
use crate::memory::MemoryStore;
use crate::prefixed::Prefixed;
use crate::{Result, Store};

/// Which store is used.
#[derive(Clone, Debug)]
pub enum Config {
    /// Nothing outlives the process: for tests.
    Memory,
    /// The store inside this process.
    Embedded {
        /// Where it keeps its files.
        folder: PathBuf,
        /// Is every acknowledged write on the disk?
        durable: bool,
    },
    /// A cluster of Elasticsearch or OpenSearch.
    Cluster(ClusterConfig),
}

/// How a cluster is reached.
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    /// Addresses of its nodes.
    pub urls: Vec<String>,
    /// With a password.
    pub username: Option<String>,
    /// Of the user.
    pub password: Option<Secret>,
    /// Instead of user and password: `id:key` in base64.
    pub api_key: Option<Secret>,
    /// Instead of user and password: a token.
    pub bearer_token: Option<Secret>,
    /// A certificate (PEM) that is trusted besides those of the system.
    pub ca_certificate: Option<PathBuf>,
    /// Are certificates checked? Only tests should say no.
    pub verify_certificates: bool,
    /// What stands before the names of the service's own indices; empty for nothing.
    pub index_prefix: String,
}

impl ClusterConfig {
    /// The nodes at these addresses, without credentials.
    pub fn new(urls: Vec<String>) -> Self {
        Self {
            urls,
            username: None,
            password: None,
            api_key: None,
            bearer_token: None,
            ca_certificate: None,
            verify_certificates: true,
            index_prefix: String::new(),
        }
    }
}

/// A text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Opens the store.
///
/// # Errors
/// When the configuration is wrong or the store cannot be opened.
pub async fn open(config: &Config, clock: Arc<dyn Clock>) -> Result<Arc<dyn Store>> {
    match config {
        Config::Memory => Ok(Arc::new(MemoryStore::default())),
        Config::Cluster(config) => {
            let cluster = Cluster::open(config).await?;
            if config.index_prefix.is_empty() {
                return Ok(Arc::new(cluster));
            }
            Ok(Arc::new(Prefixed::new(cluster, &config.index_prefix)?))
        }
        Config::Embedded { folder, durable } => Ok(Arc::new(Embedded::open(folder, clock, *durable).await?)),
    }
}

/// The store that is open already, for a process that also answers the search API itself.
pub fn over(search: search::Search) -> Arc<dyn Store> {
    Arc::new(Embedded::new(search))
}
