//! The parts of a running server, put together: configuration, clock, store, jobs, routes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ::search::Search;
use jobs::Jobs;
use store::Gateway;
use types::breaker::Breakers;
use types::{Clock, TimestampMs};

use crate::api;
use crate::config::Config;
use crate::searches::Searches;
use crate::tasks::Tasks;

/// The one node's id, as answers show it.
pub(crate) const NODE_ID: &str = "embedded";

/// A running server without its socket. Clones are handles to the same server.
#[derive(Clone, Debug)]
pub struct App(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    clock: Arc<dyn Clock>,
    /// The embedded store; absent when a cluster is used.
    search: Option<Search>,
    /// Passes the document and search API on to the cluster, if there is one and that is wanted.
    gateway: Option<Gateway>,
    jobs: Jobs,
    started: TimestampMs,
    tasks: Tasks,
    searches: Searches,
    breakers: Breakers,
    counters: Counters,
}

/// Why a server could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The embedded store could not be opened.
    #[error("cannot open the store in [{path}]: {reason}")]
    Store {
        /// The folder.
        path: String,
        /// What the store said.
        reason: String,
    },
    /// The cluster cannot be reached or used.
    #[error("store: {0}")]
    Cluster(String),
    /// The jobs could not be started.
    #[error("cannot start the jobs: {0}")]
    Jobs(String),
}

impl App {
    /// Opens the store and starts the jobs that were running when the server stopped.
    ///
    /// # Errors
    /// When the store cannot be opened.
    pub async fn open(config: Config, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let started = clock.now();
        let search = open_search(&config, &clock).await?;
        let store = open_store(&config, search.as_ref(), &clock).await?;
        let failed = |error: jobs::Error| StartError::Jobs(error.to_string());
        // Boxed: it has room for the states of jobs that were open.
        let jobs = Box::pin(Jobs::start(store, Arc::clone(&clock), job_options(&config)));
        let jobs = jobs.await.map_err(failed)?;
        let gateway = open_gateway(&config)?;
        let tasks = Tasks::new(Arc::clone(&clock));
        Ok(Self(Arc::new(Inner {
            config,
            clock,
            search,
            gateway,
            jobs,
            started,
            tasks,
            searches: Searches::new(crate::machine::processors()),
            breakers: Breakers::for_memory(crate::machine::memory_limit_bytes()),
            counters: Counters::default(),
        })))
    }

    /// All routes with everything around them.
    pub fn router(&self) -> axum::Router {
        api::router(self)
    }

    /// Saves the state of the open jobs and stops.
    pub async fn shutdown(&self) {
        self.0.jobs.shutdown().await;
    }

    pub(crate) fn config(&self) -> &Config {
        &self.0.config
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        self.0.clock.as_ref()
    }

    pub(crate) fn search(&self) -> Option<&Search> {
        self.0.search.as_ref()
    }

    pub(crate) fn gateway(&self) -> Option<&Gateway> {
        self.0.gateway.as_ref()
    }

    pub(crate) fn jobs(&self) -> &Jobs {
        &self.0.jobs
    }

    /// Work that goes on without anybody waiting.
    pub(crate) fn tasks(&self) -> &Tasks {
        &self.0.tasks
    }

    /// Who may search.
    pub(crate) fn searches(&self) -> &Searches {
        &self.0.searches
    }

    /// The budgets of bytes.
    pub(crate) fn breakers(&self) -> &Breakers {
        &self.0.breakers
    }

    pub(crate) fn started(&self) -> TimestampMs {
        self.0.started
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.0.counters
    }
}

async fn open_search(config: &Config, clock: &Arc<dyn Clock>) -> Result<Option<Search>, StartError> {
    if config.store.is_some() {
        return Ok(None);
    }
    let folder = config.data.clone();
    let clock = Arc::clone(clock);
    let opened = tokio::task::spawn_blocking(move || {
        let options = ::search::Options {
            open_indices: crate::machine::open_indices(),
            ..::search::Options::default()
        };
        Search::open(&folder, Arc::new(move || clock.now().0), options)
    });
    let failed = |reason: String| StartError::Store { path: config.data.display().to_string(), reason };
    opened.await.map_err(|e| failed(e.to_string()))?.map(Some).map_err(|e| failed(e.to_string()))
}

/// The jobs keep their documents where clients keep theirs: in the embedded store, or in the cluster.
async fn open_store(
    config: &Config,
    search: Option<&Search>,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn store::Store>, StartError> {
    match (&config.store, search) {
        (Some(cluster), _) => {
            let opened = store::open(cluster, Arc::clone(clock)).await;
            opened.map_err(|error| StartError::Cluster(error.to_string()))
        }
        (None, Some(search)) => Ok(store::over(search.clone())),
        (None, None) => Err(StartError::Cluster("there is no store".to_owned())),
    }
}

fn open_gateway(config: &Config) -> Result<Option<Gateway>, StartError> {
    match &config.store {
        Some(store::Config::Cluster(cluster)) if config.store_gateway => {
            Gateway::new(cluster).map(Some).map_err(|error| StartError::Cluster(error.to_string()))
        }
        _ => Ok(None),
    }
}

fn job_options(config: &Config) -> jobs::Options {
    jobs::Options {
        node_id: NODE_ID.to_owned(),
        node_name: config.node_name.clone(),
        transport_address: config.listen.to_string(),
        max_model_memory_limit: config.max_model_memory_limit,
        memory_bytes: crate::machine::memory_bytes(),
        checkpoint_records: config.checkpoint_records,
        push_down: config.store_push_down,
        ..jobs::Options::default()
    }
}

/// Answers given since the start, by class of status.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    classes: [AtomicU64; 5],
}

impl Counters {
    /// Counts an answer with a status from 100 to 599.
    pub(crate) fn answered(&self, status: u16) {
        let class = usize::from(status / 100).clamp(1, self.classes.len()) - 1;
        self.classes[class].fetch_add(1, Ordering::Relaxed);
    }

    /// `1xx` to `5xx` and how often.
    pub(crate) fn by_class(&self) -> impl Iterator<Item = (String, u64)> {
        (1..).zip(&self.classes).map(|(class, count)| (format!("{class}xx"), count.load(Ordering::Relaxed)))
    }
}
